"""Answers of a model to changed pictures: the picture changes, the person stays the same."""
