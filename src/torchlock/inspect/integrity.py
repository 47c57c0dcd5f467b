"""Whether the files of a folder are those that its installers wrote: the records against what is there."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from torchlock.inspect.library import broken_library, is_library
from torchlock.inspect.record import Record, Row, read_record
from torchlock.knowledge.stack import FAMILY
from torchlock.runtime import files

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from torchlock.inspect.distributions import Distribution
    from torchlock.inspect.environment import Environment
    from torchlock.inspect.hashing import HashJob
    from torchlock.runtime.files import Tree

# A library smaller than this is looked into, whatever its size should be.
_SMALL = 1024
# What of a mode says that it is a regular file that all may read.
_FORM, _READABLE = stat.S_IFMT(0xFFFF) | 0o004, stat.S_IFREG | 0o004
# Who writes INSTALLER and changes what is recorded.
_REPACKAGERS = frozenset({"conda", "debian", "rpm", "apk", "portage"})
# The folders of all records, each with those above it: letters of their paths. torch alone has a million.
_FOLDERS = 256 << 20
# So many faults of one kind and distribution are listed, the others only counted.
LISTED = 1000


class Fault(NamedTuple):
    """One file that is not what it should be.

    ``kind`` says how:

    - ``missing``: recorded, and not there;
    - ``size``: not of the recorded size; ``truncated`` for a library that ends before what it must load;
    - ``hash``: of the recorded size, and changed;
    - ``empty``, ``zeros``, ``pointer``, ``link``, ``page``: the content instead of a library
      (``broken_library``);
    - ``irregular``: a pipe or device in a file's place, or a folder if the record has a hash;
    - ``unreadable``: the system does not let it be read; ``unchecked``: too large, or by an unknown hash;
    - ``escapes``: recorded outside of the installation, and not looked at;
    - ``foreign``: in a package's folder, and in no record;
    - ``unowned``: importable, at the top of the site folder, and in no record.

    ``distribution`` is the (normalised) name of the one that recorded it, for ``foreign`` the one whose folder
    it is, for ``unowned`` empty. ``path`` is absolute; for ``escapes`` it is what the record says.
    """

    kind: str
    path: str
    distribution: str
    expected: str = ""
    found: str = ""


class Checked(NamedTuple):
    """What came out for one distribution: how many files its record lists, and how many of these are missing.

    ``recorded`` is None where there is no record that could be read. ``problem`` says why it could not, or
    not to its end. Compiled Python and the record itself count for nothing.
    """

    distribution: Distribution
    recorded: int | None
    missing: int = 0
    problem: str = ""

    @property
    def is_hollow(self) -> bool:
        """Whether nothing is left of it but its record."""
        return bool(self.recorded) and self.missing == self.recorded


class Integrity(NamedTuple):
    """What came out for an environment.

    ``faults`` lists the first thousand of each kind and distribution; ``counts`` has them all, by
    ``(distribution, kind)``. ``hashed`` counts the bytes that were hashed. ``shared`` are the files that two
    distributions recorded, by their names; the record that was read later is the second.
    """

    checked: tuple[Checked, ...]
    faults: tuple[Fault, ...]
    counts: dict[tuple[str, str], int]
    hashed: int = 0
    shared: Mapping[tuple[str, str], tuple[str, ...]] = MappingProxyType({})


def check_integrity(
    environment: Environment,
    distributions: Iterable[Distribution],
    deep: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Integrity:
    """Compare what was recorded with what is there: presence and size; with ``deep`` every hash, too.

    ``progress`` hears of the bytes hashed so far and in all. conda and Linux distributions change and move
    files after a wheel was recorded: of theirs only the presence of what can be imported is compared.
    """
    by_folder: dict[str, list[Distribution]] = {}
    for distribution in distributions:
        by_folder.setdefault(distribution.entry.path, []).append(distribution)
    faults = _Faults()
    checked: list[Checked] = []
    jobs: list[HashJob] = []
    for folder, inside in by_folder.items():
        with _opened(folder) as handle:
            site = _Site(environment, folder, faults, jobs if deep else None, handle)
            results = [site.check(distribution) for distribution in inside]
        site.foreign()
        if all(result.recorded is not None or result.distribution.kind == "egg-link" for result in results):
            site.unowned()
        checked += results
    hashed = _hash(jobs, faults, progress) if deep else 0
    shared = {names: tuple(paths) for names, paths in faults.shared.items()}
    return Integrity(tuple(checked), tuple(faults.listed), dict(faults.counts), hashed, shared)


def _hash(jobs: list[HashJob], faults: _Faults, progress: Callable[[int, int], None] | None) -> int:
    from torchlock.inspect.hashing import hash_all

    hashed, wrong = hash_all(jobs, progress)
    for job, kind, found in wrong:
        faults.add(kind, job.path, job.distribution, job.hash, found)
    return hashed


class _Faults:
    """All of them counted, the first of each sort listed."""

    def __init__(self) -> None:
        from collections import Counter

        self.listed: list[Fault] = []
        self.shared: dict[tuple[str, str], list[str]] = {}
        self.counts: Counter[tuple[str, str]] = Counter()

    def share(self, first: str, second: str, path: str) -> None:
        """Note a file that two distributions recorded."""
        paths = self.shared.setdefault((first, second), [])
        if len(paths) < LISTED:
            paths.append(path)

    def add(self, kind: str, path: str, distribution: str, expected: str = "", found: str = "") -> None:
        self.counts[distribution, kind] += 1
        if self.counts[distribution, kind] <= LISTED:
            self.listed.append(Fault(kind, path, distribution, expected, found))


class _Site:
    """One folder of packages, and all that the records in it claim."""

    def __init__(
        self,
        environment: Environment,
        folder: str,
        faults: _Faults,
        jobs: list[HashJob] | None,
        handle: int | None,
    ) -> None:
        self.folder = folder
        self.handle = handle
        self.tree: Tree = environment.tree
        self.is_site = any(entry.path == folder and entry.is_site for entry in environment.path)
        interpreter = environment.interpreter
        # Scripts and data are recorded outside of the folder, though never outside of the installation.
        prefixes = (interpreter.prefix, interpreter.base_prefix)
        self.prefix = next((prefix for prefix in prefixes if prefix and is_within(folder, prefix)), "")
        self.faults = faults
        self.jobs = jobs
        self.left = _FOLDERS
        self.recorded: dict[str, dict[str, str]] = {}
        """Folder → file → the distribution that recorded it."""

    def check(self, distribution: Distribution) -> Checked:
        """Compare one record with the files."""
        record = read_record(distribution)
        if not isinstance(record, Record):
            return Checked(distribution, None, problem=record)
        name, repackaged = distribution.name, self.is_repackaged(distribution)
        is_simple = record.is_simple and os.sep == "/"
        handle = self.handle if record.base == self.folder else None
        counted = missing = 0
        for path, digest, size in record.fields(compiled=False):
            is_below = is_simple and ".." not in path and "./" not in path
            place = f"{record.base}/{path}" if is_below else self.locate(record.base, path)
            if not place:
                if place is None:
                    self.faults.add("escapes", path, name)
                continue
            if not self.claim(place, name):
                record.problem = "more folders than are compared"
                break
            if not repackaged:
                near = path if is_below and handle is not None else place
                lost = self.look(place, near, digest, size, name)
            elif _is_code(place):
                lost = self.look(place, place, "", None, name)
            else:
                continue
            if ".dist-info/" not in path and ".dist-info\\" not in path:
                counted += 1
                missing += lost
        return Checked(distribution, counted, missing, record.problem)

    def claim(self, path: str, name: str) -> bool:
        """Note who recorded a file; False if these are more folders than are compared."""
        folder, _, file = path.rpartition(os.sep)
        known = self.recorded.get(folder)
        if known is None:
            self.left -= len(folder) * folder.count(os.sep)
            if self.left < 0:
                return False
            known = self.recorded[folder] = {}
        owner = known.setdefault(file, name)
        if owner != name:
            known[file] = name
            self.faults.share(owner, name, path)
        return True

    def is_repackaged(self, distribution: Distribution) -> bool:
        """Whether somebody else than an installer of wheels put it here: they strip libraries and move scripts."""
        if distribution.installer:
            return distribution.installer in _REPACKAGERS
        by_folder = os.path.basename(self.folder) == "dist-packages" or "/store/" in self.folder  # Nix, Guix
        return by_folder or os.path.basename(self.prefix) == "usr"

    def locate(self, base: str, path: str) -> str | None:
        """Where a recorded path leads; None if outside, "" if nowhere that could be known."""
        plain = path.replace("\\", "/") if os.sep == "\\" or "/" not in path else path
        if "\0" in plain:
            return None
        if plain.startswith("/") or plain[1:3] == ":/":
            found = os.path.normpath(plain)
            return found if self.prefix and is_within(found, self.prefix) else None
        if ".." not in plain and "./" not in plain and "//" not in plain and os.sep == "/":
            return f"{base}/{plain}"
        found = os.path.normpath(os.path.join(base, plain))
        if is_within(found, self.prefix or self.folder):
            return found
        # `pip install --target` moves the scripts that it has recorded as ../../bin/torchrun.
        moved = (
            not self.prefix and 0 < plain.count("../") <= 3 and plain.count("../") == plain.rfind("../") // 3 + 1
        )
        return "" if moved else None

    def look(self, path: str, near: str, digest: str, size: int | None, name: str) -> bool:
        """Compare one file; whether it is missing. ``near`` is its path from the folder, if that is open."""
        try:
            status = os.stat(near, dir_fd=self.handle)
        except (FileNotFoundError, NotADirectoryError):
            self.faults.add("missing", path, name, "" if size is None else str(size))
            return True
        except (OSError, ValueError) as error:
            self.faults.add("unreadable", path, name, found=getattr(error, "strerror", None) or str(error))
            return False
        # Nearly all files are as they were recorded, so this is asked first.
        is_whole = status.st_mode & _FORM == _READABLE and status.st_size == size and self.jobs is None
        if is_whole and path.endswith(".py"):
            is_whole = name not in FAMILY or not size or not self.is_blank(near)
        elif is_whole:
            is_whole = status.st_size >= _SMALL or not is_library(path)
        if not is_whole:
            self.compare(path, status, Row("", digest, size), name)
        return False

    def compare(self, path: str, status: os.stat_result, row: Row, name: str) -> None:
        """Compare a file that is there with its row: its kind, whether it is readable, its size, its content."""
        size = status.st_size
        if stat.S_ISDIR(status.st_mode) and not row.hash:  # PDM records a link to a folder of its cache
            return
        if not stat.S_ISREG(status.st_mode):
            self.faults.add("irregular", path, name, found=_kind(status.st_mode))
        elif not status.st_mode & 0o004 and not os.access(path, os.R_OK):
            self.faults.add("unreadable", path, name, found=os.strerror(errno.EACCES))
        elif row.size is not None and size != row.size:
            kind = (is_library(path) and broken_library(path, size)) or "size"
            self.faults.add(kind, path, name, str(row.size), str(size))
        elif (row.size is None or size < _SMALL) and is_library(path) and (kind := broken_library(path, size)):
            self.faults.add(kind, path, name, found=str(size))
        elif size and name in FAMILY and path.endswith(".py") and self.is_blank(path):
            self.faults.add("hash", path, name, row.hash)
        elif self.jobs is not None and row.hash:
            from torchlock.inspect.hashing import HashJob

            self.jobs.append(HashJob(path, name, row.hash, size))

    def is_blank(self, path: str) -> bool:
        """Whether a source file begins with zeros, as a crash of the machine leaves files just written."""
        try:
            return b"\0" in files.beginning(path, 16, self.handle)
        except OSError:
            return False

    def foreign(self) -> None:
        """Files in the folders of packages that no record lists. The site folder itself belongs to no package."""
        owners = self.owners if self.left >= 0 else {}
        for folder, owner in owners.items():
            if folder == self.folder or folder.endswith((".dist-info", ".egg-info")):
                continue
            recorded = self.recorded.get(folder, {})
            for name in (each for each in _names(folder) if each not in recorded and each != "__pycache__"):
                path = f"{folder}{os.sep}{name}"
                if path in owners or name.endswith(".pyc"):
                    continue
                if not _is_empty(path):
                    self.faults.add("foreign", path, owner)

    @cached_property
    def owners(self) -> dict[str, str]:
        """The folders that contain recorded files, at any depth, each with one of its distributions."""
        found: dict[str, str] = {}
        for folder, recorded in self.recorded.items():
            owner = next(iter(recorded.values()))
            while folder not in found and is_within(folder, self.folder):
                found[folder] = owner
                folder = os.path.dirname(folder)
        return found

    def unowned(self) -> None:
        """What can be imported from the site folder, and is in no record."""
        if self.left < 0:
            return
        recorded, owners = self.recorded.get(self.folder, {}), self.owners
        for name, kind in self.tree.names(self.folder).items() if self.is_site else ():
            path = f"{self.folder}{os.sep}{name}"
            if name in recorded or path in owners or name.startswith("~"):
                continue
            if _is_module(name) if kind == "file" else "__init__.py" in self.tree.names(path):
                self.faults.add("unowned", path, "")


def is_within(path: str, folder: str) -> bool:
    """Whether a normalised path is the folder or inside it, by their names only."""
    return path == folder or path.startswith(folder if folder.endswith(os.sep) else folder + os.sep)


@contextlib.contextmanager
def _opened(folder: str) -> Iterator[int | None]:
    """A handle of a folder, from which the system finds a file below it in less time; None where it has none."""
    handle = None
    if hasattr(os, "O_PATH") and os.stat in os.supports_dir_fd:
        with contextlib.suppress(OSError, ValueError):
            handle = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield handle
    finally:
        if handle is not None:
            os.close(handle)


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except (OSError, ValueError):
        return []


def _is_empty(path: str) -> bool:
    """Whether it is a folder with nothing in it, or compiled Python only: what an uninstall leaves."""
    try:
        with os.scandir(path) as items:
            return all(item.name == "__pycache__" for item in items)
    except OSError:
        return False


def _is_code(path: str) -> bool:
    return path.endswith(".py") or is_library(path)


def _is_module(name: str) -> bool:
    # What virtualenv and uv put into every environment.
    return name.endswith((".py", ".so", ".pyd")) and name != "_virtualenv.py"


def _kind(mode: int) -> str:
    kinds = {stat.S_ISDIR: "folder", stat.S_ISFIFO: "pipe", stat.S_ISSOCK: "socket"}
    return next((word for test, word in kinds.items() if test(mode)), "device")
