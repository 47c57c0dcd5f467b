"""Without --accelerator: which build the input names, in each format, and what must be left alone."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from support.build_tables import use_tables
from support.wheel_index import WheelIndex
from torchlock.cli.main import main

ROOT = "https://download.pytorch.org/whl"
PRIVATE = "https://mirror.example.org/whl/cu128"
HERE = ("--python", "3.11", "--offline")
LINUX = (*HERE, "--platform", "linux-x86_64")
MACOS = (*HERE, "--platform", "macos-arm64")
FOLLOWED = "as with --accelerator"
SEVERAL = "several places of the torch family"
PROJECT = '[project]\nname = "x"\nversion = "1"\n'


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_", "TORCHLOCK_"))]:
        if not name.startswith("TORCHLOCK_TEST_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("TORCHLOCK_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def uv(dependencies: str, sources: str, **indexes: str) -> str:
    """A project with uv's sources and indexes, which only the sources use."""
    tables = "".join(
        f'[[tool.uv.index]]\nname = "{name}"\nurl = "{url}"\nexplicit = true\n' for name, url in indexes.items()
    )
    return f"{PROJECT}dependencies = {dependencies}\n[tool.uv.sources]\n{sources}\n{tables}"


def lock(*words: str, files: Mapping[str, str] = {}, code: int = 0) -> None:
    for name, text in files.items():
        Path(name).write_text(text, encoding="utf-8")
    assert main(["lock", *words]) == code


def folder_of(text: str, name: str) -> str:
    """The folder of the PyTorch index that a package comes from; "" for the public index."""
    found = re.search(rf"^{name}(?:\[.*\])? @ {ROOT}/(\w+)/", text, re.MULTILINE)
    if found:
        return found[1]
    assert re.search(rf"^{name}==", text, re.MULTILINE), text
    return ""


class Case(NamedTuple):
    """An input that names ``label``; ``place`` is where the note finds it, ``notes`` what stderr says besides."""

    label: str
    place: str
    files: Mapping[str, str] = {}
    words: tuple[str, ...] = LINUX
    notes: tuple[str, ...] = ()


ONE = '["torch", "torchaudio", "soundfile"]'
BY_MARKER = uv(
    ONE,
    "torch = [{ index = 'a', marker = \"sys_platform == 'linux'\" }, "
    "{ index = 'b', marker = \"sys_platform != 'linux'\" }]",
    a=f"{ROOT}/cu124",
    b=f"{ROOT}/cpu",
)
BY_EXTRA = (
    f"{PROJECT}[project.optional-dependencies]\n"
    'cpu = ["torch==2.8.0", "torchaudio"]\ncu128 = ["torch==2.8.0", "torchaudio"]\n'
    '[tool.uv]\nconflicts = [[{ extra = "cpu" }, { extra = "cu128" }]]\n[tool.uv.sources]\n'
    'torch = [{ index = "a", extra = "cpu" }, { index = "b", extra = "cu128" }]\n'
    'torchaudio = [{ index = "a", extra = "cpu" }, { index = "b", extra = "cu128" }]\n'
    f'[[tool.uv.index]]\nname = "a"\nurl = "{ROOT}/cpu"\nexplicit = true\n'
    f'[[tool.uv.index]]\nname = "b"\nurl = "{ROOT}/cu128"\nexplicit = true\n'
)
POETRY = (
    '[tool.poetry]\nname = "x"\nversion = "1"\n[tool.poetry.dependencies]\npython = ">=3.11,<3.12"\n'
    'torch = { version = "2.8.0", source = "pt" }\ntorchaudio = { version = "*", source = "pt" }\n'
    f'[[tool.poetry.source]]\nname = "pt"\nurl = "{ROOT}/cu128"\npriority = "explicit"\n'
)
PDM = (
    f'{PROJECT}dependencies = ["torch==2.8.0", "torchaudio"]\n[[tool.pdm.source]]\nname = "pt"\n'
    f'url = "{ROOT}/cu128"\ninclude_packages = ["torch*"]\nexclude_packages = ["*"]\n'
)
PIPFILE = (
    '[[source]]\nname = "main"\nurl = "https://index.example.org/simple"\n'
    f'[[source]]\nname = "pt"\nurl = "{ROOT}/cu128"\n'
    '[packages]\ntorch = { version = "==2.8.0", index = "pt" }\ntorchaudio = "*"\n'
)
WHEEL = "torch-2.8.0%2Bcu128-cp311-cp311-manylinux_2_28_x86_64.whl"
UV_LOCK = f"""\
version = 1
requires-python = ">=3.11"

[[package]]
name = "torch"
version = "2.8.0"
source = {{ registry = "{ROOT}/cpu" }}
resolution-markers = ["sys_platform != 'linux'"]

[[package]]
name = "torch"
version = "2.8.0+cu128"
source = {{ registry = "{ROOT}/cu128" }}
resolution-markers = ["sys_platform == 'linux'"]
"""
PLAIN = f'{PROJECT}dependencies = ["torch", "torchaudio"]\n'
WITH_LOCK = ("-r", "pyproject.toml", "-r", "uv.lock")

