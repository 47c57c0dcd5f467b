"""The one reader of core metadata: what it must agree with, and what it must not lose."""

from __future__ import annotations

import email
import subprocess
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

from support.amount import amount
from torchlock.answers import Unknown
from torchlock.standards.core_metadata import CoreMetadata, dependency_of, parse_metadata, refusal
from torchlock.standards.dependency import Dependency
from torchlock.standards.headers import read_headers, unfolded

# Steps are counted here, or thousands of inputs tried; other tests cover the same code.
pytestmark = pytest.mark.no_cover

HEAD = "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"


def by_email(text: str) -> dict[str, list[str]]:
    """All headers as the standard library reads them, names in lower case.

    Releases of Python differ in whether a value whose first line is empty keeps the line's end.
    """
    found: dict[str, list[str]] = {}
    for name, value in email.message_from_string(text).items():
        found.setdefault(name.lower(), []).append(str(value).lstrip(" \t\r\n"))
    return found


def parsed(text: str) -> CoreMetadata:
    found = parse_metadata(text)
    assert isinstance(found, CoreMetadata)
    return found


# --- in agreement with the standard library ------------------------------------------------------------------

# Whatever ends a line somewhere, or looks as if it did.
ENDS = [
    "\n",
    "\n",
    "\n",
    "\r\n",
    "\r",
    "\n\n",
    "\x0b",
    "\x0c",
    "\x1c",
    "\x1d",
    "\x1e",
    "\x85",
    "\u2028",
    "\u2029",
    "",
]
PIECES = [
    *("Name", "Version", "requires-dist", "REQUIRES-DIST", "Requires-Dist", "License", "Summary", "Name ", ""),
    *(": ", ":", " : ", ":\t", "::"),
    *(" ", "\t", "        ", "|", "\x00", "\ufeff", "\u00a0", "ü", "\ufffd", "'", '"', "\x7f"),
    *("From ", "From me", ">From ", "numpy>=1.2", "a b", "; extra == 'x'", "--boundary", "=?utf-8?q?a?="),
    "Content-Type: multipart/mixed; boundary=b\n",
]
lines = st.tuples(st.lists(st.sampled_from(PIECES), max_size=4).map("".join), st.sampled_from(ENDS)).map("".join)
fields = st.tuples(
    st.sampled_from(["Name", "Requires-Dist", "License", "x-y"]),
    st.sampled_from([":", ": ", ":\t"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.sampled_from(ENDS),
).map("".join)
texts = st.lists(st.one_of(lines, fields), max_size=12).map("".join)


@pytest.mark.sampled
@settings(max_examples=amount(1500, quick=300), deadline=None)
@given(texts)
@example("")
@example("\n")
@example("From x\nName: a\n")
@example("Name: a\nFrom x\n more\nVersion: 1\n")
@example("Name: a\nFrom x")
@example("Name: a\n:no name\n more\nVersion: 1\n")
@example(" first\nName: a\n")
@example("\ufeffName: a\n")
@example("Name : a\nVersion: 1\n")
@example("License:\n a\n        \n b\n\t\n c\nRequires-Dist: x\n")
@example("License: a\n\n b\nRequires-Dist: x\n")
@example("Name: a\r\rVersion: 1\r")
@example("Name: a\r\n\r\nVersion: 1")
@example("no colon\nName: a\n")
def test_every_header_is_what_email_reads(text: str) -> None:
    assert read_headers(text).fields == by_email(text)


@pytest.mark.sampled
@settings(max_examples=amount(1000, quick=200), deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=120))
def test_any_text_at_all(text: str) -> None:
    assert read_headers(text).fields == by_email(text)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=120))
