"""What the solver gets to see of an index."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.index_server import Reply, Server, entry, index, metadata_text, page
from torchlock.errors import MetadataError, UnknownPackage
from torchlock.index.source import releases
from torchlock.standards.core_metadata import CoreMetadata, parse_metadata
from torchlock.standards.dependency import Dependency


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


def test_files_that_belong_to_no_release_are_left_out(tmp_path, server):
    server.routes["/demo/"] = page(
        entry("demo-1.0-py3-none-any.whl"),
        entry("other-1.0-py3-none-any.whl"),
        entry("demo-latest-py3-none-any.whl"),
        entry("demo-1.0-none-any.whl"),
        entry("demo-1.0-py3-none-any-extra-part.whl"),
        entry("demo-sdist.tar.gz"),
        entry("demo-1.0-src-old.zip"),
    )
    [release] = releases(index(tmp_path, server), "demo")
    assert [file.filename for file in release.wheels] == ["demo-1.0-py3-none-any.whl"]
    assert release.sdist is None


def test_files_are_grouped_by_version_oldest_first(tmp_path, server):
    names = ["demo-1.10.tar.gz", "demo-1.9-py3-none-any.whl", "demo-1.10.0-cp312-cp312-win_amd64.whl"]
    names += ["demo-1.9.zip", "demo-1.9.tar.gz", "Demo-1.9rc1.tar.gz", "demo-1.9+cpu-py3-none-any.whl"]
    server.routes["/demo/"] = page(*map(entry, names))
    found = releases(index(tmp_path, server), "Demo")
    assert [release.version for release in found] == ["1.9rc1", "1.9", "1.9+cpu", "1.10"]
    assert {release.name for release in found} == {"demo"}
    assert found[1].sdist is not None
    assert found[1].sdist.filename == "demo-1.9.tar.gz"
    assert [file.filename for file in found[3].wheels] == ["demo-1.10.0-cp312-cp312-win_amd64.whl"]


def test_date_and_source(tmp_path, server):
    late, early = "2024-02-03T00:00:00Z", "2024-02-01T23:00:00-05:00"
    server.routes["/demo/"] = page(
        entry("demo-1.0.tar.gz", upload_time=late),
        entry("demo-1.0-py3-none-any.whl", upload_time=early),
        entry("demo-0.9.tar.gz"),
    )
    links = tmp_path / "links"
    links.mkdir()
    (links / "demo-2.0.tar.gz").touch()
    secret = server.url.replace("://", "://me:secret@")
    found = releases(index(tmp_path / "cache", secret, find_links=[str(links)]), "demo")
    assert [release.date for release in found] == ["", "2024-02-02", ""]
    assert [release.index for release in found] == [server.url, server.url, str(links)]


@pytest.mark.parametrize(
    ("first", "second", "yanked"),
    [(False, False, None), (True, False, None), (True, True, ""), (True, "broken", "broken")],
)
def test_a_release_is_yanked_when_all_of_it_is(tmp_path, server, first, second, yanked):
    server.routes["/demo/"] = page(
        entry("demo-1.0.tar.gz", yanked=first), entry("demo-1.0-py3-none-any.whl", yanked=second)
    )
    [release] = releases(index(tmp_path, server), "demo")
    assert release.yanked == yanked


def test_what_a_file_declares(tmp_path, server):
    text = metadata_text(
        "Requires-Python: >=3.9",
        "Provides-Extra: GPU",
        "Provides-Extra: dev_tools",
        "Requires-Dist: NumPy (>=1.21,<2)",
        'Requires-Dist: torch[opt_einsum]>=2.0; extra == "gpu" and sys_platform == "linux"',
        "Requires-Dist: direct @ https://example.org/direct-1.0.tar.gz",
    )
    name = "demo-1.0-py3-none-any.whl"
    server.routes["/demo/"] = page(entry(name, core_metadata=True, requires_python=">=3.8"))
    server.routes[f"/demo/{name}.metadata"] = Reply(text.encode())
    [release] = releases(index(tmp_path, server), "demo")
    [file] = release.wheels
    assert release.dependencies(file) == [
        Dependency("numpy", "<2,>=1.21"),
        Dependency("torch", ">=2.0", 'extra == "gpu" and sys_platform == "linux"', ("opt-einsum",)),
        Dependency("direct", "===https://example.org/direct-1.0.tar.gz"),
    ]
    assert release.invalid(file) == []
    assert release.extras(file) == ["dev-tools", "gpu"]
    assert release.requires_python(0) == ">=3.8"  # the index's word
    assert release.declared(file).requires_python == ">=3.9"
    assert server.asked(f"/demo/{name}.metadata") == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            metadata_text("Requires-Dist: numpy>=2.*"),
            r"declares 'numpy>=2\.\*', .* \(pip 24\.1 and later refuse this release",
        ),
        (metadata_text().replace("demo", "other"), "its metadata is for other 1.0"),
        (metadata_text().replace("Version: 1.0", "Version: 1.1"), "its metadata is for demo 1.1"),
        ("<!DOCTYPE html>\n<html>Name: demo</html>\n", "its metadata has no Name and no Version"),
        ("Metadata-Version: 2.1\nName: demo\nVersion: 1.0\nRequires-D", "its metadata ends in the middle"),
    ],
)
def test_a_file_whose_dependencies_cannot_be_known(tmp_path, server, text, words):
    name = "demo-1.0-py3-none-any.whl"
    server.routes["/demo/"] = page(entry(name, core_metadata=True, hashes={"sha256": "a" * 64}))
    server.routes[f"/demo/{name}.metadata"] = Reply(text.encode())
    for _ in range(2):  # the second reads from the cache what may be kept there
        [release] = releases(index(tmp_path, server), "demo")
        with pytest.raises(MetadataError, match=words):
            release.dependencies(release.wheels[0])
    kept = "Version: 1" in text and text.endswith("\n")  # a page of a proxy is asked for anew
    assert server.asked(f"/demo/{name}.metadata") == (1 if kept else 2)


def test_the_description_declares_nothing():
    text = metadata_text("Requires-Dist: numpy") + "\nRequires-Dist: evil\n"
    for each in (text, text.replace("\n", "\r\n")):
        found = parse_metadata(each)
        assert isinstance(found, CoreMetadata)
        assert found.dependencies == [Dependency("numpy")]


def test_a_package_that_no_index_has(tmp_path, server):
    with pytest.raises(UnknownPackage):
        releases(index(tmp_path, server), "demo")
