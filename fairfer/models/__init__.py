"""Models: what a model is, how one is found, adapters per library, and the bundled baseline."""
