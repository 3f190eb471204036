"""One module per model library; each library is imported inside its own module and nowhere else."""
