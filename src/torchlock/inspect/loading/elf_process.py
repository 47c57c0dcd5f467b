"""A process on Linux as ld.so(8) loads it: its search order, and the symbols that must be defined."""

from __future__ import annotations

import os
import re
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from torchlock.answers import Unknown
from torchlock.inspect.binaries import Binary
from torchlock.inspect.binaries.elf_symbols import undefined_of_c
from torchlock.inspect.loading.names_of_torch import is_torchs_symbol
from torchlock.inspect.loading.outcome import (
    MissingLibrary,
    MissingVersion,
    NotExamined,
    Outcome,
    Refusal,
    ShadowedLibrary,
    UndefinedSymbol,
    unknown_file,
    without_symbols,
)
from torchlock.inspect.loading.process import MOST_LIBRARIES, MOST_LOOKS, LoaderProcess
from torchlock.patterns import pattern
from torchlock.runtime import files
from torchlock.runtime.files import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from torchlock.inspect.binaries.binary import Reference
    from torchlock.inspect.loading.process import Request
    from torchlock.inspect.loading.root import Root

# The C library, the compiler's run-time libraries and the loader: every machine that runs programs has them.
_OF_EVERY_MACHINE = pattern(
    r"(lib(c|m|mvec|dl|rt|pthread|util|resolv|nsl|anl|crypt|stdc\+\+|gcc_s|z)|ld-linux.*|ld64)\.so(\.|$)"
)
# Why such a library is unknown in a tree without a loader: only a part of a machine, or one such as NixOS.
_NO_SYSTEM = "the usual folders of this root have no C library and no loader"
# Defined by Python itself, which a tree without an interpreter does not show.
_PYTHON = ("Py", "_Py", "__Py")
_OF_PYTHON = "PyModule_Create2"
# From which glibc on a library may not make the stack executable, and until which one it checked p_align.
_STACK_SINCE, _ALIGNED_BEFORE = (2, 41), (2, 35)
# Symbols that the loader or the compiler adds; no library needs to define them.
_WEAK = frozenset({"__gmon_start__", "_ITM_deregisterTMCloneTable", "_ITM_registerTMCloneTable", "__cxa_finalize"})
# The C interfaces of NVIDIA's libraries: each has its prefix, and at most one symbol version, its own name.
_FAMILIES = "nccl|nvJitLink|cusparseLt|cusparse|cublasLt|cublas|cudnn|cufft|cusolver|curand|nvrtc"
_OF_NVIDIA = pattern(rf"_*({_FAMILIES})(?=[A-Z])")
_NAMED_BY_NVIDIA = pattern(rf"lib(?:{_FAMILIES})\.so")


class _Library(NamedTuple):
    """A loaded library: ``path`` is the path by which it was found, with its links unresolved."""

    path: str
    binary: Binary
    loader: _Library | None
    dependencies: list[str]


