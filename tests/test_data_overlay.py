"""``torchlock data``: the tables in the data folder of the user, and when they count."""

from __future__ import annotations

import hashlib
import io
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from support.index_server import Reply, Server
from torchlock.cli.main import main
from torchlock.errors import InputError
from torchlock.gathering.bundles import install, pack
from torchlock.gathering.compatibility import judged
from torchlock.gathering.installing import new_set, reset
from torchlock.knowledge import overlay as overlays
from torchlock.knowledge import tables
from torchlock.knowledge.overlay import MANIFEST, SETS, Overlay, user_folder
from torchlock.knowledge.releases import Catalogue
from torchlock.knowledge.rules import Matrix

MANIFEST_PARTS: dict[str, Any] = {
    "date": "2027-01-20",
    "source": "https://index.example.org/simple",
    "dates": {"torch": "2027-01-20"},
    "adds": [["torch", "2.16.0", "2027-01-15"], ["future-runtime", "1.0", ""]],
    "unproven": {"torch": {"2.16.0": {"linux-x86_64": "nobody has read it"}}},
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "data"
    monkeypatch.setenv("TORCHLOCK_DATA_DIR", str(folder))
    overlays.active.cache_clear()
    return folder


def with_torch(version: str) -> bytes:
    """The release file of torch with one more release, whose wheels are those of the last one."""
    table = json.loads((tables.ROOT / "releases" / "torch.json").read_bytes())
    table["releases"][version] = table["releases"]["2.15.0"]
    table["files"][version] = table["files"]["2.15.0"]
    head = json.dumps({key: value for key, value in table.items() if key != "files"})[:-1]
    rows = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in table["files"].items())
    return f'{head},\n"files": {{\n{rows}\n}}\n}}\n'.encode()


def put(folder: Path, **parts: Any) -> Overlay:
    rules = json.loads((tables.ROOT / "compiled" / "rules.json").read_bytes())
    rules["updated"] = {"date": "2027-01-20", "from": "https://index.example.org/simple"}
    with new_set(folder, {**MANIFEST_PARTS, **parts}) as made:
        made.put("releases/torch.json", with_torch("2.16.0"))
        made.put("compiled/rules.json", json.dumps(rules).encode())
    return made.overlay


def change(folder: Path, **parts: Any) -> None:
    manifest = json.loads((folder / MANIFEST).read_bytes())
    (folder / MANIFEST).write_text(json.dumps({**manifest, **parts}))
    overlays.active.cache_clear()


@pytest.mark.parametrize(
    ("platform", "environ", "expected"),
    [
        ("linux", {"TORCHLOCK_DATA_DIR": "/d", "XDG_DATA_HOME": "/x"}, "/d"),
        ("linux", {"XDG_DATA_HOME": "/x", "HOME": "/h"}, "/x/torchlock"),
        ("linux", {"XDG_DATA_HOME": "relative", "HOME": "/h"}, "/h/.local/share/torchlock"),
        ("darwin", {"HOME": "/h"}, "/h/Library/Application Support/torchlock"),
        ("win32", {"LOCALAPPDATA": "/l", "HOME": "/h"}, "/l/torchlock/data"),
    ],
)
def test_the_data_folder_of_each_system(
    platform: str, environ: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    found = user_folder(environ)
    assert found is not None
    assert found.as_posix() == expected


def test_without_an_update_the_bundled_tables_count(folder: Path) -> None:
    assert tables.overlay() is None
    assert tables.ignored() == ""
    assert tables.path("compiled/rules.json") == tables.ROOT / "compiled" / "rules.json"
    assert Matrix().update is None


def test_the_tables_of_an_update_count(folder: Path) -> None:
    made = put(folder)
    assert tables.overlay() == made
    catalogue = Catalogue()
    release = (catalogue.releases("torch") or [])[-1]
    assert release.version == "2.16.0"
    assert (catalogue.date_of("torch"), catalogue.date_of("numpy")) == ("2027-01-20", catalogue.date)
    update = Matrix().update
    assert update is not None
    assert update.row() == {"date": "2027-01-20", "from": "https://index.example.org/simple"}
    reasons = {tags.rpartition("-")[2].split("_")[0]: release.lack_on(tags) for tags in release.tags}
    assert reasons == {"manylinux": "", "macosx": "", "win": ""} | {"manylinux": reasons["manylinux"]}
    linux = next(tags for tags in release.tags if tags.endswith("manylinux_2_28_x86_64"))
    assert release.lack_on(linux) == "nobody has read it"
    assert release.is_judged, "on the other platforms"


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ({"torchlock": "9.9"}, "was made by torchlock 9.9, and is not used; run torchlock data update"),
        ({"bundled": {"date": "2020-01-01", "digest": "0"}}, "was made for other bundled data"),
        ({"format": 2}, "was made by another release of torchlock"),
        ({"files": {"../../etc/passwd": ["0", 1]}}, "are damaged"),
        ({"files": {"releases/torch.json": "nothing"}}, "are damaged"),
        ({"set": "../elsewhere"}, "are damaged"),
        ({"dates": {"torch": "yesterday"}}, "are damaged"),
        ({"set": "0" * 16}, "are damaged"),
    ],
)
def test_an_update_that_does_not_count(folder: Path, parts: dict[str, Any], why: str) -> None:
    put(folder)
    change(folder, **parts)
    assert tables.overlay() is None
    assert why in tables.ignored()
    assert (Catalogue().releases("torch") or [])[-1].version != "2.16.0"


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"null", b'{"format": 1}', b"\xff", b"[" * 100_000])
def test_a_damaged_manifest(folder: Path, text: bytes) -> None:
    put(folder)
    (folder / MANIFEST).write_bytes(text)
    overlays.active.cache_clear()
    assert tables.overlay() is None
    assert "damaged" in tables.ignored()


