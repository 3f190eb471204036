"""Data sets: samples with labels, attributes with provenance, and images."""
