"""Checkpoints: the table of them, where their files are, and how they are loaded."""
