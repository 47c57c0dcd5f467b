"""The target: Python, platform and system libraries. It never depends on the interpreter that runs torchlock."""

from __future__ import annotations

import re
import sys
from functools import cached_property, lru_cache
from itertools import product

from torchlock.answers import Unknown
from torchlock.errors import InputError
from torchlock.records import NamedTuple, dataclass, field
from torchlock.redaction import shortened
from torchlock.spelling import meant
from torchlock.standards.markers import parsed, plain_value, value_of
from torchlock.standards.ordering import admits, clauses_of
from torchlock.standards.wheel_tags import host_platform, installable
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

# The last patch release of each Python series, or the newest known: "3.11" without a patch release means it.
LAST_PATCH = {6: 15, 7: 17, 8: 20, 9: 25, 10: 20, 11: 16, 12: 14, 13: 12, 14: 7, 15: 1}

# The month in which the support of a Python series ends (https://devguide.python.org/versions/).
SUPPORT_ENDS = {
    6: "2021-12",
    7: "2023-06",
    8: "2024-10",
    9: "2025-10",
    10: "2026-10",
    11: "2027-10",
    12: "2028-10",
    13: "2029-10",
    14: "2030-10",
    15: "2031-10",
}

# The minor releases of Python 3 that the data cover.
PYTHONS = tuple(LAST_PATCH)

# The floor of a platform without one, and the name of its machine in markers.
_DEFAULT_GLIBC = (2, 28)
_DEFAULT_MACOS = {"arm64": (14, 0), "x86_64": (13, 0)}

PLATFORMS = (
    "linux-x86_64",
    "linux-aarch64",
    "macos-arm64",
    "macos-x86_64",
    "windows-amd64",
    "windows-arm64",
)


