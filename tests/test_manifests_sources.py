"""What a project's file says of sources and releases: followed, refused or told, by ``lock`` and ``audit``."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.local_index import publish
from torchlock.cli.main import main
from torchlock.manifests import read_document
from torchlock.manifests.document import Document

TARGET = ["--python", "3.12", "--platform", "linux-x86_64"]
PROJECT = '[project]\nname = "own"\nversion = "1"\ndependencies = ["demo"]\n'


@pytest.fixture(autouse=True)
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three indexes: the common one has demo 1.0, ``extra`` 2.0, ``page`` 3.0 with a label; no settings."""
    for name in [name for name in os.environ if name.startswith(("TORCHLOCK_", "PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    for index, version in (("common", "1.0"), ("extra", "2.0"), ("page", "3.0+cu124")):
        publish(tmp_path / index, "demo", version)
    publish(tmp_path / "common", "other", "1.0", ["demo"])
    publish(tmp_path / "common", "early", "1.0")
    publish(tmp_path / "common", "early", "2.0rc1")
    publish(tmp_path / "links", "demo", "4.0")
    folder = tmp_path / "member"
    folder.mkdir()
    (folder / "pyproject.toml").write_text('[project]\nname = "demo"\nversion = "9"\ndependencies = ["early"]\n')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def address(name: str) -> str:
    return (Path.cwd() / name).as_uri()


@dataclass
class Feature:
    """A piece of pyproject.toml, the version of demo that follows from it, or what is told or refused."""

    text: str
    version: str = ""
    note: str = ""
    error: str = ""
    options: tuple[str, ...] = ()
    audit: str = ""


UV_INDEX = '[[tool.uv.index]]\nname = "page"\nurl = "INDEX:page"\n'
EXPLICIT = UV_INDEX + "explicit = true\n"
SOURCES = "[tool.uv.sources]\n"
FEATURES = {
    "uv: nothing": Feature("", "1.0"),
    "uv: an index comes before the common one": Feature(UV_INDEX, "3.0+cu124", audit="extra"),
    "uv: an explicit index is not asked": Feature(EXPLICIT, "1.0", audit="nothing"),
    "uv: a package from an explicit index": Feature(
        EXPLICIT + SOURCES + 'demo = { index = "page" }', "3.0+cu124", audit="index"
    ),
    "uv: a list of sources with markers": Feature(
        EXPLICIT + SOURCES + 'demo = [{ index = "page", marker = "sys_platform == \'linux\'" }, '
        '{ url = "https://example.org/demo.zip", marker = "sys_platform == \'win32\'" }]',
        "3.0+cu124",
        audit="index",
    ),
    "uv: a source for other platforms": Feature(
        EXPLICIT + SOURCES + 'demo = { index = "page", marker = "sys_platform == \'darwin\'" }', "1.0"
    ),
    "uv: a source of an extra that is not asked for": Feature(
        EXPLICIT + SOURCES + 'demo = { index = "page", extra = "gpu" }\n'
        '[project.optional-dependencies]\ngpu = ["demo>=1"]',
        "1.0",
    ),
    "uv: a source of an extra": Feature(
        EXPLICIT + SOURCES + 'demo = { index = "page", extra = "gpu" }\n'
        '[project.optional-dependencies]\ngpu = ["demo>=1"]',
        "3.0+cu124",
        options=("--extra", "gpu"),
    ),
    "uv: a source of a group": Feature(
        EXPLICIT + SOURCES + 'demo = { index = "page", group = "gpu" }\n[dependency-groups]\ngpu = ["demo>=1"]',
        "3.0+cu124",
        options=("--group", "gpu"),
    ),
    "uv: git": Feature(
        SOURCES + 'demo = { git = "https://example.org/demo", tag = "v3", subdirectory = "python" }',
        note="demo is kept as written",
        audit="url",
    ),
    "uv: url": Feature(
        SOURCES + 'demo = { url = "INDEX:extra/demo/demo-2.0-py3-none-any.whl" }', "2.0", audit="url"
    ),
    "uv: path": Feature(SOURCES + 'demo = { path = "member" }', "9", audit="url"),
    "uv: a member of the workspace": Feature(
        SOURCES + 'demo = { workspace = true }\n[tool.uv.workspace]\nmembers = ["mem*"]', "9", audit="url"
    ),
    "uv: no such member": Feature(SOURCES + "demo = { workspace = true }", error="no member of the workspace"),
    "uv: no such index": Feature(SOURCES + 'demo = { index = "page" }', error="unknown index 'page'"),
    "uv: a source of an unknown kind": Feature(SOURCES + 'demo = { svn = "x" }', error="is not a source"),
    "uv: a source that nothing asks for": Feature(EXPLICIT + SOURCES + 'dmeo = { index = "page" }', "1.0", "dmeo"),
    "uv: flat index": Feature(
        UV_INDEX.replace("page", "links/demo") + 'format = "flat"', "4.0", audit="find-links"
    ),
    "uv: extra-index-url": Feature('[tool.uv]\nextra-index-url = ["INDEX:extra"]', "2.0", audit="extra"),
    "uv: pip.extra-index-url": Feature('[tool.uv.pip]\nextra-index-url = ["INDEX:extra"]', "2.0", audit="extra"),
    "uv: find-links": Feature('[tool.uv]\nfind-links = ["links/demo"]', "4.0", audit="find-links"),
    "uv: constraint-dependencies": Feature('[tool.uv]\nconstraint-dependencies = ["demo<1"]', error="no solution"),
    "uv: override-dependencies": Feature('[tool.uv]\noverride-dependencies = ["demo==7"]', error="demo==7"),
    "uv: prerelease": Feature(
        '[tool.uv]\nprerelease = "allow"\n[project.optional-dependencies]\nx = ["early"]',
        "1.0",
        options=("--extra", "x"),
    ),
    "uv: prerelease disallowed": Feature('[tool.uv]\nprerelease = "disallow"', "1.0", "prerelease is ignored"),
    "uv: resolution": Feature('[tool.uv]\nresolution = "lowest-direct"', "1.0", "--prefer lowest"),
    "uv: exclude-newer": Feature('[tool.uv]\nexclude-newer = "2024-01-01"', "1.0", "--exclude-newer"),
    "uv: torch-backend": Feature('[tool.uv.pip]\ntorch-backend = "cpu"', "1.0", "torch-backend is ignored"),
    "uv: environments": Feature("[tool.uv]\nenvironments = [\"sys_platform == 'linux'\"]", "1.0"),
    "uv: other environments": Feature(
        "[tool.uv]\nenvironments = [\"sys_platform == 'darwin'\"]",
        error="is locked for sys_platform == 'darwin' only",
    ),
    "uv: conflicts": Feature(
        '[tool.uv]\nconflicts = [[{ extra = "a" }, { extra = "b" }]]\n'
        "[project.optional-dependencies]\na = []\nb = []",
        error="--extra a and --extra b are declared as conflicting",
        options=("--all-extras",),
    ),
    "uv: conflicts of others": Feature(
        '[tool.uv]\nconflicts = [[{ extra = "a" }, { group = "b" }]]\n[project.optional-dependencies]\na = []',
        "1.0",
        options=("--extra", "a"),
    ),
    "uv: dev-dependencies": Feature('[tool.uv]\ndev-dependencies = ["demo<1"]', "1.0"),
    "uv: dev-dependencies asked for": Feature(
        '[tool.uv]\ndev-dependencies = ["demo<1"]', error="no solution", options=("--group", "dev")
    ),
    "poetry: a source comes before the common one": Feature(
        '[[tool.poetry.source]]\nname = "page"\nurl = "INDEX:page"\npriority = "supplemental"',
        "3.0+cu124",
        "is supplemental, but is asked before the public index",
        audit="extra",
    ),
    "poetry: an explicit source": Feature(
        '[[tool.poetry.source]]\nname = "page"\nurl = "INDEX:page"\npriority = "explicit"', "1.0", audit="nothing"
    ),
    "poetry: a package from a source": Feature(
        '[[tool.poetry.source]]\nname = "page"\nurl = "INDEX:page"\npriority = "explicit"\n'
        '[tool.poetry.dependencies]\ndemo = { source = "page" }',
        "3.0+cu124",
        audit="index",
    ),
    "poetry: an unknown source": Feature(
        '[tool.poetry.dependencies]\ndemo = { source = "page" }', error="unknown source 'page'"
    ),
    "poetry: path": Feature('[tool.poetry.dependencies]\ndemo = { path = "member" }', "9"),
    "pdm: a source comes before the common one": Feature(
        '[[tool.pdm.source]]\nname = "page"\nurl = "INDEX:page"', "3.0+cu124", audit="extra"
    ),
    "pdm: a source for some packages": Feature(
        '[[tool.pdm.source]]\nname = "page"\nurl = "INDEX:page"\ninclude_packages = ["dem*"]\n'
        'exclude_packages = ["*"]',
        "3.0+cu124",
        audit="index",
    ),
    "pdm: find links": Feature(
        '[[tool.pdm.source]]\nname = "l"\nurl = "INDEX:links/demo"\ntype = "find_links"', "4.0", audit="find-links"
    ),
    "pdm: overrides": Feature('[tool.pdm.resolution.overrides]\ndemo = "7"', error="demo==7"),
    "pdm: excludes": Feature('[tool.pdm.resolution]\nexcludes = ["demo"]', "1.0", "excludes"),
    "pdm: dev-dependencies": Feature(
        '[tool.pdm.dev-dependencies]\ntest = ["demo<1"]', error="no solution", options=("--group", "test")
    ),
    "rye: sources": Feature('[[tool.rye.sources]]\nname = "page"\nurl = "INDEX:page"', "3.0+cu124"),
    "hatch: environments": Feature('[tool.hatch.envs.gpu]\ndependencies = ["demo<1"]', "1.0"),
    "hatch: an environment asked for": Feature(
        '[tool.hatch.envs.gpu]\ndependencies = ["demo<1"]', error="no solution", options=("--group", "hatch-gpu")
    ),
    "hatch: a field that hatch fills in": Feature(
        '[tool.hatch.envs.gpu]\ndependencies = ["x @ {root:uri}/x"]',
        error="has a field that only hatch fills in",
        options=("--group", "hatch-gpu"),
    ),
    "pixi: packages of the index": Feature('[tool.pixi.pypi-dependencies]\ndemo = "<1"', error="no solution"),
}
assert all(feature.version or feature.note or feature.error for feature in FEATURES.values())


@pytest.mark.parametrize("name", FEATURES)
def test_lock_follows_refuses_or_tells(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    feature = FEATURES[name]
    text = (PROJECT + feature.text).replace("INDEX:", Path.cwd().as_uri() + "/")
    Path("pyproject.toml").write_text(text)
    code = main(["lock", "-r", "pyproject.toml", *TARGET, "-i", address("common"), *feature.options, "--json"])
    output = capsys.readouterr()
    if feature.error:
        assert code in (1, 2)
        assert feature.error in output.err
        return
    assert code == 0, output.err
    assert feature.note in output.err + output.out
    if feature.version:
        packages: list[dict[str, Any]] = json.loads(output.out)["packages"]
        assert {each["version"] for each in packages if each["name"] == "demo"} == {feature.version}


def _audited(document: Document) -> str:
    """How audit understood where demo comes from."""
    demo = next(entry for entry in document.entries if entry.name == "demo")
    if demo.url or demo.index:
        return "url" if demo.url else "index"
    return document.indexes[0].kind if document.indexes else "nothing"


@pytest.mark.parametrize("name", [name for name in FEATURES if FEATURES[name].audit])
def test_audit_reads_the_same_source(name: str) -> None:
    feature = FEATURES[name]
    Path("pyproject.toml").write_text((PROJECT + feature.text).replace("INDEX:", Path.cwd().as_uri() + "/"))
    assert _audited(read_document("pyproject.toml")) == feature.audit


def test_only_the_named_package_comes_from_its_index(capsys: pytest.CaptureFixture[str]) -> None:
    """What another package needs comes from there too; nothing else does; and pip is told how."""
    publish(Path("page"), "other", "5.0")
    project = PROJECT.replace('"demo"', '"other", "demo"')
    Path("pyproject.toml").write_text(
        (project + EXPLICIT + SOURCES + 'demo = { index = "page" }').replace("INDEX:", Path.cwd().as_uri() + "/")
    )
    assert main(["lock", *TARGET, "-i", address("common"), "--no-hashes", "--no-annotate"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "demo==3.0+cu124" in lines
    assert "other==1.0" in lines
    comment = lines.index("# only from this index: demo")
    assert lines[comment + 1] == f"--extra-index-url {address('page')}"


def test_offline_the_named_index_cannot_be_asked(capsys: pytest.CaptureFixture[str]) -> None:
    page = "https://mirror.example.org/whl/cu124"
    text = PROJECT.replace("demo", "torch==2.6.0") + EXPLICIT.replace("INDEX:page", page)
    Path("pyproject.toml").write_text(text + SOURCES + 'torch = { index = "page" }\n')
    assert main(["lock", *TARGET, "--offline"]) == 2
    said = capsys.readouterr()
    assert f"torch comes from the index {page}" in said.err
    assert said.out == ""


def test_of_a_package_by_address_the_version_asked_for_stays(capsys: pytest.CaptureFixture[str]) -> None:
    wheel = "INDEX:extra/demo/demo-2.0-py3-none-any.whl".replace("INDEX:", Path.cwd().as_uri() + "/")
    for asked, code in (("demo>=2", 0), ("demo<2", 1)):
        text = PROJECT.replace('"demo"', f'"{asked}"') + SOURCES + f'demo = {{ url = "{wheel}" }}'
        Path("pyproject.toml").write_text(text)
        assert main(["lock", *TARGET, "-i", address("common")]) == code
    assert f"demo @ {wheel}" in capsys.readouterr().out


def test_a_script_has_sources_too(capsys: pytest.CaptureFixture[str]) -> None:
    lines = ['dependencies = ["demo"]', *(EXPLICIT + SOURCES + 'demo = { index = "page" }').splitlines()]
    block = "\n".join(f"# {line}".rstrip() for line in lines).replace("INDEX:", Path.cwd().as_uri() + "/")
    Path("script.py").write_text(f"# /// script\n{block}\n# ///\n")
    assert main(["lock", "-r", "script.py", *TARGET, "-i", address("common"), "--no-hashes"]) == 0
    assert "demo==3.0+cu124" in capsys.readouterr().out


@pytest.mark.parametrize("option", ["-c", "--override"])
def test_a_further_file_names_indexes_as_in_pip(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("more.txt").write_text(f"--extra-index-url {address('extra')}\nother<9\n")
    assert main(["lock", "demo", option, "more.txt", *TARGET, "-i", address("common"), "--no-hashes"]) == 0
    assert "demo==2.0" in capsys.readouterr().out


def test_of_two_common_indexes_one_is_told_to_be_passed_over(capsys: pytest.CaptureFixture[str]) -> None:
    Path("one.in").write_text(f"-i {address('extra')}\ndemo\n")
    Path("two.in").write_text(f"-i {address('page')}\n")
    assert main(["lock", "-r", "one.in", "-r", "two.in", *TARGET]) == 0
    said = capsys.readouterr().err
    assert "two index URLs are given" in said
    assert main(["lock", "-r", "one.in", *TARGET, "-i", address("common")]) == 0
    assert "is ignored" in capsys.readouterr().err


def test_poetry_dependencies_alone_are_followed(capsys: pytest.CaptureFixture[str]) -> None:
    text = '[project]\nname = "own"\nversion = "1"\n[tool.poetry.dependencies]\npython = "^3.12"\ndemo = "*"\n'
    Path("pyproject.toml").write_text(text)
    assert main(["lock", *TARGET, "-i", address("common"), "--no-hashes", "--no-annotate"]) == 0
    assert "demo==1.0" in capsys.readouterr().out.splitlines()


def test_a_repository_is_written_as_pip_takes_it(capsys: pytest.CaptureFixture[str]) -> None:
    source = 'demo = { git = "https://example.org/demo", tag = "v3", subdirectory = "python" }'
    Path("pyproject.toml").write_text(
        PROJECT.replace("demo", "demo[x]>=1 ; os_name == 'posix'") + SOURCES + source
    )
    assert main(["lock", *TARGET, "-i", address("common"), "--no-hashes"]) == 0
    line = 'demo[x] @ git+https://example.org/demo@v3#subdirectory=python ; os_name == "posix"\n'
    assert line in capsys.readouterr().out


def test_a_member_of_a_workspace_has_the_sources_of_its_root(capsys: pytest.CaptureFixture[str]) -> None:
    root = EXPLICIT + SOURCES + 'demo = { index = "page" }\n[tool.uv.workspace]\nmembers = ["packages/*"]\n'
    Path("pyproject.toml").write_text(root.replace("INDEX:", Path.cwd().as_uri() + "/"))
    for name in ("one", "two"):
        Path("packages", name).mkdir(parents=True)
        Path("packages", name, "pyproject.toml").write_text(PROJECT.replace("own", name))
    one = Path("packages", "one", "pyproject.toml")
    options = ["-r", str(one), *TARGET, "-i", address("common"), "--no-hashes", "--no-annotate"]
    assert main(["lock", *options]) == 0
    assert "demo==3.0+cu124" in capsys.readouterr().out
    one.write_text(PROJECT.replace('"demo"', '"two"') + SOURCES + "two = { workspace = true }\n")
    assert main(["lock", *options]) == 0
    output = capsys.readouterr()
    assert "packages/two\n" in output.out
    assert "demo==3.0" not in output.out  # what the member itself needs comes from the common index
    Path("pyproject.toml").write_text(
        root.replace("packages/*", "others/*").replace("INDEX:", "https://example.org/")
    )
    one.write_text(PROJECT)
    assert main(["lock", *options]) == 0
    assert "demo==1.0" in capsys.readouterr().out


@pytest.mark.parametrize("members", ['["a**"]', '["/"]', "3", "[3]"])
def test_odd_members_of_a_workspace_are_no_bug(members: str) -> None:
    text = PROJECT + SOURCES + f"demo = {{ workspace = true }}\n[tool.uv.workspace]\nmembers = {members}\n"
    Path("pyproject.toml").write_text(text)
    assert main(["lock", *TARGET, "-i", address("common")]) == 2
