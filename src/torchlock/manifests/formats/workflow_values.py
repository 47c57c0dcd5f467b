"""Values of a CI workflow that its text states: the matrix of a job, variables, and simple conditions."""

from __future__ import annotations

import re
from itertools import islice, product
from typing import TYPE_CHECKING

from torchlock.manifests.embedded_code import MappedText
from torchlock.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from torchlock.manifests.syntax.yaml import Node

    Values = Mapping[str, str]

_EXPRESSION = pattern(
    r"\$\{\{\s*(?P<github>[\w.-]+)\s*\}\}|\$\((?P<azure>[\w.-]+)\)|<<\s*(?P<circle>[\w.-]+)\s*>>"
)
_USED = pattern(r"matrix\.([\w-]+)")
_COMPARED = pattern(
    r"\(*\s*(?P<name>[\w.-]+)\s*(?P<operator>==|!=)\s*(?:'(?P<value>[^']*)'|(?P<plain>true|false|\d+))\s*\)*"
)
_ALONE = pattern(r"\(*\s*(?:(?P<negated>!)\s*)?(?P<name>[\w.-]+)\s*\)*")
_STARTS = pattern(r"\(*\s*startsWith\(\s*(?P<name>[\w.-]+)\s*,\s*'(?P<value>[^']*)'\s*\)\s*\)*")
# The limit of the runs of one job that are judged apart.
_MOST = 40


def runs_of(job: Node, written: str) -> list[dict[str, str]]:
    """The values of ``matrix.NAME`` in each run of a job, as far as its text has them; else one empty run.

    The matrices of Azure and GitLab set variables: there the keys are their names. ``written`` is the text of the
    job: a name that it does not use makes no difference.
    """
    parallel, strategy = job.get("parallel"), job.get("strategy")
    tables = parallel.get("matrix") if parallel else None
    if tables is not None and tables.items:
        return _limited(run for table in tables.items for run in _runs_of_table(table))
    matrix = strategy.get("matrix") if strategy else None
    if matrix is None or not matrix.mapping:
        return [{}]
    if all(value.mapping for _, value in matrix.pairs):
        return _limited(_variables_of_run(value) for _, value in matrix.pairs)
    used = set(_USED.findall(written))
    axes = {key.text or "": value for key, value in matrix.pairs if key.text not in ("include", "exclude")}
    if any(value.text is not None for value in axes.values()):
        return [{}]  # An expression gives the values.
    runs = [dict(run) for run in _combinations(axes)]
    include, exclude = matrix.get("include"), matrix.get("exclude")
    runs = [run for run in runs if not any(_agrees(run, each) for each in _tables(exclude))]
    runs = _included(runs, [*_tables(include)], set(axes))
    found = dict.fromkeys(tuple(pair for pair in run.items() if pair[0] in used) for run in runs)
    return [dict(run) for run in found] if 0 < len(found) <= _MOST else [{}]


def _limited(runs: Iterable[dict[str, str]]) -> list[dict[str, str]]:
    found = list(islice(runs, _MOST + 1))
    return found if 0 < len(found) <= _MOST else [{}]


def _variables_of_run(table: Node) -> dict[str, str]:
    """The variables of one run in Azure, and the names that they have in the environment of a script."""
    values = {key.text or "": value.text for key, value in table.pairs if value.text is not None}
    return {**{re.sub(r"[. -]", "_", name).upper(): value for name, value in values.items()}, **values}


def _runs_of_table(table: Node) -> Iterator[dict[str, str]]:
    """The combinations of the variables in one table of GitLab: a value, or a list of values, for each."""
    lists = [[(key.text or "", item.text or "") for item in value.items or [value]] for key, value in table.pairs]
    return (dict(pairs) for pairs in product(*lists))


def _combinations(axes: Mapping[str, Node]) -> Iterable[Iterable[tuple[str, str]]]:
    lists = [[(name, item) for item in node.items] for name, node in axes.items()]
    size = 1
    for each in lists:
        size *= len(each)
    if size > _MOST * 10:
        return []
    return ([pair for name, item in each for pair in _flat(name, item)] for each in product(*lists) if each)


