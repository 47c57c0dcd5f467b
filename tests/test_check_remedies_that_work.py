"""Commands that repair: builds that exist, that link nothing more, and that say what they replace."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.check import bad, image, run, stage_audio, stage_torch, torch_files
from support.libraries import elf
from support.site_folder import install, write
from torchlock.knowledge import systems


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "root" / "lib" / "python3.10" / "site-packages"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize(
    ("torch", "cuda", "page"),
    [
        ("2.0.1", "11.7", False),
        ("2.0.1+cu118", "11.8", False),
        ("2.1.0+cu118", "11.8", True),
        ("2.1.0", "12.1", False),
    ],
)
def test_the_page_of_an_xformers_for_this_torch(
    site: Path, torch: str, cuda: str, *, page: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """The wheels of the public index are for CUDA 11 up to 0.0.22, and for CUDA 12 later."""
    install(site, "torch", torch, torch_files(torch, cuda=f"'{cuda}'"), tag="cp310-cp310-manylinux_2_17_x86_64")
    built = json.dumps({"version": {"cuda": 1201, "torch": "2.5.1+cu121", "python": "3.10.13"}})
    files: dict[str, bytes | str] = {"xformers/__init__.py": "", "xformers/cpp_lib.json": built}
    install(site, "xformers", "0.0.28.post3", files, headers="Requires-Dist: torch==2.5.1\n")
    report = run(capsys, "--path", site)
    line = next(each for each in report["files"][0]["findings"] if each["rule"] == "TL609")["remedy"]["commands"][
        0
    ]
    assert "--no-deps" in line["line"] and "xformers==0.0.22" in line["line"]
    assert ("--index-url" in line["line"]) is page


def test_the_xformers_that_is_there_in_another_build(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """pip leaves a version that is installed as it is (gitmylo/audio-webui issue 238)."""
    torch = "2.1.0+cu118"
    install(site, "torch", torch, torch_files(torch, cuda="'11.8'"), tag="cp310-cp310-manylinux_2_17_x86_64")
    built = json.dumps({"version": {"cuda": 1201, "torch": "2.1.0+cu121", "python": "3.10.11"}})
    files: dict[str, bytes | str] = {"xformers/__init__.py": "", "xformers/cpp_lib.json": built}
    install(site, "xformers", "0.0.22.post7", files, headers="Requires-Dist: torch==2.1.0\n")
    log = (
        "WARNING[XFORMERS]: xFormers can't load C++/CUDA extensions. xFormers was built for:\n"
        "    PyTorch 2.1.0+cu121 with CUDA 1201 (you have 2.1.0+cu118)\n"
        "    Python  3.10.11 (you have 3.10.10)\n"
    )
    report = run(capsys, "--path", site, "--log", write(site.parent / "log", log))
    commands = {each["tool"]: each["line"] for each in report["files"][0]["findings"][0]["remedy"]["commands"]}
    page = "--no-deps --index-url https://download.pytorch.org/whl/cu118 xformers==0.0.22.post7"
    assert commands["pip"].endswith(f" install --force-reinstall {page}")
    assert commands["uv"].endswith(f" --reinstall-package xformers {page}")


@pytest.mark.parametrize("there", [False, True])
def test_a_torchcodec_without_npp(site: Path, *, there: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """The builds for CUDA up to 0.12 link NPP, which nothing installs: the CPU build of the public index works."""
    label = "2.11.0+cu128"
    install(site, "torch", label, torch_files(label, cuda="'12.8'"), tag="cp310-cp310-manylinux_2_28_x86_64")
    core = elf("", ["libtorch_cpu.so", "libcudart.so.13"], runpath="$ORIGIN/../torch/lib")
    files = {
        "torchcodec/__init__.py": "",
        "torchcodec/libtorchcodec_core6.so": core,
        "torchcodec/version.py": "__version__ = '0.14.0+cu130'\n",
    }
    install(site, "torchcodec", "0.14.0+cu130", files, tag="cp310-cp310-manylinux_2_28_x86_64")
    image(site)
    if there:
        install(site, "nvidia-npp-cu12", "12.3", {"nvidia/npp/lib/libnppicc.so.12": elf("libnppicc.so.12")})
    report = run(capsys, "--path", site, "--root", site.parents[2])
    assert ("warning", "TL201") in bad(report)
    finding = next(each for each in report["files"][0]["findings"] if each["rule"] == "TL201")
    line = finding["remedy"]["commands"][0]["line"]
    assert line.endswith("torchcodec==0.11.1+cu128" if there else "torchcodec==0.11.1")
    assert ("it is the CPU build, as those for CUDA link NPP" in finding["remedy"]["summary"]) is not there


@pytest.mark.parametrize(("release", "severity"), [("0.9.1", "error"), ("0.10.1", "warning")])
def test_a_soundfile_that_torchaudio_imports(
    site: Path, release: str, severity: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """torchaudio 0.6 to 0.9 import soundfile wherever it is installed."""
    torch = {"0.9.1": "1.9.1", "0.10.1": "1.10.1"}[release]
    stage_torch(site, torch)
    stage_audio(site, release)
    install(site, "soundfile", "0.10.3.post1", {"soundfile.py": ""})
    install(site, "cffi", "1.17.1")
    image(site)
    report = run(capsys, "--path", site, "--root", site.parents[2])
    assert (severity, "TL301") in bad(report)


def test_a_later_release_that_replaces_torch(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stage_torch(site, "2.9.0+cpu")
    stage_audio(site, "2.9.0+cpu")
    install(site, "whisperx", "3.4.3", {"whisperx/__init__.py": ""}, headers="Requires-Dist: torch>=2.5.1\n")
    report = run(capsys, "--path", site)
    finding = next(each for each in report["files"][0]["findings"] if each["packages"][0]["name"] == "whisperx")
    assert "Install whisperx 3.7.4 or later; whisperx 3." in finding["remedy"]["summary"]
    assert "requires torch~=2.8.0" in finding["remedy"]["summary"]


@pytest.mark.parametrize("file", ["METADATA", "WHEEL"])
def test_metadata_that_differ_from_the_record(site: Path, file: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The wheels of torchaudio 0.10.0 to 0.11.0 are so on the index; the same in a module is noted."""
    stage_torch(site)
    stage_audio(site)
    (info,) = site.glob("torchaudio-*.dist-info")
    write(info / file, (info / file).read_text() + "Keywords: none\n")
    assert "TL602" not in str(run(capsys, "--path", site, "--deep"))
    write(site / "torchaudio/functional.py", "x = 1\n")
    assert "TL602" in str(run(capsys, "--path", site))


def test_a_system_without_a_known_package(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stage_torch(site, "2.8.0+cpu")
    stage_audio(site, "2.8.0+cpu")
    write(site / "torchaudio/lib/_torchaudio_sox.so", elf("", ["libsox.so"]))
    write(image(site) / "etc/os-release", 'ID="amzn"\nVERSION_ID="2023"\n')
    text = str(run(capsys, "--path", site, "--root", site.parents[2]))
    assert "has no known package" not in text


def test_the_libsox_of_focal() -> None:
    assert systems.load("ubuntu-20.04").libraries["libsox"].packages == ("libsox-dev",)
