"""The schema's history: each revision expands first; a later one contracts."""
