"""Find the files of a lock on indexes: by the hashes that the lock states, and for its targets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from torchlock.errors import InputError, NetworkError, Unasked, UnknownPackage
from torchlock.index import addresses
from torchlock.index.download import ALGORITHMS, Wanted, hashes_of
from torchlock.manifests.syntax.lock_markers import by_scope
from torchlock.standards.filenames import is_distribution, is_variant, parse, same_version, tags_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torchlock.fetching.locked import LockedPackage
    from torchlock.fetching.locks import LockFile
    from torchlock.index import Index
    from torchlock.standards.index_file import File
    from torchlock.target import Target


class Missing(NamedTuple):
    """What of a package cannot be brought, and why. ``line`` is that of the lock at ``path``.

    ``package`` is "" for a target that the whole lock excludes.
    """

    path: str
    line: int
    package: str
    reason: str

    def __str__(self) -> str:
        where = f"{self.path}:{self.line}" if self.line else self.path
        return ": ".join(filter(None, [where, self.package, self.reason]))


class Found(NamedTuple):
    """A file to bring. ``requires_python`` is what its index says, for the pages of the mirror."""

    package: str
    version: str
    wanted: Wanted
    requires_python: str = ""

    @property
    def is_local(self) -> bool:
        """Whether the file is on this machine."""
        return addresses.is_local(self.wanted.url)


class Locator:
    """Finds files. ``sources`` are the indexes and find-links locations of a lock, asked in this order.

    ``targets`` limit the files to those that an installer takes there; without them, all files of a lock are
    found. ``missing`` collects what was not found.
    """

    def __init__(self, sources: Sequence[Callable[[], Index]], targets: Sequence[Target]) -> None:
        self.missing: list[Missing] = []
        self._sources = sources
        self._targets = targets

    def files(self, lock: LockFile, package: LockedPackage) -> list[Found]:
        """The files of a package.

        Raises:
            NetworkError, Unasked: an index could not be asked.
        """
        targets = [target for target in self._targets if _needs(package, target)]
        if self._targets and not targets:
            return []
        found = list(self._listed(lock, package)) if package.files else self._of_indexes(package)
        found = [each for each in found if self._is_named(each, package)]
        return self._for_targets(found, targets, package) if targets and found else found

    def _listed(self, lock: LockFile, package: LockedPackage) -> Iterator[Found]:
        """The files whose addresses the lock states."""
        for file in package.files:
            url = file.url if "://" in file.url or file.url.startswith("file:") else _local(file.url, lock)
            wanted = Wanted(file.filename, url, _usable(file.hashes), _size(url, file.size))
            yield Found(package.name, package.version, wanted)

    def _of_indexes(self, package: LockedPackage) -> list[Found]:
        """The files that indexes list with the hashes of the lock."""
        left = set(_usable(package.hashes))
        found: dict[str, Found] = {}
        asked: list[str] = []
        listed, unasked = False, None
        for source in self._sources if left else ():
            try:
                files = source().files(package.name)
            except UnknownPackage as error:
                asked.append(error.message)
                unasked = unasked or (error if isinstance(error, Unasked) else None)
                continue
            for file in files:
                if (parsed := parse(file.filename)) is None or not same_version(str(parsed[1]), package.version):
                    continue
                listed = True
                right = left.intersection(_hashes(file) or _known_hash(package, file.filename))
                if right and file.filename not in found:
                    wanted = Wanted(file.filename, file.url, tuple(sorted(right)), _size(file.url, file.size))
                    found[file.filename] = Found(package.name, package.version, wanted, file.requires_python or "")
                    left -= right
            if not left:
                break
        if left and unasked is not None:
            raise unasked
        if left and not (self._targets and found):
            self._miss(package, _why(left, len(found), asked, listed))
        return list(found.values())

    def _is_named(self, found: Found, package: LockedPackage) -> bool:
        """Whether installers find a file by its name, as they must in a folder."""
        name = found.wanted.filename
        if not found.wanted.hashes:
            reason = f"{name} has only hashes that installers refuse; they accept {', '.join(ALGORITHMS)}"
        elif not is_distribution(name) or parse(name) is None or Path(name).name != name:
            reason = f"{name!r} is not the name of a wheel or a source distribution, so no folder can serve it"
        else:
            return True
        self._miss(package, reason)
        return False

    def _for_targets(self, found: list[Found], targets: Sequence[Target], package: LockedPackage) -> list[Found]:
        """For each target the one file that an installer takes, and the variant wheels that may fit.

        Which variant wheel an installer takes is decided on its machine (PEP 825).
        """
        chosen: dict[str, Found] = {}
        variants = [each for each in found if is_variant(each.wanted.filename)]
        plain = [each for each in found if each not in variants]
        for target in targets:
            best = _best(plain, target)
            fitting = [each for each in variants if target.rank(tags_of(each.wanted.filename)) is not None]
            if best is None and not fitting:
                self._miss(package, f"the lock has no file for {target}")
            chosen.update((each.wanted.filename, each) for each in [best, *fitting] if each is not None)
        return list(chosen.values())

    def _miss(self, package: LockedPackage, reason: str) -> None:
        self.missing.append(Missing(package.path, package.line, str(package), reason))


def _needs(package: LockedPackage, target: Target) -> bool:
    """Whether a target installs a package, if all extras and groups are installed."""
    try:
        return any(target.holds(marker) for _, marker in by_scope(package.marker))
    except InputError:
        return True


def _best(found: Sequence[Found], target: Target) -> Found | None:
    """The file that an installer takes: the wheel with the best tags, else a source distribution."""
    ranked = []
    for each in found:
        name = each.wanted.filename
        rank = target.rank(tags_of(name)) if name.endswith(".whl") else len(target.tag_ranks) + 1
        if rank is not None:
            ranked.append((rank, name, each))
    return min(ranked)[2] if ranked else None


def _why(left: set[str], found: int, asked: Sequence[str], listed: bool) -> str:
    """Why some hashes have no file."""
    some = ", ".join(sorted(left)[:3]) + (f" and {len(left) - 3} more" if len(left) > 3 else "")
    if found:
        return f"no index has a file with the hash {some}; the other {found} of its files are brought"
    if listed:
        return f"the indexes have this release, but no file with the hash {some}"
    return "; ".join(dict.fromkeys(asked)) or "no index has a file of this release"


def _usable(hashes: Sequence[str]) -> tuple[str, ...]:
    """The hashes that installers accept; the sha256 alone, where the lock has them."""
    accepted = [each.lower() for each in hashes if each.partition(":")[0].lower() in ALGORITHMS]
    usual = [each for each in accepted if each.startswith(f"{ALGORITHMS[0]}:")]
    return tuple(usual or accepted)


def _hashes(file: File) -> set[str]:
    """The hashes of a file as its index states them; of a file on this machine without any, its own."""
    stated = {f"{name}:{digest.lower()}" for name, digest in file.hashes.items()}
    if stated or not addresses.is_local(file.url):
        return stated
    try:
        digests = hashes_of(addresses.local_path(file.url), ALGORITHMS)
    except OSError as error:
        raise NetworkError(f"{file.filename} cannot be read ({error.strerror or error})") from error
    return {f"{name}:{digest.hexdigest()}" for name, digest in digests.items()}


def _size(url: str, stated: int | None) -> int | None:
    """The size of a file, if it is stated or the file is on this machine."""
    if stated is not None or not addresses.is_local(url):
        return stated
    try:
        return addresses.local_path(url).stat().st_size
    except OSError:
        return None


def _known_hash(package: LockedPackage, filename: str) -> set[str]:
    """The hash of a file of the PyTorch index as the bundled tables have it: its pages lack some."""
    from torchlock.knowledge.build_files import build_catalogue, folders

    label = package.version.partition("+")[2]
    if label not in folders():
        return set()
    releases = build_catalogue(label).releases(package.name) or ()
    files = (file for release in releases if release.version == package.version for file in release.files())
    return {f"sha256:{file.hashes['sha256']}" for file in files if file.filename == filename and file.hashes}


def _local(path: str, lock: LockFile) -> str:
    """The address of a file that a lock names by its path."""
    named = addresses.expand_home(path)
    beside = Path(lock.path).parent / named
    return addresses.file_url((beside if beside.exists() or not named.exists() else named).absolute())
