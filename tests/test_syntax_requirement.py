"""One requirement, as it may stand on the command line or in a file."""

from __future__ import annotations

from pathlib import Path

import pytest
from packaging.requirements import Requirement

from torchlock.errors import InputError
from torchlock.manifests.syntax.pep508 import wheel_of
from torchlock.manifests.syntax.requirement import parse_requirement
from torchlock.terms import Origin, ParsedRequirement


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def read(text: str, *, editable: bool = False, path: str | None = "r.txt") -> ParsedRequirement:
    return parse_requirement(text, Origin(path, 7, text), editable=editable)


# Left alone.


@pytest.mark.parametrize(
    ("text", "requirement"),
    [
        ("torch", "torch"),
        ("torch==2.3.1+cu121", "torch==2.3.1+cu121"),
        ("  torch >= 2.0 , < 3 ", "torch<3,>=2.0"),
        ("torch (>=2.0)", "torch>=2.0"),
        ("torch==2.*", "torch==2.*"),
        ("torch===2.3.1", "torch===2.3.1"),
        ("torch>=2,", "torch>=2"),
        ("Torch_Audio[Extra, other]~=2.3", "Torch_Audio[Extra,other]~=2.3"),
        ("torch>=1 ; sys_platform == 'linux'", 'torch>=1; sys_platform == "linux"'),
        ("torch>=1;sys_platform=='linux' and extra=='x'", 'torch>=1; sys_platform == "linux" and extra == "x"'),
        ("torch;", "torch"),
        ("torch ;  ", "torch"),
        ("import-linter", "import-linter"),
        ("pytorch-lightning==2.0", "pytorch-lightning==2.0"),
        ("requirements-parser", "requirements-parser"),
        ("python", "python"),
    ],
)
def test_pep_508(text: str, requirement: str) -> None:
    written = read(text)
    assert str(written.requirement) == requirement
    assert written.url is None
    assert not written.editable
    assert written.origin == ("r.txt", 7, text)


@pytest.mark.parametrize(
    ("text", "requirement", "url"),
    [
        pytest.param(
            "x @ https://example.org/x.zip",
            "x @ https://example.org/x.zip",
            "https://example.org/x.zip",
            id="named",
        ),
        pytest.param(
            "x @ https://example.org/x.zip ; os_name == 'nt'",
            'x @ https://example.org/x.zip ; os_name == "nt"',
            "https://example.org/x.zip",
            id="named, with marker",
        ),
        pytest.param(
            "x @ https://example.org/x.zip; os_name == 'nt'",
            'x @ https://example.org/x.zip ; os_name == "nt"',
            "https://example.org/x.zip",
            id="named, no space before the marker (as pip)",
        ),
        pytest.param(
            "x@https://example.org/x.zip;os_name=='nt'",
            'x @ https://example.org/x.zip ; os_name == "nt"',
            "https://example.org/x.zip",
            id="named, no space at all (as pip)",
        ),
        pytest.param(
            "x @ https://example.org/a;b.zip",
            "x @ https://example.org/a;b.zip",
            "https://example.org/a;b.zip",
            id="named, semicolon in the address",
        ),
        pytest.param(
            "x @ file:///build/x/work", "x @ file:///build/x/work", "file:///build/x/work", id="as conda freezes"
        ),
        pytest.param("git+https://example.org/x.git", None, "git+https://example.org/x.git", id="git, nameless"),
        pytest.param(
            "git+ssh://git@example.org/x.git@v1#egg=x-y[z]&subdirectory=p",
            "x-y[z]",
            "git+ssh://git@example.org/x.git@v1#egg=x-y[z]&subdirectory=p",
            id="git, name in egg",
        ),
        pytest.param(
            "https://example.org/a.zip#subdirectory=p&egg=x; python_version < '4'",
            'x; python_version < "4"',
            "https://example.org/a.zip#subdirectory=p&egg=x",
            id="address, egg, marker",
        ),
        pytest.param(
            "https://example.org/whl/torch-2.3.1%2Bcpu-cp311-cp311-linux_x86_64.whl#sha256=00",
            "torch==2.3.1+cpu",
            "https://example.org/whl/torch-2.3.1%2Bcpu-cp311-cp311-linux_x86_64.whl#sha256=00",
            id="wheel on the network",
        ),
        pytest.param("HTTPS://example.org/x.tar.gz", None, "HTTPS://example.org/x.tar.gz", id="archive"),
        pytest.param(
            "wheels/torch-2.3.1-cp311-cp311-linux_x86_64.whl",
            "torch==2.3.1",
            "wheels/torch-2.3.1-cp311-cp311-linux_x86_64.whl",
            id="wheel in a folder",
        ),
        pytest.param(
            "torch_x-2.3.1-py3-none-any.whl[all] ; os_name == 'nt'",
            'torch-x[all]==2.3.1; os_name == "nt"',
            "torch_x-2.3.1-py3-none-any.whl[all]",
            id="wheel with extras and marker",
        ),
        pytest.param("./x", None, "./x", id="folder"),
        pytest.param(".", None, ".", id="this folder"),
        pytest.param(".[audio]", None, ".[audio]", id="this folder, extras"),
        pytest.param("./x;", None, "./x", id="folder, empty marker"),
        pytest.param("https://example.org/a;b.zip", None, "https://example.org/a;b.zip", id="address, semicolon"),
        pytest.param("../x ; os_name == 'nt'", None, "../x", id="folder, marker"),
        pytest.param("/opt/x", None, "/opt/x", id="absolute"),
        pytest.param("~/x", None, "~/x", id="home"),
        pytest.param("C:\\src\\x", None, "C:\\src\\x", id="windows"),
        pytest.param("file:///opt/x", None, "file:///opt/x", id="file address"),
    ],
)
def test_addresses_and_paths(text: str, requirement: str | None, url: str) -> None:
    written = read(text)
    assert written.requirement == (Requirement(requirement) if requirement else None)
    assert written.url == url


