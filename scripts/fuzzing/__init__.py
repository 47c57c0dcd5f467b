"""Generators of broken input, and the checks that each must pass; the scripts that fuzz take them from here."""
