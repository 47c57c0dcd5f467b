"""Failures on macOS, staged from real wheels: their cause, the remedy, and the proof that it cures."""

from __future__ import annotations

import pytest

from support.appliers import ffmpeg
from support.ground import Checked, Ground
from support.site_folder import install, write
from support.skeletons import Site, dylib

UV = "/Users/u/.local/share/uv/python/cpython-3.12.11-macos-aarch64-none/bin"
BREW = "/opt/homebrew/opt/python@3.12/bin"
CONDA = "Users/u/miniconda3/envs/e"
FALLBACK = "DYLD_FALLBACK_LIBRARY_PATH"


def venv(ground: Ground, home: str = UV, python: str = "3.12", machine: str = "arm64") -> Site:
    """A virtual environment of a Python that is elsewhere on the Mac."""
    site = ground.mac("Users/u/app/.venv", python, machine)
    lines = f"home = {home}\nversion_info = {python}.11\ninclude-system-site-packages = false\n"
    write(site.path.parents[2] / "pyvenv.cfg", lines)
    return site


def conda(ground: Ground, python: str = "3.12", prefix: str = CONDA) -> Site:
    """An environment of conda."""
    site = ground.mac(prefix, python)
    write(site.path.parents[2] / f"conda-meta/python-{python}.1-0.json", "{}")
    return site


def libraries(site: Site, folder: str, *names: str, machine: str = "") -> None:
    """Put libraries into a folder of the Mac."""
    for name in names:
        write(site.root / folder.lstrip("/") / name, dylib(name, machine=machine or site.machine))


def codec(ground: Ground, site: Site, version: str, torch: str) -> None:
    """Install torchcodec and a torch for it."""
    ground.wheel(site, f"torchcodec=={version}")
    ground.torch(site, torch, made_for=[f"torchcodec=={version}"])


def loaded(version: int, opened: str, tried: str = "") -> str:
    """The end of what torchcodec prints, for the FFmpeg that should have worked."""
    name = ffmpeg(version, "macos")[0]
    return (
        "RuntimeError: Could not load libtorchcodec. Likely causes:\n"
        "[start of libtorchcodec loading traceback]\n"
        f"FFmpeg version {version}: dlopen({opened}/torchcodec/libtorchcodec_core{version}.dylib, 0x0006): "
        f"Library not loaded: @rpath/{name}\n"
        f"  Reason: tried: {tried or f'{chr(39)}/usr/local/lib/{name}{chr(39)} (no such file)'}\n"
        "[end of libtorchcodec loading traceback]."
    )


def silent(done: Checked) -> None:
    """Nothing is wrong with torchcodec, torchaudio or soundfile."""
    assert done.bad == [], done.bad


# FFmpeg: absent, there and not searched for, there and searched for.


@pytest.mark.sketched
def test_homebrews_ffmpeg_with_a_python_of_uv(ground: Ground) -> None:
    """https://github.com/meta-pytorch/torchcodec/issues/570"""
    site = venv(ground)
    codec(ground, site, "0.9.1", "2.9.1")
    libraries(site, "opt/homebrew/lib", *ffmpeg(8, "macos"))
    log = loaded(8, "/Users/u/app/.venv/lib/python3.12/site-packages")
    for done in (ground.check(site, root=True), ground.check(site, root=True, log=log)):
        assert done.first.rule == "TL304"
        assert (
            "FFmpeg 8 of Homebrew is in /opt/homebrew/lib, where this Python does not search" in done.first.message
        )
        assert done.command == f"export {FALLBACK}=/opt/homebrew/lib"
        assert "brew install" not in str(done.first)
    ground.cure(done)


@pytest.mark.sketched
def test_no_ffmpeg_with_a_python_of_uv(ground: Ground) -> None:
    site = venv(ground)
    codec(ground, site, "0.9.1", "2.9.1")
    done = ground.check(site, root=True)
    assert done.first.rule == "TL304"
    assert "this machine has none" in done.first.message
    assert done.command == f"brew install ffmpeg@8 && export {FALLBACK}=/opt/homebrew/opt/ffmpeg@8/lib"
    ground.cure(done)


