"""What a rule says to the program and on its page: severity, rank, printed texts, story."""

from __future__ import annotations

import re
from typing import Any

from compiling.values import TableError, refuse_unknown, tables_of, text_of, texts_of, true_of

STORY_KEYS = ("what", "why", "example", "fix")
REGISTRY_KEYS = {
    "severity",
    "rank",
    "by",
    "group",
    "explains",
    "change",
    "steps",
    "remedy",
    "hidden_by_error",
    "whole_file",
    "prints",
    "meaning",
}
_SEVERITIES = ("error", "warning", "note")
_COMMANDS = ("audit", "check", "lock")
_REMEDIES = ("reinstall", "versions", "dependent", "partner")
_STEPS = ("import", "files")
_CHANGES = ("page", "release", "dependent")
_PRINT_KEYS = {"order", "line", "beside", "also", "weight"}
_MEANING_KEYS = {"line", "near", "demands", "system", "absent", "says", "because", "fix", "command"}
_MEANING = {"near": "", "demands": "", "system": "", "absent": "", "command": ""}
_SYSTEMS = ("", "linux", "macos", "windows")
_WEIGHTS = ("echo", "general", "headline", "attempt", "cause")
# Names of libraries occur in the output of every installer. They count only beside one of these words.
_WORDS = {
    "@failure": (
        r"cannot|could ?n[o']t|can't|no such file|not found|not loaded|unable to|failed|missing|error\b|\berr|"
        r"undefined symbol|symbol not found|wrong architecture|incompatible"
    ),
    "@undefined": r"undefined symbol|symbol not found|not defined in",
}


def story_of(table: dict[str, Any]) -> dict[str, Any]:
    """What the page of a rule says, in whole sentences, and what a failure prints as people see it."""
    story: dict[str, Any] = {"title": text_of(table, "title")}
    for key in STORY_KEYS:
        story[key] = text_of(table, key)
        if not story[key].endswith((".", "`", "…")):
            raise TableError("must end with a full stop", key)
    if "shown" in table:
        story["shown"] = texts_of(table, "shown")
    return story


def registry_row_of(table: dict[str, Any], identifier: str) -> dict[str, Any]:
    """What the program asks about a rule: severity, place among causes, consequences, and what it prints."""
    row: dict[str, Any] = {
        "severity": text_of(table, "severity"),
        "rank": table.get("rank"),
        "by": texts_of(table, "by"),
    }
    if row["severity"] not in _SEVERITIES:
        raise TableError(f"must be one of {', '.join(_SEVERITIES)}", "severity")
    if type(row["rank"]) is not int or row["rank"] < 1:
        raise TableError("must be a number from 1 on", "rank")
    if not set(row["by"]) <= set(_COMMANDS):
        raise TableError(f"must be some of {', '.join(_COMMANDS)}", "by")
    if "group" in table:
        row["group"] = text_of(table, "group")
    if "remedy" in table:
        row["remedy"] = text_of(table, "remedy")
        if row["remedy"] not in _REMEDIES:
            raise TableError(f"must be one of {', '.join(_REMEDIES)}", "remedy")
    if "steps" in table:
        row["steps"] = texts_of(table, "steps")
        if not set(row["steps"]) <= set(_STEPS):
            raise TableError(f"must be some of {', '.join(_STEPS)}", "steps")
    if "explains" in table:
        row["explains"] = texts_of(table, "explains")
    if "change" in table:
        row["change"] = text_of(table, "change")
        if row["change"] not in _CHANGES:
            raise TableError(f"must be one of {', '.join(_CHANGES)}", "change")
    for key in ("hidden_by_error", "whole_file"):
        if key in table:
            row[key] = true_of(table, key)
    row["prints"] = []
    for number, item in enumerate(tables_of(table, "prints")):
        try:
            row["prints"].append(_print(item, identifier))
        except TableError as error:
            raise error.under(f"prints[{number}]") from None
    row["meanings"] = []
    for number, item in enumerate(tables_of(table, "meaning")):
        try:
            row["meanings"].append(_meaning(item, table, identifier))
        except TableError as error:
            raise error.under(f"meaning[{number}]") from None
    return row


