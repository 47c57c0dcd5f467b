"""Which build a GPU and a driver can use: what is said of the installed one, and what is proposed instead."""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path
from typing import Any

import pytest

from support.check import audio_files, bad, first, run, torch_files
from support.libraries import elf
from support.machine import FakeMachine
from support.machine import machine as machine
from support.site_folder import install, write
from torchlock.answers import Unknown
from torchlock.inspect.gpu_code import gpu_code

OF_BUILDS = {"TL202", "TL208", "TL209", "TL220", "TL221", "TL222", "TL223", "TL224"}
TAG = "cp311-cp311-manylinux_2_28_x86_64"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    folder.mkdir(parents=True)
    return folder


def torch(site: Path, version: str, flags: str = "", tag: str = TAG) -> None:
    """A torch of a build, whose library names the architectures ``flags``."""
    label = version.partition("+")[2]
    cuda = f"'{label[2:-1]}.{label[-1]}'" if label.startswith("cu") else "None"
    files = torch_files(version, cuda=cuda)
    if label.startswith("rocm"):
        files["torch/version.py"] = f"__version__ = '{version}'\ncuda = None\nhip = '{label[4:]}.4'\n"
    if flags:
        library = files["torch/lib/libtorch_python.so"]
        assert isinstance(library, bytes)
        files["torch/lib/libtorch_python.so"] = library + b"\0" + flags.encode() + b"\0"
    install(site, "torch", version, files, tag=tag)


def fat_binary(*code: str) -> bytes:
    """GPU code as nvcc puts it into a library: a header, and an entry for each architecture."""
    entries = b""
    for each in code:
        kind, _, arch = each.partition("_")
        head = struct.pack("<HHIQIIHHI", 1 if kind == "compute" else 2, 0, 64, 16, 0, 0, 0, 0, int(arch))
        entries += head.ljust(64, b"\0") + bytes(16)
    return struct.pack("<4sHHQ", b"\x50\xed\x55\xba", 1, 16, len(entries)) + entries


def vision(site: Path, version: str, *code: str) -> None:
    """A torchvision whose library has the GPU code ``code``."""
    files: dict[str, bytes | str] = {
        "torchvision/__init__.py": "",
        "torchvision/version.py": f"__version__ = '{version}'\n",
        "torchvision/_C.so": elf("", ["libtorch_cpu.so"]) + (fat_binary(*code) if code else b""),
    }
    install(site, "torchvision", version, files, tag=TAG)


def found(report: dict[str, Any]) -> list[tuple[str, str]]:
    """Severities and rules of the findings about builds and GPUs."""
    findings = report["files"][0]["findings"]
    return [(each["severity"], each["rule"]) for each in findings if each["rule"] in OF_BUILDS]


def only(report: dict[str, Any]) -> dict[str, Any]:
    """The one finding about builds and GPUs."""
    (finding,) = [each for each in report["files"][0]["findings"] if each["rule"] in OF_BUILDS]
    assert isinstance(finding, dict)
    return finding


def tree(capsys: pytest.CaptureFixture[str], site: Path, *words: str, driver: str = "") -> dict[str, Any]:
    """The check of a folder, for a GPU and a driver that are named."""
    named = ("--system-lib", f"cuda-driver={driver}") if driver else ()
    return run(capsys, "--path", site, *words, *named)


