"""The parts of scripts/prove_matrix.py."""
