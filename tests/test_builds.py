"""The builds of the PyTorch wheel index: what is left alone, what is denied, and where the table cannot tell."""

from __future__ import annotations

from functools import cache

import pytest

from torchlock.answers import Unknown
from torchlock.knowledge.build_labels import cuda_label, describe_build, is_published, kind_of, parse_label
from torchlock.knowledge.builds import Builds
from torchlock.knowledge.indexes import BUILDS, PRIVATE, UNKNOWN, classify_index


@cache
def builds() -> Builds:
    return Builds()


@pytest.mark.parametrize(
    ("address", "label"),
    [
        ("https://example.org/whl/cu118", "cu118"),
        ("https://example.org/whl/cu118/", "cu118"),
        ("https://EXAMPLE.org/whl/CU118/", "cu118"),
        ("https://download.pytorch.org/whl/cu118", "cu118"),
        ("https://example.org/whl/cu118/torch_stable.html", "cu118"),
        ("https://user:secret@example.org/whl/cu118?a=b#c", "cu118"),
        ("https://example.org/whl/rocm6.0", "rocm6.0"),
        ("https://example.org/whl/rocm6.2.4", "rocm6.2.4"),
        ("https://example.org/whl/cpu", "cpu"),
        ("https://example.org/whl/xpu", "xpu"),
        ("https://example.org/pytorch-wheels/cu121", "cu121"),
        ("https://mirror.example.com/pytorch-wheels/cu121", "cu121"),
        ("https://example.org/repository/pytorch/whl/cu126/", "cu126"),
        ("https://mirror.example.com/repository/pytorch/whl/cu126/", "cu126"),
        ("https://example.org/whl/cu126/torch/", "cu126"),
        ("https://example.org/whl/torch_stable.html", ""),
        ("https://example.org/whl/torch/", ""),
        ("https://example.org/whl", ""),
    ],
)
def test_a_page_of_the_pytorch_index(address: str, label: str) -> None:
    assert classify_index(address) == (BUILDS, label)


@pytest.mark.parametrize(
    "address",
    [
        "https://example.org/whl/nightly/cu121",
        "https://example.org/whl/nightly/cu121/torch_nightly.html",
        "https://example.org/whl/nightly",
        "https://example.org/whl/test/cu132",
        "https://example.org/whl/lts/1.8/cu111",
        "https://example.org/whl/lts/1.8/torch_lts.html",
        "https://example.org/pytorch-wheels/nightly/cu121",
        "./wheels",
        "./pytorch/wheels",
        "pytorch-cu118",
        "http://[not an address/simple",
        "file:///wheels",
        "",
    ],
)
def test_an_address_whose_content_is_unknown(address: str) -> None:
    assert classify_index(address) == (UNKNOWN, "")


@pytest.mark.parametrize(
    "address",
    [
        "https://example.org/simple",
        "https://pkg.example.com/simple",
        "https://pkg.example.com/whl/cu118",
        "https://example.org/llama-cpp-python/whl/cu121",
        "https://example.org/whl/cu121/torch2.3/",
        "https://example.org/whl/torch-2.1.0+cu118.html",
        "https://example.org/whl/rocm6.4.1.git1ded221d",
        "https://example.org/packages/stable/cu118/",
    ],
)
def test_another_index(address: str) -> None:
    assert classify_index(address) == (PRIVATE, "")


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("cpu", ("cpu", (), "", "cpu")),
        ("cu92", ("cuda", (9, 2), "", "cu92")),
        ("cu132", ("cuda", (13, 2), "", "cu132")),
        ("rocm", ("rocm", (), "", "rocm")),
        ("rocm6.2.4", ("rocm", (6, 2, 4), "", "rocm6.2.4")),
        ("rocm6.4.1.git1ded221d", ("rocm", (6, 4, 1), ".git1ded221d", "rocm6.4.1.git1ded221d")),
        ("xpu", ("xpu", (), "", "xpu")),
        ("", None),
        ("cu1", None),
        ("cu1234", None),
        ("cu121-pt20", None),
        ("cpu.cxx11.abi", None),
        ("nv24.5", None),
    ],
)
def test_a_label_is_taken_apart(text: str, label: tuple[object, ...] | None) -> None:
    assert parse_label(text) == label


@pytest.mark.parametrize(("version", "label"), [("12.4", "cu124"), ("13.0", "cu130"), ("11.8.1", "cu118")])
def test_the_label_for_a_version_of_cuda(version: str, label: str) -> None:
    assert cuda_label(version) == label
    assert parse_label(label) is not None


def test_labels_of_one_kind_compare_by_version() -> None:
    labels = ["cu118", "cu92", "rocm6.10", "rocm6.4", "cu130", "rocm"]
    assert sorted(labels, key=lambda text: parse_label(text) or ()) == [
        *("cu92", "cu118", "cu130"),
        *("rocm", "rocm6.4", "rocm6.10"),
    ]


