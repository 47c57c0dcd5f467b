"""What an installer takes: of the public index, of a page of one build, of an index that nobody here can see."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING

import pytest

from torchlock.audit import Auditor, Options
from torchlock.knowledge.builds import Builds
from torchlock.knowledge.indexes import default_index, is_public
from torchlock.target import Platform

if TYPE_CHECKING:
    from pathlib import Path

    from torchlock.finding import Finding

PAGE = "https://example.org/whl/{}"
PRIVATE = ["https://pkg.example.org/repository/internal/", "https://pkg.example.org/repository/internal/simple"]
PUBLIC = "https://index.example.org/simple"


@cache
def auditor(platform: str = "") -> Auditor:
    return Auditor(Options(platforms=(Platform.parse(platform),)) if platform else None)


def audit(folder: Path, text: str, name: str = "requirements.txt", platform: str = "") -> list[Finding]:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return auditor(platform).report(str(path)).findings


def worse(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(each.severity, each.rule) for each in findings if each.severity != "note"]


def unjudged(findings: list[Finding]) -> list[Finding]:
    return [each for each in findings if each.rule == "TL902"]


UV = """[project]
name = "x"
version = "1"
dependencies = ["torch=={torch}", "torchaudio"]

[[tool.uv.index]]
name = "builds"
url = "{page}"
explicit = true

[tool.uv.sources]
torch = {{ index = "builds" }}
torchaudio = {{ index = "builds" }}
"""
POETRY = """[tool.poetry]
name = "x"
version = "1"

[tool.poetry.dependencies]
python = ">=3.10,<3.12"
torch = {{ version = "{torch}", source = "builds" }}
torchaudio = {{ version = "*", source = "builds" }}

