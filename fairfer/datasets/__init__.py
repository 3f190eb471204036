"""Datasets: samples with labels, attributes with provenance, and images."""