class PythonVersion(NamedTuple):
    """A CPython version; ``free_threaded`` for the builds whose wheel tags end in t."""

    major: int
    minor: int
    patch: int
    free_threaded: bool = False

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}" + ("t" if self.free_threaded else "")

    @property
    def full(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"

    def satisfies(self, requires_python: str) -> bool:
        """Whether Requires-Python admits this Python; as in pip, an invalid specifier admits all."""
        if clauses_of(requires_python) is not None:
            return admits(requires_python, self.full)
        from packaging.specifiers import SpecifierSet

        try:
            return SpecifierSet(requires_python).contains(self.full, prereleases=True)
        except ValueError:
            return True

    @classmethod
    def parse(cls, text: str) -> PythonVersion:
        """Parse ``3.11``, ``3.11.7`` or ``3.13t``; ``3.11`` means its newest patch release.

        Raises:
            InputError: it is not a Python version from 3.6 on.
        """
        match = re.fullmatch(r"([0-9])\.([0-9]{1,2})(?:\.([0-9]{1,2}))?(t?)", text.strip())
        if not match or int(match[1]) != 3 or int(match[2]) < 6:
            hint = "use a version from 3.6 on, like --python 3.12, or the path of an interpreter"
            raise InputError(f"--python: {text!r} is not a Python version", hint=hint)
        minor = int(match[2])
        patch = int(match[3]) if match[3] else LAST_PATCH.get(minor, 0)
        return cls(3, minor, patch, bool(match[4]))


class Platform(NamedTuple):
    """An operating system, a machine, and the floor: the oldest supported C library or macOS.

    ``system`` is linux, macos or windows; ``libc`` is glibc, musl or empty; ``floor`` is a version of the libc or
    of macOS, and (0, 0) on Windows.
    """

    system: str
    machine: str
    libc: str
    floor: tuple[int, int]

    def __str__(self) -> str:
        return f"{self.system}-{self.machine}"

    @property
    def spelled(self) -> str:
        """The platform with its floor, in the spelling of wheel tags; accepted by ``parse``."""
        major, minor = self.floor
        if self.system == "windows":
            return str(self)
        family = {"glibc": "manylinux", "musl": "musllinux"}.get(self.libc, "macosx")
        return f"{family}_{major}_{minor}_{self.machine}"

    @classmethod
    def parse(cls, text: str) -> Platform:
        """Parse ``linux-x86_64``, ``manylinux_2_28_x86_64``, ``macosx_14_0_arm64``, ``musllinux_1_2_aarch64``, ….

        Raises:
            InputError: it is not a known platform.
        """
        name = {
            "manylinux1": "manylinux_2_5",
            "manylinux2010": "manylinux_2_12",
            "manylinux2014": "manylinux_2_17",
        }
        family, dash, rest = text.partition("_")
        text = f"{name.get(family, family)}{dash}{rest}"
        if text in PLATFORMS:
            system, machine = text.split("-")
            if system == "linux":
                return cls(system, machine, "glibc", _DEFAULT_GLIBC)
            return cls(system, machine, "", _DEFAULT_MACOS[machine] if system == "macos" else (0, 0))
        match = re.fullmatch(r"(manylinux|musllinux|macosx)_([0-9]{1,3})_([0-9]{1,3})_(\w+)", text)
        if match:
            family, machine = match[1], match[4]
            system = "macos" if family == "macosx" else "linux"
            if family == "macosx" and machine == "arm64" and int(match[2]) < 11:
                hint = "use --platform macosx_11_0_arm64 or a later release"
                raise InputError(f"--platform {text}: the first macOS for arm64 is 11.0", hint=hint)
            if f"{system}-{machine}" in PLATFORMS:
                libc = {"manylinux": "glibc", "musllinux": "musl"}.get(family, "")
                return cls(system, machine, libc, (int(match[2]), int(match[3])))
        if re.fullmatch(r"win_(amd64|arm64)", text):
            return cls("windows", text[4:], "", (0, 0))
        raise InputError(
            f"--platform: unknown platform {text!r}{meant(text, PLATFORMS)}",
            hint=f"use host, {', '.join(PLATFORMS)}, or a name with a floor, like manylinux_2_28_x86_64",
        )

    @classmethod
    def of_host(cls) -> Platform:
        """The platform of the running interpreter; its C library or macOS sets the floor."""
        if found := host_platform():
            return cls.parse(found)
        from packaging.tags import platform_tags

        for tag in platform_tags():
            if re.match(r"(manylinux_|musllinux_|macosx_|win_(amd|arm)64)", tag):
                return cls.parse(tag)
        raise InputError(
            f"no wheels of this stack exist for this machine ({sys.platform})",
            hint="name another target with --platform",
        )

    def tags(self) -> Iterator[str]:
        """The platform part of the wheel tags that install here, best first (PEP 425, 600, 656)."""
        major, minor = self.floor
        if self.libc == "glibc":
            legacy = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
            for number in range(minor, 4, -1) if major == 2 else ():
                if self.machine == "aarch64" and number < 17:
                    break
                yield f"manylinux_2_{number}_{self.machine}"
                if number in legacy:
                    yield f"{legacy[number]}_{self.machine}"
            yield f"linux_{self.machine}"
        elif self.libc == "musl":
            yield from (f"musllinux_{major}_{number}_{self.machine}" for number in range(minor, -1, -1))
            yield f"linux_{self.machine}"
        elif self.system == "macos":
            from packaging.tags import mac_platforms

            yield from mac_platforms(self.floor, self.machine)
        else:
            yield f"win_{self.machine}"


class _Ranks(dict[str, "int | None"]):
    """The ranks of wheels by their (compressed) tags, each worked out once; ``of_tags``: those of single tags."""

    def __init__(self, of_tags: dict[str, int]) -> None:
        super().__init__()
        self.of_tags = of_tags

    def __missing__(self, tags: str) -> int | None:
        single = tags if "." not in tags and tags.count("-") == 2 else None
        if single is not None:
            found = self[tags] = self.of_tags.get(single)
            return found
        ranks = [rank for tag in _single_tags(tags) if (rank := self.of_tags.get(tag)) is not None]
        found = self[tags] = min(ranks, default=None)
        return found


@lru_cache(maxsize=4096)
def _single_tags(tags: str) -> tuple[str, ...]:
    """The tags that the last three parts of a wheel's name stand for (PEP 425)."""
    parts = [part.split(".") for part in tags.split("-")[-3:]]
    return tuple(map("-".join, product(*parts))) if len(parts) == 3 else ()


@lru_cache(maxsize=128)
def _ranks(major: int, minor: int, free_threaded: bool, platform: Platform) -> _Ranks:
    """The ranks of wheels for one Python on one platform, shared by all targets of these."""
    ranked = list(installable((major, minor), free_threaded, list(platform.tags())))
    return _Ranks({tag: rank for rank, tag in reversed(list(enumerate(ranked)))})


@lru_cache(maxsize=128)
def _markers(python: PythonVersion, platform: Platform) -> dict[tuple[str, str], bool]:
    """The values of markers, for all targets with this Python and platform: no marker names anything else."""
    return {}


@dataclass(frozen=True)
class Target:
    """The Python and the machine on which a lock must load.

    ``libraries`` maps a host library (``ffmpeg``, ``libsox``, ``libsndfile``, ``cuda-driver``, …) to its
    version, or to None if the target is known to lack it; a library that is not in it is unknown. ``gpu`` is the
    architecture of its GPU (``sm_86``), those of several GPUs (``sm_70,sm_120``), ``none``, or "" if it is not
    stated.
    """

    python: PythonVersion
    platform: Platform
    accelerator: str = "pypi"
    system: str = "none"
    libraries: Mapping[str, str | None] = field(default_factory=dict)
    gpu: str = ""

    def __str__(self) -> str:
        return f"Python {self.python}, {self.platform.spelled}"

    @cached_property
    def environment(self) -> dict[str, str]:
        """The marker environment of PEP 508. Values that a target cannot know (kernel release) are empty."""
        system = self.platform.system
        machine = "AMD64" if self.platform.machine == "amd64" else self.platform.machine
        return {
            "os_name": "nt" if system == "windows" else "posix",
            "sys_platform": {"linux": "linux", "macos": "darwin", "windows": "win32"}[system],
            "platform_system": {"linux": "Linux", "macos": "Darwin", "windows": "Windows"}[system],
            "platform_machine": "ARM64" if (system, machine) == ("windows", "arm64") else machine,
            "platform_release": "",
            "platform_version": "",
            "platform_python_implementation": "CPython",
            "implementation_name": "cpython",
            "implementation_version": self.python.full,
            "python_version": f"{self.python.major}.{self.python.minor}",
            "python_full_version": self.python.full,
            "extra": "",
        }

    @property
    def tag_ranks(self) -> Mapping[str, int]:
        """Every wheel tag that installs here, with its rank: installers prefer a lower rank."""
        return self._ranks.of_tags

    @cached_property
    def rank(self) -> Callable[[str], int | None]:
        """Returns the rank of a wheel whose name ends in these (compressed) tags; None if it does not install.

        Asked 33,000 times in a lock of transformers: a method would take four times as long as the table.
        """
        return self._ranks.__getitem__

    @cached_property
    def _ranks(self) -> _Ranks:
        return _ranks(*self.python[:2], self.python.free_threaded, self.platform)

    def holds(self, marker: str, extra: str = "") -> bool:
        """Whether an environment marker (PEP 508) is true here, with this extra.

        Raises:
            InputError: it has no value. (Readers refuse such markers, each with its line.)
        """
        if not marker:
            return True
        known = self._markers.get((marker, extra))
        if known is None:
            environment = {**self.environment, "extra": extra}
            value: bool | Unknown | None = plain_value(marker, environment)
            if value is None:
                found = parsed(marker)
                value = found if isinstance(found, Unknown) else value_of(found, environment)
            if isinstance(value, Unknown):
                raise InputError(f"the marker {shortened(marker)!r} has no value: {value.because}")
            known = self._markers[marker, extra] = value
        return known

    @cached_property
    def _markers(self) -> dict[tuple[str, str], bool]:
        return _markers(self.python, self.platform)

    def host(self) -> dict[str, str | None]:
        """The machine as packages: ``host-glibc`` → 2.28 and so on; None for a library that it lacks.

        ``host-gil`` is the global interpreter lock, which free-threaded builds of Python lack.
        """
        version = ".".join(map(str, self.platform.floor))
        found: dict[str, str | None] = {f"host-{name}": known for name, known in self.libraries.items()}
        found.setdefault("host-glibc", version if self.platform.libc == "glibc" else None)
        found.setdefault("host-musl", version if self.platform.libc == "musl" else None)
        found.setdefault("host-macos", version if self.platform.system == "macos" else None)
        found["host-gil"] = None if self.python.free_threaded else "1"
        return found