@pytest.mark.parametrize(
    ("label", "published"),
    [
        ("cpu", True),
        ("cu999", True),
        ("rocm9.1", True),
        ("rocm6.2.4", True),
        ("rocm6.4.1", False),
        ("rocm", False),
    ],
)
def test_labels_of_the_pytorch_index(label: str, published: bool) -> None:
    assert is_published(label) is published


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("cpu", "CPU build"),
        ("cu130", "CUDA 13.0"),
        ("rocm", "ROCm"),
        ("rocm6.4", "ROCm 6.4"),
        ("rocm6.4.1.git1", "ROCm 6.4.1.git1"),
        ("xpu", "XPU"),
        ("nv24.5", "build nv24.5"),
        (None, ""),
        (Unknown("nobody asked"), ""),
    ],
)
def test_a_build_in_words(label: str | Unknown | None, words: str) -> None:
    assert describe_build(label) == words


@pytest.mark.parametrize(
    ("label", "kind"),
    [("cpu", "cpu"), ("cu92", "cuda"), ("cu132", "cuda"), ("rocm6.2.4", "rocm"), ("xpu", "xpu"), ("", None)],
)
def test_labels_have_kinds(label: str, kind: str | None) -> None:
    assert kind_of(label) == kind


@pytest.mark.parametrize("label", ["nv24.5", "rocm6.4.4.gitc1404424", "cpu.cxx11.abi", "cu", "pt20cu118"])
def test_labels_of_vendors_are_nobodys_business(label: str) -> None:
    assert kind_of(label) is None
    assert isinstance(builds().published("torch", "2.5.1", label), Unknown)


@pytest.mark.parametrize(
    ("name", "version", "label", "platform", "python"),
    [
        ("torch", "1.8.1", "cu101", None, None),
        ("torch", "1.10.0", "cu113", "windows-amd64", "3.6"),
        ("torch", "1.11.0", "cu115", None, None),
        ("torch", "2.0", "cu118", "linux-x86_64", "3.11"),
        ("torch", "2.5.1", "cu124", "linux-x86_64", "3.13"),
        ("torch", "2.7.1", "cu128", "linux-aarch64", "3.13t"),
        ("torch", "2.8.0", "cu129", None, None),
        ("torch", "2.10.0", "cu129", None, None),
        ("torchaudio", "0.11.0", "cu115", None, None),
        ("torchaudio", "2.3.1", "rocm6.0", None, None),
        ("torchaudio", "2.11.0", "cu130", None, None),
        ("torchvision", "0.10.0", "cu111", None, None),
        ("torchvision", "0.15.2", "cu117", None, None),
        ("torchtext", "0.18.0", "cpu", None, None),
    ],
)
def test_what_was_published_is_known(
    name: str, version: str, label: str, platform: str | None, python: str | None
) -> None:
    assert builds().published(name, version, label, platform, python) is True
    assert builds().source_of(name, version, label)


@pytest.mark.parametrize(
    ("name", "version", "label", "platform", "python"),
    [
        pytest.param("torch", "2.99.0", "cu132", None, None, id="a release that is not in the table"),
        pytest.param("torch", "2.6.0.dev20241001", "cu126", None, None, id="a nightly"),
        pytest.param("torch", "2.2.0a0", "cu118", None, None, id="a build of one's own"),
        pytest.param("torch", "nonsense", "cu118", None, None, id="no version"),
        pytest.param("torch", "2.1.10", "xpu", None, None, id="a vendor's release"),
        pytest.param("numpy", "2.0.0", "cu118", None, None, id="another package"),
        pytest.param("torch", "2.15.0", "", None, None, id="the plain version, which the public index has"),
        pytest.param("torch", "2.8.0", "rocm6.2", None, None, id="a list of CPU and CUDA only"),
        pytest.param("torch", "2.9.1", "rocm7.1", None, None, id="a release known only from documents"),
        pytest.param("torch", "2.10.0", "cu126", "windows-arm64", None, id="a list of Linux only"),
        pytest.param("torchaudio", "0.11.0", "cu113", "windows-amd64", None, id="likewise"),
        pytest.param("torchtext", "0.18.0", "rocm5.7", None, None, id="its torch has it"),
        pytest.param("torchcodec", "0.10.0", "cu118", None, None, id="torchcodec has no one torch"),
    ],
)
def test_where_the_table_cannot_tell_it_says_so(
    name: str, version: str, label: str, platform: str | None, python: str | None
) -> None:
    answer = builds().published(name, version, label, platform, python)
    assert isinstance(answer, Unknown)
    assert answer.because
    assert answer.as_of == builds().date