def live(capsys: pytest.CaptureFixture[str], site: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> Any:
    """The check of this interpreter with the staged packages, on the staged machine."""
    monkeypatch.setenv("PYTHONPATH", str(site))
    for name in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    return run(capsys, "--python", sys.executable, *words)


AMPERE_ON = "sm_75 sm_80 sm_86 sm_90 sm_100 sm_120"

# A build, the architectures that its library names ("" for none), a GPU and a driver that work with it.
WORKING = [
    ("2.8.0+cpu", "", "none", ""),
    ("2.8.0+cu128", AMPERE_ON, "none", ""),
    ("2.8.0+cu128", AMPERE_ON, "A10", "535.104.05"),
    ("2.8.0+cu128", "", "A10", "550.54.14"),
    ("2.9.0+cu126", "sm_50 sm_60 sm_70 sm_75 sm_80 sm_86 sm_90", "V100", "580.65.06"),
    ("2.9.1+cu128", AMPERE_ON, "GB10", "580.95.05"),
    ("2.9.1+cu130", "", "GB10", "580.95.05"),
    ("2.7.1+cu118", "sm_37 sm_50 sm_60 sm_70 sm_75 sm_80 sm_86 sm_90", "K80", "470.82.01"),
    ("2.8.0+rocm6.4", "", "RX 7900 XTX", ""),
]


@pytest.mark.leaves_alone("TL202", "TL208", "TL209", "TL220", "TL221", "TL222", "TL223")
@pytest.mark.parametrize(("version", "flags", "gpu", "driver"), WORKING)
def test_what_works_is_left_alone(
    site: Path, version: str, flags: str, gpu: str, driver: str, capsys: pytest.CaptureFixture[str]
) -> None:
    torch(site, version, flags)
    assert found(tree(capsys, site, "--gpu", gpu, driver=driver)) == []


@pytest.mark.parametrize("version", ["2.8.0+cpu", "2.8.0+cu128", "2.8.0+rocm6.4"])
def test_a_machine_without_gpu_and_driver(
    site: Path,
    version: str,
    machine: FakeMachine,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As an image is built: a CUDA build there is as usual as a CPU build."""
    torch(site, version)
    assert found(live(capsys, site, monkeypatch)) == []


def test_a_container_that_shows_a_card_and_no_driver(
    site: Path, machine: FakeMachine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torch(site, "2.8.0+cu128")
    machine.adapter("0000:01:00.0", "10de", "2204")
    assert found(live(capsys, site, monkeypatch)) == []


@pytest.mark.triggers("TL220")
def test_a_cpu_build_beside_a_gpu_is_a_note(
    site: Path, machine: FakeMachine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torch(site, "2.8.0+cpu")
    machine.nvidia("550.54.14", ("NVIDIA GeForce RTX 3090", "8.6"))
    finding = only(live(capsys, site, monkeypatch))
    assert (finding["severity"], finding["rule"]) == ("note", "TL220")
    assert "NVIDIA GeForce RTX 3090 (sm_86) and the NVIDIA driver 550.54.14" in finding["message"]
    assert "install torch 2.8.0+cu129 and its companions" in finding["remedy"]["summary"]


@pytest.mark.parametrize("words", [("--accelerator", "cpu"), ("--gpu", "none")])
def test_who_asks_for_the_cpu_hears_nothing(
    site: Path,
    words: tuple[str, str],
    machine: FakeMachine,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    torch(site, "2.8.0+cpu")
    machine.nvidia("550.54.14", ("NVIDIA GeForce RTX 3090", "8.6"))
    assert found(live(capsys, site, monkeypatch, *words)) == []


def test_gpus_that_a_variable_hides(
    site: Path, machine: FakeMachine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torch(site, "2.8.0+cpu")
    machine.nvidia("550.54.14", ("NVIDIA GeForce RTX 3090", "8.6"))
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert found(run(capsys, "--python", sys.executable)) == []


def test_a_cpu_build_beside_an_old_gpu(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Kepler: only older releases have code for it. The note names one, and the page."""
    torch(site, "2.9.0+cpu")
    summary = only(tree(capsys, site, "--gpu", "K80", driver="470.82.01"))["remedy"]["summary"]
    assert "install torch 2.7.1+cu118" in summary
    assert "https://download.pytorch.org/whl/cu118" in summary


def test_a_cpu_build_beside_a_gpu_without_an_answer(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch(site, "2.15.0+cpu")
    summary = only(tree(capsys, site, "--gpu", "K80", driver="390.157"))["remedy"]["summary"]
    assert summary.startswith("Keep the CPU build")


def proposed(capsys: pytest.CaptureFixture[str], site: Path, rule: str, gpu: str, driver: str) -> str:
    """The command for a GPU and a driver that the staged build does not serve, by this rule alone."""
    report = tree(capsys, site, "--gpu", gpu, driver=driver)
    assert found(report) == [("warning", rule)]
    command = str(report["command"])
    assert "--index-url https://download.pytorch.org/whl/" in command
    return command


@pytest.mark.triggers("TL208")
@pytest.mark.parametrize(
    ("version", "flags", "gpu", "driver", "command"),
    [
        ("2.8.0+cu128", AMPERE_ON, "GTX 1080 Ti", "550.54.14", "torch==2.8.0+cu126"),
        ("2.5.1+cu124", "sm_50 sm_75 sm_80 sm_86 sm_90", "RTX 5090", "570.86", "torch==2.7.0+cu128"),
        ("2.15.0+cu130", AMPERE_ON, "V100", "580.65.06", "+cu126"),
        ("2.9.0+cu128", "", "GTX 1080 Ti", "550.54.14", "torch==2.9.0+cu126"),
        ("2.8.0+rocm6.4", "", "gfx1151", "", "+rocm7"),
    ],
)
def test_the_build_that_has_code_for_a_gpu(
    site: Path, version: str, flags: str, gpu: str, driver: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    torch(site, version, flags)
    assert command in proposed(capsys, site, "TL208", gpu, driver)


@pytest.mark.triggers("TL202")
def test_the_build_that_an_older_driver_runs(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch(site, "2.9.0+cu130", AMPERE_ON)
    assert "torch==2.9.0+cu12" in proposed(capsys, site, "TL202", "A10", "550.54.14")


@pytest.mark.parametrize(
    ("version", "command"),
    [("2.4.0+cu121", "torch==2.4.0+cu118"), ("2.9.1+cu130", "torch==2.7.1+cu118")],
)
def test_a_driver_that_is_too_old_for_every_public_build(
    site: Path, version: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The public builds of these releases are for CUDA 12 or 13; those of CUDA 11.8 run with R470."""
    torch(site, version, "sm_50 sm_60 sm_70 sm_75 sm_80 sm_86 sm_90")
    assert command in proposed(capsys, site, "TL202", "V100", "470.223.02")


@pytest.mark.parametrize("version", ["2.5.1+xpu", "2.8.0+xpu"])
@pytest.mark.leaves_alone("TL220")
def test_an_xpu_build_whose_version_file_does_not_name_it(
    site: Path, version: str, capsys: pytest.CaptureFixture[str]
) -> None:
    torch(site, version)
    assert found(tree(capsys, site, "--gpu", "xpu")) == []


@pytest.mark.triggers("TL223")
@pytest.mark.parametrize(
    ("version", "gpu", "command"),
    [
        ("2.8.0+cu128", "RX 7900 XTX", "torch==2.8.0+rocm6.4"),
        ("2.8.0+rocm6.4", "RTX 4090", "torch==2.8.0+cu12"),
        ("2.8.0+cu128", "xpu", "torch==2.8.0+xpu"),
    ],
)
def test_the_build_for_another_vendor(
    site: Path, version: str, gpu: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    torch(site, version)
    assert command in proposed(capsys, site, "TL223", gpu, "")


@pytest.mark.triggers("TL221")
@pytest.mark.parametrize(
    ("version", "gpu", "driver", "branch"),
    [
        ("2.9.0+cu126", "V100", "590.44", "R580"),
        ("2.9.0+cu126", "GTX 1080 Ti", "595.10", "R580"),
        ("2.8.0+cu128", "RTX 5090", "550.54.14", "R570 or newer"),
    ],
)
def test_a_driver_that_does_not_support_the_gpu(
    site: Path, version: str, gpu: str, driver: str, branch: str, capsys: pytest.CaptureFixture[str]
) -> None:
    torch(site, version)
    finding = only(tree(capsys, site, "--gpu", gpu, driver=driver))
    assert (finding["severity"], finding["rule"]) == ("warning", "TL221")
    assert branch in finding["remedy"]["summary"]


def test_the_command_line_is_believed_before_the_machine(
    site: Path, machine: FakeMachine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torch(site, "2.8.0+cu128", AMPERE_ON)
    machine.nvidia("550.54.14", ("NVIDIA A10", "8.6"))
    assert found(live(capsys, site, monkeypatch)) == []
    driver = ("--system-lib", "cuda-driver=470.82")
    assert found(live(capsys, site, monkeypatch, *driver)) == [("warning", "TL202")]
    assert found(live(capsys, site, monkeypatch, "--gpu", "GTX 1080 Ti")) == [("warning", "TL208")]


def test_a_thor_needs_code_of_its_own(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The builds for desktop Blackwell fail there on every operator."""
    torch(site, "2.9.1+cu128", tag="cp311-cp311-manylinux_2_28_aarch64")
    report = tree(capsys, site, "--platform", "linux-aarch64", "--gpu", "sm_110", driver="580.00")
    assert found(report) == [("warning", "TL208")]
    assert "torch==2.9.1+cu130" in only(report)["remedy"]["commands"][0]["line"]
    of_spark = tree(capsys, site, "--platform", "linux-aarch64", "--gpu", "sm_121", driver="580.95.05")
    assert found(of_spark) == []


@pytest.mark.triggers("TL222")
@pytest.mark.parametrize("code", [(), ("sm_50", "sm_75", "sm_90")])
def test_a_companion_without_code_for_the_gpu(
    site: Path, code: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """By the table, if no code is found in the library; else by the library."""
    torch(site, "2.9.0+cu129", AMPERE_ON)
    vision(site, "0.24.0+cu129", *code)
    report = tree(capsys, site, "--gpu", "RTX 5090", driver="580.65.06")
    assert found(report) == [("warning", "TL222")]
    message = first(report)["message"]
    assert message.startswith("torchvision 0.24.0 (CUDA 12.9) has no code for RTX 5090 (sm_120), only for sm_50")
    assert ("no wheel was read" in message) is not code
    assert "torch==2.9.0+cu130" in report["command"] and "torchvision==0.24.0+cu130" in report["command"]


@pytest.mark.leaves_alone("TL222")
@pytest.mark.parametrize("code", [("sm_75", "sm_120"), ("sm_90", "compute_90")])
def test_a_companion_whose_library_has_the_code(
    site: Path, code: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """What the library has counts more than the table; a driver can translate its PTX."""
    torch(site, "2.10.0+cu128", AMPERE_ON)
    vision(site, "0.25.0+cu128", *code)
    assert found(tree(capsys, site, "--gpu", "RTX 5090", driver="580.65.06")) == []


def test_ptx_that_was_seen_to_fail(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch(site, "2.8.0+cu129", AMPERE_ON)
    vision(site, "0.23.0+cu129", "sm_90", "compute_50")
    assert found(tree(capsys, site, "--gpu", "RTX 5090", driver="580.65.06")) == [("warning", "TL222")]


def test_gpu_code_of_a_hostile_library(tmp_path: Path) -> None:
    """Sizes beyond the file, and entries without end, are no code; nothing is read twice."""
    for number, data in enumerate(
        [
            struct.pack("<4sHHQ", b"\x50\xed\x55\xba", 1, 16, 1 << 60),
            b"\x50\xed\x55\xba",
            fat_binary("sm_90").replace(struct.pack("<I", 64), struct.pack("<I", 0)),
            b"\x50\xed\x55\xba" * 5000,
        ]
    ):
        assert isinstance(gpu_code(str(write(tmp_path / str(number), data))), Unknown)
    assert gpu_code(str(write(tmp_path / "fine", b"x" + fat_binary("sm_90", "compute_90")))) == {
        "sm_90",
        "compute_90",
    }


def test_a_gpu_of_another_vendor_that_was_only_found_is_a_note(
    site: Path, machine: FakeMachine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The public index's torch for Linux is a CUDA build: it works on this machine, on the CPU."""
    torch(site, "2.8.0+cu128", AMPERE_ON)
    machine.node(1, 110000)
    finding = only(live(capsys, site, monkeypatch))
    assert (finding["severity"], finding["rule"]) == ("note", "TL223")


@pytest.mark.triggers("TL224")
def test_the_wrong_warning_about_a_gb10(site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch(site, "2.9.1+cu128", AMPERE_ON)
    warning = (
        "NVIDIA GB10 with CUDA capability sm_121 is not compatible with the current PyTorch installation.\n"
        "The current PyTorch install supports CUDA capabilities sm_75 sm_80 sm_86 sm_90 sm_100 sm_120.\n"
    )
    log = write(tmp_path / "log", warning)
    report = tree(capsys, site, "--gpu", "GB10", "--log", str(log))
    assert found(report) == [("note", "TL224")]
    assert bad(report) == []


@pytest.mark.leaves_alone("TL224")
def test_a_right_warning(site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch(site, "2.5.1+cu124", "sm_80 sm_90")
    log = write(
        tmp_path / "log", "RTX 5090 with CUDA capability sm_120 is not compatible with the current PyTorch\n"
    )
    assert found(tree(capsys, site, "--gpu", "RTX 5090", "--log", str(log))) == [("warning", "TL208")]


def test_one_build_for_two_kinds_of_gpu(
    site: Path, machine: FakeMachine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """cu128 and cu129 of 2.8 to 2.10 are the only builds for both Volta and Blackwell."""
    torch(site, "2.9.0+cu130", AMPERE_ON)
    machine.nvidia("580.65.06", ("Tesla V100-PCIE-16GB", "7.0"), ("NVIDIA GeForce RTX 5090", "12.0"))
    report = live(capsys, site, monkeypatch)
    assert found(report) == [("warning", "TL208")]
    assert "2.9.0+cu129" in report["command"] or "torch==2.9.0 " in report["command"] + " "


@pytest.mark.skipif(os.name != "posix", reason="a path of Linux")
def test_an_audio_companion_for_old_gpus(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch(site, "2.9.0+cu126", "sm_50 sm_60 sm_70 sm_75 sm_80 sm_86 sm_90")
    files = audio_files("2.9.0+cu126")
    library = files["torchaudio/lib/libtorchaudio.so"]
    assert isinstance(library, bytes)
    files["torchaudio/lib/libtorchaudio.so"] = library + fat_binary("sm_75", "sm_90")
    install(site, "torchaudio", "2.9.0+cu126", files, tag=TAG)
    report = tree(capsys, site, "--gpu", "V100", driver="580.65.06")
    assert found(report) == [("warning", "TL222")]