@pytest.mark.parametrize(
    ("text", "requirement"),
    [
        (".", None),
        (".[dev]", None),
        ("src/x", None),
        ("git+https://example.org/x.git#egg=x", "x"),
        ("x @ git+https://example.org/x.git", "x @ git+https://example.org/x.git"),
    ],
)
def test_editable(text: str, requirement: str | None) -> None:
    written = read(text, editable=True)
    assert written.editable
    assert written.requirement == (Requirement(requirement) if requirement else None)
    assert written.url == text.removeprefix("x @ ")


def test_a_folder_that_is_there_is_a_path() -> None:
    Path("packages/x").mkdir(parents=True)
    assert read("packages/x").url == "packages/x"
    Path("torch").mkdir()
    assert read("torch").url is None


# Refused.


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("torch=1.0", "torch==1.0"),
        ("torch[x] = 1.0.*", "torch[x]==1.0.*"),
        ("torch=1.0 ; os_name=='nt'", "torch==1.0"),
        ("torch=>2.0", "torch>=2.0"),
        ("torch=<2.0", "torch<=2.0"),
        ("torch 2.3.1", "torch==2.3.1"),
        ("torch>=2.0 <3", "commas"),
        ("torch>=2.*", "remove the .*"),
        ("torch~=2.0+cu118", "local version"),
        ("torch>=2.0,<3.", "dot"),
        ("torch^2.0", ">=2.0,<3"),
        ("pytorch=2.3.1", "torch==2.3.1"),
        ("pytorch 2.3.1", "torch==2.3.1"),
        ("numpy=1.19.2=py37h54aff64_0", "conda"),
        ("conda-forge::ffmpeg", "conda"),
        ("name: env", "conda environment"),
        ("torch; python_version < “3.8”", "typographic quotes"),
        ("torch –U", "dash"),
        ("torch\u200b==2", "invisible"),
        ("import torch", "Python code"),
        ("from torch import nn", "Python code"),
        ("pip install torch", "command"),
        ("!pip install torch", "command"),
        ("torch==2.0 torchaudio==2.0", "write one requirement per line"),
        ('"torch>=2.0",', "without the quotes: torch>=2.0"),
        ("// torch", "#"),
        ("torch==2.0#cuda", "space"),
        ("<<<<<<< HEAD", "merge conflict"),
        ("=======", "merge conflict"),
        ("torch \\ ", "backslash"),
        ("[dev]", "sections"),
        ("nowhere/x", "no such folder"),
        ("requirements.txt", "-r requirements.txt"),
        ("requirements-dev.in", "-r requirements-dev.in"),
        ("torch@2.0.1", "torch==2.0.1"),
        ("torch @ v2.0", "torch==2.0"),
        ("git@example.org:a/b.git", "git+ssh://git@example.org/a/b.git"),
        ("git+git@example.org:a/b.git", "git+ssh://git@example.org/a/b.git"),
        ("odd.whl", "name-version-python-abi-platform.whl"),
        ("https://example.org/torch-2.3.1.whl", "name-version-python-abi-platform.whl"),
        ("torch\t--pre", "tab"),
    ],
)
def test_what_was_meant(text: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        read(text)
    error = caught.value
    assert (error.path, error.line) == ("r.txt", 7)
    assert repr(text) in error.message
    assert "\n" not in error.message
    assert hint in (error.hint or "")


def test_the_text_at_which_reading_stopped() -> None:
    with pytest.raises(
        InputError, match=r"^r\.txt:7: 'torch=1\.0' is not a requirement: expected .*, at '=1\.0'$"
    ):
        read("torch=1.0")


def test_a_line_of_no_end_is_quoted_in_part() -> None:
    with pytest.raises(InputError) as caught:
        read("torch " + "1" * 100_000)
    assert len(str(caught.value)) < 1000
    assert caught.value.hint is None


@pytest.mark.parametrize(
    "text", ["./x ; python < 3", "https://example.org/x.zip; python < 3", ". ; (", "./x ; os_name"]
)
def test_a_wrong_marker_behind_an_address(text: str) -> None:
    with pytest.raises(InputError, match="is not a requirement"):
        read(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "==1",
        "torch; nonsense",
        "torch[",
        "a b",
        "x @ ",
        "x;" + "(" * 3000,
        "...",
        "git+https://example.org/x#egg=?",
    ],
)
def test_no_requirement(text: str) -> None:
    with pytest.raises(InputError):
        read(text)


