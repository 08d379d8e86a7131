"""Measurements: each is a command that prints its figures, and fails where they are not good."""
