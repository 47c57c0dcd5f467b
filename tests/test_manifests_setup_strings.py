"""Strings of a setup.py that are put together: known as a whole or not at all, never by half."""

from __future__ import annotations

import pytest

from torchlock.manifests.formats.setup_py import read


def asked(value: str, before: str = "") -> tuple[list[tuple[str, str]], list[str]]:
    """The requirements and the problems of a setup.py that asks for a value."""
    document = read(f"import torch\n{before}\nsetup(name='x', install_requires={value})\n", "setup.py")
    entries = [(entry.name, entry.specifier) for entry in document.entries]
    return entries, [issue.rule for issue in document.issues]


@pytest.mark.parametrize(
    "written",
    [
        pytest.param('"torch==" + torch.__version__', id="an attribute behind +"),
        pytest.param('"torch==" + torch.__version__.split("+", 1)[0]', id="a call behind +"),
        pytest.param('version() + "==2.0"', id="a call in front of +"),
        pytest.param('"torch==" + "2." + minor', id="two sums"),
        pytest.param('"torch==%s" % torch.__version__', id="%"),
        pytest.param('"torch==%s.%s" % (2, minor)', id="% and a tuple"),
        pytest.param('"torch==%(v)s" % versions', id="% and a table"),
        pytest.param('"torch==%d" % 2', id="% and a number"),
        pytest.param('"torch=={}".format(torch.__version__)', id="format"),
        pytest.param('"torch=={v}".format(v=VERSION)', id="format by name"),
        pytest.param('"torch=={0}".format(VERSION)', id="format by place"),
        pytest.param('f"torch=={torch.__version__}"', id="f-string"),
        pytest.param('"==".join(["torch", torch.__version__])', id="join"),
        pytest.param('"==".join(parts)', id="join of a name"),
        pytest.param('"torch==2.0" if cuda else "torch==1.0"', id="a choice"),
        pytest.param('os.environ.get("TORCH", "torch==2.0")', id="a call"),
    ],
)
def test_with_an_unknown_side_nothing_is_said_but_that(written: str) -> None:
    assert asked(f'["numpy~=2.2", {written}]') == ([("numpy", "~=2.2")], ["TL901"])


@pytest.mark.parametrize(
    "written",
    [
        pytest.param('"torch==" + VERSION', id="+"),
        pytest.param('"torch" + "==" + "2.0"', id="two sums"),
        pytest.param('"torch==%s" % VERSION', id="%"),
        pytest.param('"%s==%s" % ("torch", VERSION)', id="% and a tuple"),
        pytest.param('"torch=={}".format(VERSION)', id="format"),
        pytest.param('f"torch=={VERSION}"', id="f-string"),
        pytest.param('"==".join(["torch", VERSION])', id="join"),
    ],
)
def test_with_both_sides_known_the_whole_is(written: str) -> None:
    assert asked(f'["numpy~=2.2", {written}]', 'VERSION = "2.0"') == ([("numpy", "~=2.2"), ("torch", "==2.0")], [])


def test_a_list_keeps_its_known_part() -> None:
    assert asked('["torch==2.0"] + more()') == ([("torch", "==2.0")], ["TL901"])


def test_a_text_that_something_unknown_is_added_to() -> None:
    assert asked("[wanted]", 'wanted = "torch=="\nwanted += torch.__version__') == ([], ["TL901"])
