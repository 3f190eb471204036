"""Metrics: counts per group and label, and everything computed from them."""
