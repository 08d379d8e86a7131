"""The same accounts, synced in different ways: `python -m bench.sides` compares them."""
