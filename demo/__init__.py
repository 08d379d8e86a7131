"""The demo: made-up people, their posts, and everything that turns these into statuses."""
