"""Two distributions that recorded the same files, and the parts of two releases of soundfile."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.check import bad, first, run
from support.check import site as site
from support.libraries import elf
from support.site_folder import install, write

PACKAGED = """
if _sys.platform == 'darwin':
    _packaged_libname = 'libsndfile_' + _machine() + '.dylib'
elif _sys.platform == 'win32':
    _packaged_libname = 'libsndfile_' + _architecture()[0] + '.dll'
else:
    _packaged_libname = 'libsndfile_' + _machine() + '.so'
import _soundfile_data
"""
PACKAGED = PACKAGED.replace("else:", "elif _sys.platform == 'linux':")
BEFORE = """
    if _sys.platform == 'darwin':
        _libname = 'libsndfile.dylib'
    elif _sys.platform == 'win32':
        _libname = 'libsndfile' + _architecture()[0] + '.dll'
    _snd = _ffi.dlopen(_os.path.join(_path, '_soundfile_data', _libname))
"""


@pytest.mark.triggers("TL620")
def test_another_package_overwrote_soundfile(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    install(site, "pysoundfile", "0.9.0.post1", {"soundfile.py": "# of 0.9"})
    report = run(capsys, "--path", site, code=0)
    assert bad(report)[0] == ("warning", "TL620")
    assert "it belongs to pysoundfile 0.9.0.post1" in first(report)["message"]
    assert report["command"].endswith("pip install --no-cache-dir soundfile==0.13.1")
    assert "uninstall -y pysoundfile soundfile &&" in report["command"]


def test_soundfile_was_installed_over_the_other_package(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All files are those of soundfile; that the other record is there as well is a note."""
    install(site, "pysoundfile", "0.9.0.post1", {"soundfile.py": "# of 0.9"})
    write(site / "soundfile.py", "")
    report = run(capsys, "--path", site, code=0)
    assert bad(report) == []
    assert "it belongs to soundfile 0.13.1" in str(report)


@pytest.mark.leaves_alone("TL620")
def test_two_packages_with_the_same_file(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Parts of one namespace have the same empty file; tests of others are of no interest."""
    for name in ("nvidia-cublas-cu12", "nvidia-cudnn-cu12"):
        install(site, name, "12.8", {"nvidia/__init__.py": "", "tests/__init__.py": f"# {name}"})
    assert "TL620" not in str(run(capsys, "--path", site, code=0))


def test_a_build_for_the_cpu_over_the_one_for_the_gpu(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """https://github.com/microsoft/onnxruntime/issues/26996"""
    install(site, "onnxruntime-gpu", "1.20.1", {"onnxruntime/__init__.py": "gpu = 1"})
    install(site, "onnxruntime", "1.23.2", {"onnxruntime/__init__.py": "cpu = 1"})
    report = run(capsys, "--path", site, code=0)
    assert bad(report) == [("warning", "TL620")]
    assert report["command"].endswith("onnxruntime-gpu==1.20.1")


def test_the_triton_that_torch_requires(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with next(site.glob("torch-*.dist-info/METADATA")).open("r+") as metadata:
        text = metadata.read()
        metadata.seek(0)
        metadata.write(text.replace("\n\n", "\nRequires-Dist: triton==3.4.0\n\n", 1))
    install(site, "triton", "3.4.0", {"triton/__init__.py": "version = 34"})
    install(site, "pytorch-triton", "3.1.0", {"triton/__init__.py": "version = 31"})
    report = run(capsys, "--path", site, code=0)
    assert "pytorch-triton 3.1.0 overwrote triton 3.4.0" in str(report)
    assert ("warning", "TL620") in bad(report)


@pytest.mark.parametrize(
    ("module", "library", "works"),
    [
        (PACKAGED, "libsndfile_x86_64.so", True),
        (PACKAGED, "libsndfile.dylib", False),
        (BEFORE, "libsndfile_x86_64.so", False),
        ("import cffi\n", "libsndfile_x86_64.so", True),
    ],
)
def test_a_module_and_a_library_of_two_releases(
    module: str, library: str, works: bool, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (site / "_soundfile_data").iterdir():
        path.unlink()
    write(site / "soundfile.py", module)
    for name in ("__init__.py", library):
        write(site / "_soundfile_data" / name, elf() if "lib" in name else "")
    report = run(capsys, "--path", site, code=0)
    assert ("is of another release: this module opens" not in str(report)) is works


def test_a_folder_of_data_without_its_first_file(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """https://github.com/bastibe/python-soundfile/issues/373"""
    write(site / "soundfile.py", PACKAGED)
    report = run(capsys, "--path", site, code=0)
    assert ("warning", "TL605") in bad(report)
    assert "_soundfile_data of soundfile 0.13.1 has no __init__.py" in str(report)
