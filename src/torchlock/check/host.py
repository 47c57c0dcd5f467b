"""TL30x: the libraries of the machine, and the command that installs what is missing."""

from __future__ import annotations

import os
import re
import shutil
import sys
from typing import TYPE_CHECKING

from torchlock import systems
from torchlock.check.libraries import is_ffmpeg
from torchlock.errors import InputError
from torchlock.finding import Command, Remedy
from torchlock.inspect import files
from torchlock.inspect.binaries import Binary, read_binary
from torchlock.inspect.host import (
    FFMPEG,
    HOMEBREW,
    ffmpeg_in,
    ffmpeg_lacks,
    ffmpeg_majors,
    libsndfile,
    release_of,
    searched,
)
from torchlock.inspect.loading.imports import choices
from torchlock.inspect.machine import HEAD, machine_of
from torchlock.matrix import specifier_set

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torchlock.check.scene import Scene
    from torchlock.finding import Finding
    from torchlock.inspect.loading.imports import Attempt
    from torchlock.systems import System

_ENOENT = "No such file or directory"
_BUILD = {
    "ffmpeg": "build FFmpeg with ./configure --enable-shared",
    "libsox": "build SoX 14.4.2 with ./configure --enable-shared",
    "libsndfile": "build libsndfile with cmake -DBUILD_SHARED_LIBS=ON",
}


def machine(scene: Scene) -> Iterator[Finding]:
    """All that the machine lacks for what is installed."""
    yield from _soundfile(scene)
    yield from _codec(scene)


def system_of(scene: Scene) -> System | None:
    """The distribution release whose command is to be shown: the one that was named, else the machine's own."""
    name = scene.system
    if name is None and scene.root is not None:
        name = "conda-forge" if scene.environment.conda else identified(release_of(scene.root))
    if name is None and scene.target is not None:
        name = {"macos": "macos-homebrew", "windows": "windows"}.get(scene.target.platform.system)
    try:
        return None if name is None else systems.load(name)
    except InputError:
        return None


def identified(release: Mapping[str, str]) -> str | None:
    """The release that an os-release speaks of, or the one that it is made from; None for an unknown one."""
    version = release.get("VERSION_ID", "")
    likely = [release, {"ID": "debian", "VERSION_CODENAME": release.get("DEBIAN_CODENAME", "")}]
    if found := re.fullmatch(r"platform:el(\d+)", release.get("PLATFORM_ID", "")):
        likely.append({"ID": "rhel", "VERSION_ID": found[1]})
    likely += [{"ID": name, "VERSION_ID": version} for name in release.get("ID_LIKE", "").split()[:10]]
    return next(filter(None, map(systems.identified, likely)), None)


def install_library(scene: Scene, library: str, needs: str, otherwise: str = "") -> Remedy:
    """Install a library of the machine, by its own package manager if what that has will serve."""
    system = system_of(scene)
    known = system.libraries.get(library) if system else None
    if system is not None and known is not None and system.id == "conda-forge":
        return _of_conda(system, library, needs)
    if system is None or known is None or not system.install:
        return Remedy(f"Install the shared libraries of {library} {needs}, or {_BUILD[library]}{otherwise}.")
    if known.version and not specifier_set(needs).contains(re.match(r"[\d.]*\d", known.version)[0]):  # type: ignore[index]
        there = f"{system.title} has {library} {known.version}, which will not serve ({needs})"
        return Remedy(f"{there}: {_BUILD[library]}{otherwise}.")
    line = system.command(known.packages)
    if scene.live and hasattr(os, "geteuid") and os.geteuid() and "brew" not in line and "conda" not in line:
        line = f"sudo {line}"
    note = f" ({known.note})" if known.note else ""
    return Remedy(f"Install {library} of {system.title}{note}.", commands=(Command("system", line),))


def _of_conda(system: System, library: str, needs: str) -> Remedy:
    """conda-forge keeps earlier releases of a library: the version that will serve can be asked for."""
    known = system.libraries[library]
    upper = re.search(r"<\d[\d.]*", needs)
    packages = [f'"{known.packages[0]}{upper[0]}"'] if upper else list(known.packages)
    return Remedy(f"Install {library} of {system.title}.", commands=(Command("conda", system.command(packages)),))


def stated(scene: Scene, library: str) -> tuple[bool, str | None]:
    """Whether the command line says what there is of a library, and its version."""
    return library in scene.libraries, scene.libraries.get(library)


