"""The extras and groups that exclude each other: ``conflicts`` in a configuration file.

The grammar is that of ``conflicts`` in ``[tool.uv]``: a list of sets, and each set is a list of tables with an
extra or a group. Of each set, one installation has at most one.
"""

from __future__ import annotations

from torchlock.redaction import shortened
from torchlock.spelling import meant
from torchlock.standards.names import normalise
from torchlock.terms import ExclusiveScopes
from torchlock.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torchlock.errors import InputError
    from torchlock.jobs.config_files import ConfigFile

KEY = "conflicts"
KINDS = ("extra", "group")
_EXAMPLE = 'write it like conflicts = [[{extra = "cpu"}, {extra = "gpu"}]]'


def declared_conflicts(files: Iterable[ConfigFile]) -> list[ExclusiveScopes]:
    """The sets of the strongest configuration file that has some.

    Raises:
        InputError: the value has another form.
    """
    for file in files:
        if file.conflicts is not None:
            return _sets(file, file.conflicts)
    return []


def _sets(file: ConfigFile, value: Any) -> list[ExclusiveScopes]:
    if not isinstance(value, list):
        raise file.wrong(f": {KEY} = {shortened(repr(value))} is not a list of sets", KEY, _EXAMPLE)
    return [_set(file, number, each) for number, each in enumerate(value)]


def _set(file: ConfigFile, number: int, value: Any) -> ExclusiveScopes:
    def wrong(said: str) -> InputError:
        return file.wrong(f": {KEY}: {said}", KEY, _EXAMPLE, number)

    if not isinstance(value, list):
        raise wrong(f"set {number + 1} is not a list")
    scopes: dict[str, None] = {}
    for item in value:
        if not isinstance(item, dict) or len(item) != 1:
            raise wrong(f"{shortened(repr(item))} is not a table with one extra or group")
        kind, name = next(iter(item.items()))
        if kind not in KINDS:
            raise wrong(f"unknown key {shortened(str(kind))!r}{meant(str(kind), KINDS)}")
        if not isinstance(name, str) or not name:
            raise wrong(f"{kind} = {shortened(repr(name))} is not a name")
        scopes[f"{kind}:{normalise(name)}"] = None
    if len(scopes) < 2:
        raise wrong(f"set {number + 1} has fewer than two extras or groups")
    lines = [file.line(KEY, number, 0, kind) for kind in KINDS]  # of the key, for the kind that is not there
    return ExclusiveScopes(file.shown, max(filter(None, lines), default=None), tuple(scopes))
