"""Commands that a check offers, applied to a staged environment as the tools themselves would apply them."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from support import skeletons
from support.libraries import elf, pe
from support.shop import chosen, cuda_of, label_of, releases, requirements, target_of, wheel_of
from support.site_folder import write
from support.skeletons import MACHINES, Site, dylib
from torchlock.check.fix.torch_builds import public_build
from torchlock.knowledge import systems
from torchlock.knowledge.systems import System, load
from torchlock.knowledge.tables import ROOT, load_json
from torchlock.standards.dependency import Dependency

if TYPE_CHECKING:
    from support.ground import Ground

# Large packages that the catalogue does not have: the newest release of 2026-11-29, with libnppicc.so.12 in
# nvidia/npp/lib, and libnppicc.so.13 in nvidia/cu13/lib.
_NPP = {"nvidia-npp-cu12": "12.4.1.87", "nvidia-npp": "13.2.0.93"}
_LARGEST = 30 << 20
_FFMPEG = ("avutil", "avcodec", "avformat", "avdevice", "avfilter", "swscale", "swresample")
_NUMBERS = {
    4: (56, 58, 58, 58, 7, 5, 3),
    5: (57, 59, 59, 59, 8, 6, 4),
    6: (58, 60, 60, 60, 9, 7, 4),
    7: (59, 61, 61, 61, 10, 8, 5),
    8: (60, 62, 62, 62, 11, 9, 6),
    9: (61, 63, 63, 63, 12, 10, 7),
}


def ffmpeg(major: int, system: str = "linux") -> list[str]:
    """The shared libraries of a major version of FFmpeg."""
    form = {"linux": "lib{}.so.{}", "macos": "lib{}.{}.dylib", "windows": "{}-{}.dll"}[system]
    return [form.format(part, number) for part, number in zip(_FFMPEG, _NUMBERS[major], strict=True)]


class _Asked(NamedTuple):
    """The options and requirements of one ``pip install``."""

    names: dict[str, str]
    label: str = ""
    again: bool = False
    again_only: tuple[str, ...] = ()
    alone: bool = False


class Shell:
    """Runs the commands. ``site`` is the environment that they leave: another one after ``python -m venv``."""

    def __init__(self, ground: Ground, site: Site) -> None:
        self.ground = ground
        self.site = site

    def run(self, line: str) -> None:
        """Apply a line of commands joined by ``&&``.

        Raises:
            AssertionError: a command is not known here, or would fail.
        """
        for command in re.split(r" && | ; ", line):
            words = shlex.split(command, posix=self.site.system != "windows")
            words = words[1:] if words[0] == "sudo" else words
            self._one([word.strip('"') for word in words])

    def _one(self, words: Sequence[str]) -> None:
        if "pip" in words[:4]:
            at = list(words).index("pip")
            self._pip(words[at + 1], words[at + 2 :])
        elif "venv" in words[:4] and not any(each.endswith((".venv", "python")) for each in words[:1]):
            self._fresh_environment(_python_of(words))
        elif words[1:3] == ["-m", "venv"]:
            self._fresh_environment("")
        elif words[:2] == ["uv", "cache"]:
            pass
        elif words[0] in _OF_FILES:
            _OF_FILES[words[0]](self, words[1:])
        elif any(each in ("install", "-S", "add") for each in words):
            self._system(words)
        else:
            assert words[1:] == ["update"], f"how is this done: {' '.join(words)}"

    # Python packages

    def _pip(self, verb: str, words: Sequence[str]) -> None:
        if verb == "uninstall":
            names = [each for each in words if not each.startswith("-")]
            assert [name for name in names if self.ground.uninstall(self.site, name)], f"none is there: {names}"
            return
        if verb == "cache":
            return
        assert verb == "install", f"pip {verb}"
        asked = _parsed(words)
        for name, specifier in asked.names.items():
            self._want(name, specifier, asked, named=True)
        for name in asked.names if not asked.alone else ():
            self._check(name)

    def _want(
        self,
        name: str,
        specifier: str,
        asked: _Asked,
        *,
        named: bool,
        seen: tuple[str, ...] = (),
        extras: Iterable[str] = (),
    ) -> None:
        """Install a package unless it is there as required, then what it requires of the stack and of NVIDIA."""
        there = self.ground.version(self.site, name)
        kept = bool(there) and SpecifierSet(specifier).contains(there, prereleases=True)
        again = name in asked.again_only or (asked.again and (named or _is_ours(name)))
        if not kept or again:
            self._fetch(name, specifier, asked.label)
        if asked.alone or name in seen:
            return
        for each in requirements(self.site, name, extras):
            other = canonicalize_name(each.name)
            if _is_ours(other) and other not in asked.names:
                wanted, extras = str(each.specifier), each.extras
                self._want(other, wanted, asked, named=False, seen=(*seen, name), extras=extras)

    def _check(self, name: str) -> None:
        """An installer does not leave a package whose requirements on the stack are not met."""
        for each in requirements(self.site, name):
            there = self.ground.version(self.site, canonicalize_name(each.name))
            if there and _is_ours(canonicalize_name(each.name)):
                met = each.specifier.contains(there, prereleases=True)
                assert met, f"an installer refuses {name}: it requires {each}, not {there}"

    def _fetch(self, name: str, specifier: str, label: str) -> None:
        """Install the release that the index has; a torch, and large packages of NVIDIA, as skeletons."""
        version = chosen(name, specifier, label, self.site)
        self.ground.uninstall(self.site, name)
        if name == "torch":
            assert version is not None
            self._torch(version, label)
        elif name in _NPP:
            assert SpecifierSet(specifier).contains(_NPP[name]), f"{name}{specifier}"
            skeletons.nvidia(self.site, name, _NPP[name])
        elif name.startswith("nvidia-") and version is not None and _size(name, version, self.site) > _LARGEST:
            skeletons.nvidia(self.site, name, version)
        else:
            built = version if label and "+" in (version or "") else None
            self.ground.wheel(self.site, f"{name}=={built or version}" if version else f"{name}{specifier}")

    def _torch(self, version: str, label: str) -> None:
        public = version.partition("+")[0]
        build = label or public_build("torch", public, target_of(self.site))
        assert isinstance(build, str), f"which build is torch {version}? {build}"
        found = next(each for each in releases("torch", label) or () if each.version == version)
        wheel = wheel_of(found, target_of(self.site))
        needs = found.dependencies(wheel) if wheel is not None else ()
        lines = [_line(each) for each in needs] if isinstance(needs, list) else []
        own = public if self.site.system == "macos" else f"{public}+{build}"
        hip = build.removeprefix("rocm") if build.startswith("rocm") else ""
        self.ground.torch(
            self.site, own, cuda=cuda_of(build), hip=hip, recorded=version, requires=lines, nvidia=not lines
        )

    def _fresh_environment(self, python: str) -> None:
        python = python or self.site.python
        windows = self.site.system == "windows"
        folder = Path("Lib") if windows else Path("lib") / f"python{python}"
        path = self.site.root / ".venv" / folder / "site-packages"
        path.mkdir(parents=True)
        write(self.site.root / ".venv" / "pyvenv.cfg", f"version = {python}.0\n")
        self.site = self.site._replace(path=path, python=python)

    # Files and variables

    def _removed(self, words: Sequence[str]) -> None:
        for word in words:
            place = Path(word)
            if not word.startswith(("-", "/s", "/q")):
                assert place.exists() or place.is_symlink(), f"{word} is not there"
                shutil.rmtree(place) if place.is_dir() and not place.is_symlink() else place.unlink()

    def _moved(self, words: Sequence[str]) -> None:
        Path(words[-2]).rename(words[-1])

    def _linked(self, words: Sequence[str]) -> None:
        paths = [
            Path(word) if word.startswith(str(self.ground.folder)) else self.site.root / word.lstrip("/")
            for word in words
            if not word.startswith("-")
        ]
        target, link = paths
        assert target.exists(), f"{target} is not there"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(target)

    def _place(self, word: str) -> Path:
        """A path of the staged machine, on this one."""
        inside = word.startswith(str(self.ground.folder))
        return Path(word) if inside else self.site.root / word.lstrip("/")

    def _exported(self, words: Sequence[str]) -> None:
        for word in words:
            name, _, value = word.partition("=")
            old = re.sub(r"\$\{?(\w+)(:-)?\}?", "", value)
            self.ground.patch.setenv(name, old) if value else self.ground.patch.delenv(name, raising=False)

    def _unset(self, words: Sequence[str]) -> None:
        for word in words:
            self.ground.patch.delenv(word.rstrip("="), raising=False)

    def _gone(self, words: Sequence[str]) -> None:
        self.ground.patch.chdir(words[0])

    def _cached(self, _: Sequence[str]) -> None:
        """Without a cache, the folders of the configuration are searched, as ldconfig would write them into it."""
        (self.site.root / "etc" / "ld.so.cache").unlink(missing_ok=True)

    # Packages of the system

    def _system(self, words: Sequence[str]) -> None:
        """Put the libraries of a package of a distribution, of Homebrew or of conda where they would be."""
        prefixes = [place for option, place in pairwise(words) if option == "-p"]
        words = [each for each in words if each not in prefixes]
        packages = [each.strip('"') for each in words[1:] if not each.startswith("-") and each not in _VERBS]
        known = [
            (library, each)
            for system in self._systems(words)
            for library, each in system.libraries.items()
            if set(each.packages) <= {re.split(r"[<>=@]", package)[0] for package in packages}
        ]
        assert known, f"which libraries are in {packages}?"
        folder, machine = self._folder(words[0]), self.site.machine
        for library, each in known:
            data = self._library(machine)
            for name in self._files(library, _major(packages, each.version)):
                for place in self._kegs(words[0], packages) or (folder,):
                    write(place / name, data)

    def _library(self, machine: str) -> bytes:
        if self.site.system == "windows":
            return pe()
        return dylib(machine=machine) if self.site.system == "macos" else elf(machine=MACHINES[machine])

    def _kegs(self, tool: str, packages: Sequence[str]) -> list[Path]:
        """Homebrew's folders of a formula; that of a formula with a version is not linked into lib."""
        if tool != "brew":
            return []
        prefix = self._folder(tool).parent
        (formula,) = packages
        return [prefix / "opt" / formula / "lib", *([] if "@" in formula else [prefix / "lib"])]

    def _systems(self, words: Sequence[str]) -> list[System]:
        if words[0] in ("brew", "conda", "mamba", "micromamba", "winget"):
            return [load({"brew": "macos-homebrew", "winget": "windows"}.get(words[0], "conda-forge"))]
        text = (self.site.root / "etc" / "os-release").read_text()
        name = systems.identified(dict(re.findall(r'(?m)^(\w+)="?([^"\n]*)"?$', text)))
        if isinstance(name, str):
            assert load(name).install.split()[0] == words[0], f"{name} has no {words[0]}"
            return [load(name)]
        rows = load_json(ROOT / "compiled" / "systems.json")["systems"]
        return [load(each) for each, row in rows.items() if row["install"].startswith(words[0])]

    def _folder(self, tool: str) -> Path:
        prefix = self.site.path.parents[2] if self.site.system != "windows" else self.site.path.parents[1]
        if tool in ("conda", "mamba", "micromamba"):
            return prefix / ("Library/bin" if self.site.system == "windows" else "lib")
        if tool == "brew":
            return self.site.root / ("opt/homebrew/lib" if self.site.machine == "arm64" else "usr/local/lib")
        return self.site.root / "usr" / "lib"

    def _files(self, library: str, major: int) -> list[str]:
        if library == "ffmpeg":
            return ffmpeg(major, self.site.system)
        if self.site.system == "macos":
            return {"libsndfile": ["libsndfile.dylib"], "libsox": ["libsox.dylib"]}[library]
        return {
            "libsndfile": ["libsndfile.so.1"],
            "libsox": ["libsox.so", "libsox.so.3"],
            "libgomp": ["libgomp.so.1"],
            "libstdc++": ["libstdc++.so.6", "libgcc_s.so.1"],
            "libffi": ["libffi.so", "libffi.so.8"],
        }[library]