def ffmpeg_of(scene: Scene) -> list[int] | None:
    """The majors of FFmpeg that torchaudio finds; None where nobody knows."""
    told, version = stated(scene, "ffmpeg")
    if told:
        return [int(version.split(".")[0])] if version else []
    if scene.root is None:
        return None
    found = set(ffmpeg_majors(scene.root)) | _of_conda_prefix(scene)
    # Told by the very libraries that want them, where those are: what they find of each, and what not.
    wanting: dict[int, list[Attempt]] = {}
    for attempt in scene.attempts:
        if major := re.search(r"ffmpeg(\d)", os.path.basename(attempt.path)):
            wanting.setdefault(int(major[1]), []).append(attempt)
    for number, group in wanting.items():
        lacks = any(is_ffmpeg(each.name) for attempt in group for each in attempt.outcome.missing)
        found = found - {number} if lacks and number not in _of_conda_prefix(scene) else found | {number}
    return sorted(found)


def _of_conda_prefix(scene: Scene) -> set[int]:
    """FFmpeg within a conda environment, whose Python finds it by its own RPATH; a tree has none to ask."""
    if scene.live or not scene.environment.conda:
        return set()
    names = scene.environment.tree.names(os.path.join(scene.environment.interpreter.prefix, "lib"))
    return {major for major, number in FFMPEG.items() if f"libavutil.so.{number}" in names}


def _soundfile(scene: Scene) -> Iterator[Finding]:
    """soundfile's wheel for every platform carries no libsndfile; one for another architecture a useless one."""
    copy = scene.copy("soundfile")
    if copy is None or copy.kind != "module":
        return
    folder = os.path.join(os.path.dirname(copy.path), "_soundfile_data")
    names = [name for name in scene.environment.tree.names(folder) if name.startswith("libsndfile")]
    if names:
        yield from _other_machine(scene, [os.path.join(folder, name) for name in names])
        return
    told, version = stated(scene, "libsndfile")
    there = bool(version) if told else scene.root is None or libsndfile(scene.root) is not None
    if not there and not scene.environment.conda:
        message = f"{scene.named('soundfile')} carries no libsndfile, and this machine has none"
        says = "OSError: sndfile library not found"
        if specifier_set(">=0.11").contains(scene.pins["soundfile"].version):
            name = "libsndfile.so"
            says = f"OSError: cannot load library '{name}': {name}: cannot open shared object file: {_ENOENT}"
        remedy = install_library(
            scene, "libsndfile", ">=1.0.20", ", or install a soundfile wheel of this platform"
        )
        yield scene.finding("TL301", "warning", message, "soundfile", path=copy.path, says=says, remedy=remedy)


def _other_machine(scene: Scene, libraries: list[str]) -> Iterator[Finding]:
    platform = scene.target.platform if scene.target else None
    machines = [(path, machine_of(_head(path))) for path in libraries]
    known = [(path, found) for path, found in machines if found]
    if platform is None or not known:
        return
    if not any(found.system == platform.system and platform.machine in found.machines for _, found in known):
        path, found = known[0]
        message = (
            f"the libsndfile of {scene.named('soundfile')} is for {found.system} ({', '.join(found.machines)})"
        )
        says = f"OSError: cannot load library '{path}'"
        yield scene.finding("TL608", "warning", message, "soundfile", path=path, says=says)


def _head(path: str) -> bytes:
    try:
        return files.read(path, HEAD)
    except OSError:
        return b""


