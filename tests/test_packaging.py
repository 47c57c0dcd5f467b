"""The wheel: built for real, installed for real, and it locks from the data it carries."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "torchlock"
LIMIT = 9_000_000  # bytes; five and a half million are the hashes of the catalogue


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built by the backend itself, without fetching a thing."""
    folder = tmp_path_factory.mktemp("wheel")
    code = f"import hatchling.build; print(hatchling.build.build_wheel({str(folder)!r}))"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


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
    zipfile.ZipFile(wheel).extractall(site)
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
