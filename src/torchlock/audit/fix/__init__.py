"""The smallest change that fixes a file."""
