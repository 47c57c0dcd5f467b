"""Base images: what they hold, what is installed beside it, and for which platforms they are."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest

from torchlock.audit import Auditor
from torchlock.knowledge.images import image_of
from torchlock.manifests import read_document

if TYPE_CHECKING:
    from pathlib import Path

    from torchlock.finding import Finding

NEW = "pytorch/pytorch:2.8.0-cuda12.8-cudnn9-runtime"
OLD = "pytorch/pytorch:2.5.1-cuda12.4-cudnn9-devel"
VENDORS = [
    "nvcr.io/nvidia/pytorch:24.04-py3",
    "nvcr.io/nvidia/nemo:24.07",
    "nvcr.io/nvidia/l4t-pytorch:r35.2.1-pth2.0-py3",
    "dustynv/l4t-pytorch:r36.2.0",
    "rocm/pytorch:rocm6.2_ubuntu22.04_py3.10_pytorch_release_2.3.0",
    "rocm/pytorch:latest",
    "intel/intel-extension-for-pytorch:2.3.0-pip-base",
    "intel/intel-optimized-pytorch:latest",
    "vault.habana.ai/gaudi-docker/1.17.0/ubuntu22.04/habanalabs/pytorch-installer-2.3.1:latest",
    "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.3.0-gpu-py311-cu121-ubuntu20.04-ec2",
    "us-docker.pkg.dev/deeplearning-platform-release/gcr.io/pytorch-cu121.2-2.py310",
    "mcr.microsoft.com/aifx/acpt/stable-ubuntu2004-cu121-py310-torch22x:latest",
]
BARE = [
    "python:3.11",
    "ubuntu:22.04",
    "nvidia/cuda:12.4.1-cudnn-devel-ubuntu22.04",
    "nvcr.io/nvidia/cuda:12.1.0-base-ubuntu22.04",
    "debian:bookworm-slim",
    "continuumio/miniconda3",
    "ghcr.io/astral-sh/uv:python3.12-bookworm",
    "rocm/dev-ubuntu-22.04:6.2",
]


@cache
def auditor() -> Auditor:
    return Auditor()


def audit(folder: Path, text: str) -> list[Finding]:
    path = folder / "Dockerfile"
    path.write_text(text, encoding="utf-8")
    return auditor().report(str(path)).findings


def worse(findings: list[Finding]) -> list[tuple[int, str, str]]:
    return [(each.place.line, each.severity, each.rule) for each in findings if each.severity != "note"]


@pytest.mark.parametrize("image", [NEW, OLD, "pytorch/pytorch:2.10.0-cuda12.8-cudnn9-devel"])
@pytest.mark.parametrize(
    "command",
    [
        "pip install torchaudio soundfile",
        "uv pip install --system torchvision torchaudio",
        "pip install 'torchaudio>=2.0'",
    ],
)
def test_a_bare_name_is_satisfied_by_what_is_there(tmp_path: Path, image: str, command: str) -> None:
    assert worse(audit(tmp_path, f"FROM {image}\nRUN {command}\n")) == []


@pytest.mark.parametrize("option", ["-U", "--upgrade", "-qU", "--force-reinstall", "--ignore-installed"])
@pytest.mark.parametrize("image", [NEW, OLD])
def test_with_upgrade_an_installer_takes_the_newest(tmp_path: Path, image: str, option: str) -> None:
    assert worse(audit(tmp_path, f"FROM {image}\nRUN pip install {option} torchaudio\n")) == [
        (2, "warning", "TL101")
    ]


def test_who_installed_the_torch_of_the_image(tmp_path: Path) -> None:
    pinned = "FROM {}\nRUN pip install torch=={v} torchaudio=={v}\n"
    assert worse(audit(tmp_path, pinned.format(NEW, v="2.8.0"))) == []
    assert worse(audit(tmp_path, pinned.format("pytorch/pytorch:2.6.0-cuda12.4-cudnn9-runtime", v="2.6.0"))) == []
    assert worse(audit(tmp_path, pinned.format(OLD, v="2.5.1"))) == [(2, "warning", "TL510")]


def test_another_torch_takes_the_companions_along(tmp_path: Path) -> None:
    text = f"FROM {NEW}\nRUN pip install torch==2.7.1 torchaudio torchvision==0.22.1\n"
    assert worse(audit(tmp_path, text)) == [(2, "warning", "TL101")]
    assert worse(audit(tmp_path, f"FROM {NEW}\nRUN pip install torch==2.8.0 torchaudio\n")) == []
    assert ("error", "TL101") in [
        each[1:]
        for each in worse(audit(tmp_path, f"FROM {NEW}\nRUN pip install torch==2.8.0 torchaudio==2.5.1\n"))
    ]


def test_companions_of_an_old_image(tmp_path: Path) -> None:
    """Until 1.12 conda brought torchvision and torchtext, and no torchaudio."""
    old = "FROM pytorch/pytorch:1.11.0-cuda11.3-cudnn8-runtime\nRUN pip install {}\n"
    assert worse(audit(tmp_path, old.format("torchvision"))) == []
    assert worse(audit(tmp_path, old.format("torchaudio"))) == [(2, "warning", "TL101")]


def test_what_an_earlier_command_installed_stays(tmp_path: Path) -> None:
    text = "FROM python:3.11\nRUN pip install torch==2.7.1 torchaudio==2.7.1\nRUN pip install {}torchaudio torch\n"
    assert worse(audit(tmp_path, text.format(""))) == []
    assert audit(tmp_path, text.format("--upgrade ")) != audit(tmp_path, text.format(""))
    stages = f"FROM {NEW} AS base\nRUN pip install numpy\nFROM base\nRUN pip install torchaudio\n"
    assert worse(audit(tmp_path, stages)) == []


@pytest.mark.parametrize(
    "image", ["pytorch/pytorch:latest", "pytorch/pytorch", "pytorch/pytorch@sha256:" + "0" * 64, "${BASE}"]
)
def test_an_image_whose_torch_has_no_version(tmp_path: Path, image: str) -> None:
    findings = audit(tmp_path, f"FROM {image}\nRUN pip install torchaudio\n")
    assert worse(findings) == []
    assert [each.rule for each in findings if each.rule.startswith("TL9")] == ["TL902"]


@pytest.mark.parametrize(
    "image", ["registry.example.org/team/base:1", "team/base", "huggingface/transformers-pytorch-gpu"]
)
def test_an_image_that_nobody_here_knows(tmp_path: Path, image: str) -> None:
    findings = audit(tmp_path, f"FROM {image}\nRUN pip install torchaudio\n")
    assert worse(findings) == []
    assert any(each.rule == "TL902" and image in each.message for each in findings)
    assert audit(tmp_path, f"FROM {image}\nRUN pip install flask\n") == []
    pair = f"FROM {image}\nRUN pip install torch==2.7.1 torchaudio==2.5.1\n"
    assert worse(audit(tmp_path, pair)) == [(2, "error", "TL101")], "what is installed here is judged as ever"


@pytest.mark.parametrize("image", BARE)
def test_an_image_without_torch(tmp_path: Path, image: str) -> None:
    assert not image_of(image).unknown
    assert worse(audit(tmp_path, f"FROM {image}\nRUN pip install torch==2.7.1 torchaudio\n")) == [
        (2, "warning", "TL101")
    ]


@pytest.mark.parametrize("image", VENDORS)
def test_a_vendors_image(tmp_path: Path, image: str) -> None:
    assert image_of(image).vendor
    assert worse(audit(tmp_path, f"FROM {image}\nRUN pip install numpy\n")) == []
    own = "torchaudio" if "torchaudio" not in image_of(image).held else "torchcodec"
    for asked in (own, "torchaudio==2.4.0", f"torch {own}", "'torch>=2.0' torchcodec"):
        findings = audit(tmp_path, f"FROM {image}\nRUN pip install {asked}\n")
        assert worse(findings) == [(2, "warning", "TL203")], asked
        told = next(each for each in findings if each.rule == "TL203")
        assert told.remedy is not None
        assert "--no-build-isolation" in told.remedy.summary
    pair = f"FROM {image}\nRUN pip install torch==2.7.1 torchaudio==2.7.1\n"
    assert worse(audit(tmp_path, pair)) == [], "the vendor's torch is replaced, by a pair that goes together"
    assert worse(audit(tmp_path, pair.replace("torchaudio==2.7.1", "torchaudio==2.5.1"))) == [
        (2, "error", "TL101")
    ]
    assert worse(audit(tmp_path, f"FROM {image} AS base\nFROM base\nRUN pip install {own}\n")) == [
        (3, "warning", "TL203")
    ]


PINS = "RUN pip install torch==2.10.0 torchaudio==2.10.0 torchcodec==0.10.0\n"


@pytest.mark.parametrize(
    ("text", "severity"),
    [
        pytest.param(f"FROM python:3.11\n{PINS}", "note", id="no platform"),
        pytest.param(f"FROM --platform=$BUILDPLATFORM python:3.11\n{PINS}", "note", id="that of the builder"),
        pytest.param(f"FROM --platform=linux/amd64 python:3.11\n{PINS}", None, id="the other platform"),
        pytest.param(f"FROM --platform=linux/arm64 python:3.11\n{PINS}", "error", id="that platform"),
        pytest.param(f"FROM python:3.11\nARG TARGETARCH\n{PINS}", "warning", id="built for several"),
        pytest.param(f"FROM --platform=linux/s390x python:3.11\n{PINS}", "note", id="an unknown one"),
    ],
)
def test_a_platform_that_nobody_declared(tmp_path: Path, text: str, severity: str | None) -> None:
    found = [each.severity for each in audit(tmp_path, text) if each.rule == "TL403"]
    assert found == ([severity] if severity else [])


def test_a_platform_of_which_nothing_is_known(tmp_path: Path) -> None:
    findings = audit(tmp_path, f"FROM --platform=linux/s390x python:3.11\n{PINS}")
    assert any(each.rule == "TL902" and "s390x" in each.message for each in findings)


@pytest.mark.parametrize(
    ("command", "severity"),
    [
        ("uv pip install --python-platform aarch64-unknown-linux-gnu", "error"),
        ("pip install --platform manylinux_2_28_aarch64 --only-binary :all: -t there", "error"),
        ("uv pip install --python-platform x86_64-unknown-linux-gnu", None),
        ("pip install --platform win_amd64 --only-binary :all: -t there", "error"),
    ],
)
def test_a_command_that_names_its_platform(tmp_path: Path, command: str, severity: str | None) -> None:
    path = tmp_path / "install.sh"
    path.write_text(f"{command} torch==2.7.1 torchcodec==0.5\n", encoding="utf-8")
    found = [each.severity for each in auditor().report(str(path)).findings if each.rule == "TL403"]
    assert found == ([severity] if severity else [])


@pytest.mark.parametrize("image", [image for image in VENDORS if image_of(image).held])
def test_what_a_vendor_brings_is_installed_already(tmp_path: Path, image: str) -> None:
    for name in image_of(image).held:
        assert worse(audit(tmp_path, f"FROM {image}\nRUN pip install {name}\n")) == []
        assert worse(audit(tmp_path, f"FROM {image}\nRUN pip install -U {name}\n")) == [(2, "warning", "TL203")]


def test_what_an_image_holds_is_pinned_again(tmp_path: Path) -> None:
    old = "FROM pytorch/pytorch:2.4.0-cuda12.4-cudnn9-devel\nRUN pip install "
    assert audit(tmp_path, f"{old}torchaudio==2.4.0 torchvision==0.19.0\n") == []
    assert worse(audit(tmp_path, f"{old}torch==2.4.0\n")) == [(2, "warning", "TL510")]


@pytest.mark.parametrize("image", ["kaggle/python", "gcr.io/kaggle-gpu-images/python:latest"])
def test_an_image_named_like_a_bare_one(image: str) -> None:
    assert image_of(image).unknown


@pytest.mark.parametrize(
    ("command", "left"),
    [
        ("pip install torch==2.7.1 torchaudio==2.7.1", ["TL103"]),
        ("pip install torch==2.7.1", ["TL101", "TL103"]),
        ("pip install torch==2.7.1 torchvision==0.22.1", ["TL101"]),
        ("pip install torch==2.7.1 torchaudio==2.7.1 torchvision==0.22.1", []),
        ("pip install torch==2.7.1 torchaudio==2.7.1 && pip install torchvision==0.22.1", []),
        ("pip uninstall -y torchvision && pip install torch==2.7.1 torchaudio==2.7.1", []),
        ("pip install torch==2.8.0 soundfile", []),
        ("pip install torch==2.8.0+cu128 torchaudio", []),
        ("pip install 'torch>=2.1' torchaudio", []),
        ("pip install -c limits.txt torchaudio", []),
        ('if test -n "$OLD"; then pip install torch==2.7.1 torchaudio==2.7.1; fi', []),
    ],
)
def test_companions_that_stay_beside_another_torch(tmp_path: Path, command: str, left: list[str]) -> None:
    (tmp_path / "limits.txt").write_text("torch==2.7.1\n", encoding="utf-8")
    findings = audit(tmp_path, f"FROM {NEW}\nRUN {command}\n")
    told = [each for each in findings if "of that image stays" in each.message]
    assert [each.rule for each in told] == left
    assert all(each.severity == "warning" and each.place.line == 2 for each in told)
    for each in told:
        name, version = ("torchaudio", "2.7.1") if each.rule == "TL101" else ("torchvision", "0.22.1")
        assert each.remedy is not None
        assert f"Install {name}=={version} in the same command" in each.remedy.summary


def test_a_torchaudio_that_works_with_every_later_torch_may_stay(tmp_path: Path) -> None:
    image = "pytorch/pytorch:2.13.0-cuda13.0-cudnn9-runtime"
    findings = audit(tmp_path, f"FROM {image}\nRUN pip install torch==2.12.1 torchvision==0.27.1\n")
    assert not [each for each in findings if "of that image stays" in each.message]


def test_a_label_that_the_image_has_is_satisfied(tmp_path: Path) -> None:
    assert worse(audit(tmp_path, f"FROM {NEW}\nRUN pip install torch==2.8.0+cu128 torchaudio\n")) == []
    other = worse(audit(tmp_path, f"FROM {NEW}\nRUN pip install torch==2.8.0+cu126 torchaudio\n"))
    assert (2, "warning", "TL507") in other


def test_the_platform_of_a_stage_chooses_the_build_of_its_image(tmp_path: Path) -> None:
    text = f"FROM --platform=linux/arm64 {NEW}\nRUN pip install torch==2.8.0+{{}} torchaudio\n"
    assert worse(audit(tmp_path, text.format("cpu"))) == []
    assert worse(audit(tmp_path, text.format("cu128"))) != []


def test_the_torch_of_a_vendor_is_named_where_it_is_known(tmp_path: Path) -> None:
    findings = audit(tmp_path, "FROM nvcr.io/nvidia/pytorch:25.08-py3\nRUN pip install torchaudio\n")
    assert all("(2.8.0a0+34c6371d24.nv25.08)" in each.message for each in findings if each.rule == "TL203")


def test_a_tag_that_never_was_is_unknown_and_says_why(tmp_path: Path) -> None:
    image = "pytorch/pytorch:2.8.0-cuda11.8-cudnn9-runtime"
    findings = audit(tmp_path, f"FROM {image}\nRUN pip install torchaudio\n")
    assert worse(findings) == []
    assert any("torch 2.8.0 was never built as cu118" in each.message for each in findings)


@pytest.mark.parametrize(
    "make",
    ["python3 -m venv /v", "virtualenv /v", "uv venv /v", "/usr/bin/python3.10 -m venv --upgrade-deps /v"],
)
def test_a_virtual_environment_has_nothing_of_the_image(tmp_path: Path, make: str) -> None:
    """Its packages do not replace those of the image, which stay beside it."""
    text = f"FROM {OLD}\nRUN {make}\nENV PATH=/v/bin:$PATH\nRUN pip install torch==2.6.0 torchaudio==2.6.0\n"
    assert worse(audit(tmp_path, text)) == []
    inside = f"FROM {OLD}\nRUN {make} && . /v/bin/activate && pip install torch==2.6.0 torchaudio==2.6.0\n"
    assert worse(audit(tmp_path, inside)) == []
    shared = text.replace(" /v\n", " --system-site-packages /v\n", 1)
    assert "TL510" in {rule for _, _, rule in worse(audit(tmp_path, shared))}


@pytest.mark.parametrize(
    "tool",
    [
        "python -m venv /opt/aws && /opt/aws/bin/pip install awscli",
        "virtualenv /opt/aws && . /opt/aws/bin/activate && pip install awscli && deactivate",
        "uv venv /opt/aws && uv pip install --python /opt/aws awscli",
        "pipx install awscli",
    ],
)
def test_an_environment_of_one_tool_leaves_the_image_to_the_other_commands(tmp_path: Path, tool: str) -> None:
    text = f"FROM {OLD}\nRUN {tool}\nRUN pip install torch==2.6.0 torchaudio==2.5.0\n"
    assert (3, "TL101") in {(line, rule) for line, _, rule in worse(audit(tmp_path, text))}


@pytest.mark.parametrize(
    "run",
    [
        "pipx install openai-whisper && pipx inject openai-whisper torch==2.6.0 torchaudio==2.6.0",
        "uvx --with torchaudio==2.6.0 --with torch==2.6.0 demucs x.wav",
        "uv venv && uv pip install torch==2.6.0 torchaudio==2.6.0",
        "python -m venv v && v/bin/python -m pip install torch==2.6.0 torchaudio==2.6.0",
    ],
)
def test_a_separate_environment_is_not_judged_with_the_image(tmp_path: Path, run: str) -> None:
    for image in (OLD, "nvcr.io/nvidia/pytorch:24.01-py3"):
        assert worse(audit(tmp_path, f"FROM {image}\nRUN {run}\nRUN pip install scipy\n")) == []
    wrong = run.replace("audio==2.6.0", "audio==2.5.0")
    assert "TL101" in {rule for _, _, rule in worse(audit(tmp_path, f"FROM {OLD}\nRUN {wrong}\n"))}


def test_an_environment_that_a_later_stage_copies(tmp_path: Path) -> None:
    text = (
        "FROM python:3.10 AS builder\nRUN python -m venv /opt/venv\nENV PATH=/opt/venv/bin:$PATH\n"
        "RUN pip install torch==2.6.0\nFROM python:3.10-slim\nCOPY --from=builder /opt/venv /opt/venv\n"
        "ENV PATH=/opt/venv/bin:$PATH\nRUN pip install torchaudio=={}\n"
    )
    assert (8, "TL101") in {(line, rule) for line, _, rule in worse(audit(tmp_path, text.format("2.5.0")))}
    assert worse(audit(tmp_path, text.format("2.6.0"))) == []


def test_an_environment_that_no_command_is_known_to_enter(tmp_path: Path) -> None:
    """A profile may enter it: nothing is said of the image."""
    text = f"FROM {OLD}\nRUN python -m venv /v\nRUN pip install torchaudio==2.6.0\n"
    assert worse(audit(tmp_path, text)) == []


def test_a_choice_depends_on_the_python_of_the_image(tmp_path: Path) -> None:
    """No table knows the Python of an old image: nothing is said of a choice that works on one of its Pythons."""
    old = "FROM pytorch/pytorch:1.13.1-cuda11.6-cudnn8-runtime\nRUN pip install -U {}\n"
    assert worse(audit(tmp_path, old.format("numpy"))) == []
    known = "FROM pytorch/pytorch:2.1.2-cuda12.1-cudnn8-runtime\nRUN pip install -U numpy\n"
    assert worse(audit(tmp_path, known)) == [(2, "warning", "TL105")]


def test_a_later_command_replaces_torch_under_an_earlier_companion(tmp_path: Path) -> None:
    """The earlier command chose the companion for its own torch: it is not today's newest."""
    text = "FROM python:3.12\nRUN pip install torch==2.7.1 torchvision\nRUN pip install torch=={}\n"
    (found,) = [each for each in audit(tmp_path, text.format("2.11.0")) if each.severity != "note"]
    assert (found.rule, found.severity, found.place.line) == ("TL103", "warning", 2)
    assert "torchvision 0.22.1 of that command stays" in found.message
    assert worse(audit(tmp_path, text.format("2.7.1"))) == []
    again = text.format("2.8.0 torchvision==0.23.0")
    assert worse(audit(tmp_path, again)) == []


