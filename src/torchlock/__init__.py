"""torchlock: environments of the PyTorch audio stack that load."""

__version__ = "0.1.0"