def _meaning(table: dict[str, Any], rule: dict[str, Any], identifier: str) -> list[str]:
    """``[rule, line, near, system, absent, says, because, fix, command, demands]``: what a line means by itself.

    What it does not say is what the rule says.
    """
    refuse_unknown(table, _MEANING_KEYS)
    whole = {**_MEANING, "because": rule.get("because", ""), "fix": rule["fix"], **table}
    for key in ("line", "says", *table):
        text_of(whole, key)
    for key in ("line", "near", "demands"):
        _pattern(whole[key], key)
    if whole["system"] not in _SYSTEMS:
        raise TableError(f"must be one of {', '.join(_SYSTEMS[1:])}", "system")
    if not whole["fix"].endswith("."):
        raise TableError("must end with a full stop", "fix")
    keys = ("line", "near", "system", "absent", "says", "because", "fix", "command", "demands")
    return [identifier, *(whole[key] for key in keys)]


def _pattern(pattern: str, key: str) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        raise TableError(f"is not a pattern: {error}", key) from None


def _print(table: dict[str, Any], identifier: str) -> list[Any]:
    """``[order, line, beside, weight, rules]`` of a line that a failure prints."""
    refuse_unknown(table, _PRINT_KEYS)
    order, weight = table.get("order"), table.get("weight", "cause")
    if type(order) is not int:
        raise TableError("must be a number", "order")
    if weight not in _WEIGHTS:
        raise TableError(f"must be one of {', '.join(_WEIGHTS)}", "weight")
    beside = table.get("beside", "")
    beside = _WORDS.get(beside, beside)
    for key, pattern in (("line", text_of(table, "line")), ("beside", beside)):
        _pattern(pattern, key)
    also = texts_of(table, "also") if "also" in table else []
    return [order, table["line"], beside, weight, [identifier, *also]]


def compile_registry(rules: dict[str, dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The registry and the stories of all rules. Names of groups are replaced by their rules.

    Raises:
        TableError: two rules share a rank, or a rule that is named does not exist.
    """
    rows = {identifier: dict(rule["registry"]) for identifier, rule in rules.items()}
    groups: dict[str, list[str]] = {}
    for identifier, row in rows.items():
        groups.setdefault(row.get("group", ""), []).append(identifier)
    prints = _in_order({identifier: row.pop("prints") for identifier, row in rows.items()})
    meanings = [meaning for row in rows.values() for meaning in row.pop("meanings")]
    for row in rows.values():
        if "explains" in row:
            row["explains"] = sorted({rule for name in row["explains"] for rule in groups.get(name, [name])})
    _unlike([row["rank"] for row in rows.values()], "rank")
    named = [rule for row in rows.values() for rule in row.get("explains", ())]
    for rule in [*named, *(rule for line in prints for rule in line[4])]:
        if rule not in rules:
            raise TableError(f"no rule or group is called {rule!r}")
    registry = {"rules": rows, "prints": [line[1:] for line in prints], "meanings": meanings}
    return registry, {identifier: rule["story"] for identifier, rule in rules.items()}


def _in_order(prints: dict[str, list[list[Any]]]) -> list[list[Any]]:
    """The printed lines of all rules, lowest order first; of one order by the rule, then as its table has them.

    So two branches may give one number to two lines.
    """
    lines = [
        (line[0], identifier, place, line)
        for identifier, mine in prints.items()
        for place, line in enumerate(mine)
    ]
    return [line for *_, line in sorted(lines, key=lambda each: each[:3])]


def _unlike(numbers: list[int], key: str) -> None:
    twice = {number for number in numbers if numbers.count(number) > 1}
    if twice:
        raise TableError(f"{min(twice)} is there twice", key)