OMEGACONF = "RUN pip install omegaconf==2.0.6\n"


@pytest.mark.leaves_alone("TL511")
@pytest.mark.parametrize(
    "text",
    [
        "FROM python:3.10-bullseye\n",
        "FROM python:3.11.9-slim\nRUN python -m venv /venv\n",
        "FROM python:3.12\nRUN pip install 'pip<24.1'\n",
        "FROM ubuntu:22.04\nRUN pip install -U pip==23.3.2\n",
    ],
)
def test_an_old_pip_accepts_old_metadata(tmp_path: Path, text: str) -> None:
    assert worse(audit(tmp_path, text + OMEGACONF)) == []


@pytest.mark.triggers("TL511")
@pytest.mark.parametrize(
    "text",
    [
        "FROM python:3.12\n",
        "FROM ubuntu:24.04\n",
        "FROM python:3.10\nRUN python -m pip install --upgrade pip setuptools\n",
        "FROM python:3.10\nRUN curl -sS https://example.org/get-pip.py | python\n",
        "FROM python:3.10\nRUN pip install 'pip>=23'\n",
    ],
)
def test_a_pip_that_may_be_new_refuses_old_metadata(tmp_path: Path, text: str) -> None:
    assert [rule for _, _, rule in worse(audit(tmp_path, text + OMEGACONF))] == ["TL511"]


