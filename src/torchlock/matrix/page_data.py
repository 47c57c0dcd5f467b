"""What the page knows: releases, builds, facts, proofs, GPUs and the lines of logs, as one JSON document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torchlock import __version__
from torchlock.knowledge.build_labels import describe_build, parse_label
from torchlock.knowledge.stack import MEMBERS
from torchlock.matrix.judging import BUILDS
from torchlock.matrix.page_facts import Facts, Pool, spans_of
from torchlock.matrix.page_logs import log_data
from torchlock.matrix.page_machines import machine_data
from torchlock.matrix.page_proofs import proof_data
from torchlock.matrix.selection import COMPANIONS, EVERY
from torchlock.matrix.values import KINDS

if TYPE_CHECKING:
    from torchlock.matrix.table import Table

NAMES = ("torch", *COMPANIONS)


def page_data(table: Table) -> dict[str, Any]:
    """The document. ``report/page/judge.js`` has the only reader of it, so its keys may change with each release.

    Raises:
        DataError: a bundled table is missing or damaged.
    """
    stack, facts, builds = table.stack, Facts(table.matrix, table.stack), Pool()
    packages = {name: _package(table, name, builds) for name in NAMES}
    for name in COMPANIONS:
        packages[name]["facts"] = _shared(facts.of(name))
        packages[name]["allowed"] = _shared(_allowed(table, name))
        packages[name]["labels"] = MEMBERS[name].labels
    proofs, machines = proof_data(table, facts), machine_data(table)
    labels = sorted({label for listed in builds.items for label in listed} | set(machines["labels"]))
    return {
        "version": __version__,
        "date": table.date,
        "platforms": stack.platforms,
        "pythons": stack.pythons,
        "kinds": KINDS,
        "companions": COMPANIONS,
        "packages": packages,
        "builds": builds.items,
        "labels": {label: _label(label) for label in labels if label},
        "mismatch": [BUILDS, KINDS.index(table.matrix.kind(BUILDS)), table.matrix.because(BUILDS),
                     facts.cite(table.matrix.sources_of(BUILDS))],
        "proofs": proofs,
        "facts": facts.facts.items,
        "sets": facts.sets.items,
        "texts": facts.texts.items,
        "sources": facts.cited(table.source),
        "machines": machines,
        "logs": log_data(table.matrix),
    }  # fmt: skip


def _package(table: Table, name: str, builds: Pool) -> dict[str, Any]:
    """Releases, the Pythons of each on each platform (a mask), and the builds: the public one first."""
    package, platforms = table.stack.packages[name], range(len(table.stack.platforms))
    width = len(table.stack.pythons)
    cells, known = [], []
    for release, mask in enumerate(package.cells):
        shown = mask if package.comparable >> release & 1 else 0
        cells.append([shown >> platform * width & (1 << width) - 1 for platform in platforms])
        known.append(
            [
                builds.add(table.builds_of(name, release, EVERY, platform) if cells[-1][platform] else [])
                for platform in platforms
            ]
        )
    return {
        "versions": package.versions,
        "cells": _shared(cells),
        "builds": _shared(known),
        "earlier": spans_of(package.everything & ~package.comparable),
        "unproven": table.unproven.get(name, {}),
        "yanked": spans_of(package.yanked),
        "prereleases": spans_of(package.prereleases),
    }


def _allowed(table: Table, name: str) -> list[list[str]]:
    """For each release and platform the releases of torch that its metadata allows."""
    stack = table.stack
    return [
        [spans_of(stack.declared(name, 1 << release, platform)) for platform in range(len(stack.platforms))]
        for release in range(len(stack.packages[name].versions))
    ]


def _shared(rows: list[list[Any]]) -> list[Any]:
    """Rows with one value for each platform; a row of equal values becomes one value."""
    return [row[0] if all(value == row[0] for value in row) else row for row in rows]


def _label(label: str) -> list[Any]:
    """Kind, major version and words of a build label."""
    build = parse_label(label)
    if build is None:
        return ["", 0, "", ""]
    return [build.kind, build.version[0] if build.version else 0, describe_build(label), build.dotted]