[[tool.poetry.source]]
name = "builds"
url = "{page}"
priority = "explicit"
"""
FILES = {
    "index": ("requirements.txt", "--index-url {page}\ntorch=={torch}\ntorchaudio\n"),
    "a label besides": ("requirements.txt", "--index-url {page}\ntorch=={torch}+{label}\ntorchaudio\n"),
    "extra": ("requirements.txt", "--extra-index-url {page}\ntorch=={torch}\ntorchaudio\n"),
    "find-links": ("requirements.txt", "--find-links {page}\ntorch=={torch}\ntorchaudio\n"),
    "pip in a script": ("install.sh", "pip install torch=={torch} torchaudio --index-url {page}\n"),
    "uv in a script": ("install.sh", "uv pip install torch=={torch}+{label} torchaudio --index-url {page}\n"),
    "uv's default": ("install.sh", "uv pip install torch=={torch} torchaudio --default-index {page}\n"),
    "uv's backend": ("install.sh", "uv pip install torch=={torch} torchaudio --torch-backend={label}\n"),
    "a variable": ("install.sh", "export PIP_INDEX_URL={page}\npip install torch=={torch} torchaudio\n"),
    "Dockerfile": (
        "Dockerfile",
        "FROM python:3.11\nRUN pip install torch=={torch} torchaudio --index-url {page}\n",
    ),
    "uv": ("pyproject.toml", UV),
    "poetry": ("pyproject.toml", POETRY),
}


@pytest.mark.parametrize(
    ("label", "torch"), [("cpu", "2.9.1"), ("cpu", "2.7.0"), ("cu126", "2.7.0"), ("cu128", "2.8.0")]
)
@pytest.mark.parametrize("kind", FILES)
def test_a_page_whose_newest_does_not_fit(tmp_path: Path, kind: str, label: str, torch: str) -> None:
    name, text = FILES[kind]
    findings = audit(tmp_path, text.format(page=PAGE.format(label), torch=torch, label=label), name)
    assert ("warning", "TL101") in worse(findings)
    told = next(each for each in findings if each.rule == "TL101")
    assert "an installer takes" in told.message
    assert "(as of 20" in told.message


@pytest.mark.parametrize(("label", "torch"), [("cu118", "2.7.1"), ("cu121", "2.5.1"), ("cu124", "2.6.0")])
@pytest.mark.parametrize("kind", [kind for kind in FILES if kind not in ("extra", "find-links")])
def test_a_page_that_ended_with_this_torch(tmp_path: Path, kind: str, label: str, torch: str) -> None:
    name, text = FILES[kind]
    assert worse(audit(tmp_path, text.format(page=PAGE.format(label), torch=torch, label=label), name)) == []


@pytest.mark.parametrize("platform", ["linux-x86_64", "windows-amd64", "macos-arm64", "linux-aarch64"])
def test_pages_by_platform(tmp_path: Path, platform: str) -> None:
    text = f"--index-url {PAGE.format('cpu')}\ntorch==2.9.1\ntorchaudio\n"
    assert worse(audit(tmp_path, text, platform=platform)) == [("warning", "TL101")]


def test_a_page_for_other_platforms(tmp_path: Path) -> None:
    text = f"--index-url {PAGE.format('cu126')}\ntorch==2.9.1\ntorchaudio\n"
    findings = audit(tmp_path, text, platform="macos-arm64")
    assert worse(findings) == [("error", "TL212")], "nothing of it is for macOS"


def test_a_pin_that_the_page_has_for_some_platforms(tmp_path: Path) -> None:
    """torch 2.6.0 is there for CUDA 12.4 on x86_64 alone: elsewhere there is nothing to judge."""
    text = f"--index-url {PAGE.format('cu124')}\ntorch==2.6.0\ntorchvision\ntorchaudio\n"
    findings = audit(tmp_path, text)
    assert worse(findings) == []
    assert unjudged(findings) == []


def test_other_companions_on_a_page(tmp_path: Path) -> None:
    page = f"--index-url {PAGE.format('cpu')}\ntorch==2.9.1\n"
    assert worse(audit(tmp_path, page + "torchvision\n")) == [], "its metadata leads an installer to the right one"
    assert ("warning", "TL102") in worse(audit(tmp_path, page + "torchcodec\n", platform="linux-x86_64"))
    unseen = f"--index-url {PAGE.format('cu124')}\ntorch==2.6.0\ntorchcodec\n"
    findings = audit(tmp_path, unseen)
    assert worse(findings) == []
    assert "torchcodec" in unjudged(findings)[0].message


def test_the_remedy_is_judged_on_the_page(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text(f"--index-url {PAGE.format('cpu')}\ntorch==2.9.1\ntorchaudio\n", encoding="utf-8")
    fixed = auditor().fixed(str(path), ("error", "warning"))
    assert fixed is not None
    path.write_bytes(fixed)
    assert worse(auditor().report(str(path)).findings) == []


@pytest.mark.parametrize("label", ["cpu", "cu126", "cu130"])
@pytest.mark.parametrize("named", [True, False])
def test_labels_that_agree_are_the_builds_judged(tmp_path: Path, label: str, named: bool) -> None:
    index = f"--extra-index-url {PAGE.format(label)}\n" if named else ""
    findings = audit(tmp_path, f"{index}torch==2.13.0+{label}\ntorchaudio==2.11.0+{label}\n")
    assert worse(findings) == ([] if named else [("warning", "TL507")])
    findings = audit(tmp_path, f"{index}torch==2.13.0+{label}\ntorchaudio==2.11.0\n")
    assert ("warning", "TL201") not in worse(findings)


def test_a_companion_of_the_public_index_beside_a_label(tmp_path: Path) -> None:
    """No page of cu132 ever had torchaudio 2.11.0, so that the public index's own build is taken."""
    text = f"--extra-index-url {PAGE.format('cu132')}\ntorch==2.13.0+cu132\ntorchaudio==2.11.0\n"
    assert worse(audit(tmp_path, text, platform="linux-x86_64")) == [("error", "TL201")]


def test_a_wheels_address_is_judged_on_its_own_platforms(tmp_path: Path) -> None:
    wheel = f"{PAGE.format('cu116')}/torch-1.13.1%2Bcu116-cp310-cp310-win_amd64.whl"
    assert worse(audit(tmp_path, f"torch @ {wheel}\ntorchvision==0.14.1\n", platform="linux-x86_64")) == []


