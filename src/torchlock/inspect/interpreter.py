"""The Python of an environment: asked only for its paths, tags and version, or found from its files."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from torchlock.errors import InputError
from torchlock.redaction import masked
from torchlock.runtime import files
from torchlock.runtime.process import run_program
from torchlock.runtime.programs import find_program
from torchlock.target import Platform, PythonVersion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# How long an interpreter may take to say who it is, and how much it may say.
SECONDS = 10.0
_ANSWER = 1 << 20
_MARK = "torchlock:"
# As many as Linux follows.
_LINKS = 40

# Runs under `-I -S -B`, on Python 3.6 too. `site` only defines functions when it is imported under -S; it is asked
# because distributors patch it. Before 3.14 it also distinguishes a virtual environment from its base.
_QUESTION = r"""
import json, os, site, sys, sysconfig
from importlib.machinery import EXTENSION_SUFFIXES
path, base, exec_base = list(sys.path), sys.base_prefix, sys.base_exec_prefix
folder = os.path.dirname(os.path.abspath(sys.executable or ""))
virtual, system = "", True
for place in sys.argv[1:] or (folder, os.path.dirname(folder)):
    if os.path.isfile(os.path.join(place, "pyvenv.cfg")):
        virtual = (sys.argv[1:] or [os.path.dirname(folder)])[0]
        with open(os.path.join(place, "pyvenv.cfg"), encoding="utf-8", errors="replace") as file:
            for line in file:
                key, _, value = line.partition("=")
                if key.strip().lower() == "include-system-site-packages":
                    system = value.strip().lower() == "true"
        break
own = []
if virtual:
    sys.prefix = sys.exec_prefix = virtual
    own = site.getsitepackages([virtual])
libc = ""
try:
    libc = os.confstr("CS_GNU_LIBC_VERSION") or ""
except (AttributeError, ValueError, OSError):
    pass
macos, kind = "", sysconfig.get_platform()
if sys.platform == "darwin":
    import platform
    macos = platform.mac_ver()[0]
    # universal2 is what the file can be, the machine what this process is
    kind = kind.rpartition("-")[0] + "-" + platform.machine()
