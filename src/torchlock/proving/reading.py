"""Read a wheel for a proof, by byte ranges: what torch exports, or what a companion needs."""

from __future__ import annotations

import posixpath
import re
import struct
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from torchlock.answers import Unknown
from torchlock.errors import TorchlockError
from torchlock.index import wheel_build
from torchlock.index.archives import ArchiveError, archive_errors, open_zip
from torchlock.inspect.binaries import Binary, read_binary
from torchlock.inspect.library import is_library
from torchlock.inspect.loading.preloads import preloads_of
from torchlock.knowledge.stack import MEMBERS
from torchlock.proving.deciding import is_stable
from torchlock.proving.deflated import Deflated, NotAtTheEnds
from torchlock.proving.evidence import CompanionWheel, Library, TorchWheel, cuda_of, without_hash
from torchlock.proving.exports import NoSymbols, exports_of
from torchlock.runtime.files import Unreadable

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Callable, Collection, Iterable, Iterator

    from torchlock.inspect.binaries.binary import Reference
    from torchlock.proving.evidence import Wheel
    from torchlock.proving.exports import Offered

# The libraries of torch that companions use. A part of torch that only torch itself opens is none of them.
_OF_TORCH = re.compile(
    r"(?:lib)?(?:torch|c10|caffe2|caffe2_gpu)(?:_cpu|_python|_cuda\w{0,8}|_gpu)?\.(?:so|dylib|lib)"
)
_USED_OF_TORCH = re.compile(r"(?:lib)?(?:torch|c10|caffe2|shm)(?:_\w{1,20})?\.(?:dylib|dll)", re.IGNORECASE)
_SUFFIX = re.compile(r"(?:\.abi3|\.cpython-[\w-]+|\.cp\d\w*-\w+)?\.(?:so|pyd|dylib|dll)")
_ERRORS: Final[tuple[type[Exception], ...]] = (ArchiveError, NoSymbols, NotAtTheEnds, *archive_errors())
_FLOORS: Final = ("GLIBC", "GLIBCXX", "CXXABI")
# The most compressed bytes of one library of torch that are fetched from either end.
_LIMIT: Final = 48 << 20
# A library of a companion that is larger than this is not read.
_LARGEST: Final = 512 << 20
# What names of Python's C API begin with: the interpreter has them.
_OF_PYTHON = re.compile(r"_?_?Py[A-Z_]|_?_Py_")


class UnreadableWheel(TorchlockError):
    """A wheel shows nothing; the message says why."""


def read_torch(content: IO[bytes], wheel: Wheel, used: Collection[str] | None = None) -> TorchWheel:
    """What a wheel of torch offers to companions: of its symbols those that are ``used``, and its stable ABI.

    Every symbol if ``used`` is None; that takes much memory.

    Raises:
        UnreadableWheel: this is not a wheel of torch, or a library of it cannot be read.
    """
    is_wanted = _wanted(used) if used is not None else bool
    try:
        with open_zip(content) as archive:
            members = [each for each in archive.infolist() if each.filename.startswith("torch/lib/")]
            names = {_base(each.filename): each for each in members}
            read = {name: each for name, each in names.items() if _OF_TORCH.fullmatch(name)}
            if not read:
                raise UnreadableWheel(f"{wheel.file} has no library of torch")
            found = {name: exports_of(_member(content, each), is_wanted) for name, each in read.items()}
            opened = set(_preloaded(archive, wheel))
    except _ERRORS as error:
        raise UnreadableWheel(f"{wheel.file} cannot be read: {error}") from error
    opened |= {text.decode() for each in found.values() for text in each.libraries}
    brought = {without_hash(name) for name in names if is_library(name)}
    exports = (name for name in _written(found) if used is None or name in used or is_stable(name))
    return TorchWheel(wheel, frozenset(opened | brought), frozenset(exports))


def _wanted(used: Collection[str]) -> Callable[[bytes], bool]:
    """Whether a name that a library of torch exports, without that of the library, is one of these."""
    names = {name.rpartition("!")[2].encode("utf-8", "backslashreplace") for name in used}
    return lambda name: name in names or is_stable(name.decode("utf-8", "backslashreplace"))


def _preloaded(archive: zipfile.ZipFile, wheel: Wheel) -> Iterator[str]:
    """Patterns of the names of libraries that torch opens by path when it is imported."""
    cuda = cuda_of(wheel.build)
    if not cuda or not wheel.platform.startswith("linux"):
        return
    preloads = preloads_of(archive.read("torch/__init__.py").decode("utf-8", "replace"))
    if not preloads.cuda or cuda in preloads.cuda:
        yield from (pattern for _, pattern in preloads.libraries)


def _written(exports: dict[str, Offered]) -> Iterator[str]:
    for library, offered in exports.items():
        owner = library.replace(".lib", ".dll") + "!" if not library.endswith(".so") else ""
        for name in offered.names:
            text = name.decode("utf-8", "backslashreplace")
            yield owner + text
            if owner.endswith(".dylib!"):
                yield f"!{text}"


def _member(content: IO[bytes], member: zipfile.ZipInfo) -> Deflated:
    """A member of the archive, read from its ends."""
    content.seek(member.header_offset)
    head = content.read(30)
    name, extra = struct.unpack("<HH", head[26:30])
    start = member.header_offset + 30 + name + extra

    def fetch(first: int, stop: int) -> bytes:
        content.seek(start + first)
        return content.read(stop - first)

    return Deflated(
        fetch, member.compress_size, member.file_size, is_stored=not member.compress_type, limit=_LIMIT
    )


