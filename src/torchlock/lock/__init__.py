"""``lock``: requirements in, an environment that loads out."""

from torchlock.lock.hashes import allowed, with_hashes
from torchlock.lock.job import lock
from torchlock.lock.lines import dependency_of
from torchlock.lock.results import Conflict, HostNote, Lock, Options, Pin

__all__ = ["Conflict", "HostNote", "Lock", "Options", "Pin", "allowed", "dependency_of", "lock", "with_hashes"]
