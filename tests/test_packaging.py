"""The wheel: built for real, installed for real, and it locks from the data it carries."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "torchlock"
LIMIT = 9_250_000  # bytes; five and a half million are the hashes of the catalogue


def built(kind: str, folder: Path, source: Path = ROOT, mask: int = 0o022) -> Path:
    """A wheel or an sdist, built by the backend itself, without fetching a thing."""
    folder.mkdir(exist_ok=True)
    code = f"import hatchling.build; print(hatchling.build.build_{kind}({str(folder)!r}))"
    environ = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=source,
        check=True,
        capture_output=True,
        text=True,
        env=environ,
        umask=mask,
    )
    return folder / done.stdout.split()[-1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built("wheel", tmp_path_factory.mktemp("wheel"))


def test_a_second_build_is_the_same_to_the_byte(wheel: Path, tmp_path: Path) -> None:
    """In another folder, at another time, for another user: the sdist, and the wheel that is built from it."""
    sdist = built("sdist", tmp_path / "first")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    source = next(path for path in tmp_path.iterdir() if path.name.startswith("torchlock-"))
    for number, path in enumerate(sorted(source.rglob("*"))):
        path.chmod(0o700 if path.is_dir() else 0o600)
        os.utime(path, (1_600_000_000 + number, 1_600_000_000 + number))
    assert built("wheel", tmp_path / "second", source, mask=0o077).read_bytes() == wheel.read_bytes()
    assert built("sdist", tmp_path / "second", source, mask=0o077).read_bytes() == sdist.read_bytes()


def test_the_wheel_has_the_manual_page(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert any(name.endswith(".data/data/share/man/man1/torchlock.1") for name in names)


def test_the_wheel_is_small_and_whole(wheel: Path) -> None:
    assert wheel.stat().st_size < LIMIT
    names = zipfile.ZipFile(wheel).namelist()
    assert "torchlock/py.typed" in names
    assert "torchlock/compat_data/compiled/builds.json" in names
    assert "torchlock/compat_data/compiled/rules.json" in names
    assert "torchlock/compat_data/compiled/systems.json" in names
    assert {f"torchlock/report/page/{path.name}" for path in (SOURCE / "report" / "page").iterdir()} <= set(names)
    for path in (ROOT / "compat_data" / "releases").iterdir():
        assert f"torchlock/compat_data/releases/{path.name}" in names


def test_the_unpacked_wheel_locks_from_its_own_data(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)  # noqa: S202 - our own archive
    code = (
        f"import sys; sys.path.insert(0, {str(site)!r})\n"
        "import torchlock.knowledge.tables; from torchlock.cli.main import main\n"
        f"assert str(torchlock.knowledge.tables.ROOT).startswith({str(site)!r}), torchlock.knowledge.tables.ROOT\n"
        "sys.exit(main(['lock', 'torchaudio', '--python', '3.12', '--platform', 'linux-x86_64', '--offline']))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "\ntorchaudio==" in result.stdout