def _flat(name: str, node: Node) -> list[tuple[str, str]]:
    """``matrix.NAME``, or ``matrix.NAME.KEY`` for a table."""
    if node.text is not None:
        return [(name, node.text)]
    return [(f"{name}.{key.text}", value.text) for key, value in node.pairs if value.text is not None]


def _tables(node: Node | None) -> list[dict[str, str]]:
    items = node.items if node else []
    return [dict(pair for key, value in item.pairs for pair in _flat(key.text or "", value)) for item in items]


def _agrees(run: Values, part: Values) -> bool:
    return all(run.get(name) == value for name, value in part.items())


def _included(runs: list[dict[str, str]], tables: list[dict[str, str]], axes: set[str]) -> list[dict[str, str]]:
    """The runs with those of ``include``: a table extends the runs that it agrees with, or is a run."""
    alone = []
    for table in tables:
        shared = {name: value for name, value in table.items() if name in axes}
        fitting = [run for run in runs if _agrees(run, shared)]
        for run in fitting:
            run |= table
        alone += [] if fitting else [table]
    return [*runs, *alone]


def variables_of(node: Node | None) -> dict[str, tuple[str, Node]]:
    """The variables of ``env:`` or ``variables:``, a table or a list of names and values."""
    if node is None:
        return {}
    found = {key.text or "": (value.text, value) for key, value in node.pairs if value.text is not None}
    for item in node.items:
        name, value = item.get("name"), item.get("value")
        if name is not None and name.text and value is not None and value.text is not None:
            found[name.text] = value.text, value
    return found


def filled(text: MappedText, values: Values) -> MappedText:
    """The text with the values that are known instead of expressions."""
    found, at = MappedText(), 0
    for match in _EXPRESSION.finditer(text.text):
        name = match["github"] or match["azure"] or match["circle"]
        value = values.get(name)
        if value is None and match["circle"]:
            value = f"${{{{{name}}}}}"  # The shell would read << as a heredoc.
        if value is not None:
            text.copy(at, match.start(), found)
            found.add(value, _place(text, match.start()))
            at = match.end()
    text.copy(at, len(text.text), found)
    return found


def _place(text: MappedText, at: int) -> int:
    part = MappedText()
    text.copy(at, at + 1, part)
    return part.pieces[0][1]


def filled_text(text: str, values: Values) -> str:
    """The text with the values that are known instead of expressions."""
    whole = MappedText()
    whole.add(text, 0)
    return filled(whole, values).text if text and ("{{" in text or "$(" in text) else text


def holds(condition: str, values: Values) -> bool | None:
    """Whether ``if:`` holds, if it has only known values, alone or compared; None if that is unknown."""
    text = condition.strip().removeprefix("${{").removesuffix("}}").strip()
    if "||" in text:
        answers = [holds(part, values) for part in text.split("||")] if "&&" not in text else [None]
        return True if True in answers else None if None in answers else False
    answers = [_compared(part, values) for part in text.split("&&")]
    return False if False in answers else None if None in answers else True


def _compared(text: str, values: Values) -> bool | None:
    match = _COMPARED.fullmatch(text.strip())
    if match:
        known, other = values.get(match["name"]), match["plain"] or match["value"]
        return None if known is None else (known.lower() == other.lower()) == (match["operator"] == "==")
    match = _ALONE.fullmatch(text.strip())
    if match:
        held = _is_true(match["name"], values)
        return None if held is None else held != bool(match["negated"])
    match = _STARTS.fullmatch(text.strip())
    known = values.get(match["name"]) if match else None
    return None if match is None or known is None else known.lower().startswith(match["value"].lower())


def _is_true(name: str, values: Values) -> bool | None:
    """Whether a value alone holds: an empty text does not. ``false`` and 0 may be texts, which hold, or not."""
    if name in ("true", "false"):
        return name == "true"
    known = values.get(name)
    return None if known is None or known.lower() in ("false", "0", "null") else bool(known)
