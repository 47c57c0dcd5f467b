"""Remedies that name an end, keep the pins of other packages, and name the environment of conda."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.check import bad, first, run, site, stage_torch  # noqa: F401 - site is a fixture
from support.site_folder import install, write
from torchlock.check.fix.bounds import is_satisfiable, shortest

OLDER = "RuntimeError: module compiled against API version 0x10 but this version of numpy is 0xe"


@pytest.mark.parametrize(
    ("specifier", "satisfiable"),
    [
        (">=3.3.2,<4,==3.1.1", False),
        (">=3.3.2,<4,>3.3", True),
        (">=1.23,<2", True),
        (">=2,<2", False),
        (">1,<1.1,!=1.0.5", True),
        ("~=1.4,<1.4", False),
        ("==1.*,>=1.5", True),
    ],
)
def test_whether_a_version_satisfies_all_parts(specifier: str, satisfiable: bool) -> None:
    assert is_satisfiable(specifier) is satisfiable


def test_one_lower_and_one_upper_end() -> None:
    assert shortest(">=1.23,<3,>=1.17,<2.0,!=1.24") == ">=1.23,<2.0,!=1.24"


def stage_numpy(site: Path, version: str) -> None:
    files: dict[str, bytes | str] = {"numpy/__init__.py": "", "numpy/version.py": f"version = '{version}'\n"}
    install(site, "numpy", version, files)


def test_a_later_numpy_below_the_end_that_another_package_sets(
    site: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stage_numpy(site, "1.21.6")
    install(site, "singer", "1.0", headers="Requires-Dist: numpy<1.25\n")
    log = write(site.parent / "log", OLDER)
    report = run(capsys, "--path", site, "--ignore", "TL602", "--log", log)
    assert '"numpy>=1.23,<1.25"' in report["command"]


def test_a_later_numpy_that_another_package_excludes(
    site: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stage_numpy(site, "1.21.6")
    install(site, "singer", "1.0", headers="Requires-Dist: numpy<1.22\n")
    log = write(site.parent / "log", OLDER)
    finding = first(run(capsys, "--path", site, "--ignore", "TL602", "--log", log))
    assert finding["rule"] == "TL106" and finding["remedy"]["commands"] == []
    assert "singer requires numpy<1.22" in finding["remedy"]["summary"]


@pytest.mark.parametrize(
    ("headers", "command"),
    [("", '"pyannote-audio>=3.3.2,<4"'), ("Requires-Dist: pyannote.audio==3.1.1\n", '"numpy<2"')],
    ids=["nobody pins it", "whisperx pins it"],
)
def test_a_pyannote_that_needs_an_earlier_numpy(
    site: Path,
    headers: str,
    command: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stage_numpy(site, "2.0.2")
    install(site, "pyannote.audio", "3.1.1")
    install(site, "whisperx", "3.1.5", headers=headers)
    report = run(capsys, "--path", site, "--ignore", "TL602")
    assert ("warning", "TL703") in bad(report)
    assert command in report["command"]


@pytest.mark.parametrize("there", [True, False])
def test_the_libsndfile_of_a_conda_environment(
    there: bool,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    root = tmp_path / "root"
    prefix = root / "opt" / "conda"
    folder = prefix / "lib" / "python3.11" / "site-packages"
    folder.mkdir(parents=True)
    stage_torch(folder)
    write(root / "etc" / "os-release", "ID=debian\nVERSION_ID=12\n")
    write(prefix / "conda-meta" / "python-3.11.0-h1_0.json", "{}")
    install(folder, "soundfile", "0.13.1", {"soundfile.py": ""})
    if there:
        write(prefix / "lib" / "libsndfile.so", "")
    report = run(capsys, "--path", folder, "--root", root, "--ignore", "TL604")
    found = [each for each in report["files"][0]["findings"] if each["rule"] == "TL301"]
    assert bool(found) is not there
    if found:
        assert found[0]["remedy"]["commands"][0]["line"] == (
            "conda install -y -p /opt/conda -c conda-forge libsndfile"
        )


def test_a_torch_for_rocm_compares_no_cuda_version(
    site: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = site / "torch" / "version.py"
    path.unlink()
    write(path, "__version__ = '2.8.0+git1234567'\ncuda = None\nhip = '5.2.21151'\n")
    assert "CUDA version of torch" not in str(run(capsys, "--path", site))


def test_a_torchcodec_that_needs_npp_is_not_said_to_work_with_no_torch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    folder.mkdir(parents=True)
    stage_torch(folder, "2.11.0+cu130", cuda="'13.0'")
    files: dict[str, bytes | str] = {
        "torchcodec/__init__.py": "",
        "torchcodec/version.py": "__version__ = '0.11.0+cu130'\n",
    }
    install(folder, "torchcodec", "0.11.0+cu130", files, tag="cp311-cp311-manylinux_2_28_x86_64")
    report = str(run(capsys, "--path", folder))
    assert "works with no release of torch" not in report
    assert "needs libnppicc.so.13 (CUDA 13), which no release of torch installs" in report


def test_a_torch_for_rocm_gets_a_torchcodec_whose_public_build_is_for_the_cpu(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """https://github.com/ghecko/whisperx-rocm-docker/issues/1: the public 0.11.0 is for CUDA, 0.13.0 not."""
    folder = tmp_path / "env" / "lib" / "python3.12" / "site-packages"
    folder.mkdir(parents=True)
    stage_torch(folder, "2.11.0+rocm7.2", cuda="None")
    write(folder / "torch" / "version.py", "__version__ = '2.11.0+rocm7.2'\ncuda = None\nhip = '7.2.26015'\n")
    files: dict[str, bytes | str] = {
        "torchcodec/__init__.py": "",
        "torchcodec/version.py": "__version__ = '0.11.0+cu130'\n",
    }
    install(folder, "torchcodec", "0.11.0+cu130", files, tag="cp312-cp312-manylinux_2_28_x86_64")
    report = run(capsys, "--path", folder, "--platform", "linux-x86_64")
    assert first(report)["rule"] == "TL201" and "no release of torch" not in str(report)
    assert report["command"].endswith("install torchcodec==0.13.0")


def test_conda_and_another_installer_wrote_the_same_release(
    site: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write(site.parents[2] / "conda-meta" / "pytorch-2.8.0-cpu_0.json", "{}")
    report = str(run(capsys, "--path", site))
    assert "two installers wrote it" in report
    assert "mixed" not in report
