"""Extras and groups that exclude each other in one pylock.toml: what pip and uv install, and how it is read."""

from __future__ import annotations

import json
import sys
from itertools import product
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.pylock import Pylock

from support.fetched import alone as alone
from support.installers import install
from support.local_index import publish
from support.small_wheels import small_wheel
from torchlock.cli.main import main
from torchlock.lock.scope_conditions import Condition, choices, condition_marker

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
old = ["lib<2"]
new = ["lib>=2", "plus"]
more = ["codec"]

[dependency-groups]
early = ["tool<2"]
late = ["tool>=2"]

[tool.torchlock]
conflicts = [[{ extra = "old" }, { extra = "new" }], [{ group = "early" }, { group = "late" }]]
"""
INDEX = {
    ("base", "1.0"): ["lib"],
    ("lib", "1.0"): [],
    ("lib", "2.0"): [],
    ("plus", "1.0"): [],
    ("codec", "1.0"): ["lib<2"],
    ("codec", "2.0"): ["lib>=2"],
    ("tool", "1.0"): [],
    ("tool", "2.0"): [],
}
# What is installed beside base, by the extras and groups that are named.
PARTS = [
    ([], [], "lib 2.0"),
    (["old"], [], "lib 1.0"),
    (["new"], [], "lib 2.0 plus 1.0"),
    (["more"], [], "lib 2.0 codec 2.0"),
    (["old", "more"], ["early"], "lib 1.0 codec 1.0 tool 1.0"),
    (["new", "more"], ["late"], "lib 2.0 codec 2.0 plus 1.0 tool 2.0"),
]
LOCK = ("lock", "-o", "pylock.toml", "--index-url", "index", "--all-extras", "--all-groups")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project, and an index in a folder with real small wheels."""
    for (name, version), requires in INDEX.items():
        path = publish(tmp_path / "index", name, version, requires)
        path.write_bytes(small_wheel(name, version, "py3-none-any", requires))
        listed = sorted(path.parent.glob("*.whl"))
        path.with_name("index.html").write_text(
            "".join(f'<a href="{each.name}">{each.name}</a>\n' for each in listed)
        )
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    return tmp_path


def locked(*options: str) -> Pylock:
    assert main([*LOCK, *options]) == 0
    return Pylock.from_dict(tomllib.loads(Path("pylock.toml").read_text()))


def markers(lock: Pylock) -> dict[str, str]:
    return {f"{each.name} {each.version}": str(each.marker or "") for each in lock.packages}


