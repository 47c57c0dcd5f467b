"""The parts of ``scripts/compile_rules.py``: a module for each table that people write."""
