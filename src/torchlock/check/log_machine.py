"""The Python and the machine that a log states: an installer names them when it finds no file.

It is asked about an environment whose own files do not show them. Statements that differ show nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.check.log_facts import PYTHON, python_in
from torchlock.inspect.interpreter import Interpreter
from torchlock.inspect.tree_platform import platform_of_tag
from torchlock.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log

# The installer says what machine it runs on within this many characters.
_MOST = 200_000
# uv: "no wheels with a matching platform tag (e.g., `macosx_26_0_x86_64`)", "You're on Windows (`win_amd64`)".
_TAG = re.compile(r"(?:matching platform tag \(e\.g\., |You're on [^\n(`]{1,40}\()`(\w{4,60})`")
# The folder of a Python that uv installed, or the name of one: cpython-3.12.11-macos-aarch64-none.
_OF_UV = re.compile(r"\bcpython-3\.\d{1,2}[\w.+]{0,12}-(macos|windows|linux)-([a-z0-9_]{2,12})-(\w{3,12})")
# uv: "Using CPython 3.12.9", "You're using CPython 3.12 (`cp312`), but ..."
_USING = re.compile(r"\b[Uu]sing C?Python (3\.\d{1,2})\b")
# The first line of an interactive Python on Windows.
_BANNER = re.compile(r"\[MSC v\.\d{4} (32|64) bit \((Intel|AMD64|ARM64)\)\] on win32")
# The folder of a Python of python.org for Windows, if it is not for x64.
_FOLDER = re.compile(r"[/\\]Python3\d{1,2}-(32|arm64)(?=[/\\])", re.I)
# What pip prints of its environment: "platform_machine": "ARM64".
_MARKER = re.compile(r"['\"](platform_machine|sys_platform)['\"]: ['\"]([\w-]{2,20})['\"]")
# What people add, and what platform.platform() and the report of torch print: "macOS 13.6 x86_64",
# "macOS-14.6-arm64", "OS: macOS 14.6 (arm64)".
_MAC = re.compile(r"\bmac ?OS[ -](\d{2})(?:\.(\d{1,2}))?(?:\.\d{1,2})?[ ,(-]{1,3}(x86_64|arm64|Intel)\b", re.I)
# uv: "No solution found ... for split (platform_machine == 'x86_64' and sys_platform == 'darwin')".
_SPLIT = re.compile(r"dependencies for split \([^)]{0,200}?sys_platform == '(\w{1,10})'")
# A wheel that pip takes is one for its machine.
_TAKEN = re.compile(
    r"\b(?:Downloading|Using cached|Processing) \S{1,400}-(?:cp|pp)\d\w{1,12}-\w{3,20}-"
    r"(?P<tags>\w[\w.]{3,90})\.whl"
)
# A Mac whose release is not stated.
_ANY_MACOS = "macosx-11.0"
_SYSTEMS = {"macos": _ANY_MACOS, "windows": "win", "linux": "linux", "darwin": _ANY_MACOS, "win32": "win"}
_MACHINES = {_ANY_MACOS: {"aarch64": "arm64"}, "win": {"x86_64": "amd64", "aarch64": "arm64"}}
# What shows the operating system, in a path or in the words of its loader.
_SIGNS = (
    (
        "macos",
        re.compile(
            r"\.dylib\b|(?<![:\w])/Users/|(?<!\w)dlopen\(/|-darwin\.so|macosx[-_]"
            r"|/opt/homebrew/|/usr/local/Cellar/|/Python\.framework/|\bOS: {0,3}mac ?OS\b|\bmacOS-1\d"
        ),
    ),
    (
        "windows",
        re.compile(
            r"\.(?:dll|pyd)\b|(?<![a-z])[a-z]:\\|\\(?:site-packages|scripts)\\|\bwinerror\b"
            r"|\bnot (?:supported|available|implemented) (?:on|for|in) windows\b"
            r"|\bOS(?: \(e\.g\.,? Linux\))?:? {0,3}(?:Microsoft )?Windows?\b|\bWindows-1\d-",
            re.I,
        ),
    ),
    ("linux", re.compile(r"/home/|/root/|/usr/lib/|x86_64-linux|\.so\.\d|cannot open shared object file")),
)
_BITS_32 = {"win-x86": "win32", "win-i686": "win32"}


def system_of(text: str) -> str:
    """The operating system that printed a log: ``linux``, ``macos`` or ``windows``; "" if unknown."""
    return next((name for name, sign in _SIGNS if sign.search(text[-_MOST:])), "")


def systems_stated(text: str) -> frozenset[str]:
    """The operating systems that installers in a log say they run on: ``linux``, ``macos``, ``windows``."""
    names = {"macosx": "macos", "win": "windows", "win32": "windows", "linux": "linux"}
    found = (names.get(each.partition("-")[0]) for each in _platforms(text[-_MOST:]))
    return frozenset(filter(None, found))


def of_taken_wheels(text: str) -> frozenset[str]:
    """The platforms of the wheels that pip took, as ``sysconfig`` spells them."""
    tags = (tag for match in _TAKEN.finditer(text[-_MOST:]) for tag in match["tags"].split("."))
    return frozenset(filter(None, map(platform_of_tag, tags)))


def system_of_split(near: str) -> str:
    """The operating system for which uv found no solution, if it says so; "" if not."""
    match = _SPLIT.search(" ".join(near.split()))
    return {"darwin": "macos", "win32": "windows", "linux": "linux"}.get(match[1], "") if match else ""


def interpreter_of(context: CheckContext, log: Log) -> Interpreter:
    """The Python of the environment; what its files do not show is taken from the log."""
    own = context.environment.interpreter
    folders = [own.base_prefix, *(f"{entry.path}/" for entry in context.environment.sites)]
    text = "\n".join([*folders, log.text[-_MOST:]])
    if not own.platform or own.assumed:
        stated = {each for each in _platforms(text) if not own.assumed or each.startswith("win")}
        own = _with_platform(own, stated)
    if not own.version:
        named = {python_in(match) for match in PYTHON.finditer("\n".join(folders))}
        found = named or {*_USING.findall(text)} or {*log.pythons}
        own = own._replace(version=min(found)) if len(found) == 1 else own
    return own


def target_of(context: CheckContext, interpreter: Interpreter) -> Target | None:
    """The target of the rules; None if its Python or its machine is not known, or one without any wheels."""
    is_own = context.platform is not None or interpreter.platform == context.environment.interpreter.platform
    if is_own and context.target is not None:
        return context.target
    platform = context.platform or interpreter.target_platform
    python = interpreter.python
    if platform is None or python is None:
        return None
    return Target(python, platform, "pypi", "none", context.libraries)


def _with_platform(interpreter: Interpreter, stated: set[str]) -> Interpreter:
    """The interpreter on the platform that all these statements name; the release of macOS may differ."""
    if len({re.sub(r"^macosx-[\d.]+", "macosx", each) for each in stated}) != 1:
        return interpreter
    platform = max(stated, key=lambda each: [int(number) for number in re.findall(r"\d+", each)])
    release = platform.split("-")[1] if platform.startswith("macosx-") and platform[:11] != _ANY_MACOS else ""
    bits = 32 if is_32_bit(platform) else 64
    return interpreter._replace(platform=platform, macos=release, bits=bits, assumed=False)


def is_32_bit(platform: str) -> bool:
    """Whether a platform, as ``sysconfig`` spells it, is one of 32 bits."""
    return platform == "win32" or platform.endswith(("-i686", "-armv7l", "-armv6l", "-i386"))


def _platforms(text: str) -> Iterator[str]:
    """The platforms that a text states, as ``sysconfig`` spells them."""
    for match in _TAG.finditer(text):
        yield from filter(None, [platform_of_tag(match[1])])
    for match in _OF_UV.finditer(text):
        yield _spelled(match[1], match[2])
    for match in _BANNER.finditer(text):
        yield "win32" if match[1] == "32" else f"win-{match[2].lower()}"
    for match in _FOLDER.finditer(text):
        yield "win32" if match[1] == "32" else "win-arm64"
    for match in _MAC.finditer(text):
        machine = match[3].lower().replace("intel", "x86_64")
        yield f"macosx-{match[1]}.{match[2] or 0}-{machine}"
    for each in of_taken_wheels(text):
        yield re.sub(r"^macosx-[\d.]+", _ANY_MACOS, each)
    markers = dict(_MARKER.findall(text))
    if len(markers) == 2:
        yield _spelled(markers["sys_platform"], markers["platform_machine"].lower())


def _spelled(system: str, machine: str) -> str:
    start = _SYSTEMS.get(system, system)
    spelled = f"{start}-{_MACHINES.get(start, {}).get(machine, machine)}"
    return _BITS_32.get(spelled, spelled)
