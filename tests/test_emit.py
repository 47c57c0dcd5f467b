"""``lock --emit``: the versions of a lock in the words of other tools."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
import tomli

from torchlock.audit import Auditor
from torchlock.cli.main import main
from torchlock.report.emit import FORMS, docker, form_of

if TYPE_CHECKING:
    from pathlib import Path

TARGET = ("--python", "3.12", "--platform", "linux-x86_64", "--offline")
NAMES = {
    "constraints": "constraints.txt",
    "uv": "pyproject.toml",
    "poetry": "pyproject.toml",
    "pdm": "pyproject.toml",
    "conda": "environment.yml",
    "docker": "Dockerfile",
    "renovate": "renovate.json",
}


def emitted(capsys: pytest.CaptureFixture[str], form: str, *words: str) -> str:
    assert main(["lock", *words, *TARGET, "--emit", form]) == 0
    return capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["lock", *words]) == 2
    return capsys.readouterr().err


def test_every_form_has_a_name_here() -> None:
    assert set(NAMES) == set(FORMS)


@pytest.mark.parametrize("form", FORMS)
def test_a_form_names_its_command_and_its_versions(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = emitted(capsys, form, "torchaudio==2.5.1", "soundfile")
    assert f"--emit {form}" in text
    assert "Python 3.12" in text
    assert "--hash" not in text
    if form != "docker":
        assert re.search(r"torch\W[^\n]{0,20}2\.5\.1", text) or '"<=2.5.1"' in text


@pytest.mark.parametrize("form", sorted(set(FORMS) - {"renovate"}))
def test_audit_reads_what_is_emitted_and_finds_nothing(
    form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / NAMES[form]
    assert main(["lock", "torchaudio==2.5.1", "soundfile", *TARGET, "--emit", form, "-o", str(path)]) == 0
    if form == "docker":
        assert main(["lock", "torchaudio==2.5.1", *TARGET, "-o", str(tmp_path / "requirements.txt")]) == 0
    capsys.readouterr()
    report = Auditor().report(str(path))
    assert [each.rule for each in report.findings if each.severity != "note"] == []
    if form != "pdm":  # whose overrides are not requirements
        assert not any(each.rule == "TL905" for each in report.findings)
    # The next run replaces it.
    assert main(["lock", "torchaudio==2.5.1", *TARGET, "--emit", form, "-o", str(path)]) == 0


def test_constraints_are_kept_like_a_lock(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "constraints.txt"
    assert main(["lock", "numpy==2.0.1", *TARGET, "--emit", "constraints", "-o", str(path)]) == 0
    assert main(["lock", "torchaudio==2.5.1", "numpy", *TARGET, "--emit", "constraints", "-o", str(path)]) == 0
    assert "numpy==2.0.1\n" in path.read_text()


def test_constraints_have_no_extras(capsys: pytest.CaptureFixture[str]) -> None:
    text = emitted(capsys, "constraints", "librosa[display]==0.10.2.post1")
    assert "librosa==0.10.2.post1\n" in text
    assert "[" not in text.replace("librosa[display]", "", 1)


@pytest.mark.parametrize("form", ["constraints", "uv", "pdm"])
def test_what_only_a_rule_requires_is_named(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    comment = "# No metadata requires torch: require it yourself, too.\n"
    assert comment in emitted(capsys, form, "torchcodec==0.7.0")
    assert comment not in emitted(capsys, form, "torchcodec==0.7.0", "torch")


def test_the_page_of_a_build_becomes_a_source(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("torch==2.8.0", "torchaudio", "soundfile", "--accelerator", "cu128")
    page = "https://download.pytorch.org/whl/cu128"
    uv = tomli.loads(emitted(capsys, "uv", *words))["tool"]["uv"]
    assert uv["sources"]["torchaudio"] == {"index": "pytorch-cu128"}
    assert uv["index"] == [{"name": "pytorch-cu128", "url": page, "explicit": True}]
    assert "torch==2.8.0+cu128" in uv["constraint-dependencies"]
    assert uv["environments"] == ["sys_platform == 'linux' and platform_machine == 'x86_64'"]
    poetry = tomli.loads(emitted(capsys, "poetry", *words))["tool"]["poetry"]
    assert poetry["dependencies"]["torch"] == {"version": "==2.8.0+cu128", "source": "pytorch-cu128"}
    assert poetry["dependencies"]["python"] == ">=3.12,<3.13"
    assert "cffi" not in poetry["dependencies"]
    assert poetry["source"] == [{"name": "pytorch-cu128", "url": page, "priority": "explicit"}]
    pdm = tomli.loads(emitted(capsys, "pdm", *words))["tool"]["pdm"]
    assert pdm["resolution"]["overrides"]["torch"] == "==2.8.0+cu128"
    assert {"torch", "torchaudio"} <= set(pdm["source"][0]["include_packages"])
    constraints = emitted(capsys, "constraints", *words, "--builds-by", "index")
    assert f"--extra-index-url {page}\n" in constraints
    assert "torch==2.8.0+cu128\n" in constraints
    assert "torch @ https://download" in emitted(capsys, "constraints", *words)


def test_an_image_has_the_libraries_that_the_lock_needs(capsys: pytest.CaptureFixture[str]) -> None:
    text = emitted(capsys, "docker", "torch==2.8.0", "torchcodec==0.6.0")
    assert "FROM python:3.12-slim-trixie\n" in text
    assert "apt-get install -y --no-install-recommends ffmpeg " in text
    named = emitted(capsys, "docker", "torch==2.8.0", "torchcodec==0.6.0", "--system", "ubuntu-24.04")
    assert "FROM ubuntu:24.04\n" in named
    assert "python3-pip" in named


def test_no_image_has_a_suitable_library(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("torch==2.8.0", "torchcodec==0.6.0", *TARGET, "--emit", "docker")
    monkeypatch.setattr(docker, "_BASES", (("amzn-2023", 6),))
    assert "no image of Python 3.12 has FFmpeg" in refused(capsys, *words)


def test_an_image_without_libraries_installs_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert "apt-get" not in emitted(capsys, "docker", "numpy")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("torchaudio", "--python", "3.12", "--platform", "macos-arm64", "--emit", "docker"), "for Linux"),
        ((*TARGET, "numpy", "--emit", "docker", "--system", "fedora-42"), "no official image of Fedora"),
        ((*TARGET, "numpy", "--emit", "docker", "--system", "ubuntu-22.04"), "no official image of Ubuntu 22.04"),
        ((*TARGET, "numpy", "--emit", "uv", "--format", "pylock"), "--format"),
        ((*TARGET, "numpy", "--emit", "pip"), "--emit"),
    ],
)
def test_what_a_form_cannot_state(words: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert says in refused(capsys, *words)


def test_a_file_of_somebody_else_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text('[project]\nname = "x"\n')
    assert main(["lock", "numpy", *TARGET, "--emit", "uv", "-o", str(path)]) == 2
    assert path.read_text() == '[project]\nname = "x"\n'


@pytest.mark.parametrize("form", FORMS)
def test_a_lock_is_not_replaced(form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "k.txt"
    assert main(["lock", "six", *TARGET, "-o", str(path)]) == 0
    before = path.read_text()
    capsys.readouterr()
    assert "no --emit has written it" in refused(capsys, "six", *TARGET, "--emit", form, "-o", str(path))
    assert path.read_text() == before


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_recognised(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert form_of(emitted(capsys, form, "six")) == form
    if form in ("constraints", "uv"):
        assert main(["lock", "six", *MANY, "--emit", form]) == 0
        assert form_of(capsys.readouterr().out) == form


def test_several_builds_for_uv_are_recognised(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lock", "torch==2.8.0", *BUILDS, "--emit", "uv"]) == 0
    assert form_of(capsys.readouterr().out) == "uv"


@pytest.mark.parametrize(
    ("form", "name"),
    [
        *(
            ("constraints", name)
            for name in ("pyproject.toml", "setup.py", "uv.lock", "Pipfile", "requirements.in")
        ),
        *(("constraints", name) for name in ("pylock.toml", "uv.toml", "renovate.json", "Dockerfile")),
        ("poetry", "poetry.lock"),
        ("uv", "uv.toml"),
        ("uv", "requirements.txt"),
        ("docker", "pyproject.toml"),
        ("conda", "Dockerfile"),
        ("renovate", "environment.yml"),
    ],
)
def test_a_name_of_another_format_is_refused(
    form: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    said = refused(capsys, "six", *TARGET, "--emit", form, "-o", str(path))
    assert f"cannot be used for --emit {form}: this is the name of" in said
    assert not path.exists()


def test_only_constraints_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "form"
    assert main(["lock", "numpy==2.0.1", *TARGET, "--emit", "docker", "-o", str(path)]) == 0
    assert main(["lock", "numpy", *TARGET, "--emit", "constraints", "-o", str(path)]) == 0
    assert "numpy==2.0.1" not in path.read_text()


def test_a_bot_moves_the_stack_together(capsys: pytest.CaptureFixture[str]) -> None:
    rules = json.loads(emitted(capsys, "renovate", "torchaudio==2.5.1", "soundfile"))["packageRules"]
    assert rules[0]["matchPackageNames"] == ["torch", "torchaudio"]
    assert {rule["matchPackageNames"][0]: rule["allowedVersions"] for rule in rules[1:]} == {
        "torch": "<=2.5.1",
        "torchaudio": "<=2.5.1",
    }


MANY = ("--python", "3.10-3.12", "--platform", "linux-x86_64", "--platform", "macos-arm64", "--offline")
BUILDS = (*TARGET, "--accelerator", "cpu", "--accelerator", "cu128")


def of_many(capsys: pytest.CaptureFixture[str], form: str, *words: str) -> str:
    assert main(["lock", *words, "--emit", form]) == 0
    return capsys.readouterr().out


def test_many_targets_have_markers(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("torch==2.8.0", "torchaudio", "numpy", *MANY)
    constraints = of_many(capsys, "constraints", *words)
    assert "numpy==2.2.6 ; python_version < '3.11'\n" in constraints
    assert "triton==3.4.0 ; sys_platform == 'linux'\n" in constraints
    uv = tomli.loads(of_many(capsys, "uv", *words))["tool"]["uv"]
    assert "numpy==2.2.6 ; python_version < '3.11'" in uv["constraint-dependencies"]
    assert uv["environments"] == [
        "sys_platform == 'linux' and platform_machine == 'x86_64'",
        "sys_platform == 'darwin' and platform_machine == 'arm64'",
    ]
    poetry = tomli.loads(of_many(capsys, "poetry", *words))["tool"]["poetry"]["dependencies"]
    assert poetry["python"] == ">=3.10,<3.13"
    assert {"version": "==2.2.6", "markers": "python_version < '3.11'"} in poetry["numpy"]
    assert poetry["torch"] == "==2.8.0"
    rules = json.loads(of_many(capsys, "renovate", "torch", *MANY))["packageRules"]
    assert [rule["matchPackageNames"] for rule in rules[1:]] == [["torch"]]


def test_each_build_is_an_extra_of_uv(capsys: pytest.CaptureFixture[str]) -> None:
    found = tomli.loads(of_many(capsys, "uv", "torch==2.8.0", "torchaudio", "soundfile", *BUILDS))
    extras, uv = found["project"]["optional-dependencies"], found["tool"]["uv"]
    assert extras["cpu"] == ["torch==2.8.0+cpu", "torchaudio==2.8.0+cpu"]
    assert {"torch==2.8.0+cu128", "torchaudio==2.8.0+cu128"} <= set(extras["cu128"])
    assert uv["conflicts"] == [[{"extra": "cpu"}, {"extra": "cu128"}]]
    assert uv["sources"]["torch"] == [
        {"index": "pytorch-cpu", "extra": "cpu"},
        {"index": "pytorch-cu128", "extra": "cu128"},
    ]
    assert not any(each.startswith("torch") for each in uv["constraint-dependencies"])


@pytest.mark.parametrize("form", ["constraints", "poetry"])
def test_one_file_for_several_builds(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "is about one build" in refused(capsys, "torch==2.8.0", *BUILDS, "--emit", form)


@pytest.mark.parametrize("form", ["pdm", "conda", "docker"])
def test_a_form_of_one_target(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "is about one target" in refused(capsys, "numpy", *MANY, "--emit", form)


def test_a_file_for_each_build(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = str(tmp_path / "{accelerator}.txt")
    assert main(["lock", "torch==2.8.0", *BUILDS, "--emit", "constraints", "-o", output]) == 0
    assert "whl/cpu/torch-2.8.0" in (tmp_path / "cpu.txt").read_text()
    assert "whl/cu128/torch-2.8.0" in (tmp_path / "cu128.txt").read_text()