def test_any_bytes_at_all(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    assert read_headers(text).fields == by_email(text)


def test_email_is_not_imported() -> None:
    """It costs 20 ms, and a check of an environment must not wait for it."""
    code = (
        "import sys; from torchlock.standards.headers import read_headers; "
        "read_headers('A: b'); print('email' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


@pytest.mark.parametrize(
    ("value", "line"),
    [("a\n  b", "a b"), ("a \r\n\t b", "a b"), ("a\n        \n b\n", "a b"), ("a\x0cb", "a\x0cb"), (" a ", "a")],
)
def test_folds_are_undone(value: str, line: str) -> None:
    assert unfolded(value) == line


# --- what is declared ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "field",
    [
        pytest.param("License: MIT\n        \n        its words\n        \n", id="blank-lines-folded"),
        pytest.param("Summary: one\x0ctwo\n", id="form-feed"),
        pytest.param("Summary: one\x85two\u2028three\u2029four\n", id="unicode-line-ends"),
        pytest.param("Summary: one\x1ctwo\x1dthree\x1efour\x0bfive\n", id="separators"),
        pytest.param("License:\n\tfolded by tabs\n\t\n", id="tabs"),
        pytest.param("Description: a\n        Requires-Dist: evil\n", id="header-in-a-fold"),
        pytest.param("Author: J\ufffdrg\n", id="not-utf-8"),
        pytest.param("From here\n", id="envelope"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("final", ["", "\n", "\n\nRequires-Dist: evil\n"])
def test_no_field_before_it_hides_a_requirement(field: str, end: str, final: str) -> None:
    text = (HEAD + field + "requires-dist: numpy" + final).replace("\n", end)
    assert parsed(text).dependencies == [Dependency("numpy")]


@pytest.mark.parametrize(
    ("text", "because"),
    [
        ("", "its metadata has no Name and no Version"),
        ("\n" + HEAD, "its metadata has no Name and no Version"),
        ("\ufeff" + HEAD, "its metadata has no Name and no Version"),
        ("<html><body>Name: x</body></html>", "its metadata has no Name and no Version"),
        ("Metadata-Version: 2.1\nName: demo\n", "its metadata has no Version"),
        (HEAD + "Requires-D", "its metadata ends in the middle of a header"),
    ],
)
def test_a_text_that_declares_nothing_is_unknown(text: str, because: str) -> None:
    assert parse_metadata(text) == Unknown(because)


def test_what_a_text_declares() -> None:
    text = HEAD.replace("2.1", "2.2") + (
        "Provides-Extra: My_Extra\nProvides-Extra: b.c\nDynamic: Requires-Dist\nRequires-Python: >=3.6.*,\n  <4\n"
        "Requires-Dist: Foo.Bar[A_b] (>=1,<2); extra == 'my.EXTRA'\nRequires-Dist: x>=1.*\n"
        "Requires-Dist: y @ https://example.org/y.whl ; extra == 'b-c'\n"
    )
    found = parsed(text)
    assert (found.name, found.version, found.metadata_version) == ("demo", "1.0", (2, 2))
    assert (found.extras, found.requires_python) == (["b-c", "my-extra"], ">=3.6.*, <4")
    assert not found.dependencies_are_static
    assert found.dependencies == [
        Dependency("foo-bar", "<2,>=1", 'extra == "my-extra"', ("a-b",)),
        Dependency("y", "===https://example.org/y.whl", 'extra == "b-c"'),
    ]
    assert str(found.dependencies[1]) == 'y @ https://example.org/y.whl ; extra == "b-c"'
    assert found.invalid == ["x>=1.*"]


# --- requirements that pip takes, and those that it refuses (tried with pip 26.3) -----------------------------


@pytest.mark.parametrize(
    ("value", "specifier"),
    [
        ("dep>=1.0,", ">=1.0"),
        ("dep (>=1.0,)", ">=1.0"),
        ("dep (>=1.0.dev)", ">=1.0.dev"),
        ("dep >= 1.0 , < 3", "<3,>=1.0"),
        ("dep===foobar", "===foobar"),
        ("dep\x0c", ""),
        ("dep; python_version in '3.11,3.12'", ""),
        ("dep; platform_release >= '99'", ""),
        ("dep; os.name == 'posix'", ""),
        ("dep; python_full_version ~= '3.9'", ""),
    ],
)
def test_a_requirement_that_pip_takes(value: str, specifier: str) -> None:
    found = dependency_of(value)
    assert found is not None
    assert (found.name, found.specifier) == ("dep", specifier)


@pytest.mark.parametrize(
    "value",
    [
        *("PyYAML (>=5.1.*)", "dep>=1.0.", "dep (>=1.0", "dep >=1.0)", "dep; python_version >", "dep;", "dep 1.0"),
        *("dep>=1.0 garbage", "dep garbage", "dep >=1.0 <3", "dep (1.0)", "dep=1.0", "dep ~=1", "", "dep!"),
        *("dep >=1.0,~=2.0.*", "dep >0.5+local", "dep\n  >=1.0", "dep>=1;\n  os_name == 'nt'", "dep\xa0>=1.0"),
        *("pytz (>=2011k)", "dep; foo == 'abc'", "dep;" + "(" * 5000),
    ],
)
def test_a_requirement_that_pip_refuses(value: str) -> None:
    assert dependency_of(value) is None
    assert "pip 24.1 and later refuse this release" in refusal(value)
    if value:
        found = parsed(f"{HEAD}Requires-Dist: {value}\nRequires-Dist: other\n")
        assert found.invalid == [value]
        assert found.dependencies == [Dependency("other")]


@pytest.mark.parametrize(
    "url", ["https://example.org/a,b;c(d).whl", "git+https://example.org/a@main", "file:///a"]
)
def test_a_requirement_by_address_is_met_by_no_version(url: str) -> None:
    found = dependency_of(f"dep @ {url} ; os_name == 'posix'")
    assert found is not None
    assert not SpecifierSet(found.specifier).contains("1.0")
    assert found.address.startswith(url[:10])
    assert str(found).startswith(f"dep @ {url[:10]}")


@pytest.mark.parametrize("marker", ["os_name ~= 'abc'", "'a' == 'a'", "'x' in extras", "'x' in dependency_groups"])
def test_a_marker_without_a_value(marker: str) -> None:
    assert dependency_of(f"dep; {marker}") is None
    assert "whose marker compares values that cannot be compared" in refusal(f"dep; {marker}")