class ElfProcess(LoaderProcess):
    """A process on Linux.

    ``root`` is the machine, or None if it is unknown: its libraries are then assumed to exist.
    ``executable`` is the Python that runs, or None if it is unknown: its shared library is then also looked for
    in ``of_python``. ``last`` are folders that are searched after all others.
    """

    def __init__(
        self,
        root: Root | None,
        executable: str | None,
        machine: str = "x86_64",
        of_python: tuple[str, ...] = (),
        last: tuple[str, ...] = (),
    ) -> None:
        super().__init__(machine)
        self._last = last
        self._of_python = of_python
        self._root = root
        self._loaded: dict[str, _Library | None] = {}
        self._main: _Library | None = None
        self._shared: list[_Library] = []
        self._has_python = False
        self._versions: dict[str, frozenset[str]] = {}
        self._shadows: list[ShadowedLibrary] = []
        if root is not None:
            self._preload(root)
        if executable is not None:
            self._start(os.path.realpath(self._real(executable)))

    def _start(self, executable: str) -> None:
        binary = self._binary(executable)
        if isinstance(binary, Binary) and self._is_for_process(binary):
            self._main = _Library(executable, binary, None, [])
            self._fill(self._main, _Found())
            self._has_python = self._defines_python()

    def _preload(self, root: Root) -> None:
        """Load what every program loads first. The loader continues without one that does not load."""
        for name, _ in root.preloaded:
            path = root.file(name) if "/" in name else root.search(name)
            binary = self._binary(path) if path is not None else None
            if path is None or not isinstance(binary, Binary) or not self._is_for_process(binary):
                continue
            before, found = dict(self._loaded), _Found()
            library = _Library(path, binary, None, [])
            self._loaded.setdefault(binary.soname or os.path.basename(path), library)
            self._fill(library, found)
            if found.missing or found.broken:
                self._loaded = before

    def _defines_python(self) -> bool:
        """Whether the program or a library of it defines the functions of Python."""
        assert self._main is not None
        loaded = [self._main, *filter(None, self._loaded.values())]
        return any(self._lookups.defines(each.binary.symbols, _OF_PYTHON, "") is True for each in loaded)

    def _real(self, path: str) -> str:
        """The file that a path leads to; links in another machine's tree lead to files in that tree."""
        return self._root.real(path) if self._root is not None and self._root.holds(path) else path

    def search_in(self, folder: str) -> None:
        """Do nothing: on Linux, libraries name their folders themselves."""

    def paths(self) -> list[str]:
        return [self._real(each.path) for each in self._loaded.values() if each is not None]

    def _is_for_process(self, binary: Binary) -> bool:
        return binary.format == "elf" and self._machine in ("", binary.machine)

    def _load(self, path: str, binary: Binary, request: Request) -> Outcome:
        before = dict(self._loaded)
        library = _Library(path, binary, self._main, [])
        found = _Found(request.preloaded)
        found.refused += self._refused(path, binary)
        self._loaded.setdefault(binary.soname or os.path.basename(path), library)
        self._fill(library, found)
        undefined = list(self._undefined(library, bool(found.missing), found)) if request.symbols else []
        undefined += self._lost_below(library, before) if request.symbols else []
        undefined += self._outdated(before)
        # An earlier library may have loaded a shadow of which it needs fewer symbols.
        self._shadows += found.shadowed
        for shadow in self._shadows:
            undefined += self._lost_by(shadow, before)
        undefined = list({(each.symbol, each.wanted_by): each for each in undefined}.values())
        outcome = found.outcome(path, undefined)
        if not outcome.loads:
            self._loaded = before  # The loader unloads a library that it cannot load completely.
        elif request.shared:
            self._shared.append(library)
        return outcome

    def _fill(self, first: _Library, found: _Found) -> None:
        """Load all libraries that a library needs, breadth first."""
        queue = deque([first])
        while queue and len(self._loaded) < MOST_LIBRARIES:
            library = queue.popleft()
            for needed in library.binary.needed:
                # A name with a slash is a path, which may contain $ORIGIN.
                name = next(self._filled(library, (needed.name,)), "") if "/" in needed.name else needed.name
                library.dependencies.append(name)
                if name not in self._loaded:
                    new = self._open(name, library, found)
                    self._loaded[name] = new
                    if new is not None:
                        self._loaded.setdefault(new.binary.soname or name, new)
                        queue.append(new)
            found.versions += self._unmet(library)
        if queue or self._looks > MOST_LOOKS:
            path = first.path
            found.unseen.append(
                NotExamined(os.path.basename(path), path, Unknown("it needs more libraries than can be followed"))
            )

    def _open(self, name: str, library: _Library, found: _Found) -> _Library | None:
        """Find and read one library; None if it is missing, or belongs to an unknown machine."""
        path = self._found(name, library, found)
        if path is None and found.preloaded is not None:
            path = found.preloaded(name)
        if path is None and self._is_of_unknown_python(name):
            path = self._in(self._of_python, name)
        if path is None:
            path = self._in(self._last, name)
        if path is None and self._looks > MOST_LOOKS:
            return None  # not looked for everywhere; whoever loads it says so
        if path is None:
            if (self._root is not None and not self._is_unknown(name)) or is_of_torch(name):
                found.missing.append(MissingLibrary(name, library.path))
            elif self._root is not None and _OF_EVERY_MACHINE.match(name):
                found.unseen.append(NotExamined(name, library.path, Unknown(_NO_SYSTEM), is_unfound=True))
            elif not _OF_EVERY_MACHINE.match(name):
                what = "machine" if self._root is None else "Python that runs"
                found.unseen.append(NotExamined(name, library.path, Unknown(f"the {what} was not examined")))
            return None
        binary = self._binary(path)
        if isinstance(binary, Binary):
            found.refused += self._refused(path, binary)
            return _Library(path, binary, library, [])
        if unseen := unknown_file(binary, self._real(path), library.path):
            found.unseen.insert(0, unseen)
        else:
            found.broken.append(Unreadable(path, binary.reason))
        return None

    def _refused(self, path: str, binary: Binary) -> Iterator[Refusal]:
        """Why the glibc of the machine does not map a whole library; nothing if that glibc is unknown."""
        glibc = self._root.glibc_version if self._root is not None else ()
        is_running = self._main is not None and self._main.binary.executable_stack
        if binary.executable_stack and glibc >= _STACK_SINCE and not is_running:
            yield Refusal(path, True, glibc)
        elif not binary.is_aligned and () < glibc < _ALIGNED_BEFORE:
            yield Refusal(path, False, glibc)

    def _is_unknown(self, name: str) -> bool:
        """Whether the machine may still have a library that was not found."""
        if self._root is not None and self._root.is_partial and _OF_EVERY_MACHINE.match(name):
            return True
        return self._is_of_unknown_python(name)

    def _is_of_unknown_python(self, name: str) -> bool:
        return name.startswith("libpython") and not self._has_python

    def _found(self, name: str, library: _Library, found: _Found) -> str | None:
        if "/" in name:
            return name if files.is_file(self._real(name)) else None
        if self._root is not None and self._root.is_musl:
            return self._by_musl(library, name)
        first = self._in(self._by_rpath(library), name)
        if first or self._root is None:
            return first or self._in(self._filled(library, library.binary.runpath), name)
        shadow = self._in(map(self._root.real, self._root.library_path), name)
        rest = self._in(self._filled(library, library.binary.runpath), name)
        if shadow:
            meant = rest or self._common(name, library)
            if meant and os.path.realpath(meant) != os.path.realpath(shadow):
                found.shadowed.append(ShadowedLibrary(name, shadow, meant))
            return shadow
        return rest or self._common(name, library)

    def _by_musl(self, library: _Library, name: str) -> str | None:
        """musl has one kind of path, and uses the paths of all libraries that led to this one."""
        assert self._root is not None
        found = self._in(map(self._root.real, self._root.library_path), name)
        here: _Library | None = library
        while here is not None and not found:
            found = self._in(self._filled(here, here.binary.runpath or here.binary.rpath), name)
            here = here.loader
        return found or self._in(map(self._root.real, self._root.folders), name)

    def _common(self, name: str, library: _Library) -> str | None:
        if self._root is None or library.binary.no_default_folders:
            return None
        for path in self._root.cache.get(name, ()):
            if (real := self._root.file(path)) and self._fits(real):
                return real
        return self._in(map(self._root.real, self._root.folders), name)

    def _by_rpath(self, library: _Library) -> Iterator[str]:
        """DT_RPATH of the library and of those that loaded it; it is ignored in a library with DT_RUNPATH."""
        if library.binary.runpath:
            return
        here: _Library | None = library
        while here is not None:
            if not here.binary.runpath:
                yield from self._filled(here, here.binary.rpath)
            here = here.loader
        if self._main is not None and not self._main.binary.runpath:
            yield from self._filled(self._main, self._main.binary.rpath)

    def _filled(self, library: _Library, folders: tuple[str, ...]) -> Iterator[str]:
        """Folders with $ORIGIN, $LIB and $PLATFORM filled in; $ORIGIN does not follow a link to the library."""
        origin = os.path.dirname(library.path)
        for folder in folders:
            self._looks += 1
            if self._looks > MOST_LOOKS:
                return
            if folder.startswith("/"):
                if self._root is None:
                    continue  # of a machine that is not here
                folder = self._root.place(folder)
            for name, value in (("ORIGIN", origin), ("LIB", "lib"), ("PLATFORM", self._machine)):
                folder = folder.replace(f"${{{name}}}", value).replace(f"${name}", value)
            yield folder or "."

    def _in(self, folders: Iterable[str], name: str) -> str | None:
        for folder in folders:
            path = os.path.join(folder, name)
            self._looks += 1
            if self._looks > MOST_LOOKS:
                return None
            if files.is_file(self._real(path)) and self._fits(path):
                return path
        return None

    def _fits(self, path: str) -> bool:
        """Whether the loader accepts it: a file of another class or machine is skipped."""
        binary = self._binary(path)
        return isinstance(binary, Unreadable) or binary.machine == self._machine

    def _unmet(self, library: _Library) -> Iterator[MissingVersion]:
        """Needed versions that a library does not define, although it defines others."""
        newest: dict[tuple[str, str], str] = {}
        for need in library.binary.version_needs:
            provider = self._loaded.get(need.file)
            if need.weak or provider is None or not provider.binary.version_definitions:
                continue
            if need.version not in self._defined(provider):
                family = need.version.partition("_")[0] + "_"
                if (need.file, family) not in newest:
                    newest[need.file, family] = _newest(provider.binary.version_definitions, family)
                yield MissingVersion(need.version, provider.path, library.path, newest[need.file, family])

    def _defined(self, library: _Library) -> frozenset[str]:
        if library.path not in self._versions:
            self._versions[library.path] = frozenset(library.binary.version_definitions)
        return self._versions[library.path]

    def _undefined(self, library: _Library, incomplete: bool, found: _Found) -> Iterator[UndefinedSymbol]:
        symbols = library.binary.symbols
        if isinstance(symbols, Unreadable):
            found.unseen.insert(0, without_symbols(library.binary, symbols))
            return
        scope = list(self._scope(library))
        if self._root is None or self._root.is_partial:
            incomplete = incomplete or any(each is None for each in scope)
        known = [each for each in scope if each is not None]
        used = symbols.undefined
        if isinstance(used, Unreadable):
            found.unseen.insert(0, without_symbols(library.binary, used))
            return
        needed = [each for each in used if self._must_be_defined(each, incomplete)]
        for each in self._lacked(needed, known, found):
            yield UndefinedSymbol(each.name, library.path)

    def _lost_below(self, library: _Library, before: Mapping[str, _Library | None]) -> Iterator[UndefinedSymbol]:
        """Symbols of torch that new libraries below this one use, and that no library of the process defines."""
        users = [each for each in self._new(before) if each is not library]
        scope: list[_Library] = []
        for user in (each for each in users if any(map(is_of_torch, each.dependencies))):
            used = (
                user.binary.symbols
                if isinstance(user.binary.symbols, Unreadable)
                else user.binary.symbols.undefined
            )
            scope = scope or [each for each in self._scope(library) if each is not None]
            needed = () if isinstance(used, Unreadable) else used
            torchs = [each for each in needed if not each.weak and is_torchs_symbol(each.name)]
            for each in self._lacked(torchs, scope, _Found()):
                yield UndefinedSymbol(each.name, user.path)

    def _lost_by(
        self, shadow: ShadowedLibrary, before: Mapping[str, _Library | None]
    ) -> Iterator[UndefinedSymbol]:
        """Symbols that the intended library defines, and the one loaded instead does not.

        Only new libraries are examined: those in ``before`` were loaded without a problem.
        """
        taken, meant = (self._binary(path) for path in (shadow.taken, shadow.meant))
        if isinstance(taken, Unreadable) or isinstance(meant, Unreadable):
            return
        has, should = taken.symbols, meant.symbols
        if isinstance(has, Unreadable) or isinstance(should, Unreadable):
            return
        for user in (each for each in self._new(before) if shadow.name in each.dependencies):
            wanted = user.binary.symbols
            used = wanted if isinstance(wanted, Unreadable) else wanted.undefined
            for each in () if isinstance(used, Unreadable) else used:
                ours = each.library in ("", shadow.name) and not each.weak
                is_meant = ours and self._lookups.defines(should, each.name, each.version) is True
                lost = is_meant and not self._lookups.defines(has, each.name, each.version)
                if lost and self._lacked([each], list(filter(None, self._loaded.values())), _Found()):
                    yield UndefinedSymbol(each.name, user.path, shadow.taken)

    def _new(self, before: Mapping[str, _Library | None]) -> list[_Library]:
        """The libraries that were loaded since then."""
        new = (each for name, each in self._loaded.items() if each is not None and name not in before)
        return list({id(each): each for each in new}.values())

    def _outdated(self, before: Mapping[str, _Library | None]) -> Iterator[UndefinedSymbol]:
        """Symbols that new libraries use of an NVIDIA library, and that the one there does not define.

        The newer of two releases has more symbols under the same name and version, so only the symbols show this.
        """
        nvidia = self._of_nvidia()
        for user in filter(_may_use_nvidia, self._new(before)) if nvidia else ():
            for each in undefined_of_c(user.binary.symbols):
                provider = None if each.weak else self._provider(user, each)
                if provider is None or self._lookups.defines(provider.binary.symbols, each.name, each.version):
                    continue
                if self._lacked([each], list(filter(None, self._loaded.values())), _Found()):
                    yield UndefinedSymbol(each.name, user.path, provider.path)

    def _of_nvidia(self) -> bool:
        """Whether a loaded library may be a provider: without one, no symbol need be read."""
        return any(
            library is not None and (_NAMED_BY_NVIDIA.match(name) or name in self._defined(library))
            for name, library in self._loaded.items()
        )

    def _provider(self, user: _Library, reference: Reference) -> _Library | None:
        """The NVIDIA library that should define a symbol; None for all other symbols."""
        if reference.version:
            library = self._loaded.get(reference.library) if reference.version == reference.library else None
            return library if library is not None and reference.version in self._defined(library) else None
        family = _OF_NVIDIA.match(reference.name)
        names = (each for each in user.dependencies if family and each.startswith(f"lib{family[1]}.so"))
        return self._loaded.get(next(names, ""))

    def _lacked(
        self, references: Sequence[Reference], scope: list[_Library], found: _Found
    ) -> Sequence[Reference]:
        """Those that no library of the process defines; one with unreadable symbols may, and is noted."""
        for library in scope if references else ():
            references, unread = self._lookups.lacked(library.binary.symbols, references)
            if unread is not None:
                unseen = without_symbols(library.binary, unread)
                found.unseen[:0] = [] if unseen in found.unseen else [unseen]
            if not references:
                break
        return references

    def _must_be_defined(self, reference: Reference, incomplete: bool) -> bool:
        name = reference.name
        if reference.weak or reference.version or name in _WEAK:
            return False
        if not self._has_python and name.startswith(_PYTHON):
            return False
        return not incomplete or is_torchs_symbol(name)

    def _scope(self, library: _Library) -> Iterator[_Library | None]:
        """The library and its dependencies, the program and its libraries, then those opened with RTLD_GLOBAL.

        None stands for an unknown library.
        """
        for start in filter(None, (library, self._main, *self._shared)):
            seen, queue = {id(start)}, deque([start])
            while queue:
                here = queue.popleft()
                yield here
                for name in here.dependencies:
                    other = self._loaded.get(name)
                    if other is None:
                        yield None
                    elif id(other) not in seen:
                        seen.add(id(other))
                        queue.append(other)


