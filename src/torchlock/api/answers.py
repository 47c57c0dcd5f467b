"""``torchlock.api.explain`` and ``matrix``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from torchlock.api.request import Ear, call, options_of
from torchlock.api.results import ExplainResult, MatrixResult, cell_of, explanation_of, result_of
from torchlock.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from torchlock.api.values import Message


def explain(
    *requirements: str,
    python: str | None = None,
    platform: str | None = None,
    accelerator: str | None = None,
    gpu: str | None = None,
    system: str | None = None,
    system_lib: str | Sequence[str] = (),
    base_image: str | None = None,
    constraint_from: str | Path | None = None,
    build: bool = False,
    unproven: bool = False,
    index_url: str | None = None,
    extra_index_url: str | Sequence[str] = (),
    builds_url: str | None = None,
    offline: bool = False,
    refresh: bool = False,
    cache_dir: str | Path | None = None,
    keyring_provider: str | None = None,
    deadline: float | None = None,
    settings: str | Path | None = None,
    on_message: Callable[[Message], None] | None = None,
    on_progress: Callable[[str], None] | None = None,
) -> ExplainResult:
    """Describe rules (``TL101``), or say why requirements work together, as ``torchlock explain`` does.

    The target is the running Python on this machine, unless options name another one. Without ``offline``, indexes
    may be asked for packages that the data do not have.

    Raises:
        InputError: a requirement, a rule or an option cannot be used.
        NetworkError: an index does not answer.
        UnknownPackage: no index has a project of this name.
        Undecided: the search reached its limit.
    """
    if not requirements:
        raise InputError("no rule and no requirement to explain is given")
    options = options_of(locals())
    with call("explain", requirements, options, settings) as arguments:
        from torchlock.jobs.explain import explained
        from torchlock.knowledge.rules import Matrix
        from torchlock.report.explanation import stories_json

        ear, known = Ear(on_message, on_progress), Matrix()
        document = stories_json(explained(arguments, known, ear), known.date, known.update)
        stories = tuple(map(explanation_of, json.loads(document)["explained"]))
        return result_of(ExplainResult, document, ear.said, explained=stories)


def matrix(
    *requirements: str,
    python: str | None = None,
    platform: str | None = None,
    accelerator: str | None = None,
    gpu: str | None = None,
    driver: str | None = None,
    kind: str | Sequence[str] = (),
    verdict: str | Sequence[str] = (),
    settings: str | Path | None = None,
    on_message: Callable[[Message], None] | None = None,
) -> MatrixResult:
    """Say which releases load with which torch, as ``torchlock matrix`` does. No index is asked.

    Raises:
        InputError: a requirement is not about the stack, or an option cannot be used.
        DataError: the bundled data are damaged.
    """
    options = options_of(locals())
    with call("matrix", requirements, options, settings) as arguments:
        from torchlock.jobs.matrix import selection_of
        from torchlock.matrix.table import Table
        from torchlock.report.matrix_json import json_of

        ear, selection, table = Ear(on_message, None), selection_of(arguments), Table()
        document = json_of(list(table.entries(selection)), selection, table)
        for said in table.left_out(selection):
            ear.say("note", said)
        cells = tuple(map(cell_of, json.loads(document)["cells"]))
        return result_of(MatrixResult, document, ear.said, cells=cells)
