"""Wheels made to harm: nothing is unpacked that was not asked for, and no more than is kept."""

from __future__ import annotations

import io
import struct
import zipfile

import pytest

from torchlock.index import archives
from torchlock.index.archives import ArchiveError, wheel_members, wheel_metadata

METADATA = "demo-1.0.dist-info/METADATA"
TEXT = "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n\n"


def wheel(content: str | bytes = TEXT, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(METADATA, content, method)
    return stream.getvalue()


def read(content: bytes) -> str:
    return wheel_metadata(io.BytesIO(content), "demo-1.0-py3-none-any.whl")


def listed(count: int) -> bytes:
    """A wheel with so many more rows in its list of members, which all name one place."""
    content = wheel()
    start, end = content.index(b"PK\1\2"), content.index(b"PK\5\6")
    row = struct.pack("<4s4B4HL2L5H2L", b"PK\1\2", 20, 3, 20, *[0] * 8, 1, *[0] * 6) + b"a"
    rows = row * count + content[start:end]
    return content[:start] + rows + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 65535, 65535, len(rows), start, 0)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_metadata_that_would_be_unpacked_at_once(method: int) -> None:
    content = wheel(TEXT.encode() + bytes(1 << 20), method)
    with pytest.raises(ArchiveError, match="not compressed with deflate"):
        read(content)
    with pytest.raises(ArchiveError, match="not compressed with deflate"):
        wheel_members(io.BytesIO(content), [METADATA])


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_metadata_of_more_than_is_kept(method: int) -> None:
    with pytest.raises(ArchiveError, match="more than 16 MB"):
        read(wheel(TEXT.encode() + bytes(17 << 20), method))


def test_a_list_of_members_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "_LIST", 1 << 20)
    assert read(listed(20_000)) == TEXT
    with pytest.raises(ArchiveError, match="list of members of more than 1 MB"):
        read(listed(30_000))


def test_a_wheel_that_lies_about_itself() -> None:
    content = wheel()
    for at in range(len(content)):
        for value in (0, 0xFF):
            changed = bytearray(content)
            changed[at : at + 4] = bytes([value]) * len(changed[at : at + 4])
            try:
                read(bytes(changed))
            except ArchiveError as error:
                assert str(error)
