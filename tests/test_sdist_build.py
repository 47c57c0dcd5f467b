"""--build: the build backend of a source distribution is asked, in a separate process."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.index_server import Server
from support.sdists import Shelf, archive, computed
from torchlock.answers import Unknown
from torchlock.cli.main import main
from torchlock.index.sdist.building import Builder

SYSTEM = "[build-system]\nrequires = [{requires}]\nbuild-backend = 'own'\nbackend-path = ['.']\n"
BACKEND = """\
import os, pathlib, sys
def prepare_metadata_for_build_wheel(folder, settings=None):
    {before}
    info = pathlib.Path(folder, "{name}-{version}.dist-info")
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n{lines}")
    return info.name
def build_wheel(folder, settings=None, metadata=None):
    raise SystemExit("not asked for")
"""


def project(
    before: str = "pass", lines: str = "", requires: str = "", name: str = "demo", version: str = "1.0"
) -> dict[str, str | bytes]:
    """A project with a build backend of its own, which needs nothing from any index."""
    backend = BACKEND.format(before=before, name=name, version=version, lines=lines)
    return {"pyproject.toml": SYSTEM.format(requires=requires), "own.py": backend}


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("TORCHLOCK_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    with Server() as server:
        yield Shelf(server)


def lock(shelf: Shelf, *arguments: str) -> int:
    target = ["--python", "3.11", "--platform", "linux-x86_64", "--index-url", shelf.server.url]
    return main(["lock", *target, *arguments])


def built(files: dict[str, str | bytes], seconds: float = 60, kind: str = "tar.gz") -> str | Unknown:
    return Builder(seconds=seconds)(archive(files, kind=kind), f"demo-1.0.{kind}")


def test_a_build_tells_what_nobody_could_read(
    shelf: Shelf, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And it is kept by the hash of the file: the backend runs once."""
    runs = tmp_path / "runs"
    before = f"open({str(runs)!r}, 'a').write('x')"
    shelf.sdist("demo", "1.0", project(before, "Requires-Dist: below\\n"))
    shelf.wheel("below", "1.0")
    assert lock(shelf, "demo") == 1
    assert not runs.exists()
    capsys.readouterr()
    for _ in range(2):
        assert lock(shelf, "demo", "--build") == 0
        output = capsys.readouterr()
        assert "\nbelow==1.0 " in output.out
        assert "# built from source; its requirements are those of a build on this machine (" in output.out
        assert "demo 1.0: the requirements were computed by a build on this machine" in output.err
    assert runs.read_text() == "x"


def test_what_the_backend_says_when_it_fails_is_told(shelf: Shelf, capsys: pytest.CaptureFixture[str]) -> None:
    shelf.sdist("demo", "1.0", project("sys.exit('no compiler here')"))
    shelf.wheel("other", "1.0", "demo")
    shelf.wheel("other", "0.9")
    assert lock(shelf, "other", "--build") == 0
    output = capsys.readouterr()
    assert "\nother==0.9 " in output.out
    assert "other 1.0 was skipped: it needs demo, and demo-1.0.tar.gz cannot be built" in output.err
    assert "no compiler here" in output.err
    assert lock(shelf, "demo", "--build") == 1
    message = capsys.readouterr().err
    assert "no compiler here" in message
    assert "--build," not in message


@pytest.mark.skipif(sys.version_info < (3, 10, 12), reason="this Python cannot unpack safely")
def test_a_backend_that_does_not_end_is_ended() -> None:
    found = built(project("import time; print('waiting', flush=True); time.sleep(3600)"), seconds=3)
    assert isinstance(found, Unknown)
    assert "did not finish within 3 seconds" in found.because


@pytest.mark.parametrize("kind", ["tar.gz", "zip"])
def test_metadata_of_another_project_is_refused(kind: str) -> None:
    found = built(project(name="other"), kind=kind)
    assert isinstance(found, Unknown)
    assert "metadata for other" in found.because


def test_nothing_is_written_outside_the_folder(tmp_path: Path) -> None:
    found = built({**project(), "../../../escaped.txt": "x"})
    assert isinstance(found, Unknown)
    assert "cannot be unpacked" in found.because
    assert isinstance(built({"README": ""}), Unknown)


def test_a_build_that_needs_the_torch_family_is_not_begun() -> None:
    found = built(project(requires="'torch>=2'"))
    assert isinstance(found, Unknown)
    assert "torch>=2, which is never installed" in found.because


def test_the_backend_does_not_see_the_addresses_of_indexes() -> None:
    from torchlock.index.settings import IndexSettings

    before = "assert 'secret' not in str(os.environ), os.environ"
    settings = IndexSettings("https://user:secret@index.example.org/simple/")
    found = Builder(settings, 60)(archive(project(before)), "demo-1.0.tar.gz")
    assert isinstance(found, str), found


def test_without_the_library_the_command_says_how_to_get_it(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("torchlock.index.sdist.building.find_spec", lambda name: None)
    shelf.sdist("demo", "1.0", computed("demo"))
    assert lock(shelf, "demo", "--build") == 2
    message = capsys.readouterr().err
    assert "--build needs the library build" in message
    assert "pip install 'torchlock[build]'" in message
