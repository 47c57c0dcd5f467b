"""Each rule is whole: a function or statements, a page, a case that triggers it, and one that leaves it alone.

Rules of the audit have their cases here, some of the check in ``scenarios/check``. Other tests are marked
``triggers("TL601")`` and ``leaves_alone("TL601")``; what they report is recorded while they run (``conftest.py``).
"""

from __future__ import annotations

import ast
import importlib
import json
import pkgutil
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import torchlock
from support.site_folder import install, site_of
from torchlock.check.log import read_log
from torchlock.cli.main import main
from torchlock.finding import SEVERITIES
from torchlock.knowledge import registry, stories
from torchlock.knowledge.rules import Matrix
from torchlock.knowledge.severity import limited

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TESTS = Path(__file__).parent
PAGES = TESTS.parent / "docs" / "rules"
RULES = Matrix().rules()
TARGET = ("--python", "3.11", "--platform", "linux-x86_64")
PAGE = "--extra-index-url https://download.pytorch.org/whl"
ONLY = PAGE.replace("--extra-index-url", "--index-url")
# A project of uv whose index "builds" is the page of CUDA 12.6.
UV = """[project]
name = "speech"
version = "1"
requires-python = ">=3.10"
{}
[[tool.uv.index]]
name = "builds"
url = "https://download.pytorch.org/whl/cu126"
{}
"""
EXPLICIT = "explicit = true"
BOTH = 'dependencies = ["torch==2.9.1", "torchaudio==2.9.1"]\n[tool.uv.sources]\ntorch = { index = "builds" }\n'
# Two extras with torch, each with its own page.
EXTRAS = """
[project.optional-dependencies]
cpu = ["torch==2.7.1"]
gpu = ["torch==2.7.1"]
[tool.uv.sources]
torch = [{ index = "others", extra = "cpu" }, { index = "builds", extra = "gpu" }]
[[tool.uv.index]]
name = "others"
url = "https://download.pytorch.org/whl/cpu"
explicit = true
"""
EXCLUSIVE = '[tool.uv]\nconflicts = [[{ extra = "cpu" }, { extra = "gpu" }]]'
WHEEL = "torch @ https://download.pytorch.org/whl/{0}/torch-{1}%2B{0}-cp311-cp311-{2}.whl\n"
# The wheel of torch 2.8.0 for Python 3.11 on Linux: in the folder cpu, and in the folder cu128.
OF_CPU = "cb06175284673a581dd91fb1965662ae4ecaba6e5c357aa0ea7bb8b84b6b7eeb"
OF_CUDA = "039b9dcdd6bdbaa10a8a5cd6be22c4cb3e3589a341e5f904cbb571ca28f55bed"


class File(NamedTuple):
    """A file to audit, and options of the command."""

    text: str
    options: tuple[str, ...] = ()
    name: str = "requirements.txt"


def lib(*texts: str) -> tuple[str, ...]:
    """Options that say what the machine has."""
    return (*TARGET, *(part for text in texts for part in ("--system-lib", text)))


