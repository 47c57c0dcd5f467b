"""Broken environments of real wheels, what ``check`` says of them, and the proof that its command mends them."""

from __future__ import annotations

import json
import re
import shutil
import stat
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from support import installed, skeletons
from support.check import assert_remedies
from support.libraries import elf
from support.real_wheels import Wheels
from support.shop import belongs, cuda_of, pinned_torch
from support.site_folder import install, write
from support.skeletons import MACHINES, Site, Uses, uses_of
from torchlock.cli.main import main

# The files of a machine that every library of a wheel needs.
_OF_GLIBC = (
    "libc.so.6",
    "libm.so.6",
    "libpthread.so.0",
    "libdl.so.2",
    "librt.so.1",
    "libutil.so.1",
    "libmvec.so.1",
)
_OF_GCC = ("libstdc++.so.6", "libgcc_s.so.1", "libgomp.so.1", "libz.so.1")
_LOADERS = {"x86_64": "ld-linux-x86-64.so.2", "aarch64": "ld-linux-aarch64.so.1"}
COMPANIONS = ("torchaudio", "torchvision", "torchcodec", "torchtext")


class Said(NamedTuple):
    """One finding of a report. ``remedy`` is its sentence, ``commands`` its variants; "" and () for none."""

    rule: str
    severity: str
    message: str
    because: str
    says: str
    remedy: str
    commands: tuple[str, ...]
    packages: tuple[str, ...]
    consequences: tuple[str, ...]


class Checked(NamedTuple):
    """The report of a check. ``first`` is the first finding that is no note, ``command`` the one that is shown."""

    site: Site
    findings: list[Said]
    command: str
    code: int
    text: str
    json: dict[str, Any]
    again: Callable[[], Checked]

    @property
    def bad(self) -> list[Said]:
        """The errors and warnings."""
        return [each for each in self.findings if each.severity != "note"]

    @property
    def first(self) -> Said:
        """The first error or warning."""
        assert self.bad, f"nothing is wrong: {self.text}"
        return self.bad[0]

    @property
    def commands(self) -> tuple[str, ...]:
        """The variants of the command of the first finding."""
        return self.first.commands


class _Torch(NamedTuple):
    """How a torch was staged, so that it can be written again with further symbols."""

    version: str
    cuda: str
    requires: Sequence[str]
    needs: Mapping[str, Sequence[str]]
    recorded: str
    hip: str
    uses: list[Uses]


