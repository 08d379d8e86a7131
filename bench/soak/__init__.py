"""Soak: a thousand cycles in one process, after which nothing may have grown."""
