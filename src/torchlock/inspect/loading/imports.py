"""The libraries that imports of the stack open, in their order, and which failures end an import."""

from __future__ import annotations

import os
import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

from torchlock.inspect.loading.preloads import opened, read_preloads, rescued
from torchlock.knowledge.stack import MEMBERS
from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from torchlock.inspect.environment import Environment
    from torchlock.inspect.extensions import Extension
    from torchlock.inspect.loading.outcome import Outcome
    from torchlock.inspect.loading.process import LoaderProcess
    from torchlock.inspect.modules import ModuleCopies, ModuleCopy


class Attempt(NamedTuple):
    """One library that an import opens.

    ``role`` is ``import`` if its failure ends the import of the package, ``optional`` if only some calls fail,
    ``later`` if torch opens it with the first call that needs it, ``choice`` if one of several libraries for
    different FFmpeg versions must load, ``other`` if it belongs to a package that uses torch.
    """

    package: str
    path: str
    role: str
    outcome: Outcome


# Opened by the first call of linear algebra on a GPU, and by the first one that compiles code for it.
_LATER = ("libcaffe2_nvrtc.so", "libtorch_cuda_linalg.so")
_EXTENSION = r"(\.abi3|\.cpython-\w+-[\w-]+|\.cp\w+-win\w+)?\.(so|pyd|dylib|dll)"
_ALL_DLLS = re.compile(rb"""["']\*\.dll["']""")


def attempts(
    environment: Environment,
    copies: Mapping[str, ModuleCopies],
    process: LoaderProcess,
    others: Iterable[Extension] = (),
    beside: Mapping[str, Sequence[str]] | None = None,
    left: Collection[str] = (),
) -> list[Attempt]:
    """Load Python's ctypes, torch, then each installed companion, then the modules of others.

    ``beside`` are the extension modules that a companion's record lists outside of any package: paths by package.
    ``left`` are libraries of an earlier release of a companion, which the installed one does not open.
    Symbols of torch itself are not checked. If torch does not load, the others are not tried: they would not load
    either.
    """
    found: list[Attempt] = []
    imported = copies["torch"].imported if "torch" in copies else None
    preloaded = _Preloaded(environment, rescued(imported.path) if imported is not None else ())
    if imported is not None:
        process.search_in(os.path.join(imported.path, "lib"))  # as torch itself instructs Windows
    if (path := extension_of_python(environment, "_ctypes")) and path.endswith(".so"):
        found.append(Attempt("python", path, "import", process.load(path, symbols=False)))
    for path, role in _torch(environment, copies):
        shared = role == "optional" or _is_for_all(imported)
        outcome = process.load(path, symbols=False, preloaded=preloaded, shared=shared)
        if role == "optional":
            preloaded.settle()
        if role == "optional" and outcome.loads and imported is not None:
            _preload(environment, imported, process)
        # torch itself looks for the libraries that the first one lacks; an invalid library ends its import.
        found.append(Attempt("torch", path, "import" if outcome.unreadable else role, outcome))
    if environment.conda and imported is not None:
        found += _over_mkl(os.path.join(imported.path, "lib", "libtorch_cpu.so"), process)
    needed = [attempt for attempt in found if attempt.role == "import"]
    if not needed or not all(attempt.outcome.loads for attempt in needed):
        return found
    for name in (name for name, member in MEMBERS.items() if member.opens):
        roles = dict.fromkeys((beside or {}).get(name, ()), "import")
        for path, role in {**roles, **dict(_companion(environment, copies, name))}.items():
            if path in left:
                continue
            # Those for an absent FFmpeg fail in turn, which is expected.
            found.append(Attempt(name, path, role, process.load(path)))
    found += [Attempt(each.distribution, each.path, "other", process.load(each.path)) for each in others]
    return found


def _preload(environment: Environment, torch: ModuleCopy, process: LoaderProcess) -> None:
    """Open the CUDA libraries that torch opens by path; it ignores an error, and then opens no others."""
    cuda = torch.build.cuda if torch.build else ""
    preloads = read_preloads(torch.path) if cuda else None
    if preloads is not None and preloads.libraries:
        for path in opened(preloads, environment, cuda or "", process.paths()):
            if not process.load(path, symbols=False).loads:
                return


def _is_for_all(torch: ModuleCopy | None) -> bool:
    """Whether this torch offers its symbols to libraries that do not name it, as torch before 1.5 does."""
    release = re.match(r"(\d{1,4})\.(\d{1,4})", torch.build.version) if torch and torch.build else None
    return release is not None and (int(release[1]), int(release[2])) < (1, 5)


def _over_mkl(path: str, process: LoaderProcess) -> Iterator[Attempt]:
    """Whether the torch of a conda channel links MKL, of which later releases lack symbols that torch calls."""
    outcome = process.load(path) if os.path.isfile(path) else None
    lost = [each for each in outcome.undefined if each.symbol.startswith("iJIT_")] if outcome else []
    if outcome is not None and lost:
        yield Attempt("torch", path, "import", outcome._replace(undefined=tuple(lost)))


