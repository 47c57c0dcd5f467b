"""A process on macOS or Windows, as far as the packages show it.

Both loaders look up a library by the name that the importing library has for it, and a symbol in exactly the
library that it was linked against; on macOS in all libraries if it names none ("flat namespace"): dyld(1),
"Dynamic-link library search order" of the Windows documentation.
Libraries of the system are not in the tree and are assumed to exist; those that only a torch package contains are
not. A library that another one names by its place (``@loader_path``, or an absolute path below a known root) is
there or not; a loaded one of the same file name is another one, unless that is its install name. Any other
library that is not found may exist on that machine: the outcome says so.
"""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING

from torchlock.answers import Unknown
from torchlock.inspect.binaries import Binary
from torchlock.inspect.loading.names_of_torch import is_torchs_symbol
from torchlock.inspect.loading.outcome import (
    MissingLibrary,
    NotExamined,
    Outcome,
    UndefinedSymbol,
    unknown_file,
    without_symbols,
)
from torchlock.inspect.loading.process import MOST_LIBRARIES, MOST_LOOKS, LoaderProcess
from torchlock.patterns import pattern
from torchlock.runtime import files
from torchlock.runtime.files import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torchlock.inspect.binaries.binary import Reference
    from torchlock.inspect.loading.process import Request
    from torchlock.inspect.loading.root import Root

_FORMATS = {"macos": "macho", "windows": "pe"}
# Libraries of every Windows 10 that the wheels of the stack import (their import tables, 2026-11-28), and those of
# Python, with the C runtime. The C++ runtime (msvcp140) and OpenMP are in neither.
_OF_WINDOWS = pattern(
    r"(api-ms-win-.*|ext-ms-.*|kernel32|kernelbase|ntdll|user32|gdi32|advapi32|shell32|shlwapi|ole32|oleaut32|rpcrt4"
    r"|ws2_32|wsock32|mswsock|iphlpapi|dbghelp|imagehlp|psapi|powrprof|userenv|version|winmm|bcrypt|bcryptprimitives"
    r"|ncrypt|crypt32|wintrust|secur32|setupapi|cfgmgr32|imm32|comdlg32|comctl32|msvcrt|ucrtbase|normaliz|synchronization"
    r"|vcruntime140|python3|python3\d{1,2}t?)\.(dll|drv)"
)
# A part of the C runtime that Python has brought since 3.8, and conda in a package of its own (pytorch#32916).
_LATER_RUNTIME = "vcruntime140_1.dll"
# Folders of the system, whose libraries are not files since macOS 11 (dyld(1), "shared cache").
_OF_MACOS = ("/usr/lib/", "/System/Library/")
_PROGRAM, _LOADER = "@executable_path/", "@loader_path/"
_PYTHONS = ("python3", "python")
# The folders that dyld always searches: it searches /usr/lib last.
_LAST_OF_MACOS = pattern(r"lib(c\+\+(abi)?|System|objc|z|iconv|bz2|lzma|sqlite3|xml2)(\.\w+)?\.dylib")
# Libraries in the wheels of torch for Windows and macOS that no other program has.
_OF_TORCH = ("torch.", "torch_", "c10.", "c10_", "caffe2_", "fbgemm.", "asmjit.", "shm.")


