"""No pattern has two ways to match: the steps of each grow as the text does, counted on texts made to fool it."""

from __future__ import annotations

import random
import re
import warnings
from functools import cache
from zlib import crc32

import pytest

from support.amount import THOROUGH
from support.regex.found import Use, uses
from support.regex.growth import slow
from support.regex.steps import Matcher
from support.regex.tree import parsed

# Steps are counted here, or thousands of inputs tried; other tests cover the same code.
pytestmark = pytest.mark.no_cover

SHARES = 4
# Patterns that are known only when the program runs, by the function that uses them: all that it may get.
GIVEN = {
    # The callers' own patterns, which their modules hold.
    ("src/torchlock/patterns.py", "__getattr__: text"): lambda module: [],
    ("src/torchlock/proving/reading.py", "_opened: opened.pattern"): lambda module: [
        opened.pattern for member in module.MEMBERS.values() for opened in member.opens
    ],
    ("src/torchlock/check/opened_later.py", "_opened: opener.file"): lambda module: [
        each.file for openers in module._OPENERS.values() for each in openers
    ],
    ("src/torchlock/check/opened_later.py", "_opened: opener.opens"): lambda module: [
        each.opens for openers in module._OPENERS.values() for each in openers
    ],
    ("src/torchlock/check/rules/calls_in_log.py", "changed: row.error"): lambda module: [
        row.error for row in module.changed_calls()
    ],
    ("src/torchlock/check/rules/calls_in_log.py", "changed: row.line"): lambda module: [
        row.line for row in module.changed_calls()
    ],
    ("src/torchlock/check/rules/calls_in_log.py", "changed_in_some: row.error"): lambda module: [
        row.error for row in module.changed_calls()
    ],
    ("src/torchlock/check/rules/calls_in_log.py", "changed_in_some: row.line"): lambda module: [
        row.line for row in module.changed_calls() if row.line
    ],
    ("src/torchlock/knowledge/other_names.py", "mistaken: names"): lambda module: [
        row[1] for row in module._rows()["mistaken"]
    ],
    ("src/torchlock/check/log_signatures.py", "signatures: line"): lambda module: [
        known.line.pattern for known in module.signatures()
    ],
    ("src/torchlock/check/log_signatures.py", "signatures: beside"): lambda module: [
        known.beside.pattern for known in module.signatures() if known.beside
    ],
    ("src/torchlock/knowledge/python_changes.py", "newer_code: pattern"): lambda module: [
        row[1] for row in module._table()["newer"]
    ],
    ("src/torchlock/knowledge/python_changes.py", "newer_code: of_code"): lambda module: [
        row[2] for row in module._table()["newer"]
    ],
    ("src/torchlock/knowledge/python_changes.py", "refused: row[1]"): lambda module: [
        row[1] for row in module._table()["refused"]
    ],
    (
        "src/torchlock/inspect/module_names.py",
        "__init__: re.escape(self.package.encode()) + b'(?:\\\\.\\\\w+)+'",
    ): lambda module: [rb"torchaudio(?:\.\w+)+"],
    ("src/torchlock/check/soundfile_data.py", "asked_by: name"): lambda module: [
        module._pattern(value)
        for value in (
            "'libsndfile_' + _machine() + '.so'",
            "'libsndfile_' + _architecture()[0] + '.dll'",
            "_machine() + _architecture()[0] * 9 + _architecture()[0] + '.dylib'",
        )
    ],
    ("scripts/compiling/registry.py", "_pattern: pattern"): lambda module: [],
    ("src/torchlock/check/rules/meanings_in_log.py", "_facts: meaning.line"): lambda module: [
        meaning.line for meaning in module.meanings()
    ],
    ("src/torchlock/check/rules/meanings_in_log.py", "_facts: meaning.near"): lambda module: [
        meaning.near for meaning in module.meanings() if meaning.near
    ],
    ("src/torchlock/check/rules/meanings_in_log.py", "_facts: meaning.demands"): lambda module: [
        meaning.demands for meaning in module.meanings() if meaning.demands
    ],
    ("src/torchlock/check/rules/lines_in_log.py", "_is_of_others: _IMPORTS.format(each)"): lambda module: [
        module._IMPORTS.format("cv2")
    ],
    ("src/torchlock/manifests/detection.py", "fits: each"): lambda module: [
        pattern
        for row in module.FORMATS
        for content in row.contents
        for pattern in (content.pattern, content.too)
        if pattern
    ],
    ("src/torchlock/manifests/detection.py", "_what_instead: sign"): lambda module: [
        sign for _, sign, _ in module._INSTEAD
    ],
    ("src/torchlock/manifests/syntax/requirement.py", "_hint: mistake"): lambda module: [
        mistake for mistake, _ in module._MISTAKES
    ],
    ("scripts/compiling/images.py", "_pattern: text"): lambda module: [],
    ("src/torchlock/knowledge/images.py", "image_of: family['names']"): lambda module: [
        family["names"] for family in module._table()["families"]
    ],
    ("src/torchlock/knowledge/images.py", "image_of: bare['names']"): lambda module: [
        module._table()["bare"]["names"]
    ],
    ("src/torchlock/knowledge/images.py", "image_of: bare['python']"): lambda module: [
        module._table()["bare"]["python"]
    ],
    ("src/torchlock/knowledge/images.py", "_of_family: family['tag']"): lambda module: [
        family["tag"] for family in module._table()["families"] if "tag" in family
    ],
    ("src/torchlock/check/library_origins.py", "_rows: row['name']"): lambda module: [
        row["name"] for row in module.tables.load_compiled("libraries.json")["libraries"]
    ],
    ("scripts/compiling/libraries.py", "_row: texts['name']"): lambda module: [],
    ("src/torchlock/knowledge/build_failures.py", "_rows: row['line']"): lambda module: [
        row["line"] for row in module.tables.load_compiled("build_failures.json")["failures"]
    ],
    ("scripts/compiling/build_failures.py", "_row: found['line']"): lambda module: [],
    ("src/torchlock/check/rules/not_ours_in_log.py", "not_ours: meaning.line"): lambda module: [
        meaning.line for meaning in module.meanings()
    ],
    ("scripts/compiling/stack.py", "_opened: item[1]"): lambda module: [],  # only compiled, to see that it is one
    ("src/torchlock/inspect/loading/imports.py", "_companion: pattern + _EXTENSION"): lambda module: [
        opened.pattern + module._EXTENSION for member in module.MEMBERS.values() for opened in member.opens
    ],
    ("src/torchlock/manifests/syntax/requirement.py", "_hint: pattern"): lambda module: [
        pattern for pattern, _ in module._MISTAKES
    ],
}

