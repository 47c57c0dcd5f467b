"""Damaged lock files: a merge conflict is told with its line, and a file that ends anywhere is read at once."""

from __future__ import annotations

import pytest

from support.formats import read
from torchlock.errors import InputError
from torchlock.manifests import read_document

UV = """\
version = 1
requires-python = ">=3.10"

[[package]]
name = "torch"
version = "2.7.0"
source = { registry = "https://index.example.org/simple" }
dependencies = [
    { name = "numpy", marker = "sys_platform != 'win32'" },
]
wheels = [
    { url = "https://files.example.org/torch-2.7.0-cp310-cp310-win_amd64.whl", hash = "sha256:aa", size = 9 },
    { url = "https://files.example.org/torch-2.7.0-cp311-cp311-win_amd64.whl", hash = "sha256:bb", size = 9 },
]
"""
POETRY = """\
[[package]]
name = "torch"
version = "2.7.0"
python-versions = ">=3.9"
groups = ["main"]
files = [
    {file = "torch-2.7.0-cp310-cp310-win_amd64.whl", hash = "sha256:aa"},
    {file = "torch-2.7.0-cp311-cp311-win_amd64.whl", hash = "sha256:bb"},
]

[metadata]
lock-version = "2.1"
python-versions = ">=3.10"
content-hash = "cc"
"""
OLD_POETRY = """\
[[package]]
name = "torch"
version = "2.7.0"
category = "main"

[metadata]
lock-version = "1.1"
python-versions = ">=3.10"

[metadata.files]
numpy = []
torch = [
    {file = "torch-2.7.0-cp310-cp310-win_amd64.whl", hash = "sha256:aa"},
    {file = "torch-2.7.0-cp311-cp311-win_amd64.whl", hash = "sha256:bb"},
]
"""
PDM = """\
[metadata]
groups = ["default"]
lock_version = "4.5.0"

[[package]]
name = "torch"
version = "2.7.0"
requires_python = ">=3.9"
groups = ["default"]
files = [
    {file = "torch-2.7.0-cp310-cp310-win_amd64.whl", hash = "sha256:aa"},
    {file = "torch-2.7.0-cp311-cp311-win_amd64.whl", hash = "sha256:bb"},
]
"""
OLD_PDM = """\
[[package]]
name = "torch"
version = "2.7.0"

[metadata]
lock_version = "4.2"
groups = ["default"]

[metadata.files]
"torch 2.7.0" = [
    {url = "https://files.example.org/torch-2.7.0-cp310-cp310-win_amd64.whl", hash = "sha256:aa"},
    {url = "https://files.example.org/torch-2.7.0-cp311-cp311-win_amd64.whl", hash = "sha256:bb"},
]
"""
PYLOCK = """\
lock-version = "1.0"
created-by = "someone"

[[packages]]
name = "torch"
version = "2.7.0"
wheels = [
    {url = "https://files.example.org/torch-2.7.0-cp310-cp310-win_amd64.whl", hashes = {sha256 = "aa"}},
    {url = "https://files.example.org/torch-2.7.0-cp311-cp311-win_amd64.whl", hashes = {sha256 = "bb"}},
]
"""
PIPFILE = """\
{
    "_meta": {"hash": {"sha256": "aa"}, "sources": []},
    "default": {
        "torch": {
            "hashes": [
                "sha256:aa",
                "sha256:bb"
            ],
            "version": "==2.7.0"
        }
    },
    "develop": {}
}
"""
CONDA = """\
version: 1
package:
- name: pytorch
  version: 2.7.0
  manager: conda
  platform: linux-64
- name: torchaudio
  version: 2.7.0
  manager: pip
  platform: linux-64
"""
PIXI = """\
version: 6
environments:
  default:
    packages:
      linux-64:
      - conda: https://conda.example.org/linux-64/pytorch-2.7.0-py310_0.conda
      - pypi: https://files.example.org/torchaudio-2.7.0-cp310-cp310-linux_x86_64.whl
packages:
- conda: https://conda.example.org/linux-64/pytorch-2.7.0-py310_0.conda
  sha256: aa
"""
EXPLICIT = """\
# platform: linux-64
@EXPLICIT
https://conda.example.org/linux-64/pytorch-2.7.0-py310_0.conda#aa
https://conda.example.org/linux-64/torchaudio-2.7.0-py310_0.conda#bb
"""
LOCKS = [
    pytest.param("uv.lock", UV, id="uv"),
    pytest.param("poetry.lock", POETRY, id="poetry"),
    pytest.param("poetry.lock", OLD_POETRY, id="poetry-1.1"),
    pytest.param("pdm.lock", PDM, id="pdm"),
    pytest.param("pdm.lock", OLD_PDM, id="pdm-4.2"),
    pytest.param("pylock.toml", PYLOCK, id="pylock"),
    pytest.param("Pipfile.lock", PIPFILE, id="pipfile"),
    pytest.param("conda-lock.yml", CONDA, id="conda-lock"),
    pytest.param("conda-linux-64.lock", EXPLICIT, id="explicit"),
    pytest.param("pixi.lock", PIXI, id="pixi"),
]


