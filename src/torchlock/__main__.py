"""``python -m torchlock``."""

from torchlock.cli import entry

if __name__ == "__main__":
    entry()
