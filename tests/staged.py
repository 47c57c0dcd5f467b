"""For scripts outside of this repository that stage environments; tests import ``support.site_folder`` itself."""

from support.site_folder import install, write

__all__ = ["install", "write"]
