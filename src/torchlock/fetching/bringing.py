"""Bring files into a folder: several at a time, each verified; what was interrupted continues later."""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from contextvars import copy_context
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, TYPE_CHECKING, NamedTuple

from torchlock.errors import BrokenFile, InputError, NetworkError
from torchlock.index.download import Mismatch, Stopped, algorithms_of, download, hashes_of, is_right

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torchlock.fetching.locating import Found
    from torchlock.index import IndexSettings
    from torchlock.index.transport import Transport

PARTS = ".torchlock-parts"
# So many files come at a time: a fast line is filled by a few, and a server is not asked too much.
AT_A_TIME = 4
_LOOK = 0.2  # seconds between two looks at the progress
_LEAVE = 3.0  # seconds for the workers to end after an interruption


class Result(NamedTuple):
    """What happened to a file.

    ``status``: ``fetched``, ``replaced`` (a file of this name with another content was there), ``present`` (it was
    there already), ``gone``, ``mismatch`` (its hash is wrong), or ``failed`` (the network). ``reason`` says why a
    file is not there.
    """

    found: Found
    status: str
    reason: str = ""
    hint: str | None = None

    @property
    def is_there(self) -> bool:
        """Whether the folder has the file."""
        return self.is_new or self.status == "present"

    @property
    def is_new(self) -> bool:
        """Whether this run brought the file."""
        return self.status in ("fetched", "replaced")


class Progress:
    """How much has arrived. ``of`` is the number of bytes in all, as far as sizes are known."""

    def __init__(self, founds: Sequence[Found]) -> None:
        self.files = len(founds)
        self.done = 0
        self.bytes = 0
        self.of = sum(found.wanted.size or 0 for found in founds)
        self.is_exact = all(found.wanted.size for found in founds)
        self.current = ""
        self._started = time.monotonic()
        self._lock = threading.Lock()

    def arrived(self, count: int) -> None:
        """Bytes arrived; called from several threads."""
        with self._lock:
            self.bytes += count

    def __str__(self) -> str:
        seconds = max(time.monotonic() - self._started, 0.1)
        share = min(self.bytes / self.of, 1.0) if self.of else 0.0
        bar = "#" * int(share * 20)
        of = f" of {megabytes(self.of)}" if self.of else ""
        speed = f"{megabytes(int(self.bytes / seconds))}/s"
        files = f"{self.done} of {self.files} files"
        shown = f"[{bar:<20}] {share:4.0%} " if self.of and self.is_exact else ""
        return f"{shown}{megabytes(self.bytes)}{of}, {speed}, {files}, {self.current}"


def megabytes(size: int) -> str:
    """A size for people."""
    if size >= 10**9:
        return f"{size / 1e9:.1f} GB"
    return f"{size / 1e6:.1f} MB" if size >= 10**5 else f"{size / 1e3:.1f} kB"


def bring(
    founds: Sequence[Found],
    folder: Path,
    settings: IndexSettings,
    *,
    show: Callable[[Progress], None],
    done: Callable[[Result], None],
    offline: bool = False,
) -> list[Result]:
    """Bring files into a folder; one result per file, in order.

    ``show`` is called now and then, ``done`` after each file; both in this thread. ``offline`` asks no server.

    Raises:
        InputError: the folder cannot be written, has not enough space, or another run uses it; files that are
            complete stay.
        KeyboardInterrupt: the run was interrupted; what arrived stays for the next run.
    """
    _check_names(founds)
    with _parts(folder) as parts:
        results = {number: result for number, found in enumerate(founds) if (result := _present(found, folder))}
        for result in results.values():
            done(result)
        left = [number for number in range(len(founds)) if number not in results]
        _check_space([founds[number] for number in left], folder, parts)
        progress = Progress([founds[number] for number in left])
        work = _Work(founds, left, folder, parts, None if offline else settings, progress)
        for number, outcome in work.outcomes(show):
            if isinstance(outcome, BaseException):
                raise outcome
            results[number] = outcome
            done(outcome)
    with contextlib.suppress(OSError):
        (folder / PARTS).rmdir()
    return [results[number] for number in range(len(founds))]


