"""What each build on the PyTorch wheel index requires: the table, the public index, and what locks state."""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from compiling.values import TableError
from refreshing.build_needs import needs_of_builds
from refreshing.build_requirements import TABLE, read_rows, requirements_of
from torchlock.gathering.closure import outline_of_file, reach
from torchlock.gathering.requirements import may_hold_on
from torchlock.knowledge.build_files import triton_catalogue
from torchlock.knowledge.build_labels import is_from_index
from torchlock.knowledge.releases import Catalogue, CatalogueRelease

ENVIRONMENTS = {
    "linux-x86_64": {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64"},
    "linux-aarch64": {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "aarch64"},
    "windows-amd64": {"sys_platform": "win32", "platform_system": "Windows", "platform_machine": "AMD64"},
    "macos-arm64": {"sys_platform": "darwin", "platform_system": "Darwin", "platform_machine": "arm64"},
}
CUDA = re.compile(r"cu\d+")
ACCELERATOR = ("nvidia-", "cuda-", "triton", "pytorch-triton", "intel-")
CUDA_FOLDERS = ("cu117", "cu118", "cu121", "cu124", "cu126", "cu128", "cu129", "cu130", "cu132")

# What public locks resolved on 2026-11-28 for Linux x86_64, of the builds that the public index does not have.
LOCKED = [
    ("2.0.1", "cu118", "triton==2.0.0"),
    ("2.1.2", "cu118", "triton==2.1.0"),
    ("2.2.2", "cu118", "nvidia-cudnn-cu11==8.7.0.84 nvidia-nccl-cu11==2.19.3 triton==2.2.0"),
    ("2.3.1", "cu118", "nvidia-cudnn-cu11==8.7.0.84 nvidia-nccl-cu11==2.20.5 triton==2.3.1"),
    ("2.4.0", "cu118", "nvidia-cudnn-cu11==9.1.0.70 nvidia-cublas-cu11==11.11.3.6 triton==3.0.0"),
    ("2.5.1", "cu121", "nvidia-cublas-cu12==12.1.3.1 nvidia-nccl-cu12==2.21.5 triton==3.1.0"),
    ("2.7.1", "cu118", "nvidia-cufft-cu11==10.9.0.58 nvidia-nvtx-cu11==11.8.86 triton==3.3.1"),
    ("2.7.1", "cu128", "nvidia-cudnn-cu12==9.7.1.26 nvidia-cufile-cu12==1.13.0.11 triton==3.3.1"),
    ("2.8.0", "cu126", "nvidia-cudnn-cu12==9.10.2.21 nvidia-nccl-cu12==2.27.3 triton==3.4.0"),
    ("2.8.0", "cu129", "nvidia-cusparse-cu12==12.5.10.65 nvidia-nccl-cu12==2.27.3 triton==3.4.0"),
    ("2.9.1", "cu126", "nvidia-nvshmem-cu12==3.3.20 nvidia-cublas-cu12==12.6.4.1 triton==3.5.1"),
    ("2.9.1", "cu130", "nvidia-cublas==13.0.0.19 nvidia-nccl-cu13==2.27.7 triton==3.5.1"),
    ("2.10.0", "cu129", "cuda-bindings==12.9.4 nvidia-nvshmem-cu12==3.4.5 triton==3.6.0"),
    ("2.10.0", "cu130", "cuda-bindings==13.0.3 nvidia-cuda-runtime==13.0.96 nvidia-cudnn-cu13==9.15.1.9"),
    ("2.11.0", "cu126", "cuda-bindings==12.9.6 cuda-toolkit==12.6.3 nvidia-cudnn-cu12==9.10.2.21"),
    ("2.11.0", "cu128", "cuda-bindings==12.9.7 cuda-toolkit==12.8.1 nvidia-cudnn-cu12==9.19.0.56"),
    ("2.12.0", "cu132", "cuda-bindings==13.3.0 cuda-toolkit==13.2.1 nvidia-nccl-cu13==2.29.7"),
    ("2.12.1", "cu126", "cuda-toolkit==12.6.3 nvidia-nccl-cu12==2.29.3 triton==3.7.1"),
    ("2.13.0", "cu126", "cuda-bindings==12.9.7 nvidia-nccl-cu12==2.29.3 triton==3.7.1"),
    ("2.4.0", "rocm6.1", "pytorch-triton-rocm==3.0.0"),
    ("2.8.0", "rocm6.4", "pytorch-triton-rocm==3.4.0"),
    ("2.12.1", "rocm7.2", "triton-rocm==3.7.1"),
    ("2.7.1", "xpu", "intel-sycl-rt==2025.0.4 pytorch-triton-xpu==3.3.1"),
    ("2.9.0", "xpu", "oneccl==2021.16.1 intel-pti==0.13.1 pytorch-triton-xpu==3.5.0"),
    ("2.13.0", "xpu", "mkl==2026.0.0 umf==1.1.0 pyzes==0.1.1 triton-xpu==3.7.2"),
]


@functools.cache
def catalogue() -> Catalogue:
    return Catalogue()


def releases(package: str) -> list[CatalogueRelease]:
    return [one for one in catalogue().releases(package) or () if Version(one.version) >= Version("2.0")]


def applying(texts: list[str], platform: str, python: str) -> set[tuple[str, str, str]]:
    """The requirements that hold there with any of their extras: name with extras, specifier, extra."""
    found = set()
    for text in texts:
        requirement = Requirement(text)
        extras = ["", *re.findall(r'extra == "([^"]+)"', text)]
        for extra in extras:
            environment = {**ENVIRONMENTS[platform], "python_version": python, "extra": extra}
            if extra in text and (requirement.marker is None or requirement.marker.evaluate(environment)):
                name = requirement.name + ",".join(sorted(requirement.extras))
                found.add((name, str(requirement.specifier), extra))
    return found


PLATFORM_TAGS = {
    r"(many)?linux.*_x86_64": "linux-x86_64",
    r"(many)?linux.*_aarch64": "linux-aarch64",
    r"win_amd64": "windows-amd64",
    r"macosx.*_arm64": "macos-arm64",
    r"any": "any",
}


def platform_of(tag: str) -> str:
    part = tag.rsplit("-", 1)[-1]
    return next((platform for form, platform in PLATFORM_TAGS.items() if re.fullmatch(form, part)), "")


def test_the_public_wheel_of_the_same_build_decides() -> None:
    """Where the public index has that very build, the result requires the same as its metadata, on each Python."""
    compared = 0
    for release in releases("torch"):
        for at, tag in enumerate(release.tags):
            platform, build, declared = platform_of(tag), release.build(at), release.dependencies(at)
            if not platform or not isinstance(build, str) or not isinstance(declared, list):
                continue
            if is_hermetic(release.version, build):
                continue
            texts = requirements_of("torch", release.version, build, platform)
            assert texts is not None, (release.version, build, platform)
            python = re.sub(r"cp3(\d+)", r"3.\1", tag.split("-")[0])
            expected = applying(list(map(str, declared)), platform, python)
            assert applying(texts, platform, python) == expected, (release.version, build, tag)
            compared += 1
    assert compared > 500


def is_hermetic(version: str, build: str) -> bool:
    """Up to 2.1 the wheels in the folders contain the CUDA libraries; those of the public index do not."""
    return CUDA.fullmatch(build) is not None and Version(version) < Version("2.2")


def test_the_repacked_folder_has_the_wheels_of_the_public_index() -> None:
    texts = requirements_of("torch", "2.1.0", "cu121_pypi_cudnn", "linux-x86_64")
    assert texts is not None
    assert any(text.startswith("nvidia-cublas-cu12==12.1.3.1") for text in texts)


@pytest.mark.parametrize("platform", ENVIRONMENTS)
def test_a_cpu_build_requires_nothing_of_an_accelerator(platform: str) -> None:
    for release in releases("torch"):
        texts = requirements_of("torch", release.version, "cpu", platform)
        assert texts is not None, release.version
        assert not [text for text in texts if text.startswith(ACCELERATOR)]


def test_windows_wheels_contain_cuda() -> None:
    for release in releases("torch"):
        for folder in CUDA_FOLDERS:
            texts = requirements_of("torch", release.version, folder, "windows-amd64")
            assert texts is not None
            assert not [text for text in texts if text.startswith(ACCELERATOR)]


def test_aarch64_wheels_contain_cuda_until_2_8() -> None:
    early = requirements_of("torch", "2.5.1", "cu124", "linux-aarch64")
    assert early is not None
    assert not [text for text in early if text.startswith(ACCELERATOR)]
    middle = requirements_of("torch", "2.8.0", "cu129", "linux-aarch64")
    assert middle is not None
    assert [text for text in middle if text.startswith(ACCELERATOR)] == [
        'triton==3.4.0 ; platform_system == "Linux"'
    ]
    late = requirements_of("torch", "2.9.0", "cu130", "linux-aarch64")
    assert late == requirements_of("torch", "2.9.0", "cu130", "linux-x86_64")


@pytest.mark.parametrize(("version", "folder", "locked"), LOCKED)
def test_what_locks_resolved_satisfies_the_requirements(version: str, folder: str, locked: str) -> None:
    texts = requirements_of("torch", version, folder, "linux-x86_64")
    assert texts is not None
    required = defaultdict(list)
    for text in texts:
        required[Requirement(text).name].append(Requirement(text).specifier)
    for pin in locked.split():
        name, _, found = pin.partition("==")
        assert any(specifier.contains(found) for specifier in required[name]), (name, found, required[name])


def test_what_another_build_requires_does_not_leak() -> None:
    """One lock has the CUDA 12 pins of the public index for this CUDA 11.8 build."""
    texts = requirements_of("torch", "2.1.1", "cu118", "linux-x86_64")
    assert texts is not None
    assert [text for text in texts if text.startswith(ACCELERATOR)] == [
        'triton==2.1.0 ; platform_system == "Linux" and platform_machine == "x86_64"'
    ]


def test_a_requirement_of_some_pythons_says_so() -> None:
    """The wheels of torch 2.4 for Python 3.12 require setuptools, without a marker; the others do not."""
    texts = requirements_of("torch", "2.4.1", "cu118", "linux-x86_64")
    assert texts is not None
    assert 'setuptools ; python_version >= "3.12"' in texts


def test_the_companions_require_the_same_in_every_folder() -> None:
    for folder in ("cpu", "cu128", "xpu"):
        assert requirements_of("torchaudio", "2.8.0", folder, "linux-x86_64") == ["torch==2.8.0"]
    assert "torch==2.9.0" in (requirements_of("torchvision", "0.24.0", "cu130", "windows-amd64") or [])


def test_the_tritons_of_rocm_and_xpu() -> None:
    assert requirements_of("pytorch-triton-rocm", "3.1.0", "root", "linux-x86_64") == ["filelock"]
    assert "pyelftools" in (requirements_of("triton-xpu", "3.7.2", "xpu", "windows-amd64") or [])


@pytest.mark.parametrize(
    "cell",
    [
        ("torch", "2.14.0", "cu132", "linux-x86_64"),  # no source states all of them
        ("torch", "2.8.0", "cu124", "linux-x86_64"),  # never published
        ("torch", "2.8.0", "cu128", "windows-arm64"),  # the public index has no such wheel
        ("torch", "99.0", "cpu", "linux-x86_64"),
        ("torchaudio", "2.8.0", "cu128", "windows-arm64"),
        ("pytorch-triton-rocm", "2.0.1", "root", "linux-x86_64"),
        ("torch", "2.5.1", "cu121_full", "linux-x86_64"),
    ],
)
def test_what_is_not_known_is_none(cell: tuple[str, str, str, str]) -> None:
    assert requirements_of(*cell) is None


# Tritons that builds require and whose files no source names: locks of these builds need the index.
UNKNOWN_TRITONS = {
    "pytorch-triton-rocm==2.1.0",
    "pytorch-triton-rocm==2.2.0",
    "pytorch-triton-rocm==3.3.0",
    "triton-rocm~=3.8.0",
}


def test_every_pin_exists() -> None:
    """What a build requires is on the public index, or on the root page, with a wheel for its platform."""
    unknown = set()
    for (_, _, folder, platform), row in read_rows(TABLE).items():
        for need in row.requires:
            if not may_hold_on(need.marker, platform):
                continue
            is_own = is_from_index(need.name, folder)
            public = [] if is_own else catalogue().releases(need.name) or []
            admitted = Requirement(f"{need.name}{need.specifier}").specifier
            shared = triton_catalogue().releases(need.name) or []
            tags = [tag for one in (*public, *shared) if admitted.contains(one.version) for tag in one.tags]
            if not {platform_of(tag) for tag in tags} & {platform, "any"}:
                assert is_own, (folder, platform, str(need))
                unknown.add(f"{need.name}{need.specifier}")
    assert unknown == UNKNOWN_TRITONS


def test_the_catalogue_has_all_that_builds_lead_to() -> None:
    """But for what the public index does not have, although the newest impi-rt requires it."""
    outlines = {name: outline_of_file(catalogue().releases(name) or ()) for name in catalogue().names()}
    assert reach(outlines, needs_of_builds(TABLE.parent), ()) - outlines.keys() == {"libfabric"}


def test_the_table_requires_nothing_that_cannot_apply() -> None:
    for (package, version, folder, platform), row in read_rows(TABLE).items():
        texts = requirements_of(package, version, folder, platform)
        if texts is not None and platform == "linux-x86_64":
            missing = {need.name for need in row.requires} - {Requirement(text).name for text in texts}
            assert not missing, (version, folder)


ROW = """
[[requirements]]
package = "torch"
releases = "2.5.0"
folders = "cu118"
platforms = "linux-x86_64"
kind = "declared"
sources = ["s"]
checked = 2026-11-29
requires = ["triton==3.1.0"]
"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ROW + ROW, r"requirements\[1\]: another table is about torch 2.5.0 cu118 linux-x86_64 too"),
        (ROW.replace('"triton==3.1.0"', '"triton=3"'), r"requirements\[0\].requires\[0\]: .*not a requirement"),
        (ROW.replace("kind", "sort"), r"requirements\[0\].sort: unknown key"),
        (ROW.replace('"declared"', '"guessed"'), "must be one of declared, measured, reported"),
        (ROW.replace('["s"]', "[]"), "sources: must be a list of texts, not empty"),
        (ROW.replace("2026-11-29", '"today"'), "checked: must be a date"),
        (ROW + 'marker = "platform ="\n', r"requirements\[0\].marker: is not a marker"),
        (ROW.replace("linux-x86_64", "linux"), r"requirements\[0\].platforms: 'linux' is not one of"),
    ],
)
def test_a_damaged_table_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "requirements.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TableError, match=message):
        read_rows(path)


def test_a_requirement_with_its_own_marker_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "requirements.toml"
    marker = "marker = 'platform_system == \"Linux\"'"
    requires = 'requires = ["a==1", \'b==1 ; python_version < "3.12"\']'
    path.write_text(ROW.replace('requires = ["triton==3.1.0"]', f"{marker}\n{requires}"), encoding="utf-8")
    (row,) = read_rows(path).values()
    assert list(map(str, row.requires)) == [
        'a==1 ; platform_system == "Linux"',
        'b==1 ; python_version < "3.12"',
    ]
