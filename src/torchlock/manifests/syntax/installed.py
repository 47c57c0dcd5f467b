"""What the install commands of a file have installed so far, and the variables that they set."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from torchlock.manifests.already_satisfied import EarlierEntries
from torchlock.manifests.syntax.markers import both
from torchlock.manifests.working_folder import WorkingFolder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torchlock.manifests.builder import DocumentBuilder
    from torchlock.manifests.document import Entry
    from torchlock.manifests.shell_functions import Functions
    from torchlock.manifests.syntax.virtual_environments import Environments

INDEX_VARIABLES = {
    "PIP_INDEX_URL": "index",
    "PIP_EXTRA_INDEX_URL": "extra",
    "PIP_FIND_LINKS": "find-links",
    "UV_INDEX_URL": "index",
    "UV_DEFAULT_INDEX": "index",
    "UV_EXTRA_INDEX_URL": "extra",
    "UV_INDEX": "extra",
    "UV_FIND_LINKS": "find-links",
}


def index_variable(builder: DocumentBuilder, name: str, value: str | None, at: int) -> None:
    """Record the indexes in a variable of pip or uv; with the value None, an unknown index."""
    if name in INDEX_VARIABLES:
        for address in [f"${name}"] if value is None else value.split():
            kind = "extra" if value is None else INDEX_VARIABLES[name]
            builder.index(kind, address, at, tool="uv" if name.startswith("UV") else "")


@dataclass(slots=True)
class Installed:
    """The results of commands so far: entries, and the variables that they set.

    ``steps`` counts the commands that install something; it continues from one stage to the next. ``held`` are
    companions of torch in the base image, with their versions; ``keeps``: the current command keeps installed
    packages. ``folder`` is where the next command runs, ``pythons`` a marker of the Pythons that
    all of it can have. ``environments``: the virtual environments of an image, None in other files.
    ``named_pythons`` are specifiers of the Pythons that commands of conda ask for. ``functions`` are those of the
    script whose calls are followed.
    """

    variables: dict[str, str | None] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    step: int = 0
    held: Mapping[str, str] = field(default_factory=dict)
    keeps: bool = False
    present: EarlierEntries = field(default_factory=EarlierEntries)
    folder: WorkingFolder = field(default_factory=WorkingFolder)
    pythons: str = ""
    environments: Environments | None = None
    named_pythons: set[str] = field(default_factory=set)
    functions: Functions | None = None

    @property
    def marker(self) -> str:
        """The Python that these commands, and only these, name for their environment; "" for none or several."""
        from torchlock.manifests.followed import python_markers

        return both(*python_markers(next(iter(self.named_pythons)))) if len(self.named_pythons) == 1 else ""
