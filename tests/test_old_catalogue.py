"""A catalogue that is older than what the index serves: nothing is refused, claimed or locked by it alone."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.version import Version

from support import old_catalogue
from support.amount import amount
from support.index_server import Reply, Server
from torchlock.cli.main import main
from torchlock.knowledge import tables
from torchlock.knowledge.judge import NamedVersion, judge
from torchlock.knowledge.releases import Catalogue
from torchlock.knowledge.rules import Matrix
from torchlock.knowledge.stack import FAMILY
from torchlock.target import Platform, PythonVersion, Target

TARGET = ["--python", "3.12", "--platform", "linux-x86_64"]
PLAIN = [*TARGET, "--no-hashes", "--no-annotate"]
LOST: dict[str, list[str]] = {}
WHOLE = tables.ROOT


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("old") / "compat_data"
    LOST.update(old_catalogue.age(root))
    return root


@pytest.fixture(scope="module")
def whole(old: Path) -> Iterator[Server]:
    """An index that has all releases, those that the old catalogue lacks with the wheels of one platform."""
    with Server() as server:
        old_catalogue.serve(server, LOST, "x86_64")
        yield server


@pytest.fixture(autouse=True)
def aged(old: Path, whole: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "ROOT", old)
    for name in [name for name in os.environ if name.startswith(("TORCHLOCK_", "PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", whole.url)
    monkeypatch.setenv("TORCHLOCK_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr("torchlock.index.sources.today", lambda: "9999-01-01")
    monkeypatch.chdir(tmp_path)
    whole.requests.clear()


def lock(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, str], str]:
    """Exit code, pins, and what was said on standard error."""
    code = main(["lock", *arguments])
    output = capsys.readouterr()
    pins = dict(re.findall(r"^([a-z0-9-]+)(?:\[[^]]*\])?==(\S+)", output.out, re.MULTILINE))
    return code, pins, output.out + output.err


def loads(pins: dict[str, str]) -> bool:
    """Whether these pins of the family load together, by all that is known."""
    target = Target(PythonVersion.parse("3.12"), Platform.parse("linux-x86_64"))
    catalogue = Catalogue(WHOLE / "releases")
    found = {}
    for name in FAMILY & pins.keys():
        release = next(each for each in catalogue.releases(name) or () if each.version == pins[name])
        ranks = [(rank, index) for index, rank in enumerate(release.ranks(target.rank)) if rank is not None]
        wheel = min(ranks)[1]
        declared = [item for item in release.dependencies(wheel) or () if item.name in FAMILY]
        found[name] = NamedVersion(
            name, Version(pins[name]), False, release.tags[wheel], release.build(wheel), tuple(declared)
        )
    problems = judge(found, target, Matrix(WHOLE / "compiled" / "rules.json"))
    return not [
        each for each in problems if any(f"needs {name}" in each or "loads with" in each for name in found)
    ]


def newest(name: str) -> str:
    return LOST[name][-1]


@pytest.mark.parametrize(
    "names",
    [["torch"], ["torchaudio"], ["torch", "torchaudio"], ["torch", "torchaudio", "torchvision", "torchcodec"]],
)
def test_bare_names_get_the_newest_proven_set(names: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, pins, said = lock(capsys, *names, *PLAIN)
    assert code == 0
    assert not [name for name in LOST if pins.get(name) in LOST[name]]
    assert f"torch {newest('torch')} (" in said
    assert "use --unproven or a pin to lock it" in said
    assert loads(pins)
    assert lock(capsys, *names, *PLAIN, "--offline")[:2] == (0, pins)


def test_unproven_takes_the_newest_and_marks_it(capsys: pytest.CaptureFixture[str]) -> None:
    code, pins, said = lock(capsys, "torch", *PLAIN, "--unproven")
    assert code == 0
    assert pins["torch"] == newest("torch")
    assert f"\ntorch=={newest('torch')}\n    # unproven: " in said
    assert re.search(rf"note: torch {re.escape(newest('torch'))} \(.*is unproven", said)
    main(["lock", "torch", "--unproven", "--json", *TARGET])
    (torch,) = [each for each in json.loads(capsys.readouterr().out)["packages"] if each["name"] == "torch"]
    assert "data" in torch["unproven"]


def asked() -> list[tuple[str, str]]:
    """What asks for releases that the old catalogue lacks: a name, and which release in which form."""
    forms = ("0:=={}", "1:>={}", "2:~={}", "2:>={},!=0.1", "kept:>{}")
    every = [(name, form) for name in ("torch", "torchaudio", "torchvision", "torchcodec") for form in forms]
    return every[:: amount(1, quick=3)]


def specified(name: str, text: str) -> str:
    which, _, form = text.partition(":")
    if which != "kept":
        return name + form.format(LOST[name][int(which)])
    kept = [each.version for each in Catalogue().releases(name) or ()]
    return name + form.format(kept[-1])


@pytest.mark.sampled
@pytest.mark.parametrize(("name", "text"), asked())
def test_what_only_the_index_has_is_locked_and_marked(
    name: str, text: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = specified(name, text)
    for beside in ([], ["torch", "torchaudio"]):
        code, pins, said = lock(capsys, wanted, *beside, *PLAIN)
        with monkeypatch.context() as patch:
            patch.setattr(tables, "ROOT", WHOLE)
            expected = lock(capsys, wanted, *beside, *PLAIN, "--offline")[0]
        assert code == expected, said
        if code == 0:
            assert pins[name] in LOST[name]
            assert f"{name} {pins[name]} (" in said
            assert "unproven" in said
            assert loads(pins)
        else:
            assert " as of " not in said


@pytest.mark.sampled
@pytest.mark.parametrize(("name", "text"), asked())
def test_offline_no_claim_is_without_its_date(name: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("lock", "explain"):
        code = main([command, specified(name, text), *TARGET, "--offline"])
        output = capsys.readouterr()
        said = output.out + output.err
        assert code == 1
        for line in said.splitlines():
            if re.search("there is no|no release|no wheel|would work|satisfies", line):
                assert f" as of {Catalogue().date}" in line
        assert "--refresh" in said


def test_an_exclusion_is_no_request(capsys: pytest.CaptureFixture[str]) -> None:
    kept = (Catalogue().releases("torch") or ())[-1].version
    code, pins, said = lock(capsys, f"torch!={kept}", *PLAIN)
    assert code == 0
    assert pins["torch"] not in LOST["torch"]
    assert "use --unproven or a pin to lock it" in said


def test_a_pair_that_cannot_load_is_refused_by_what_was_read(capsys: pytest.CaptureFixture[str]) -> None:
    """torchaudio 2.11.0 (CUDA 13.0) compares minor versions; torch 2.15.0 is built for CUDA 13.2."""
    if not {"2.15.0", "2.11.0"} <= {*LOST["torch"], *LOST["torchaudio"]}:
        pytest.skip("the data are of another time")
    code, _, said = lock(capsys, "torch==2.15.0", "torchaudio==2.11.0", *PLAIN)
    assert code == 1
    assert "CUDA 13.2" in said


@pytest.mark.parametrize("status", [404, 500, 503])
def test_an_index_that_fails_leaves_the_catalogue(
    status: int, whole: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Server() as server:
        for name in LOST:
            server.routes[f"/{name}/"] = Reply(b"", status)
        monkeypatch.setenv("PIP_INDEX_URL", server.url)
        code, pins, said = lock(capsys, "torch", "torchaudio", *PLAIN)
        assert code == 0
        assert pins["torch"] not in LOST["torch"]
        assert f"as of {Catalogue().date}" in said
        assert len(server.requests) <= (5 if status == 404 else 2)  # what comes next is asked for ahead
        code, _, said = lock(capsys, specified("torch", "2:>={}"), *PLAIN)
        assert code == 1
        assert f"there is no torch>={newest('torch')} as of {Catalogue().date}" in said


def test_the_family_is_asked_for_once_the_data_are_a_day_old(
    whole: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("torchlock.index.sources.today", lambda: Catalogue().date)
    assert lock(capsys, "torch", *PLAIN)[0] == 0
    assert whole.requests == []
    monkeypatch.setattr("torchlock.index.sources.today", lambda: "9999-01-01")
    assert lock(capsys, "torch", *PLAIN)[0] == 0
    assert whole.asked("/torch/") == 1
    assert lock(capsys, "torch", *PLAIN)[0] == 0  # fresh for ten minutes
    assert whole.asked("/torch/") == 1


def test_a_lock_of_another_name_asks_nobody(whole: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert lock(capsys, "filelock", *PLAIN)[0] == 0
    assert whole.requests == []
