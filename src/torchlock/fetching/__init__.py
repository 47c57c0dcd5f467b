"""Bring every file of a lock into a folder, from which pip and uv install without a network."""