class _Work:
    """Threads that download; results come in the order in which they end."""

    def __init__(
        self,
        founds: Sequence[Found],
        numbers: Sequence[int],
        folder: Path,
        parts: Path,
        settings: IndexSettings | None,
        progress: Progress,
    ) -> None:
        self._founds = founds
        self._folder = folder
        self._parts = parts
        self._settings = settings
        self._progress = progress
        self._stop = threading.Event()
        self._waiting: SimpleQueue[int] = SimpleQueue()
        self._ended: SimpleQueue[tuple[int, Result | BaseException]] = SimpleQueue()
        # The largest first, so that no large file comes alone at the end.
        for number in sorted(numbers, key=lambda each: -(founds[each].wanted.size or 0)):
            self._waiting.put(number)
        self._count = len(numbers)

    def outcomes(self, show: Callable[[Progress], None]) -> Iterator[tuple[int, Result | BaseException]]:
        """Each file with its result, or with the error that ends the run."""
        runs = [partial(copy_context().run, self._run) for _ in range(min(AT_A_TIME, self._count))]
        threads = [threading.Thread(target=run, daemon=True) for run in runs]
        for thread in threads:
            thread.start()
        try:
            ended = 0
            while ended < self._count:
                with contextlib.suppress(Empty):
                    number, outcome = self._ended.get(timeout=_LOOK)
                    ended += 1
                    self._progress.done = ended
                    yield number, outcome
                show(self._progress)
        finally:
            self._stop.set()
            until = time.monotonic() + _LEAVE
            for thread in threads:
                thread.join(max(0.0, until - time.monotonic()))

    def _run(self) -> None:
        from torchlock.index import transport as sockets

        transport: list[Transport] = []

        def opened() -> Transport:
            if self._settings is None:
                raise NetworkError("--offline forbids asking its server", hint="run without --offline")
            if not transport:
                transport.append(sockets.Transport(self._settings))
            return transport[0]

        while not self._stop.is_set():
            try:
                number = self._waiting.get_nowait()
            except Empty:
                return
            try:
                self._ended.put((number, self._result(self._founds[number], opened)))
            except Stopped:
                return
            except BaseException as error:  # for the thread that waits
                self._ended.put((number, error))
                return

    def _result(self, found: Found, opened: Callable[[], Transport]) -> Result:
        self._progress.current = found.wanted.filename
        target = self._folder / found.wanted.filename
        status = "replaced" if target.exists() else "fetched"
        try:
            download(found.wanted, target, self._parts, opened, self._stop, self._progress.arrived)
        except Mismatch as error:
            return Result(found, "mismatch", error.message, error.hint)
        except BrokenFile as error:
            return Result(found, "gone", error.message, error.hint)
        except NetworkError as error:
            return Result(found, "failed", error.message, error.hint)
        return Result(found, status)


def _present(found: Found, folder: Path) -> Result | None:
    """The result for a file that the folder has already, with the right content."""
    path = folder / found.wanted.filename
    if not path.exists():
        return None
    if not path.is_file():
        raise InputError("is not a file", path=str(path), hint="name another folder with -o")
    try:
        digests = hashes_of(path, algorithms_of(found.wanted.hashes))
        return Result(found, "present") if is_right(digests, found.wanted.hashes) else None
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror or error})", path=str(path)) from error


def _check_names(founds: Sequence[Found]) -> None:
    """Refuse two files of one name with different content.

    Raises:
        InputError: there are two.
    """
    seen: dict[str, Found] = {}
    for found in founds:
        other = seen.setdefault(found.wanted.filename.lower(), found)
        if not set(other.wanted.hashes) & set(found.wanted.hashes):
            raise InputError(
                f"{found.wanted.filename} has two different contents in these locks, and a folder has one file of "
                "a name",
                hint="fetch each lock, or each target of it, into a separate folder",
            )


def _check_space(founds: Sequence[Found], folder: Path, parts: Path) -> None:
    """Refuse to begin if the known sizes exceed the free space.

    Raises:
        InputError: they do.
    """
    with contextlib.suppress(OSError):
        there = sum(part.stat().st_size for part in parts.glob("*.part"))
        needed = sum(found.wanted.size or 0 for found in founds) - there
        free = shutil.disk_usage(folder).free
        if needed > free:
            said = f"does not have enough space: {megabytes(needed)} are needed, and {megabytes(free)} are free"
            raise InputError(said, path=str(folder), hint="name a folder on another disk with -o")


@contextlib.contextmanager
def _parts(folder: Path) -> Iterator[Path]:
    """The folder of incomplete files, for one run at a time.

    Raises:
        InputError: it cannot be made, or another run uses it.
    """
    parts = folder / PARTS
    try:
        parts.mkdir(parents=True, exist_ok=True)
        with (parts / "lock").open("a") as file:
            if not _locked(file):
                raise InputError(
                    "another torchlock process is fetching into this folder",
                    path=str(folder),
                    hint="wait until it ends, or name another folder with -o",
                )
            yield parts
            (parts / "lock").unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"cannot be written ({error.strerror or error})", path=str(folder)) from error


def _locked(file: IO[str]) -> bool:
    """Lock an open file; True also where the system has no such locks."""
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