# How a pattern is tried, where the source does not show it: once, or at places that a text has few of.
HOW = {
    "scripts/compiling/names.py: _NAME": ("fullmatch", "on a name of our own table"),
    "src/torchlock/check/soundfile_data.py: asked_by": ("fullmatch", "on the name of a file"),
    "src/torchlock/manifests/formats/text_document.py: _MAGIC": ("match", "at the beginning of a line"),
    "src/torchlock/manifests/formats/text_document.py: _PROMPT": ("match", "at the beginning of a line"),
    "src/torchlock/manifests/formats/text_document.py: _ROOT": ("match", "at the beginning of a line"),
    "src/torchlock/manifests/formats/text_document.py: _COMMAND": ("match", "at the beginning of a line"),
    "src/torchlock/manifests/corrections.py: _INSIDE": ("fullmatch", "on a whole line"),
    "src/torchlock/manifests/corrections.py: HEAD": ("match", "at the beginning of a line"),
    "src/torchlock/manifests/formats/dockerfile.py: _FLAG": ("match", "once an instruction"),
    "src/torchlock/manifests/formats/dockerfile.py: _INSTRUCTION": ("match", "at the beginning of an instruction"),
    "src/torchlock/manifests/formats/makefile.py: _JUST_TARGET": ("match", "at the beginning of a line"),
    "src/torchlock/manifests/formats/makefile.py: _TARGET": ("match", "at the beginning of a line"),
    "src/torchlock/manifests/formats/notebook.py: _STRING": (
        "match",
        "the first that does not match ends the reading",
    ),
    "src/torchlock/manifests/syntax/installer_platforms.py: _PATTERNS": ("fullmatch", "on the value of an option"),
    "src/torchlock/manifests/syntax/markers.py: _TOKEN": (
        "match",
        "the first that does not match ends the reading",
    ),
    "src/torchlock/manifests/syntax/shell.py: _SKIPPED": (
        "match",
        "always matches, and the reading goes on behind it",
    ),
    "src/torchlock/manifests/syntax/toml_tokens.py: _HEADER": ("match", "at the beginning of a line"),
    "src/torchlock/manifests/syntax/windows_shell.py: _CMD_CONDITION": ("match", "once an if"),
    "src/torchlock/manifests/syntax/windows_shell.py: _PS_REST": ("match", "behind a value"),
    "src/torchlock/manifests/syntax/windows_shell.py: _PS_VALUE": ("match", "behind an equals sign"),
    "src/torchlock/redaction/forms.py: _PORT_LIKE": ("match", "once an address"),
    "src/torchlock/redaction/forms.py: _SIMPLE": ("match", "once an address"),
    "src/torchlock/report/audit_text.py: _REQUIREMENT": ("match", "once a finding, on its line"),
}
# Patterns whose steps may grow faster than the text, for the text is bounded.
BOUNDED = {
    "src/torchlock/inspect/loading/preloads.py: _AFTER": "torch's own module, 4000 characters behind each start",
    "src/torchlock/inspect/loading/preloads.py: _TABLE": "torch's own module, 6000 characters behind each start",
    "src/torchlock/inspect/loading/search_path.py: _PYTHON_OF_HOMEBREW": "the path of an interpreter",
    "src/torchlock/manifests/formats/jenkinsfile.py: _TOKEN": "a row of quotes; 32,000 of them take as many steps",
    "src/torchlock/manifests/corrections.py: _INSIDE": "a line of 500 characters (LONG)",
    "src/torchlock/knowledge/images.py: image_of": "the name of an image, of 800 characters (_LONGEST)",
    "src/torchlock/manifests/syntax/poetry_constraints.py: _CLAUSE": "a version of 200 characters (_LONGEST)",
    "src/torchlock/inspect/module_names.py: _FROM": "4000 characters behind each 25",
    "src/torchlock/manifests/syntax/requirement.py: _hint": "a line of 500 characters (_LONG)",
}


