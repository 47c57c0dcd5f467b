"""Refresh compat_data/dependents: what packages that use the stack declare, one JSON file per project.

The projects are those that have a file; ``--add NAME`` adds one. The files have the form of a release file
(compat_data/README.md) with two differences: of the requirements of extras, they hold only those on packages that
torchlock has data about; and they hold no files. Releases without wheels have ``sdist_requires`` if the source
distribution states its requirements: Requires-Dist of its PKG-INFO, or ``requires.txt``, which setuptools writes
when it builds the distribution. Of these that have no record yet, only the newest are read (``--sdists``).

The wheels of a release that the file has with the same tags are not read again (``--afresh`` reads all).
"""

from __future__ import annotations

import argparse
import io
import json
import re
import tarfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from pypi_simple import PYPI_SIMPLE_ENDPOINT

from refreshing.telling import tell
from torchlock.errors import TorchlockError
from torchlock.gathering.asking import Asker
from torchlock.gathering.rendering import compact, entries, lines, one_or_all, render
from torchlock.gathering.requirements import compact_row, parse_row
from torchlock.gathering.run import Gathering
from torchlock.gathering.seeds import load_table, release_file
from torchlock.gathering.storage import Cache, write_if_changed
from torchlock.index import IndexSettings
from torchlock.index.sources import today
from torchlock.standards.dependency import Dependency
from torchlock.standards.headers import read_headers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.gathering.pages import Release
    from torchlock.gathering.samples import Table
    from torchlock.index import Index

# Setup scripts require these on Linux alone; the marker is lost in a distribution that was built there.
_LINUX, _X86 = re.compile(r"triton|nvidia-"), 'sys_platform == "linux" and platform_machine == "x86_64"'
# The most bytes that are fetched of one source distribution.
_WHOLE = 64 << 20
_SECTION = re.compile(r"\[(?P<extra>[^:\]]*)(?::(?P<marker>[^\]]*))?\]")


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    root = Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description="Refresh compat_data/dependents from the public package index.")
    parser.add_argument("--add", metavar="NAME", action="append", default=[], help="add this project alone")
    parser.add_argument("--afresh", action="store_true", help="read also wheels of releases that the files have")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file would change")
    parser.add_argument("--jobs", type=int, default=4, metavar="N", help="requests at a time (default: 4)")
    parser.add_argument("--sdists", type=int, default=3, metavar="N", help="source distributions read per project")
    parser.add_argument("--cache", type=Path, default=root / ".refresh", metavar="DIR")
    parser.add_argument("--output", type=Path, default=root / "compat_data" / "dependents", metavar="DIR")
    parser.add_argument("--index", default=PYPI_SIMPLE_ENDPOINT, metavar="URL", help="simple API to ask")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code: 0, 1 if --check found a difference, 2 if the index could not be read."""
    options = parse_arguments(argv)
    there = {path.stem for path in options.output.glob("*.json")}
    releases = {path.stem for path in (options.output.parent / "releases").glob("*.json")}
    names = {canonicalize_name(name) for name in options.add} or there
    asker = Asker(IndexSettings(options.index), options.cache / "index")
    seeds = None if options.afresh else partial(release_file, options.output)
    run = Gathering(asker, Cache(options.cache), max(1, options.jobs), seeds=seeds, tell=tell)
    changed = []
    try:
        for table in run.load(names):
            content = json.loads(render(table, {}))
            stated = None if options.afresh else load_table(options.output / f"{table.name}.json")
            content["releases"] = dict(with_sdists(asker, table, content, options.sdists, stated))
            text = rendered(trimmed(content, releases | there | names))
            if write_if_changed(options.output / f"{table.name}.json", text, dry=options.check):
                changed.append(table.name)
    except TorchlockError as error:
        tell(f"error: {error}\nhint: run again to go on; what was read is kept")
        return 2
    if run.unknown:
        tell(f"not on the index: {', '.join(sorted(run.unknown))}")
    tell(f"{asker.pages} pages and {asker.wheels} files read, {len(changed)} files differ")
    if not (options.add or options.check):
        (options.output / "DATE").write_text(f"{today()}\n", encoding="ascii")
    return 1 if options.check and changed else 0


def trimmed(content: dict[str, Any], known: set[str]) -> dict[str, Any]:
    """A release file without the requirements of extras on unknown packages.

    Equal sets become one, in the order of their requirements: equal knowledge gives equal files.
    """
    rows = content["requirements"]
    kept = [at for at, row in enumerate(rows) if row[0] in known or "extra" not in "".join(map(str, row[2:3]))]
    kept.sort(key=lambda at: Dependency.from_row(rows[at]))
    moved = {old: new for new, old in enumerate(kept)}
    trimmed_sets = [tuple(sorted(moved[at] for at in one if at in moved)) for one in content["requires"]]
    ordered = sorted(set(trimmed_sets))
    turned = [ordered.index(one) for one in trimmed_sets]
    for record in content["releases"].values():
        old = record.get("requires")
        if isinstance(old, list):
            record["requires"] = one_or_all([None if one is None else turned[one] for one in old])
        elif old is not None:
            record["requires"] = turned[old]
        if "sdist_requires" in record:
            record["sdist_requires"] = turned[record["sdist_requires"]]
    return {**content, "requirements": [rows[at] for at in kept], "requires": [list(one) for one in ordered]}


def with_sdists(
    asker: Asker, table: Table, content: dict[str, Any], most: int, stated: dict[str, Any] | None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The releases; those without wheels get the requirements of their source distribution.

    They are what the file ``stated`` has; of the releases that it does not have, the newest are read.
    """
    bare = [release for release in table.project.releases if not release.wheels and release.sdist]
    known = stated["releases"] if stated else {}
    read = {str(each.version): rows_stated(stated, str(each.version)) for each in bare if stated}
    for release in [release for release in bare if str(release.version) not in known][-most:]:
        read[str(release.version)] = requirements_of_sdist(asker, release)
    for version, record in content["releases"].items():
        rows = read.get(version)
        if rows is not None:
            at = []
            for row in rows:
                if row not in content["requirements"]:
                    content["requirements"].append(row)
                at.append(content["requirements"].index(row))
            if at not in content["requires"]:
                content["requires"].append(at)
            record = {**record, "sdist_requires": content["requires"].index(at)}
        yield version, record


