"""Requirements that name an address or a folder: kept as written, read as far as that goes without a build."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from torchlock.cli.main import main

TARGET = ["--python", "3.11", "--platform", "linux-x86_64", "--offline"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def project(folder: Path, text: str = "") -> None:
    folder.mkdir()
    (folder / "pyproject.toml").write_text(
        text
        or '[project]\nname = "demo"\nversion = "1.2"\ndependencies = ["torchaudio==2.3.1"]\n'
        '[project.optional-dependencies]\nfiles = ["soundfile==0.13.1"]\n'
    )


def wheel(path: Path, requires: str = "torchaudio==2.3.1") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        metadata = f"Metadata-Version: 2.1\nName: demo\nVersion: 1.2\nRequires-Dist: {requires}\n"
        archive.writestr("demo-1.2.dist-info/METADATA", metadata)
        archive.writestr("demo-1.2.dist-info/WHEEL", "Wheel-Version: 1.0\n")
    return path


def locked(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[str, str]:
    assert main(["lock", *arguments, *TARGET]) == 0
    output = capsys.readouterr()
    return output.out, output.err


@pytest.mark.parametrize("line", ["./demo", "-e ./demo", "demo @ file://{folder}/demo", "-e ./demo[files]"])
def test_a_folder_brings_what_its_metadata_states(
    line: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project(folder / "demo")
    line = line.format(folder=folder)
    Path("requirements.in").write_text(line + "\n")
    text, notes = locked(capsys, "-r", "requirements.in")
    assert f"\n{line}\n" in text
    assert "torchaudio==2.3.1 " in text
    assert "torch==2.3.1 " in text
    assert ("soundfile==0.13.1 " in text) is line.endswith("[files]")
    assert "kept as written" in notes


@pytest.mark.parametrize(
    ("files", "says"),
    [
        (
            {"setup.py": "from setuptools import setup\nsetup(name='demo', install_requires=['torch==2.3.1'])\n"},
            "",
        ),
        ({"setup.cfg": "[options]\ninstall-requires = torch==2.3.1\n"}, ""),
        (
            {
                "pyproject.toml": "[project]\nname='demo'\ndynamic=['version', 'dependencies']\n"
                "[tool.setuptools.dynamic]\ndependencies={file=['needs.txt']}\n",
                "needs.txt": "torch==2.3.1\n",
            },
            "",
        ),
        (
            {
                "setup.py": "from setuptools import setup\nimport os\n"
                "setup(install_requires=[os.environ['NEEDS']])\n",
                "demo.egg-info/requires.txt": "torch==2.3.1\n",
                "demo.egg-info/SOURCES.txt": "",
            },
            "its setup.py computes them: it uses os.environ",
        ),
    ],
    ids=["setup.py", "setup.cfg", "a list", "computed"],
)
def test_a_folder_is_read_like_an_archive(
    files: dict[str, str], says: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """But what a tool left in it may be old."""
    for path, text in files.items():
        (folder / "demo" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "demo" / path).write_text(text)
    text, notes = locked(capsys, "demo @ " + (folder / "demo").as_uri(), "six")
    assert ("\ntorch==2.3.1 " in text) is not bool(says)
    assert says in notes
    assert ("unknown without a build" in notes) is bool(says)


def test_a_wheel_brings_what_it_declares_with_its_hash(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = wheel(folder / "demo-1.2-py3-none-any.whl")
    text, _ = locked(capsys, str(path))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert f"{path} \\\n    --hash=sha256:{digest}\n" in text
    assert "torch==2.3.1 " in text


def test_a_conflict_with_what_a_wheel_declares_is_found(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = wheel(folder / "demo-1.2-py3-none-any.whl")
    assert main(["lock", str(path), "torch==2.8.0", *TARGET]) == 1
    assert "demo 1.2 declares that it needs torchaudio==2.3.1" in capsys.readouterr().err


def test_a_repository_is_kept_with_a_note(capsys: pytest.CaptureFixture[str]) -> None:
    line = "demo @ git+https://example.org/demo.git@v1"
    text, notes = locked(capsys, line, "torch==2.3.1")
    assert f"\n{line}\n" in text
    assert "unknown without a build" in notes


def test_an_address_without_a_name_is_kept_as_well(capsys: pytest.CaptureFixture[str]) -> None:
    line = "git+https://example.org/demo.git"
    text, notes = locked(capsys, line, "torch==2.3.1")
    assert f"\n{line}\n" in text
    assert "project name is unknown" in notes


def test_a_marker_behind_a_path_counts(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project(folder / "demo")
    Path("requirements.in").write_text("./demo ; sys_platform == 'win32'\nsix\n")
    text, _ = locked(capsys, "-r", "requirements.in")
    assert "torchaudio" not in text


@pytest.mark.parametrize(
    ("line", "says"),
    [
        pytest.param("./nowhere", "nowhere", id="no such folder"),
        pytest.param("./demo-1.2-py3-none-any.whl", "demo-1.2-py3-none-any.whl", id="no such wheel"),
    ],
)
def test_what_is_not_there_is_refused(line: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("requirements.in").write_text(f"six\n{line}\n")
    assert main(["lock", "-r", "requirements.in", *TARGET]) == 2
    message = capsys.readouterr().err
    assert "requirements.in:2" in message
    assert says in message


def test_a_wheel_for_another_platform_is_no_candidate(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = wheel(folder / "demo-1.2-cp311-cp311-win_amd64.whl")
    assert main(["lock", str(path), *TARGET]) == 1
    assert "no wheel for Python 3.11" in capsys.readouterr().err
