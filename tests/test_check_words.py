"""Sentences of a report that must be true of the very input: reasons, errors that Python prints, remedies."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.check import first, image, run, stage_audio, stage_torch
from support.ground import Ground
from support.libraries import elf
from support.site_folder import install, write


@pytest.fixture
def site(tmp_path: Path) -> Path:
    found = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    found.mkdir(parents=True)
    return found


def _lib(site: Path) -> Path:
    return site / "torchaudio" / "lib" / "libtorchaudio.so"


@pytest.mark.parametrize(
    ("platform", "says", "source"),
    [
        ("linux-x86_64", "Bus error (core dumped)", "elf-gabi"),
        ("windows-amd64", "OSError: [WinError 193] %1 is not a valid Win32 application", "pe-format"),
        ("macos-arm64", "(truncated mach-o error: [...])", "dyld-load-commands"),
    ],
)
@pytest.mark.triggers("TL607")
def test_what_a_truncated_library_prints(
    platform: str, says: str, source: str, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """glibc maps a library that is cut off, and the process ends when it reads what is missing.

    The source that is cited is about that operating system.
    """
    stage_torch(site)
    stage_audio(site)
    whole = elf("libtorchaudio.so", [], [f"symbol_{number}" for number in range(200)])
    write(_lib(site), whole[: len(whole) // 2])
    found = first(run(capsys, "--path", site, "--platform", platform))
    assert "is truncated" in found["message"]
    assert says in found["says"]
    assert [each["id"] for each in found["sources"]] == [source]


@pytest.mark.triggers("TL607")
def test_a_damaged_file_is_reported_once(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stage_torch(site)
    stage_audio(site)
    write(_lib(site), b"")
    found = first(run(capsys, "--path", site, "--root", image(site), "--platform", "linux-x86_64"))
    assert found["says"].endswith("file too short")
    assert [each for each in found["consequences"] if each["path"] == found["path"]] == []


@pytest.mark.triggers("TL605")
def test_a_library_that_is_there_is_not_denied(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The wheel contains libsndfile; its folder has lost its first file."""
    module = "import _soundfile_data\n_packaged_libname = 'libsndfile_x86_64.so'\n"
    files = {"soundfile.py": module, "_soundfile_data/libsndfile_x86_64.so": elf("libsndfile.so", [])}
    install(site, "soundfile", "0.13.1", files)
    stage_torch(site)
    stage_audio(site)
    found = first(run(capsys, "--path", site, "--root", image(site), "--platform", "linux-x86_64"))
    assert found["rule"] == "TL605"
    below = [each["message"] for each in found["consequences"]]
    assert below == ["soundfile 0.13.1 does not find libsndfile_x86_64.so beside it, and this machine has none"]


@pytest.mark.triggers("TL615")
def test_a_log_without_torch_is_explained(site: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The line of the log is the evidence of the finding, so no note says that nothing explains it."""
    install(site, "k2", "1.24", {"_k2.cpython-311-x86_64-linux-gnu.so": elf("_k2.so", ["libc10.so"])})
    line = "ImportError: libc10.so: cannot open shared object file: No such file or directory"
    log = write(tmp_path / "log", f"{line}\n")
    report = run(capsys, "--path", site, "--platform", "linux-x86_64", "--log", log)
    assert first(report)["says"] == line
    assert "no finding explains" not in str(report)


@pytest.mark.network
class TestWheels:
    def test_a_torchaudio_whose_torch_was_removed(self, ground: Ground) -> None:
        """Its metadata requires torch, so the reason is not that nothing declares it."""
        site = ground.linux()
        ground.wheel(site, "torchaudio==2.5.1")
        done = ground.check(site)
        assert done.first.rule == "TL108"
        assert done.first.because.startswith("its metadata requires torch")

    def test_a_cpu_torchaudio_gets_a_cpu_torch(self, ground: Ground) -> None:
        site = ground.linux()
        ground.wheel(site, "torchaudio==2.8.0+cpu")
        done = ground.check(site)
        assert done.command.endswith("--index-url https://download.pytorch.org/whl/cpu torch==2.8.0+cpu")
        ground.cure(done)

    def test_glibc_is_not_mended_by_another_companion(self, ground: Ground) -> None:
        """The plan for another finding does not give torch the glibc that it needs."""
        site = ground.linux()
        ground.wheel(site, "torchaudio==2.8.0")
        ground.torch(site, "2.8.0+cpu", made_for=["torchaudio==2.8.0"])
        ground.image()
        log = (
            "ImportError: /lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.28' not found "
            "(required by /usr/local/lib/python3.11/site-packages/torch/lib/libtorch_cpu.so)"
        )
        done = ground.check(site, root=True, log=log)
        assert done.first.rule == "TL612"
        assert "later glibc" in done.first.remedy
        assert not done.first.commands

    def test_a_mac_names_a_library_as_its_user_does(self, ground: Ground) -> None:
        site = ground.mac("Users/u/app/.venv", "3.10")
        ground.wheel(site, "torchaudio==2.2.2")
        ground.torch(site, "2.2.2")
        (library,) = (site.path / "torchaudio" / ".dylibs").glob("libc++*")
        library.unlink()
        done = ground.check(site, root=True)
        said = [each["says"] or "" for each in done.json["files"][0]["findings"][0]["consequences"]]
        assert any("Library not loaded: @loader_path/../.dylibs/" in each for each in said)
