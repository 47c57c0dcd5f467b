"""The input of a check: one environment, and the facts about it, each read when it is first needed."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from packaging.version import Version

from torchlock.answers import Unknown
from torchlock.finding import Evidence, Finding, Remedy, Strength
from torchlock.inspect.distributions import installed
from torchlock.inspect.integrity import Integrity, check_integrity
from torchlock.inspect.modules import find_copies
from torchlock.knowledge.build_labels import cuda_label, describe_build, kind_of
from torchlock.knowledge.judge import NamedVersion
from torchlock.knowledge.rules import Matrix
from torchlock.knowledge.severity import limited
from torchlock.knowledge.stack import FAMILY, MEMBERS, STACK, projects
from torchlock.patterns import pattern
from torchlock.standards.core_metadata import dependency_of
from torchlock.standards.names import normalise
from torchlock.target import LAST_PATCH, PYTHONS, PythonVersion, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from torchlock.inspect.build import Build
    from torchlock.inspect.distributions import Distribution, Installed
    from torchlock.inspect.environment import Environment
    from torchlock.inspect.extensions import Extension
    from torchlock.inspect.loading.imports import Attempt
    from torchlock.inspect.loading.process import LoaderProcess
    from torchlock.inspect.loading.root import Root
    from torchlock.inspect.loading.search_path import SearchPath
    from torchlock.inspect.modules import ModuleCopies, ModuleCopy
    from torchlock.knowledge.gpus import Gpu
    from torchlock.knowledge.stack import Backend
    from torchlock.runtime.fence import Breakage
    from torchlock.standards.dependency import Dependency
    from torchlock.target import Platform

# Libraries that only CUDA builds of torch contain.
_OF_CUDA = pattern(r"(lib)?(torch_cuda|c10_cuda|caffe2_gpu)(_cu|_cpp)?\.(so|dll)")
# The label of a build from source, which does not name CUDA.
_COMMIT = pattern(r"(git)?[0-9a-f]{6,40}")
# Limits on a line of metadata. Valid lines are shorter, and a number with this many digits can be parsed.
_LONGEST = 2000
# The name with which a requirement begins.
_HEAD = pattern(r"\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)")


@dataclass
class CheckContext:
    """One environment.

    ``live``: its interpreter was asked, so this machine's driver counts. ``root`` has the libraries of a Linux
    machine, ``search_path`` the folders of a macOS or Windows machine; None if they are unknown. ``libraries`` are
    the libraries of the machine that rules are about, as a target has them; ``system`` is the distribution
    release, if it was named. ``accelerator`` is the requested build; None for the installed one. ``deep``: compare
    the hash of every file. ``gpus`` are the GPUs of the machine, or the one that was stated
    (``gpu_stated``); ``driver_names_gpus``: the driver of this machine named them. ``stated_code`` is the GPU code
    of torch as a log lists it. ``ran`` are the packages that a smoke test imported, ``refused`` those of which a
    log shows that they do not load, ``broken`` the bugs that rules met; ``process`` has loaded the libraries of
    ``attempts``.
    """

    environment: Environment
    live: bool = True
    root: Root | None = None
    system: str | None = None
    accelerator: str | None = None
    deep: bool = False
    libraries: Mapping[str, str | None] = field(default_factory=dict)
    gpus: tuple[Gpu, ...] = ()
    gpu_stated: bool = False
    driver_names_gpus: bool = False
    stated_code: tuple[str, ...] = ()
    progress: Callable[[int, int], None] | None = None
    matrix: Matrix = field(default_factory=Matrix)
    platform: Platform | None = None
    search_path: SearchPath | None = None
    ran: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    broken: list[Breakage] = field(default_factory=list)
    process: LoaderProcess | None = field(default=None, init=False)

    @cached_property
    def installed(self) -> Installed:
        return installed(self.environment)

    @cached_property
    def copies(self) -> Mapping[str, ModuleCopies]:
        return find_copies(self.environment)

    @cached_property
    def integrity(self) -> Integrity:
        """The files against their records; a freezer copies a record, but not the files that it lists."""
        if self.environment.frozen is not None:
            return Integrity((), (), {})
        return check_integrity(self.environment, self.installed.distributions, self.deep, self.progress)

    @cached_property
    def attempts(self) -> list[Attempt]:
        """The libraries that the imports of the stack open, and the results; empty for an unknown platform."""
        target = self.target
        if target is None:
            return []
        from torchlock.inspect.extensions import beside_packages
        from torchlock.inspect.loading.imports import attempts

        self.process = process = self.new_process(target)
        python = self.python_minor
        records = {name: self.record(name) for name in STACK if self.copy(name) is not None}
        beside = {name: beside_packages(record, python) for name, record in records.items() if record is not None}
        return attempts(self.environment, self.copies, process, self._extensions(), beside, self.left_behind)

    def new_process(self, target: Target) -> LoaderProcess:
        """A process of this Python that has loaded nothing yet."""
        from torchlock.check.python_library import libraries_of_python, program_of_tree
        from torchlock.inspect.loading.processes import process_of
        from torchlock.inspect.loading.root import Root

        executable = self.environment.interpreter.executable if self.live else ""
        system, machine = target.platform.system, target.platform.machine
        beyond: tuple[str, ...] = ()
        root = self.root
        if self.search_path is not None:
            beyond = self.search_path.folders
            root = Root(self.search_path.root, machine=machine) if system == "macos" else None
        elif system == "linux" and not self.live:
            executable, beyond = program_of_tree(self), libraries_of_python(self)
        programs = self._beside_program if system == "linux" else self._programs
        process = process_of(
            system, machine, root, executable, beyond, programs, brings_runtime=self._brings_runtime
        )
        for folder in self._searched(system):
            process.search_in(folder)
        return process

    def _searched(self, system: str) -> tuple[str, ...]:
        """The folders beyond those of the packages in which the program lets the loader search."""
        prefix, frozen = self.environment.interpreter.prefix, self.environment.frozen
        if frozen is not None and system == "windows":
            return frozen.folders
        if system != "windows" or not prefix:
            return ()
        return (prefix, os.path.join(prefix, "Library", "bin"), os.path.join(prefix, "bin"))

    @property
    def _brings_runtime(self) -> bool:
        """Whether the Python of a tree has the whole C runtime of Windows in a folder that the tree does not show.

        A tree with python.exe and its DLL is the whole Python: then its folder shows what it has.
        """
        python, tree = self.environment.interpreter, self.environment.tree
        names = {name.lower() for name in tree.names(python.prefix)} if python.prefix else set()
        is_whole = "python.exe" in names and any(re.fullmatch(r"python3\d{1,2}t?\.dll", each) for each in names)
        if is_whole or self.environment.conda:
            return False
        return not (re.match(r"3\.[0-7](\.|$)", python.version) and not self.live)

    @property
    def _beside_program(self) -> tuple[str, ...]:
        """The folders to which a program of Linux leads the loader: those of an application, or of conda."""
        prefix, frozen = self.environment.interpreter.prefix, self.environment.frozen
        if frozen is not None:
            return frozen.programs
        return (os.path.join(prefix, "lib"),) if self.environment.conda and prefix else ()

    @property
    def _programs(self) -> tuple[str, ...]:
        """The folders that may hold the running program; empty if they are unknown."""
        python, frozen = self.environment.interpreter, self.environment.frozen
        if frozen is not None:
            return frozen.programs
        if python.executable:
            return tuple(
                dict.fromkeys(map(os.path.dirname, (os.path.realpath(python.executable), python.executable)))
            )
        return (os.path.join(python.prefix, "bin"),) if python.prefix and not python.virtual else ()

    @cached_property
    def left_behind(self) -> frozenset[str]:
        """The libraries for FFmpeg that an earlier torchcodec left in its folder: the record lists others only."""
        from torchlock.inspect.ownership import rows_of

        copy, record = self.copy("torchcodec"), self.record("torchcodec")
        rows = rows_of(record) if copy is not None and copy.kind == "package" and record is not None else {}
        names = self.environment.tree.names(copy.path) if copy is not None and rows else ()
        paths = (
            [os.path.join(copy.path, name) for name in names if "torchcodec" in name] if copy is not None else []
        )
        mine = [path for path in paths if os.path.normpath(path) in rows]
        return frozenset(path for path in paths if path not in mine) if mine else frozenset()

    @property
    def python_minor(self) -> str:
        """The Python version as extension modules name it: ``3.11``; "" if it is unknown."""
        return ".".join(self.environment.interpreter.version.split(".")[:2])

    def _extensions(self) -> list[Extension]:
        """The extension modules of all other packages that require torch."""
        from torchlock.inspect.extensions import extensions

        return extensions(self.users_of_torch(), self.python_minor)

    def users_of_torch(self) -> list[Distribution]:
        """The distributions outside the stack that require torch, or are known to without saying so."""
        others = (each for each in self.installed.distributions if each.name not in STACK)
        return [each for each in others if self._asks_for_torch(each)]

    def _asks_for_torch(self, distribution: Distribution) -> bool:
        from torchlock.check.torch_backends import entry_of

        if distribution.name in projects() and projects()[distribution.name].undeclared:
            return True
        if entry_of(self, distribution):
            return True
        if not any(line.startswith("torch") for line in distribution.metadata.requires):
            return False
        wanted = dependencies_of(distribution, on=("torch",))
        return any(self.target is not None and self.target.holds(each.marker) for each in wanted)

    def copy(self, name: str) -> ModuleCopy | None:
        """The copy that an import of this module finds."""
        copies = self.copies.get(name)
        return None if copies is None else copies.imported

    def build(self, name: str) -> Build | None:
        """The content of the version file of the imported copy."""
        copy = self.copy(name)
        return None if copy is None else copy.build

    @cached_property
    def target(self) -> Target | None:
        """The machine as a target of the rules; None if the stack never had a wheel for it."""
        platform = self.known_platform
        python = self.environment.interpreter.python or self._guessed_python()
        if platform is None or python is None:
            return None
        if platform.libc == "glibc" and self.platform is None and (floor := self._floor()):
            platform = platform._replace(floor=floor)
        return Target(python, platform, "pypi", "none", self.libraries)

    @property
    def known_platform(self) -> Platform | None:
        """The platform, also if the Python is unknown, so that there is no target."""
        return self.platform or self.environment.interpreter.target_platform

    @property
    def operating_system(self) -> str:
        """``linux``, ``macos`` or ``windows``; "" if the platform is unknown."""
        return self.known_platform.system if self.known_platform is not None else ""

    def _floor(self) -> tuple[int, int] | None:
        """The glibc version of another machine, from the symbol versions that its glibc defines."""
        if self.root is None or self.root.is_here or len(self.root.glibc_version) != 2:
            return None
        return self.root.glibc_version

    def _guessed_python(self) -> PythonVersion | None:
        """A Python version from the tags of the installed wheels, if nothing else shows it."""
        for distribution in self.installed.distributions:
            for tag in distribution.tags if distribution.name in FAMILY else ():
                found = re.match(r"cp3(\d{1,2})-cp3\d{1,2}(t?)", tag)
                if found and int(found[1]) in PYTHONS:
                    minor = int(found[1])
                    return PythonVersion(3, minor, LAST_PATCH.get(minor, 0), bool(found[2]))
        return None

    @cached_property
    def pins(self) -> dict[str, NamedVersion]:
        """The stack as an import finds it, then all other distributions."""
        pins = {}
        for name in STACK:
            pin = self._pin(name)
            if pin is not None:
                pins[name] = pin
        for distribution in self.installed.distributions:
            version = version_of(distribution.version)
            if distribution.name not in pins and version is not None:
                pins[distribution.name] = NamedVersion(distribution.name, version)
        return pins

    def _pin(self, name: str) -> NamedVersion | None:
        copy, distribution = self.copy(name), self.record(name)
        if copy is None or copy.kind == "namespace":
            return None
        texts = [copy.build.version if copy.build else "", distribution.version if distribution else ""]
        versions = [version for text in texts if (version := version_of(text)) is not None]
        if not versions:
            return NamedVersion(name, Version("0"), unversioned=True)
        if name not in FAMILY and versions[0].release == versions[-1].release:
            versions.reverse()  # soundfile 0.10.3.post1 calls itself 0.10.3, and no such release exists.
        tags = distribution.tags[0] if distribution and distribution.tags else ""
        return NamedVersion(name, versions[0], False, tags, self._build(name))

    def record(self, name: str) -> Distribution | None:
        """The record of the imported copy: both are in the same folder."""
        copy = self.copy(name)
        mine = [item for item in self.installed.distributions if item.name == name]
        beside = [each for each in mine if copy and copy.entry and each.entry.path == copy.entry.path]
        if beside:
            version = version_of(copy.build.version) if copy and copy.build else None
            same = (each for each in beside if version and _is_same(version_of(each.version), version))
            return next(same, beside[0])
        return mine[0] if mine and (copy is None or copy.entry is None) else None

    def _build(self, name: str) -> str | Unknown | None:
        """The build as the rules name it; for a vendor's label, the CUDA version in the version file.

        An import that compares CUDA versions asks that file. None for a package without builds.
        """
        label, build = self.label(name), self.build(name)
        if label and kind_of(label) is None and build is not None and build.cuda:
            return cuda_label(build.cuda)
        return label or (self._linked(name) if name in FAMILY else None)

    def _linked(self, name: str) -> str | Unknown:
        """The CUDA build, from the name of the CUDA runtime that a package links.

        Up to CUDA 10 the name has the minor version.
        """
        from torchlock.inspect.build import linked_cuda

        copy = self.copy(name)
        if copy is None or name == "torch":
            return Unknown("nothing in it shows what it was built for")
        cuda = linked_cuda(copy.path, self.environment.tree)
        return cuda if isinstance(cuda, Unknown) else cuda_label(cuda)

    def label(self, name: str) -> str | None:
        """The build of a package: ``cpu``, ``cu130``, ``rocm6.4``, a vendor's label; None if it is unknown.

        What the files show comes before the label, because a label is only a claim.
        """
        labelled, shown = self.labelled(name), self._shown(name)
        if name == "torch" and shown == "cpu" and not labelled and (backend := self._own_backend):
            return backend.name
        kind = kind_of(labelled) if labelled else "cpu"
        if shown is None or kind is None or (shown == "" and kind == "cuda"):
            return labelled or None
        return shown or None

    @cached_property
    def _backend(self) -> Backend | None:
        """The package by which torch uses the accelerator of another vendor."""
        from torchlock.check.vendors import backend_of

        return backend_of(self)

    @property
    def _own_backend(self) -> Backend | None:
        """The same, if its vendor builds torch, too."""
        return self._backend if self._backend is not None and self._backend.own else None

    def labelled(self, name: str) -> str:
        """The local version, from the version file or else from the record; "" if there is none."""
        build, record = self.build(name), self.record(name)
        labels = [build.label if build else "", record.label if record else ""]
        return next((label for label in labels if label), "")

    def _shown(self, name: str) -> str | None:
        """The build that the files show: "" for CUDA of an unknown version, None if they show nothing."""
        build, copy = self.build(name), self.copy(name)
        if build is None or copy is None or (self.target is not None and self.target.platform.system == "macos"):
            return None  # All builds for macOS are the same.
        if build.cuda:
            return cuda_label(build.cuda)
        if build.hip:
            return "rocm" + ".".join(build.hip.split(".")[:2])
        libraries = self.environment.tree.names(os.path.join(copy.path, "lib")) if name == "torch" else {}
        of_cuda = [each for each in libraries if _OF_CUDA.match(each)]
        if of_cuda and not (build.cuda == "" and self._are_leftovers(of_cuda)):
            return ""
        if any("torch_xpu" in each for each in libraries):
            return "xpu"
        says_nothing = build.xpu is None and kind_of(self.labelled(name)) == "xpu"  # The first such builds.
        is_plain = build.cuda == "" and not build.hip and not build.xpu and not says_nothing
        is_seen = not self.labelled(name) or any("torch_cpu" in each for each in libraries)
        return "cpu" if is_plain and is_seen else None

    def _are_leftovers(self, libraries: list[str]) -> bool:
        """Whether libraries in torch's folder are from an earlier installation: its record lists others only."""
        from torchlock.inspect.record import Record, read_record

        record = self.record("torch")
        rows = read_record(record) if record is not None else ""
        if not isinstance(rows, Record):
            return False
        mine = {row.path.rpartition("/")[2] for row in rows if row.path.startswith("torch/lib/")}
        return bool(mine) and not mine & set(libraries)

    def finding(
        self,
        rule: str,
        severity: str,
        message: str,
        *names: str,
        path: str = "",
        because: str | None = None,
        expected_error: str = "",
        remedy: Remedy | None = None,
        sources: tuple[str, ...] | None = None,
        strength: Strength = Strength.SHOWN,
        lacks: tuple[str, ...] = (),
    ) -> Finding:
        """A finding about these packages, with the reason and the sources of its rule.

        The policy (``knowledge/severity.py``) limits its severity. Sources about another operating system are left
        out.
        """
        identifiers = self.matrix.sources_of(rule) if sources is None else sources
        cited = [self.evidence(identifier) for identifier in identifiers]
        machine = self.search_path or self.root
        return Finding(
            rule,
            limited(rule, severity, strength=strength),
            message,
            because=self.matrix.because(rule) if because is None else because,
            packages=tuple((name, self.version(name)) for name in names),
            sources=tuple(each for each in cited if each.system in ("", self.operating_system or each.system)),
            path=path,
            expected_error=machine.said(expected_error) if machine is not None else expected_error,
            remedy=remedy,
            strength=strength,
            lacks=lacks,
        )

    def evidence(self, identifier: str) -> Evidence:
        """A source of the rules, as a report shows it."""
        return self.matrix.source(identifier)

    def version(self, name: str) -> str:
        """The installed version with its build; "" if it is not installed or unknown."""
        pin = self.pins.get(name)
        if pin is None:
            record = self.installed.get(name)
            return record.version if record else ""
        return "" if pin.unversioned else str(pin.version)

    def named(self, name: str) -> str:
        """A package in words: ``torch 2.13.0 (CPU build)``."""
        pin = self.pins.get(name)
        if pin is None or pin.unversioned:
            return name
        has_builds, label = name in FAMILY and MEMBERS[name].labels, self.label(name) or ""
        is_vendors = label and kind_of(label) is None and not _COMMIT.fullmatch(label)
        build = describe_build(label if is_vendors else pin.build) if has_builds else ""
        if name == "torch" and (backend := self._backend) is not None:
            own = "" if label == backend.name else f"{build}, with " if build else "with "
            build = (
                f"{own}{backend.name} for {backend.accelerators}" if own else f"build for {backend.accelerators}"
            )
        return f"{name} {pin.version.public}" + (f" ({build})" if build else "")


def _is_same(recorded: Version | None, version: Version) -> bool:
    """Whether a record is of a version. The version file alone may have a label."""
    return recorded is not None and recorded.public == version.public


@lru_cache(maxsize=1 << 12)
def version_of(text: str) -> Version | None:
    """Parse a version; None if it is invalid."""
    try:
        return Version(text)
    except ValueError:  # InvalidVersion, or a number with thousands of digits
        return None


_dependency = lru_cache(maxsize=1 << 12)(dependency_of)


def dependencies_of(distribution: Distribution, on: Collection[str] = ()) -> list[Dependency]:
    """The valid requirements in the metadata. A requirement with an address allows any version.

    ``on``: only those on projects of these normalised names; the others are not parsed.
    """
    lines = [line for line in distribution.metadata.requires if len(line) < _LONGEST]
    if on:
        heads = ((line, _HEAD.match(line)) for line in lines)
        lines = [line for line, head in heads if head is not None and normalise(head[1]) in on]
    parsed = (dependency for line in lines if (dependency := _dependency(line)))
    found = [item for item in parsed if not on or item.name in on]
    return [item._replace(specifier="") if item.address else item for item in found]
