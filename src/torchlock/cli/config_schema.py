"""The JSON schema of a configuration file, made from the options of the commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torchlock.cli.parser import COMMANDS, parser_of
from torchlock.jobs.declared_conflicts import KEY as CONFLICTS
from torchlock.jobs.declared_conflicts import KINDS
from torchlock.jobs.named_targets import KEYS
from torchlock.jobs.project import PATTERNS, refusal

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

_DRAFT = "https://json-schema.org/draft/2020-12/schema"


def schema(*, of_project: bool) -> dict[str, Any]:
    """The schema of a project's file, else of the user's file (JSON Schema, draft 2020-12).

    The same keys are under ``[tool.torchlock]`` of pyproject.toml.
    """
    found: dict[str, list[tuple[str, argparse.Action]]] = {}
    for command in COMMANDS:
        for name, action in _settable(command):
            if refusal(name, of_project) is None:
                found.setdefault(name, []).append((command, action))
    properties: dict[str, Any] = {}
    for name, options in sorted(found.items()):
        properties[name] = _property(name, options, of_project=of_project)
        if "-" in name:
            alias = {"$ref": f"#/properties/{name}", "deprecated": True, "description": f"The same as {name}."}
            properties[name.replace("-", "_")] = alias
    properties["target"] = _with_tables(properties["target"], properties)
    properties[CONFLICTS] = _conflicts()
    who = "a project" if of_project else "a user"
    return {
        "$schema": _DRAFT,
        "title": f"torchlock: the configuration of {who}",
        "description": "The keys of torchlock.toml, and of [tool.torchlock] in pyproject.toml.",
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
    }


def _with_tables(option: dict[str, Any], properties: dict[str, Any]) -> dict[str, Any]:
    """The key ``target``: names of targets, as the option takes them, or the tables that describe targets."""
    described: dict[str, Any] = {
        "name": {"type": "string", "pattern": "^[A-Za-z0-9_-]*[A-Za-z0-9][A-Za-z0-9_-]*$"}
    }
    for key, many in ((key, many) for key, (_, many) in KEYS.items() if key in properties):
        one = properties[key].get("anyOf", [properties[key]])[-1]
        one = {word: one[word] for word in ("type", "pattern") if word in one}
        described[key] = {"anyOf": [{"type": "array", "items": one}, one]} if many else one
    table = {"type": "object", "properties": described, "required": ["name"], "additionalProperties": False}
    names = {"anyOf": option["anyOf"]}
    about = f"{option['description']}; or tables [[target]] that describe targets, each with a name"
    return {"description": about, "anyOf": [{"type": "array", "items": table}, names]}


def _conflicts() -> dict[str, Any]:
    """The extras and groups that exclude each other."""
    named = [
        {
            "type": "object",
            "properties": {kind: {"type": "string", "minLength": 1}},
            "required": [kind],
            "additionalProperties": False,
        }
        for kind in KINDS
    ]
    together = {"type": "array", "items": {"anyOf": named}, "minItems": 2}
    about = "sets of extras and groups that exclude each other, as in [tool.uv]; lock takes at most one of a set"
    return {"description": about, "type": "array", "items": together}


def _settable(command: str) -> Iterator[tuple[str, argparse.Action]]:
    parser, named_only = parser_of(command)
    for action in parser._actions:
        if action.option_strings and action.dest != "help":
            name = action.option_strings[-1][2:]
            if name not in named_only:
                yield name, action


def _property(name: str, options: Sequence[tuple[str, argparse.Action]], *, of_project: bool) -> dict[str, Any]:
    """What one key accepts: what any of the commands accepts, because they share the file."""
    actions = [action for _, action in options]
    action = actions[0]
    about = {"description": _description(options)}
    if action.nargs == 0:
        return {**about, "type": "boolean"}
    if action.type is float:
        return {**about, "type": "number"}
    one: dict[str, Any] = {"type": "string"}
    if all(each.choices is not None for each in actions):
        one["enum"] = list(dict.fromkeys(choice for each in actions for choice in each.choices or ()))
    elif of_project and name in PATTERNS:
        one["pattern"] = PATTERNS[name]
    if any(isinstance(each.default, list) for each in actions):
        return {**about, "anyOf": [{"type": "array", "items": one}, one]}
    return {**about, **one}


def _description(options: Sequence[tuple[str, argparse.Action]]) -> str:
    """The help of the option; if commands say different things, each with its commands."""
    said: dict[str, list[str]] = {}
    for command, action in options:
        text = (action.help or "").replace("%%", "%")
        said.setdefault(text, []).append(command)
    if len(said) == 1:
        return next(iter(said))
    return " | ".join(f"{', '.join(commands)}: {text}" for text, commands in said.items())