# Rule → a file that it is about, and the nearest one that it is not about.
AUDIT = {
    "TL101": (File("torch==2.7.1\ntorchaudio==2.5.1\n"), File("torch==2.7.1\ntorchaudio==2.7.1\n")),
    "TL102": (File("torch==2.6.0\ntorchcodec==0.5\n"), File("torch==2.7.0\ntorchcodec==0.5\n")),
    "TL103": (File("torch==2.3.1\ntorchvision==0.17.0\n"), File("torch==2.3.1\ntorchvision==0.18.1\n")),
    "TL104": (File("torch==2.4.0\ntorchtext==0.18.0\n"), File("torch==2.3.0\ntorchtext==0.18.0\n")),
    "TL105": (File("torch==2.2.0\nnumpy==2.0.0\n"), File("torch==2.2.0\nnumpy==1.26.4\n")),
    "TL106": (
        File("torch==2.5.1\nsoxr==0.3.7\nnumpy==2.0.0\n"),
        File("torch==2.5.1\nsoxr==0.3.7\nnumpy==1.26.4\n"),
    ),
    "TL108": (File("torchaudio==2.11.0\n"), File("torchaudio==2.11.0\ntorch==2.11.0\n")),
    "TL201": (
        File(f"{PAGE}/cu121\n{PAGE}/cu118\ntorch==2.3.1+cu121\ntorchaudio==2.3.1+cu118\n"),
        File(f"{PAGE}/cu121\ntorch==2.3.1+cu121\ntorchaudio==2.3.1+cu121\n"),
    ),
    "TL202": (File("torch==2.13.0\n", lib("cuda-driver=470")), File("torch==2.13.0\n", lib("cuda-driver=580"))),
    "TL203": (
        File(f"{PAGE}/rocm6.0\n{PAGE}/cu121\ntorch==2.3.1+cu121\ntorchaudio==2.3.1+rocm6.0\n"),
        File(f"{PAGE}/rocm6.0\ntorch==2.3.1+rocm6.0\ntorchaudio==2.3.1+rocm6.0\n"),
    ),
    "TL204": (File(f"{PAGE}/cu117\ntorch==2.3.1+cu117\n"), File(f"{PAGE}/cu118\ntorch==2.3.1+cu118\n")),
    "TL205": (File(f"{PAGE}/cu118\ntorch==2.3.1+cu121\n"), File(f"{PAGE}/cu121\ntorch==2.3.1+cu121\n")),
    "TL206": (File(f"{PAGE}/\ntorch==2.0.1\n"), File(f"{PAGE}/\ntorch==2.0.1+cu118\n")),
    "TL207": (
        File("torch==2.4.0\nctranslate2==4.4.0\n"),
        File("torch==2.4.0\nctranslate2==4.5.0\n"),
    ),
    "TL239": (File("torch==2.12.0\nctranslate2==4.6.2\n"), File("torch==2.10.0\nctranslate2==4.6.2\n")),
    "TL208": (
        File(f"{ONLY}/cu126\ntorch==2.8.0\n", (*TARGET, "--gpu", "sm_120")),
        File(f"{ONLY}/cu128\ntorch==2.8.0\n", (*TARGET, "--gpu", "sm_120")),
    ),
    "TL211": (
        File(f"{PAGE}/cu132\ntorch==2.13.0+cu132\ntorchaudio==2.11.0\n"),
        File(f"{PAGE}/cu130\ntorch==2.13.0+cu130\ntorchaudio==2.11.0\n"),
    ),
    "TL212": (
        File(f"{PAGE}/cu124\ntorch==2.4.0+cu124\ntorchaudio==2.4.0+cu124\n", ("--platform", "linux-aarch64")),
        File(f"{PAGE}/cu124\ntorch==2.4.0+cu124\ntorchaudio==2.4.0+cu124\n", ("--platform", "linux-x86_64")),
    ),
    "TL213": (File(f"{PAGE}/cu124\ntorch>=2.5\n"), File(f"{PAGE}/cu124\ntorch>=2.5,<2.7\n")),
    "TL214": (
        File(
            UV.format(
                'dependencies = ["torchaudio==2.7.1"]\n[tool.uv.sources]\ntorch = { index = "builds" }', EXPLICIT
            ),
            name="pyproject.toml",
        ),
        File(
            UV.format(
                'dependencies = ["torch==2.7.1"]\n[tool.uv.sources]\ntorch = { index = "builds" }', EXPLICIT
            ),
            name="pyproject.toml",
        ),
    ),
    "TL215": (
        File(UV.format(EXTRAS, EXPLICIT), name="pyproject.toml"),
        File(UV.format(EXTRAS, f"{EXPLICIT}\n{EXCLUSIVE}"), name="pyproject.toml"),
    ),
    "TL216": (
        File(WHEEL.format("cu124", "2.7.0", "linux_x86_64")),
        File(WHEEL.format("cu124", "2.6.0", "linux_x86_64")),
    ),
    "TL301": (File("soundfile==0.10.3.post1\n"), File("soundfile==0.13.1\n")),
    "TL304": (
        File("torch==2.8.0\ntorchcodec==0.7.0\n", lib("ffmpeg=none")),
        File("torch==2.8.0\ntorchcodec==0.7.0\n", lib("ffmpeg=6.1")),
    ),
    "TL305": (
        File("torch==2.9.1\ntorchaudio==2.9.1\n"),
        File("torch==2.9.1\ntorchaudio==2.9.1\ntorchcodec==0.9.0\n"),
    ),
    "TL306": (
        File("torch==2.5.1\ntorchaudio==2.5.1\n"),
        File("torch==2.5.1\ntorchaudio==2.5.1\nsoundfile==0.13.1\n"),
    ),
    "TL403": (File("torch==1.13.1\n", ("--python", "3.12")), File("torch==1.13.1\n", ("--python", "3.10"))),
    "TL404": (
        File("torch==2.6.0\n", ("--python", "3.13t", "--platform", "macos-arm64")),
        File("torch==2.6.0\n", ("--python", "3.13", "--platform", "macos-arm64")),
    ),
    "TL501": (File("torch==\n"), File("torch==2.3.1\n")),
    "TL502": (File("torch==2.3.9\n"), File("torch==2.3.1\n")),
    "TL503": (File("torch==2.3.1  # caf\udce9\n"), File("torch==2.3.1  # café\n")),
    "TL504": (File(f"torch==2.3.1 {PAGE}/cu121\n"), File(f"{PAGE}/cu121\ntorch==2.3.1\n")),
    "TL505": (
        File("# platform: linux-64\ntorch=2.3.1=pypi_0\nnumpy=1.26.4=pypi_0\n"),
        File("# platform: linux-64\npytorch=2.3.1=py3.11_cuda12.1_cudnn8.9.2_0\n"),
    ),
    "TL506": (File("torch==2.3.1\ntorch>=2.4\n"), File("torch==2.3.1\ntorch>=2.3\n")),
    "TL507": (File("torch==2.3.1+cu121\n"), File(f"{PAGE}/cu121\ntorch==2.3.1+cu121\n")),
    "TL508": (File("torch==2.0.0\ntorchaudio==2.0.0\n"), File("torch==2.0.1\ntorchaudio==2.0.2\n")),
    "TL509": (File(f"torch==2.3.1 --hash=sha256:{'0' * 64}\n"), File("torch==2.3.1\n")),
    "TL510": (
        File("dependencies:\n- pytorch=2.3.1\n- pip:\n  - torch==2.3.1\n", name="environment.yml"),
        File("dependencies:\n- pytorch=2.3.1\n- pip:\n  - librosa\n", name="environment.yml"),
    ),
    "TL533": (File("torch==2.7.1\ntorchaudi\n"), File("torch==2.7.1\ntorchtest\ntorchx\n")),
    "TL511": (File("torch==2.3.1\npytorch-lightning==1.6.0\n"), File("torch==2.3.1\npytorch-lightning==2.3.0\n")),
    "TL512": (
        File(UV.format('dependencies = ["torch==2.7.1", "numpy"]', ""), name="pyproject.toml"),
        File(UV.format('dependencies = ["torch==2.7.1", "numpy"]', EXPLICIT), name="pyproject.toml"),
    ),
    "TL513": (
        File(f"{ONLY}/cu128\ntorch==2.8.0 --hash=sha256:{OF_CPU}\n"),
        File(f"{ONLY}/cu128\ntorch==2.8.0 --hash=sha256:{OF_CUDA}\n"),
    ),
    "TL514": (File(f"{ONLY}/cu128\ntorch==2.8.0\nlibrosa\n"), File(f"{PAGE}/cu128\ntorch==2.8.0\nlibrosa\n")),
    "TL515": (File(f"{ONLY}/test/cu128\ntorch==2.8.0\n"), File(f"{ONLY}/test/cu128\n--pre\ntorch\n")),
    "TL516": (
        File(f"{PAGE}/cu118\n{PAGE}/cu121\ntorch==2.3.1\n"),
        File(f"{PAGE}/cu118\n{PAGE}/cu121\ntorch==2.3.1+cu118\n"),
    ),
    "TL217": (
        File("torch==2.9.1\n", (*TARGET, "--accelerator", "cpu")),
        File("torch==2.9.1\n", (*TARGET, "--accelerator", "cu128")),
    ),
    "TL517": (
        File(UV.format(BOTH, EXPLICIT), name="pyproject.toml"),
        File(UV.format(f'{BOTH}torchaudio = {{ index = "builds" }}\n', EXPLICIT), name="pyproject.toml"),
    ),
    "TL701": (
        File("torch==2.9.1\ntorchaudio==2.9.1\nspeechbrain==0.5.10\n"),
        File("torch==2.8.0\ntorchaudio==2.8.0\nspeechbrain==0.5.10\n"),
    ),
    "TL702": (
        File("torch==2.9.1\ntorchaudio==2.9.1\nsilero-vad==5.1\n"),
        File("torch==2.8.0\ntorchaudio==2.8.0\nsilero-vad==5.1\n"),
    ),
    "TL703": (
        File("torch==2.5.1\nnumpy==2.0.0\npyannote-audio==3.1.0\n"),
        File("torch==2.5.1\nnumpy==1.26.4\npyannote-audio==3.1.0\n"),
    ),
    "TL704": (File("torch==2.0.1\ndeepfilternet==0.4.0\n"), File("torch==1.13.1\ndeepfilternet==0.4.0\n")),
    "TL705": (
        File("torch==2.2.0\ntorchvision==0.17.0\nbasicsr==1.4.2\n"),
        File("torch==2.1.0\ntorchvision==0.16.0\nbasicsr==1.4.2\n"),
    ),
    "TL901": (File("-r base.txt\ntorch==2.3.1\n"), File("torch==2.3.1\n")),
    "TL902": (File("torch==99.0\n"), File("torch==2.3.1\n")),
    "TL903": (File("torch==2.5.0a0+872d972e41.nv24.08\n"), File("torch==2.5.0\n")),
    "TL904": (
        File("torch==2.3.1  # torchlock: ignore[TL101] no finding here\n"),
        File("torch==2.7.1\ntorchaudio==2.5.1  # torchlock: ignore[TL101] data sets only\n"),
    ),
    "TL905": (File("# nothing\n"), File("torch==2.3.1\n")),
}


