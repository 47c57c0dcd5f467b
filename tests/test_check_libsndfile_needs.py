"""The libsndfile that soundfile opens, followed through its own needs on each system."""

from __future__ import annotations

import pytest

from support.ground import Checked, Ground
from support.libraries import elf, pe
from support.site_folder import install, write
from support.skeletons import Site, dylib

pytestmark = pytest.mark.sketched


BACKENDS: dict[str, dict[str, bytes | str]] = {
    "linux": {"_cffi_backend.cpython-311-x86_64-linux-gnu.so": elf()},
    "macos": {"_cffi_backend.cpython-311-darwin.so": dylib()},
    "windows": {"_cffi_backend.cp311-win_amd64.pyd": pe()},
}


def bare(site: Site) -> Site:
    """A soundfile without a library of its own, as conda's and the one for every platform are."""
    install(site.path, "soundfile", "0.10.3.post1", {"soundfile.py": "__version__ = '0.10.3'\n"})
    install(site.path, "cffi", "1.17.1", BACKENDS[site.system])
    return site


def of_conda(site: Site) -> Site:
    prefix = site.path.parents[1 if site.system == "windows" else 2]
    write(prefix / "conda-meta/python-3.11.9-0.json", "{}")
    return bare(site)


def loads(done: Checked) -> None:
    assert done.bad == [], done.bad
    assert "soundfile 0.10.3.post1 loads" in done.text


def lacks(done: Checked, library: str, command: str) -> None:
    assert (done.first.rule, done.first.severity) == ("TL610", "warning")
    assert f"of soundfile needs {library}, which is not found" in done.first.message
    assert command in done.command


@pytest.mark.triggers("TL610")
def test_conda_on_a_mac_with_a_codec_of_another_channel(ground: Ground) -> None:
    """https://github.com/bastibe/python-soundfile/issues/304"""
    site = of_conda(ground.mac("opt/anaconda3/envs/e"))
    lib = site.path.parents[1]
    needed = ["@rpath/libFLAC.8.dylib", "@rpath/libvorbis.0.4.9.dylib", "/usr/lib/libSystem.B.dylib"]
    write(lib / "libsndfile.dylib", dylib("", needed, (), ["@loader_path/"]))
    write(lib / "libFLAC.8.dylib", dylib())
    lacks(ground.check(site, root=True), "libvorbis.0.4.9.dylib", "--force-reinstall libsndfile libvorbis")
    write(lib / "libvorbis.0.4.9.dylib", dylib())
    loads(ground.check(site, root=True))


def test_conda_on_linux(ground: Ground) -> None:
    site = of_conda(ground.linux(prefix="opt/conda/envs/e"))
    ground.image()
    lib = site.path.parents[1]
    write(lib / "libsndfile.so", elf("libsndfile.so.1", ["libFLAC.so.12", "libmpg123.so.0", "libc.so.6"]))
    write(lib / "libFLAC.so.12", elf("libFLAC.so.12"))
    lacks(ground.check(site, root=True), "libmpg123.so.0", "--force-reinstall libsndfile mpg123")
    write(lib / "libmpg123.so.0", elf("libmpg123.so.0"))
    loads(ground.check(site, root=True))


def test_homebrews_library_after_an_upgrade_of_a_codec(ground: Ground) -> None:
    site = bare(ground.mac("opt/homebrew/opt/python@3.11/Frameworks/Python.framework/Versions/3.11"))
    flac = "/opt/homebrew/opt/flac/lib/libFLAC.12.dylib"
    write(site.root / "opt/homebrew/lib/libsndfile.dylib", dylib("", [flac]))
    lacks(ground.check(site, root=True), flac, "brew reinstall libsndfile")
    write(site.root / flac.lstrip("/"), dylib())
    loads(ground.check(site, root=True))


def test_the_library_of_the_machine(ground: Ground) -> None:
    site = bare(ground.linux())
    ground.image("libsndfile.so.1", "libFLAC.so.12")
    loads(ground.check(site, root=True))
    write(site.root / "usr/lib/libsndfile.so.1", elf("libsndfile.so.1", ["libFLAC.so.12", "libopus.so.0"]))
    lacks(ground.check(site, root=True), "libopus.so.0", "apt-get")


def test_the_library_in_the_wheel(ground: Ground) -> None:
    site = ground.linux()
    name = "_soundfile_data/libsndfile_x86_64.so"
    files = {"soundfile.py": "import _soundfile_data\n", "_soundfile_data/__init__.py": "", name: elf()}
    install(site.path, "soundfile", "0.13.1", files)
    ground.image()
    assert ground.check(site, root=True).bad == []
    write(site.path / name, elf("", ["libother.so.1"]))
    ground.unrecord(site, name)
    done = ground.check(site, root=True)
    assert done.first.message == "libsndfile_x86_64.so of soundfile needs libother.so.1, which is not found"
    assert "--only-binary soundfile soundfile==0.13.1" in done.command


def test_a_machine_that_was_not_examined(ground: Ground) -> None:
    site = of_conda(ground.linux(prefix="opt/conda/envs/e"))
    write(site.path.parents[1] / "libsndfile.so", elf("libsndfile.so.1", ["libFLAC.so.12"]))
    done = ground.check(site)
    assert done.bad == []
    assert "libFLAC.so.12: the machine was not examined" in done.text


@pytest.mark.triggers("TL611")
def test_conda_on_windows_with_a_build_for_other_systems(ground: Ground) -> None:
    """https://github.com/bastibe/python-soundfile/issues/278"""
    site = of_conda(ground.windows("3.11", "envs/e"))
    write(site.path / "soundfile.py", "__version__ = '0.10.3'\nopen = _snd.sf_wchar_open\n")
    ground.unrecord(site, "soundfile.py")
    library = site.path.parents[1] / "Library/bin/sndfile.dll"
    write(library, pe({"KERNEL32.dll": ["Sleep"]}, ["sf_open"]))
    done = ground.check(site)
    assert (done.first.rule, done.first.severity) == ("TL611", "warning")
    assert 'libsndfile>=1.0.30"' in done.command
    write(library, pe({"KERNEL32.dll": ["Sleep"]}, ["sf_open", "sf_wchar_open"]))
    loads(ground.check(site))
    write(library, pe({"FLAC.dll": ["f"]}, ["sf_open", "sf_wchar_open"]))
    done = ground.check(site)
    assert done.bad == []
    assert "flac.dll: the machine was not examined" in done.text


@pytest.mark.leaves_alone("TL611")
@pytest.mark.parametrize("exports", [["another"], []])
def test_a_dll_that_is_no_libsndfile_is_not_judged(ground: Ground, exports: list[str]) -> None:
    site = of_conda(ground.windows("3.11", "envs/e"))
    write(site.path / "soundfile.py", "open = _snd.sf_wchar_open\n")
    write(site.path.parents[1] / "Library/bin/sndfile.dll", pe({}, exports))
    assert "sf_wchar_open" not in ground.check(site).text
