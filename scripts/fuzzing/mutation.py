"""Changes of an input: bytes, words of the field, lines, encodings; and the numbers that a binary claims."""

from __future__ import annotations

import random

# Longer inputs are not fuzzed: what an input costs is tested by its growth (tests/test_linear.py).
LONGEST = 64_000

_WORDS = (
    *b"torch torchaudio torchvision torchcodec torchtext numpy soundfile 2.3.1 2.15.0 1.13.1 +cu118 +cpu .* * ^ ~ "
    b"== ~= >= <= != === < > , ; + # \\ [ ] { } ( ) \" ' \"\"\" ''' = : - -- -r -c -e -f -i | @ && || "
    b"--hash=sha256: --index-url git+https://example.org/a.git https://me:secret@example.org/whl/cu121 "
    b"<<<<<<< >>>>>>> ======= ${X} $X $(X) %X% {[testenv]deps} &a *a !!python dependencies pip: "
    b"python_version sys_platform == 'linux' and or not in extra [[package]] [tool.uv] "
    b"\xff \x00 \xef\xbb\xbf \xe2\x80\xa8 \xef\xbc\x90 \xd9\xa3 \x1b[31m "
    b"null true NaN 1e999 99999999999999999999 a.a.a.a.a.a [[[[[[[[ (((((((((".split(),
    *(b"; 'a' == 'b'", b"; os_name ~= 'x'", b"'a' in extras", b"\xc2\xb2", b"\n-r requirements.txt\n", b"&a [*a]"),
    *(b"9" * 5000, b"[" * 500, b"{" * 500, b"(" * 500, b"a." * 300, b"$(", b"${{ x }}"),
    b"\n    ",
    b"\n- ",
    b"\t",
)
_NUMBERS = (0, 1, 2, 7, 8, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 40, (1 << 63) - 1)


def mutated(draw: random.Random, content: bytes, other: bytes = b"") -> bytes:
    """One to six changes of a text; ``other`` is a second input, of which pieces are put into it."""
    for _ in range(draw.randint(1, 6)):
        content = draw.choice(_CHANGES)(draw, content, other)[:LONGEST]
    return content


def renumbered(draw: random.Random, content: bytes, other: bytes = b"") -> bytes:
    """One to six changes of a binary, most of them to numbers near its start, where headers are."""
    for _ in range(draw.randint(1, 6)):
        if draw.random() < 0.2:
            content = draw.choice(_CHANGES[:4])(draw, content, other)
            continue
        width = draw.choice((1, 2, 4, 4, 8))
        reach = len(content) if draw.random() < 0.5 else min(len(content), 4096)
        at = draw.randrange(max(1, reach - width)) & ~(width - 1)
        number = draw.choice((*_NUMBERS, len(content), at, draw.randrange(len(content) + 1))) & (
            (1 << 8 * width) - 1
        )
        piece = number.to_bytes(width, draw.choice(("little", "little", "big")))
        content = content[:at] + piece + content[at + width :]
    return content


def _byte(draw: random.Random, content: bytes, other: bytes) -> bytes:
    at = draw.randrange(len(content) + 1)
    return content[:at] + bytes([draw.randrange(256)]) + content[at + draw.randrange(2) :]


def _hole(draw: random.Random, content: bytes, other: bytes) -> bytes:
    at = draw.randrange(len(content) + 1)
    return content[:at] + content[at + draw.randint(1, 40) :]


def _end(draw: random.Random, content: bytes, other: bytes) -> bytes:
    return content[: draw.randrange(len(content) + 1)]


def _twice(draw: random.Random, content: bytes, other: bytes) -> bytes:
    at = draw.randrange(len(content) + 1)
    return content[:at] + content[at : at + draw.randint(1, 200)] * draw.randint(2, 9) + content[at:]


def _word(draw: random.Random, content: bytes, other: bytes) -> bytes:
    at = draw.randrange(len(content) + 1)
    return content[:at] + draw.choice(_WORDS) + content[at:]


def _line(draw: random.Random, content: bytes, other: bytes) -> bytes:
    lines = (content if draw.random() < 0.5 else other or content).splitlines(keepends=True) or [b"\n"]
    mine = content.splitlines(keepends=True)
    at = draw.randrange(len(mine) + 1)
    return b"".join(mine[:at]) + draw.choice(lines) + b"".join(mine[at:])


def _ends(draw: random.Random, content: bytes, other: bytes) -> bytes:
    return content.replace(
        b"\n", draw.choice((b"\r\n", b"\r", b"\n\n", b" \\\n", b"\n<<<<<<< HEAD\n")), draw.randint(1, 50)
    )


def _encoded(draw: random.Random, content: bytes, other: bytes) -> bytes:
    encoding = draw.choice(("utf-16", "utf-16-le", "utf-8-sig", "latin-1"))
    return content.decode("utf-8", "replace").encode(encoding, "replace")


_CHANGES = (_byte, _hole, _end, _twice, _word, _word, _word, _line, _line, _ends, _encoded)
