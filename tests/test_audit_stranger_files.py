"""Kinds of lines in files of repositories that nobody had looked at: what is said of them, and what is not."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from pypi_simple import PYPI_SIMPLE_ENDPOINT

from torchlock.audit import Auditor, Options, brought
from torchlock.errors import InputError
from torchlock.manifests.detection import format_of
from torchlock.manifests.formats.workflow_values import holds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from torchlock.audit.context import AuditContext
    from torchlock.finding import Finding
    from torchlock.manifests.document import Entry

PUBLIC = PYPI_SIMPLE_ENDPOINT
PAGE = "https://download.pytorch.org/whl"


@cache
def auditor() -> Auditor:
    return Auditor(Options(docs=True))


def found(path: Path, text: str) -> list[Finding]:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return auditor().report(str(path)).findings


def worse(path: Path, text: str) -> set[tuple[str, str]]:
    return {(each.severity, each.rule) for each in found(path, text) if each.severity != "note"}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("${{ matrix.pin }}", False),
        ("!matrix.pin", True),
        ("${{ !matrix.pin }}", True),
        ("matrix.os", True),
        ("matrix.os && matrix.pin", False),
        ("matrix.os || matrix.pin", True),
        ("false", False),
        ("${{ true }}", True),
        ("matrix.gpu", None),
        ("matrix.gpu == true", True),
        ("matrix.gpu == 1", False),
        ("matrix.other", None),
        ("success()", None),
    ],
)
def test_a_condition_of_one_value(condition: str, expected: bool | None) -> None:
    values = {"matrix.pin": "", "matrix.os": "linux", "matrix.gpu": "true"}
    if condition == "matrix.gpu":
        values["matrix.gpu"] = "false"  # A text, which holds, or a truth value, which does not.
    assert holds(condition, values) is expected


WORKFLOW = """jobs:
  test:
    runs-on: ubuntu-latest
    strategy:
      matrix:
        pin: ["", "4.55.0"]
    steps:
      - run: pip install torch
      - if: ${{ matrix.pin }}
        run: pip install "transformers==${{ matrix.pin }}"
