"""Bytes to text, as pip decodes requirements files."""

from __future__ import annotations

import builtins
import codecs
import io
import sys
from pathlib import Path

import pytest

from torchlock.errors import InputError
from torchlock.manifests.decoding import decode_strictly, decode_utf8
from torchlock.manifests.text import read_text

TEXT = "# füür 音\ntorch\n"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        pytest.param(b"", "", id="empty"),
        pytest.param(TEXT.encode(), TEXT, id="utf-8"),
        pytest.param(codecs.BOM_UTF8 + TEXT.encode(), TEXT, id="utf-8 with mark"),
        pytest.param(codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"), TEXT, id="utf-16, as PowerShell redirects"),
        pytest.param(codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), TEXT, id="utf-16 big-endian"),
        pytest.param(codecs.BOM_UTF32_LE + TEXT.encode("utf-32-le"), TEXT, id="utf-32"),
        pytest.param(codecs.BOM_UTF32_BE + TEXT.encode("utf-32-be"), TEXT, id="utf-32 big-endian"),
        pytest.param(b"# -*- coding: latin-1 -*-\n# \xe9\n", "# -*- coding: latin-1 -*-\n# é\n", id="coding line"),
        pytest.param(
            b"\n# vim: fileencoding=cp1252\n# \x80", "\n# vim: fileencoding=cp1252\n# €", id="second line"
        ),
        pytest.param(
            "# a\n# b\n# coding: ascii\n# é".encode(), "# a\n# b\n# coding: ascii\n# é", id="third: none"
        ),
        pytest.param(
            "torch # coding: ascii é".encode(), "torch # coding: ascii é", id="behind a requirement: none"
        ),
    ],
)
def test_decoded(raw: bytes, text: str) -> None:
    assert decode_strictly(raw, "r.txt") == text


@pytest.mark.parametrize(
    ("raw", "line", "words"),
    [
        pytest.param(b"torch\n\n# caf\xe9\n", 3, "byte 0xe9", id="neither utf-8 nor the locale"),
        pytest.param(b"# coding: utf-8\n# \xe9", 2, "byte 0xe9", id="not what its coding line says"),
        pytest.param(b"# coding: klingon\n", 1, "'klingon'", id="unknown encoding"),
        pytest.param(b"#\n# coding: klingon\n", 2, "'klingon'", id="unknown encoding, second line"),
        pytest.param(b"# coding: rot13\n", 1, "'rot13'", id="no text encoding"),
        pytest.param(b"# coding: undefined\n", None, "undefined", id="an encoding that always fails"),
        pytest.param("torch\n".encode("utf-16-le"), 1, "NUL", id="utf-16 without mark"),
        pytest.param(b"torch\nnum\0py\n", 2, "NUL", id="a NUL"),
        pytest.param(b"# coding: unicode_escape\n\\ud800", None, "half a character", id="half a pair"),
        pytest.param(codecs.BOM_UTF16_LE + b"t", 1, "utf-16", id="half a character"),
    ],
)
def test_refused(raw: bytes, line: int | None, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("locale.getpreferredencoding", lambda do_setlocale=True: "UTF-8")
    with pytest.raises(InputError) as caught:
        decode_strictly(raw, "r.txt")
    assert (caught.value.path, caught.value.line) == ("r.txt", line)
    assert words in caught.value.message


def test_the_locale_comes_after_utf_8(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("locale.getpreferredencoding", lambda do_setlocale=True: "cp1252")
    assert decode_strictly(b"# caf\xe9", "r.txt") == "# café"
    assert decode_strictly("# café".encode(), "r.txt") == "# café"


def test_utf_8_by_definition_knows_no_coding_line() -> None:
    assert decode_utf8(codecs.BOM_UTF8 + "# coding: latin-1\n# é".encode(), "p.toml") == "# coding: latin-1\n# é"
    with pytest.raises(InputError, match="cannot be decoded as utf-8"):
        decode_utf8(b"# coding: latin-1\n# \xe9", "p.toml")


def test_a_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"torch\n")))
    assert read_text("-") == "torch\n"


def test_a_missing_file_and_one_of_nearly_its_name(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").touch()
    with pytest.raises(InputError, match="no such file") as caught:
        read_text(str(tmp_path / "requirement.txt"))
    assert caught.value.path == str(tmp_path / "requirement.txt")
    assert "requirements.txt" in (caught.value.hint or "")
    with pytest.raises(InputError, match="no such file") as caught:
        read_text(str(tmp_path / "nowhere" / "a.txt"))
    assert caught.value.hint is None


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        read_text(str(tmp_path))


def test_a_file_of_somebody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str, mode: str) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(builtins, "open", refuse)
    with pytest.raises(InputError, match="cannot be read: permission denied") as caught:
        read_text(str(tmp_path / "secret.txt"))
    assert caught.value.hint


@pytest.mark.parametrize("path", ["a\0b", "x" * 5000], ids=["NUL in the name", "too long a name"])
def test_a_name_that_no_file_can_have(path: str) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_text(path)
