"""What the name of a base image says: the table of images, and what is unknown."""

from __future__ import annotations

import pytest

from torchlock.knowledge import tables
from torchlock.knowledge.builds import Builds
from torchlock.knowledge.images import image_of
from torchlock.knowledge.stack import FAMILY

TRAINS = tables.load_compiled("images.json")["trains"]


@pytest.mark.parametrize(
    ("name", "python", "libc", "torch", "held"),
    [
        ("2.8.0-cuda12.8-cudnn9-runtime", "3.11", "glibc 2.35", "2.8.0+cu128", {"torchvision", "torchaudio"}),
        ("2.6.0-cuda12.6-cudnn9-devel", "3.11", "glibc 2.35", "2.6.0+cu126", {"torchvision", "torchaudio"}),
        ("2.10.0-cuda13.0-cudnn9-devel", "3.12", "glibc 2.39", "2.10.0+cu130", {"torchvision", "torchaudio"}),
        ("2.13.0-cuda12.6-cudnn9-runtime", "3.12", "glibc 2.39", "2.13.0+cu126", {"torchvision", "torchaudio"}),
        # No torchaudio was ever built for CUDA 13.2.
        ("2.13.0-cuda13.2-cudnn9-runtime", "3.12", "glibc 2.39", "2.13.0+cu132", {"torchvision"}),
        # conda writes no label.
        ("2.5.1-cuda12.4-cudnn9-runtime", "3.11", "glibc 2.35", "2.5.1", {"torchvision", "torchaudio"}),
        ("2.0.1-cuda11.7-cudnn8-runtime", "3.10", "", "2.0.1", {"torchvision", "torchaudio"}),
        ("1.11.0-cuda11.3-cudnn8-runtime", "", "", "1.11.0", {"torchvision"}),
    ],
)
def test_an_image_of_pytorch(name: str, python: str, libc: str, torch: str, held: set[str]) -> None:
    image = image_of(f"docker.io/pytorch/pytorch:{name}")
    assert (image.python, image.libc, image.torch_version, image.unknown) == (python, libc, torch, "")
    assert {each for each, version in image.held.items() if version} == held
    assert image.sources


def test_the_image_for_aarch64_has_the_cpu_build() -> None:
    name = "pytorch/pytorch:2.8.0-cuda12.8-cudnn9-runtime"
    assert image_of(name, "linux-aarch64").torch_version == "2.8.0+cpu"
    assert image_of(name).build == "cu128"
    # From torch 2.12 on the version of torchaudio depends on the day of the build.
    later = image_of("pytorch/pytorch:2.13.0-cuda13.0-cudnn9-runtime", "linux-aarch64")
    assert later.held == {"torchaudio": "", "torchvision": "0.28.0", "numpy": ""}


def test_a_release_that_no_row_covers_is_named_by_its_tag_alone() -> None:
    image = image_of("pytorch/pytorch:2.99.0-cuda13.0-cudnn9-runtime")
    assert (image.torch_version, image.python, image.libc, image.kind) == ("2.99.0+cu130", "", "", "reported")
    assert set(image.held.values()) == {""}


@pytest.mark.parametrize(
    ("name", "vendor", "version", "release", "python"),
    [
        ("nvcr.io/nvidia/pytorch:25.08-py3", "NVIDIA", "2.8.0a0+34c6371d24.nv25.08", "", "3.12.3"),
        ("nvcr.io/nvidia/pytorch:25.12-py3", "NVIDIA", "2.10.0a0+b4e4ee81d3.nv25.12", "", "3.12"),
        ("nvcr.io/nvidia/pytorch:24.04-py3", "NVIDIA", "", "", ""),
        ("nvcr.io/nvidia/pytorch:25.08-py3-igpu", "NVIDIA", "", "", ""),
        ("nvcr.io/nvidia/l4t-pytorch:r36.2.0-pth2.1-py3", "NVIDIA", "", "2.1", ""),
        ("rocm/pytorch:rocm7.0_ubuntu24.04_py3.12_pytorch_release_2.8.0", "AMD", "", "2.8.0", "3.12"),
        ("rocm/pytorch:latest", "AMD", "", "", ""),
        (
            "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.3.0-gpu-py311-cu121-ubuntu20.04-ec2",
            "Amazon",
            "",
            "2.3.0",
            "3.11",
        ),
    ],
)
def test_a_vendors_torch_is_no_release(name: str, vendor: str, version: str, release: str, python: str) -> None:
    image = image_of(name)
    assert (image.vendor, image.version, image.release, image.python) == (vendor, version, release, python)
    assert (image.torch, image.build, image.page, image.unknown) == ("", "", None, "")


