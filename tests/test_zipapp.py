"""The archive torchlock.pyz: it runs without any installed package, and is the same to the byte if built again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import build_zipapp
from torchlock import __version__

ROOT = Path(__file__).parents[1]
BAD = "torch==2.7.1\ntorchaudio==2.5.1\n"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("zipapp") / "torchlock.pyz"
    subprocess.run([sys.executable, ROOT / "scripts" / "build_zipapp.py", "-o", path], check=True)
    return path


def run(archive: Path, folder: Path, *arguments: str, cache: str = "cache") -> subprocess.CompletedProcess[str]:
    """Run it with a Python that sees no installed package (-S), and with nothing but its cache."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("TORCHLOCK_", "PYTHON"))}
    environ["TORCHLOCK_CACHE_DIR"] = cache
    command = [sys.executable, "-S", str(archive), *arguments]
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)


def test_it_runs_every_job_without_an_installed_package(archive: Path, tmp_path: Path) -> None:
    assert run(archive, tmp_path, "--version").stdout == f"torchlock {__version__}\n"
    (tmp_path / "environment.yml").write_text("dependencies:\n- python=3.11\n- pip:\n  - torch==2.7.1\n")
    (tmp_path / "requirements.txt").write_text(BAD)
    done = run(archive, tmp_path, "audit", "requirements.txt", "environment.yml")
    assert (done.returncode, "requirements.txt:2:1: error TL101" in done.stdout) == (1, True), done.stderr
    target = ["--python", "3.12", "--platform", "linux-x86_64", "--offline"]
    done = run(archive, tmp_path, "lock", "torchaudio", *target)
    assert (done.returncode, "\ntorchaudio==" in done.stdout) == (0, True), done.stderr
    assert run(archive, tmp_path, "schema", "audit").stdout.startswith("{")
    assert len(list((tmp_path / "cache" / "zipapp").iterdir())) == 1


def test_an_index_is_asked_without_an_installed_package(archive: Path, tmp_path: Path) -> None:
    """requests and what it needs are in the archive; nobody answers at this address."""
    done = run(archive, tmp_path, "lock", "in-no-catalogue", "--index-url", "http://127.0.0.1:9/simple")
    assert (done.returncode, "cannot be reached" in done.stderr) == (2, True)


def test_it_runs_where_no_cache_can_be_written(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run(archive, tmp_path, "--version", cache=str(tmp_path / "file" / "cache"))
    assert done.stdout == f"torchlock {__version__}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_second_archive_is_the_same_to_the_byte(tmp_path: Path) -> None:
    contents = {"torchlock/__init__.py": b"x = 1\n", "tomli/__init__.py": b"", "a.txt": b"\0" * 9}
    build_zipapp.write(tmp_path / "a.pyz", contents)
    build_zipapp.write(tmp_path / "b.pyz", dict(reversed(contents.items())))
    assert (tmp_path / "a.pyz").read_bytes() == (tmp_path / "b.pyz").read_bytes()


def test_no_compiled_file_is_in_it(archive: Path) -> None:
    import zipfile

    names = zipfile.ZipFile(archive).namelist()
    assert not [name for name in names if name.endswith(build_zipapp._COMPILED)]
    assert {"requests/__init__.py", "yaml/__init__.py", "resolvelib/__init__.py", "certifi/cacert.pem"} <= set(
        names
    )
    assert "pydantic/__init__.py" not in names
