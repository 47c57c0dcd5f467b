"""Real pip and uv install locks of a build from a local wheel index, in hash mode.

docs/builds.md ("Which form") states what these tests show.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.build_stack import TAGS, Stack, data_of, publish
from support.build_tables import use_tables
from support.installers import INSTALLERS, Outcome, install
from support.wheel_index import WheelIndex
from torchlock.cli.main import main
from torchlock.knowledge import tables

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64" or not (3, 9) <= sys.version_info < (3, 14),
    reason="torch 2.8.0 with CUDA has no wheel for this interpreter",
)
EITHER = pytest.mark.parametrize("installer", INSTALLERS)
FORMS = pytest.mark.parametrize("form", ["file", "index", "pylock"])


@pytest.fixture(autouse=True)
def _own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No index or folder that the settings of this machine name."""
    for name in list(os.environ):
        if name.startswith(("PIP_", "UV_", "TORCHLOCK_", "XDG_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def index() -> Iterator[WheelIndex]:
    with WheelIndex() as started:
        yield started


def is_installed(outcome: Outcome, stack: Stack) -> bool:
    """Whether exactly the locked files are there, and those of the family from their folder."""
    assert outcome.code == 0, outcome.said
    assert outcome.versions == {file.project: file.version for file in (*stack.family, *stack.others)}
    return all(outcome.folder_of(file.project) == file.folder for file in stack.family)


Locked = Callable[..., Path]


@pytest.fixture
def locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Locked:
    """Returns the lock of one form that torchlock makes with the tables of the index of a stack."""

    def make(stack: Stack, form: str = "file") -> Path:
        monkeypatch.setattr(tables, "ROOT", data_of(stack.index, tmp_path))
        if form == "pylock":
            return stack.lock(tmp_path, "--format", "pylock", name="pylock.toml")
        return stack.lock(tmp_path, "--builds-by", form)

    return make


@EITHER
@FORMS
@pytest.mark.parametrize("labelled", [True, False], ids=["labelled", "unlabelled"])
def test_each_form_gives_the_build(
    installer: str, form: str, labelled: bool, index: WheelIndex, locked: Locked
) -> None:
    stack = publish(index, labelled=labelled, folder="cu128")
    assert is_installed(install(installer, locked(stack, form), index.public_url), stack)


@EITHER
def test_an_unlabelled_name_of_the_cpu_folder_is_the_cpu_build(
    installer: str, index: WheelIndex, locked: Locked
) -> None:
    stack = publish(index, labelled=False)
    assert is_installed(install(installer, locked(stack), index.public_url), stack)


@EITHER
@pytest.mark.parametrize("name", ["requirements.txt", "pylock.toml"])
def test_triton_of_the_root_page_where_the_public_index_has_none_for_the_machine(
    installer: str, name: str, index: WheelIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = index.add("cu128", "torch", "2.8.0+cu128", TAGS, ["triton==3.4.0"])
    triton = index.add("", "triton", "3.4.0", TAGS)
    index.add_public("triton", "3.4.0", tags="cp311-cp311-manylinux_2_28_ppc64le")
    index.add_public("triton", "3.5.0", tags=TAGS)
    use_tables(
        monkeypatch,
        tmp_path / "tables",
        {"cu128": [torch], "root": [triton]},
        requires=lambda file: ["triton==3.4.0"] if file is torch else [],
    )
    monkeypatch.setenv("PIP_INDEX_URL", index.public_url)
    words = ("--accelerator", "cu128", "--builds-url", index.url, "--refresh", "--cache-dir", "cache")
    assert main(["lock", "torch", *words, "-o", name]) == 0
    assert triton.sha256 in Path(name).read_text(encoding="utf-8")
    outcome = install(installer, tmp_path / name, index.public_url)
    assert outcome.code == 0, outcome.said
    assert outcome.versions == {"torch": "2.8.0+cu128", "triton": "3.4.0"}
    assert outcome.folder_of("triton") == ""


@EITHER
@pytest.mark.parametrize("form", ["file", "pylock"])
def test_for_exact_files_no_page_of_the_folder_is_asked(
    installer: str, form: str, index: WheelIndex, locked: Locked
) -> None:
    stack = publish(index)
    index.add("", "numpy", "1.26.3", TAGS)
    lock = locked(stack, form)
    index.requests.clear()
    assert is_installed(install(installer, lock, index.public_url), stack)
    assert [path for path in index.pages_asked() if path.startswith("/whl/")] == []


def test_pip_merges_the_old_numpy_of_a_folder_with_the_public_one(index: WheelIndex, locked: Locked) -> None:
    stack = publish(index)
    index.add("", "numpy", "1.26.3", TAGS)
    assert is_installed(install("pip", locked(stack, "index"), index.public_url), stack)


def test_uv_takes_numpy_from_the_first_index_that_has_any(index: WheelIndex, locked: Locked) -> None:
    stack = publish(index)
    index.add("", "numpy", "1.26.3", TAGS)
    lock = locked(stack, "index")
    outcome = install("uv", lock, index.public_url)
    assert outcome.code == 1
    assert "`numpy` was found on" in outcome.said
    assert outcome.versions == {}
    assert is_installed(install("uv", lock, index.public_url, "--index-strategy=unsafe-best-match"), stack)


def test_uv_is_content_with_a_folder_that_copies_the_page_of_numpy(index: WheelIndex, locked: Locked) -> None:
    stack = publish(index)
    index.copy_page("numpy")
    assert is_installed(install("uv", locked(stack, "index"), index.public_url), stack)


@EITHER
def test_a_folder_that_answers_403_for_what_it_lacks(installer: str, locked: Locked) -> None:
    """As the real one does. uv takes that for an answer only from hosts of pytorch.org."""
    with WheelIndex(missing=403) as index:
        stack = publish(index)
        outcome = install(installer, locked(stack, "index"), index.public_url)
        if installer == "pip":
            assert is_installed(outcome, stack)
        else:
            assert outcome.code == 1
            assert "403" in outcome.said


@EITHER
@FORMS
def test_a_tampered_file_is_refused(installer: str, form: str, index: WheelIndex, locked: Locked) -> None:
    stack = publish(index)
    lock = locked(stack, form)
    stack.torch.tamper()
    outcome = install(installer, lock, index.public_url)
    assert outcome.code == 1
    assert stack.torch.stated in outcome.said
    assert stack.torch.sha256 in outcome.said
    assert outcome.versions == {}


@EITHER
def test_the_file_of_another_folder_is_refused(installer: str, index: WheelIndex, locked: Locked) -> None:
    stack = publish(index, labelled=False)
    (other,) = (file for file in index.published if file.folder == "cu128" and file.project == "torch")
    lock = locked(stack)
    stack.torch.content = other.content
    outcome = install(installer, lock, index.public_url)
    assert outcome.code == 1
    assert other.sha256 in outcome.said


@EITHER
@pytest.mark.parametrize("stated", ["", "f" * 64], ids=["no-hash", "another-hash"])
def test_the_hash_of_the_lock_counts_whatever_the_page_states(
    installer: str, stated: str, index: WheelIndex, locked: Locked
) -> None:
    stack = publish(index)
    lock = locked(stack, "index")
    stack.torch.stated = stated
    assert is_installed(install(installer, lock, index.public_url), stack)


@EITHER
def test_a_file_whose_hash_nobody_knows(installer: str, index: WheelIndex, locked: Locked) -> None:
    """pip refuses the whole lock, and prints the missing line; uv verifies those that have a hash."""
    stack = publish(index)
    stack.torch.stated = ""
    lock = locked(stack)
    outcome = install(installer, lock, index.public_url)
    if installer == "uv":
        assert is_installed(outcome, stack)
    else:
        assert outcome.code == 1
        assert f"--hash=sha256:{stack.torch.sha256}" in outcome.said
        lock = stack.lock(lock.parent, "--no-hashes")
        assert is_installed(install(installer, lock, index.public_url), stack)


def test_pylock_cannot_name_a_file_whose_hash_nobody_knows(
    index: WheelIndex, locked: Locked, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = publish(index)
    stack.torch.stated = ""
    with pytest.raises(AssertionError):
        locked(stack, "pylock")
    assert f"pylock.toml needs a hash of {stack.torch.filename}" in capsys.readouterr().err


@EITHER
def test_a_range_of_torch_beside_the_index_of_a_folder(installer: str, index: WheelIndex, tmp_path: Path) -> None:
    """pip merges the indexes and takes the newest; uv takes the first index that has torch."""
    publish(index)
    written = tmp_path / "requirements.txt"
    written.write_text(f"--extra-index-url {index.url}/cpu\ntorch>=2.7\n")
    outcome = install(installer, written, index.public_url)
    assert outcome.versions["torch"] == {"pip": "2.9.0", "uv": "2.8.0+cpu"}[installer]