@pytest.mark.parametrize(
    ("name", "python", "libc"),
    [
        ("python:3.12-slim-bookworm", "3.12", "glibc 2.36"),
        ("python:3.11", "3.11", ""),
        ("python:3.12-alpine3.22", "3.12", "musl 1.2"),
        ("ghcr.io/astral-sh/uv:python3.13-trixie-slim", "3.13", "glibc 2.41"),
        ("ubuntu:22.04", "", "glibc 2.35"),
        ("nvidia/cuda:12.8.1-cudnn-runtime-ubuntu24.04", "", "glibc 2.39"),
        ("debian:bookworm-slim", "", "glibc 2.36"),
        ("scratch", "", ""),
    ],
)
def test_an_image_without_torch(name: str, python: str, libc: str) -> None:
    image = image_of(name)
    assert (image.python, image.libc, image.unknown, image.vendor, dict(image.held)) == (python, libc, "", "", {})
    assert image.torch_version == ""


@pytest.mark.parametrize(
    "name",
    [
        "team/base:1",
        "registry.example.org/team/pytorch:2.8.0-cuda12.8-cudnn9-runtime",
        "pytorch/pytorch",
        "pytorch/pytorch:latest",
        "pytorch/pytorch@sha256:" + "0" * 64,
        "pytorch/pytorch-nightly:2.8.0-cuda12.8-cudnn9-runtime",
        "kaggle/python:v157",
        "us-docker.pkg.dev/colab-images/public/runtime:latest",
        "huggingface/transformers-pytorch-gpu:4.41.2",
        "x" * 801,
    ],
)
def test_what_nobody_can_tell_is_unknown(name: str) -> None:
    image = image_of(name)
    assert image.unknown
    assert (image.torch_version, dict(image.held)) == ("", {})


def test_a_digest_behind_the_tag_changes_nothing() -> None:
    name = "pytorch/pytorch:2.8.0-cuda12.8-cudnn9-runtime"
    assert image_of(f"{name}@sha256:{'a' * 64}")[1:] == image_of(name)[1:]
    assert image_of(f"localhost:5000/{name}")[1:] == image_of(name)[1:]


@pytest.mark.parametrize("tag", ["2026.01-cpu", "2026.01-gpu", "2026.06-gpu"])
def test_a_runtime_of_colab(tag: str) -> None:
    image = image_of(f"colab:{tag}")
    assert image.build == {"2026.01-cpu": "cpu", "2026.01-gpu": "cu126", "2026.06-gpu": "cu128"}[tag]
    assert image.held["numpy"] == "2.0.2"
    assert image.held["torchaudio"] == f"{image.torch}+{image.build}"


def test_companions_are_those_that_the_rules_pair_with_their_torch() -> None:
    """torchvision and torchaudio of a train declare that torch; later ones declare a range or nothing."""
    from torchlock.knowledge.releases import Catalogue

    catalogue = Catalogue()
    for torch, companions in TRAINS.items():
        for name, version in companions.items():
            release = next(each for each in catalogue.releases(name) or () if each.version == version)
            declared = release.dependencies(0)
            pins = [each.specifier for each in declared if each.name == "torch"] if declared else []
            if pins and pins[0].startswith("=="):
                assert pins[0] == f"=={torch}", (torch, name, version)


def test_the_builds_of_the_images_exist() -> None:
    """No row of a known release names a build that the PyTorch index never had."""
    builds = Builds()
    for tag in ("2.6.0-cuda12.4", "2.7.1-cuda12.8", "2.8.0-cuda12.9", "2.10.0-cuda13.0", "2.12.0-cuda13.2"):
        image = image_of(f"pytorch/pytorch:{tag}-cudnn9-runtime")
        for name in FAMILY & {"torch", *(each for each, version in image.held.items() if version)}:
            version = image.torch if name == "torch" else image.held[name]
            labels = builds.labels(name, version)
            assert isinstance(labels, frozenset), (name, version)
            assert image.build in labels, (name, version, image.build)