class Ground:
    """A folder in which environments are staged, checked, and cured by what a check offers."""

    def __init__(
        self, folder: Path, wheels: Wheels, patch: pytest.MonkeyPatch, output: pytest.CaptureFixture[str]
    ) -> None:
        self.folder = folder
        self.wheels = wheels
        self.patch = patch
        self._output = output
        self._torches: dict[Path, _Torch] = {}

    # Sites

    def linux(
        self,
        python: str = "3.11",
        packages: str = "site-packages",
        machine: str = "x86_64",
        prefix: str = "usr/local",
    ) -> Site:
        """An empty folder of packages of a Linux whose other files are unknown, until ``image`` adds them."""
        name = "python3" if packages == "dist-packages" and prefix == "usr" else f"python{python}"
        return self._site(f"{prefix}/lib/{name}/{packages}", python, "linux", machine)

    def mac(self, prefix: str = "opt/venv", python: str = "3.11", machine: str = "arm64") -> Site:
        """An empty folder of packages of a Mac. Give ``root=True`` to ``check`` for the machine's libraries."""
        return self._site(f"{prefix}/lib/python{python}/site-packages", python, "macos", machine)

    def windows(self, python: str = "3.11", prefix: str = "venv") -> Site:
        """An empty folder of packages of a Windows machine."""
        return self._site(f"{prefix}/Lib/site-packages", python, "windows", "amd64")

    def _site(self, path: str, python: str, system: str, machine: str) -> Site:
        root = self.folder / "root"
        site = Site(root / path, python, system, machine, root)
        site.path.mkdir(parents=True)
        return site

    def image(
        self, *libraries: str, system: str = "debian-12", folder: str = "usr/lib", machine: str = "x86_64"
    ) -> Path:
        """Make a machine of the root folder: a distribution release, glibc, GCC's libraries, and these."""
        root = self.folder / "root"
        name, _, version = system.partition("-")
        write(root / "etc" / "os-release", f"ID={name}\nVERSION_ID={version}\n")
        for each in (*_OF_GLIBC, _LOADERS[machine], *_OF_GCC):
            write(root / "lib64" / each, elf(each, machine=MACHINES[machine]))
        for each in libraries:
            write(root / folder / each, elf(each, machine=MACHINES[machine]))
        return root

    def library(
        self,
        path: str | Path,
        needed: Sequence[str] = (),
        exports: Sequence[str] = (),
        uses: Sequence[str] = (),
        **options: Any,
    ) -> Path:
        """Write an ELF library: a path below the root folder, what it needs, has, and uses."""
        place = self.folder / "root" / str(path).lstrip("/") if not Path(path).is_absolute() else Path(path)
        return write(place, elf(options.pop("soname", place.name), needed, exports, uses, **options))

    # Packages

    def wheel(self, site: Site, requirement: str, *, platform: str = "", python: str = "") -> None:
        """Install a real wheel; with a label, the wheel of the public index as one of that build."""
        name, _, version = requirement.partition("==")
        public, _, label = version.partition("+")
        wanted = f"{name}=={public}" if public else name
        self.wheels.install(site.path, wanted, platform or site.wheel_platform, python or site.python)
        if label:
            skeletons.rebuilt(site, name.replace("-", "_"), label)
            self.unrecord(site, rf"{name}/.*\.so")
            self.relabel(site, name, version)
        self._offer(site, name)

    def torch(
        self,
        site: Site,
        version: str,
        *,
        made_for: Sequence[str] | None = None,
        requires: Sequence[str] = (),
        needs: Mapping[str, Sequence[str]] | None = None,
        cuda: str | None = None,
        hip: str = "",
        recorded: str = "",
        uses: Uses | None = None,
        nvidia: bool = True,
    ) -> None:
        """Install a torch that offers what its own companions use.

        ``made_for`` are their requirements (default: the installed companions of this very release). The CUDA
        version is that of the label. ``requires`` are lines of its metadata, ``needs`` libraries that its own
        ones need besides. ``recorded``: the version of its metadata (default: ``version``). ``nvidia``: install
        the CUDA run-time libraries that it needs.
        """
        shown = cuda_of(version.partition("+")[2]) if cuda is None else cuda
        offered = [self.measured(site, each) for each in made_for or ()] + ([uses] if uses else [])
        if made_for is None:
            offered += [self._uses(site, name) for name in COMPANIONS if self._is_for(site, name, version)]
        self._torches[site.path] = _Torch(version, shown, requires, needs or {}, recorded, hip, offered)
        self._write(site)
        if shown and nvidia and site.system == "linux":
            major = shown.partition(".")[0]
            name = "nvidia-cuda-runtime" + (f"-cu{major}" if int(major) < 13 else "")
            if not list(site.path.glob(f"{name.replace('-', '_')}-*.dist-info")):
                self._everything_of_cuda(site, name, shown)

    def _everything_of_cuda(self, site: Site, name: str, cuda: str) -> None:
        """Put all CUDA libraries that are needed here into one package, as the test is not about them."""
        major = cuda.partition(".")[0]
        folder = f"nvidia/cu{major}/lib" if int(major) > 12 else "nvidia/cuda_runtime/lib"
        missing = [each for each in uses_of([site.path / "torch"]).needed if skeletons.OF_NVIDIA.match(each)]
        have = {path.name for path in site.path.rglob("*.so*")}
        files: dict[str, bytes | str] = {
            f"{folder}/{each}": elf(each, machine=MACHINES[site.machine]) for each in sorted({*missing} - have)
        }
        install(site.path, name, cuda, files)

    def _write(self, site: Site) -> None:
        staged = self._torches[site.path]
        symbols: dict[str, set[str]] = {}
        for each in staged.uses:
            for library, names in each.symbols.items():
                symbols.setdefault(library, set()).update(names)
        uses = Uses(symbols, set().union(*(each.needed for each in staged.uses)) if staged.uses else set())
        self.uninstall(site, "torch")
        skeletons.torch(
            site,
            staged.version,
            staged.cuda,
            uses,
            requires=staged.requires,
            needs=staged.needs,
            recorded=staged.recorded,
            hip=staged.hip,
        )
        if staged.cuda.startswith("11.") and site.system == "linux":
            self._bundle(site)

    def _bundle(self, site: Site) -> None:
        """Builds of torch for CUDA 11 contain the NVTX that companions of their time need."""
        lib = site.path / "torch" / "lib"
        if "libnvToolsExt.so.1" in uses_of([site.path / "torch"]).needed:
            write(lib / "libnvToolsExt.so.1", elf("libnvToolsExt.so.1", machine=MACHINES[site.machine]))

    def _offer(self, site: Site, name: str) -> None:
        """Let the torch that is there, if it is whole, offer what a new companion of its release uses."""
        staged = self._torches.get(site.path)
        if staged is None or name not in COMPANIONS or not self._is_for(site, name, staged.version):
            return
        if installed.is_whole(site, "torch"):
            self._torches[site.path] = staged._replace(uses=[*staged.uses, self._uses(site, name)])
            self._write(site)

    def measured(self, site: Site, requirement: str) -> Uses:
        """What the libraries of a wheel use."""
        key = requirement, site.python, site.platform
        known = self.wheels.measured
        if key not in known:
            place = site._replace(path=self.folder / "measured")
            place.path.mkdir()
            self.wheel(place, requirement)
            known[key] = uses_of([place.path])
            shutil.rmtree(place.path)
        return known[key]

    def _uses(self, site: Site, name: str) -> Uses:
        return uses_of([site.path / name])

    def _is_for(self, site: Site, name: str, torch: str) -> bool:
        version = self.version(site, name)
        public = torch.partition("+")[0]
        pinned = pinned_torch(site, name)
        return bool(version) and (pinned == public if pinned else belongs(name, version, public, site))

    def version(self, site: Site, name: str) -> str:
        """The recorded version of an installed package; "" if it is not there."""
        return installed.version(site, name)

    def uninstall(self, site: Site, name: str) -> bool:
        """Remove a package by its record, as installers do; False if it is not there."""
        return installed.uninstall(site, name)

    def relabel(self, site: Site, name: str, version: str) -> None:
        """Give an installed wheel another version, its own version.py included."""
        installed.relabel(site, name, version)

    def any_torch(self, site: Site, name: str = "torchaudio") -> None:
        """Take the pin on torch out of an installed wheel's metadata, as builds from source have it."""
        installed.any_torch(site, name)

    def unrecord(self, site: Site, pattern: str) -> None:
        """Drop size and hash of some files, so that replacing them is not the finding."""
        installed.unrecord(site, pattern)

    # Checks

    def check(
        self,
        site: Site,
        *options: str,
        log: str = "",
        root: Path | str | bool = "",
        platform: str = "",
        live: bool = False,
        variables: Mapping[str, str] | None = None,
    ) -> Checked:
        """Run ``check`` over a site and read its report.

        ``root=True`` is the root folder that was staged. ``live``: over a script that starts this Python with the
        site on its path. ``variables`` are set for it.
        """
        for name, value in (variables or {}).items():
            self.patch.setenv(name, value)
        words = ["--python", str(self.python(site))] if live else ["--path", str(site.path)]
        if root:
            words += ["--root", str(site.root if root is True else root)]
        words += ["--platform", platform] if platform else []
        asked = [*words, *(["--log", str(write(self.folder / "log.txt", log))] if log else [])]
        self._output.readouterr()
        code = main(["check", *asked, *options, "--format", "json"])
        text = self._output.readouterr()
        assert code in (0, 1), text.err or text.out
        found = json.loads(text.out)
        assert_remedies(found)
        said = [_said(row) for row in found["files"][0]["findings"]]

        def again() -> Checked:
            return self.check(site, *options, root=root, platform=platform, live=live)

        return Checked(site, said, found["command"] or "", code, found["summary"], found, again)

    def python(self, site: Site) -> Path:
        """A script that starts this Python with a site on its path."""
        lines = f'#!/bin/sh\nexport PYTHONPATH={site.path}\nexec {sys.executable} "$@"\n'
        script = write(self.folder / "bin" / "python", lines)
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        return script

    def cure(self, done: Checked, by: Callable[[], object] | None = None, *, other_build: bool = False) -> Checked:
        """Do what the first finding offers, and check again: no error or warning is left, and CUDA stays CUDA.

        ``by`` does what a remedy without a command says. ``other_build``: the remedy is another build of torch.
        """
        from support.appliers import Shell

        before = self.accelerator(done.site)
        shell = Shell(self, done.site)
        if by is not None:
            assert done.first.remedy, f"no remedy: {done.first}"
            by()
        else:
            assert done.command, f"no command: {done.first}"
            shell.run(done.command)
        again = done.again() if shell.site == done.site else self.check(shell.site)
        assert not again.bad, (done.command, again.bad)
        if not other_build and before:
            assert self.accelerator(shell.site) in ("", before), f"{before} became {self.accelerator(shell.site)}"
        return again

    def accelerator(self, site: Site) -> str:
        """What the installed torch was built for: cuda, hip or cpu; "" without a torch."""
        own = site.path / "torch" / "version.py"
        text = own.read_text() if own.is_file() else ""
        found = re.search(r"(?m)^(cuda|hip)\b.*= '", text)
        return found[1] if found else "cpu" if text else ""


def _said(row: Mapping[str, Any]) -> Said:
    remedy = row.get("remedy") or {}
    lines = tuple(each["line"] for each in remedy.get("commands", ()))
    packages = tuple(each["name"] for each in row["packages"])
    below = tuple(each["rule"] for each in row["consequences"])
    return Said(
        row["rule"],
        row["severity"],
        row["message"],
        row["because"] or "",
        row["says"] or "",
        remedy.get("summary", ""),
        lines,
        packages,
        below,
    )