class BundleProcess(LoaderProcess):
    """Libraries stay loaded, and the folders of loaded ones are searched, because torch adds its own folder."""

    def __init__(
        self,
        system: str,
        machine: str,
        runtime: tuple[str, ...] = (),
        beyond: tuple[str, ...] = (),
        root: Root | None = None,
        programs: tuple[str, ...] = (),
        *,
        brings_runtime: bool = True,
    ) -> None:
        """Start with an empty process.

        ``runtime`` are the folders of Windows and of Python itself, ``beyond`` the further folders that are
        searched, ``root`` is the Mac, ``programs`` may hold the program that runs. They are empty if they are
        unknown. ``brings_runtime``: a Python that is not here has the whole C runtime beside itself.
        """
        super().__init__(machine)
        self._runtime = runtime
        self._beyond = beyond
        self._root = root
        self._programs = programs
        self._system = system
        self._brings_runtime = brings_runtime
        self._loaded: dict[str, Binary] = {}
        self._by_file: dict[str, Binary] = {}
        self._folders: dict[str, None] = {}
        self._own: list[str] | None = None
        self._listed: dict[str, dict[str, str]] = {}

    def search_in(self, folder: str) -> None:
        """Search one more folder, as ``os.add_dll_directory`` does."""
        self._folders[folder] = None

    def paths(self) -> list[str]:
        return [each.path for each in self._by_file.values()]

    def _is_for_process(self, binary: Binary) -> bool:
        return binary.format == _FORMATS[self._system] and self._machine in (binary.machine, *binary.machines)

    def _load(self, path: str, binary: Binary, request: Request) -> Outcome:
        self._folders[os.path.dirname(path)] = None
        broken: list[Unreadable] = []
        unseen: list[NotExamined] = []
        missing = list(self._fill(binary, request.preloaded, broken, unseen))
        self._add(self._key(binary.soname or path), binary)
        undefined = tuple(self._undefined(binary, unseen)) if request.symbols else ()
        return Outcome(
            path, tuple(missing), undefined, unreadable=broken[0] if broken else None, unseen=tuple(unseen)
        )

    def _key(self, name: str) -> str:
        """The identity of a library: its file name, on Windows without the case of letters."""
        short = name.replace("\\", "/").rpartition("/")[2]
        return short.lower() if self._system == "windows" else short

    def _add(self, key: str, binary: Binary) -> bool:
        """Whether a library was not loaded before; from now on it is."""
        self._loaded.setdefault(key, binary)
        file = os.path.realpath(binary.path)
        return self._by_file.setdefault(file, binary) is binary

    def _meant(self, name: str, user: Binary) -> Binary | None:
        """The loaded library that another one means by a name."""
        known = self._loaded.get(self._key(name))
        places = self._places(name, user)
        if not places or (known is not None and known.soname == name):
            return known
        by_place = (self._by_file.get(os.path.realpath(each)) for each in places)
        return next(filter(None, by_place), None)

    def _places(self, name: str, user: Binary) -> list[str]:
        """The only files that a library of a Mac can mean by a name; empty if it may mean others."""
        if self._system != "macos":
            return []
        if name.startswith(_LOADER):
            return [os.path.join(each, name.removeprefix(_LOADER)) for each in _origins(user)]
        inner = name.removeprefix(_PROGRAM)
        return [os.path.join(each, inner) for each in self._programs] if name.startswith(_PROGRAM) else []

    def _fill(
        self,
        first: Binary,
        preloaded: Callable[[str], str | None] | None,
        broken: list[Unreadable],
        unseen: list[NotExamined],
    ) -> Iterator[MissingLibrary]:
        queue = deque([first])
        while queue and len(self._by_file) < MOST_LIBRARIES:
            binary = queue.popleft()
            for needed in binary.needed:
                key = self._key(needed.name)
                if needed.delayed or self._meant(needed.name, binary):
                    continue
                path = self._found(needed.name, binary) or (preloaded(key) if preloaded else None)
                found = self._binary(path) if path else None
                if isinstance(found, Binary) and not self._is_for_process(found):
                    if not self._is_systems(needed.name):
                        broken.append(Unreadable(found.path, f"is for {found.machine}"))
                elif isinstance(found, Binary):
                    queue.extend([found] if self._add(key, found) else [])
                elif found is not None:
                    if unknown := unknown_file(found, found.path, binary.path):
                        unseen.insert(0, unknown)
                    else:
                        broken.append(found)
                elif self._looks > MOST_LOOKS:
                    break  # not looked for everywhere
                elif needed.weak:
                    continue
                elif self._is_known_missing(needed.name):
                    yield MissingLibrary(needed.name if needed.name.startswith(_PROGRAM) else key, binary.path)
                elif not self._is_systems(needed.name):
                    if self._is_named_by_place(needed.name):
                        yield MissingLibrary(needed.name, binary.path)
                    else:
                        is_unfound = self._root is not None and not _LAST_OF_MACOS.fullmatch(key)
                        unseen.append(NotExamined(key, binary.path, Unknown(self._why_unseen(key)), is_unfound))
        if queue or self._looks > MOST_LOOKS:
            path = first.path
            unseen.append(
                NotExamined(os.path.basename(path), path, Unknown("it needs more libraries than can be followed"))
            )

    def _is_known_missing(self, name: str) -> bool:
        """Whether no other place than those that were searched can have a library."""
        if name.startswith(_PROGRAM) and not self._programs:
            return False
        return is_of_torch(self._key(name)) or self._lacks(self._key(name))

    def _why_unseen(self, name: str) -> str:
        if self._system == "macos" and _LAST_OF_MACOS.fullmatch(name):
            return "no LC_RPATH names its folder, and only macOS 11 and later also look in /usr/lib"
        is_known = self._root is not None
        return "no folder that is known to be searched has it" if is_known else "the machine was not examined"

    def _is_named_by_place(self, name: str) -> bool:
        """Whether a Mac has a library of this name in one place only, which is known."""
        if self._system != "macos":
            return False
        if name.startswith(_PROGRAM):
            return bool(self._programs)
        return name.startswith(_LOADER) or (name.startswith("/") and self._root is not None)

    def _is_systems(self, name: str) -> bool:
        """Whether every machine of this system has a library, or Python itself contains it."""
        if self._system == "windows":
            if _OF_WINDOWS.fullmatch(self._key(name)) or self._is_found(name):
                return True
            if self._key(name) == _LATER_RUNTIME and self._brings_runtime:
                return True
        elif name.startswith(_OF_MACOS):
            return True
        elif _LAST_OF_MACOS.fullmatch(self._key(name)):
            return not name.startswith("@")  # From macOS 11 on, dyld also searches /usr/lib for such a name.
        return self._in(list(self._beyond), self._key(name), any_case=self._system == "windows") is not None

    def _is_found(self, name: str) -> bool:
        """Whether this Windows was examined, and has a library."""
        return self._in(list(self._runtime), name, any_case=True) is not None

    def _found(self, name: str, binary: Binary) -> str | None:
        here = os.path.dirname(binary.path)
        if self._system == "windows":
            return self._in([here, *self._folders], name, any_case=True)
        if name.startswith("@rpath/"):
            folders = [each for folder in binary.rpath for each in self._placed(folder, here)]
            return self._in([*folders, *self._of_program(), here, *self._folders], name.removeprefix("@rpath/"))
        if name.startswith(_LOADER):
            return self._in(_origins(binary), name.removeprefix(_LOADER))
        if name.startswith(_PROGRAM):
            return self._in([*self._programs], name.removeprefix(_PROGRAM))
        if name.startswith("/") and self._root is not None:
            folders = [os.path.dirname(self._root.real(name)), here, *self._folders]
            return self._in(folders, os.path.basename(name))
        return None

    def _of_program(self) -> list[str]:
        """The folders to which the LC_RPATH of the program leads; that of a conda Python names its lib."""
        if self._own is None:
            found = [self._binary(os.path.join(each, name)) for each in self._programs for name in _PYTHONS]
            read = [each for each in found if isinstance(each, Binary) and self._is_for_process(each)]
            pairs = [
                (folder, os.path.dirname(os.path.realpath(each.path))) for each in read for folder in each.rpath
            ]
            self._own = list(dict.fromkeys(place for pair in pairs for place in self._placed(*pair)))
        return self._own

    def _placed(self, folder: str, here: str) -> list[str]:
        """The folders that an LC_RPATH leads to."""
        if folder.startswith(_PROGRAM.rstrip("/")):
            inner = folder.removeprefix(_PROGRAM.rstrip("/")).lstrip("/")
            return [os.path.join(each, inner) for each in self._programs]
        return [folder.replace("@loader_path", here)]

    def _lacks(self, name: str) -> bool:
        """Whether Windows itself was examined, and does not have this library of a compiler's runtime."""
        if not self._runtime or not name.startswith(("vcruntime", "msvcp", "vcomp", "libomp")):
            return False
        return not self._is_found(name)

    def _in(self, folders: list[str], name: str, *, any_case: bool = False) -> str | None:
        """The first file of that name for this machine, else the first one for another."""
        unfit = ""
        for folder in folders:
            self._looks += 1
            if self._looks > MOST_LOOKS:
                return None
            path = os.path.normpath(os.path.join(folder, name))
            if not files.is_file(path):
                path = self._by_case(folder, name) if any_case else ""
            if path and self._fits(path):
                return path
            unfit = unfit or path
        return unfit or None

    def _fits(self, path: str) -> bool:
        """Whether it is for this machine; a file that cannot be read counts as one, and is reported as such."""
        binary = self._binary(path)
        return isinstance(binary, Unreadable) or self._is_for_process(binary)

    def _by_case(self, folder: str, name: str) -> str:
        if folder not in self._listed:
            try:
                names = os.listdir(folder)
            except OSError:
                names = []
            self._listed[folder] = {each.lower(): each for each in reversed(names[: files.LIMIT])}
        found = self._listed[folder].get(name.lower(), "")
        return os.path.join(folder, found) if found else ""

    def _undefined(self, binary: Binary, unseen: list[NotExamined]) -> Iterator[UndefinedSymbol]:
        """Symbols missing from the library that they were linked against, if that library is here."""
        symbols = binary.symbols
        if isinstance(symbols, Unreadable):
            unseen.insert(0, without_symbols(binary, symbols))
            return
        used = symbols.undefined
        if isinstance(used, Unreadable):
            unseen.insert(0, without_symbols(binary, used))
            return
        for reference in used:
            providers = [] if reference.weak or not reference.name else self._providers(reference, binary)
            answers = [self._offers(each, reference.name) for each in providers]
            if not answers or True in answers:
                continue
            hidden = next((pair for pair in zip(providers, answers, strict=True) if pair[1]), None)
            if hidden is not None and isinstance(hidden[1], Unreadable):
                unknown = without_symbols(hidden[0], hidden[1])
                unseen[:0] = [] if unknown in unseen else [unknown]
            else:
                named = providers[0] if reference.library and not _is_of_family(providers[0].path) else None
                yield UndefinedSymbol(reference.name, binary.path, named.path if named is not None else "")

    def _providers(self, reference: Reference, user: Binary) -> list[Binary]:
        """The libraries that may define a symbol, as far as they are known.

        A library for a Mac that was linked with ``-undefined dynamic_lookup`` names no library for it: then all
        loaded ones may. Of these names only those of torch are judged, as its libraries are all known here.
        """
        if reference.library:
            provider = self._meant(reference.library, user)
            return [provider] if provider is not None else []
        is_torchs = self._system == "macos" and is_torchs_symbol(reference.name)
        return list(self._by_file.values()) if is_torchs and self._has_torch else []

    @property
    def _has_torch(self) -> bool:
        return any(is_of_torch(key) for key in self._loaded)

    def _offers(self, first: Binary, name: str) -> bool | Unreadable:
        """Whether a library defines or re-exports a name; each library is asked once."""
        seen, queue = {id(first)}, deque([first])
        while queue:
            binary = queue.popleft()
            if answer := self._lookups.defines(binary.symbols, name):
                return answer
            for each in binary.needed:
                other = self._meant(each.name, binary) if each.reexported else first
                if other is None:
                    return True
                if id(other) not in seen:
                    seen.add(id(other))
                    queue.append(other)
        return False


def _origins(user: Binary) -> list[str]:
    """The folders for which ``@loader_path`` stands: dyld takes that of a link, and that of its file."""
    return list(dict.fromkeys(os.path.dirname(each) for each in (user.path, os.path.realpath(user.path))))


def is_of_macos(name: str) -> bool:
    """Whether each macOS has this library in /usr/lib."""
    return _LAST_OF_MACOS.fullmatch(name) is not None


def _is_of_family(path: str) -> bool:
    return is_of_torch(os.path.basename(path))


def is_of_torch(name: str) -> bool:
    """Whether only a torch package contains this library."""
    plain = name.lower().removeprefix("lib")
    return plain.startswith(_OF_TORCH) and not plain.startswith("torch_global_deps")
