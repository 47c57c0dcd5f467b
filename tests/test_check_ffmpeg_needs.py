"""The FFmpeg of conda and of Homebrew, followed through its own needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.appliers import ffmpeg
from support.ground import Ground
from support.libraries import elf
from support.site_folder import write
from support.skeletons import Site, dylib

pytestmark = pytest.mark.sketched

CONDA = "Users/u/miniforge3"
H264 = "libopenh264.5.dylib"
LOG = f"""dyld[3015]: Library not loaded: @rpath/{H264}
 Referenced from: <7326869B-2204-305F-815C-D52E20CC79EE> /{CONDA}/lib/libavcodec.58.91.100.dylib
 Reason: tried: '/{CONDA}/lib/{H264}' (no such file), '/{CONDA}/lib/{H264}' (no such file)
"""


def put(folder: Path, major: int, codec: str, prefix: str = "@rpath/") -> None:
    """Write an FFmpeg whose libavcodec needs another library; its file has the whole version in its name."""
    for name in ffmpeg(major, "macos"):
        file = name.replace("libavcodec.58.dylib", "libavcodec.58.91.100.dylib")
        needed = [codec] if "avcodec" in name else []
        write(folder / file, dylib(prefix + name, needed, (), ["@loader_path/"]))
        if file != name:
            (folder / name).symlink_to(file)


def of_conda(ground: Ground, codec: str, major: int = 4, audio: str = "torchaudio==2.0.1") -> Site:
    site = ground.mac(CONDA, "3.10")
    prefix = site.path.parents[2]
    write(prefix / "conda-meta/python-3.10.13-0.json", "{}")
    ground.wheel(site, audio)
    ground.torch(site, "2.0.0" if "2.0.1" in audio else "2.9.1", made_for=[audio])
    put(prefix / "lib", major, codec)
    return site


@pytest.mark.triggers("TL610")
def test_an_ffmpeg_of_conda_beside_another_codec(ground: Ground) -> None:
    """https://github.com/facebookresearch/demucs/issues/375"""
    site = of_conda(ground, f"@rpath/{H264}")
    lib = site.path.parents[2] / "lib"
    write(lib / "libopenh264.7.dylib", dylib("@rpath/libopenh264.7.dylib"))
    note = ground.check(site, root=True)
    assert note.bad == []
    assert f"libavcodec.58.dylib of FFmpeg needs {H264}, which is not found" in str(note.json)
    done = ground.check(site, root=True, log=LOG)
    assert (done.first.rule, done.first.severity) == ("TL610", "warning")
    assert "conda install" in done.command
    assert "--force-reinstall ffmpeg" in done.command
    write(lib / H264, dylib(f"@rpath/{H264}"))
    assert H264 not in str(ground.check(site, root=True).json)


X265 = "/opt/homebrew/opt/x265/lib/libx265.209.dylib"


def with_codec(ground: Ground) -> Site:
    """A torchcodec in a virtual environment of Homebrew's Python."""
    site = ground.mac("Users/u/venv", "3.12")
    home = "/opt/homebrew/opt/python@3.12/bin"
    write(site.path.parents[2] / "pyvenv.cfg", f"home = {home}\nversion_info = 3.12.11\n")
    ground.wheel(site, "torchcodec==0.9.1")
    ground.torch(site, "2.9.1", made_for=["torchcodec==0.9.1"])
    return site


def test_an_ffmpeg_of_homebrew_after_an_upgrade(ground: Ground) -> None:
    site = with_codec(ground)
    put(site.root / "opt/homebrew/lib", 7, X265, "/opt/homebrew/lib/")
    done = ground.check(site, root=True)
    assert (done.first.rule, done.first.severity) == ("TL610", "warning")
    assert "libavcodec.61.dylib of FFmpeg needs libx265.209.dylib, which is not found" in done.first.message
    assert done.command == "brew reinstall ffmpeg"
    write(site.root / X265.lstrip("/"), dylib(X265))
    assert ground.check(site, root=True).bad == []


def test_a_log_of_an_ffmpeg_that_homebrew_does_not_link(ground: Ground) -> None:
    site = with_codec(ground)
    keg = "opt/homebrew/Cellar/ffmpeg@7/7.1/lib"
    put(site.root / keg, 7, X265, f"/{keg}/")
    log = f"dyld[7]: Library not loaded: {X265}\n  Referenced from: <1A-2B> /{keg}/libavcodec.61.dylib\n"
    done = ground.check(site, root=True, log=log)
    assert "libavcodec.61.dylib of FFmpeg needs libx265.209.dylib" in str(done.bad)
    assert "brew reinstall ffmpeg@7" in str(done.bad)


def test_a_second_ffmpeg_that_works(ground: Ground) -> None:
    site = of_conda(ground, f"@rpath/{H264}")
    put(site.path.parents[2] / "lib", 6, "/usr/lib/libSystem.B.dylib")
    assert H264 not in str(ground.check(site, root=True).json)


def test_an_ffmpeg_of_conda_on_linux(ground: Ground) -> None:
    site = ground.linux("3.11", prefix="opt/conda")
    prefix = site.path.parents[2]
    write(prefix / "conda-meta/python-3.11.9-0.json", "{}")
    ground.wheel(site, "torchaudio==2.5.1")
    ground.torch(site, "2.5.1+cu124", made_for=["torchaudio==2.5.1"])
    ground.image()
    for name in ffmpeg(6):
        needed = ["libopenh264.so.5"] if "avcodec" in name else []
        write(prefix / "lib" / name, elf(name, needed, runpath="$ORIGIN"))
    assert "of FFmpeg needs libopenh264.so.5, which is not found" in str(ground.check(site, root=True).json)
    write(prefix / "lib/libopenh264.so.5", elf("libopenh264.so.5"))
    assert "libopenh264" not in str(ground.check(site, root=True).json)


def test_a_library_of_the_prefix_that_is_not_of_ffmpeg(ground: Ground) -> None:
    site = of_conda(ground, "/usr/lib/libSystem.B.dylib")
    lib = site.path.parents[2] / "lib"
    write(lib / "libsox.3.dylib", dylib("@rpath/libsox.3.dylib", ["@rpath/libmad.0.dylib"], (), ["@loader_path/"]))
    log = (
        "dyld[7]: Library not loaded: @rpath/libmad.0.dylib\n"
        f"  Referenced from: /{CONDA}/lib/libsox.3.dylib\n  Reason: image not found\n"
    )
    done = ground.check(site, root=True, log=log)
    assert "libsox.3.dylib needs libmad.0.dylib, which is not found" in done.first.message
    write(lib / "libmad.0.dylib", dylib("@rpath/libmad.0.dylib"))
    assert "libmad.0.dylib, which is not found" not in str(ground.check(site, root=True, log=log).json)
