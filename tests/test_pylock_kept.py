"""Keys of other tools in a pylock.toml are there after torchlock has written the file again."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from packaging.pylock import Pylock

from support.fetched import alone as alone
from support.installers import install
from support.local_index import publish
from support.small_wheels import small_wheel
from torchlock.cli.main import main

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

pytestmark = pytest.mark.usefixtures("alone")
COMMAND = ["lock", "alpha", "beta", "-o", "pylock.toml", "--index-url", "index"]
# What uv, pdm and a later version of the format may add.
TABLES = """
[tool.uv]
exclude-newer = 2026-01-02T03:04:05Z

[tool.pdm.hashes]
"a key" = "1\\u007f2"

[[tool.pdm.targets]]
requires_python = ">=3.10"
deep = { list = [1, 2.5, true, { x = "y" }] }
"""
HEAD = "x-later = { since = 1979-05-27 }\n"
OF_PACKAGE = """\
requires-python = ">=3.8"
dependencies = [{ name = "beta" }]
attestation-identities = [{ kind = "GitHub", repository = "example/alpha", workflow = "release.yml" }]
x-signed = "yes"
tool = { uv = { group = "a" } }
"""


@pytest.fixture
def old(tmp_path: Path) -> dict[str, object]:
    """A lock of torchlock, to which other tools have added keys."""
    for name, requires in (("alpha", ["beta"]), ("beta", [])):
        add(tmp_path, name, "1.0", requires)
    assert main(COMMAND) == 0
    lock = tmp_path / "pylock.toml"
    text = lock.read_text().replace('created-by = "torchlock"\n', f'created-by = "uv"\n{HEAD}')
    text = text.replace('name = "alpha"\n', f'name = "alpha"\n{OF_PACKAGE}')
    text = text.replace("hashes = {", 'x-mirror = "here", hashes = {', 1)
    lock.write_text(text + TABLES)
    return read()


def add(folder: Path, name: str, version: str, requires: list[str]) -> None:
    path = publish(folder / "index", name, version, requires)
    path.write_bytes(small_wheel(name, version, "py3-none-any", requires))
    names = sorted(each.name for each in path.parent.glob("*.whl"))
    path.with_name("index.html").write_text("".join(f'<a href="{each}">{each}</a>\n' for each in names))


def read() -> dict[str, object]:
    text = Path("pylock.toml").read_text()
    found = tomllib.loads(text)
    Pylock.from_dict(found)
    return found


def test_all_keys_stay_if_nothing_changes(old: dict[str, object]) -> None:
    assert main(COMMAND) == 0
    new = read()
    assert new.pop("created-by") == "torchlock"
    assert old.pop("created-by") == "uv"
    assert new == old
    assert main([*COMMAND, "--check"]) == 0


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_installers_take_the_lock(installer: str, old: dict[str, object]) -> None:
    assert main(COMMAND) == 0
    outcome = install(installer, Path("pylock.toml").absolute(), "http://127.0.0.1:9")
    assert outcome.code == 0, outcome.said


def test_keys_of_another_release_are_gone(old: dict[str, object], tmp_path: Path) -> None:
    add(tmp_path, "alpha", "2.0", ["beta"])
    assert main([*COMMAND, "-P", "alpha"]) == 0
    new = read()
    (alpha, _) = new["packages"]  # type: ignore[misc]
    assert sorted(alpha) == ["name", "version", "wheels"] or sorted(alpha) == [
        "index",
        "name",
        "version",
        "wheels",
    ]
    assert new["tool"]["uv"] == old["tool"]["uv"]  # type: ignore[index]
    assert new["x-later"] == old["x-later"]


def test_attestations_are_about_the_files_that_were_there(old: dict[str, object], tmp_path: Path) -> None:
    path = next((tmp_path / "index" / "alpha").glob("*.whl"))
    path.write_bytes(small_wheel("alpha", "1.0", "py3-none-any", ["beta"], members={"alpha.py": "other"}))
    assert main(COMMAND) == 0
    (alpha, _) = read()["packages"]  # type: ignore[misc]
    assert "attestation-identities" not in alpha
    assert "x-mirror" not in alpha["wheels"][0]
    assert alpha["x-signed"] == "yes"


def test_dependencies_name_packages_of_the_lock(old: dict[str, object], tmp_path: Path) -> None:
    lock = tmp_path / "pylock.toml"
    lock.write_text(lock.read_text().replace('[{ name = "beta" }]', '[{ name = "beta", version = "1.0" }]'))
    add(tmp_path, "beta", "2.0", [])
    assert main([*COMMAND, "-P", "beta"]) == 0
    (alpha, beta) = read()["packages"]  # type: ignore[misc]
    assert beta["version"] == "2.0"
    assert "dependencies" not in alpha


def test_a_damaged_lock_is_replaced(old: dict[str, object], tmp_path: Path) -> None:
    lock = tmp_path / "pylock.toml"
    lock.write_text(lock.read_text() + "\n[tool.uv\n")
    assert main([*COMMAND, "--upgrade"]) == 0
    assert list(read()["tool"]) == ["torchlock"]  # type: ignore[call-overload]