@cache
def found() -> list[Use]:
    """All patterns of the project."""
    known, unknown = uses(GIVEN)
    assert not unknown, "patterns made at run time: say in GIVEN what they can be"
    return known


@pytest.mark.sampled
@pytest.mark.parametrize("share", range(SHARES))
def test_each_pattern_takes_steps_as_its_text_has_characters(share: int) -> None:
    """The patterns of one share of the modules: the shares are tried at the same time."""
    assert len(found()) > 500
    wrong, needed, tried = [], set(), set()
    for use in found():
        if crc32(use.where.encode()) % SHARES != share:
            continue
        if use.where in BOUNDED and not THOROUGH:
            continue  # whatever is found would be allowed
        tried.add(use.where)
        how = HOW.get(use.where, (use.how,))[0]
        grown = slow(use.pattern, use.flags, how)
        if how != use.how:
            needed.add(use.where)
        if grown and use.where in BOUNDED:
            needed.add(use.where)
        elif grown:
            wrong.append(f"{use.where}: {use.pattern!r} ({how}) on {grown}")
    assert not wrong, "\n".join(wrong)
    if THOROUGH:
        assert needed == (HOW.keys() | BOUNDED.keys()) & tried, "a table of this test says more than is needed"


def test_each_row_of_the_tables_is_about_a_pattern() -> None:
    assert HOW.keys() | BOUNDED.keys() <= {use.where for use in found()}


