"""What ``scripts/bench.py`` measures on."""