same_user = not hasattr(os, "getuid") or (os.getuid() == os.geteuid() and os.getgid() == os.getegid())
print("torchlock:" + json.dumps({
    "executable": sys.executable or "", "version": "%d.%d.%d" % sys.version_info[:3],
    "implementation": sys.implementation.name, "cache_tag": sys.implementation.cache_tag or "",
    "abiflags": getattr(sys, "abiflags", ""), "suffixes": EXTENSION_SUFFIXES,
    "builtin": list(sys.builtin_module_names), "platform": kind, "bits": 64 if sys.maxsize > 2 ** 32 else 32,
    "libc": libc, "macos": macos, "prefix": virtual or base, "base_prefix": base,
    "stdlib": path, "own_sites": own, "base_sites": site.getsitepackages([base, exec_base]),
    "user_site": (site.getusersitepackages() or "") if same_user else "",
    "virtual": bool(virtual), "system_site": system,
    "variables": {name: os.environ[name] for name in (
        "PYTHONPATH", "PYTHONNOUSERSITE", "PYTHONSAFEPATH", "LD_LIBRARY_PATH") if name in os.environ},
}))
"""


class Interpreter(NamedTuple):
    """A Python, as far as it is known; what is not is empty.

    ``platform`` is what ``sysconfig.get_platform`` says (``linux-x86_64``, ``macosx-14.0-arm64``,
    ``win-amd64``), ``libc`` ``glibc 2.36``, ``musl`` or empty, ``macos`` the release that runs. ``suffixes``
    are those of extension modules, in the order of import, ``builtin`` the modules that are part of the
    executable. ``stdlib`` is ``sys.path`` without site;
    ``own_sites`` the site-packages of a virtual environment, ``base_sites`` those of the installation;
    ``user_site`` that of the user, empty where it can never count. ``system_site`` says whether a virtual
    environment also sees ``base_sites``. ``variables`` are those of the process that answered which say where
    to look: a script that starts the interpreter may have set them. ``evidence`` says, for one that was not
    asked, the source of each part. ``assumed``: the machine of ``platform`` is only the usual one of that system.
    """

    executable: str = ""
    version: str = ""
    implementation: str = "cpython"
    cache_tag: str = ""
    abiflags: str = ""
    suffixes: tuple[str, ...] = ()
    builtin: tuple[str, ...] = ()
    platform: str = ""
    bits: int = 64
    libc: str = ""
    macos: str = ""
    prefix: str = ""
    base_prefix: str = ""
    stdlib: tuple[str, ...] = ()
    own_sites: tuple[str, ...] = ()
    base_sites: tuple[str, ...] = ()
    user_site: str = ""
    virtual: bool = False
    system_site: bool = True
    variables: tuple[tuple[str, str], ...] = ()
    evidence: tuple[str, ...] = ()
    assumed: bool = False

    @property
    def free_threaded(self) -> bool:
        """Whether it runs without the global lock: wheels for it are tagged ``cp313t``."""
        return "t" in self.abiflags

    @property
    def python(self) -> PythonVersion | None:
        """The version in the words of a target, None where it is not known or none that wheels exist for."""
        try:
            return PythonVersion.parse(self.version)._replace(free_threaded=self.free_threaded)
        except InputError:
            return None

    @property
    def target_platform(self) -> Platform | None:
        """The platform of a target, with the known floor; None if it is unknown.

        A tree does not show on which glibc it will run: the floor is then the common one.
        """
        system, _, machine = self.platform.partition("-")
        machine = machine.rpartition("-")[2].lower()
        names = {"linux": "linux", "macosx": "macos", "win": "windows", "mingw": "windows"}
        machine = {"arm64": "aarch64"}.get(machine, machine) if system == "linux" else machine
        try:
            found = Platform.parse(f"{names.get(system, system)}-{machine}")
        except InputError:
            return None
        if self.bits != 64:
            return None
        if self.libc.startswith("musl"):
            return found._replace(libc="musl", floor=(1, 2))
        floor = _two(self.libc.removeprefix("glibc ")) if found.system == "linux" else _two(self.macos)
        return found._replace(floor=floor) if floor and found.system != "windows" else found


class NoAnswer(NamedTuple):
    """Why an interpreter did not say who it is.

    ``reason`` is ``missing`` (also a link of a virtual environment to a missing base), ``refused`` (the
    system does not run it), ``slow``, ``failed`` (it ended with an error), ``garbled``, or ``unsafe`` (a
    ``._pth`` file next to it would make it import its site anyway). ``detail`` is its last output.
    """

    path: str
    reason: str
    detail: str = ""


def ask(
    path: str, seconds: float = SECONDS, virtual: str = "", meanwhile: Callable[[], object] | None = None
) -> Interpreter | NoAnswer:
    """Run an interpreter with ``-I -S -B`` and read what it says of itself; none of its site is imported.

    ``path`` may also be the folder of an environment, or a name on the PATH. ``virtual`` is a virtual environment
    that was made of this interpreter: the answer is then that of the environment, and nothing in it is run.
    ``meanwhile`` is called while it runs.
    """
    executable = find_executable(path)
    if executable is None:
        return NoAnswer(path, "missing", _why_missing(path))
    if startup_path(executable):
        return NoAnswer(executable, "unsafe", "a ._pth file decides what it imports at its start")
    said = _run(executable, seconds, virtual, meanwhile)
    if isinstance(said, NoAnswer):
        return said
    try:
        return _interpreter(said)
    except (KeyError, TypeError, ValueError, ArithmeticError, RecursionError):
        return NoAnswer(executable, "garbled", masked(said)[-500:])


def find_executable(path: str) -> str | None:
    """The interpreter that a path names: the file itself, or the one in the folder of an environment.

    A bare name is looked up on the PATH, as in a shell, or is a folder. A file of the current folder is not used.
    """
    bare = os.path.basename(path) == path
    if bare and (found := find_program(path)):
        return found
    if not bare and files.is_file(path):
        return path
    for name in ("bin/python", "bin/python3", "Scripts/python.exe", "python.exe", "bin/pypy3"):
        if files.is_file(os.path.join(path, name)):
            return os.path.join(path, name)
    return None


def startup_path(executable: str) -> str | None:
    """The ``python311._pth`` that overrides both ``-I`` and ``-S`` of the interpreter next to it.

    CPython (``Modules/getpath.py``) looks for one beside the executable, in the name of which ``._pth`` replaces
    the ending or, on POSIX, is appended to it, and beside its library. Its lines are ``sys.path``, from which the
    codecs and all else are imported. Every file of that kind beside any link on the way counts here.
    """
    places = dict.fromkeys(map(os.path.dirname, _links(os.path.abspath(executable))))
    for place in (*places, os.path.dirname(os.path.realpath(executable))):
        for name in files.Tree().names(place):
            if name.lower().endswith("._pth"):
                return os.path.join(place, name)
    return None


def _links(path: str) -> Iterator[str]:
    """A path, and each that it links to in turn."""
    for _ in range(_LINKS):
        yield path
        try:
            path = os.path.join(os.path.dirname(path), os.readlink(path))
        except (OSError, ValueError):
            return


def _why_missing(path: str) -> str:
    for place in (path, os.path.join(path, "bin", "python")):
        try:
            if os.path.islink(place):
                return f"{place} is a link to {os.readlink(place)}, which does not exist"
        except (OSError, ValueError):
            break
    return ""


def _run(executable: str, seconds: float, virtual: str, meanwhile: Callable[[], object] | None) -> str | NoAnswer:
    """What it prints, from the mark on."""
    import subprocess

    command = [executable, "-I", "-S", "-B", "-c", _QUESTION, *filter(None, (virtual,))]
    try:
        answer = run_program(command, seconds, _ANSWER, meanwhile, stderr=subprocess.STDOUT)
    except (OSError, ValueError) as error:
        return NoAnswer(executable, "refused", getattr(error, "strerror", None) or str(error))
    if answer.slow:
        return NoAnswer(executable, "slow", f"no answer within {seconds:g} seconds")
    text = answer.printed.decode("utf-8", "replace")
    mark = text.rfind(_MARK)
    if mark >= 0:
        return text[mark + len(_MARK) :]
    reason = "failed" if answer.code else "garbled"
    ending = "it does not end" if answer.code is None else f"exit status {answer.code}"
    return NoAnswer(executable, reason, masked(text.strip())[-500:] or ending)


def _interpreter(said: str) -> Interpreter:
    """The answer, every part of the type that it must have.

    Raises:
        KeyError, TypeError, ValueError, ArithmeticError: it is not.
    """
    import json

    answer: dict[str, Any] = json.loads(said.partition("\n")[0])
    suffixes = _texts(answer["suffixes"])
    return Interpreter(
        executable=_text(answer["executable"]),
        version=_text(answer["version"]),
        implementation=_text(answer["implementation"]),
        cache_tag=_text(answer["cache_tag"]),
        abiflags=_text(answer["abiflags"]) or _abiflags(suffixes),
        suffixes=suffixes,
        builtin=_texts(answer["builtin"]),
        platform=_text(answer["platform"]),
        bits=int(answer["bits"]),
        libc="musl" if any("musl" in suffix for suffix in suffixes) else _text(answer["libc"]),
        macos=_text(answer["macos"]),
        prefix=_text(answer["prefix"]),
        base_prefix=_text(answer["base_prefix"]),
        stdlib=_texts(answer["stdlib"]),
        own_sites=_texts(answer["own_sites"]),
        base_sites=_texts(answer["base_sites"]),
        user_site=_text(answer["user_site"]),
        virtual=bool(answer["virtual"]),
        system_site=bool(answer["system_site"]),
        variables=tuple((_text(name), _text(value)) for name, value in dict(answer.get("variables", {})).items()),
    )


def _abiflags(suffixes: tuple[str, ...]) -> str:
    """Windows has no ``sys.abiflags`` before 3.14, yet its suffixes tell: ``.cp313t-win_amd64.pyd``."""
    return "t" if any(re.match(r"\.cp\d+t-", suffix) for suffix in suffixes) else ""


def _text(value: object) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError(value)
    return value


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError(value)
    return tuple(_text(item) for item in value)


def _two(version: str) -> tuple[int, int] | None:
    match = re.match(r"([0-9]{1,4})(?:\.([0-9]{1,4}))?(?![0-9])", version)
    return (int(match[1]), int(match[2] or 0)) if match else None
