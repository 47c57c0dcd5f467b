"""Real pip and uv install locks of a build from a local wheel index, in hash mode.

The requirements files here are in the two forms that a lock may have: exact files by address, and versions with
``--extra-index-url``. docs/builds.md ("Which form") states what these tests show.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.tags import sys_tags

from support.installers import INSTALLERS, Outcome, install
from support.wheel_index import LINUX, Published, WheelIndex

# The tag of the real names where this interpreter takes it, else its own first one.
TAGS = max((str(tag) for tag in sys_tags()), key=lambda tag: tag.endswith(LINUX))
EITHER = pytest.mark.parametrize("installer", INSTALLERS)


class Stack(NamedTuple):
    """What is locked, and where it is served."""

    index: WheelIndex
    family: list[Published]
    others: list[Published]

    @property
    def files(self) -> list[Published]:
        return [*self.family, *self.others]


@pytest.fixture
def index() -> Iterator[WheelIndex]:
    with WheelIndex() as started:
        yield started


def publish(index: WheelIndex, label: str = "cu128", folder: str = "cu128", **stated: str) -> Stack:
    """torch and torchaudio 2.8.0 in two folders and on the public index, and two ordinary projects there.

    Without a label the three files of one name have the same version, as for aarch64 on the real index.
    """
    for where in ("cpu", "cu128"):
        version = f"2.8.0+{where}" if label else "2.8.0"
        index.add(where, "torch", version, TAGS, ["numpy"], **(stated if where == folder else {}))
        index.add(where, "torchaudio", version, TAGS, ["torch==2.8.0"], **(stated if where == folder else {}))
    family = [file for file in index.published if file.folder == folder]
    others = [
        index.add_public("numpy", "2.3.0", python=">=3.9"),
        index.add_public("soundfile", "0.13.1", ["numpy"]),
    ]
    index.add_public("torch", "2.8.0", ["numpy"], tags=TAGS)
    index.add_public("torch", "2.9.0", ["numpy"], tags=TAGS)
    index.add_public("torchaudio", "2.8.0", ["torch==2.8.0"], tags=TAGS)
    return Stack(index, family, others)


def by_file(stack: Stack, folder: Path) -> Path:
    """The lock that names the files of the family by their addresses."""
    lines = [f"{file.project} @ {stack.index.link(file)} {_hash(file)}" for file in stack.family]
    return _write(folder / "requirements.txt", [*lines, *_pins(stack.others)])


def by_index(stack: Stack, folder: Path) -> Path:
    """The lock that names versions, and the folder as one more index."""
    where = f"--extra-index-url {stack.index.url}/{stack.family[0].folder}"
    return _write(folder / "requirements.txt", [where, *_pins(stack.files)])


def pylock(stack: Stack, folder: Path) -> Path:
    """The lock as pylock.toml."""
    lines = ['lock-version = "1.0"', 'created-by = "tests"']
    for file in sorted(stack.files, key=lambda each: each.project):
        where = f'name = "{file.filename}", url = "{stack.index.link(file)}"'
        wheel = f'{{ {where}, hashes = {{ sha256 = "{file.sha256}" }} }}'
        lines += ["[[packages]]", f'name = "{file.project}"', f'version = "{file.version}"', f"wheels = [{wheel}]"]
    return _write(folder / "pylock.toml", lines)


def _pins(files: list[Published]) -> list[str]:
    return [f"{file.project}=={file.version} {_hash(file)}" for file in files]


def _hash(file: Published) -> str:
    return f"--hash=sha256:{file.sha256}"


def _write(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def installed(outcome: Outcome, stack: Stack) -> bool:
    """Whether exactly the locked files are there, and those of the family from their folder."""
    assert outcome.code == 0, outcome.said
    assert outcome.versions == {file.project: file.version for file in stack.files}
    return all(outcome.folder_of(file.project) == file.folder for file in stack.files)


Form = Callable[[Stack, Path], Path]
FORMS = pytest.mark.parametrize("form", [by_file, by_index, pylock])


@EITHER
@FORMS
@pytest.mark.parametrize("label", ["cu128", ""], ids=["labelled", "unlabelled"])
def test_each_form_gives_the_build(
    installer: str, form: Form, label: str, index: WheelIndex, tmp_path: Path
) -> None:
    stack = publish(index, label)
    assert installed(install(installer, form(stack, tmp_path), index.public_url), stack)


@EITHER
def test_an_unlabelled_name_of_the_cpu_folder_is_the_cpu_build(
    installer: str, index: WheelIndex, tmp_path: Path
) -> None:
    stack = publish(index, "", "cpu")
    assert installed(install(installer, by_file(stack, tmp_path), index.public_url), stack)


@EITHER
def test_exact_files_come_from_their_folder_where_their_pages_are_not_asked(
    installer: str, index: WheelIndex, tmp_path: Path
) -> None:
    stack = publish(index, stated="f" * 64)
    index.add("", "numpy", "1.26.3", TAGS)
    assert installed(install(installer, by_file(stack, tmp_path), index.public_url), stack)
    assert [path for path in index.pages_asked() if path.startswith("/whl/")] == []


def test_pip_merges_the_old_numpy_of_a_folder_with_the_public_one(index: WheelIndex, tmp_path: Path) -> None:
    stack = publish(index)
    index.add("", "numpy", "1.26.3", TAGS)
    assert installed(install("pip", by_index(stack, tmp_path), index.public_url), stack)


def test_uv_takes_numpy_from_the_first_index_that_has_any(index: WheelIndex, tmp_path: Path) -> None:
    stack = publish(index)
    index.add("", "numpy", "1.26.3", TAGS)
    outcome = install("uv", by_index(stack, tmp_path), index.public_url)
    assert outcome.code == 1
    assert "`numpy` was found on" in outcome.said
    assert outcome.versions == {}
    outcome = install("uv", by_index(stack, tmp_path), index.public_url, "--index-strategy=unsafe-best-match")
    assert installed(outcome, stack)


def test_uv_is_content_with_a_folder_that_copies_the_page_of_numpy(index: WheelIndex, tmp_path: Path) -> None:
    stack = publish(index)
    index.copy_page("numpy")
    assert installed(install("uv", by_index(stack, tmp_path), index.public_url), stack)


@EITHER
def test_a_folder_that_answers_403_for_what_it_lacks(installer: str, tmp_path: Path) -> None:
    """As the real one does. uv takes that for an answer only from hosts of pytorch.org."""
    with WheelIndex(missing=403) as index:
        stack = publish(index)
        outcome = install(installer, by_index(stack, tmp_path), index.public_url)
        if installer == "pip":
            assert installed(outcome, stack)
        else:
            assert outcome.code == 1
            assert "403" in outcome.said


@EITHER
@FORMS
def test_a_tampered_file_is_refused(installer: str, form: Form, index: WheelIndex, tmp_path: Path) -> None:
    stack = publish(index)
    lock = form(stack, tmp_path)
    stack.family[0].tamper()
    outcome = install(installer, lock, index.public_url)
    assert outcome.code == 1
    assert stack.family[0].stated in outcome.said
    assert stack.family[0].sha256 in outcome.said
    assert "torch" not in outcome.versions


@EITHER
@FORMS
def test_the_file_of_another_folder_is_refused(
    installer: str, form: Form, index: WheelIndex, tmp_path: Path
) -> None:
    stack = publish(index, "")
    (cpu,) = (file for file in index.published if file.folder == "cpu" and file.project == "torch")
    lock = form(stack, tmp_path)
    stack.family[0].content = cpu.content
    outcome = install(installer, lock, index.public_url)
    assert outcome.code == 1
    assert cpu.sha256 in outcome.said


@EITHER
@pytest.mark.parametrize("stated", ["", "f" * 64], ids=["no-hash", "another-hash"])
def test_the_hash_of_the_lock_counts_whatever_the_page_states(
    installer: str, stated: str, index: WheelIndex, tmp_path: Path
) -> None:
    stack = publish(index)
    stack.family[0].stated = stated
    assert installed(install(installer, by_index(stack, tmp_path), index.public_url), stack)


@EITHER
def test_a_line_without_a_hash_among_others(installer: str, index: WheelIndex, tmp_path: Path) -> None:
    """pip refuses the whole file, and prints the missing line; uv verifies those that it can."""
    stack = publish(index)
    lock = by_file(stack, tmp_path)
    lock.write_text(lock.read_text().replace(f" {_hash(stack.family[0])}", ""))
    outcome = install(installer, lock, index.public_url)
    if installer == "uv":
        assert installed(outcome, stack)
    else:
        assert outcome.code == 1
        assert f"--hash=sha256:{stack.family[0].sha256}" in outcome.said


@EITHER
def test_a_range_of_torch_beside_the_index_of_a_folder(installer: str, index: WheelIndex, tmp_path: Path) -> None:
    """pip merges the indexes and takes the newest; uv takes the first index that has torch."""
    publish(index)
    lock = _write(tmp_path / "requirements.txt", [f"--extra-index-url {index.url}/cu128", "torch>=2.7"])
    outcome = install(installer, lock, index.public_url)
    assert outcome.versions["torch"] == {"pip": "2.9.0", "uv": "2.8.0+cu128"}[installer]
