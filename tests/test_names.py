"""Names of projects and of their files."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import canonicalize_name

from torchlock.standards.filenames import file_name, parse_wheel, tags_of
from torchlock.standards.names import normalise, project_name

SOURCE = Path(__file__).parents[1] / "src" / "torchlock"


@given(st.text(alphabet="aZ0-_. /é"))
def test_names_are_those_of_packaging(name: str) -> None:
    assert normalise(name) == canonicalize_name(name)


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_module_has_another_normaliser(path: Path) -> None:
    assert "canonicalize_name" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "name"),
    [("Torch.Audio", "torch-audio"), ("a", "a"), ("./a", None), ("-a", None), ("", None), ("é", None)],
)
def test_a_path_is_not_a_project(text: str, name: str | None) -> None:
    assert project_name(text) == name


@pytest.mark.parametrize(
    "address",
    [
        "https://example.org/whl/torch-2.1.0%2Bcpu-cp310-cp310-linux_x86_64.whl#sha256=00",
        "C:\\wheels\\torch-2.1.0+cpu-cp310-cp310-linux_x86_64.whl?x",
        "torch-2.1.0+cpu-cp310-cp310-linux_x86_64.whl",
    ],
)
def test_the_file_of_an_address(address: str) -> None:
    name = file_name(address)
    assert name == "torch-2.1.0+cpu-cp310-cp310-linux_x86_64.whl"
    assert tags_of(name) == "cp310-cp310-linux_x86_64"
    project, version, build = parse_wheel(name)
    assert (project, str(version), build) == ("torch", "2.1.0+cpu", ())


@pytest.mark.parametrize(
    "name", ["torch.whl", "torch-x-py3-none-any.whl", f"a-1-{'.'.join('ab' * 999)}-c-d.e.whl"]
)
def test_what_is_not_the_name_of_a_wheel(name: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_wheel(name)