@pytest.mark.parametrize(("path", "text"), LOCKS)
@pytest.mark.parametrize("mark", ["<<<<<<< HEAD", "||||||| base", "=======", ">>>>>>> branch"])
def test_a_merge_conflict_is_told_with_its_line(path: str, text: str, mark: str) -> None:
    lines = text.splitlines()
    for number in range(len(lines) + 1):
        document = read(path, "\n".join([*lines[:number], mark, *lines[number:], ""]))
        told = [problem.place.line for problem in document.issues if problem.rule == "TL501"]
        assert number + 1 in told, (number, document.issues)


@pytest.mark.parametrize(("path", "text"), LOCKS)
def test_a_conflict_in_a_long_list_of_files_is_told_at_once(path: str, text: str) -> None:
    """Each further line of a list once doubled the time."""
    lines = [line for line in text.splitlines() for _ in range(40 if line.startswith("    {") else 1)]
    middle = len(lines) // 2
    damaged = [
        *lines[:middle],
        "<<<<<<< HEAD",
        lines[middle],
        "=======",
        lines[middle],
        ">>>>>>> x",
        *lines[middle:],
    ]
    assert [problem for problem in read(path, "\n".join(damaged)).issues if problem.rule == "TL501"]


@pytest.mark.parametrize(("path", "text"), LOCKS)
def test_a_lock_that_ends_anywhere_is_read(path: str, text: str) -> None:
    for end in range(len(text)):
        try:
            document = read(path, text[:end])
        except InputError:
            continue
        assert {entry.name for entry in document.entries} <= {"torch", "torchaudio", "numpy", "pytorch"}


def test_old_lists_of_files_are_found_by_their_keys() -> None:
    names = ("torch-2.7.0-cp310-cp310-win_amd64.whl", "torch-2.7.0-cp311-cp311-win_amd64.whl")
    for path, text in (("poetry.lock", OLD_POETRY), ("pdm.lock", OLD_PDM)):
        (entry,) = read(path, text).entries
        assert entry.filenames == names
        assert entry.hashes == ("sha256:aa", "sha256:bb")


CONDA_LOCK = """\
version: 1
package:
- name: pytorch
  version: 2.5.1
  manager: conda
  platform: linux-64
- name: torchaudio
  version: '2.5.1'
  manager: conda
  platform: linux-64"""
PIXI = """\
version: 6
environments:
  default:
    packages:
      linux-64:
      - pypi: https://example.org/torchaudio-2.6.0-cp311-cp311-manylinux1_x86_64.whl
packages:
- pypi: https://example.org/torchaudio-2.6.0-cp311-cp311-manylinux1_x86_64.whl
  name: 'torchaudio'"""
EXPLICIT = """\
@EXPLICIT
https://example.org/conda-forge/linux-64/pytorch-2.5.1-cpu_0.conda#0123456789abcdef0123456789abcdef
https://example.org/conda-forge/linux-64/torchaudio-2.5.1-cpu_0.conda"""


@pytest.mark.parametrize(
    ("name", "text", "cut"),
    [
        ("conda-lock.yml", CONDA_LOCK, CONDA_LOCK.index("2.5.1'") + 3),
        ("conda-lock.yml", CONDA_LOCK, CONDA_LOCK.rindex("manager") + 4),
        ("pixi.lock", PIXI, len(PIXI) - 3),
        ("pixi.lock", PIXI, len(PIXI) - 16),
        ("explicit.txt", EXPLICIT, len(EXPLICIT) - 4),
        ("explicit.txt", EXPLICIT, len(EXPLICIT) - 30),
    ],
)
def test_a_list_that_ends_within_a_line_was_cut(name: str, text: str, cut: int) -> None:
    found = read_document(name, raw=text[:cut].encode()).issues
    assert [(each.rule, each.place.line) for each in found] == [("TL501", text.count("\n", 0, cut) + 1)]
    for whole in (text, text + "\n", text.replace("\n", "\r\n")):
        assert not read_document(name, raw=whole.encode()).issues