@pytest.mark.parametrize("address", PRIVATE)
def test_a_release_that_only_a_private_index_can_have(tmp_path: Path, address: str) -> None:
    texts = {
        "requirements.txt": f"--index-url {address}\ntorch==2.3.99\ntorchaudio==2.3.1\n",
        "more.txt": f"--extra-index-url {address}\ntorch==2.3.99\n",
        "install.sh": f"pip install torch==2.3.99 -i {address}\n",
        "uv.lock": 'version = 1\nrequires-python = ">=3.10"\n\n[[package]]\nname = "torch"\nversion = "2.3.99"\n'
        f'source = {{ registry = "{address}" }}\n',
        "poetry.lock": '[[package]]\nname = "torch"\nversion = "2.3.99"\ngroups = ["main"]\nfiles = []\n\n'
        f'[package.source]\ntype = "legacy"\nurl = "{address}"\nreference = "mine"\n\n'
        '[metadata]\nlock-version = "2.1"\npython-versions = ">=3.10"\ncontent-hash = "0"\n',
        "pylock.toml": 'lock-version = "1.0"\ncreated-by = "x"\n\n[[packages]]\nname = "torch"\n'
        'version = "2.3.99"\n'
        f'index = "{address}"\n\n[[packages.wheels]]\nname = "torch-2.3.99-cp310-cp310-linux_x86_64.whl"\n'
        'url = "https://pkg.example.org/torch-2.3.99-cp310-cp310-linux_x86_64.whl"\nhashes = {sha256 = "00"}\n',
        "Pipfile.lock": json.dumps(
            {
                "_meta": {"sources": [{"name": "mine", "url": address, "verify_ssl": True}]},
                "default": {"torch": {"version": "==2.3.99", "index": "mine"}},
            }
        ),
    }
    for name, text in texts.items():
        findings = audit(tmp_path, text, name)
        assert worse(findings) == [], name
        assert any("2.3.99" in each.message for each in unjudged(findings)), name
    assert worse(audit(tmp_path, f"--index-url {PUBLIC}\ntorch==2.3.99\n")) == [("error", "TL502")]


@pytest.mark.parametrize("address", PRIVATE)
def test_what_a_private_index_has_is_not_told(tmp_path: Path, address: str) -> None:
    findings = audit(tmp_path, f"--index-url {address}\ntorch==2.7.1\ntorchaudio\n")
    assert worse(findings) == []
    assert unjudged(findings)
    assert worse(audit(tmp_path, f"--index-url {address}\ntorch==2.7.1\ntorchaudio==2.5.1\n")) == [
        ("error", "TL101")
    ]


def test_nightlies_are_not_the_releases(tmp_path: Path) -> None:
    text = "--pre\n--index-url https://example.org/whl/nightly/cu126\ntorch\ntorchaudio\n"
    assert worse(audit(tmp_path, text)) == []


def test_which_index_is_public() -> None:
    default = default_index()
    host = default.partition("://")[2].partition("/")[0]
    assert is_public(default)
    assert is_public(default.rstrip("/"))
    assert is_public(default.replace("https:", "http:"))
    assert is_public(default.replace("://", "://user:word@"))
    assert is_public(default.replace(host, host.upper()))
    assert is_public("PyPI")
    assert not is_public("https://pkg.example.org/simple")
    assert not is_public(default.rstrip("/") + "/more")
    assert not is_public("")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        pytest.param("torch==2.9.1\ntorchaudio==2.9.0\n", True, id="one minor version"),
        pytest.param("torch==2.0.1\ntorchaudio==2.0.1\n", True, id="numbers that agree"),
        pytest.param("torch==2.7.1\ntorchvision==0.22.0\n", True, id="torchvision"),
        pytest.param("torch==1.12.1\ntorchaudio==0.12.0\n", True, id="most wheels ask for one release"),
    ],
)
def test_what_metadata_pins_is_what_pip_refuses(tmp_path: Path, text: str, error: bool) -> None:
    found = [each for each in audit(tmp_path, text) if each.severity == "error"]
    assert len(found) == 1
    assert "pip refuses it" in found[0].message
    assert "not load" not in found[0].message
    assert "compiled" not in found[0].because


