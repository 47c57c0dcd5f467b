"""Plain English: documents, messages, docstrings and comments avoid phrases that read as translated."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "torchlock"

# Phrase → what to write instead.
BANNED = {
    r"\bstands? together\b": "work together, conflict",
    r"\bgo(es)? together\b": "work together",
    r"\bguilty\b": "conflicting",
    r"\b(mend(s|ed|ing|er)?|heals?)\b": "fix",
    r"\b(cure[sd]?|curing)\b": "fix",
    r"\bgave way\b|\bgives? way\b": "changed, updated",
    r"(?<!there )\b(is|are) no (?!longer|more|wider|other|such)\w": "is not a …",
    r"\bcomes? to (?!an end)\w": "results in; name the result",
    r"\b(of|by) one's own\b": "own",
    r"\b(in|at|on|to) (?-i:none)\b|\b(?-i:none) where\b|\bwhere (?-i:none)\b": "if there is no …",
    r"\bnobody (tells|told|knows|can tell)\b": "is unknown",
    r"\btells? (?!apart)\w|\btold\b": "say, report, name",
    r"\blies? (in|beside|on|outside|inside|there|deeper|between)\b": "is",
    r"\bloads with nothing\b": "does not load",
    r"\bspeaks? of\b|\bspoken\b": "is about",
    r"\ball the same\b": "still",
    r"\bin earnest\b": "really",
    r"\bhas its say\b|\bhave no say\b": "is used",
    r"\b(is|are) held (against|to)\b": "is compared with, is tested against",
    r"\bdialects?\b": "format",
    r"\bflavours?\b": "build",
    r"\bthat nobody (let|vouches)\b": "without permission; untrusted",
    r"\bwhat there was\b|\bwhat there is\b": "name it",
    r"\bno place for\b|\bis no place\b": "cannot be used as",
    r"\bgo(es|ing)? on without\b": "continue without",
    r"\bonce more\b": "again",
    r"\bin place of\b|\bin its place\b": "instead of, instead",
    r"\btakes? (\S+ ){1,6}out of\b": "remove … from",
    r"(?<=[.;:] )(?-i:Else) ": "Otherwise",
    r"\bcarries it\b": "contains it",
    r"\b(is|are|was|were) (not )?made for (torch|Python|another torch)\b": "is built for",
    r"\bleads? (it|Python|dyld|the loader) to\b": "make … search, make … find",
    r"\b(command|folder|environment)s? of (its|their) own\b": "a separate …",
    r"\b(code|process|program|package) of the log\b": "in the log",
    r"\btaken apart\b|\btake \w+ apart\b": "parsed, split",
    r"\bbrings? (it )?out\b": "causes",
}
PHRASES = {re.compile(pattern, re.IGNORECASE): better for pattern, better in BANNED.items()}

# Packages and files whose prose is done. It grows until it is all of them.
DONE = (
    "audit",
    "check",
    "knowledge",
    "cli",
    "fetching",
    "gathering",
    "proving",
    "redaction",
    "index",
    "inspect",
    "solve",
    "lock",
    "matrix",
    "report",
    "runtime",
    "answers.py",
    "errors.py",
    "finding.py",
    "location.py",
    "manifests",
    "standards",
    "__main__.py",
    "target.py",
    "terms.py",
)
FILES = sorted(
    path for name in DONE for path in ([SOURCE / name] if name.endswith(".py") else (SOURCE / name).rglob("*.py"))
)
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "SECURITY.md", "CHANGELOG.md")),
    ROOT / "compat_data" / "README.md",
    *sorted(path for path in (ROOT / "docs").glob("*.md") if path.name != "live-locks.md"),
    *sorted((ROOT / "docs" / "guides").glob("*.md")),
]


def faults(text: str) -> Iterator[str]:
    """The banned phrases in a text, each with what to write instead."""
    for phrase, better in PHRASES.items():
        yield from (f"{found[0]!r}: {better}" for found in phrase.finditer(text))


def prose_of(path: Path) -> Iterator[tuple[int, str]]:
    """The docstrings, comments and sentences of a Python file, each with its line; a value in a text is ``…``."""
    text = path.read_text(encoding="utf-8")
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    tree = ast.parse(text)
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            values = (part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
            yield node.lineno, "".join(map(str, values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            yield node.lineno, node.value


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_the_source_says_it_plainly(path: Path) -> None:
    assert not [f"{line}: {fault}" for line, text in prose_of(path) for fault in faults(text)]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_documents_say_it_plainly(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert not [f"{number}: {fault}" for number, line in enumerate(lines, 1) for fault in faults(line)]


@pytest.mark.parametrize(
    "text", ["these cannot stand together", "mend it with: pip", "'x' is no platform", "it gave way"]
)
def test_the_lint_finds(text: str) -> None:
    assert list(faults(text))


@pytest.mark.parametrize(
    "text", ["it is no longer there", "recommend", "the remedy", "these conflict", "there are no wheels"]
)
def test_the_lint_leaves_alone(text: str) -> None:
    assert not list(faults(text))
