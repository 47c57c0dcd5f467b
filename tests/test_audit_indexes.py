"""Index knowledge of the audit: what a page has, what each installer takes, and whose file a hash is."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING

import pytest

from torchlock.audit import Auditor, Options
from torchlock.audit.wheel_address import wheel_address
from torchlock.knowledge.build_files import build_catalogue
from torchlock.knowledge.build_hashes import PUBLIC, HashTable
from torchlock.knowledge.build_labels import label_order
from torchlock.knowledge.builds import Builds
from torchlock.knowledge.gpus import parse_gpu
from torchlock.knowledge.indexes import channel_of, page_of
from torchlock.knowledge.releases import Catalogue
from torchlock.target import Platform, PythonVersion

if TYPE_CHECKING:
    from pathlib import Path

    from torchlock.finding import Finding

PAGE = "https://download.pytorch.org/whl/{}"
EXTRA = "--extra-index-url " + PAGE
ONLY = "--index-url " + PAGE
PROJECT = '[project]\nname = "speech"\nversion = "1"\nrequires-python = ">=3.10"\n'
NOBODY = "0" * 64


@cache
def auditor(platform: str = "", python: str = "", gpu: str = "", driver: str = "") -> Auditor:
    found = parse_gpu(gpu) if gpu else None
    return Auditor(
        Options(
            pythons=(PythonVersion.parse(python),) if python else None,
            platforms=(Platform.parse(platform),) if platform else None,
            libraries={"cuda-driver": driver} if driver else {},
            gpus=(found,) if found else (),
        )
    )


def audit(folder: Path, text: str, name: str = "requirements.txt", **target: str) -> list[Finding]:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    report = auditor(**target).report(str(path))
    assert report.error is None, report.error
    return report.findings


def worse(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(each.severity, each.rule) for each in findings if each.severity != "note"]


def only(findings: list[Finding], rule: str) -> Finding:
    (finding,) = [each for each in findings if each.rule == rule]
    return finding


def index(name: str, label: str, *more: str) -> str:
    return "\n".join(["[[tool.uv.index]]", f'name = "{name}"', f'url = "{PAGE.format(label)}"', *more, ""])


# What a page has.


@pytest.mark.parametrize("release", ["==2.7.0", ">=2.7", ">=2.7,<2.9", "~=2.8.0"])
def test_a_page_that_ended_before_the_release(tmp_path: Path, release: str) -> None:
    found = audit(tmp_path, f"{ONLY.format('cu124')}\ntorch{release}\n")
    assert worse(found) == [("error", "TL204")]
    remedy = only(found, "TL204").remedy
    assert remedy is not None
    assert PAGE.format("cu126") in remedy.summary, "the next page has it"
    assert worse(audit(tmp_path, f"{ONLY.format('cu126')}\ntorch{release}\n")) == []


def test_a_page_beside_the_public_index_that_ended(tmp_path: Path) -> None:
    found = audit(tmp_path, f"{EXTRA.format('cu124')}\ntorch==2.7.0\n", platform="linux-x86_64")
    assert worse(found) == [("warning", "TL211")]
    message = only(found, "TL211").message
    assert "pip takes it from the public index" in message
    assert "uv asks the page alone" in message


def test_the_public_build_that_is_the_one_of_the_page(tmp_path: Path) -> None:
    """torchaudio 2.11.1 is on the public index alone, built for CUDA 13.2."""
    text = f"{EXTRA.format('cu132')}\ntorch==2.13.0+cu132\ntorchaudio==2.11.1\n"
    assert worse(audit(tmp_path, text, platform="linux-x86_64")) == []


def test_a_cpu_companion_beside_a_cuda_page(tmp_path: Path) -> None:
    """torchcodec of the public index is a CPU build, which works beside every torch."""
    text = f"{EXTRA.format('cu118')}\ntorch==2.7.1+cu118\ntorchcodec==0.5\n"
    assert "TL211" not in {each.rule for each in audit(tmp_path, text, platform="linux-x86_64")}


@pytest.mark.parametrize(
    ("label", "pin", "platform", "rule"),
    [
        ("cu124", "torch==2.4.0+cu124", "macos-arm64", "TL212"),
        ("cu124", "torch==2.4.0+cu124", "linux-x86_64", ""),
        ("cu124", "torchaudio==2.4.0+cu124", "linux-aarch64", "TL212"),
        ("rocm6.1", "torch==2.4.0", "windows-amd64", "TL212"),
        ("rocm6.1", "torch==2.4.0", "linux-x86_64", ""),
        ("cu129", "torch==2.9.1", "windows-amd64", "TL212"),
        ("cu129", "torch==2.9.0", "windows-amd64", ""),
        ("cu129", "torch==2.9.1", "linux-x86_64", ""),
        ("cpu", "torch==2.8.0", "macos-arm64", ""),
        ("cpu", "torch==2.8.0+cpu", "macos-arm64", "TL212"),
    ],
)
def test_a_build_for_other_platforms(tmp_path: Path, label: str, pin: str, platform: str, rule: str) -> None:
    found = audit(tmp_path, f"{ONLY.format(label)}\n{pin}\n", platform=platform)
    assert worse(found) == ([("error", rule)] if rule else [])


def test_a_build_for_other_pythons(tmp_path: Path) -> None:
    text = f"{ONLY.format('cu124')}\ntorch==2.4.0\n"
    assert worse(audit(tmp_path, text, python="3.13", platform="linux-x86_64")) == [("error", "TL212")]
    assert worse(audit(tmp_path, text, python="3.12", platform="linux-x86_64")) == []
    assert worse(audit(tmp_path, text)) == [], "nobody asks for Python 3.13"


def test_a_build_in_a_project_that_declares_macos(tmp_path: Path) -> None:
    """A source with a marker is not asked on macOS; one without is."""
    base = (
        PROJECT + 'dependencies = ["torch==2.7.1"]\n[tool.uv]\nenvironments = {}\n[tool.uv.sources]\ntorch = {}\n'
    )
    macos = "\"sys_platform == 'darwin' and platform_machine == 'arm64'\""
    both = f"[{macos}, \"sys_platform == 'linux' and platform_machine == 'x86_64'\"]"
    page = index("builds", "cu126", "explicit = true")
    text = base.format(both, '{ index = "builds" }') + page
    assert worse(audit(tmp_path, text, "pyproject.toml")) == [("warning", "TL212")]
    text = base.format(both, '{ index = "builds", marker = "sys_platform == \'linux\'" }') + page
    assert worse(audit(tmp_path, text, "pyproject.toml")) == []


@pytest.mark.parametrize("name", ["librosa", "openai-whisper", "pyannote.audio", "speechbrain"])
def test_a_project_that_the_pages_do_not_have(tmp_path: Path, name: str) -> None:
    text = f"{ONLY.format('cu128')}\ntorch==2.8.0\n{name}\nnumpy\nsoundfile\ntransformers\n"
    found = audit(tmp_path, text, platform="linux-x86_64")
    finding = only(found, "TL514")
    assert (finding.severity, finding.place.line) == ("error", 3), "numpy, soundfile and transformers may be there"
    shared = f"{EXTRA.format('cu128')}\ntorch==2.8.0+cu128\n{name}\n"
    assert "TL514" not in {each.rule for each in audit(tmp_path, shared)}


def test_other_projects_in_a_command_with_the_page(tmp_path: Path) -> None:
    page = PAGE.format("cu128")
    text = f"FROM python:3.11\nRUN pip install torch==2.8.0 librosa --index-url {page}\n"
    assert ("error", "TL514") in worse(audit(tmp_path, text, "Dockerfile"))
    text = f"FROM python:3.11\nRUN pip install librosa && pip install torch==2.8.0 librosa --index-url {page}\n"
    assert ("error", "TL514") not in worse(audit(tmp_path, text, "Dockerfile")), "it is there already"


@pytest.mark.parametrize("address", ["https://pkg.example.com/pytorch-wheels/cu128", "./wheels"])
def test_other_projects_on_an_index_that_nobody_knows(tmp_path: Path, address: str) -> None:
    found = audit(tmp_path, f"--index-url {address}\ntorch==2.8.0\nlibrosa\n")
    assert "TL514" not in {each.rule for each in found}


# What each installer takes.


@pytest.mark.parametrize(
    ("first", "second", "pin", "pip", "uv"),
    [
        ("cu118", "cu121", "torch==2.3.1", "2.3.1+cu121", "2.3.1+cu118"),
        ("cu121", "cu118", "torch==2.3.1", "", ""),
        ("cpu", "cu121", "torch==2.3.1", "2.3.1+cu121", "2.3.1+cpu"),
        ("cu121", "rocm6.0", "torch==2.3.1", "2.3.1+rocm6.0", "2.3.1+cu121"),
        ("cu118", "cu121", "torch==2.3.1+cu118", "", ""),
    ],
)
def test_two_pages(tmp_path: Path, first: str, second: str, pin: str, pip: str, uv: str) -> None:
    text = f"{EXTRA.format(first)}\n{EXTRA.format(second)}\n{pin}\n"
    found = audit(tmp_path, text, platform="linux-x86_64")
    assert worse(found) == ([("warning", "TL516")] if pip else [])
    if pip:
        message = only(found, "TL516").message
        assert f"pip takes {pip}, and uv takes {uv}" in message


@pytest.mark.parametrize(
    ("label", "asked", "rule"),
    [
        ("cu124", "torch>=2.5", "TL213"),
        ("cu124", "torch", "TL213"),
        ("cu124", "torch>=2.5,<2.7", ""),
        ("cu124", "torch==2.6.0", ""),
        ("cpu", "torch==2.8.0", ""),
        ("cpu", "torch<2.15", ""),
    ],
)
def test_the_public_index_wins_or_not(tmp_path: Path, label: str, asked: str, rule: str) -> None:
    """Of equal releases the one with a label is higher, for pip and for uv."""
    found = audit(tmp_path, f"{EXTRA.format(label)}\n{asked}\n", platform="linux-x86_64")
    assert worse(found) == ([("warning", rule)] if rule else [])
    if rule:
        remedy = only(found, rule).remedy
        assert remedy is not None
        assert "<2.7" in remedy.summary


@pytest.mark.parametrize("torch", ["torch==2.11.0", "torch>=2.10,<2.12"])
def test_pip_passes_over_companions_of_another_torch(tmp_path: Path, torch: str) -> None:
    """The newest torchvision asks for a newer torch, so pip takes an older one, of the page; so does uv."""
    found = audit(tmp_path, f"{EXTRA.format('cu128')}\n{torch}\ntorchvision\ntorchaudio\n")
    assert worse(found) == []


def test_a_companion_without_requirements_is_the_newest_one(tmp_path: Path) -> None:
    """torchaudio 2.11.0 declares no torch. The page ends later than with the release that fits this torch."""
    found = audit(tmp_path, f"{EXTRA.format('cu124')}\ntorch==2.4.0\ntorchvision\ntorchaudio\n")
    assert worse(found) == [("warning", "TL101"), ("warning", "TL213")]
    assert "pip takes torchaudio 2.11.0 of" in only(found, "TL213").message
    assert "ends at 2.6.0; uv takes 2.4.0+cu124" in only(found, "TL213").message


def test_a_later_command_may_replace_the_torch_of_an_earlier_one(tmp_path: Path) -> None:
    extra = EXTRA.format("cu124")
    text = f"pip install torch==2.6.0 {extra}\npip install torchvision {extra}\n"
    found = audit(tmp_path, text, "install.sh", platform="linux-x86_64")
    assert worse(found) == [("warning", "TL103"), ("warning", "TL213")]
    assert "it replaces torch 2.6.0" in only(found, "TL103").message


def test_a_fix_leaves_no_pair_that_does_not_load(tmp_path: Path) -> None:
    """A bound on torch alone would leave the newest torchaudio; torchaudio<2.7 declares the torch of that page."""
    found = audit(tmp_path, f"{EXTRA.format('cu124')}\ntorch\ntorchvision\ntorchaudio\n")
    (summary,) = {each.remedy.summary for each in found if each.rule == "TL213" and each.remedy}
    assert summary == "Write torchaudio<2.7 instead of torchaudio."


def test_the_page_of_all_builds_orders_labels_as_versions() -> None:
    order = ["cpu", "cu118", "cu121", "rocm10.0", "rocm6.4", "rocm6.10", "rocm7.0", "xpu"]
    assert sorted(order, key=label_order) == order
    assert sorted(["", "cpu"], key=label_order) == ["", "cpu"]


def test_the_page_of_all_builds_serves_xpu(tmp_path: Path) -> None:
    found = audit(tmp_path, f"{EXTRA.format('')}\ntorch==2.8.0\n", platform="linux-x86_64")
    assert "+xpu" in only(found, "TL206").message
    found = audit(tmp_path, f"{EXTRA.format('')}\ntorch==2.3.1\n", platform="linux-x86_64")
    assert "+rocm6.0" in only(found, "TL206").message


# Channels.


@pytest.mark.parametrize(
    ("address", "channel"),
    [
        (PAGE.format("test/cu128"), "test"),
        (PAGE.format("nightly/cu128"), "nightly"),
        (PAGE.format("test"), "test"),
        (PAGE.format("cu128"), ""),
        (PAGE.format("lts/1.8/cu111"), ""),
        ("https://pkg.example.com/whl/test/cu128", ""),
        ("http://[not an address/simple", ""),
    ],
)
def test_channels(address: str, channel: str) -> None:
    assert channel_of(address) == channel


def test_release_candidates(tmp_path: Path) -> None:
    found = audit(tmp_path, f"{EXTRA.format('test/cu128')}\ntorch==2.8.0\n")
    assert worse(found) == [("warning", "TL515")]
    remedy = only(found, "TL515").remedy
    assert remedy is not None
    assert PAGE.format("cu128") in remedy.summary
    assert worse(audit(tmp_path, f"{EXTRA.format('test/cu128')}\n--pre\ntorch>=2.8\n")) == []
    beside = f"{EXTRA.format('nightly/cu128')}\ntorch==2.8.0\n"
    assert worse(audit(tmp_path, beside)) == [], "nightlies do not have it, and the public index does"


# The tables of project tools.


def test_a_source_for_an_extra_without_the_package(tmp_path: Path) -> None:
    text = (
        PROJECT
        + 'dependencies = ["torch==2.7.1"]\n[project.optional-dependencies]\ngpu = ["numpy"]\n'
        + '[tool.uv.sources]\ntorch = { index = "builds", extra = "gpu" }\n'
        + index("builds", "cu126", "explicit = true")
    )
    found = audit(tmp_path, text, "pyproject.toml")
    assert (only(found, "TL214").severity, only(found, "TL214").place.line) == ("error", 9)
    listed = text.replace('["numpy"]', '["numpy", "torch==2.7.1"]')
    assert "TL214" not in {each.rule for each in audit(tmp_path, listed, "pyproject.toml")}


def test_a_source_that_only_another_package_needs(tmp_path: Path) -> None:
    sources = '[tool.uv.sources]\ntorch = { index = "builds" }\n' + index("builds", "cpu", "explicit = true")
    for name, severity in (("example", "note"), ("openai-whisper", "warning")):
        found = audit(tmp_path, f'{PROJECT}dependencies = ["{name}"]\n{sources}', "pyproject.toml")
        assert only(found, "TL214").severity == severity, "whether example requires torch is unknown"
    other = sources.replace("torch =", "torchvision =")
    found = audit(tmp_path, f'{PROJECT}dependencies = ["torchaudio==2.7.1"]\n{other}', "pyproject.toml")
    assert only(found, "TL214").severity == "note", "torchaudio does not require torchvision"
    found = audit(tmp_path, f'{PROJECT}dependencies = ["torchvision==0.22.1"]\n{sources}', "pyproject.toml")
    assert only(found, "TL214").severity == "warning"
    text = f'{PROJECT}dependencies = ["torchvision==0.22.1"]\n{sources}[tool.uv.workspace]\nmembers = ["a"]\n'
    assert "TL214" not in {each.rule for each in audit(tmp_path, text, "pyproject.toml")}, "a member may list it"


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ("", True),
        ('[tool.uv]\nconflicts = [[{ extra = "cpu" }, { extra = "gpu" }]]\n', False),
        ('[tool.uv]\nconflicts = [[{ extra = "cpu" }, { extra = "other" }]]\n', True),
    ],
)
def test_extras_with_two_pages(tmp_path: Path, more: str, error: bool) -> None:
    text = (
        PROJECT
        + '[project.optional-dependencies]\ncpu = ["torch==2.7.1"]\ngpu = ["torch==2.7.1"]\nother = ["numpy"]\n'
        + '[tool.uv.sources]\ntorch = [{ index = "c", extra = "cpu" }, { index = "g", extra = "gpu" }]\n'
        + index("c", "cpu", "explicit = true")
        + index("g", "cu126", "explicit = true")
        + more
    )
    found = worse(audit(tmp_path, text, "pyproject.toml"))
    assert found == ([("error", "TL215")] if error else [])


def test_extras_on_different_platforms(tmp_path: Path) -> None:
    markers = "sys_platform == 'linux'", "sys_platform == 'win32'"
    text = (
        PROJECT
        + '[project.optional-dependencies]\ncpu = ["torch==2.7.1"]\ngpu = ["torch==2.7.1"]\n[tool.uv.sources]\n'
        + f'torch = [{{ index = "c", extra = "cpu", marker = "{markers[0]}" }}, '
        + f'{{ index = "g", extra = "gpu", marker = "{markers[1]}" }}]\n'
        + index("c", "cpu", "explicit = true")
        + index("g", "cu126", "explicit = true")
    )
    assert "TL215" not in {each.rule for each in audit(tmp_path, text, "pyproject.toml")}


@pytest.mark.parametrize(
    ("dependencies", "more", "severity"),
    [
        ('"torch==2.7.1", "pillow"', "", "warning"),
        ('"torch==2.7.1", "librosa"', "", "note"),
        ('"torch==2.7.1", "pillow"', "explicit = true", ""),
    ],
)
def test_a_page_that_uv_asks_for_all(tmp_path: Path, dependencies: str, more: str, severity: str) -> None:
    text = f"{PROJECT}dependencies = [{dependencies}]\n{index('builds', 'cu126', more)}"
    found = [each.severity for each in audit(tmp_path, text, "pyproject.toml") if each.rule == "TL512"]
    assert found == ([severity] if severity else [])


def test_a_page_that_poetry_asks_for_all(tmp_path: Path) -> None:
    text = (
        '[tool.poetry]\nname = "x"\nversion = "1"\n[tool.poetry.dependencies]\npython = "^3.10"\n'
        'torch = {{ version = "2.7.1", source = "builds" }}\n[[tool.poetry.source]]\nname = "builds"\n'
        f'url = "{PAGE.format("cu126")}"\npriority = "{{}}"\n'
    )
    for priority, there in (("primary", True), ("supplemental", False), ("explicit", False)):
        found = {each.rule for each in audit(tmp_path, text.format(priority), "pyproject.toml")}
        assert ("TL512" in found) is there


POETRY = """[tool.poetry]
name = "x"
version = "1"
[tool.poetry.dependencies]
python = "^3.10"
torch = {{ version = "2.9.1", source = "builds" }}
torchaudio = {{ version = "2.9.1"{} }}
[[tool.poetry.source]]
name = "builds"
url = "https://download.pytorch.org/whl/cu126"
priority = "explicit"
"""
PIPFILE = """[[source]]
name = "main"
url = "https://index.example.org/simple"
[[source]]
name = "builds"
url = "https://download.pytorch.org/whl/cu126"
[packages]
torch = {{ version = "==2.9.1", index = "builds" }}
torchaudio = {{ version = "==2.9.1"{} }}
"""
PDM = """[project]
name = "x"
version = "1"
dependencies = ["torch==2.9.1", "torchaudio==2.9.1"]
[[tool.pdm.source]]
name = "builds"
url = "https://download.pytorch.org/whl/cu126"
include_packages = ["torch"{}]
exclude_packages = ["*"]
"""


@pytest.mark.parametrize(
    ("name", "text", "source"),
    [
        ("pyproject.toml", POETRY, ', source = "builds"'),
        ("Pipfile", PIPFILE, ', index = "builds"'),
        ("pyproject.toml", PDM, ', "torchaudio"'),
    ],
)
def test_a_companion_without_the_source_of_torch(tmp_path: Path, name: str, text: str, source: str) -> None:
    found = audit(tmp_path, text.format(""), name)
    assert worse(found) == [("warning", "TL201"), ("warning", "TL517")]
    assert {each.remedy.summary for each in found if each.remedy and each.severity == "warning"} == {
        only(found, "TL517").remedy.summary  # type: ignore[union-attr] # compared above
    }
    assert worse(audit(tmp_path, text.format(source), name)) == []


def test_the_same_build_from_the_public_index(tmp_path: Path) -> None:
    """The public index has torch 2.7.1 for CUDA 12.6, as the page does."""
    text = (
        PROJECT
        + 'dependencies = ["torch==2.7.1", "torchaudio==2.7.1"]\n[tool.uv.sources]\ntorch = { index = "builds" }\n'
        + index("builds", "cu126", "explicit = true")
    )
    assert worse(audit(tmp_path, text, "pyproject.toml", platform="linux-x86_64")) == []


# Addresses.


@pytest.mark.parametrize(
    ("file", "why"),
    [
        ("cu124/torch-2.6.0%2Bcu124-cp311-cp311-linux_x86_64.whl", ""),
        ("cu124/torch-2.7.0%2Bcu124-cp311-cp311-linux_x86_64.whl", "no cu124 build"),
        ("cu124/torch-2.6.0%2Bcu121-cp311-cp311-linux_x86_64.whl", "its label is cu121"),
        ("cu129/torch-2.9.1%2Bcu129-cp311-cp311-win_amd64.whl", "for windows-amd64"),
        ("cu111/torch-1.10.2%2Bcpu-cp39-cp39-linux_x86_64.whl", ""),
        ("cu128/torch-99.0%2Bcu128-cp311-cp311-linux_x86_64.whl", ""),
        ("nightly/cu128/torch-2.9.0.dev20250801%2Bcu128-cp311-cp311-linux_x86_64.whl", ""),
    ],
)
def test_addresses_of_wheels(tmp_path: Path, file: str, why: str) -> None:
    found = [each for each in audit(tmp_path, f"torch @ {PAGE.format(file)}\n") if each.rule == "TL216"]
    assert [each.severity for each in found] == (["error"] if why else [])
    assert not why or why in found[0].message


def test_every_known_file_has_a_right_address(tmp_path: Path) -> None:
    """No file of the tables is called a file that never was."""
    for folder in ("cpu", "cu118", "cu128", "cu130", "rocm6.4", "xpu"):
        lines = []
        for package in ("torch", "torchaudio", "torchvision"):
            catalogue = build_catalogue(folder)
            for release in catalogue.releases(package) or ():
                lines += [
                    f"{package} @ {PAGE.format(row[4])}\n" for row in catalogue.rows(package, release.version)[:1]
                ]
        assert lines
        for line in lines[:: max(1, len(lines) // 12)]:
            assert "TL216" not in {each.rule for each in audit(tmp_path, line)}, line


def test_builds_of_addresses_that_differ(tmp_path: Path) -> None:
    """The folder shows the build of a wheel without a label: cu129 and cpu have files of one name for ARM."""
    wheel = "torchaudio @ https://download.pytorch.org/whl/{}/torchaudio-2.8.0-cp311-cp311-manylinux_2_28_aarch64.whl\n"
    torch = "torch @ https://download.pytorch.org/whl/cu129/torch-2.8.0%2Bcu129-cp311-cp311-manylinux_2_28_aarch64.whl\n"
    other = wheel.format("cpu").replace("torchaudio @", "torchaudio @")
    assert "TL203" not in {each.rule for each in audit(tmp_path, torch + wheel.format("cu129"))}
    found = worse(audit(tmp_path, torch + other))
    assert [rule for _, rule in found] == ["TL203"]


def test_parts_of_an_address() -> None:
    wheel = wheel_address(PAGE.format("cu128/torch-2.8.0%2Bcu128-cp313-cp313t-win_amd64.whl#sha256=00"))
    assert wheel is not None
    assert (wheel.folder, wheel.version, wheel.label) == ("cu128", "2.8.0", "cu128")
    assert (wheel.python, wheel.platform) == ("3.13t", "windows-amd64")
    assert wheel_address("https://pkg.example.com/cu128/torch-2.8.0-cp313-cp313-win_amd64.whl") is None
    assert wheel_address(PAGE.format("torch-2.8.0-cp313-cp313-win_amd64.whl")) is None, "the root page"


# Hashes.

LINUX = "manylinux_2_28_x86_64.whl"


@cache
def hash_of(folder: str, file: str) -> str:
    package, version = file.split("-")[:2]
    table = HashTable(package, version.partition("+")[0], Catalogue())
    found = table.hash_of(folder, file)
    assert isinstance(found, str), found
    return found


def lock_of(
    kind: str, sha256: str, file: str = f"torch-2.8.0+cu128-cp311-cp311-{LINUX}", label: str = "cu128"
) -> str:
    """A lock with one wheel of torch from a page, and its hash."""
    package, version = file.split("-")[:2]
    url = PAGE.format(f"{label}/{file.replace('+', '%2B')}")
    page = PAGE.format(label)
    if kind == "uv.lock":
        return (
            f'version = 1\nrequires-python = ">=3.10"\n\n[[package]]\nname = "{package}"\nversion = "{version}"\n'
            f'source = {{ registry = "{page}" }}\n'
            f'wheels = [\n    {{ url = "{url}", hash = "sha256:{sha256}" }},\n]\n'
        )
    if kind == "poetry.lock":
        return (
            f'[[package]]\nname = "{package}"\nversion = "{version}"\noptional = false\n'
            'python-versions = ">=3.9"\n'
            f'groups = ["main"]\nfiles = [\n    {{file = "{file}", hash = "sha256:{sha256}"}},\n]\n\n'
            f'[package.source]\ntype = "legacy"\nurl = "{page}"\nreference = "pytorch"\n\n'
            '[metadata]\nlock-version = "2.1"\npython-versions = ">=3.10"\ncontent-hash = "0"\n'
        )
    if kind == "pdm.lock":
        return (
            f'[metadata]\ngroups = ["default"]\nlock_version = "4.5.0"\n\n[[package]]\nname = "{package}"\n'
            f'version = "{version}"\nfiles = [\n    {{url = "{url}", hash = "sha256:{sha256}"}},\n]\n'
        )
    if kind == "Pipfile.lock":
        return json.dumps(
            {
                "_meta": {
                    "hash": {"sha256": NOBODY},
                    "pipfile-spec": 6,
                    "requires": {},
                    "sources": [
                        {"name": "main", "url": "https://index.example.org/simple", "verify_ssl": True},
                        {"name": "builds", "url": page, "verify_ssl": True},
                    ],
                },
                "default": {
                    package: {"hashes": [f"sha256:{sha256}"], "index": "builds", "version": f"=={version}"}
                },
                "develop": {},
            },
            indent=4,
        )
    if kind == "pylock.toml":
        return (
            f'lock-version = "1.0"\ncreated-by = "x"\n\n[[packages]]\nname = "{package}"\nversion = "{version}"\n'
            f'index = "{page}"\n\n[[packages.wheels]]\nname = "{file}"\nurl = "{url}"\n'
            f'hashes = {{ sha256 = "{sha256}" }}\n'
        )
    return f"--index-url {page}\n{package}=={version} --hash=sha256:{sha256}\n"


LOCKS = ["uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "pylock.toml", "requirements.txt"]


@pytest.mark.parametrize("kind", LOCKS)
def test_a_hash_of_another_folder(tmp_path: Path, kind: str) -> None:
    mine = hash_of("cu128", f"torch-2.8.0+cu128-cp311-cp311-{LINUX}")
    others = [
        hash_of("cpu", f"torch-2.8.0+cpu-cp311-cp311-{LINUX}"),
        hash_of(PUBLIC, f"torch-2.8.0-cp311-cp311-{LINUX}"),
    ]
    assert "TL513" not in {each.rule for each in audit(tmp_path, lock_of(kind, mine), kind)}
    assert "TL513" not in {each.rule for each in audit(tmp_path, lock_of(kind, NOBODY), kind)}, "nobody's hash"
    for other in others:
        found = only(audit(tmp_path, lock_of(kind, other), kind), "TL513")
        assert found.severity == "error"
        assert found.remedy is not None
        assert PAGE.format("cu128") in found.remedy.summary


@pytest.mark.parametrize("kind", ["uv.lock", "poetry.lock", "pylock.toml", "requirements.txt"])
def test_one_name_with_several_contents(tmp_path: Path, kind: str) -> None:
    """torchaudio 2.8.0 for ARM has no label: one name in the folders cpu and cu129, and on the public index."""
    file = "torchaudio-2.8.0-cp311-cp311-manylinux_2_28_aarch64.whl"
    mine = hash_of("cu129", file)
    for folder in ("cpu", PUBLIC):
        other = hash_of(folder, file)
        assert mine != other
        found = audit(tmp_path, lock_of(kind, other, file, "cu129"), kind, platform="linux-aarch64")
        assert only(found, "TL513").severity == "error"
    found = audit(tmp_path, lock_of(kind, mine, file, "cu129"), kind, platform="linux-aarch64")
    assert "TL513" not in {each.rule for each in found}


def test_the_public_index_and_the_cpu_folder_with_the_same_bytes(tmp_path: Path) -> None:
    """torch 2.4.1 for ARM is one file on both; so its hash is right for both."""
    table = HashTable("torch", "2.4.1", Catalogue())
    shared = [
        sha256
        for row in build_catalogue("cpu").rows("torch", "2.4.1")
        if (sha256 := row[1]) and {file.folder for file in table.files(sha256)} >= {"cpu", PUBLIC}
    ]
    assert shared
    for sha256 in shared:
        text = f"torch==2.4.1 --hash=sha256:{sha256}\n"
        for line in ("", ONLY.format("cpu") + "\n"):
            assert not {"TL509", "TL513"} & {each.rule for each in audit(tmp_path, line + text)}


def test_a_hash_of_a_folder_on_the_public_index(tmp_path: Path) -> None:
    sha256 = hash_of("cu128", f"torch-2.8.0+cu128-cp311-cp311-{LINUX}")
    found = audit(tmp_path, f"torch==2.8.0 --hash=sha256:{sha256}\n")
    assert worse(found) == [("error", "TL513")]
    found = audit(tmp_path, f"torch==2.8.0 --hash=sha256:{NOBODY}\n")
    assert worse(found) == [("warning", "TL509")]
    own = hash_of(PUBLIC, f"torch-2.8.0-cp311-cp311-{LINUX}")
    text = f"torch==2.8.0 --hash=sha256:{own} --hash=sha256:{sha256}\n"
    assert worse(audit(tmp_path, text)) == [], "one of them is right"


@pytest.mark.parametrize("folder", ["cpu", "cu118", "cu121", "cu126", "cu128", "cu129", "cu130"])
def test_no_hash_of_the_tables_is_called_wrong(folder: str) -> None:
    """Each known file may have its own hash, in its own folder."""
    for package in ("torch", "torchaudio", "torchvision"):
        catalogue = build_catalogue(folder)
        versions = [release.version for release in catalogue.releases(package) or ()]
        for version in versions[:: max(1, len(versions) // 4)]:
            table = HashTable(package, version.partition("+")[0], Catalogue())
            for name, sha256, *_ in catalogue.rows(package, version):
                if sha256:
                    assert table.may_be_in(folder, sha256, version.partition("+")[2]), name
                    assert table.may_be(folder, name, sha256), name


# The machine.


@pytest.mark.parametrize(
    ("label", "pin", "gpu", "driver", "rules"),
    [
        ("cu126", "torch==2.8.0", "sm_120", "", ["TL208"]),
        ("cu128", "torch==2.8.0", "sm_120", "", []),
        ("cu128", "torch==2.11.0", "GTX 1080 Ti", "", ["TL208"]),
        ("cu126", "torch==2.11.0", "GTX 1080 Ti", "", []),
        ("cu126", "torch==2.11.0", "GTX 1080 Ti", "590.44", ["TL202"]),
        ("cu130", "torch==2.11.0", "RTX 4090", "550.54", ["TL202"]),
        ("cu128", "torch==2.11.0", "RTX 4090", "550.54", []),
        ("cu128", "torch==2.11.0", "RTX 4090", "525.105.17", []),
        ("cpu", "torch==2.11.0", "GTX 1080 Ti", "590.44", []),
        ("cu128", "torch==2.11.0", "gfx1100", "", ["TL208"]),
    ],
)
def test_the_gpu_and_the_driver(
    tmp_path: Path, label: str, pin: str, gpu: str, driver: str, rules: list[str]
) -> None:
    text = f"{ONLY.format(label)}\n{pin}\n"
    found = audit(tmp_path, text, platform="linux-x86_64", gpu=gpu, driver=driver)
    assert [rule for _, rule in worse(found)] == rules


def test_the_page_that_serves_the_gpu(tmp_path: Path) -> None:
    found = audit(tmp_path, f"{ONLY.format('cu126')}\ntorch==2.8.0\n", platform="linux-x86_64", gpu="sm_120")
    remedy = only(found, "TL208").remedy
    assert remedy is not None
    assert page_of("cu128") in remedy.summary


# Remedies.


@pytest.mark.parametrize("page", ["cu117", "cu118", "cu121", "cu124", "cu128", "cu132", "rocm6.0"])
@pytest.mark.parametrize("pins", ["torch==2.13.0\ntorchaudio==2.11.0\n", "torch==2.5.1\ntorchaudio==2.5.1\n"])
def test_a_fix_leaves_releases_that_the_pages_have(tmp_path: Path, page: str, pins: str) -> None:
    """Whatever --fix writes, its releases are on the page that it names, in builds of the same kind."""
    path = tmp_path / "requirements.txt"
    path.write_text(f"{ONLY.format(page)}\n{pins}", encoding="utf-8")
    fixed = auditor(platform="linux-x86_64").fixed(str(path))
    if fixed is None:
        return
    first, *lines = fixed.decode().splitlines()
    now = first.rpartition("/")[2]
    assert now[:2] == page[:2]
    for line in lines:
        name, _, version = line.partition("==")
        assert Builds().serves(name, version, now, "linux-x86_64") is True
    path.write_bytes(fixed)
    assert "error" not in dict(worse(auditor(platform="linux-x86_64").report(str(path)).findings))


def test_the_fix_for_a_page_without_torchaudio(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text(f"{ONLY.format('cu132')}\ntorch==2.13.0\ntorchvision\ntorchaudio==2.11.0\n", encoding="utf-8")
    fixed = auditor().fixed(str(path))
    assert fixed is not None
    assert fixed.decode().startswith(ONLY.format("cu130"))


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("requirements.txt", "torch==2.7.1+cu126\n", "--extra-index-url {}"),
        (
            "pyproject.toml",
            PROJECT + 'dependencies = ["torch==2.7.1+cu126"]\n[tool.uv]\npackage = false\n',
            'url = "{}" and explicit = true',
        ),
        (
            "pyproject.toml",
            '[tool.poetry]\nname = "x"\nversion = "1"\n[tool.poetry.dependencies]\npython = "^3.10"\n'
            'torch = "2.7.1+cu126"\n',
            "poetry source add --priority=explicit pytorch-cu126 {}",
        ),
        ("Pipfile", '[packages]\ntorch = "==2.7.1+cu126"\n', 'url = "{}"'),
    ],
)
def test_a_remedy_names_the_whole_address(tmp_path: Path, name: str, text: str, says: str) -> None:
    remedy = only(audit(tmp_path, text, name), "TL507").remedy
    assert remedy is not None
    assert says.format(page_of("cu126")) in remedy.summary


# What the guides of uv recommend.

TORCH = '"torch>=2.7.0", "torchvision>=0.22.0"'
GUIDES = {
    "the public index": f"dependencies = [{TORCH}]\n",
    "one page": f"dependencies = [{TORCH}]\n[tool.uv.sources]\n"
    'torch = [{ index = "a" }]\ntorchvision = [{ index = "a" }]\n' + index("a", "cpu", "explicit = true"),
    "a page for some platforms": f"dependencies = [{TORCH}]\n[tool.uv.sources]\n"
    "torch = [{ index = 'a', marker = \"sys_platform == 'linux' or sys_platform == 'win32'\" }]\n"
    "torchvision = [{ index = 'a', marker = \"sys_platform == 'linux' or sys_platform == 'win32'\" }]\n"
    + index("a", "cu128", "explicit = true"),
    "two pages by platform": f"dependencies = [{TORCH}]\n[tool.uv.sources]\n"
    "torch = [{ index = 'a', marker = \"sys_platform != 'linux'\" },"
    " { index = 'b', marker = \"sys_platform == 'linux'\" }]\n"
    "torchvision = [{ index = 'a', marker = \"sys_platform != 'linux'\" },"
    " { index = 'b', marker = \"sys_platform == 'linux'\" }]\n"
    + index("a", "cpu", "explicit = true")
    + index("b", "cu128", "explicit = true"),
    "ROCm on Linux": f"dependencies = [{TORCH}, \"pytorch-triton-rocm>=3.3.0; sys_platform == 'linux'\"]\n"
    "[tool.uv.sources]\ntorch = [{ index = 'a', marker = \"sys_platform == 'linux'\" }]\n"
    "torchvision = [{ index = 'a', marker = \"sys_platform == 'linux'\" }]\n"
    "pytorch-triton-rocm = [{ index = 'a', marker = \"sys_platform == 'linux'\" }]\n"
    + index("a", "rocm6.3", "explicit = true"),
    "two extras": f"[project.optional-dependencies]\ncpu = [{TORCH}]\ncu128 = [{TORCH}]\n"
    '[tool.uv]\nconflicts = [[{ extra = "cpu" }, { extra = "cu128" }]]\n[tool.uv.sources]\n'
    'torch = [{ index = "a", extra = "cpu" }, { index = "b", extra = "cu128" }]\n'
    'torchvision = [{ index = "a", extra = "cpu" }, { index = "b", extra = "cu128" }]\n'
    + index("a", "cpu", "explicit = true")
    + index("b", "cu128", "explicit = true"),
}


@pytest.mark.parametrize("guide", GUIDES)
def test_what_the_guides_recommend_is_right(tmp_path: Path, guide: str) -> None:
    assert worse(audit(tmp_path, PROJECT.replace("3.10", "3.12") + GUIDES[guide], "pyproject.toml")) == []


@pytest.mark.parametrize("label", ["cpu", "cu118", "cu121", "cu124", "cu126", "cu128", "cu130", "rocm6.2"])
def test_what_the_start_page_recommends_is_right(tmp_path: Path, label: str) -> None:
    command = f"pip3 install torch torchvision torchaudio --index-url {PAGE.format(label)}\n"
    assert worse(audit(tmp_path, command, "install.sh", platform="linux-x86_64")) == []


def test_pages_of_different_commands(tmp_path: Path) -> None:
    """Each command has its own page: no installer sees both."""
    lines = [f"pip install torch==2.3.1 --extra-index-url {PAGE.format(label)}\n" for label in ("cu118", "cu121")]
    assert not {"TL213", "TL516"} & {each.rule for each in audit(tmp_path, "".join(lines), "install.sh")}
    text = f"pip install torch --extra-index-url {PAGE.format('cu121')}\n"
    assert ("warning", "TL213") in worse(audit(tmp_path, text, "install.sh", platform="linux-x86_64"))
    text = f"uv pip install torch --extra-index-url {PAGE.format('cu121')}\n"
    assert ("warning", "TL213") not in worse(audit(tmp_path, text, "install.sh", platform="linux-x86_64"))


def test_an_index_option_is_for_its_command_only(tmp_path: Path) -> None:
    """A later command without the option asks the public index alone."""
    first = f"pip install torch==$VERSION --extra-index-url {PAGE.format('cu118')}\n"
    found = audit(tmp_path, f"{first}pip install 'torch>=2.7'\n", "install.sh", platform="linux-x86_64")
    assert worse(found) == []
    found = audit(
        tmp_path, f"export PIP_EXTRA_INDEX_URL={PAGE.format('cu118')}\npip install 'torch>=2.7'\n", "i.sh"
    )
    assert ("warning", "TL213") in worse(found)


def test_a_page_that_uv_asks_first_and_alone(tmp_path: Path) -> None:
    """A project of uv with a page that lists other releases of torch fails, unless uv looks at all indexes."""
    text = f'{PROJECT}dependencies = ["torch==2.7.0"]\n{index("a", "cu124")}[tool.uv]\n{{}}\n'
    found = audit(tmp_path, text.format(""), "pyproject.toml", platform="linux-x86_64")
    assert worse(found) == [("error", "TL211")]
    text = text.format('index-strategy = "unsafe-best-match"')
    found = audit(tmp_path, text, "pyproject.toml", platform="linux-x86_64")
    assert worse(found) == [("warning", "TL211")]
    assert "TL512" not in {each.rule for each in found}


def test_a_hash_that_only_an_excerpt_states_is_no_proof(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = hash_of("cpu", f"torch-2.8.0+cpu-cp311-cp311-{LINUX}")
    monkeypatch.setattr("torchlock.knowledge.build_hashes.is_second_class", lambda file: file.folder == "cpu")
    assert only(audit(tmp_path, lock_of("uv.lock", other), "uv.lock"), "TL513").severity == "warning"
