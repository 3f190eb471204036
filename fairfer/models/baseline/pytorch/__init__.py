"""The network of the bundled model: its definition, its training loop and its ONNX graph.

Importing these modules needs PyTorch (and `graph` the package ``onnx``); `fairfer.models.baseline.train` and
`fairfer.models.baseline.export` import them when they run.
"""
