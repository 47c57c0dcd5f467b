"""The options of a requirements file, parsed as pip does."""

from __future__ import annotations

import re

from torchlock.errors import InputError
from torchlock.patterns import pattern
from torchlock.records import NamedTuple
from torchlock.redaction import learn
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

COMMENT = pattern(r"(?:^|(?<=\s))#.*$")
HASH = pattern(r"(sha256|sha384|sha512):[0-9a-fA-F]+")
VARIABLE = pattern(r"\$\{([A-Z0-9_]+)\}")

_SHORT = {
    "-r": "--requirement",
    "-c": "--constraint",
    "-e": "--editable",
    "-i": "--index-url",
    "-f": "--find-links",
    "-C": "--config-settings",
}
_SYNONYMS = {"--pypi-url": "--index-url", "--config-setting": "--config-settings"}
_FLAGS = {"--no-index", "--pre", "--prefer-binary", "--require-hashes", "--no-require-hashes"}
_NAMES = {
    *_SHORT.values(),
    *_SYNONYMS,
    *_FLAGS,
    "--extra-index-url",
    "--trusted-host",
    "--use-feature",
    "--no-binary",
    "--only-binary",
    "--all-releases",
    "--only-final",
    "--hash",
    "--global-option",
    "--install-option",
}
_HINTS = {
    "--extra": "give --extra on the command line",
    "--upgrade": "give --upgrade on the command line",
    "-U": "give -U on the command line",
    "--name": "this looks like a command for conda",
}


class Option(NamedTuple):
    """An option by its full name, with its value as written ("" for a flag)."""

    name: str
    value: str


def split_options(text: str) -> tuple[str, str]:
    """Split a line into a requirement and the options behind it; each may be empty."""
    options = re.search(r"(?:^| )-", text)
    if not options:
        return text, ""
    return text[: options.start()].rstrip(), text[options.start() :].lstrip()


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace ``${NAME}`` with the values of variables; an unset or empty one stays as written."""
    if "$" not in text:
        return text
    expanded = VARIABLE.sub(lambda match: variables.get(match[1]) or match[0], text)
    if expanded != text:
        learn(expanded)
    return expanded


def parse_options(text: str) -> tuple[list[Option], list[str]]:
    """The options of a line, and the words that belong to no option, which pip ignores.

    Long names may be abbreviated. An option with a value takes the next word, whatever it is.

    Raises:
        InputError: pip has no such option, or one lacks its value.
    """
    import shlex

    try:
        words = shlex.split(text)
    except ValueError as error:
        raise InputError(f"{text!r}: {str(error).lower()}") from error
    options: list[Option] = []
    strays: list[str] = []
    words.reverse()
    while words:
        word = words.pop()
        if word == "-" or not word.startswith("-"):
            strays.append(word)
            continue
        if word == "--":  # No word behind it is an option.
            strays += [word, *reversed(words)]
            break
        name, value = _name(word)
        if value is None and name not in _FLAGS:
            if not words:
                raise InputError(f"{name} needs a value")
            value = words.pop()
        options.append(Option(name, value or ""))
    return options, strays


def _name(word: str) -> tuple[str, str | None]:
    """The full name of an option, and a value written in the same word."""
    if not word.startswith("--"):
        name = _SHORT.get(word[:2])
        if name is None:
            raise _unknown(word[:2])
        return name, word[2:] or None
    given, equals, value = word.partition("=")
    names = [given] if given in _NAMES else sorted(name for name in _NAMES if name.startswith(given))
    if not names:
        raise _unknown(given)
    if len({_SYNONYMS.get(name, name) for name in names}) > 1:
        raise InputError(f"{given} could be {' or '.join(names)}")
    name = _SYNONYMS.get(names[0], names[0])
    if equals and name in _FLAGS:
        raise InputError(f"{name} takes no value")
    return name, value if equals else None


def _unknown(name: str) -> InputError:
    return InputError(f"{name} is not an option of a requirements file", hint=_HINTS.get(name))
