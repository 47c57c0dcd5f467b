"""Locks in which source distributions take part, from a local index."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.index_server import Reply, Server
from support.sdists import Shelf, archive, computed, of_setuptools, pkg_info
from torchlock.answers import Unknown
from torchlock.cli.main import main
from torchlock.index.sources import Sources
from torchlock.knowledge.releases import Release
from torchlock.standards.dependency import Dependency

Locked = tuple[int, dict[str, str], str, str]


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    with Server() as server:
        yield Shelf(server)


@pytest.fixture
def lock(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Locked]:
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("TORCHLOCK_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Locked:
        target = ["--python", "3.11", "--platform", "linux-x86_64", "--index-url", shelf.server.url]
        code = main(["lock", *target, *arguments])
        output = capsys.readouterr()
        lines = [
            line.partition(" ")[0] for line in output.out.splitlines() if "==" in line and line[0] not in " #"
        ]
        return code, dict(line.split("==") for line in lines), output.out, output.err

    return run


def test_an_sdist_is_a_candidate_like_any_other(shelf: Shelf, lock: Callable[..., Locked]) -> None:
    """encodec: its archive tells everything, in requires.txt."""
    shelf.sdist(
        "encodec", "0.1.1", of_setuptools("numpy", "einops ; extra == 'x'", name="encodec", version="0.1.1")
    )
    shelf.wheel("numpy", "2.0")
    content = archive(
        of_setuptools("numpy", "einops ; extra == 'x'", name="encodec", version="0.1.1"), "encodec", "0.1.1"
    )
    code, pins, text, notes = lock("encodec")
    assert (code, pins) == (0, {"encodec": "0.1.1", "numpy": "2.0"})
    assert f"--hash=sha256:{hashlib.sha256(content).hexdigest()}" in text
    assert "# built from source; its requirements are those of encodec.egg-info/requires.txt" in text
    assert "the installer has to build from source, which was not tested: encodec 0.1.1" in notes
    assert lock("encodec", "--allow-sdist")[:2] == (code, pins)
    package = json.loads(lock("encodec", "--json")[2])["packages"][0]
    assert package["built_from_source"] == {"requirements_from": "encodec.egg-info/requires.txt"}


def test_an_archive_of_distutils_without_metadata_is_read(shelf: Shelf, lock: Callable[..., Locked]) -> None:
    """distance 0.1.3, below g2p-en: no PKG-INFO, and a setup.py that requires nothing."""
    shelf.wheel("g2p", "2.1", "distance>=0.1.3")
    script = "from distutils.core import setup\nsetup(name='distance', version='0.1.3', packages=['distance'])\n"
    shelf.sdist("distance", "0.1.3", {"setup.py": script})
    code, pins, text, _ = lock("g2p")
    assert (code, pins) == (0, {"distance": "0.1.3", "g2p": "2.1"})
    assert "those of setup.py" in text


@pytest.mark.parametrize("kind", ["tgz", "zip", "tar", "tar.bz2", "tbz", "tar.xz", "txz"])
def test_every_kind_of_archive_that_pip_takes_is_read(
    shelf: Shelf, lock: Callable[..., Locked], kind: str
) -> None:
    shelf.wheel("leaf", "1.0")
    shelf.wheel("top", "1.0")
    files = {"PKG-INFO": pkg_info("Requires-Dist: leaf", name="top", version="2.0", metadata="2.2")}
    shelf.sdist("top", "2.0", files, kind=kind)
    code, pins, _, _ = lock("top", "--no-hashes")
    assert (code, pins) == (0, {"leaf": "1.0", "top": "2.0"})


@pytest.mark.parametrize("start", [b"BZh9", b"\xfd7zXZ\0", b"\x1f\x8b", b"ustar"])
def test_a_damaged_archive_of_any_kind_rejects_one_candidate(
    shelf: Shelf, lock: Callable[..., Locked], start: bytes
) -> None:
    shelf.wheel("top", "1.0")
    shelf.add("top", "top-2.0.tar.gz", start + b"damaged" * 100)
    code, pins, _, err = lock("top", "--no-hashes")
    assert (code, pins) == (0, {"top": "1.0"})
    assert "top 2.0 was skipped: top-2.0.tar.gz is not a readable source archive" in err


def test_of_a_release_the_wheel_and_of_releases_the_newest(shelf: Shelf, lock: Callable[..., Locked]) -> None:
    shelf.wheel("both", "1.0")
    shelf.sdist("both", "1.0", computed("both"))
    shelf.wheel("newer", "1.0")
    shelf.sdist("newer", "1.1", of_setuptools(name="newer", version="1.1"))
    code, pins, text, notes = lock("both", "newer")
    assert (code, pins) == (0, {"both": "1.0", "newer": "1.1"})
    assert text.count("# built from source") == 1
    assert "not tested: newer 1.1" in notes
    assert shelf.server.asked("/files/both-1.0.tar.gz") == 0


def test_the_archive_is_fetched_once_for_all_locks(shelf: Shelf, lock: Callable[..., Locked]) -> None:
    shelf.sdist("demo", "1.0", of_setuptools())
    shelf.sdist("other", "1.0", computed("other"))
    for _ in range(3):
        assert lock("demo")[0] == 0
        assert lock("other")[0] == 1
    assert shelf.server.asked("/files/demo-1.0.tar.gz") == 1
    assert shelf.server.asked("/files/other-1.0.tar.gz") == 1


def hydra(shelf: Shelf, leaf: dict[str, str | bytes], depth: int = 1) -> None:
    """A newest release that stands on a source distribution, and an old one that does not."""
    names = ["hydra", *(f"layer{number}" for number in range(1, depth)), "antlr"]
    shelf.wheel("hydra", "0.11.3")
    for name, below in itertools.pairwise(names):
        shelf.wheel(name, "1.3.2", f"{below}>=1")
    shelf.sdist("antlr", "4.9.3", leaf)


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_a_newer_release_that_is_passed_over_is_told(
    shelf: Shelf, lock: Callable[..., Locked], depth: int
) -> None:
    hydra(shelf, computed("antlr", "4.9.3"), depth)
    code, pins, _, notes = lock("hydra")
    assert (code, pins) == (0, {"hydra": "0.11.3"})
    through = f" (through {', '.join(f'layer{number}' for number in range(1, depth))})" if depth > 1 else ""
    assert (
        f"note: hydra 1.3.2 was skipped: it needs antlr{through}, and the source distribution antlr-4.9.3" in notes
    )
    assert "uses platform.machine" in notes or "imports platform" in notes
    assert "use --build to include it" in notes


def test_nothing_is_told_where_the_newest_is_taken_or_nobody_could_have_it(
    shelf: Shelf, lock: Callable[..., Locked]
) -> None:
    hydra(shelf, of_setuptools(name="antlr", version="4.9.3"))
    code, pins, _, notes = lock("hydra")
    assert (code, pins) == (0, {"hydra": "1.3.2", "antlr": "4.9.3"})
    assert "skipped" not in notes
    assert "skipped" not in lock("hydra<1")[3]


def test_the_newest_itself_is_passed_over(shelf: Shelf, lock: Callable[..., Locked]) -> None:
    shelf.wheel("demo", "1.0")
    shelf.sdist("demo", "2.0", computed("demo", "2.0"))
    code, pins, _, notes = lock("demo")
    assert (code, pins) == (0, {"demo": "1.0"})
    assert "demo 2.0 was skipped: the source distribution demo-2.0.tar.gz must be built" in notes


def test_what_nobody_asked_for_is_told_too(shelf: Shelf, lock: Callable[..., Locked]) -> None:
    shelf.wheel("demo", "1.0", "below")
    shelf.wheel("below", "1.0")
    shelf.sdist("below", "2.0", computed("below", "2.0"))
    shelf.sdist("below", "3.0", computed("below", "3.0"))
    code, pins, _, notes = lock("demo")
    assert (code, pins) == (0, {"demo": "1.0", "below": "1.0"})
    assert "also skipped: below 3.0" in notes


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_the_root_of_a_conflict_is_named(shelf: Shelf, lock: Callable[..., Locked], depth: int) -> None:
    """whisperx 3.7.4: docopt lies three levels down, below releases that each declare it."""
    names = ["whisperx", *(f"layer{number}" for number in range(1, depth)), "docopt"]
    for name, below in itertools.pairwise(names):
        for version in ("3.2", "3.2.1"):
            shelf.wheel(name, version, f"{below}>=0.6.2")
    for version in ("0.6.2", "0.6.3", "0.6.4"):
        shelf.sdist("docopt", version, computed("docopt", version))
    code, pins, _, message = lock("whisperx==3.2.1")
    assert (code, pins) == (1, {})
    assert "docopt 0.6.4: the source distribution docopt-0.6.4.tar.gz must be built" in message
    assert "another docopt" not in message
    ways = message.partition("what would work")[2].strip().splitlines()
    assert ways[0].startswith("- --build")
    assert "docopt 0.6.4" in ways[0]


def page_of(status: int) -> Reply:
    return Reply(b"<html>gone</html>", status)


BROKEN: dict[str, tuple[bytes | Reply, dict[str, object], str]] = {
    "no metadata": (archive({"README": ""}, "demo", "2.0"), {}, "has neither metadata nor project files"),
    "broken tar": (
        archive(of_setuptools(version="2.0"), "demo", "2.0")[:200],
        {},
        "is not a readable source archive",
    ),
    "no Metadata-Version": (
        archive({"PKG-INFO": "Name: demo\nVersion: 2.0\n"}, "demo", "2.0"),
        {},
        "must be built",
    ),
    "html": (b"<!DOCTYPE html>", {}, "is not a readable source archive"),
    "hidden": (Reply(b"<Error><Code>AccessDenied</Code></Error>", 403), {}, "was not found (status 403)"),
    "gone": (page_of(404), {}, "was not found (status 404)"),
    "another hash": (
        archive(of_setuptools(version="2.0")),
        {"hashes": {"sha256": "0" * 64}},
        "its sha256 differs",
    ),
    "another project": (
        archive({"PKG-INFO": pkg_info(name="other", metadata="2.2")}, "demo", "2.0"),
        {},
        "is an archive of other",
    ),
    "another Python": (
        archive({"PKG-INFO": pkg_info("Requires-Python: <3.9", version="2.0", metadata="2.2")}, "demo", "2.0"),
        {},
        "requires Python <3.9",
    ),
    "too large": (archive(of_setuptools(version="2.0")), {"size": 900 << 20}, "demo-2.0.tar.gz has 944 MB"),
}


@pytest.mark.parametrize(("content", "more", "says"), BROKEN.values(), ids=BROKEN.keys())
def test_one_damaged_archive_rejects_one_candidate(
    shelf: Shelf, lock: Callable[..., Locked], content: bytes | Reply, more: dict[str, object], says: str
) -> None:
    shelf.add("demo", "demo-2.0.tar.gz", content, **more)
    code, _, _, message = lock("demo")
    assert code == 1
    assert says in message
    shelf.sdist("demo", "1.0", of_setuptools())
    code, pins, _, notes = lock("demo", "--refresh")
    assert (code, pins) == (0, {"demo": "1.0"})
    assert "demo 2.0 was skipped" in notes
    assert says in notes


def test_one_damaged_wheel_rejects_one_candidate(shelf: Shelf, lock: Callable[..., Locked]) -> None:
    shelf.wheel("demo", "1.0")
    shelf.add("demo", "demo-2.0-py3-none-any.whl", b"no wheel")
    code, pins, _, notes = lock("demo")
    assert (code, pins) == (0, {"demo": "1.0"})
    assert "demo 2.0 was skipped" in notes
    assert "is not a readable wheel" in notes


@pytest.mark.parametrize("status", [401, 500, 503])
def test_an_index_that_fails_is_no_fault_of_a_candidate(
    shelf: Shelf, lock: Callable[..., Locked], status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    shelf.sdist("demo", "1.0", of_setuptools())
    shelf.add("demo", "demo-2.0.tar.gz", page_of(status))
    code, pins, _, message = lock("demo")
    assert (code, pins) == (2, {})
    assert f"status {status}" in message


def test_no_sdist_of_the_torch_family_is_ever_taken(shelf: Shelf, lock: Callable[..., Locked]) -> None:
    shelf.sdist("torchtext", "1.0", of_setuptools(name="torchtext"))
    code, _, _, message = lock("torchtext", "--build")
    assert code == 1
    assert "torchlock never builds the torch family from source" in message
    assert shelf.server.asked("/files/torchtext-1.0.tar.gz") == 0


MANY = ("cp311-cp311-win_amd64", "cp312-cp312-macosx_11_0_arm64")


def test_what_the_wheels_of_other_targets_declare_is_known_of_the_source(
    shelf: Shelf, lock: Callable[..., Locked]
) -> None:
    """As long as all of them declare the same, and more than one machine built them."""
    for tags in MANY:
        shelf.wheel("demo", "1.0", "below", tags=tags, core_metadata={"sha256": "1" * 64})
    shelf.sdist("demo", "1.0", computed("demo"))
    shelf.wheel("below", "1.0")
    code, pins, text, _ = lock("demo")
    assert (code, pins) == (0, {"demo": "1.0", "below": "1.0"})
    assert "its wheels for other targets, which all declare the same" in text
    assert shelf.server.asked("/files/demo-1.0.tar.gz") == 0


@pytest.mark.parametrize("digests", ["12", "1"], ids=["they differ", "one machine"])
def test_wheels_that_do_not_tell_leave_it_to_the_archive(
    shelf: Shelf, lock: Callable[..., Locked], digests: str
) -> None:
    for tags, digest in zip(MANY, digests, strict=False):
        shelf.wheel("demo", "1.0", "below", tags=tags, core_metadata={"sha256": digest * 64})
    shelf.sdist("demo", "1.0", of_setuptools())
    assert lock("demo")[:2] == (0, {"demo": "1.0"})
    assert shelf.server.asked("/files/demo-1.0.tar.gz") == 1


def test_the_source_of_what_is_compiled_elsewhere_comes_last(shelf: Shelf, lock: Callable[..., Locked]) -> None:
    shelf.wheel("demo", "1.0", tags="cp311-cp311-manylinux_2_28_x86_64")
    for tags in MANY:
        shelf.wheel("demo", "2.0", tags=tags)
    shelf.sdist("demo", "2.0", of_setuptools(version="2.0"))
    code, pins, _, notes = lock("demo")
    assert (code, pins) == (0, {"demo": "1.0"})
    assert "demo 2.0 was skipped: it has no wheel for" in notes
    code, pins, _, notes = lock("demo>=2")
    assert (code, pins) == (0, {"demo": "2.0"})
    assert "no wheel for Python 3.11, manylinux_2_28_x86_64: demo 2.0; the installer has to compile it" in notes


def test_a_zip_is_read_in_parts(shelf: Shelf, lock: Callable[..., Locked]) -> None:
    from support.index_server import ranges

    files = {**of_setuptools("below"), "data.bin": os.urandom(3 << 20)}
    content = archive(files, kind="zip")
    shelf.add("demo", "demo-1.0.zip", content)
    sent: list[int] = []
    serve = ranges(content)

    def counted(request: object) -> Reply:
        reply = serve(request)  # type: ignore[arg-type]
        sent.append(len(reply.body))
        return reply

    shelf.server.routes["/files/demo-1.0.zip"] = counted
    shelf.wheel("below", "1.0")
    assert lock("demo")[:2] == (0, {"demo": "1.0", "below": "1.0"})
    assert sum(sent) < 1 << 20


def test_a_project_cannot_allow_that_code_runs(lock: Callable[..., Locked], tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.torchlock]\nbuild = true\n")
    code, _, _, message = lock("demo")
    assert code == 2
    assert "a project may not set build" in message


# numba 0.34.0 has a source distribution alone; scipy 1.15.3 has many wheels, none of them for musl 1.1.
OLD = "numba", "0.34.0"


def sources(shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **words: bool) -> Sources:
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", shelf.server.url)
    return Sources(cache_dir=str(tmp_path / "cache"), **words)  # type: ignore[arg-type]


def of_catalogue(found: Sources, name: str, version: str) -> Release:
    return next(release for release in found.releases(name) if release.version == version)


def test_the_index_is_asked_for_an_sdist_of_the_catalogue(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, version = OLD
    shelf.sdist(name, version, of_setuptools("llvmlite", name=name, version=version))
    release = of_catalogue(sources(shelf, tmp_path, monkeypatch), name, version)
    assert release.has_sdist
    assert shelf.server.requests == []
    assert release.dependencies(-1) == [Dependency("llvmlite")]
    assert release.origin(-1) == "numba.egg-info/requires.txt"


def test_without_an_index_an_sdist_of_the_catalogue_is_unknown(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = of_catalogue(sources(shelf, tmp_path, monkeypatch, offline=True), *OLD)
    found = release.dependencies(-1)
    assert isinstance(found, Unknown)
    assert "--offline forbids" in str(found)
    assert isinstance(of_catalogue(sources(shelf, tmp_path, monkeypatch), *OLD).dependencies(-1), Unknown)


def test_the_wheels_of_the_catalogue_tell_of_its_sdists(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = of_catalogue(sources(shelf, tmp_path, monkeypatch), "scipy", "1.15.3")
    found = release.dependencies(-1)
    assert not isinstance(found, Unknown)
    assert "numpy" in {dependency.name for dependency in found}
    assert "wheels" in release.origin(-1)
    assert shelf.server.requests == []
