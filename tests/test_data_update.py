"""``torchlock data update`` on a made-up future: what every command says before and after it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from support import future
from support.amount import amount
from support.refresh_index import Index, started
from torchlock.knowledge.releases import Catalogue

TARGET = ["--python", "3.12", "--platform", "linux-x86_64"]
FILES = ("torch-2.16.0", "torchaudio-2.12.0")


class Said(NamedTuple):
    """The exit code of a run, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class User:
    """Runs torchlock in processes of their own, with a data folder, a cache and an index."""

    def __init__(self, folder: Path, index: Index) -> None:
        self.folder = folder
        self.index = index
        self._environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))},
            "TORCHLOCK_DATA_DIR": str(folder / "data"),
            "TORCHLOCK_CACHE_DIR": str(folder / "cache"),
            "PIP_CONFIG_FILE": os.devnull,
            "UV_NO_CONFIG": "1",
        }

    def run(self, *words: str) -> Said:
        command = [sys.executable, "-m", "torchlock", *words]
        done = subprocess.run(command, cwd=self.folder, env=self._environ, capture_output=True, text=True)
        return Said(done.returncode, done.stdout, done.stderr)

    def update(self) -> Said:
        return self.run("data", "update", "--index-url", self.index.url)

    def lock(self, *requirements: str) -> Said:
        return self.run("lock", *requirements, *TARGET, "--offline", "--json")

    def audit(self, *requirements: str) -> Said:
        (self.folder / "requirements.txt").write_text("\n".join(requirements) + "\n")
        return self.run("audit", "requirements.txt", *TARGET, "--json")


@pytest.fixture
def user(tmp_path: Path) -> Iterator[User]:
    with started() as index:
        future.fill(index)
        yield User(tmp_path, index)


def pins(said: Said) -> dict[str, str]:
    return {row["name"]: row["version"] for row in said.json["packages"]}


def rules(said: Said) -> list[tuple[str, str]]:
    return [(row["rule"], row["severity"]) for file in said.json["files"] for row in file["findings"]]


def worse_than_notes(said: Said) -> list[str]:
    """The rules of findings that are no notes; and none is a note that something was not judged."""
    assert "TL902" not in dict(rules(said))
    return [rule for rule, severity in rules(said) if severity != "note"]


def site(folder: Path, *wheels: tuple[str, bytes]) -> Path:
    """An environment with these wheels."""
    place = folder / "-".join(name.split("-")[1] for name, _ in wheels) / "site-packages"
    for _, content in wheels:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            archive.extractall(place)
    return place


@pytest.mark.sampled
def test_the_whole_flow(user: User) -> None:
    """One test: the update is the slow part of it."""
    newest = (Catalogue().releases("torch") or [])[-1].version
    assert pins(user.lock("torchaudio"))["torch"] == newest
    assert rules(user.audit("torch==2.16.0", "torchaudio==2.12.0")) == [("TL902", "note")] * 2

    status = user.update()
    assert status.code == 0, status.err
    assert "new: torch 2.16.0 (2027-01-15)" in status.out
    assert "unproven: torch " not in status.out
    assert "unproven: torchaudio " not in status.out
    assert "unproven: torchcodec 0.18.0 on linux-x86_64: its wheel could not be read" in status.out
    asked = [path for path in user.index.asked if path.startswith("/simple/")]
    assert len(asked) == len(set(asked)), "a page is read once"

    lock = user.lock("torchaudio")
    found = pins(lock)
    assert (found["torch"], found["torchaudio"], found["future-runtime"]) == ("2.16.0", "2.12.0", "1.0")
    assert lock.json["data_update"]["from"] == user.index.url
    digests = [file["hashes"]["sha256"] for row in lock.json["packages"] for file in row["files"]]
    assert len(digests) >= len(found)
    text = user.run("lock", "torchaudio", *TARGET, "--offline").out
    assert f"from {user.index.url} (torchlock data update)." in text

    refused = user.lock("torchaudio==2.12.0", f"torch=={newest}")
    assert refused.code == 1
    assert f"its libraries use {future.NEW}, which torch has from 2.16.0 on" in refused.err
    assert pins(user.lock("torch==2.16.0", "torchaudio<2.12"))["torchaudio"] == "2.11.1"
    assert pins(user.lock("torch==2.3.1", "torchaudio"))["torchaudio"] == "2.3.1", "the index has no such release"

    # A release that nobody could read is left out, until somebody asks for it.
    left = user.lock("torchcodec")
    assert pins(left)["torchcodec"] != "0.18.0"
    assert any("torchcodec 0.18.0 (2027-01-15) was left out: its wheel" in note for note in left.json["notes"])
    pinned = {row["name"]: row for row in user.lock("torchcodec==0.18.0").json["packages"]}
    assert "could not be read" in pinned["torchcodec"]["unproven"]

    assert not worse_than_notes(user.audit("torch==2.16.0", "torchaudio==2.12.0"))
    broken = user.audit(f"torch=={newest}", "torchaudio==2.12.0")
    assert worse_than_notes(broken) == ["TL101"]
    assert broken.json["files"][0]["findings"][0]["sources"][0]["id"] == "data-update"
    (unread,) = user.audit("torch==2.16.0", "torchcodec==0.18.0").json["files"][0]["findings"]
    assert unread["rule"] == "TL902"
    assert unread["message"].startswith("torchcodec 0.18.0 was not judged: its wheel could not be read (")

    good = user.run("check", "--path", str(site(user.folder, future.torch("2.16.0"), future.torchaudio("2.12.0"))))
    assert "TL101" not in good.out
    old = future.torch(newest, without=future.NEW)
    bad = user.run("check", "--path", str(site(user.folder, old, future.torchaudio("2.12.0"))), "--json")
    assert bad.code == 1
    assert future.NEW in bad.out

    left_out = user.run("matrix", "torchcodec==0.18.0", "--platform", "linux-x86_64")
    assert "note: torchcodec 0.18.0 is not in the matrix, because it is unproven: its wheel" in left_out.err
    cells = user.run("matrix", "torchaudio==2.12.0", f"torch>={newest}", "--platform", "linux-x86_64", "--json")
    verdicts = {row["torch"]: (row["verdict"], row["symbol"]) for row in cells.json["cells"]}
    assert verdicts == {"2.16.0": ("loads", None), newest: ("fails", future.NEW)}

    # A second update reads only the wheel that could not be read; a failing index changes nothing.
    for _ in range(amount(1, quick=0)):
        assert "and 1 wheel were read" in user.update().err
    user.index.projects.clear()
    user.index.url = "http://127.0.0.1:9/simple/"
    assert user.update().code == 2
    assert pins(user.lock("torchaudio"))["torch"] == "2.16.0"

    assert user.run("data", "reset").code == 0
    assert pins(user.lock("torchaudio"))["torch"] == newest
