"""NVIDIA's packages under torch: the releases that it requires, others that work, and others that do not.

What fails was measured with the real packages under torch 2.5.1+cu124.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.check import bad, first, image, rules_below, run, stage_torch, torch_files
from support.libraries import elf
from support.site_folder import install, write

PINS = {
    "nvidia-nvjitlink-cu12": "12.4.127",
    "nvidia-cusparse-cu12": "12.3.1.170",
    "nvidia-cudnn-cu12": "9.1.0.70",
    "nvidia-nccl-cu12": "2.21.5",
    "nvidia-cusolver-cu12": "11.6.1.9",
}
COMPLETE = "__nvJitLinkComplete_12_4"
# Where each package has its library, and what this library is.
LIBRARIES = {
    "nvidia-nvjitlink": ("nvjitlink/lib/libnvJitLink.so.12", elf("libnvJitLink.so.12", exports=[COMPLETE])),
    "nvidia-cusparse": (
        "cusparse/lib/libcusparse.so.12",
        elf("libcusparse.so.12", ["libnvJitLink.so.12"], [], [COMPLETE], runpath="$ORIGIN/../../nvjitlink/lib"),
    ),
    "nvidia-cudnn": ("cudnn/lib/libcudnn.so.9", elf("libcudnn.so.9")),
    "nvidia-nccl": ("nccl/lib/libnccl.so.2", elf("libnccl.so.2", exports=["ncclCommRegister"])),
    "nvidia-cusolver": ("cusolver/lib/libcusolver.so.11", elf("libcusolver.so.11", exports=["cusolverDnCreate"])),
}
WHERE = ":".join(f"$ORIGIN/../../nvidia/{name}/lib" for name in ("cusparse", "cudnn", "nccl", "cusolver"))
NEEDED = ["libcusparse.so.12", "libcudnn.so.9", "libnccl.so.2"]
COMPARES = "    cudnn_compatible = runtime_minor >= compile_minor\n"

OF_RULE = "torch installs the CUDA libraries of its own CUDA version, in folders where the loader does not search"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """torch 2.5.1 for CUDA 12.4 with the packages that it requires."""
    folder = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    folder.mkdir(parents=True)
    files = torch_files("2.5.1+cu124", cuda="'12.4'")
    python = elf("libtorch_python.so", ["libtorch_cpu.so", "libtorch_cuda.so"], runpath="$ORIGIN")
    files["torch/lib/libtorch_python.so"] = python
    files["torch/lib/libtorch_cuda.so"] = elf("libtorch_cuda.so", NEEDED, [], ["ncclCommRegister"], runpath=WHERE)
    linalg = elf("libtorch_cuda_linalg.so", ["libcusolver.so.11"], [], ["cusolverDnCreate"], runpath=WHERE)
    files["torch/lib/libtorch_cuda_linalg.so"] = linalg
    files["torch/backends/cudnn/__init__.py"] = COMPARES
    linux = "platform_system == 'Linux' and platform_machine == 'x86_64'"
    headers = "".join(f"Requires-Dist: {name}=={version}; {linux}\n" for name, version in PINS.items())
    headers += "Requires-Dist: nvidia-never-cu12==1; platform_system == 'Windows'\n"
    install(folder, "torch", "2.5.1+cu124", files, headers=headers, tag="cp311-cp311-linux_x86_64")
    for name, version in PINS.items():
        add(folder, name, version)
    image(folder)
    return folder


def add(site: Path, name: str, version: str, library: bytes | None = None) -> None:
    """Install a package; ``library`` instead of the right one."""
    path, right = LIBRARIES[name.rpartition("-cu")[0]]
    file = site / "nvidia" / path
    file.unlink(missing_ok=True)
    install(site, name, version, {f"nvidia/{path}": right if library is None else library})


def replace(site: Path, name: str, version: str, library: bytes | None = None) -> None:
    take_out(site, name)
    add(site, name, version, library)


def take_out(site: Path, name: str) -> None:
    (info,) = site.glob(f"{name.replace('-', '_')}-*.dist-info")
    for path in (*info.iterdir(), site / "nvidia" / LIBRARIES[name.rpartition("-cu")[0]][0]):
        path.unlink()
    info.rmdir()


def check(capsys: pytest.CaptureFixture[str], site: Path) -> dict[str, Any]:
    return run(capsys, "--path", site, "--ignore", "TL615")


def noted(report: dict[str, Any], rule: str) -> list[str]:
    return [each["message"] for each in report["files"][0]["findings"] if each["rule"] == rule]


def command(report: dict[str, Any]) -> str:
    return str(report["command"])


@pytest.mark.leaves_alone("TL611", "TL616", "TL617")
def test_what_torch_requires_is_installed(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bad(check(capsys, site)) == []


@pytest.mark.triggers("TL611")
def test_an_older_library_without_a_symbol(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    replace(site, "nvidia-nvjitlink-cu12", "12.1.105", elf("libnvJitLink.so.12", exports=["nvJitLinkVersion"]))
    report = check(capsys, site)
    assert bad(report) == [("error", "TL611")]
    assert first(report)["message"] == (
        f"libcusparse.so.12 of nvidia-cusparse-cu12 12.3.1.170 uses {COMPLETE}, "
        "which libnvJitLink.so.12 of nvidia-nvjitlink-cu12 12.1.105 does not define"
    )
    assert first(report)["says"].endswith(f"libcusparse.so.12: undefined symbol: {COMPLETE}")
    assert command(report) == "python -m pip install nvidia-nvjitlink-cu12==12.4.127"


def test_a_newer_user_of_the_required_library(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """cuSPARSE alone was upgraded: it is what must go back."""
    runpath = "$ORIGIN/../../nvjitlink/lib"
    needs = elf("libcusparse.so.12", ["libnvJitLink.so.12"], [], ["__nvJitLinkCreate_12_8"], runpath=runpath)
    replace(site, "nvidia-cusparse-cu12", "12.5.8.93", needs)
    assert command(check(capsys, site)) == "python -m pip install nvidia-cusparse-cu12==12.3.1.170"


def test_a_library_without_versions(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    replace(site, "nvidia-nccl-cu12", "2.18.1", elf("libnccl.so.2", exports=["ncclCommInitRank"]))
    report = check(capsys, site)
    assert "uses ncclCommRegister, which libnccl.so.2 of nvidia-nccl-cu12 2.18.1" in first(report)["message"]
    assert "nvidia-nccl-cu12==2.21.5" in command(report)


def test_several_packages_of_another_release_of_cuda_that_work(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, version in (
        ("nvidia-nvjitlink-cu12", "12.8.93"),
        ("nvidia-cudnn-cu12", "9.10.2.21"),
        ("nvidia-nccl-cu12", "2.19.3"),
    ):
        replace(site, name, version)
    report = check(capsys, site)
    assert bad(report) == []
    (message,) = noted(report, "TL616")
    assert "nvidia-cudnn-cu12 9.1.0.70 (9.10.2.21 is installed)" in message


@pytest.mark.triggers("TL616")
@pytest.mark.parametrize(("source", "severity"), [(COMPARES, "warning"), ("# compares nothing\n", "note")])
def test_an_older_cudnn_is_refused_by_torch_itself(
    site: Path, source: str, severity: str, capsys: pytest.CaptureFixture[str]
) -> None:
    replace(site, "nvidia-cudnn-cu12", "9.0.0.312")
    write(site / "torch" / "backends" / "cudnn" / "__init__.py", source)
    report = check(capsys, site)
    found = [each for each in report["files"][0]["findings"] if each["rule"] == "TL616"]
    assert [each["severity"] for each in found] == [severity]
    if severity == "warning":
        assert "compiled  against (9, 1, 0) but found runtime version (9, 0, 0)" in found[0]["says"]


def test_another_major_of_cudnn(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    take_out(site, "nvidia-cudnn-cu12")
    install(site, "nvidia-cudnn-cu12", "8.9.2.26", {"nvidia/cudnn/lib/libcudnn.so.8": elf("libcudnn.so.8")})
    report = check(capsys, site)
    assert bad(report) == [("error", "TL610")]
    assert command(report) == "python -m pip install nvidia-cudnn-cu12==9.1.0.70"


def test_a_missing_package(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    take_out(site, "nvidia-nccl-cu12")
    report = check(capsys, site)
    assert bad(report) == [("error", "TL610")]
    assert command(report) == "python -m pip install nvidia-nccl-cu12==2.21.5"


def test_a_missing_package_that_torch_opens_later(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    take_out(site, "nvidia-cusolver-cu12")
    report = check(capsys, site)
    assert bad(report) == [("warning", "TL616")]
    assert first(report)["says"].startswith("OSError: libcusolver.so.11")
    assert command(report) == "python -m pip install nvidia-cusolver-cu12==11.6.1.9"


def test_an_older_package_that_torch_opens_later(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    replace(site, "nvidia-cusolver-cu12", "11.4.5.107", elf("libcusolver.so.11"))
    report = check(capsys, site)
    assert bad(report) == [("warning", "TL616")]
    assert "cusolverDnCreate, which this release does not define" in first(report)["because"]


def test_a_library_whose_record_is_left(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What uninstalling another package with the same paths leaves."""
    (site / "nvidia" / "nccl" / "lib" / "libnccl.so.2").unlink()
    report = check(capsys, site)
    assert first(report)["rule"] == "TL610"
    assert command(report).endswith("--force-reinstall --no-deps nvidia-nccl-cu12==2.21.5")


