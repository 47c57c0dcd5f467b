"""The names of rules that a user writes."""

from __future__ import annotations

import re

from torchlock.errors import InputError
from torchlock.redaction import shortened
from torchlock.spelling import question, similar
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

# What looks like the name of a rule, and not like that of a package.
_LIKE_A_RULE = re.compile(r"TL[-_ ]?\d{1,9}", re.IGNORECASE)


def is_rule(text: str) -> bool:
    """Whether a word is meant as the name of a rule, be there one or not."""
    return _LIKE_A_RULE.fullmatch(text) is not None


def checked_rule(text: str, known: Collection[str], option: str = "") -> str:
    """The name of a rule as the data spell it. ``option`` is the option that names it, "" for the command line.

    Raises:
        InputError: there is no such rule.
    """
    name = text.strip().upper()
    if name in known:
        return name
    where = f"{option}: " if option else ""
    said = f"{where}unknown rule {shortened(text.strip())}{_meant(name, known)}"
    raise InputError(said, hint="torchlock rules lists the rules")


def ignored_rules(texts: Sequence[str]) -> frozenset[str]:
    """The rules that ``--ignore`` names, each text one rule or several with commas between them.

    Raises:
        InputError: a rule does not exist.
    """
    rules = [rule.strip().upper() for text in texts for rule in text.split(",") if rule.strip()]
    if rules:
        from torchlock.knowledge.rules import Matrix

        matrix = Matrix()
        rules = [checked_rule(rule, matrix.rules(), "--ignore") for rule in rules]
    return frozenset(rules)


def _meant(name: str, known: Collection[str]) -> str:
    """A question that names the rules that were probably meant, or ""."""
    plain = re.sub(r"[-_ ]", "", name)
    begun = [each for each in known if len(plain) > 3 and each.startswith(plain)]
    if begun or re.fullmatch(r"TL\d{0,3}", plain):  # Another number names another rule.
        return question(begun)
    return question(similar(plain, known, cutoff=0.8))
