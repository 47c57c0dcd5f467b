"""Macs: FFmpeg that is named by a folder of the machine that built torchaudio, and builds for a later macOS."""

from __future__ import annotations

import pytest

from support.appliers import ffmpeg
from support.ground import Ground
from support.site_folder import write
from support.skeletons import Site, dylib

BUILDER = "/Users/builder/audio/third_party/ffmpeg/lib"
EXTENSION = "torchaudio/lib/libtorchaudio_ffmpeg.so"


def built_elsewhere(ground: Ground, conda: str = "Users/m/miniconda3/envs/a") -> Site:
    """torchaudio whose FFmpeg extension names FFmpeg by whole paths, in an environment of conda."""
    site = ground.mac(conda, "3.10")
    write(site.path.parents[2] / "conda-meta" / "python-3.10.6-hdf0ec26_0_cpython.json", "{}")
    ground.wheel(site, "torchaudio==0.13.1")
    ground.torch(site, "1.13.1")
    needed = [f"{BUILDER}/{each}" for each in ffmpeg(4, "macos")]
    write(
        site.path / EXTENSION, dylib("@rpath/libtorchaudio_ffmpeg.so", needed, [], ["@loader_path/../../../../"])
    )
    ground.unrecord(site, EXTENSION)
    return site


def not_loaded(site: Site) -> str:
    library = f"/{(site.path / EXTENSION).relative_to(site.root)}"
    return (
        f"OSError: dlopen({library}, 0x0006): Library not loaded: '{BUILDER}/libavdevice.58.dylib'\n"
        f"  Referenced from: '{library}'\n"
        f"  Reason: tried: '{BUILDER}/libavdevice.58.dylib' (no such file)\n"
    )


@pytest.mark.sketched
def test_ffmpeg_by_a_path_of_the_builder_while_the_environment_has_it(ground: Ground) -> None:
    site = built_elsewhere(ground)
    for each in ffmpeg(4, "macos"):
        write(site.path.parents[2] / "lib" / each, dylib(each))
    done = ground.check(site, log=not_loaded(site), root=True)
    assert done.first.rule == "TL303"
    assert f"in {BUILDER}, which this machine does not have" in done.first.message
    assert done.command == "export DYLD_FALLBACK_LIBRARY_PATH=/Users/m/miniconda3/envs/a/lib"
    ground.cure(done)


@pytest.mark.sketched
def test_ffmpeg_by_a_path_of_the_builder_and_no_ffmpeg(ground: Ground) -> None:
    site = built_elsewhere(ground)
    done = ground.check(site, log=not_loaded(site), root=True)
    assert f"in {BUILDER}, which this machine does not have" in done.first.message
    assert "install another build of torchaudio" in done.first.remedy


@pytest.mark.sketched
def test_a_path_of_the_builder_is_a_note_without_a_log(ground: Ground) -> None:
    done = ground.check(built_elsewhere(ground), root=True)
    assert not done.bad
    assert any(each.rule == "TL303" and BUILDER in each.message for each in done.findings)


@pytest.mark.sketched
def test_an_ffmpeg_at_its_whole_path_or_in_a_fallback_folder_is_found(ground: Ground) -> None:
    site = built_elsewhere(ground)
    for each in ffmpeg(4, "macos"):
        write(site.root / "usr/local/lib" / each, dylib(each))
    done = ground.check(site, root=True)
    assert not [each for each in done.findings if BUILDER in each.message]


@pytest.mark.sketched
@pytest.mark.parametrize(
    "library", ["/usr/lib/libc++.1.dylib", "/System/Library/Frameworks/Metal.framework/Metal"]
)
def test_a_symbol_of_macos_itself_does_not_make_the_log_one_of_another_machine(
    library: str, ground: Ground
) -> None:
    """The libraries of macOS are not read, so that all is found says nothing of them."""
    site = ground.mac("Library/Frameworks/Python.framework/Versions/3.10", "3.10", "x86_64")
    ground.torch(site, "2.2.2", made_for=["torchaudio==2.2.2"])
    folder = f"/{site.path.relative_to(site.root)}/torch"
    log = (
        f"ImportError: dlopen({folder}/_C.cpython-310-darwin.so, 2): Symbol not found: __ZNSt3fooD1Ev\n"
        f"  Referenced from: {folder}/lib/libc10.dylib (which was built for Mac OS X 10.13)\n"
        f"  Expected in: {library}\n in {folder}/lib/libc10.dylib\n"
    )
    done = ground.check(site, log=log, root=True)
    assert done.first.rule == "TL312"
    assert done.first.message == "libc10.dylib of torch 2.2.2 was built for macOS 10.13, and this macOS is older"
