"""Secrets in arguments without a telling name: ``curl -u``, ``twine upload -p``, ``login()``."""

from __future__ import annotations

import re

from torchlock.patterns import pattern
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_BEARER = pattern(
    r"\bbearer[ \t]{1,8}([^\s\"'`]{6,})|\bbasic[ \t]{1,8}(?=[A-Za-z]*[\d+/=])([\w+/=-]{8,})", re.IGNORECASE
)
_USER = pattern(
    r"(?<!\S)(?:-u|--user|--proxy-user)[ \t=]{0,4}"
    r"(?:\"([^\s\":]+:[^\"\n]+)|'([^\s':]+:[^'\n]+)|(?!\d+:\d+(?!\S))([^\s\"':]+:[^\s/]\S*|[^\s\"':]{8,}:(?!\S)))"
)
# One-letter options, with the commands for which their value is a secret.
_LETTERS = (
    (
        pattern(r"\b(?:login|upload|publish|sshpass)[ \t]", re.IGNORECASE),
        pattern(r"(?<!\S)-p[ \t=]{0,4}([^\s-]\S*)"),
    ),
    (pattern(r"\b(?:publish|anaconda)[ \t]"), pattern(r"(?<!\S)-[ta][ \t=]{1,4}([^\s-]\S*)")),
)
_OPERAND = pattern(
    r"\b(?:wandb[ \t]{1,4}login|conda[ \t]{1,4}token[ \t]{1,4}set)"
    r"(?:[ \t]{1,4}--?[\w-]{1,30}){0,4}[ \t]{1,4}([^\s-]\S{5,})"
)
_PIPED = pattern(
    r"\b(?:echo|printf)(?:[ \t]{1,4}-\w{1,3})?[ \t]{1,4}(?:'[^'\n]{0,40}'[ \t]{1,4})?"
    r"([^|\s][^|\n]{0,300})\|[^|;&\n]{0,200}(?:-stdin|--with-token|[ \t]login)\b"
)
_HERE = pattern(r"\blogin\b[^<\n]{0,200}<<<[ \t]{0,4}(\S+)")
# In the source of a notebook, quotes are escaped.
_QUOTE, _NEXT = r"\\{0,3}[\"']", r"[ \t]{0,4},[ \t]{0,4}"
_CALLS = (
    pattern(
        rf"(?:login|save_token|set_token)\([ \t]{{0,4}}(?:\w{{1,20}}[ \t]?=[ \t]?)?{_QUOTE}([^\"'\\\s]{{6,300}})"
    ),
    pattern(
        rf"(?:setdefault|[gs]etenv|putenv|get)\([ \t]{{0,4}}{_QUOTE}"
        rf"\w{{0,100}}(?i:token|secret|passw|_key|_pat)\w{{0,20}}{_QUOTE}{_NEXT}{_QUOTE}([^\"'\\\n]{{1,300}})"
    ),
    pattern(
        rf"\bauth[ \t]{{0,4}}=[ \t]{{0,4}}\([ \t]{{0,4}}(?:{_QUOTE})?[\w.@-]{{1,100}}(?:{_QUOTE})?{_NEXT}{_QUOTE}"
        r"([^\"'\\\n]{1,300})"
    ),
)
_PRIVATE = pattern(r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----([^\n]+)")


def given_to_commands(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The spans of such secrets in ``text[start:end]``, a logical line; unordered, and some overlap."""
    for form in (_BEARER, _USER, _OPERAND, _PIPED, _HERE, *_CALLS, _PRIVATE):
        for match in form.finditer(text, start, end):
            yield match.span(match.lastindex or 0)
    for command, option in _LETTERS:
        if command.search(text, start, end):
            yield from (match.span(1) for match in option.finditer(text, start, end))
