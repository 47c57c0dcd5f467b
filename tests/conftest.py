"""What every test begins with, so that they may run in any order, and how many processes run them."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from support.ground import Ground
from support.real_wheels import Wheels
from support.sketches import Sketches
from torchlock import redaction
from torchlock.finding import Finding
from torchlock.jobs import config_files
from torchlock.knowledge import registry

_tests = count(1)

# The words of a file of tests that may have one with these marks (`ground`: pytest_collection_modifyitems below).
_WORDS = {"network": ("network", "sketched", "ground"), "browser": ("browser",)}


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """For the whole suite one worker more than there are CPUs, because a seventh of the time is waiting.

    None for named files, where starting them costs more than it saves.
    """
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    whole = config.args_source is not pytest.Config.ArgsSource.ARGS and not config.option.keyword
    return (os.cpu_count() or 1) + 1 if whole else 0


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With ``-m network`` or ``-m browser``, the files that can have no such test are not imported."""
    words = _WORDS.get(config.option.markexpr)
    is_without = words and collection_path.suffix == ".py" and not _has(collection_path, words)
    return True if is_without else None


@cache
def _has(path: Path, words: tuple[str, ...]) -> bool:
    text = path.read_text(encoding="utf-8")
    return any(word in text for word in words)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A staged environment of real wheels needs the index.

    Raises:
        pytest.UsageError: a test has a mark that ``pytest_ignore_collect`` would not see in its file.
    """
    for item in items:
        kind = getattr(getattr(item, "callspec", None), "params", {}).get("wheels", "real")
        if "ground" in getattr(item, "fixturenames", ()) and kind == "real":
            item.add_marker(pytest.mark.network)
        for mark, words in _WORDS.items():
            if item.get_closest_marker(mark) and not _has(item.path, words):
                raise pytest.UsageError(f"{item.path}: a test is marked {mark}, and no word says so: {words}")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """What is collected stays to the end, so that looking for garbage in it meanwhile is in vain."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_finish() -> None:
    """What is imported and collected by now stays to the end: no collection of garbage need look at it."""
    gc.collect()
    gc.freeze()


# Machines are busy: no property is held to a time.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

# No test sees an update of the data that a developer has made.
os.environ["TORCHLOCK_DATA_DIR"] = str(Path(__file__).parent / "no-data")


@pytest.fixture(autouse=True)
def _tables_closed() -> None:
    """A run keeps its tables open; one of many runs in a process leaves them to the garbage collector.

    What is still there between two tests is kept for all of them: no later collection need look at it.
    """
    if next(_tests) % 40 == 0:
        gc.collect()
        gc.freeze()


@pytest.fixture(autouse=True)
def _no_settings_of_a_developer(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the configuration file of the user, except one that says where it is."""
    place = config_files.user_file
    monkeypatch.setattr(
        config_files, "user_file", lambda environ: place(environ) if environ.get("XDG_CONFIG_HOME") else None
    )


@pytest.fixture(autouse=True)
def _nothing_learned() -> None:
    """No secrets: a message would have stars instead of what another test read."""
    redaction.forget()


@pytest.fixture(autouse=True)
def _cases_of_rules(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hold a test to its marks: it reports the rules that it ``triggers``, and none that it leaves alone."""
    marks = {
        name: {rule for mark in request.node.iter_markers(name) for rule in mark.args}
        for name in ("triggers", "leaves_alone")
    }
    if not any(marks.values()):
        yield
        return
    reported: set[str] = set()
    made = Finding.__init__

    def recorded(self: Finding, rule: str, *rest: Any, **named: Any) -> None:
        reported.add(rule)
        made(self, rule, *rest, **named)

    monkeypatch.setattr(Finding, "__init__", recorded)
    yield
    assert marks["triggers"] <= reported
    assert not marks["leaves_alone"] & reported


@pytest.fixture(autouse=True, scope="session")
def _functions_report_only_their_rules() -> Iterator[None]:
    """A function that reports a rule that it is not registered for fails the test that asks it."""
    functions = registry.functions

    def watched(each: registry.Registered) -> registry.Registered:
        def asked(*arguments: Any) -> Iterator[Finding]:
            for finding in each.function(*arguments):
                assert finding.rule in each.rules, f"{each.name} is not registered for {finding.rule}"
                yield finding

        asked.__module__, asked.__name__ = each.function.__module__, each.function.__name__
        return each._replace(function=asked)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            registry,
            "functions",
            lambda *named, **options: [watched(each) for each in functions(*named, **options)],
        )
        yield


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that is marked ``sketched`` runs twice: with real wheels, and without an index with sketches.

    ``sketched(real=False)``: the test replaces libraries, so a real wheel would lack more than it stages.
    """
    if marker := metafunc.definition.get_closest_marker("sketched"):
        real = [pytest.param("real", marks=pytest.mark.network)] if marker.kwargs.get("real", True) else []
        kinds = [*real, "sketch"]
        metafunc.parametrize("wheels", kinds, indirect=True)


@pytest.fixture(scope="session")
def real_wheels(tmp_path_factory: pytest.TempPathFactory) -> Wheels:
    """Real wheels, each fetched once."""
    return Wheels(tmp_path_factory.mktemp("wheels"))


@pytest.fixture
def wheels(request: pytest.FixtureRequest, real_wheels: Wheels, tmp_path: Path) -> Wheels:
    """What a staged environment is made of: real wheels, or sketches of them."""
    return Sketches(tmp_path / "sketches") if getattr(request, "param", "real") == "sketch" else real_wheels


@pytest.fixture
def ground(
    tmp_path: Path,
    wheels: Wheels,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Ground:
    """A folder in which environments are staged, checked, and cured (support/ground.py)."""
    return Ground(tmp_path, wheels, monkeypatch, capsys)
