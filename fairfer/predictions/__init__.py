"""Predictions: ask a model about every image and store the answers."""