def test_one_lock_has_all_of_them(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = locked()
    assert found.extras == ["old", "new", "more"]
    assert found.dependency_groups == ["early", "late"]
    assert markers(found) == {
        "base 1.0": "",
        "codec 1.0": '"more" in extras and "old" in extras',
        "codec 2.0": '("more" in extras and "new" in extras) or ("more" in extras and "old" not in extras)',
        "lib 1.0": '"old" in extras',
        "lib 2.0": '"new" in extras or "old" not in extras',
        "plus 1.0": '"new" in extras',
        "tool 1.0": '"early" in dependency_groups',
        "tool 2.0": '"late" in dependency_groups',
    }
    said = capsys.readouterr().err
    assert "8 packages locked" not in said
    assert "pip install -r 'pylock.toml[new,more]' --group pylock.toml:late" in said
    assert "[old,new" not in said


@pytest.mark.parametrize("installer", ["pip", "uv"])
@pytest.mark.parametrize(("extras", "groups", "wanted"), PARTS)
def test_installers_take_the_parts_that_are_named(
    installer: str, extras: list[str], groups: list[str], wanted: str, project: Path
) -> None:
    locked()
    outcome = installed(installer, project, extras, groups)
    assert outcome.code == 0, outcome.said
    words = iter(wanted.split())
    assert outcome.versions == {"base": "1.0", **dict(zip(words, words, strict=True))}


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_installers_refuse_two_that_exclude_each_other(installer: str, project: Path) -> None:
    locked()
    outcome = installed(installer, project, ["old", "new"], [])
    assert outcome.code != 0, outcome.versions


def installed(installer: str, project: Path, extras: list[str], groups: list[str]):
    lock = project / "pylock.toml"
    file = "pylock.toml:" if installer == "pip" else ""
    options = [f"--group={file}{group}" for group in groups]
    if installer == "pip" and extras:
        lock = project / f"pylock.toml[{','.join(extras)}]"
    elif installer == "uv":
        options = [*(f"--extra={extra}" for extra in extras), *options]
    return install(installer, lock, "http://127.0.0.1:9", *options)


def test_the_lock_is_kept_although_there_are_newer_releases(project: Path) -> None:
    locked()
    for name, version in (("lib", "1.5"), ("lib", "3.0"), ("codec", "1.5"), ("tool", "1.5")):
        publish(project / "index", name, version, ["lib<2"] if name == "codec" else [])
    assert main([*LOCK, "--check"]) == 0
    assert main([*LOCK, "-P", "lib"]) == 0
    found = tomllib.loads(Path("pylock.toml").read_text())
    assert [each["version"] for each in found["packages"] if each["name"] == "lib"] == ["1.5", "3.0"]
    assert [each["version"] for each in found["packages"] if each["name"] == "codec"] == ["1.0", "2.0"]


def test_each_target_has_its_own_choice(project: Path) -> None:
    options = ("--python", "3.12", "--platform", "linux-x86_64", "--platform", "macos-arm64", "--fork", "newest")
    publish(project / "index", "lib", "4.0", [], "cp312-cp312-macosx_11_0_arm64")
    found = markers(locked(*options))
    assert found["lib 1.0"] == '"old" in extras'
    assert found["lib 4.0"] == 'sys_platform == "darwin" and ("new" in extras or "old" not in extras)'
    assert found["lib 2.0"] == 'sys_platform == "linux" and ("new" in extras or "old" not in extras)'


def test_a_choice_without_a_solution_leaves_its_target_out(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "pyproject.toml").write_text(PROJECT.replace("lib<2", "lib<2; sys_platform == 'linux'", 1))
    text = (project / "pyproject.toml").read_text().replace('new = ["lib>=2"', 'new = ["lib>=9"')
    (project / "pyproject.toml").write_text(text)
    assert main([*LOCK]) == 1
    assert "lib>=9" in capsys.readouterr().err
    assert not Path("pylock.toml").exists()


def test_the_json_has_a_result_for_each_choice(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*LOCK, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["targets"]
    assert len(found) == 9
    assert [each["chosen"] for each in found if "extra:old" in each["chosen"]] == [
        ["extra:old", "extra:more", "group:early"],
        ["extra:old", "extra:more", "group:late"],
        ["extra:old", "extra:more"],
    ]


def test_audit_judges_each_extra_with_what_it_installs(capsys: pytest.CaptureFixture[str]) -> None:
    """torchaudio 2.8 belongs to torch 2.8, which only the extra installs."""
    packages = [("torch", "2.9.1", "'old' not in extras"), ("torch", "2.8.0", "'old' in extras")]
    packages += [("torchaudio", "2.9.1", "'old' not in extras"), ("torchaudio", "2.8.0", "'old' in extras")]
    Path("pylock.toml").write_text(pylock(packages))
    assert main(["audit", "pylock.toml", "--python", "3.12", "--platform", "linux-x86_64"]) == 0
    assert "TL101" not in capsys.readouterr().out
    wrong = [
        item if item[:2] != ("torchaudio", "2.8.0") else ("torchaudio", "2.9.1", item[2]) for item in packages
    ]
    Path("pylock.toml").write_text(pylock(wrong))
    main(["audit", "pylock.toml", "--python", "3.12", "--platform", "linux-x86_64"])
    assert "TL101 torchaudio 2.9.1 works with torch 2.9.1, not with torch 2.8.0" in capsys.readouterr().out


def pylock(packages: list[tuple[str, str, str]]) -> str:
    lines = ['lock-version = "1.0"', 'created-by = "hand"', 'extras = ["old"]']
    for name, version, marker in packages:
        wheel = f"{name}-{version}-cp312-cp312-manylinux_2_28_x86_64.whl"
        lines += ["[[packages]]", f'name = "{name}"', f'version = "{version}"', f'marker = "{marker}"']
        lines += [f'wheels = [{{ url = "https://example.org/{wheel}", hashes = {{ sha256 = "{"0" * 64}" }} }}]']
    return "\n".join(lines) + "\n"


SCOPES = ("extra:a", "extra:b", "extra:c", "group:d")


@pytest.mark.parametrize("number", range(40))
def test_a_marker_is_true_in_the_cases_of_its_conditions_only(number: int) -> None:
    import random

    pick = random.Random(number)
    found = choices(SCOPES, [("extra:a", "extra:b"), ("extra:b", "group:d")][: pick.randint(1, 2)])
    conditions = [
        Condition(pick.choice(found), tuple(pick.sample(SCOPES, pick.randint(0, 2))))
        for _ in range(pick.randint(1, 4))
    ]
    cases = [
        {scope for scope, bit in zip(SCOPES, case, strict=True) if bit}
        for case in product((False, True), repeat=len(SCOPES))
    ]
    if not any(holds(condition, case) for condition in conditions for case in cases):
        with pytest.raises(ValueError, match="never true"):
            condition_marker(conditions)
        return
    text = condition_marker(conditions)
    for named in cases:
        wanted = any(holds(condition, named) for condition in conditions)
        environment = {
            "extras": {scope[6:] for scope in named if scope.startswith("extra:")},
            "dependency_groups": {scope[6:] for scope in named if scope.startswith("group:")},
        }
        assert wanted is (not text or Marker(text).evaluate(environment, context="lock_file")), (text, named)  # type: ignore[arg-type]


def holds(condition: Condition, named: set[str]) -> bool:
    """The definition, written without a marker."""
    sets = condition.choice.sets
    chosen = [next((scope for scope in each if scope in condition.choice.scopes), None) for each in sets]
    good = all(one in named if one else named.isdisjoint(each) for one, each in zip(chosen, sets, strict=True))
    return good and (not condition.scopes or not named.isdisjoint(condition.scopes))
