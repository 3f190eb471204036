"""fairfer: fairness evaluation of facial-emotion models."""
