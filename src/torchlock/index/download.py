"""Download one file: resumable, hashed while it arrives, and under its name only if its hash is right."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

from torchlock.errors import BrokenFile, InputError, NetworkError
from torchlock.index import addresses

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from threading import Event

    from torchlock.index.transport import Answer, Transport

# Hashes that installers accept, the usual one first.
ALGORITHMS = ("sha256", "sha384", "sha512")
# A file of unknown size is not read further; the largest wheel has 4 GB.
LIMIT = 16 << 30
_TRIES = 3
# A server that breaks off again and again gets so many requests for one file.
_REQUESTS = 50
_BLOCK = 1 << 20
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT) if hasattr(errno, "EDQUOT") else (errno.ENOSPC,)


class Stopped(Exception):
    """The run ends; the part of the file that has arrived stays for the next one."""


class Mismatch(BrokenFile):
    """The content is not what the hash describes. It was removed."""


class Wanted(NamedTuple):
    """A file to download. ``hashes`` are ``algorithm:digest``; one of them must be that of the file."""

    filename: str
    url: str
    hashes: tuple[str, ...]
    size: int | None = None


class Part:
    """The beginning of a file, in a file of its own, with what identifies it on its server."""

    def __init__(self, folder: Path, wanted: Wanted) -> None:
        key = hashlib.sha256(" ".join((wanted.filename, *sorted(wanted.hashes))).encode()).hexdigest()[:32]
        self.path = folder / f"{key}.part"
        self._state = folder / f"{key}.json"
        # As a hash, because an address may have a secret in its query.
        self._url = hashlib.sha256(wanted.url.encode()).hexdigest()
        self.validator = ""
        self.size = 0
        self.digests = {name: hashlib.new(name) for name in algorithms_of(wanted.hashes)}

    def open(self) -> IO[bytes]:
        """Open the part for more; its digests are those of what is there.

        Raises:
            OSError: it cannot be read or written.
        """
        self.validator = self._stored_validator()
        if not self.validator:
            self.path.unlink(missing_ok=True)
        file = self.path.open("a+b")
        file.seek(0)
        while block := file.read(_BLOCK):
            self._count(block)
        return file

    def begin(self, file: IO[bytes], validator: str) -> None:
        """Forget what is there; the file is identified by ``validator`` from now on ("": it is not)."""
        file.seek(0)
        file.truncate()
        self.size = 0
        self.digests = {name: hashlib.new(name) for name in self.digests}
        self.validator = validator
        self._state.unlink(missing_ok=True)
        if validator:
            self._state.write_text(json.dumps({"url": self._url, "validator": validator}), encoding="utf-8")

    def add(self, file: IO[bytes], piece: bytes) -> None:
        """Append a piece."""
        file.write(piece)
        self._count(piece)

    def remove(self) -> None:
        """Remove the part and what is known of it."""
        self.path.unlink(missing_ok=True)
        self._state.unlink(missing_ok=True)

    def finish(self, target: Path) -> None:
        """Give the complete file its name."""
        self.path.replace(target)
        self._state.unlink(missing_ok=True)

    def _count(self, piece: bytes) -> None:
        self.size += len(piece)
        for digest in self.digests.values():
            digest.update(piece)

    def _stored_validator(self) -> str:
        try:
            state = json.loads(self._state.read_text(encoding="utf-8"))
            return str(state["validator"]) if state["url"] == self._url else ""
        except (OSError, ValueError, KeyError, TypeError):
            return ""


def is_right(digests: Mapping[str, hashlib._Hash], hashes: tuple[str, ...]) -> bool:
    """Whether one of the hashes is that of the content."""
    return any(f"{name}:{digest.hexdigest()}" in hashes for name, digest in digests.items())


def hashes_of(path: Path, algorithms: tuple[str, ...] = ("sha256",)) -> dict[str, hashlib._Hash]:
    """The digests of a file on this machine.

    Raises:
        OSError: it cannot be read.
    """
    digests = {name: hashlib.new(name) for name in algorithms}
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            for digest in digests.values():
                digest.update(block)
    return digests


def download(
    wanted: Wanted,
    target: Path,
    folder: Path,
    transport: Callable[[], Transport],
    stop: Event,
    arrived: Callable[[int], None],
) -> None:
    """Bring a file to ``target``; its part is kept in ``folder``, and a later call continues there.

    ``transport`` is called if the file is on a server. ``arrived`` is called with the number of new bytes, or with
    a negative number if some have to come again. ``stop`` ends the download early.

    Raises:
        Mismatch: the file has none of the hashes.
        BrokenFile: the server no longer has it.
        NetworkError: it cannot be brought; the message says why.
        InputError: there is no space, or the folder cannot be written.
        Stopped: ``stop`` was set.
    """
    try:
        if not _brought(wanted, target, folder, transport, stop, arrived):
            # The beginning may have been that of an older file, whatever its server said.
            _brought(wanted, target, folder, transport, stop, arrived)
    except OSError as error:
        raise _unwritable(error, target) from error


def _brought(
    wanted: Wanted,
    target: Path,
    folder: Path,
    transport: Callable[[], Transport],
    stop: Event,
    arrived: Callable[[int], None],
) -> bool:
    """Bring a file; False if its hash is wrong, and a part of an earlier run was its beginning.

    Raises:
        OSError: the folder cannot be written; and all that ``download`` raises.
    """
    part = Part(folder, wanted)
    with part.open() as file:
        continued = part.size > 0
        arrived(part.size)
        if addresses.is_local(wanted.url):
            _copy(wanted, part, file, stop, arrived)
        else:
            _Download(wanted, part, file, transport(), stop, arrived).run()
        file.flush()
        os.fsync(file.fileno())
    if not is_right(part.digests, wanted.hashes):
        arrived(-part.size)
        part.remove()
        if continued:
            return False
        raise Mismatch(_mismatch(wanted, part))
    part.finish(target)
    return True


def _mismatch(wanted: Wanted, part: Part) -> str:
    found = ", ".join(f"{name}:{digest.hexdigest()}" for name, digest in part.digests.items())
    return f"{addresses.redact(wanted.url)} has the hash {found}, not the hash in the lock; the file was not kept"


def _unwritable(error: OSError, target: Path) -> InputError:
    if error.errno in _NO_SPACE:
        hint = "make space and run the command again: it continues where it stopped"
        return InputError("there is no space left for this file", path=str(target), hint=hint)
    return InputError(f"cannot be written ({error.strerror or error})", path=str(target))


def _copy(wanted: Wanted, part: Part, file: IO[bytes], stop: Event, arrived: Callable[[int], None]) -> None:
    """Copy a file of this machine."""
    source = addresses.local_path(wanted.url)
    arrived(-part.size)
    part.begin(file, "")
    try:
        opened = source.open("rb")
    except FileNotFoundError as error:
        raise BrokenFile(f"{source}: there is no such file") from error
    except OSError as error:
        raise NetworkError(f"{source} cannot be read ({error.strerror or error})") from error
    with opened:
        while block := opened.read(_BLOCK):
            if stop.is_set():
                raise Stopped
            part.add(file, block)
            arrived(len(block))


class _Download:
    """Requests to one server until the file is complete."""

    def __init__(
        self,
        wanted: Wanted,
        part: Part,
        file: IO[bytes],
        transport: Transport,
        stop: Event,
        arrived: Callable[[int], None],
    ) -> None:
        self._wanted = wanted
        self._part = part
        self._file = file
        self._transport = transport
        self._stop = stop
        self._arrived = arrived

    def run(self) -> None:
        """Ask until all has arrived; a break is followed by a request for the rest.

        Raises:
            NetworkError: it cannot be brought.
            Stopped: the run ends.
        """
        from torchlock.index.transport import CONNECTION_HINT, Transient, backoff

        failures = 0
        for _ in range(_REQUESTS):
            before = self._part.size
            try:
                self._ask()
                return
            except Transient as error:
                failures = 1 if self._part.size > before else failures + 1
                said = f"{addresses.redact(self._wanted.url)} {error}"
                if failures >= _TRIES:
                    raise NetworkError(said, hint=CONNECTION_HINT) from error
                if self._stop.wait(error.wait or backoff(failures)):
                    raise Stopped from None
        raise NetworkError(f"{said} {_REQUESTS} times", hint=CONNECTION_HINT)

    def _ask(self) -> None:
        """One request, for all or for the rest."""
        from torchlock.index.transport import PASSING, Transient, failure, retry_after

        part, headers = self._part, {"Accept-Encoding": "identity"}
        if part.size:
            headers |= {"Range": f"bytes={part.size}-", "If-Range": part.validator}
        with self._transport.stream(self._wanted.url, headers) as (answer, pieces):
            if answer.status in PASSING:
                passing = Transient(f"answered with status {answer.status}")
                passing.wait = retry_after(answer.headers.get("Retry-After", ""))
                raise passing
            if answer.status == 416:  # the part is longer than the file
                self._restart("")
                raise Transient("answered with status 416")
            if answer.status in (404, 410):
                raise BrokenFile(f"{addresses.redact(self._wanted.url)} is gone (status {answer.status})")
            if answer.status not in (200, 206):
                raise failure(answer, self._wanted.url)
            total = self._placed(answer)
            for piece in pieces:
                self._take(piece, total)
        if total is not None and part.size < total:
            raise Transient("broke off its answer")

    def _placed(self, answer: Answer) -> int | None:
        """Put the part to where the answer begins; the length of the whole file, if it is known."""
        length = answer.headers.get("Content-Length", "")
        stated = int(length) if re.fullmatch(r"[0-9]{1,18}", length) else None
        if answer.status == 206:
            match = re.fullmatch(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)", _range(answer))
            if match and int(match[1]) == self._part.size:
                return int(match[2]) if match[2] != "*" else self._wanted.size
            self._restart("")
            from torchlock.index.transport import Transient

            raise Transient("answered with another part of the file")
        self._restart(_validator(answer))
        return stated if stated is not None else self._wanted.size

    def _restart(self, validator: str) -> None:
        self._arrived(-self._part.size)
        try:
            self._part.begin(self._file, validator)
        except OSError as error:
            raise _unwritable(error, self._part.path) from error

    def _take(self, piece: bytes, total: int | None) -> None:
        """Write a piece. (An error of the disk is not one of the network.)"""
        if self._stop.is_set():
            raise Stopped
        if self._part.size + len(piece) > (LIMIT if total is None else total):
            raise BrokenFile(f"{addresses.redact(self._wanted.url)} is longer than it says")
        try:
            self._part.add(self._file, piece)
        except OSError as error:
            raise _unwritable(error, self._part.path) from error
        self._arrived(len(piece))


def _range(answer: Answer) -> str:
    return answer.headers.get("Content-Range", "").strip()


def _validator(answer: Answer) -> str:
    """What identifies this state of the file: a strong ETag, else its date; "" if the server has neither."""
    tag = answer.headers.get("ETag", "").strip()
    if tag and not tag.startswith("W/"):
        return tag
    return answer.headers.get("Last-Modified", "").strip()


def algorithms_of(hashes: tuple[str, ...]) -> tuple[str, ...]:
    """The algorithms of these hashes that installers accept."""
    named = {each.partition(":")[0] for each in hashes}
    return tuple(each for each in ALGORITHMS if each in named) or ("sha256",)
