"""Every regular expression of the project: found, read, and its steps counted."""