CASES = {
    "a source of uv by marker": Case(
        "cu124", "pyproject.toml:6", {"pyproject.toml": BY_MARKER}, notes=("this includes torchaudio",)
    ),
    "the other marker": Case("cpu", "pyproject.toml:6", {"pyproject.toml": BY_MARKER}, MACOS),
    "a source of uv by extra": Case(
        "cu128", "pyproject.toml:10", {"pyproject.toml": BY_EXTRA}, (*LINUX, "--extra", "cu128")
    ),
    "the other extra": Case("cpu", "pyproject.toml:10", {"pyproject.toml": BY_EXTRA}, (*LINUX, "--extra", "cpu")),
    "a source of uv by address": Case(
        "cu128",
        "pyproject.toml:6",
        {"pyproject.toml": uv('["torch", "torchaudio"]', f'torch = {{ url = "{ROOT}/cu128/{WHEEL}" }}')},
    ),
    "an index of uv for everything": Case(
        "cu128",
        "pyproject.toml:6",
        {"pyproject.toml": f'{PLAIN}[[tool.uv.index]]\nurl = "{ROOT}/cu128"\n'},
    ),
    "a source of poetry": Case("cu128", "pyproject.toml:6", {"pyproject.toml": POETRY}),
    "packages of a source of pdm": Case("cu128", "pyproject.toml:7", {"pyproject.toml": PDM}),
    "an index of a Pipfile": Case("cu128", "Pipfile:8", {"Pipfile": PIPFILE}, (*LINUX, "-r", "Pipfile")),
    "an extra index in requirements": Case(
        "cu128", "requirements.in:1", {"requirements.in": f"--extra-index-url {ROOT}/cu128\ntorch\ntorchaudio\n"}
    ),
    "an index and a label": Case(
        "cu128",
        "requirements.in:2",
        {"requirements.in": f"--extra-index-url {ROOT}/cu128\ntorch==2.8.0+cu128\ntorchaudio\n"},
    ),
    "the page with all builds and labels": Case(
        "cu126",
        "requirements.in:2",
        {"requirements.in": f"-f {ROOT}/torch_stable.html\ntorch==2.8.0+cu126\ntorchaudio==2.8.0+cu126\n"},
    ),
    "a label in constraints": Case(
        "cu128",
        "constraints.txt:1",
        {"requirements.in": "torch\ntorchaudio\n", "constraints.txt": "torch==2.8.0+cu128\n"},
        (*LINUX, "-c", "constraints.txt"),
    ),
    "a label in an override": Case(
        "cu128",
        "over.txt:1",
        {"requirements.in": "torch==2.6.0+cu124\ntorchaudio\n", "over.txt": "torch==2.8.0+cu128\n"},
        (*LINUX, "--override", "over.txt"),
    ),
    "labels by marker": Case(
        "cu128",
        "requirements.in:1",
        {
            "requirements.in": "torch==2.8.0+cu128 ; sys_platform == 'linux'\n"
            "torch==2.7.0+cu126 ; sys_platform == 'win32'\ntorchaudio\n"
        },
    ),
    "a label on the command line": Case(
        "cu128", "command line", words=(*LINUX, "torch==2.8.0+cu128", "torchaudio")
    ),
    "a file on the command line": Case(
        "cu128", "command line", words=(*LINUX, f"torch @ {ROOT}/cu128/{WHEEL}", "torchaudio")
    ),
    "a file on the host of files": Case(
        "cu128",
        "command line",
        words=(*LINUX, f"torch @ https://download-r2.pytorch.org/whl/cu128/{WHEEL}", "torchaudio"),
    ),
    "--extra-index-url": Case(
        "cpu", "command line", words=(*LINUX, "torch", "torchaudio", "--extra-index-url", f"{ROOT}/cpu")
    ),
    "--index-url": Case(
        "cpu",
        "command line",
        words=(*LINUX, "torch", "torchaudio", "soundfile", "--index-url", f"{ROOT}/cpu"),
        notes=("all other packages from the public index",),
    ),
    "an index of a torch that others require": Case(
        "cpu", "command line", words=(*LINUX, "torchaudio", "--extra-index-url", f"{ROOT}/cpu/")
    ),
    "a lock of uv beside a plain project": Case(
        "cu128", "uv.lock:12", {"pyproject.toml": PLAIN, "uv.lock": UV_LOCK}, (*LINUX, *WITH_LOCK)
    ),
    "that lock on macOS": Case(
        "cpu", "uv.lock:6", {"pyproject.toml": PLAIN, "uv.lock": UV_LOCK}, (*MACOS, *WITH_LOCK)
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_one_build_that_the_input_names_is_locked(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    lock(*case.words, files=case.files)
    out, err = capsys.readouterr()
    assert f"\n# builds: {case.label} of {ROOT}\n" in out
    assert folder_of(out, "torch") == folder_of(out, "torchaudio") == case.label
    assert "index-url" not in out.partition("\n# builds")[2]
    assert re.search(rf"^note: {re.escape(case.place)}: .* names the build {case.label}, ", err, re.MULTILINE), err
    assert f"{FOLLOWED} {case.label}" in err
    for words in case.notes:
        assert words in err


# What must be left alone.

ALONE = {
    "plain requirements": ("torch==2.8.0", "torchaudio"),
    "a label that was never published": ("torch==2.6.0+cu111",),
    "a label of a vendor": ("torch==2.8.0+acme1",),
    "a private index with such a path": ("torch==2.8.0", "--extra-index-url", PRIVATE),
    "a private main index": ("torch==2.8.0", "--index-url", PRIVATE),
    "a label and a private index": ("torch==2.8.0+cu128", "--index-url", "https://mirror.example.org/simple"),
    "nightlies": ("torch==2.8.0", "--extra-index-url", f"{ROOT}/nightly/cu128"),
    "release candidates": ("torch==2.8.0+cu128", "--extra-index-url", f"{ROOT}/test/cu128"),
    "the page with all builds": ("torch==2.8.0", "--extra-index-url", ROOT),
    "a label for another system": ('torch==2.8.0+cu128 ; sys_platform == "win32"', "torch==2.8.0"),
    "--accelerator pypi": ("torch==2.8.0+cu128", "--accelerator", "pypi"),
}


@pytest.mark.parametrize("words", ALONE.values(), ids=ALONE)
def test_other_places_stay_as_they_are(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """Offline they cannot be asked, so most of these are refused, but none for a build of the PyTorch index."""
    main(["lock", *words, *LINUX])
    out, err = capsys.readouterr()
    assert FOLLOWED not in err
    assert "# builds:" not in out
    assert f" @ {ROOT}" not in out


def test_the_public_index_alone_means_the_public_builds(capsys: pytest.CaptureFixture[str]) -> None:
    lines = "--extra-index-url https://index.example.org/simple\ntorch==2.8.0\n"
    lock(*LINUX, files={"requirements.in": f"-i https://index.example.org/simple\n{lines.partition(chr(10))[2]}"})
    out, err = capsys.readouterr()
    assert folder_of(out, "torch") == ""
    assert [line.partition(": ")[2][:15] for line in err.splitlines()] == ["standard output"]


def test_the_sources_of_packages_that_are_not_asked_for_do_not_count(capsys: pytest.CaptureFixture[str]) -> None:
    project = uv('["soundfile"]', "torch = { index = 'a' }", a=f"{ROOT}/cu124")
    lock(*LINUX, files={"pyproject.toml": project})
    out, err = capsys.readouterr()
    assert "# builds:" not in out
    assert FOLLOWED not in err


# Several places: nothing is guessed.

MIXED = {
    "two builds": ("torch = { index = 'a' }\ntorchaudio = { index = 'b' }", f"{ROOT}/cu124", f"{ROOT}/cpu"),
    "a private index": ("torch = { index = 'a' }\ntorchaudio = { index = 'b' }", f"{ROOT}/cu124", PRIVATE),
    "the public index, on purpose": (
        "torch = { index = 'a' }\ntorchaudio = { index = 'b' }",
        f"{ROOT}/cu124",
        "https://index.example.org/simple",
    ),
}


@pytest.mark.parametrize(("sources", "first", "second"), MIXED.values(), ids=MIXED)
def test_several_places_are_named_and_none_is_chosen(
    sources: str, first: str, second: str, capsys: pytest.CaptureFixture[str]
) -> None:
    project = uv('["torch==2.6.0", "torchaudio"]', sources, a=first, b=second)
    lock(*LINUX, files={"pyproject.toml": project}, code=2)
    err = capsys.readouterr().err
    assert f"{SEVERAL}, and each is asked as it is named: the index {first} for torch (pyproject.toml:6); " in err
    assert f"the index {second} for torchaudio (pyproject.toml:7)" in err
    assert "or name the build, like --accelerator cu124," in err
    lock(*LINUX, "--accelerator", "cu124")
    out, err = capsys.readouterr()
    assert folder_of(out, "torch") == folder_of(out, "torchaudio") == "cu124"
    assert f"the index {second} that the input names for torchaudio is ignored: the lock is for cu124" in err


def test_two_pages_are_not_one_build(capsys: pytest.CaptureFixture[str]) -> None:
    pages = ("--extra-index-url", f"{ROOT}/cpu", "--extra-index-url", f"{ROOT}/cu128")
    lock("torch==2.8.0", *pages, *LINUX, code=2)
    err = capsys.readouterr().err
    assert SEVERAL in err
    assert "; or name the build, like --accelerator cpu," in err
    lock("torch==2.8.0+cu128", *pages, *LINUX)
    out, err = capsys.readouterr()
    assert folder_of(out, "torch") == "cu128"
    assert f"the index {ROOT}/cpu is ignored, because the lock is for cu128" in err


def test_two_labels_are_not_one_build_and_no_option_makes_them_one(capsys: pytest.CaptureFixture[str]) -> None:
    lock("torch==2.8.0+cu128", "torchaudio==2.8.0+cpu", *LINUX, code=1)
    err = capsys.readouterr().err
    assert SEVERAL in err
    assert "name the build, like --accelerator" not in err


def test_a_private_index_before_the_page_may_have_the_family(capsys: pytest.CaptureFixture[str]) -> None:
    pages = ("--extra-index-url", "https://mirror.example.org/simple", "--extra-index-url", f"{ROOT}/cpu")
    lock("torch==2.8.0", *pages, *LINUX, code=2)
    assert SEVERAL in capsys.readouterr().err


def test_the_page_with_all_builds_needs_a_choice(capsys: pytest.CaptureFixture[str]) -> None:
    lock("torch==2.8.0", "--extra-index-url", ROOT, *LINUX, code=2)
    assert "; or name the build, like --accelerator cpu," in capsys.readouterr().err


# What is refused.


def test_a_folder_that_lacks_the_release_is_refused_with_both_ways_out(capsys: pytest.CaptureFixture[str]) -> None:
    project = uv('["torch>=2.7", "torchaudio"]', "torch = { index = 'a' }", a=f"{ROOT}/cu124")
    lock(*LINUX, files={"pyproject.toml": project}, code=1)
    err = capsys.readouterr().err
    assert "pyproject.toml:6: the index" in err
    assert "no torch>=2.7 is known in the cu124 folder of the PyTorch index" in err
    assert "the nearest build that works is cu126" in err
    assert "hint: use --accelerator pypi" in err


def test_a_build_that_macos_does_not_have_is_refused_with_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    lock(*MACOS, files={"requirements.in": f"torch\n--extra-index-url {ROOT}/cu128\n"}, code=2)
    err = capsys.readouterr().err
    assert f"requirements.in:2: the index {ROOT}/cu128: there is no build for CUDA 12.8 on macOS" in err
    assert "--accelerator cpu" in err


def test_a_file_for_another_system_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    wheel = f"torch @ {ROOT}/cpu/torch-2.8.0%2Bcpu-cp311-cp311-win_amd64.whl"
    lock(wheel, *LINUX, code=2)
    assert "this wheel does not install on Python 3.11, manylinux" in capsys.readouterr().err
    lock(f'{wheel} ; sys_platform == "win32"', "torch==2.8.0", *LINUX)
    assert folder_of(capsys.readouterr().out, "torch") == ""


def test_the_hash_in_the_address_of_a_file_counts(capsys: pytest.CaptureFixture[str]) -> None:
    right = "039b9dcdd6bdbaa10a8a5cd6be22c4cb3e3589a341e5f904cbb571ca28f55bed"
    lock(f"torch @ {ROOT}/cu128/{WHEEL}#sha256={right}", *LINUX)
    assert f"--hash=sha256:{right}\n" in capsys.readouterr().out
    lock(f"torch @ {ROOT}/cu128/{WHEEL}#sha256={'e' * 64}", *LINUX, code=2)
    assert "no file of torch 2.8.0+cu128 for this target has a hash of this line" in capsys.readouterr().err


# Options, settings and existing locks.


def test_the_option_wins_wherever_it_is_set(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project = uv('["torch==2.6.0"]', "torch = { index = 'a' }", a=f"{ROOT}/cu124")
    lock(*LINUX, "--accelerator", "cpu", files={"pyproject.toml": project})
    assert folder_of(capsys.readouterr().out, "torch") == "cpu"
    monkeypatch.setenv("TORCHLOCK_ACCELERATOR", "cu126")
    lock(*LINUX)
    assert folder_of(capsys.readouterr().out, "torch") == "cu126"
    monkeypatch.delenv("TORCHLOCK_ACCELERATOR")
    own = f'{project}[tool.torchlock]\naccelerator = "pypi"\n'
    lock(*LINUX, files={"pyproject.toml": own}, code=2)
    assert "torch comes from the index" in capsys.readouterr().err
    lock(*LINUX, files={"pyproject.toml": own.replace("pypi", "cpu")})
    assert folder_of(capsys.readouterr().out, "torch") == "cpu"


def test_check_and_upgrade_agree_with_the_lock(capsys: pytest.CaptureFixture[str]) -> None:
    files = {"pyproject.toml": uv('["torch", "torchaudio"]', "torch = { index = 'a' }", a=f"{ROOT}/cu126")}
    for form in ((), ("--builds-by", "index")):
        lock(*LINUX, *form, "-o", "lock.txt", files=files)
        lock(*LINUX, *form, "-o", "lock.txt", "--check")
        lock(*LINUX, *form, "-o", "lock.txt", "--check", "--upgrade")
        capsys.readouterr()
        for option in ("-r", "-c"):
            lock("torchaudio", option, "lock.txt", *LINUX)
            out, err = capsys.readouterr()
            assert folder_of(out, "torch") == folder_of(out, "torchaudio") == "cu126"
            assert "note: lock.txt:" in err
        Path("lock.txt").unlink()


def test_everything_but_the_family_comes_from_the_public_index(capsys: pytest.CaptureFixture[str]) -> None:
    project = uv('["torch", "numpy"]', "torch = { index = 'a' }\nnumpy = { index = 'a' }", a=f"{ROOT}/cu126")
    lock(*LINUX, files={"pyproject.toml": project})
    out, err = capsys.readouterr()
    assert folder_of(out, "numpy") == ""
    assert f"the index {ROOT}/cu126 that the input names for numpy is ignored: the lock is for cu126" in err


def test_explain_takes_the_build_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "torch==2.8.0+cpu", "torchaudio", *LINUX]) == 0
    out, err = capsys.readouterr()
    assert "they work together" in out
    assert "torchaudio 2.8.0+cpu" in out
    assert f"{FOLLOWED} cpu" in err
    assert main(["explain", "torch==2.8.0", "torchaudio", "--extra-index-url", f"{ROOT}/cpu", *LINUX]) == 0
    assert "torch 2.8.0+cpu, torchaudio 2.8.0+cpu" in capsys.readouterr().out


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[WheelIndex]:
    with WheelIndex(dated=False) as started:
        monkeypatch.setenv("PIP_INDEX_URL", started.public_url)
        yield started


def test_a_mirror_that_the_user_names_counts_and_another_does_not(
    index: WheelIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torch = index.add("cpu", "torch", "2.8.0+cpu")
    use_tables(monkeypatch, tmp_path / "tables", {"cpu": [torch]})
    words = ("torch", "--extra-index-url", f"{index.url}/cpu", *LINUX[:2], *LINUX[3:])
    lock(*words, "--builds-url", index.url)
    out, err = capsys.readouterr()
    assert f"torch @ {index.link(torch)} \\" in out
    assert f"the index {index.url}/cpu names the build cpu" in err
    lock(*words)
    out, err = capsys.readouterr()
    assert "# builds:" not in out
    assert f"--extra-index-url {index.url}/cpu" in out
    assert FOLLOWED not in err


def test_credentials_in_an_address_are_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    page = f"{ROOT}/cpu".replace("://", "://user:hunter2@")
    lock("torch", "--extra-index-url", page, *LINUX)
    lock(f"torch @ {page}/torch-2.8.0%2Bcpu-cp311-cp311-manylinux_2_28_x86_64.whl", *LINUX)
    out, err = capsys.readouterr()
    assert FOLLOWED in err
    assert "hunter2" not in out + err
