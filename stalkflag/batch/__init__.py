"""Scoring files: rows in, rows out, none lost."""