class _Found:
    """Observations while one library is loaded."""

    def __init__(self, preloaded: Callable[[str], str | None] | None = None) -> None:
        self.missing: list[MissingLibrary] = []
        self.versions: list[MissingVersion] = []
        self.shadowed: list[ShadowedLibrary] = []
        self.broken: list[Unreadable] = []
        self.unseen: list[NotExamined] = []
        self.refused: list[Refusal] = []
        self.preloaded = preloaded

    def outcome(self, path: str, undefined: Iterable[UndefinedSymbol]) -> Outcome:
        return Outcome(
            path,
            tuple(self.missing),
            tuple(undefined),
            tuple(self.versions),
            tuple(self.shadowed),
            self.broken[0] if self.broken else None,
            tuple(self.unseen),
            self.refused[0] if self.refused else None,
        )


def _may_use_nvidia(user: _Library) -> bool:
    """Whether a library may use symbols of NVIDIA's libraries, by what it needs."""
    by_version = (need.version == need.file for need in user.binary.version_needs)
    return any(map(_NAMED_BY_NVIDIA.match, user.dependencies)) or any(by_version)


def is_of_torch(name: str) -> bool:
    """Whether only a torch package contains this library, and it has no other name on any machine."""
    return name.startswith(("libtorch", "libc10", "libshm"))


def family_of(symbol: str) -> str:
    """The library of NVIDIA that a symbol belongs to (``nvJitLink``), by its prefix; "" for all other symbols."""
    found = _OF_NVIDIA.match(symbol)
    return found[1] if found else ""


def _newest(versions: tuple[str, ...], family: str) -> str:
    """The newest of the versions of one family (``GLIBC_``); "" if there is no version."""
    return max((each for each in versions if each.startswith(family)), key=numbers_of, default="")


def numbers_of(version: str) -> tuple[int, ...]:
    """``(2, 34)`` of ``GLIBC_2.34``."""
    return tuple(map(int, re.findall(r"[0-9]{1,9}", version.partition("_")[2])))
