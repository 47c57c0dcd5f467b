"""A module for each format of what people write."""
