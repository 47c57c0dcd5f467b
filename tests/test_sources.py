"""Which source answers for a project: the extra indexes, the catalogue, the index of the user's settings."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.index_server import Reply, Server, entry, page, sha256
from torchlock.cli.main import main
from torchlock.errors import UnknownPackage
from torchlock.index.sources import Sources
from torchlock.knowledge.releases import Catalogue

IN_CATALOGUE = "3.13.1"


@pytest.fixture
def index() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def extra() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture(autouse=True)
def settings(index: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", index.url)
    monkeypatch.chdir(tmp_path)


def serve(server: Server, name: str, *versions: str) -> None:
    files = (entry(f"{name}-{version}-py3-none-any.whl", requires_python=">=3.8") for version in versions)
    server.routes[f"/{name}/"] = page(*files)


def versions(tmp_path: Path, name: str, **words: Any) -> list[str]:
    sources = Sources(cache_dir=str(tmp_path / "cache"), **words)
    return [release.version for release in sources.releases(name)]


def test_a_pin_that_the_catalogue_has_asks_nobody(tmp_path: Path, index: Server) -> None:
    assert IN_CATALOGUE in versions(tmp_path, "filelock")
    assert IN_CATALOGUE in versions(tmp_path, "filelock", pinned={"filelock": IN_CATALOGUE})
    assert index.requests == []


def test_a_pin_of_a_build_asks_nobody(tmp_path: Path, index: Server) -> None:
    """The public index has no labelled builds."""
    words: dict[str, Any] = {"pinned": {"torch": "2.8.0+cpu"}, "day": lambda: Catalogue().date}
    assert versions(tmp_path, "torch", **words)
    assert index.requests == []


def test_a_pin_that_is_later_than_the_catalogue_asks_the_index(tmp_path: Path, index: Server) -> None:
    serve(index, "filelock", "3.0", "999.0")
    assert versions(tmp_path, "filelock", pinned={"filelock": "999"}) == ["3.0", "999.0"]


@pytest.mark.parametrize("offline", [False, True])
def test_an_index_that_does_not_answer_leaves_the_catalogue(tmp_path: Path, index: Server, offline: bool) -> None:
    found = versions(tmp_path, "filelock", pinned={"filelock": "999"}, offline=offline)
    assert IN_CATALOGUE in found
    assert (index.requests == []) is offline


def test_an_extra_index_comes_first(tmp_path: Path, extra: Server) -> None:
    serve(extra, "filelock", "3.0", "3.1")
    assert versions(tmp_path, "filelock", extra_index_urls=[extra.url]) == ["3.0", "3.1"]
    words: dict[str, Any] = {"extra_index_urls": [extra.url], "pinned": {"filelock": "3.0"}}
    assert versions(tmp_path, "filelock", **words) == ["3.0", "3.1"]


def test_an_extra_index_without_the_pin_leaves_the_catalogue(tmp_path: Path, extra: Server) -> None:
    """The page of a build of torch has some versions of what torch needs."""
    serve(extra, "filelock", "3.0", "3.1")
    words: dict[str, Any] = {"extra_index_urls": [extra.url], "pinned": {"filelock": IN_CATALOGUE}}
    assert IN_CATALOGUE in versions(tmp_path, "filelock", **words)


def test_a_private_name_is_asked_of_nobody_else(tmp_path: Path, index: Server, extra: Server) -> None:
    serve(extra, "demo", "1.0")
    serve(index, "demo", "6.6.6")
    words: dict[str, Any] = {"extra_index_urls": [extra.url], "pinned": {"demo": "6.6.6"}}
    assert versions(tmp_path, "demo", **words) == ["1.0"]
    assert index.requests == []


def test_a_name_that_nobody_has(tmp_path: Path) -> None:
    with pytest.raises(UnknownPackage):
        versions(tmp_path, "demo", pinned={"demo": "1.0"})


# The catalogue is a snapshot of its date.


def live(server: Server, name: str, version: str, *requires: str) -> None:
    """Serve one wheel with its metadata, and nothing else of the project."""
    text = "\n".join(
        [
            "Metadata-Version: 2.1",
            f"Name: {name}",
            f"Version: {version}",
            *(f"Requires-Dist: {each}" for each in requires),
            "",
            "",
        ]
    )
    filename = f"{name}-{version}-py3-none-any.whl"
    digest = {"sha256": sha256(text.encode())}
    server.routes[f"/{name}/"] = page(entry(filename, core_metadata=digest, hashes={"sha256": "0" * 64}))
    server.routes[f"/{name}/{filename}.metadata"] = Reply(text.encode())


PLAIN = ["--python", "3.12", "--platform", "linux-x86_64", "--no-hashes", "--no-annotate"]


@pytest.mark.parametrize(
    "specifier", [">=999", ">999", "~=999.1", "==999.1", ">=3,!=3.13.1,>=999", "<=999.1,>=999"]
)
def test_the_index_is_asked_before_a_refusal(
    specifier: str, index: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    live(index, "filelock", "999.1")
    assert main(["lock", f"filelock{specifier}", *PLAIN, "--cache-dir", "cache"]) == 0
    assert "\nfilelock==999.1\n" in capsys.readouterr().out
    assert main(["explain", f"filelock{specifier}", *PLAIN[:4], "--cache-dir", "cache"]) == 0


def test_what_a_live_package_needs_is_asked_for(index: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """Its newest release needs a later filelock than the catalogue has; an older one would do without."""
    live(index, "demo", "1.0")
    older = json.loads(index.routes["/demo/"].body)["files"]  # type: ignore[union-attr]
    live(index, "demo", "2.0", "filelock>=999")
    newer = json.loads(index.routes["/demo/"].body)["files"]  # type: ignore[union-attr]
    index.routes["/demo/"] = page(*older, *newer)
    live(index, "filelock", "999.1")
    assert main(["lock", "demo", *PLAIN, "--cache-dir", "cache", "--json"]) == 0
    solution = json.loads(capsys.readouterr().out)
    found = {package["name"]: package["version"] for package in solution["packages"]}
    assert found == {"demo": "2.0", "filelock": "999.1"}
    assert index.url in solution["indexes"]


def test_a_refusal_that_the_index_confirms_has_no_date(index: Server, capsys: pytest.CaptureFixture[str]) -> None:
    serve(index, "filelock", "3.0", "3.1")
    assert main(["lock", "filelock>=999", *PLAIN, "--cache-dir", "cache"]) == 1
    said = capsys.readouterr().err
    assert "there is no filelock>=999; the newest that installs" in said
    assert " as of " not in said
    assert index.asked("/filelock/") == 1


@pytest.mark.parametrize("how", ["offline", "down"])
def test_a_refusal_that_rests_on_the_catalogue_has_its_date(
    how: str, index: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    index.routes["/filelock/"] = Reply(b"", 500)
    for command in ("lock", "explain"):
        options = ["--offline"] if how == "offline" else []
        assert main([command, "filelock>=999", *PLAIN[:4], "--cache-dir", "cache", *options]) == 1
        output = capsys.readouterr()
        said = output.out + output.err
        assert f"there is no filelock>=999 as of {Catalogue().date}" in said
        assert f"what would work as of {Catalogue().date}" in said
        assert "--refresh" in said
        assert ("the index could not be asked" in said) is (how == "down")
    assert index.asked("/filelock/") == (0 if how == "offline" else 2)  # in a hurry: once a command


def test_progress_tells_who_is_asked(index: Server, capsys: pytest.CaptureFixture[str]) -> None:
    live(index, "filelock", "999.1")
    assert main(["lock", "filelock>=999", *PLAIN, "--cache-dir", "cache", "-v"]) == 0
    assert "asking 127.0.0.1" in capsys.readouterr().err


def test_settings_that_cannot_be_read_leave_the_catalogue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pip.conf").write_text("[global\nindex-url = x\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    monkeypatch.setattr("torchlock.index.sources.today", lambda: "9999-01-01")
    assert main(["lock", "torch==2.8.0", *PLAIN, "--cache-dir", "cache"]) == 0
    assert f"releases are as of {Catalogue().date}" in capsys.readouterr().err