@pytest.mark.parametrize(
    ("pattern", "how"),
    [
        (r"(a+)+b", "match"),
        (r"\s*\s*x", "match"),
        (r"(\w|\d\w?)*!", "match"),
        (r"\s+$", "all"),
        (r"(?:[ \t]+[^\n]*\n)*\]", "match"),
        (r"(?:-|\w+://|[^\W\d])\S*(?:\s+(?:-|\w+://|[^\W\d])\S*)+@", "fullmatch"),
        (r"(?:[._-]?(?:a|b|r|rc|c)[._-]?\d*)*", "fullmatch"),
        (r"[\w.]+ = \d", "all"),
        (r"\[([^\]]*)\]$", "all"),
        (r"(?m)^#( .*)?$\s(?P<content>(^#(| .*)$\s)+)^# ///$", "all"),
        (r"x(?=.*y)", "all"),
        (r"(?i)(AB?|a)*!", "match"),
    ],
)
def test_a_slow_pattern_is_found(pattern: str, how: str) -> None:
    assert slow(pattern, 0, how)


@pytest.mark.parametrize(
    ("pattern", "how"),
    [
        (r"(?:a|b)*c", "match"),
        (r"\s*x", "match"),
        (r"(?<!\s)\s+$", "all"),
        (r"[-_.]+", "all"),
        (r"\[([^\[\]]*)\]", "all"),
        (r'"[^"\\\n]*(?:\\.[^"\\\n]*)*"', "match"),
        (r"(?=(a+))\1b", "match"),
        (r"^.*$", "all"),
    ],
)
def test_a_quick_pattern_is_none(pattern: str, how: str) -> None:
    assert slow(pattern, re.MULTILINE, how) is None


def test_the_matcher_that_counts_finds_what_re_finds() -> None:
    """On random patterns and texts; where it lies, its groups, and all matches of a text."""
    chance, compared = random.Random(5), 0
    while compared < 3000:
        written, flags = _numbered(_pattern(chance, 4)), chance.choice([0, re.I, re.M, re.S, re.M | re.I])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                real = re.compile(written, flags)
            except re.error:  # a group that refers to itself
                continue
            tree = parsed(written, flags)
        text = "".join(letter for letter in chance.choices("abA0- \n", k=8) if letter in tree.letters)
        matcher = Matcher(tree)
        for whole, match in ((False, real.match(text)), (True, real.fullmatch(text))):
            assert matcher.match(text, 0, whole) == (match.span() if match else None), (written, flags, text)
            if match:
                spans = [match.span(number) for number in range(1, real.groups + 1)]
                assert matcher.groups() == [None if span == (-1, -1) else span for span in spans], (written, text)
        assert matcher.all(text) == [match.span() for match in real.finditer(text)], (written, flags, text)
        compared += 1


def _pattern(chance: random.Random, depth: int) -> str:
    if depth == 0 or chance.random() < 0.3:
        return chance.choice(
            [*"ab.-^$A", "[ab]", "[^a]", r"\d", r"\s", r"\w", r"\b", "(?<=a)", "(?<!b)", r"(a|b)\N"]
        )
    inner = _pattern(chance, depth - 1)
    other = _pattern(chance, depth - 1)
    repeat = chance.choice(["*", "+", "?", "*?", "+?", "??", "{2}", "{1,3}", "{0,2}?"])
    forms = [
        f"{inner}{other}",
        f"(?:{inner}|{other})",
        f"({inner})",
        f"(?:{inner}){repeat}",
        f"(?={inner})",
        f"(?!{inner})",
    ]
    return chance.choice(forms)


def _numbered(pattern: str) -> str:
    """A pattern whose references refer to the group right before them."""
    while r"\N" in pattern:
        before = pattern.partition(r"\N")[0]
        pattern = pattern.replace(r"\N", f"\\{len(re.findall(r'[(](?![?])', before))}", 1)
    return pattern