@pytest.mark.sketched
def test_homebrews_ffmpeg_with_a_python_of_homebrew_works(ground: Ground) -> None:
    site = venv(ground, BREW)
    codec(ground, site, "0.9.1", "2.9.1")
    libraries(site, "opt/homebrew/lib", *ffmpeg(8, "macos"))
    silent(ground.check(site, root=True))


def test_homebrews_ffmpeg_with_a_wheel_that_names_its_folder_works(ground: Ground) -> None:
    site = venv(ground)
    codec(ground, site, "0.11.1", "2.11.0")
    libraries(site, "opt/homebrew/opt/ffmpeg/lib", *ffmpeg(8, "macos"))
    silent(ground.check(site, root=True))


def test_the_release_that_lost_its_path_to_homebrew(ground: Ground) -> None:
    """https://github.com/meta-pytorch/torchcodec/issues/1631"""
    site = venv(ground)
    codec(ground, site, "0.16.0", "2.13.0")
    libraries(site, "opt/homebrew/opt/ffmpeg/lib", *ffmpeg(9, "macos"))
    libraries(site, "opt/homebrew/lib", *ffmpeg(9, "macos"))
    done = ground.check(site, root=True, log=loaded(9, "/Users/u/app/.venv/lib/python3.12/site-packages"))
    assert done.first.rule == "TL304"
    assert "FFmpeg 9 of Homebrew" in done.first.message
    assert "0.17" in done.first.because
    assert done.command == f"export {FALLBACK}=/opt/homebrew/lib"
    ground.cure(done)


@pytest.mark.sketched
def test_homebrews_ffmpeg_beside_conda_in_its_cask(ground: Ground) -> None:
    """https://github.com/meta-pytorch/torchcodec/issues/570: a conda whose prefix is below Homebrew's."""
    site = conda(ground, prefix="opt/homebrew/Caskroom/miniconda/base/envs/torchcodec")
    codec(ground, site, "0.7.0", "2.8.0")
    libraries(site, "opt/homebrew/lib", *ffmpeg(7, "macos"))
    done = ground.check(site, root=True)
    assert done.first.rule == "TL304"
    assert "/opt/homebrew/lib, where this Python does not search" in done.first.message
    prefix = "/opt/homebrew/Caskroom/miniconda/base/envs/torchcodec"
    assert done.command == f'conda install -y -p {prefix} -c conda-forge "ffmpeg<8"'
    ground.cure(done)


@pytest.mark.sketched
def test_an_ffmpeg_of_conda_forge_works(ground: Ground) -> None:
    site = conda(ground)
    codec(ground, site, "0.7.0", "2.8.0")
    libraries(site, f"{CONDA}/lib", *ffmpeg(7, "macos"))
    silent(ground.check(site, root=True))


@pytest.mark.sketched
def test_an_ffmpeg_of_macports(ground: Ground) -> None:
    site = venv(ground)
    codec(ground, site, "0.9.1", "2.9.1")
    libraries(site, "opt/local/libexec/ffmpeg7/lib", *ffmpeg(7, "macos"))
    done = ground.check(site, root=True)
    assert "FFmpeg 7 of MacPorts is in /opt/local/libexec/ffmpeg7/lib" in done.first.message
    assert done.command == f"export {FALLBACK}=/opt/local/libexec/ffmpeg7/lib"
    ground.cure(done)


@pytest.mark.sketched
def test_an_ffmpeg_for_intel_beside_a_python_for_arm64(ground: Ground) -> None:
    site = venv(ground)
    codec(ground, site, "0.9.1", "2.9.1")
    libraries(site, "usr/local/lib", *ffmpeg(7, "macos"), machine="x86_64")
    done = ground.check(site, root=True)
    assert done.first.rule == "TL304"
    assert "FFmpeg 7 in /usr/local/lib is for x86_64" in done.first.message
    ground.cure(done)


@pytest.mark.sketched
def test_an_ffmpeg_of_homebrew_that_is_too_new_and_not_searched_for(ground: Ground) -> None:
    """https://github.com/LAAC-LSCP/VTC/issues/12 is of this kind: there, and of another version."""
    site = venv(ground)
    codec(ground, site, "0.7.0", "2.8.0")
    libraries(site, "opt/homebrew/lib", *ffmpeg(9, "macos"))
    done = ground.check(site, root=True)
    assert done.first.rule == "TL304"
    assert "needs FFmpeg 4 to 7" in done.first.message
    assert done.command == f"brew install ffmpeg@7 && export {FALLBACK}=/opt/homebrew/opt/ffmpeg@7/lib"
    ground.cure(done)


