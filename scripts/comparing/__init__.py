"""The parts of scripts/compare_tables.py."""