@pytest.mark.parametrize(
    ("name", "version", "label", "platform", "python", "source"),
    [
        ("torch", "1.8.1", "cu92", None, None, "index-torch-2025-07"),
        ("torch", "2.0.1", "cu121", None, None, "index-torch-2025-07"),
        ("torch", "2.8.0", "cu118", None, None, "cog-scrape-2.8"),
        ("torchaudio", "2.7.1", "cu121", None, None, "index-torch-2025-07"),
        ("torchaudio", "0.8.0", "cu111", None, None, "index-stable-2021-03"),
        ("torchaudio", "2.11.0", "cu132", None, None, "pytorch-193651"),
        ("torchvision", "0.9.1", "cu92", None, None, "pip-list-torchvision-0.13"),
        ("torchvision", "0.11.0", "cu111", "windows-amd64", None, "pip-list-torchvision-0.13"),
        ("torch", "2.5.1", "cpu", "macos-arm64", None, "index-torch-2025-07"),
        ("torch", "2.8.0", "cpu", "macos-arm64", None, "cog-scrape-2.8"),
        ("torch", "2.5.1", "cpu", "linux-aarch64", None, "index-torch-2025-07"),
        ("torch", "2.5.1", "rocm6.2", "windows-amd64", None, "index-torch-2025-07"),
        ("torch", "2.5.1", "cu124", "windows-amd64", "3.13", "index-torch-2025-07"),
        ("torch", "1.4.0", "cu101", None, None, "index-torch-2025-07"),
    ],
)
def test_what_never_was_is_denied_with_its_source(
    name: str, version: str, label: str, platform: str | None, python: str | None, source: str
) -> None:
    assert builds().published(name, version, label, platform, python) is False
    assert source in [evidence.id for evidence in builds().source_of(name, version, label)]


def test_a_plain_version_was_a_build_too() -> None:
    assert builds().serves("torch", "1.4.0", "cu101") is True
    assert builds().serves("torch", "1.4.0", "cu92") is True
    assert builds().serves("torch", "1.4.0", "cu110") is False
    assert builds().serves("torchaudio", "0.8.0", "cu111") is True, "its wheels lie where every folder lists them"


def test_a_build_that_one_platform_never_had() -> None:
    answer = builds().published
    assert answer("torch", "2.9.0", "cu129", "windows-amd64", "3.12") is True
    assert answer("torch", "2.9.1", "cu129", "windows-amd64", "3.12") is False
    assert answer("torch", "2.9.1", "cu129", "linux-x86_64", "3.12") is True
    assert answer("torchvision", "0.24.1", "cu129", "windows-amd64") is False, "its torch has none there"
    assert answer("torchvision", "0.24.1", "cu129", "linux-x86_64") is True
    sources = [evidence.id for evidence in builds().source_of("torchvision", "0.24.1", "cu129", "windows-amd64")]
    assert "test-infra-cu129" in sources and "index-files" not in sources


def test_a_missing_file_shows_nothing() -> None:
    """No file of torch 2.13.0+cu132 for Linux and Python 3.14 is known; a document has it, without Pythons."""
    assert builds().published("torch", "2.13.0", "cu132", "linux-x86_64") is True
    assert isinstance(builds().published("torch", "2.13.0", "cu132", "linux-x86_64", "3.14"), Unknown)
    assert isinstance(builds().published("torch", "2.12.0", "cu130", "linux-x86_64", "3.15"), Unknown)
    assert isinstance(builds().published("torchvision", "0.28.0", "cu130", "windows-arm64"), Unknown)


def test_labels_of_a_release() -> None:
    assert builds().labels("torch", "2.1.0") == {"", "cpu", "cu118", "cu121", "rocm5.5", "rocm5.6"}
    assert builds().labels("torch", "2.1.0") == builds().labels("torch", "2.1")
    assert isinstance(builds().labels("torch", "99.0"), Unknown)


def test_an_ended_version_of_cuda_is_denied_and_one_that_came_back_is_not() -> None:
    for version in ("2.12.0", "2.13.0", "2.15.0"):
        assert builds().published("torch", version, "cu128") is False
        assert builds().published("torch", version, "cu118") is False
    for version in ("2.12.1", "2.13.0"):
        assert builds().published("torch", version, "cu129") is True
        assert builds().published("torch", version, "cu129", "windows-amd64") is False
    for version in ("2.12.0", "2.14.0", "2.15.0"):
        assert builds().published("torch", version, "cu129") is False
    assert builds().published("torch", "2.14.0", "cu126") is True
    assert builds().published("torch", "2.15.0", "cu126") is False
    assert builds().published("torchaudio", "2.11.0", "cu124") is False
    assert builds().serves("torchaudio", "2.11.0", "cu126", "windows-amd64") is True
    assert builds().serves("torchaudio", "2.9.1", "cu130", "linux-aarch64") is True, "no label, that folder"