_VERBS = ("install", "add", "conda-forge", "-S", "update")
_OF_FILES: dict[str, Callable[[Shell, Sequence[str]], None]] = {
    "rm": Shell._removed,
    "rmdir": Shell._removed,
    "del": Shell._removed,
    "mv": Shell._moved,
    "move": Shell._moved,
    "ln": Shell._linked,
    "export": Shell._exported,
    "set": Shell._exported,
    "unset": Shell._unset,
    "cd": Shell._gone,
    "ldconfig": Shell._cached,
}


def _parsed(words: Sequence[str]) -> _Asked:
    """Read the words after ``pip install`` or ``uv pip install``."""
    names: dict[str, str] = {}
    asked, left = _Asked(names), list(words)
    while left:
        word, _, value = left.pop(0).partition("=") if left[0].startswith("--") else (left.pop(0), "", "")
        if word in ("--index-url", "--extra-index-url", "-i", "--index"):
            asked = asked._replace(label=label_of(value or left.pop(0)))
        elif word == "--torch-backend":
            asked = asked._replace(label=value)
        elif word == "--reinstall-package":
            asked = asked._replace(again_only=(*asked.again_only, value or left.pop(0)))
        elif word in ("--force-reinstall", "--reinstall"):
            asked = asked._replace(again=True)
        elif word == "--no-deps":
            asked = asked._replace(alone=True)
        elif word in ("--python", "--only-binary"):
            left.pop(0)
        elif word.startswith("-"):
            assert word in ("--no-cache-dir", "--refresh", "--upgrade", "-U", "-y"), f"pip install {word}"
        else:
            name, specifier = re.fullmatch(r"([\w.-]+)(?:\[[\w,-]+\])?(.*)", word).groups()  # type: ignore[union-attr]
            names[canonicalize_name(name)] = specifier
    return asked


def _python_of(words: Sequence[str]) -> str:
    """The Python of a new environment, if the command names one: python3.10, py -3.10, --python 3.10."""
    found = [re.fullmatch(r"(?:python|-)?(3\.\d{1,2})", word) for word in words]
    return next((match[1] for match in found if match), "")


def _is_ours(name: str) -> bool:
    """Whether a dependency matters here: the others are not staged at all."""
    family = ("torch", "torchaudio", "torchvision", "torchcodec", "torchtext", "cuda-toolkit")
    return name in family or name.startswith("nvidia-")


def _size(name: str, version: str, site: Site) -> int:
    found = next(each for each in releases(name, "") or () if each.version == version)
    wheel = wheel_of(found, target_of(site))
    assert wheel is not None
    return found.files()[wheel].size or 0


def _line(each: Dependency) -> str:
    return str(each).replace(" ; ", "; ")


def _major(packages: Sequence[str], version: str) -> int:
    """The major version that a command for a library names; else that of the system."""
    for package in packages:
        if limit := re.search(r"<(\d+)", package):
            return int(limit[1]) - 1
        if pinned := re.search(r"[=@](\d+)", package):
            return int(pinned[1])
    return int((version or "0").partition(".")[0])