@pytest.mark.sketched
def test_a_python_of_unknown_origin_is_not_accused(ground: Ground) -> None:
    """Some builds of pyenv search Homebrew's folder; a log decides."""
    site = venv(ground, "/Users/u/.pyenv/versions/3.12.4/bin")
    codec(ground, site, "0.9.1", "2.9.1")
    libraries(site, "opt/homebrew/lib", *ffmpeg(8, "macos"))
    done = ground.check(site, root=True)
    silent(done)
    assert "torchcodec 0.9.1 can be imported was not examined" in done.text
    done = ground.check(site, root=True, log=loaded(8, "/Users/u/app/.venv/lib/python3.12/site-packages"))
    assert done.command == f"export {FALLBACK}=/opt/homebrew/lib"
    ground.cure(done)


# libsox and libsndfile.


def audio(ground: Ground, site: Site, version: str = "2.2.2", *, soundfile: bool = True) -> None:
    """Install torchaudio, a torch for it, and soundfile."""
    ground.wheel(site, f"torchaudio=={version}")
    ground.torch(site, version)
    if soundfile:
        ground.wheel(site, "soundfile==0.12.1", platform=f"macosx_11_0_{site.machine}")


SOX_LOG = (
    "OSError: dlopen({site}/torchaudio/lib/libtorchaudio_sox.so, 0x0006): "
    "Library not loaded: @rpath/libsox.dylib\n"
    "  Reason: tried: '/usr/local/lib/libsox.dylib' (no such file), '/usr/lib/libsox.dylib' (no such file)\n"
)


@pytest.mark.sketched
def test_a_libsox_of_homebrew_in_the_home_folder(ground: Ground) -> None:
    """https://github.com/pytorch/audio/issues/3724"""
    site = conda(ground, "3.10")
    audio(ground, site)
    libraries(site, "Users/u/homebrew/lib", "libsox.dylib")
    silent(ground.check(site, root=True))  # soundfile works
    done = ground.check(site, root=True, log=SOX_LOG.format(site=f"/{CONDA}/lib/python3.10/site-packages"))
    assert done.first.rule == "TL302"
    assert "in no folder that dyld searches" in done.first.message
    assert "/Users/u/homebrew/lib" in done.first.message
    assert done.command == f"conda install -y -p /{CONDA} -c conda-forge sox"
    ground.cure(done)


@pytest.mark.sketched
def test_a_libsox_of_homebrew_with_a_python_of_uv(ground: Ground) -> None:
    """https://github.com/astral-sh/uv/issues/9941"""
    site = venv(ground, python="3.10")
    audio(ground, site)
    libraries(site, "opt/homebrew/lib", "libsox.dylib")
    log = SOX_LOG.format(site="/Users/u/app/.venv/lib/python3.10/site-packages")
    done = ground.check(site, root=True, log=log)
    assert (done.first.rule, done.command) == ("TL302", f"export {FALLBACK}=/opt/homebrew/lib")
    ground.cure(done)
    silent(ground.check(site, root=True))


def test_torchaudio_for_intel_contains_libsox(ground: Ground) -> None:
    site = venv(ground, python="3.10", machine="x86_64")
    audio(ground, site, soundfile=False)
    silent(ground.check(site, root=True))


@pytest.mark.sketched
def test_no_backend_on_a_mac_whose_libraries_are_not_searched_for(ground: Ground) -> None:
    """https://github.com/pytorch/audio/issues/3785"""
    site = venv(ground, python="3.10")
    audio(ground, site, soundfile=False)
    libraries(site, "opt/homebrew/lib", "libsox.dylib")
    log = "RuntimeError: Couldn't find appropriate backend to handle uri a.wav and format None.\n"
    done = ground.check(site, root=True, log=log)
    assert done.first.rule == "TL306"
    assert (
        "libsox.dylib of Homebrew is in /opt/homebrew/lib, where this Python does not search" in done.first.because
    )
    assert done.command == "python -m pip install soundfile"
    ground.cure(done)


