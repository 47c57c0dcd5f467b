"""Extras and dependency groups in a pylock.toml (PEP 751): pip and uv install the parts that are named."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from packaging.pylock import Pylock

from support.fetched import alone as alone
from support.installers import install
from support.local_index import publish
from support.rendered_pylock import locked as solved
from support.rendered_pylock import rendered
from support.small_wheels import small_wheel
from torchlock.cli.main import main
from torchlock.knowledge.proofs import cell

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

pytestmark = pytest.mark.usefixtures("alone")
PROJECT = """\
[project]
name = "own"
version = "1"
dependencies = ["base"]

[project.optional-dependencies]
Audio_IO = ["codec", "shared"]
both = ["own[audio-io]", "more"]
nothing = []

[dependency-groups]
test = ["tester", { include-group = "lint" }]
lint = ["linter", "shared"]
"""
INDEX = {
    "base": [],
    "codec": ["below"],
    "below": [],
    "shared": ["base"],
    "more": [],
    "tester": ["winonly ; sys_platform == 'win32'"],
    "linter": [],
    "winonly": [],
}
# What is installed beside base, by the extras and groups that are named.
PARTS = [
    ([], [], ""),
    (["audio-io"], [], "codec below shared"),
    (["both"], [], "codec below shared more"),
    (["nothing"], [], ""),
    ([], ["lint"], "linter shared"),
    ([], ["test"], "tester linter shared"),
    (["audio-io"], ["test"], "codec below shared tester linter"),
]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project, and an index in a folder with real small wheels."""
    for name, requires in INDEX.items():
        path = publish(tmp_path / "index", name, "1.0", requires)
        path.write_bytes(small_wheel(name, "1.0", "py3-none-any", requires))
        path.with_name("index.html").write_text(f'<a href="{path.name}">{path.name}</a>\n')
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    return tmp_path


def locked(*options: str) -> Pylock:
    assert main(["lock", "-o", "pylock.toml", "--index-url", "index", *options]) == 0
    return Pylock.from_dict(tomllib.loads(Path("pylock.toml").read_text()))


def test_the_lock_declares_what_was_asked_for(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = locked("--all-extras", "--all-groups")
    assert found.extras == ["audio-io", "both", "nothing"]
    assert found.dependency_groups == ["test", "lint"]
    assert found.default_groups is None
    markers = {package.name: str(package.marker or "") for package in found.packages}
    assert markers == {
        "base": "",
        "below": '"audio-io" in extras or "both" in extras',
        "codec": '"audio-io" in extras or "both" in extras',
        "linter": '"test" in dependency_groups or "lint" in dependency_groups',
        "more": '"both" in extras',
        "shared": '"audio-io" in extras or "both" in extras'
        ' or "test" in dependency_groups or "lint" in dependency_groups',
        "tester": '"test" in dependency_groups',
    }
    assert (
        "pip install -r 'pylock.toml[audio-io,both,nothing]' --group pylock.toml:test" in capsys.readouterr().err
    )


def test_only_what_is_asked_for_is_locked(project: Path) -> None:
    found = locked("--extra", "both", "--group", "lint")
    assert (found.extras, found.dependency_groups) == (["both"], ["lint"])
    assert "tester" not in {package.name for package in found.packages}


def test_each_target_has_its_own_reasons(project: Path) -> None:
    found = locked("--all-groups", "--python", "3.12", "--platform", "linux-x86_64", "--platform", "windows-amd64")
    (only,) = [package for package in found.packages if package.name == "winonly"]
    assert str(only.marker) == 'sys_platform == "win32" and "test" in dependency_groups'


@pytest.mark.parametrize("installer", ["pip", "uv"])
@pytest.mark.parametrize(("extras", "groups", "wanted"), PARTS)
def test_installers_take_the_parts_that_are_named(
    installer: str, extras: list[str], groups: list[str], wanted: str, project: Path
) -> None:
    locked("--all-extras", "--all-groups")
    lock = project / "pylock.toml"
    file = "pylock.toml:" if installer == "pip" else ""
    options = [f"--group={file}{group}" for group in groups]
    if installer == "pip" and extras:
        lock = project / f"pylock.toml[{','.join(extras)}]"
    elif installer == "uv":
        options = [*(f"--extra={extra}" for extra in extras), *options]
    outcome = install(installer, lock, "http://127.0.0.1:9", *options)
    assert outcome.code == 0, outcome.said
    assert set(outcome.versions) == {"base", *wanted.split()}


def test_the_lock_is_up_to_date_and_its_pins_are_kept(project: Path) -> None:
    locked("--all-extras", "--all-groups")
    publish(project / "index", "codec", "2.0")
    assert (
        main(["lock", "-o", "pylock.toml", "--index-url", "index", "--all-extras", "--all-groups", "--check"]) == 0
    )


def test_a_requirements_file_has_all_parts_as_before(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lock", "--index-url", "index", "--all-extras", "--all-groups"]) == 0
    assert " ; " not in capsys.readouterr().out


def test_fetch_brings_the_parts_for_a_target(project: Path) -> None:
    locked(
        "--all-extras",
        "--all-groups",
        "--python",
        "3.12",
        "--platform",
        "linux-x86_64",
        "--platform",
        "windows-amd64",
    )
    assert main(["fetch", "pylock.toml", "--python", "3.12", "--platform", "linux-x86_64"]) == 0
    assert len(list(Path("wheelhouse").glob("*.whl"))) == 7
    offline = Pylock.from_dict(tomllib.loads(Path("wheelhouse/pylock.offline.toml").read_text()))
    assert (offline.extras, offline.dependency_groups) == (["audio-io", "both", "nothing"], ["test", "lint"])


def test_what_is_proven_by_wheels_is_named() -> None:
    lock = solved("torchaudio==2.8.0", "soundfile")
    table = tomllib.loads(rendered(lock))["tool"]["torchlock"]
    assert table["rules"] == ["TL101"]
    (proof,) = table["proofs"]
    known = cell("torchaudio", "2.8.0", "2.8.0", "linux-x86_64", "3.12")
    assert known is not None
    assert (proof["package"], proof["version"], proof["torch"]) == ("torchaudio", "2.8.0", "2.8.0")
    assert [(each["name"], each["sha256"], each["read"]) for each in proof["wheels"]] == list(known.evidence)
    assert known.verdict == "loads"
    listed = {file.hashes["sha256"] for pin in lock.pins for file in pin.files}
    assert {each["sha256"] for each in proof["wheels"]} <= listed
