"""``torchlock schema``: write the JSON schema of what a command prints with ``--json``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.cli.exit_codes import OK
from torchlock.cli.streams import write_whole
from torchlock.report.safe_json import dump_json
from torchlock.report.schemas import schema

if TYPE_CHECKING:
    import argparse

    from torchlock.cli.streams import Console


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command and return its exit code."""
    write_whole(dump_json(schema(arguments.of)), console)
    return OK