"""


@pytest.mark.leaves_alone("TL501")
def test_a_step_that_runs_with_a_value_of_the_matrix_alone(tmp_path: Path) -> None:
    assert not worse(tmp_path / ".github" / "workflows" / "ci.yml", WORKFLOW)


@pytest.mark.parametrize(
    "setting",
    [
        f"RUN pip config set global.extra-index-url {PUBLIC}",
        f"RUN pip config --user set install.extra-index-url {PUBLIC}",
        f"ENV PIP_EXTRA_INDEX_URL={PUBLIC}",
        f"RUN python3 -m pip config set global.extra-index-url '{PUBLIC} https://example.org/simple'",
    ],
)
def test_a_further_index_of_settings_stays_beside_the_index_of_a_command(tmp_path: Path, setting: str) -> None:
    install = f"RUN pip install torch==2.8.0 librosa --index-url {PAGE}/cpu\n"
    assert ("error", "TL514") in worse(tmp_path / "Dockerfile", f"FROM python:3.11\n{install}")
    assert not worse(tmp_path / "Dockerfile", f"FROM python:3.11\n{setting}\n{install}")


def test_a_range_that_the_image_of_a_vendor_meets(tmp_path: Path) -> None:
    image = "FROM rocm/pytorch:rocm7.2_ubuntu24.04_py3.12_pytorch_release_2.7.1\n"
    assert not worse(tmp_path / "Dockerfile", f"{image}RUN pip install 'torch>=2.4.0' 'torchvision>=0.19.0'\n")
    for asked in ("'torch>=2.4.0' torchaudio", "'torch>=2.8' torchvision", "-U torch torchvision"):
        assert ("warning", "TL203") in worse(tmp_path / "Dockerfile", f"{image}RUN pip install {asked}\n"), asked


@pytest.mark.parametrize("folder", ["x.egg-info", "x-1.0.dist-info"])
def test_the_metadata_of_a_package_is_no_requirements_file(folder: str) -> None:
    with pytest.raises(InputError, match="metadata that the build of a package writes"):
        format_of(f"{folder}/requires.txt", "torch\n\n[dev]\npytest\n")


BLOCK = """```bash
pip install 'numpy<2'
{first}
pip install torch==1.13.1+cu116 torchaudio==0.13.1 --extra-index-url {page}/cu116
{second}
pip install torch==1.13.1+cu117 torchaudio==0.13.1 --extra-index-url {page}/cu117
```
"""


@pytest.mark.parametrize(
    ("first", "second"), [("# CUDA 11.6", "# CUDA 11.7"), ("", ""), ("# Linux", "# or"), ("", "  # another GPU")]
)
def test_alternatives_in_one_code_block(tmp_path: Path, first: str, second: str) -> None:
    assert not worse(tmp_path / "a.md", BLOCK.format(first=first, second=second, page=PAGE))


def test_each_alternative_of_a_code_block_is_judged(tmp_path: Path) -> None:
    text = BLOCK.format(first="# one", second="# two", page=PAGE).replace(
        "torchaudio==0.13.1", "torchaudio==0.12.1"
    )
    errors = [each.place.line for each in found(tmp_path / "a.md", text) if each.severity == "error"]
    assert errors == [4, 6]


def test_steps_of_a_code_block_are_no_alternatives(tmp_path: Path) -> None:
    text = "```\n# first\npip install torch==2.7.1\n# then\npip install torchaudio==2.5.1\n```\n"
    assert {rule for _, rule in worse(tmp_path / "a.md", text)} == {"TL101"}


def test_the_torch_that_another_pin_allows(tmp_path: Path) -> None:
    text = "torch>=2.2.0\nctranslate2==4.1.0\nsympy==1.12\n"
    messages = [each.message for each in found(tmp_path / "requirements.txt", text) if each.severity == "warning"]
    assert any("torch 2.4.1, which an installer takes" in each for each in messages)
    assert not any("2.15" in each or "CUDA 13" in each for each in messages)
    free = worse(tmp_path / "requirements.txt", text.replace("sympy==1.12\n", ""))
    assert ("warning", "TL239") in free


@pytest.mark.triggers("TL705")
@pytest.mark.parametrize("more", ["torch\n", "torch==2.5.1\n", "numpy<2\n"])
@pytest.mark.parametrize("package", ["basicsr==1.4.2", "gfpgan==1.3.8", "realesrgan==0.3.0"])
def test_a_companion_that_a_package_brings(tmp_path: Path, package: str, more: str) -> None:
    assert ("warning", "TL705") in worse(tmp_path / "requirements.txt", f"{package}\n{more}")


@pytest.mark.leaves_alone("TL705")
@pytest.mark.parametrize("more", ["torch==2.0.1\n", "torch<2.1\n", "torchvision==0.16.2\n"])
def test_a_companion_that_is_brought_in_a_release_that_fits(tmp_path: Path, more: str) -> None:
    assert ("warning", "TL705") not in worse(tmp_path / "requirements.txt", f"basicsr==1.4.2\nnumpy<2\n{more}")


@pytest.mark.triggers("TL511")
@pytest.mark.parametrize("package", ["fairseq==0.12.2", "hydra-core==1.0.7"])
def test_a_package_that_needs_what_pip_refuses(tmp_path: Path, package: str) -> None:
    assert ("warning", "TL511") in worse(tmp_path / "requirements.txt", f"{package}\ntorch\n")


@pytest.mark.leaves_alone("TL511")
@pytest.mark.parametrize("package", ["fairseq", "hydra-core==1.3.2", "fairseq==0.12.2\npip<24.1"])
def test_a_package_that_pip_can_take_in_another_release(tmp_path: Path, package: str) -> None:
    lines = package.split("\n")
    old = f"RUN pip install '{lines[1]}'\n" if lines[1:] else ""
    text = f"FROM python:3.10\n{old}RUN pip install {lines[0]} torch\n"
    assert ("warning", "TL511") not in worse(tmp_path / "Dockerfile", text)


@pytest.mark.leaves_alone("TL511")
def test_uv_repairs_what_pip_refuses(tmp_path: Path) -> None:
    text = "uv pip install fairseq==0.12.2 torch\n"
    assert not worse(tmp_path / "install.sh", text)


LATER = "pip install torch==2.1.2 {companion}\npip install torch==2.1.1{label} --index-url {page}\n"


@pytest.mark.parametrize(
    ("companion", "label", "page", "severity", "rule"),
    [
        ("torchvision==0.16.2", "", f"{PAGE}/cu121", "note", "TL103"),
        ("torchaudio==2.1.2", "+cu121", f"{PAGE}/cu121", "note", "TL101"),
        ("torchvision==0.16.2", "+cu118", f"{PAGE}/cu118", "warning", "TL103"),
        ("torchvision==0.16.2", "", "https://example.org/simple", "note", "TL103"),
    ],
)
def test_a_companion_that_a_later_torch_leaves(
    tmp_path: Path, companion: str, label: str, page: str, severity: str, rule: str
) -> None:
    text = LATER.format(companion=companion, label=label, page=page)
    (finding,) = (each for each in found(tmp_path / "install.sh", text) if each.rule == rule)
    assert finding.severity == severity
    assert "pip keeps both" in finding.message
    assert "refuses" not in f"{finding.message} {finding.because}"


def test_a_file_for_macos_that_a_document_names(tmp_path: Path) -> None:
    (tmp_path / "requirements-mac.txt").write_text("torch\ntorchaudio\n", encoding="utf-8")
    page = f"--extra-index-url {PAGE}/cu121"
    assert worse(tmp_path / "b.md", f"```\npip install torch torchaudio {page}\n```\n")
    assert not worse(tmp_path / "b.md", f"```\npip install -r requirements-mac.txt {page}\n```\n")


BY_ARGUMENT = """FROM python:3.11
ARG VERSION=
RUN if [ -n "$VERSION" ]; then pip install torch=={0} torchaudio=={0}; else pip install torch==2.7.1; fi
"""


@pytest.mark.leaves_alone("TL501")
@pytest.mark.parametrize("version", ['"$VERSION"', "${VERSION}", "2.7.1+$VERSION"])
def test_a_version_that_the_argument_of_a_build_gives(tmp_path: Path, version: str) -> None:
    assert not worse(tmp_path / "Dockerfile", BY_ARGUMENT.format(version))


@pytest.mark.triggers("TL501")
def test_a_version_that_nothing_gives(tmp_path: Path) -> None:
    assert ("error", "TL501") in worse(tmp_path / "Dockerfile", "FROM python:3.11\nRUN pip install 'torch=='\n")


@pytest.mark.triggers("TL705")
@pytest.mark.parametrize(
    "text",
    [
        "basicsr==1.4.2\n",
        "[project]\nname = 'x'\nversion = '1'\ndependencies = ['torch']\n"
        "[project.optional-dependencies]\nfaces = ['basicsr==1.4.2']\n",
        "[project]\nname = 'x'\nversion = '1'\n[dependency-groups]\nfaces = ['basicsr==1.4.2']\n",
    ],
)
def test_a_scope_with_dependents_alone(tmp_path: Path, text: str) -> None:
    name = "pyproject.toml" if "[project]" in text else "requirements.txt"
    assert ("warning", "TL705") in worse(tmp_path / name, text)


@pytest.mark.leaves_alone("TL705", "TL701")
@pytest.mark.parametrize(
    "text", ["openai-whisper\n", "speechbrain\n", "accelerate==0.21.0\n", "basicsr @ https://example.org/b.zip\n"]
)
def test_dependents_alone_without_a_conflict(tmp_path: Path, text: str) -> None:
    assert not worse(tmp_path / "requirements.txt", text)


@pytest.mark.leaves_alone("TL701", "TL703")
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("install.sh", "pip install {}\n"),
        ("Dockerfile", "FROM example.org/own:1\nRUN pip install {}\n"),
        (
            "a.ipynb",
            '{{"cells": [{{"cell_type": "code", "source": "!pip install {}"}}], "metadata": {{"colab": {{}}}}}}',
        ),
        ("a.md", "```\npip install {}\n```\n"),
    ],
)
def test_an_environment_that_may_have_torch(tmp_path: Path, name: str, text: str) -> None:
    assert not worse(tmp_path / name, text.format("pyannote.audio==3.1.1"))


@pytest.mark.triggers("TL701")
def test_a_list_is_for_an_environment_without_torch(tmp_path: Path) -> None:
    assert ("warning", "TL701") in worse(tmp_path / "requirements.txt", "pyannote.audio==3.1.1\n")


BESIDE = "torch==2.8.0\ntorchaudio==2.8.0\npyannote-audio==4.0.4\n"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("git+https://github.com/m-bain/whisperx.git@v3.8.5", False),
        ("whisperx @ git+https://github.com/m-bain/whisperx", False),
        ("diffusers @ git+https://github.com/huggingface/diffusers", True),
        ("git+https://github.com/openai/whisper.git", True),
        ("./here", True),
    ],
)
def test_what_a_package_from_an_address_may_limit(tmp_path: Path, address: str, expected: bool) -> None:
    found = ("warning", "TL102") in worse(tmp_path / "requirements.txt", f"{BESIDE}{address}\n")
    assert found is expected
    lines = " ".join(f"'{each}'" for each in f"{BESIDE}{address}".split("\n"))
    assert (("warning", "TL102") in worse(tmp_path / "install.sh", f"pip install {lines}\n")) is expected


@pytest.mark.parametrize(
    ("pip", "expected"), [("pip=23.0.1=py310haa95532_0", False), ("pip", True), ("pip>=25", True)]
)
def test_the_pip_of_a_conda_environment(tmp_path: Path, pip: str, expected: bool) -> None:
    text = f"dependencies:\n  - python=3.10\n  - {pip}\n  - pip:\n    - omegaconf==2.0.6\n    - torch==2.4.0\n"
    assert (("warning", "TL511") in worse(tmp_path / "environment.yml", text)) is expected


FUNCTION = """import subprocess, sys
def install_torch():
    subprocess.run([sys.executable, "-m", "pip", "install", "torch+cu118"])