def test_wheels_that_ask_for_no_release_are_not_condemned(tmp_path: Path) -> None:
    findings = audit(tmp_path, "torch==1.12.1\ntorchaudio==0.12.0\n", platform="linux-aarch64")
    assert worse(findings) == []
    other = audit(tmp_path, "torch==1.13.1\ntorchaudio==0.12.0\n", platform="linux-aarch64")
    assert worse(other) == [("error", "TL101")]


def test_a_lock_is_installed_without_asking_metadata(tmp_path: Path) -> None:
    lock = 'version = 1\nrequires-python = ">=3.10"\n' + "".join(
        f'\n[[package]]\nname = "{name}"\nversion = "{version}"\nsource = {{ registry = "{PUBLIC}" }}\n'
        for name, version in (("torch", "2.9.1"), ("torchaudio", "2.9.0"))
    )
    assert worse(audit(tmp_path, lock, "uv.lock")) == [("warning", "TL101")]


@pytest.mark.parametrize(
    "text",
    [
        "torch\ntorchaudio\n",
        "torch==2.3.1\ntorchaudio\n",
        "torch==2.5.2\n",
        f"--index-url {PAGE.format('cpu')}\ntorch==2.9.1\ntorchaudio\n",
        f"--index-url {PAGE.format('cu128')}\ntorch==2.12.0+cu128\n",
        f"--index-url {PRIVATE[0]}\ntorch==2.3.99\n",
        "torch==99.0\n",
        "torch<=2.4.1 ; python_version >= '3.14'\n",
    ],
)
def test_what_is_said_of_today_has_its_date(tmp_path: Path, text: str) -> None:
    dated = (
        "an installer takes",
        "there is no",
        "newest",
        "never published",
        "newer than",
        "has no torch",
        "; it was published as",
    )
    for finding in audit(tmp_path, text):
        if any(words in finding.message for words in dated):
            assert "as of 20" in finding.message, finding.message


@pytest.mark.parametrize("page", ["nightly/cu128", "nightly", "test/cu130", "lts/1.8/cu102"])
def test_a_page_of_other_than_releases(tmp_path: Path, page: str) -> None:
    address = f"--index-url https://download.pytorch.org/whl/{page}\n"
    findings = audit(tmp_path, f"{address}torch==2.7.0\ntorchaudio\ntorchcodec\n")
    assert worse(findings) == ([] if "lts" in page else [("warning", "TL515")])
    assert unjudged(findings)


def test_one_doubtful_companion_hides_no_other(tmp_path: Path) -> None:
    page = "--index-url https://download.pytorch.org/whl/rocm5.1.1\n"
    findings = audit(tmp_path, f"{page}torch==1.13.1\ntorchaudio\ntorchvision\ntorchcodec\n")
    assert worse(findings) == [("error", "TL102")]
    assert len(unjudged(findings)) == 3


@pytest.mark.parametrize("page", ["cu130", "rocm6.4", "rocm7.1", "cu132", "cu102"])
def test_a_remedy_is_known_to_be_on_the_page(tmp_path: Path, page: str) -> None:
    address = f"https://download.pytorch.org/whl/{page}"
    found = audit(tmp_path, f"--index-url {address}\ntorch==2.7.0\ntorchaudio\n")
    assert ("error", "TL204") in worse(found)
    for finding in found:
        if finding.remedy is not None:
            news = [change.new for change in finding.remedy.changes]
            served_by = next((new.rpartition("/")[2] for new in news if "/whl/" in new), page)
            pins = [new.split("==") for new in news if "==" in new] or [["torch", "2.7.0"]]
            for name, version in pins:
                assert Builds().serves(name, version, served_by) is True


@pytest.mark.parametrize("address", ["https://pkg.example.org/whl/cu121", "https://10.0.0.1:8080/whl/cu121/"])
def test_another_host_with_the_same_path(tmp_path: Path, address: str) -> None:
    for asked in ("torch==2.7.0", "torch==2.7.0+cu121", "torch==2.3.99", "torch>=2.8"):
        found = worse(audit(tmp_path, f"--index-url {address}\n{asked}\n"))
        assert "error" not in dict(found), asked
        assert not found or "+" in asked, "that the makers of torch never published it is known"


