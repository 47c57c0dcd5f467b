"""Builds that conda is asked for: by build strings, cpuonly and pytorch-cuda."""

from __future__ import annotations

import pytest

from support.formats import errors, read
from torchlock.manifests.conda_builds import label_of


@pytest.mark.parametrize(
    ("build", "label"),
    [
        ("", ""),
        ("0", ""),
        ("py39h_0", ""),
        ("pypi_0", ""),
        ("*cuda*", ""),
        ("pyhd8ed1ab_0", ""),
        ("py3.10_cpu_0", "cpu"),
        ("py37_cpu", "cpu"),
        ("*cpu*", "cpu"),
        ("cpu_generic_py311_h0", "cpu"),
        ("py310_cu121", "cu121"),
        ("py38_cu92", "cu92"),
        ("py3.8_cuda9.0.176_cudnn7.1.2_1", "cu90"),
        ("py3.11_cuda12.1_cudnn9.1.0_0", "cu121"),
        ("cuda118_py310h_0", "cu118"),
        ("cuda120py39h_200", "cu120"),
        ("cuda126_generic_py311_h0", "cu126"),
    ],
)
def test_the_label_of_a_build_string(build: str, label: str) -> None:
    assert label_of(build) == label


def environment(*specs: str) -> str:
    return "channels: [pytorch, nvidia]\ndependencies:\n" + "".join(f"  - {spec}\n" for spec in specs)


TORCH, AUDIO = "pytorch=2.1.0", "torchaudio=2.1.0"


@pytest.mark.parametrize(
    "specs",
    [
        (TORCH, AUDIO),
        (TORCH, AUDIO, "cpuonly"),
        (TORCH, AUDIO, "pytorch-cuda=12.1"),
        (TORCH, AUDIO, "cpuonly", "cudatoolkit=11.3"),
        (f"{TORCH}=py3.10_cpu_0", f"{AUDIO}=py310_cpu"),
        (f"{TORCH}=py3.10_cuda12.1_cudnn8.9.2_0", f"{AUDIO}=py310_cu121"),
        (f"{TORCH}=py3.10_cuda12.1_cudnn8.9.2_0", AUDIO),
        (f"{TORCH}=*cuda*", f"{AUDIO}=*cuda*"),
    ],
)
def test_builds_that_agree(specs: tuple[str, ...]) -> None:
    assert errors("environment.yml", environment(*specs).encode()) == []


@pytest.mark.parametrize(
    ("specs", "rule"),
    [
        ((f"{TORCH}=py3.10_cpu_0", f"{AUDIO}=py310_cu121"), "TL201"),
        ((f"{TORCH}=py3.10_cpu_0", AUDIO, "pytorch-cuda=12.1"), "TL201"),
        (("pytorch[version=2.1.0,build=py3.10_cpu_0]", "torchaudio[version=2.1.0,build=py310_cu121]"), "TL201"),
        ((TORCH, AUDIO, "cpuonly", "pytorch-cuda=12.1"), "TL203"),
    ],
)
def test_builds_that_disagree(specs: tuple[str, ...], rule: str) -> None:
    assert [found for found, _ in errors("environment.yml", environment(*specs).encode())] == [rule]


def test_builds_in_other_files_of_conda() -> None:
    command = f"conda install {TORCH}=py3.10_cpu_0 {AUDIO}=py310_cu121\n"
    assert errors("a.sh", command.encode()) == [("TL201", 1)]
    listed = f"# platform: linux-64\n{TORCH}=py3.10_cpu_0\n{AUDIO}=py310_cu121\n"
    assert [rule for rule, _ in errors("requirements.txt", listed.encode())] == ["TL201"]
    explicit = (
        "@EXPLICIT\nhttps://conda.example.org/pytorch/linux-64/pytorch-2.1.0-py3.10_cpu_0.tar.bz2\n"
        "https://conda.example.org/pytorch/linux-64/torchaudio-2.1.0-py310_cu121.tar.bz2\n"
    )
    assert [rule for rule, _ in errors("a.txt", explicit.encode())] == ["TL201"]


def test_a_later_command_may_replace_what_an_earlier_one_installed() -> None:
    text = f"conda install {TORCH} cpuonly\nconda install {TORCH} {AUDIO} pytorch-cuda=12.1\n"
    assert not read("a.sh", text).issues
    assert errors("a.sh", text.encode()) == []
    assert [one.rule for one in read("a.sh", f"conda install {TORCH} cpuonly pytorch-cuda=12.1\n").issues] == [
        "TL203"
    ]
