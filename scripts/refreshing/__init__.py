"""The parts of ``scripts/refresh_releases.py``."""
