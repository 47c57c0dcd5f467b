"""The smallest change of a file that makes it clean."""
