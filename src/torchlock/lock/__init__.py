"""The job ``lock``: resolve requirements into pins that load on the target, or explain the conflict."""

from torchlock.lock.hashes import with_files_of_hashes, with_hashes
from torchlock.lock.inputs import dependency_of
from torchlock.lock.locker import lock
from torchlock.lock.model import Conflict, HostNote, Lock, Options, Pin

__all__ = [
    "Conflict",
    "HostNote",
    "Lock",
    "Options",
    "Pin",
    "dependency_of",
    "lock",
    "with_files_of_hashes",
    "with_hashes",
]