@pytest.mark.parametrize(
    "address",
    [
        "https://download-r2.pytorch.org/whl/cu121",
        "https://mirrors.example.com/pytorch-wheels/cu121/",
        "https://repo.example.com/api/pypi/pytorch/whl/cu121",
    ],
)
def test_a_mirror_has_what_the_page_has(tmp_path: Path, address: str) -> None:
    assert worse(audit(tmp_path, f"--index-url {address}\ntorch==2.7.0\n")) == [("error", "TL204")]


def test_a_file_of_ones_own_is_there(tmp_path: Path) -> None:
    wheel = "torch-2.3.99-cp311-cp311-linux_x86_64.whl"
    findings = audit(tmp_path, f"torch @ https://example.org/{wheel}\ntorchaudio==2.3.1\n")
    assert worse(findings) == []
    assert [each.rule for each in findings if each.place.line == 1] == ["TL903"]


def test_a_release_of_another_index_on_one_platform(tmp_path: Path) -> None:
    text = UV.format(torch="2.3.99", page="https://pkg.example.org/simple")
    text = text.replace(
        'torch = { index = "builds" }', "torch = [{ index = 'builds', marker = \"sys_platform == 'linux'\" }]"
    )
    findings = audit(tmp_path, text, "pyproject.toml")
    assert worse(findings) == [("warning", "TL502")]
    assert unjudged(findings)


PAGE_CU126 = "https://download.pytorch.org/whl/cu126"
LABELLED = "torch==2.7.0+cu126 torchaudio==2.7.0+cu126"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Makefile", "export PIP_EXTRA_INDEX_URL := {page}\nx:\n\tpip install {pins}\n"),
        ("Makefile", "PIP_EXTRA_INDEX_URL = {page}\nexport PIP_EXTRA_INDEX_URL\nx:\n\tpip install {pins}\n"),
        ("Makefile", "x: export PIP_EXTRA_INDEX_URL = {page}\nx:\n\tpip install {pins}\n"),
        ("Makefile", "ARGS = --extra-index-url {page}\nx:\n\tpip install $(ARGS) {pins}\n"),
        ("Makefile", "x:\n\tpip install $(ARGS) {pins}\n"),
        ("justfile", 'export PIP_EXTRA_INDEX_URL := "{page}"\nx:\n    pip install {pins}\n'),
        ("install.sh", 'ARGS="--extra-index-url {page}"\npip install $ARGS {pins}\n'),
        ("install.sh", "pip install $PIP_ARGS {pins}\n"),
        ("install.ps1", '$a = "--extra-index-url {page}"\npip install $a {pins}\n'),
        ("Dockerfile", "FROM python:3.11\nARG PIP_EXTRA_INDEX_URL\nRUN pip install {pins}\n"),
        ("Dockerfile", "FROM python:3.11\nCOPY pip.conf /etc/pip.conf\nRUN pip install {pins}\n"),
        (
            "Dockerfile",
            "FROM python:3.11\nRUN --mount=type=secret,id=a,target=/etc/pip.conf pip install {pins}\n",
        ),
        (
            "tox.ini",
            "[testenv]\ninstall_command = pip install -f {page} {{packages}}\ndeps =\n  torch==2.7.0+cu126\n",
        ),
        (
            "n.ipynb",
            '{{"cells": [{{"cell_type": "code", "source": ["%env PIP_EXTRA_INDEX_URL={page}\\n", '
            '"!pip install {pins}"]}}]}}',
        ),
        (
            "pyproject.toml",
            '[project]\nname = "x"\nversion = "1"\ndependencies = ["torch==2.7.0+cu126"]\n'
            '[[tool.rye.sources]]\nname = "p"\nurl = "{page}"\n',
        ),
    ],
)
def test_an_index_that_is_named_elsewhere(tmp_path: Path, name: str, text: str) -> None:
    findings = audit(tmp_path, text.format(page=PAGE_CU126, pins=LABELLED), name)
    assert worse(findings) == []
    assert "TL905" not in [each.rule for each in findings]


def test_a_settings_file_in_a_comment_is_none(tmp_path: Path) -> None:
    text = f"# our pip.conf is not used here\nFROM python:3.11\nRUN pip install {LABELLED}\n"
    assert worse(audit(tmp_path, text, "Dockerfile")) == [("warning", "TL507")]


