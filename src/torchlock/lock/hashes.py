"""The hashes of a lock: hashes of the index that installers accept, else hashes that torchlock computes."""

from __future__ import annotations

from torchlock.answers import Unknown
from torchlock.errors import InputError
from torchlock.standards.names import normalise
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from torchlock.lock.model import Lock, Pin
    from torchlock.standards.index_file import File
    from torchlock.terms import Inputs, ParsedRequirement

# The algorithms of pip's --hash, with the number of digits; pip refuses a requirements file with any other.
ACCEPTED = {"sha256": 64, "sha384": 96, "sha512": 128}


def with_hashes(lock: Lock, sha256: Callable[[File], str | Unknown]) -> Lock:
    """The lock with hashes that installers take alone. ``sha256`` is asked for files that have none of them.

    Files whose hash it does not know either have none: the writer of the lock has to say so.
    """
    pins = (pin._replace(files=tuple(_hashed(file, sha256) for file in pin.files)) for pin in lock.pins)
    return lock._replace(pins=tuple(pins))


def with_files_of_hashes(lock: Lock, inputs: Inputs) -> Lock:
    """The lock with those files alone whose hashes the user's own lines name, where a line names any.

    A file of which no hash of the same algorithm is known stays.

    Raises:
        InputError: no file of a package has a hash that its line names; an installer would refuse all of them.
    """
    lines = {
        normalise(written.requirement.name): written
        for written in (*inputs.constraints, *inputs.requirements)
        if written.hashes
        and written.requirement is not None
        and written.url is None
        and lock.target.holds(str(written.requirement.marker or ""))
    }
    return lock._replace(pins=tuple(_with_allowed_files(pin, lines.get(normalise(pin.name))) for pin in lock.pins))


def _with_allowed_files(pin: Pin, line: ParsedRequirement | None) -> Pin:
    if line is None or pin.written is not None:
        return pin
    hashes = {value.lower() for value in line.hashes}
    named = {value.partition(":")[0] for value in hashes}
    kept = tuple(
        file
        for file in pin.files
        if named.isdisjoint(file.hashes)
        or any(f"{name}:{digest}".lower() in hashes for name, digest in file.hashes.items())
    )
    if pin.files and not kept:
        path, number, _ = line.origin
        raise InputError(
            f"no file of {pin.name} {pin.version} for this target has a hash of this line",
            path=path,
            line=number,
            hint="leave the hashes out, or pin the version that they are of",
        )
    return pin._replace(files=kept)


def _hashed(file: File, sha256: Callable[[File], str | Unknown]) -> File:
    taken = {name: digest for name, digest in file.hashes.items() if len(digest) == ACCEPTED.get(name)}
    if not taken:
        found = sha256(file)
        taken = {} if isinstance(found, Unknown) else {"sha256": found}
    return file if taken == file.hashes else file._replace(hashes=taken)
