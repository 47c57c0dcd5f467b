"""Names that a user probably meant: one question, "did you mean …?", for every list of known names."""

from __future__ import annotations

from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# A longer text is not a misspelt name, and comparing it takes long.
_LONGEST = 100
# The least likeness of a name that was meant: "best" and "lowest" have 0.6.
_LIKE = 0.7
# How many names a text may be the beginning of, so that all of them are an answer.
_MOST = 5


def similar(name: str, known: Iterable[str], count: int = 1, cutoff: float = _LIKE) -> list[str]:
    """The known names that are spelled most like this one, the nearest first; upper and lower case are equal.

    ``count`` limits the names. ``cutoff`` is the least likeness, from 0 to 1, as ``difflib`` measures it.
    """
    if not name or len(name) > _LONGEST:
        return []
    from difflib import get_close_matches

    plain: dict[str, list[str]] = {}
    for each in known:
        plain.setdefault(each.lower(), []).append(each)
    return [each for near in get_close_matches(name.lower(), plain, count, cutoff) for each in plain[near]][:count]


def meant(name: str, known: Iterable[str], cutoff: float = _LIKE) -> str:
    """``; did you mean torchaudio?``, to be put after an error about a name; "" if no known name is near.

    If the text is the beginning of a few known names, all of these are named.
    """
    names = list(dict.fromkeys(known))
    begun = [each for each in names if len(name) > 1 and each.lower().startswith(name.lower())]
    if 0 < len(begun) <= _MOST:
        return question(begun)
    swapped = (each for each in names if sorted(each.lower()) == sorted(name.lower()))
    near = similar(name, begun or names, cutoff=cutoff)  # Of short names, two exchanged letters are a third.
    return question(near or [each for each in swapped if is_one_letter_off(name.lower(), each.lower())])


def is_one_letter_off(name: str, known: str) -> bool:
    """Whether a name is a known one with one letter more, less, exchanged, or swapped with the next one."""
    if name == known or abs(len(name) - len(known)) > 1:
        return False
    differing = (at for at, pair in enumerate(zip(name, known, strict=False)) if pair[0] != pair[1])
    start = next(differing, min(len(name), len(known)))
    own, other = name[start:], known[start:]
    swapped = own[:2] == other[1::-1] and own[2:] == other[2:]
    return swapped or own[1:] == other[1:] or own[1:] == other or own == other[1:]


def question(names: Iterable[str]) -> str:
    """``; did you mean A, B or C?`` for names that are near; "" for none."""
    *first, last = [*names] or [""]
    return f"; did you mean {', '.join(first)}{' or ' if first else ''}{last}?" if last else ""
