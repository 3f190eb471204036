"""Parts of PyTorch networks that attribution methods explain. Importing the modules needs PyTorch."""