"""


@pytest.mark.parametrize(
    ("more", "severity"), [("", "note"), ("install_torch()\n", "error"), ("STEPS = ['install_torch']\n", "error")]
)
def test_a_function_that_the_file_does_not_call(tmp_path: Path, more: str, severity: str) -> None:
    (finding,) = (each for each in found(tmp_path / "a.py", FUNCTION + more) if each.rule == "TL501")
    assert finding.severity == severity
    assert ("nothing in this file calls install_torch()" in finding.message) is (severity == "note")


def test_a_note_is_no_reason_for_a_fix(tmp_path: Path) -> None:
    path = tmp_path / "install.sh"
    path.write_text("pip install torch==2.1.2 numpy something-unread another\n", encoding="utf-8")
    (note,) = (each for each in auditor().report(str(path)).findings if each.rule == "TL105")
    assert note.severity == "note"
    assert "unless something-unread and 1 more package (not read) ask for an older numpy" in note.message
    assert auditor().fixed(str(path), ("error", "warning")) is None


def test_a_companion_that_no_line_names(tmp_path: Path) -> None:
    text = "ctranslate2>=4.5.0\npyannote-audio>=4.0.0\nwhisperx>=3.8.1\nnumpy>=2.0.2\npytorch-lightning==2.6.1\n"
    rules = {each.rule for each in found(tmp_path / "requirements.txt", text)}
    assert "TL908" not in rules


def test_equal_extras_are_worked_out_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    worked_out = []
    of_entry = brought._of_entry

    def counted(context: AuditContext, entry: Entry, *rest: Any) -> Iterator[brought.Brought]:
        worked_out.append(entry.name)
        return of_entry(context, entry, *rest)

    monkeypatch.setattr(brought, "_of_entry", counted)
    counts = []
    for number in (2, 12):
        extras = "".join(f"e{at} = ['p{at}', 'pyannote-audio==3.1.1']\n" for at in range(number))
        head = "[project]\nname = 'x'\nversion = '1'\ndependencies = ['torch==2.2.2', 'speechbrain']\n"
        worked_out.clear()
        found(tmp_path / str(number) / "pyproject.toml", f"{head}[project.optional-dependencies]\n{extras}")
        counts.append(len(worked_out))
    assert counts[0] == counts[1] > 0


GUARDED = """jobs:
  test:
    runs-on: ubuntu-latest
    strategy:
      matrix:
        torch: ["", "2.7.1"]
    steps:
      - run: |
          if [ {test} "${{{{ matrix.torch }}}}" ]; then
            pip install torch==${{{{ matrix.torch }}}} torchaudio==2.5.1
          else
            pip install torch
          fi
"""


@pytest.mark.parametrize(("test", "rules"), [("-n", {("error", "TL101")}), ("-z", {("error", "TL501")})])
def test_a_shell_that_looks_whether_a_value_is_empty(
    tmp_path: Path, test: str, rules: set[tuple[str, str]]
) -> None:
    assert worse(tmp_path / ".github" / "workflows" / "ci.yml", GUARDED.format(test=test)) == rules
