"""``torchlock data update``: what the index has beyond the bundled data, as tables for the user's data folder."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from packaging.version import Version

from torchlock.gathering import compatibility, pairs
from torchlock.gathering.closure import ROOTS, outline_of
from torchlock.gathering.installing import new_set
from torchlock.gathering.proofs import Prover
from torchlock.gathering.rendering import render
from torchlock.gathering.requirements import may_hold
from torchlock.gathering.run import Gathering
from torchlock.gathering.samples import torch_builds
from torchlock.gathering.seeds import joined, load_table
from torchlock.knowledge import tables
from torchlock.knowledge.releases import Catalogue
from torchlock.knowledge.rules import Matrix, specifier_set
from torchlock.knowledge.stack import FAMILY, STACK
from torchlock.knowledge.unchanged import State
from torchlock.proving import keeping
from torchlock.proving.rendering import cells_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from torchlock.gathering.asking import Asker
    from torchlock.gathering.installing import NewSet
    from torchlock.gathering.pages import Project
    from torchlock.gathering.samples import Table
    from torchlock.gathering.storage import Cache
    from torchlock.knowledge.overlay import Overlay
    from torchlock.standards import index_file

# The source of statements that were read from wheels here.
SOURCE = "data-update"


@dataclass
class News:
    """What an index has beyond the bundled data.

    ``releases`` are the release files that differ, by project; ``asked`` the projects whose page was read;
    ``adds`` the new releases (project, version, date); ``listed`` the files of all pages by their SHA-256.
    """

    releases: dict[str, bytes] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)
    adds: list[tuple[str, str, str]] = field(default_factory=list)
    listed: dict[str, index_file.File] = field(default_factory=dict)

    @property
    def of_family(self) -> list[tuple[str, str]]:
        """The new releases of the torch family."""
        return [(name, version) for name, version, _ in self.adds if name in FAMILY]


def news(asker: Asker, cache: Cache, *, everything: bool, jobs: int, tell: Callable[[str], None]) -> News:
    """Read the stack and what its new releases newly require; with ``everything``, each project of the data.

    A wheel that the data describe, bundled or of an earlier update, is not read.

    Raises:
        NetworkError: the index fails. What was read stays in the cache.
        DataError: a table is damaged.
    """
    bundled = Catalogue(tables.ROOT / "releases")
    run = Gathering(asker, cache, jobs, seeds=_seed, tell=tell, joined=_joined)
    run.trust(bundled)
    found = News()
    names = set(STACK) | ROOTS | (set(bundled.names()) if everything else set())
    while names:
        tell(f"reading {len(names)} projects")
        loaded = run.load(names)
        found.asked |= {table.name for table in loaded}
        torch = torch_builds(run.tables.get("torch"))
        for table in loaded:
            _join(found, table, render(table, torch), bundled)
            files = [file for release in table.project.releases for file in release.files]
            found.listed.update({file.sha256: file.listed for file in files if file.listed is not None})
        names = (run.missing() | _outdated(run, loaded, bundled)) - found.asked - run.unknown
    found.adds.sort(key=lambda each: (each[0] not in FAMILY, each[0], Version(each[1])))
    return found


def _seed(name: str) -> Path:
    """The release file that describes most wheels of a project: of the last update, or the bundled one."""
    return tables.path(f"releases/{name}.json")


def _joined(page: Project) -> Project:
    """A page, and the bundled files that it lacks: a mirror may have only a part of the public index."""
    table = load_table(tables.ROOT / "releases" / f"{page.name}.json")
    return page if table is None else joined(table, page)


def _join(found: News, table: Table, content: bytes, bundled: Catalogue) -> None:
    """Note what the page of a project has beyond the bundled data."""
    path = tables.ROOT / "releases" / f"{table.name}.json"
    if path.exists() and path.read_bytes() == content:
        return
    found.releases[table.name] = content
    known = {release.version for release in bundled.releases(table.name) or ()}
    records = json.loads(content)["releases"]
    found.adds += [(table.name, text, row.get("date", "")) for text, row in records.items() if text not in known]


def _outdated(run: Gathering, loaded: Iterable[Table], bundled: Catalogue) -> set[str]:
    """The projects of which a new release requires what no release in the data satisfies."""
    found = set()
    for table in loaded:
        known = {release.version for release in bundled.releases(table.name) or ()}
        for version, needs in outline_of(table):
            for name, specifier, marker, _ in needs if str(version) not in known else ():
                there = run.outlines.get(name, ())
                if may_hold(marker, "") and not any(specifier_set(specifier).contains(each) for each, _ in there):
                    found.add(name)
    return found


def rules_text(
    found: News, statements: Mapping[str, list[dict[str, Any]]], day: str, source: str, *, public: bool
) -> str:
    """The rules: the bundled ones, and what was read from the wheels of new releases."""
    table: dict[str, Any] = json.loads((tables.ROOT / "compiled" / "rules.json").read_bytes())
    table["updated"] = {"date": day, "from": source}
    if public:
        table["sources"]["catalogue"]["date"] = day
    files = ", ".join(f"{name} {version}" for name, version in found.of_family)
    table["sources"][SOURCE] = {
        "address": f"wheels that this machine read on {day}: {files}",
        "kind": "measured",
        "date": day,
    }
    for name, rows in statements.items():
        table["statements"].setdefault(name, []).extend(rows)
    return json.dumps(table, separators=(",", ":")) + "\n"


def update(
    asker: Asker,
    cache: Cache,
    folder: Path,
    *,
    source: str,
    public: bool,
    everything: bool,
    day: str,
    jobs: int = 8,
    tell: Callable[[str], None] = lambda text: None,
) -> Overlay | None:
    """Put what the index has beyond the bundled data into the data folder; None if there is nothing to put.

    ``source`` names the index, without credentials. Only of the ``public`` one is it said that it has no other
    releases on this ``day``: another one may be a part of it.

    Raises:
        NetworkError: the index fails. DataError: a table is damaged. InputError: the folder cannot be written.
        Whatever is raised, the folder is as before.
    """
    found = news(asker, cache, everything=everything, jobs=jobs, tell=tell)
    if not found.releases and not public:
        return None
    manifest = {
        "date": day,
        "source": source,
        "dates": dict.fromkeys(sorted(found.asked), day) if public else {},
        "adds": found.adds,
        "unproven": {},
    }
    with new_set(folder, manifest) as made:
        for name, content in sorted(found.releases.items()):
            made.put(f"releases/{name}.json", content)
        rows: dict[str, list[dict[str, Any]]] = {}
        if found.of_family:
            prover = Prover(asker, cache, Catalogue(overlay=made.overlay), found.listed, day=day, jobs=jobs)
            rows = _proved(found, made, prover, tell)
        made.put("compiled/rules.json", rules_text(found, rows, day, source, public=public).encode())
        if found.releases.keys() & set(STACK):
            tell("computing which releases work together")
            matrix = Matrix(made.root / "compiled" / "rules.json")
            known = pairs.Known(_bundled_state(), _bundled("compatibility.json"))
            text = compatibility.text_of(Catalogue(overlay=made.overlay), matrix, known)
            made.put("compiled/compatibility.json", text.encode())
    return made.overlay


def _bundled(table: str) -> Any:
    return tables.load_json(tables.ROOT / "compiled" / table)


def _bundled_state() -> State:
    """The bundled data, from which the bundled tables were computed."""
    return State(Catalogue(tables.ROOT / "releases"), Matrix(tables.ROOT / "compiled" / "rules.json"))


def _proved(
    found: News, made: NewSet, prover: Prover, tell: Callable[[str], None]
) -> dict[str, list[dict[str, Any]]]:
    """Read what the wheels of new releases need; returns rows of rules, and notes what stays unproven."""
    tell("reading what the new releases need")
    state = _bundled_state()
    proved = prover.prove(found.of_family, state.matrix, SOURCE)
    made.manifest["unproven"] = proved.unproven
    known = keeping.Known(state, proved.bundled, _bundled("proofs.json"))
    text = cells_text(proved.store, Catalogue(overlay=made.overlay), state.matrix, known)
    made.put("compiled/proofs.json", text.encode())
    return proved.rows
