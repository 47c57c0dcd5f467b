"""Fuzzing of every reader: what is tried, how inputs are changed, and what a reader may cost."""