def _codec(scene: Scene) -> Iterator[Finding]:
    """torchcodec, for want of an FFmpeg that it was built for."""
    pin = scene.pins.get("torchcodec")
    if pin is None or pin.unversioned:
        return
    cores = sorted(_cores(scene))
    majors = _majors(scene)
    if not cores or majors is None or scene.target is None:
        return
    by_major = choices(scene.attempts)
    mine = [attempt for group in by_major.values() for attempt in group]
    told, _ = stated(scene, "ffmpeg")
    lacking = not set(majors) & set(cores)
    if not told and scene.target.platform.system == "linux":
        loads = any(all(attempt.outcome.loads for attempt in group) for group in by_major.values())
        own = {os.path.basename(attempt.path) for attempt in mine}
        lost = [each.name for attempt in mine for each in attempt.outcome.missing if each.name not in own]
        lacking = not loads and bool(mine) and all(is_ffmpeg(name) for name in lost) and not _undefined(scene)
    if not lacking or (not told and _of_conda_prefix(scene) & set(cores)):
        return
    spoken = [each.because for each in scene.matrix.speaking_of(pin, scene.target) if each.rule == "TL304"]
    range_ = f"{cores[0]} to {cores[-1]}" if len(cores) > 1 else str(cores[0])
    there = _what_is_there(scene, majors, cores)
    program = " as shared libraries" if not majors else ""
    because = spoken[0] if spoken else scene.matrix.because("TL304")
    if not majors and scene.live and shutil.which("ffmpeg"):
        because += "; the ffmpeg program on the PATH brings no shared libraries"
    if not majors and scene.live and ffmpeg_in([f"{HOMEBREW}/lib"], scene.environment.tree):
        because += f"; that of Homebrew lies in {HOMEBREW}/lib, where this Python does not look"
    message = f"{scene.named('torchcodec')} needs FFmpeg {range_}{program}, and {there}"
    needs = f">={cores[0]},<{cores[-1] + 1}"
    yield scene.finding(
        "TL304",
        "warning",
        message,
        "torchcodec",
        path=os.path.dirname(mine[0].path) if mine else "",
        because=because,
        says=f"RuntimeError: Could not load libtorchcodec. [...] {_cannot_open(scene, cores[-1])}",
        remedy=install_library(
            scene, "ffmpeg", needs, f'; conda install -c conda-forge "ffmpeg<{cores[-1] + 1}" brings it to conda'
        ),
    )


def _majors(scene: Scene) -> list[int] | None:
    """The majors of FFmpeg that begin to be there: their libavutil, or more."""
    told, _ = stated(scene, "ffmpeg")
    if not told and scene.root is None and scene.live and scene.target is not None:
        return _found_here(scene, scene.target.platform.system)
    if told or scene.root is None:
        return ffmpeg_of(scene)
    return sorted(set(ffmpeg_majors(scene.root)) | _of_conda_prefix(scene))


def _found_here(scene: Scene, system: str) -> list[int] | None:
    """As ``_majors``, on the very macOS or Windows that this runs on; None on any other."""
    if system != {"darwin": "macos", "win32": "windows"}.get(sys.platform) or scene.system is not None:
        return None
    interpreter, copy = scene.environment.interpreter, scene.copy("torchcodec")
    prefixes = dict.fromkeys((interpreter.prefix, interpreter.base_prefix))
    folders = [folder for prefix in prefixes for folder in searched(system, prefix, os.environ)]
    for attempt in scene.attempts:
        if attempt.role == "choice":
            binary = read_binary(attempt.path)
            folders += binary.rpath if isinstance(binary, Binary) else ()
    return sorted(ffmpeg_in([*folders, copy.path if copy else ""], scene.environment.tree))


def _cannot_open(scene: Scene, major: int) -> str:
    number = FFMPEG.get(major, 59)
    system = scene.target.platform.system if scene.target else "linux"
    if system == "macos":
        return f"Library not loaded: @rpath/libavutil.{number}.dylib"
    if system == "windows":
        return f"Could not find module 'libtorchcodec_core{major}.dll' (or one of its dependencies)"
    return f"libavutil.so.{number}: cannot open shared object file: {_ENOENT}"


def _what_is_there(scene: Scene, majors: list[int], cores: list[int]) -> str:
    if not majors:
        return "this machine has none"
    there = f"this machine has FFmpeg {', '.join(map(str, majors))}"
    told, _ = stated(scene, "ffmpeg")
    half = [major for major in majors if major in cores] if scene.root is not None and not told else []
    lost = ffmpeg_lacks(scene.root, half[-1]) if half and scene.root is not None else []
    return there + (f" without {', '.join(lost)}" if lost else "")


def _undefined(scene: Scene) -> bool:
    return any(attempt.outcome.undefined for attempt in scene.attempts if attempt.role == "choice")


def _cores(scene: Scene) -> Iterator[int]:
    """The majors of FFmpeg that this torchcodec was built for, by the libraries in it."""
    copy = scene.copy("torchcodec")
    for name in scene.environment.tree.names(copy.path) if copy else ():
        if found := re.match(r"libtorchcodec_(?:core|decoder)(\d)\.", name):
            yield int(found[1])