def test_an_editable_repository_in_the_short_form() -> None:
    with pytest.raises(InputError) as caught:
        read("git@example.org:a/b.git", editable=True)
    assert caught.value.hint == "a repository is written git+ssh://git@example.org/a/b.git"


def test_an_index_requirement_cannot_be_editable() -> None:
    with pytest.raises(InputError, match="only a folder or an address"):
        read("torch==2.0", editable=True)


def test_a_file_on_the_command_line() -> None:
    Path("base.txt").write_text("torch\n")
    Path("script.py").write_text("")
    for text in ("base.txt", "script.py", "./gone/requirements.txt"):
        if text.startswith("./"):
            assert read(text, path=None).url == text
            continue
        with pytest.raises(InputError) as caught:
            read(text, path=None)
        assert caught.value.hint == f"did you mean -r {text}?"
        assert caught.value.path is None


def test_a_wheel_whose_name_stands_for_a_million_tags_is_none() -> None:
    """A name of a kilobyte: each of its hundred words with each of the hundred, and each of the hundred."""
    words = ".".join(f"a{number}" for number in range(100))
    with pytest.raises(InputError, match="this is not a valid name of a wheel"):
        parse_requirement(f"./demo-1.0-{words}-{words}-{words}.whl", Origin(None, None, ""))
    assert wheel_of(f"https://example.org/demo-1.0-{words}-{words}-{words}.whl") is None
    several = "cp310.cp311.cp312-abi3.none-manylinux_2_17_x86_64.manylinux2014_x86_64.macosx_10_9_universal2"
    assert wheel_of(f"https://example.org/demo-1.0-{several}.whl") == ("demo", "1.0")