def rows_stated(table: dict[str, Any], version: str) -> list[list[Any]] | None:
    """The requirements of a source distribution as a file has them; None if it has none."""
    at = table["releases"].get(version, {}).get("sdist_requires")
    return None if at is None else [table["requirements"][item] for item in table["requires"][at]]


def requirements_of_sdist(asker: Asker, release: Release) -> list[list[Any]] | None:
    """What a source distribution states that it requires; None if it states nothing."""
    sdist = release.sdist
    if sdist is None or sdist.listed is None or not sdist.filename.endswith(".tar.gz"):
        return None
    asker.count()
    index: Index = asker.index
    archived = index.within(sdist.listed, lambda content: content.read(), budget=_WHOLE)
    with tarfile.open(fileobj=io.BytesIO(archived)) as archive:
        texts = {
            name.partition("/")[2]: archive.extractfile(name)
            for name in archive.getnames()
            if re.fullmatch(
                r"[^/]+/(?:PKG-INFO|[^/]+\.egg-info/requires\.txt|src/[^/]+\.egg-info/requires\.txt)", name
            )
        }
        content = {name: file.read().decode("utf-8", "replace") for name, file in texts.items() if file}
    declared = read_headers(content.get("PKG-INFO", "")).fields.get("requires-dist", [])
    listed = next((text for name, text in content.items() if name.endswith("requires.txt")), None)
    if not declared and listed is None:
        return None
    texts_of = declared or list(lines_of(listed or ""))
    rows = {parse_row(text if ";" in text or not _LINUX.match(text) else f"{text} ; {_X86}") for text in texts_of}
    return [compact_row(row) for row in sorted(row for row in rows if row)]


def lines_of(text: str) -> Iterator[str]:
    """The requirements in a ``requires.txt``, with the extra and the marker of their section."""
    extra = marker = ""
    for line in map(str.strip, text.splitlines()):
        section = _SECTION.fullmatch(line)
        if section:
            extra, marker = section["extra"] or "", section["marker"] or ""
        elif line:
            clauses = [f"({marker})"] if marker else []
            clauses += [f'extra == "{extra}"'] if extra else []
            try:
                Requirement(line)
            except InvalidRequirement:
                continue
            yield f"{line} ; {' and '.join(clauses)}" if clauses else line


def rendered(content: dict[str, Any]) -> bytes:
    """The file of a project; equal knowledge gives equal bytes."""
    parts = [
        f'"name": {compact(content["name"])}',
        f'"tags": {compact(content["tags"])}',
        f'"requirements": {lines("[]", map(compact, content["requirements"]))}',
        f'"requires": {lines("[]", map(compact, content["requires"]))}',
        f'"releases": {lines("{}", entries(content["releases"]))}',
        f'"files": {lines("{}", ())}',
    ]
    return ("{\n" + ",\n".join(parts) + "\n}\n").encode()


if __name__ == "__main__":
    raise SystemExit(main())
