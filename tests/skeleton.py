"""For scripts outside of this repository that stage environments; tests import ``support.libraries`` itself."""

from support.libraries import elf, pe

__all__ = ["elf", "pe"]
