"""The rules of the check, one subject in each module."""
