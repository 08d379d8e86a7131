"""Chaos: everything dies and comes back at random while thousands of accounts are synced."""