# Rules that only locking follows: requirements on a target that they refuse, and on one that they do not.
LOCK = {
    "TL401": (
        ("torch==1.7.1", "--python", "3.8", "--platform", "manylinux_2_12_x86_64"),
        ("torch==1.7.1", "--python", "3.8", "--platform", "manylinux_2_17_x86_64"),
    ),
    "TL402": (
        ("torchaudio==2.11.0", "torch", "--python", "3.11", "--platform", "macosx_11_0_arm64"),
        ("torchaudio==2.11.0", "torch", "--python", "3.11", "--platform", "macosx_14_0_arm64"),
    ),
}
# Installed packages that a rule of the check is about, and those that it is not about.
CHECK = {
    "TL107": (
        {"torch": "2.0.0", "librosa": "0.9.2", "setuptools": "82.0.0"},
        {"torch": "2.0.0", "librosa": "0.9.2", "setuptools": "81.0.0"},
    ),
}


@pytest.mark.parametrize("rule", LOCK)
def test_a_lock_that_follows_the_rule(rule: str, capsys: pytest.CaptureFixture[str]) -> None:
    refused, fine = LOCK[rule]
    assert main(["explain", *refused, "--offline"]) == 1
    assert f"({rule}, " in capsys.readouterr().out
    assert main(["explain", *fine, "--offline"]) == 0