def test_several_requirements_in_one_variable(tmp_path: Path) -> None:
    text = 'PACKAGES="torch==2.7.0 torchaudio==2.6.0"\npip install $PACKAGES\n'
    assert worse(audit(tmp_path, text, "install.sh")) == [("error", "TL101")]


@pytest.mark.parametrize("name", ["vocab.txt", "classes.txt", "labels.txt"])
def test_a_list_of_words_may_be_no_list_of_requirements(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("the\ntorch\ntorchaudio\n", encoding="utf-8")
    report = auditor().report(str(path))
    assert report.guessed
    assert [each.rule for each in report.findings if each.rule.startswith("TL9")] == ["TL905"]


@pytest.mark.parametrize(
    "name", ["requirements.txt", "deps.txt", "requirements/base.txt", "packages.in", "gpu.txt"]
)
def test_bare_names_in_a_list_are_requirements(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("torch\ntorchaudio\n", encoding="utf-8")
    report = auditor().report(str(path))
    assert not report.guessed
    assert "TL905" not in [each.rule for each in report.findings]


def spoken(findings: list[Finding]) -> str:
    (finding,) = [each for each in findings if each.severity != "note"]
    return finding.message


@pytest.mark.triggers("TL103")
def test_an_outdated_python_counts_only_if_the_file_names_it(tmp_path: Path) -> None:
    """On Python 3.6 an installer takes torchvision 0.3.0; on all later ones the newest two load."""
    assert worse(audit(tmp_path, "torch\ntorchvision\n")) == []
    text = (
        'from setuptools import setup\nsetup(python_requires=">=3.6", install_requires=["torch", "torchvision"])\n'
    )
    assert "on Python 3.6 on Linux" in spoken(audit(tmp_path, text, "setup.py"))
    image = "FROM python:3.6\nRUN pip install torch torchvision\n"
    assert worse(audit(tmp_path, image, "Dockerfile")) == [("warning", "TL103")]


@pytest.mark.triggers("TL105")
def test_a_file_for_outdated_pythons_only_is_judged_on_them(tmp_path: Path) -> None:
    assert worse(audit(tmp_path, "torch==1.7.1\nnumpy>=1.24,<2\n")) == []
    assert worse(audit(tmp_path, "torch==1.13.1\nnumpy==2.0.0\n")) == [("warning", "TL105")]


MARKED = """torch==2.0.0{label}
torchaudio
soundfile; sys_platform == "win32"
numpy<2; sys_platform == "darwin"
numpy<1.27; sys_platform != "darwin"
"""


@pytest.mark.triggers("TL101")
def test_a_marker_on_another_package_does_not_narrow_a_finding(tmp_path: Path) -> None:
    message = spoken(audit(tmp_path, MARKED.format(label="")))
    assert "on Linux, macOS (arm64) and Windows" in message


@pytest.mark.triggers("TL403", "TL212")
def test_a_wheel_is_missing_on_all_platforms(tmp_path: Path) -> None:
    project = '[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.8"\ndependencies = {}\n'
    lines = ["torch==2.7.0", "soundfile; sys_platform == 'win32'"]
    assert "no wheel for Python 3.8, which" in spoken(audit(tmp_path, project.format(lines), "pyproject.toml"))
    page = '\n[[tool.uv.index]]\nname = "p"\nurl = "https://download.pytorch.org/whl/cu128"\n'
    lines[0] = "torch==2.7.0+cu128; sys_platform != 'darwin'"
    message = spoken(audit(tmp_path, project.format(lines) + page, "pyproject.toml"))
    assert "for Python 3.8 on Linux, Windows" in message


LOCKED = """version = 1
requires-python = ">=3.9"
resolution-markers = ["python_full_version >= '3.10'", "python_full_version < '3.10'"]

[[package]]
name = "torch"
version = "2.8.0"
source = { registry = "https://example.org/simple" }
resolution-markers = ["python_full_version < '3.10'"]

[[package]]
name = "torch"
version = "2.13.0"
source = { registry = "https://example.org/simple" }
resolution-markers = ["python_full_version >= '3.10'"]

[[package]]
name = "torchaudio"
version = "2.11.0"
source = { registry = "https://example.org/simple" }
"""


@pytest.mark.triggers("TL403")
def test_a_lock_without_a_wheel_says_so(tmp_path: Path) -> None:
    text = LOCKED.replace("https://example.org/simple", default_index())
    message = spoken(audit(tmp_path, text, "uv.lock"))
    assert "torchaudio 2.11.0 has no wheel for Python 3.9" in message


@pytest.mark.triggers("TL101")
def test_what_a_companion_works_with_holds_on_each_usual_platform(tmp_path: Path) -> None:
    """On macOS torch 2.10 has what torchaudio 2.11.0 needs; elsewhere it is in 2.11."""
    text = "torch==2.8.0\ntorchaudio==2.11.0\n"
    assert "works with torch 2.11.0 or later" in spoken(audit(tmp_path, text))
    assert "works with torch 2.10.0 or later" in spoken(audit(tmp_path, text, platform="macos-arm64"))


@pytest.mark.triggers("TL403")
def test_numpy_has_no_release_for_a_python(tmp_path: Path) -> None:
    text = '[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.7"\ndependencies = ["numpy>=1.22.4,<2"]\n'
    (finding,) = audit(tmp_path, text, "pyproject.toml")
    assert "has no release for Python 3.7" in finding.message
    assert "wheels" not in finding.because


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("torch\ntorchaudio<2.2\n", False),
        ("torch>=1.8.1\ntorchaudio>=0.8,<2.2\n", False),
        ("torch\ntorchaudio~=2.1.0\n", False),
        ("torch\ntorchaudio<=2.11\n", True),
        ("torch>=2\ntorchvision<0.15\n", True),
        ("torch<2.4\ntorchaudio\n", True),
    ],
)
def test_a_companion_with_an_upper_bound_may_be_chosen_before_torch(
    tmp_path: Path, text: str, broken: bool
) -> None:
    """An installer that chooses torch first takes an old companion that declares no torch; others do not."""
    assert bool(worse(audit(tmp_path, text, platform="linux-aarch64"))) is broken


