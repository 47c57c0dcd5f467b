"""pip and uv install what ``lock --accelerator`` writes, in hash mode, and refuse a file that was changed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.tags import sys_tags

from support.build_tables import use_tables
from support.installers import INSTALLERS, install
from support.wheel_index import LINUX, Published, WheelIndex
from torchlock.cli.main import main

# The tag of the real names where this interpreter takes it, else its own first one.
TAGS = max((str(tag) for tag in sys_tags()), key=lambda tag: tag.endswith(LINUX))
EITHER = pytest.mark.parametrize("installer", INSTALLERS)


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[WheelIndex]:
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_", "TORCHLOCK_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.chdir(tmp_path)
    with WheelIndex() as started:
        monkeypatch.setenv("PIP_INDEX_URL", started.public_url)
        yield started


def publish(index: WheelIndex, label: str = "+cu128", stated: str | None = None) -> list[Published]:
    """torch and torchaudio 2.8.0 in two folders; an old numpy in the folders, a new one in public."""
    for folder in ("cpu", "cu128"):
        version = f"2.8.0+{folder}" if label else "2.8.0"
        words = {} if stated is None else {"stated": stated}
        index.add(folder, "torch", version, TAGS, ["numpy"], **words)
        index.add(folder, "torchaudio", version, TAGS, ["torch==2.8.0"], **words)
    index.add("", "numpy", "1.26.3", TAGS)
    index.add_public("numpy", "2.3.0")
    index.add_public("torch", "2.9.0", ["numpy"], tags=TAGS)
    return [file for file in index.published if file.folder == "cu128"]


def use(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, family: list[Published]) -> None:
    """The data know names and hashes of these files, and not what they require."""
    tables: dict[str, list[Published]] = {"cu128": family, "cpu": []}
    use_tables(monkeypatch, tmp_path / "tables", tables, requires=lambda file: None)


def write_lock(index: WheelIndex, *options: str) -> Path:
    words = (
        "--accelerator",
        "cu128",
        "--builds-url",
        index.url,
        "--refresh",
        "--cache-dir",
        "cache",
        "--unproven",
    )
    lock = Path("pylock.toml" if "pylock" in options else "requirements.txt").absolute()
    assert main(["lock", "torch", "torchaudio", *words, *options, "-o", str(lock)]) == 0
    return lock


@EITHER
@pytest.mark.parametrize(
    ("label", "options"),
    [
        ("+cu128", ()),
        ("", ()),
        ("", ("--builds-by", "index")),
        ("+cu128", ("--format", "pylock")),
    ],
)
def test_a_lock_installs_the_build(
    installer: str,
    label: str,
    options: tuple[str, ...],
    index: WheelIndex,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    family = publish(index, label)
    use(monkeypatch, tmp_path, family)
    outcome = install(installer, write_lock(index, *options), index.public_url)
    assert outcome.code == 0, outcome.said
    assert outcome.versions == {"torch": f"2.8.0{label}", "torchaudio": f"2.8.0{label}", "numpy": "2.3.0"}
    assert [outcome.folder_of(name) for name in ("torch", "torchaudio", "numpy")] == ["cu128", "cu128", "public"]


def test_pip_installs_a_lock_by_index(index: WheelIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, tmp_path, publish(index))
    outcome = install("pip", write_lock(index, "--builds-by", "index"), index.public_url)
    assert outcome.code == 0, outcome.said
    assert outcome.versions == {"torch": "2.8.0+cu128", "torchaudio": "2.8.0+cu128", "numpy": "2.3.0"}


@EITHER
@pytest.mark.parametrize("options", [(), ("--format", "pylock")])
def test_triton_of_the_root_page_is_installed_where_the_public_index_has_none_for_the_machine(
    installer: str, options: tuple[str, ...], index: WheelIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = index.add("cu128", "torch", "2.8.0+cu128", TAGS, ["triton==3.4.0"])
    audio = index.add("cu128", "torchaudio", "2.8.0+cu128", TAGS, ["torch==2.8.0"])
    triton = index.add("", "triton", "3.4.0", TAGS)
    index.add_public("triton", "3.4.0", tags="cp311-cp311-manylinux_2_28_ppc64le")
    index.add_public("triton", "3.5.0", tags=TAGS)
    tables = {"cu128": [torch, audio], "root": [triton]}
    use_tables(
        monkeypatch,
        tmp_path / "tables",
        tables,
        requires=lambda file: ["triton==3.4.0"] if file.project == "torch" else [],
    )
    lock = write_lock(index, *options)
    assert triton.sha256 in lock.read_text(encoding="utf-8")
    outcome = install(installer, lock, index.public_url)
    assert outcome.code == 0, outcome.said
    assert outcome.versions == {"torch": "2.8.0+cu128", "torchaudio": "2.8.0+cu128", "triton": "3.4.0"}
    assert outcome.folder_of("triton") == ""


@EITHER
@pytest.mark.parametrize("options", [(), ("--format", "pylock")])
def test_a_file_that_was_changed_is_refused(
    installer: str, options: tuple[str, ...], index: WheelIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    family = publish(index)
    use(monkeypatch, tmp_path, family)
    lock = write_lock(index, *options)
    family[0].tamper()
    outcome = install(installer, lock, index.public_url)
    assert outcome.code != 0
    assert "torch" not in outcome.versions


@EITHER
def test_a_page_without_hashes_gives_a_lock_that_installs_by_the_hashes_of_the_table(
    installer: str, index: WheelIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    family = publish(index, stated="")
    use(monkeypatch, tmp_path, family)
    lock = write_lock(index)
    assert all(file.sha256 in lock.read_text(encoding="utf-8") for file in family)
    assert install(installer, lock, index.public_url).code == 0