@pytest.mark.parametrize("rule", CHECK)
def test_packages_that_trigger_the_rule_and_those_that_do_not(
    rule: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, packages in enumerate(CHECK[rule]):
        site = site_of(tmp_path / str(number))
        for name, version in packages.items():
            text = f"__version__ = {version!r}\n"
            install(site, name, version, {f"{name}/__init__.py": "", f"{name}/version.py": text})
        main(["check", "--path", str(site), "--platform", "linux-x86_64", "--format", "json"])
        (table,) = json.loads(capsys.readouterr().out)["files"]
        assert (rule in {finding["rule"] for finding in table["findings"]}) is (number == 0)


def reported(folder: Path, file: File, capsys: pytest.CaptureFixture[str]) -> set[str]:
    """The rules that an audit of a file reports."""
    path = folder / file.name
    path.write_text(file.text, encoding="utf-8", errors="surrogateescape")
    main(["audit", str(path), "--format", "json", *file.options])
    (table,) = json.loads(capsys.readouterr().out)["files"]
    assert table["status"] != "unreadable", table
    return {finding["rule"] for finding in table["findings"]}


@pytest.mark.parametrize("rule", AUDIT)
def test_a_file_that_triggers_the_rule(rule: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rule in reported(tmp_path, AUDIT[rule][0], capsys)


@pytest.mark.parametrize("rule", AUDIT)
def test_a_file_that_leaves_the_rule_alone(rule: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rule not in reported(tmp_path, AUDIT[rule][1], capsys)


def marked(name: str) -> set[str]:
    """The rules that tests are marked with, read from their source."""
    found: set[str] = set()
    for path in TESTS.rglob("test_*.py"):
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)) if f".{name}(" in text else ():
            is_mark = isinstance(node, ast.Call) and ast.unparse(node.func) == f"pytest.mark.{name}"
            found |= {ast.literal_eval(argument) for argument in node.args} if is_mark else set()
    return found


def in_scenarios(name: str) -> set[str]:
    """The rules that a scenario of the check must report, or must not report (``test_scenarios_check.py``)."""
    keys = {"triggers": ("findings", "notes", "consequences"), "leaves_alone": ("silent",)}[name]
    found: set[str] = set()
    for path in (TESTS / "scenarios" / "check").glob("*.toml"):
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        found |= {rule for key in keys for text in table.get(key, ()) for rule in RULES if rule in text}
    return found


@pytest.mark.parametrize("name", ["triggers", "leaves_alone"])
def test_every_rule_has_both_cases(name: str) -> None:
    cases = AUDIT.keys() | LOCK.keys() | CHECK.keys() | marked(name) | in_scenarios(name)
    assert set(RULES) - cases == set()


def implemented() -> set[str]:
    """The rules that any function of the package is registered for."""
    for module in pkgutil.walk_packages(torchlock.__path__, "torchlock."):
        if module.name.split(".")[1] in ("audit", "check", "cli") and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    return {rule for each in registry._registered for rule in each.rules}


def test_every_rule_has_an_implementation() -> None:
    matrix = Matrix()
    without = {rule for rule in RULES if not matrix.statements_of(rule)}
    assert without - implemented() == set()
    assert implemented() <= set(RULES)


def test_modules_of_logs_have_rules_of_logs_only() -> None:
    """They are imported only if there is a log."""
    implemented()
    mine = [each for each in registry._registered if each.function.__module__.endswith("_in_log")]
    assert mine
    assert [each.name for each in mine if each.on not in ("log", "unexplained")] == []


def test_every_rule_has_a_page() -> None:
    assert {path.stem for path in PAGES.glob("TL*.md")} == set(RULES)
    for rule in RULES:
        story = stories.story(rule)
        heading = (PAGES / f"{rule}.md").read_text(encoding="utf-8").partition("\n")[0]
        assert heading.startswith(f"# {rule}: ")
        assert (story.shown[0] if story.shown else story.title) in heading
        assert stories.help_uri(rule) == f"{stories.SITE}rules/{rule}/"


@pytest.mark.parametrize("rule", [rule for rule in RULES if stories.story(rule).shown])
def test_a_log_with_a_shown_text_has_the_rule_as_its_likeliest_cause(rule: str) -> None:
    for text in stories.story(rule).shown:
        first = read_log(text).first
        assert first is not None, text
        assert first.rules[0] == rule, text


def test_a_failure_that_a_rule_recognises_is_shown_on_its_page() -> None:
    """``TL601`` and ``TL628`` recognise lines that only the lines around them explain."""
    likeliest = {causes[0] for *_, causes in registry.prints()}
    assert {rule for rule in likeliest if not stories.story(rule).shown} == {"TL601", "TL628"}


@pytest.mark.parametrize("job", ["audit", "check"])
def test_a_rule_names_the_commands_that_report_it(job: str) -> None:
    implemented()
    asked = [each for each in registry._registered if each.function.__module__.startswith(f"torchlock.{job}")]
    told = {rule for each in asked for rule in each.rules}
    assert {rule for rule in told if job not in registry.get(rule).by} == set()


@pytest.mark.parametrize("rule", RULES)
def test_no_finding_is_worse_than_its_rule(rule: str) -> None:
    worst = SEVERITIES.index(registry.get(rule).severity)
    assert [SEVERITIES.index(limited(rule, severity)) >= worst for severity in SEVERITIES] == [True] * 3