CU118 = f" --index-url {PAGE.format('cu118')}"


@pytest.mark.parametrize(
    ("first", "later", "stays"),
    [
        ("torch torchvision torchaudio" + CU118, '"torch<2.4" "torchaudio<2.4"', "torchvision 0.22.1"),
        ("torch torchaudio" + CU118, '"torch<2.4"', "torchaudio 2.7.1"),
        ("torch torchvision" + CU118, '"torch<2.8"', ""),
        ("torch torchvision" + CU118, '"torch<2.4" torchvision==0.18.1', ""),
    ],
)
def test_a_later_range_replaces_the_torch_of_a_bare_command(
    tmp_path: Path, first: str, later: str, stays: str
) -> None:
    path = tmp_path / "Dockerfile"
    path.write_text(f"FROM python:3.10\nRUN pip install {first}\nRUN pip install {later}\n", encoding="utf-8")
    told = [each for each in auditor().report(str(path)).findings if each.rule in ("TL101", "TL103", "TL201")]
    assert len(told) == bool(stays)
    for finding in told:
        assert f"torch<2.4 replaces the torch of an earlier command, and {stays} of" in finding.message
        assert finding.remedy is not None
        assert finding.remedy.summary == "Write torch<2.4 in the earlier command too."
    assert auditor().fixed(str(path), ("error", "warning")) is None


@pytest.mark.parametrize(
    ("text", "name", "read"),
    [
        ('PIP="pip install -U"\n$PIP torch==2.1.0\n', "i.sh", True),
        ('PIP="pip install -U"\n"$PIP" torch==2.1.0\n', "i.sh", False),
        ('FROM python:3.10\nENV P="python3 -m pip install"\nRUN ${P} torch==2.1.0\n', "Dockerfile", True),
    ],
)
def test_a_command_in_one_variable_is_split_unless_it_is_quoted(
    tmp_path: Path, text: str, name: str, read: bool
) -> None:
    told = audit(tmp_path, text.replace("torch==2.1.0", "torch==2.1.0 torchaudio==2.2.0"), name)
    assert any(each.rule == "TL101" for each in told) is read