def is_imported(environment: Environment, file: str, beside: Collection[str]) -> bool:
    """Whether a Python imports this extension module: its tag is that of the Python, or it has no tag.

    A file with the tag of the Python itself is preferred to one for its stable ABI.
    """
    stem, _, rest = file.partition(".")
    tag = re.match(r"(?:cpython-|cp)(\d+)", rest)
    mine = "".join(environment.interpreter.version.split(".")[:2])
    if tag is not None:
        return not mine or tag[1] == mine
    tagged = re.compile(rf"\.(?:cpython-|cp){mine}\b")
    return not mine or not any(each.startswith(stem) and tagged.match(each, len(stem)) for each in beside)


def extension_of_python(environment: Environment, name: str) -> str | None:
    """The file of one of Python's own extension modules; None if it is not found, or Python was not asked."""
    python = environment.interpreter
    names = [name + suffix for suffix in python.suffixes] if python.builtin else []
    for entry in environment.path:
        there = environment.tree.names(entry.path) if entry.kind == "stdlib" else {}
        for file in names:
            if file in there:
                return os.path.join(entry.path, file)
    return None


def choices(found: Iterable[Attempt]) -> dict[int, list[Attempt]]:
    """The libraries for each major version of FFmpeg; all libraries of any one version must load."""
    by_major: dict[int, list[Attempt]] = {}
    for attempt in found:
        if attempt.role == "choice":
            stem = os.path.basename(attempt.path).partition(".")[0]
            by_major.setdefault(int(re.sub(r"\D", "", stem)), []).append(attempt)
    return by_major


def _torch(environment: Environment, copies: Mapping[str, ModuleCopies]) -> Iterator[tuple[str, str]]:
    imported = copies["torch"].imported if "torch" in copies else None
    if imported is None or imported.kind not in ("package", "editable"):
        return
    library = os.path.join(imported.path, "lib")
    for name in sorted(environment.tree.names(library)):
        if name.startswith("libtorch_global_deps."):
            yield os.path.join(library, name), "optional"
    for name in sorted(environment.tree.names(imported.path)):
        if re.fullmatch("_C" + _EXTENSION, name) and is_imported(
            environment, name, environment.tree.names(imported.path)
        ):
            yield os.path.join(imported.path, name), "import"
            break
    for name in sorted(environment.tree.names(library)):
        if name in _LATER:
            yield os.path.join(library, name), "later"
    if any(name.endswith(".dll") for name in environment.tree.names(library)) and _opens_all(imported.path):
        for name in sorted(environment.tree.names(library)):
            if name.endswith(".dll"):
                yield os.path.join(library, name), "import"


def _opens_all(package: str) -> bool:
    """Whether this torch opens every DLL of its folder, as builds for Windows do since 1.5.

    If its first module is not there, it is in the archive of an application.
    """
    if not any(name.startswith("__init__.") for name in os.listdir(package)):
        return True
    try:
        return _ALL_DLLS.search(files.read(os.path.join(package, "__init__.py"), 4 << 20)) is not None
    except OSError:
        return False


def _companion(
    environment: Environment, copies: Mapping[str, ModuleCopies], name: str
) -> Iterator[tuple[str, str]]:
    imported = copies[name].imported if name in copies else None
    if imported is None or imported.kind not in ("package", "editable"):
        return
    for folder, pattern, role in MEMBERS[name].opens:
        place = os.path.normpath(os.path.join(imported.path, folder))
        for file in sorted(environment.tree.names(place)):
            if re.fullmatch(pattern + _EXTENSION, file) and is_imported(
                environment, file, environment.tree.names(place)
            ):
                yield os.path.join(place, file), role


class _Preloaded:
    """The libraries of the nvidia wheels, which torch loads by path if its first library does not load without.

    If the loader finds all that the first library needs, torch loads none of them (``settle``). What its other
    libraries need is then found by the loader alone, or not at all. Torch opens those of ``patterns``, and the
    loader what these need from their own folders; without patterns, all of them count.
    """

    def __init__(self, environment: Environment, patterns: Sequence[str]) -> None:
        self._environment = environment
        self._patterns = patterns
        self._known: dict[str, str] | None = None

    def __call__(self, name: str) -> str | None:
        if self._known is None:
            self._known = dict(self._listed())
        return self._known.get(name)

    def settle(self) -> None:
        """Torch's first library was loaded: if nothing was asked for, nothing is loaded by path."""
        if self._known is None:
            self._known = {}

    def _listed(self) -> Iterator[tuple[str, str]]:
        tree = self._environment.tree
        for entry in self._environment.path:
            if entry.state != "folder" or tree.names(entry.path).get("nvidia") != "folder":
                continue
            nvidia = os.path.join(entry.path, "nvidia")
            for package in (each for each in tree.names(nvidia) if not each.startswith("~")):
                for inner in ("lib", "bin", os.path.join("lib", "x86_64")):
                    folder = os.path.join(nvidia, package, inner)
                    if self._is_opened(tree.names(folder)):
                        yield from ((name, os.path.join(folder, name)) for name in tree.names(folder))

    def _is_opened(self, names: Collection[str]) -> bool:
        """Whether torch opens a library of a folder."""
        return not self._patterns or any(fnmatchcase(each, row) for each in names for row in self._patterns)