APT = "RUN apt-get update && apt-get install -y git {}\nRUN pip3 install torch==2.4.0\n"


@pytest.mark.parametrize(
    ("image", "packages", "python"),
    [
        ("nvidia/cuda:11.7.1-cudnn8-runtime-ubuntu20.04", "python3-pip", "==3.8.*"),
        ("nvidia/cuda:11.7.1-cudnn8-runtime-ubuntu20.04", "python3.8 python3-pip", "==3.8.*"),
        ("ubuntu:22.04", "python3 \\\n  python3-pip", "==3.10.*"),
        ("debian:12-slim", "python3-venv", "==3.11.*"),
        ("ubuntu:20.04", "curl", ""),
        ("ubuntu:20.04", "python3.11 python3-pip", ""),
        ("ubuntu:22.04", "python3-pip && add-apt-repository ppa:deadsnakes/ppa", ""),
        ("ubuntu:22.04", "python3-pip && curl https://example.org/miniconda.sh | sh", ""),
        ("python:3.12-bookworm", "python3-pip", "==3.12.*"),
    ],
)
def test_the_python_of_the_system(tmp_path: Path, image: str, packages: str, python: str) -> None:
    path = tmp_path / "Dockerfile"
    path.write_text(f"FROM {image}\n{APT.format(packages)}", encoding="utf-8")
    assert read_document(str(path)).python == python