def read_companion(content: IO[bytes], wheel: Wheel) -> CompanionWheel:
    """What the import of a companion needs.

    Raises:
        UnreadableWheel: this is not a wheel of it, or a library of it cannot be read.
    """
    try:
        with open_zip(content) as archive:
            members = {each.filename: each for each in archive.infolist() if not each.is_dir()}
            wanted = set(wheel_build.members_of(wheel.package)) & members.keys()
            texts = {name: archive.read(name).decode("utf-8", "replace") for name in wanted}
            with tempfile.TemporaryDirectory() as folder:
                libraries, floors = _libraries(archive, members, wheel, folder)
    except _ERRORS as error:
        raise UnreadableWheel(f"{wheel.file} cannot be read: {error}") from error
    return CompanionWheel(wheel, libraries, _compares(wheel, texts), floors)


def _compares(wheel: Wheel, texts: dict[str, str]) -> str:
    compared = wheel_build.compared(wheel.package, texts)
    if compared is None:
        return ""
    if isinstance(compared, Unknown):  # early releases have no such file, and compare nothing
        return ""
    return "minor" if compared.minor else "major"


def _libraries(
    archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], wheel: Wheel, folder: str
) -> tuple[tuple[Library, ...], dict[str, str]]:
    """The libraries that the import opens, those of the wheel that they need, and what they need of the system."""
    beside = {_base(name): name for name in members if is_library(name)}
    found: dict[str, Library] = {}
    binaries: dict[str, Binary] = {}
    for path, role in _opened(wheel.package, members):
        queue, reached = [path], {path}
        while queue:
            name = queue.pop()
            if name not in binaries:
                binaries[name] = _read(archive, members[name], folder)
            inner = [beside[base] for base in _needed(binaries[name]) if base in beside]
            queue += [each for each in inner if each not in reached]
            reached.update(inner)
        symbols = _of_others([binaries[each] for each in reached])
        needed = {base for each in reached for base in _needed(binaries[each]) if base not in beside}
        found[path] = Library(path, role, tuple(sorted(needed)), symbols, _group(path, role))
    floors: dict[str, str] = {}
    for binary in binaries.values():
        _raise_floors(floors, binary)
    return tuple(found.values()), floors


def _opened(package: str, members: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The members that the import of a package opens, with their roles."""
    for opened in MEMBERS[package].opens:
        place = posixpath.normpath(f"{package}/{opened.folder}").removeprefix(".")
        pattern = re.compile(opened.pattern)
        for name in sorted(members):
            parent, _, base = name.rpartition("/")
            suffix = _SUFFIX.search(base)
            is_here = parent == place and suffix is not None and suffix.end() == len(base)
            if is_here and suffix is not None and pattern.fullmatch(base[: suffix.start()]):
                yield name, opened.role


def _group(path: str, role: str) -> str:
    """The FFmpeg version in the name of a choice."""
    number = re.search(r"(\d{1,3})(?:\.[\w-]{1,60}){1,3}$", _base(path)) if role == "choice" else None
    return number[1] if number else ""


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: str) -> Binary:
    if member.file_size > _LARGEST:
        raise UnreadableWheel(f"{member.filename} has {member.file_size} bytes")
    path = Path(folder, f"{member.header_offset}-{_base(member.filename)}")
    with archive.open(member) as content, path.open("wb") as file:
        while part := content.read(1 << 20):
            file.write(part)
    binary = read_binary(str(path))
    if not isinstance(binary, Binary):
        raise UnreadableWheel(f"{member.filename} {binary.reason}")
    return binary


def _needed(binary: Binary) -> list[str]:
    return [_base(each.name) for each in binary.needed if not each.weak and not each.delayed]


def _of_others(binaries: list[Binary]) -> tuple[str, ...]:
    """The symbols that these libraries use, and none of them defines."""
    found: set[str] = set()
    for binary in binaries:
        symbols = binary.symbols
        if isinstance(symbols, Unreadable):
            raise UnreadableWheel(f"{_base(binary.path)} {symbols.reason}")
        undefined = symbols.undefined
        if isinstance(undefined, Unreadable):
            raise UnreadableWheel(f"{_base(binary.path)} {undefined.reason}")
        for each in undefined:
            written = _symbol(binary, each)
            if written and not any(_defines(other, each.name) for other in binaries):
                found.add(written)
    return tuple(sorted(found))


def _defines(binary: Binary, name: str) -> bool:
    return not isinstance(binary.symbols, Unreadable) and binary.symbols.defines(name) is True


def _symbol(binary: Binary, reference: Reference) -> str:
    """A symbol that something outside of the wheel must have; "" for those of Python and of the system."""
    if reference.weak or not reference.name or _OF_PYTHON.match(reference.name):
        return ""
    if binary.format == "elf":
        return "" if reference.version else reference.name
    library = _base(reference.library)
    if library and not _USED_OF_TORCH.fullmatch(library):
        return ""
    return f"{library}!{reference.name}"


def _raise_floors(floors: dict[str, str], binary: Binary) -> None:
    for need in binary.version_needs:
        name, _, version = need.version.partition("_")
        if name in _FLOORS and not need.weak and re.fullmatch(r"[\d.]+", version):
            floors[name] = max(floors.get(name, "0"), version, key=_numbers)
    if binary.least_macos:
        version = ".".join(map(str, binary.least_macos))
        floors["macOS"] = max(floors.get("macOS", "0"), version, key=_numbers)


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def _base(path: str) -> str:
    """The name of a library without its folder, whichever system wrote it."""
    return path.replace("\\", "/").rpartition("/")[2]
