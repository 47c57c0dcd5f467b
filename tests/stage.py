"""For scripts outside of this repository that stage environments; tests import ``support.real_wheels`` itself."""

from support.real_wheels import Wheels, image, symbols_of, torch

__all__ = ["Wheels", "image", "symbols_of", "torch"]