def test_a_soundfile_that_does_not_know_homebrews_folder(ground: Ground) -> None:
    """https://github.com/bastibe/python-soundfile/issues/310"""
    site = venv(ground, python="3.10")
    ground.wheel(site, "torchaudio==2.2.2")
    ground.torch(site, "2.2.2")
    ground.wheel(site, "soundfile==0.10.3.post1", platform="macosx_11_0_arm64")
    libraries(site, "opt/homebrew/lib", "libsndfile.dylib")
    done = ground.check(site, root=True, log="OSError: sndfile library not found")
    assert done.first.rule == "TL301"
    assert "libsndfile.dylib of Homebrew is in /opt/homebrew/lib" in done.first.message
    ground.cure(done)


# Libraries that are named by their places.


@pytest.mark.sketched
def test_a_torch_that_names_a_library_of_its_builders_homebrew(ground: Ground) -> None:
    """https://github.com/pytorch/pytorch/issues/20030"""
    site = venv(ground, python="3.10", machine="x86_64")
    audio(ground, site)
    path = site.path / "torch/lib/libshm.dylib"
    omp = "/usr/local/opt/libomp/lib/libomp.dylib"
    path.write_bytes(dylib("@rpath/libshm.dylib", [omp], machine="x86_64"))
    ground.unrecord(site, "torch/lib/libshm.dylib")
    log = f"ImportError: dlopen(/x/torch/_C.so, 9): Library not loaded: {omp}\n  Reason: image not found"
    for done in (ground.check(site, root=True), ground.check(site, root=True, log=log)):
        assert done.first.rule == "TL610"
        assert omp in done.first.message
        assert done.command == "brew install libomp"
    ground.cure(done, by=lambda: libraries(site, omp.rpartition("/")[0], "libomp.dylib"))


def test_a_library_that_a_wheel_brings_was_left_out(ground: Ground) -> None:
    """Copies that leave out hidden folders lack .dylibs."""
    site = venv(ground, python="3.10")
    audio(ground, site)
    for path in (site.path / "torchaudio/.dylibs").iterdir():
        path.unlink()
    done = ground.check(site, root=True)
    assert done.first.rule in ("TL601", "TL610")
    assert "libc++.1.0.dylib" in str(done.first) + str(done.findings)
    assert "torchaudio==2.2.2" in done.command
    ground.cure(done)


@pytest.mark.sketched
def test_the_headline_alone_does_not_blame_an_ffmpeg_that_the_loader_finds(ground: Ground) -> None:
    """Homebrew's Python searches its lib folder; the folder of the formula has the same FFmpeg again."""
    site = venv(ground, BREW)
    codec(ground, site, "0.10.0", "2.10.0")
    libraries(site, "/opt/homebrew/lib", *ffmpeg(8, "macos"))
    libraries(site, "/opt/homebrew/opt/ffmpeg/lib", *ffmpeg(8, "macos"))
    done = ground.check(site, root=True, log="RuntimeError: Could not load libtorchcodec. Likely causes:\n")
    assert done.bad == []


@pytest.mark.sketched
@pytest.mark.parametrize(("numpy", "is_open"), [("2.0.0b1", True), ("1.26.4", False)])
def test_a_nightly_of_the_time_of_numpy_1(numpy: str, is_open: bool, ground: Ground) -> None:
    """The log shows what the files do not: the module was compiled for NumPy 1."""
    site = venv(ground)
    ground.torch(site, "2.4.0.dev20240316", made_for=[])
    install(site.path, "numpy", numpy, {"numpy/__init__.py": "", "numpy/version.py": f"version = '{numpy}'\n"})
    done = ground.check(site, root=True)
    assert done.bad == []
    assert ("whether this nightly was built for NumPy 2.0.0b1 is unknown" in done.json["summary"]) is is_open
    assert done.json["summary"].startswith("nothing wrong was found" if is_open else "nothing is wrong")
    said = "A module that was compiled using NumPy 1.x cannot be run in\nNumPy 2.0.0b1 as it may crash.\n"
    if is_open:
        assert ground.check(site, root=True, log=said).command == 'python -m pip install "numpy<2"'