@pytest.mark.triggers("TL617")
def test_a_package_for_another_cuda_that_overwrote_the_library(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add(site, "nvidia-cudnn-cu13", "9.28.1.4", elf("libcudnn.so.9", exports=["cudnnCreate"]))
    report = check(capsys, site)
    assert bad(report) == [("warning", "TL617")]
    replaced = "nvidia-cudnn-cu13 9.28.1.4 replaced libcudnn.so.9 of nvidia-cudnn-cu12 9.1.0.70"
    assert first(report)["message"].startswith(replaced)
    assert command(report) == (
        "python -m pip uninstall -y nvidia-cudnn-cu13 && "
        "python -m pip install --force-reinstall --no-deps nvidia-cudnn-cu12==9.1.0.70"
    )


def test_a_package_for_another_cuda_that_is_required(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add(site, "nvidia-cudnn-cu13", "9.28.1.4", elf("libcudnn.so.9", exports=["cudnnCreate"]))
    install(site, "othertool", "1.0", headers="Requires-Dist: nvidia-cudnn-cu13\n")
    report = check(capsys, site)
    assert report["command"] is None
    assert first(report)["remedy"]["summary"].startswith("Move othertool, which requires nvidia-cudnn-cu13")


def test_a_package_for_another_cuda_that_was_installed_first(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add(site, "nvidia-cudnn-cu13", "9.28.1.4", elf("libcudnn.so.9", exports=["cudnnCreate"]))
    write(site / "nvidia" / "cudnn" / "lib" / "libcudnn.so.9", LIBRARIES["nvidia-cudnn"][1])
    report = check(capsys, site)
    assert bad(report) == []
    assert len(noted(report, "TL617")) == 1


@pytest.mark.leaves_alone("TL617")
def test_packages_for_two_cuda_versions_in_folders_of_their_own(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install(site, "nvidia-cusolver", "12.0.0", {"nvidia/cu13/lib/libcusolver.so.12": elf("libcusolver.so.12")})
    assert bad(check(capsys, site)) == []


def test_packages_that_a_toolkit_requires(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """torch 2.11 and later name extras of cuda-toolkit."""
    (metadata,) = site.glob("torch-*.dist-info/METADATA")
    text = metadata.read_text().replace("nvidia-cusolver-cu12==11.6.1.9", "cuda-toolkit[cusolver]==12.4.1")
    metadata.write_text(text)
    headers = "".join(
        f"Provides-Extra: {name}\nRequires-Dist: nvidia-{name}-cu12=={version}.*; extra == '{name}'\n"
        for name, version in (("cusolver", "11.6.1"), ("nvtx", "12.4.0"))
    )
    install(site, "cuda-toolkit", "12.4.1", headers=headers)
    assert noted(check(capsys, site), "TL616") == []
    replace(site, "nvidia-cusolver-cu12", "11.7.2.55")
    (message,) = noted(check(capsys, site), "TL616")
    assert "nvidia-cusolver-cu12 11.6.1 (11.7.2.55 is installed)" in message


def test_a_log_of_a_refused_cudnn(site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    replace(site, "nvidia-cudnn-cu12", "9.0.0.312")
    log = write(tmp_path / "log", "RuntimeError: cuDNN version incompatibility: PyTorch was compiled against\n")
    report = run(capsys, "--path", site, "--log", log)
    assert first(report)["rule"] == "TL616"
    assert rules_below(first(report)) == []


@pytest.mark.parametrize("cuda", ["12.4", "11.8", ""])
def test_an_onnxruntime_whose_libraries_no_package_has_is_a_note(
    tmp_path: Path, cuda: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """https://github.com/stepfun-ai/Step-Audio-EditX/issues/3: it computes on the CPU, and nothing else fails.

    The machine is not known, and may have them.
    """
    site = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    site.mkdir(parents=True)
    stage_torch(site, "2.4.1", cuda=f"'{cuda}'" if cuda else "None")
    provider = elf("libonnxruntime_providers_cuda.so", ["libcublasLt.so.11", "libcudart.so.11.0"])
    files = {"onnxruntime/__init__.py": "", "onnxruntime/capi/libonnxruntime_providers_cuda.so": provider}
    install(site, "onnxruntime-gpu", "1.17.0", files)
    findings = run(capsys, "--path", site, code=0)["files"][0]["findings"]
    (found,) = [each for each in findings if each["rule"] == "TL230"]
    assert (found["severity"], found["because"]) == ("note", f"torch is for CUDA {cuda}" if cuda else OF_RULE)
    assert found["message"].endswith("whether the machine has them is unknown")