@pytest.mark.parametrize("damage", ["cut", "changed", "gone"])
def test_a_damaged_table_makes_the_whole_update_void(
    folder: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = put(folder).folder / "releases" / "torch.json"
    content = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(content[:-1] if damage == "cut" else content.replace(b"2.16.0", b"2.16.9"))
    overlays.active.cache_clear()
    assert main(["explain", "TL101"]) == 0
    assert "damaged" in capsys.readouterr().err
    assert tables.path("compiled/rules.json").is_relative_to(tables.ROOT)


def test_an_interrupted_update_changes_nothing(folder: Path) -> None:
    before = put(folder)
    with pytest.raises(KeyboardInterrupt), new_set(folder, MANIFEST_PARTS) as made:
        made.put("releases/torch.json", b"{}")
        raise KeyboardInterrupt
    overlays.active.cache_clear()
    assert tables.overlay() == before
    assert [path.name for path in (folder / SETS).iterdir()] == [before.folder.name]


def test_a_new_update_replaces_the_one_before(folder: Path) -> None:
    put(folder)
    after = put(folder, date="2027-01-21")
    overlays.active.cache_clear()
    found = tables.overlay()
    assert found == after
    assert found.date == "2027-01-21"


def test_reset_removes_all(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(folder)
    assert main(["data", "reset"]) == 0
    assert "no update" in capsys.readouterr().out
    assert tables.overlay() is None
    assert not (folder / SETS).exists()
    assert not reset(folder)


def test_a_folder_that_cannot_be_written(folder: Path) -> None:
    folder.write_text("a file")
    with pytest.raises(InputError, match="cannot be written"):
        put(folder)


def test_status_in_words_and_as_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(folder)
    assert main(["data"]) == 0
    said = capsys.readouterr().out
    assert "updated on 2027-01-20 from https://index.example.org/simple" in said
    assert "new: torch 2.16.0 (2027-01-15)" in said
    assert "new: future-runtime 1.0" in said
    assert "unproven: torch 2.16.0 on linux-x86_64: nobody has read it" in said
    assert main(["data", "status", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["bundled"]["date"] == Catalogue().date
    assert found["update"]["adds"][0] == {
        "name": "torch",
        "version": "2.16.0",
        "date": "2027-01-15",
        "unproven": {"linux-x86_64": "nobody has read it"},
    }
    assert found["ignored"] is None


LOCK = ["lock", "torch==2.3.1", "torchaudio==2.3.1", "--python", "3.11", "--platform", "linux-x86_64", "--offline"]


def test_locks_and_reports_say_it(folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    put(folder)
    said = "The data were updated on 2027-01-20 from https://index.example.org/simple (torchlock data update)."
    row = {"date": "2027-01-20", "from": "https://index.example.org/simple"}
    assert main(LOCK) == 0
    assert f"# {said}" in capsys.readouterr().out.splitlines()
    assert main([*LOCK, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["data_update"] == row
    (tmp_path / "requirements.txt").write_text("torch==2.3.1\ntorchaudio==2.3.1\n")
    assert main(["audit", str(tmp_path / "requirements.txt"), "--json"]) == 0
    found = capsys.readouterr()
    assert json.loads(found.out)["data_update"] == row
    assert "note: judged with the data that torchlock data update made on 2027-01-20" in found.err


def test_bundled_data_say_nothing_of_updates(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(LOCK) == 0
    said = capsys.readouterr()
    assert "updated" not in said.out
    assert [line.partition(": ")[2][:15] for line in said.err.splitlines()] == ["standard output"]


@pytest.fixture
def bundle(folder: Path) -> bytes:
    """A bundle of an update that was made and removed."""
    made = put(folder)
    content = pack(made, json.loads((folder / MANIFEST).read_bytes()))
    reset(folder)
    return content


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_bundle_holds_an_update(folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    put(folder)
    path = tmp_path / "data.zip"
    assert main(["data", "export", str(path)]) == 0
    assert f"sha256 {digest(path.read_bytes())}" in capsys.readouterr().out
    reset(folder)
    assert main(["data", "update", "--from", str(path), "--sha256", digest(path.read_bytes()).upper()]) == 0
    found = tables.overlay()
    assert found is not None
    assert (found.source, found.date) == (str(path), "2027-01-20")
    assert (Catalogue().releases("torch") or [])[-1].version == "2.16.0"


def test_a_bundle_at_an_address(folder: Path, bundle: bytes) -> None:
    with Server() as server:
        server.routes["/data.zip"] = Reply(bundle)
        words = ["data", "update", "--from", f"{server.url}data.zip", "--sha256", digest(bundle)]
        assert main(words) == 0
        server.routes["/data.zip"] = Reply(b"", 404)
        assert main(words) == 2
    assert tables.overlay() is not None


def test_another_digest_is_refused(folder: Path, bundle: bytes) -> None:
    with pytest.raises(InputError, match="is not the file that --sha256 says"):
        install(folder, bundle, "0" * 64, "data.zip")
    assert tables.overlay() is None


def rebuilt(bundle: bytes, **changed: bytes | None) -> bytes:
    """The bundle with other members (None: without)."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(bundle)) as old, zipfile.ZipFile(stream, "w") as new:
        for name in old.namelist():
            content = changed.get(name, old.read(name))
            if content is not None:
                new.writestr(name, content)
    return stream.getvalue()


def manifest_of(bundle: bytes, **parts: Any) -> bytes:
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        return json.dumps({**json.loads(archive.read("manifest.json")), **parts}).encode()


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ({"torchlock": "9.9"}, "was made by torchlock 9.9"),
        ({"bundled": {"date": "2020-01-01", "digest": "0"}}, "was made for other bundled data"),
        ({"format": 9}, "another release of torchlock"),
        ({"files": {"../evil.json": ["0", 1]}}, "is not a bundle"),
        ({"files": {"releases/torch.json": ["0" * 64, 1 << 40]}}, "is not a bundle"),
        ({"files": {"releases/missing.json": ["0" * 64, 10]}}, "is not a bundle"),
    ],
)
def test_a_bundle_that_is_refused(folder: Path, bundle: bytes, parts: dict[str, Any], why: str) -> None:
    other = rebuilt(bundle, **{"manifest.json": manifest_of(bundle, **parts)})
    with pytest.raises(InputError, match=why):
        install(folder, other, digest(other), "data.zip")
    assert tables.overlay() is None


@pytest.mark.parametrize("content", [b"", b"PK", b"{}", b"\0" * 1000])
def test_what_is_no_bundle(folder: Path, content: bytes) -> None:
    with pytest.raises(InputError, match="is not a bundle"):
        install(folder, content, digest(content), "data.zip")


def test_a_table_that_the_manifest_does_not_describe(folder: Path, bundle: bytes) -> None:
    other = rebuilt(bundle, **{"releases/torch.json": b"{}"})
    with pytest.raises(InputError, match=r"releases/torch\.json is not what the manifest"):
        install(folder, other, digest(other), "data.zip")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["status", "--everything"], "--everything belongs to data update"),
        (["update", "--from", "x.zip"], "--from and --sha256 belong together"),
        (
            ["update", "--from", "x.zip", "--sha256", "0", "--index-url", "https://index.example.org"],
            "asks no index",
        ),
        (["export"], "needs the FILE"),
        (["reset", "file"], "FILE belongs to data export"),
        (["export", "x.zip"], "there is no update to export"),
    ],
)
def test_wrong_use(folder: Path, words: list[str], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", *words]) == 2
    assert why in capsys.readouterr().err


def test_a_release_that_is_unproven_on_one_platform_is_judged_on_the_others(folder: Path) -> None:
    put(folder)
    assert "2.16.0" in {each.version for each in judged(Catalogue(), "torch")}
    assert "2.16.0" in {each.version for each in judged(Catalogue(), "torch", "macos-arm64")}
    assert "2.16.0" not in {each.version for each in judged(Catalogue(), "torch", "linux-x86_64")}


def test_a_release_that_is_unproven_everywhere_is_not_judged(folder: Path) -> None:
    put(folder, unproven={"torch": {"2.16.0": {"": "nobody has read it"}}})
    assert "2.16.0" not in {each.version for each in judged(Catalogue(), "torch")}
