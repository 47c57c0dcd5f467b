"""``torchlock data``: say how new the compatibility data are, and update them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torchlock import __version__
from torchlock.cli.exit_codes import OK
from torchlock.errors import InputError
from torchlock.knowledge import tables
from torchlock.knowledge.overlay import MANIFEST
from torchlock.knowledge.stack import FAMILY
from torchlock.redaction import masked, one_line
from torchlock.report.safe_json import dump_json
from torchlock.report.summary import counted, summary_line

if TYPE_CHECKING:
    import argparse

    from torchlock.cli.streams import Console
    from torchlock.index import IndexSettings
    from torchlock.knowledge.overlay import Overlay

_ONLY = {"bundle": "update", "sha256": "update", "from_index": "update", "everything": "update", "file": "export"}


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command and return its exit code.

    Raises:
        InputError: wrong use, or the data folder cannot be written.
        NetworkError: the index fails. The data are as before.
    """
    _check_usage(arguments)
    if arguments.action == "update":
        _update(arguments, console)
    elif arguments.action == "reset":
        _reset(console)
    elif arguments.action == "export":
        _export(arguments.file, console)
        return OK
    sys.stdout.write(_json() if arguments.json else _text())
    return OK


def _check_usage(arguments: argparse.Namespace) -> None:
    for name, action in _ONLY.items():
        if getattr(arguments, name) and arguments.action != action:
            option = {"bundle": "--from", "file": "FILE"}.get(name, f"--{name.replace('_', '-')}")
            raise InputError(f"{option} belongs to data {action}, not to data {arguments.action}")
    if bool(arguments.bundle) != bool(arguments.sha256):
        raise InputError(
            "--from and --sha256 belong together",
            hint="state the digest that its maker published: --from data.zip --sha256 9f86d081…",
        )
    if arguments.bundle and (arguments.index_url or arguments.everything):
        raise InputError(
            "--from takes a bundle, and asks no index", hint="leave out --from, or the options of the index"
        )
    if arguments.action == "export" and not arguments.file:
        raise InputError("data export needs the FILE to write", hint="like: torchlock data export data.zip")


def _update(arguments: argparse.Namespace, console: Console) -> None:
    from torchlock.gathering.installing import data_folder

    folder = data_folder()
    if arguments.bundle:
        _take_bundle(arguments, folder, console)
        return
    from torchlock.gathering.asking import Asker
    from torchlock.gathering.storage import Cache
    from torchlock.gathering.update import update
    from torchlock.index.addresses import redact
    from torchlock.index.cache import default_folder
    from torchlock.index.sources import today
    from torchlock.knowledge.indexes import is_public

    settings, cache = _settings(arguments, folder), Path(arguments.cache_dir or default_folder())
    index = settings.index_urls[0] if settings.index_urls else ""
    if not index:
        raise InputError("the settings of pip or uv forbid asking an index", hint="use --from, or --index-url")
    asker = Asker(settings, cache)
    made = update(
        asker,
        Cache(cache / "gathered"),
        folder,
        source=redact(index),
        public=is_public(index),
        everything=arguments.everything,
        day=today(),
        tell=console.progress,
    )
    console.clear()
    read = f"{counted(asker.pages, 'page')} and {counted(asker.wheels, 'wheel')} were read"
    if made is None:
        console.say("note", f"{redact(index)} has nothing that the bundled data lack ({read})")
    else:
        console.say("note", read)


def _settings(arguments: argparse.Namespace, folder: Path) -> IndexSettings:
    """The index that the user's own settings name: never those of the project in the current folder."""
    from dataclasses import replace

    from torchlock.index import IndexSettings, read_settings

    given = IndexSettings(arguments.index_url, keyring_provider=arguments.keyring_provider).relative_to(Path.cwd())
    return replace(read_settings(given, folder=folder), extra_index_urls=(), find_links=())


def _take_bundle(arguments: argparse.Namespace, folder: Path, console: Console) -> None:
    from torchlock.gathering.bundles import LIMIT, install
    from torchlock.index.addresses import expand_home, is_local, local_path, redact
    from torchlock.runtime import files

    where = arguments.bundle
    if is_local(where):
        content = files.read(str(expand_home(str(local_path(where)))), LIMIT)
    else:
        from torchlock.index.transport import Transport, failure

        console.progress(f"asking for {redact(where)}")
        answer = Transport(_settings(arguments, folder)).get(where, {"Accept-Encoding": "identity"}, LIMIT)
        if answer.status != 200:
            raise failure(answer, where)
        content = answer.body
    install(folder, content, arguments.sha256, redact(where))


def _export(path: str, console: Console) -> None:
    import hashlib

    from torchlock.gathering.bundles import pack
    from torchlock.gathering.installing import data_folder
    from torchlock.report.atomic import write_bytes

    found = tables.overlay()
    if found is None:
        why = f" ({tables.ignored()})" if tables.ignored() else ""
        raise InputError(f"there is no update to export{why}", hint="run torchlock data update")
    content = pack(found, json.loads((data_folder() / MANIFEST).read_bytes()))
    written = write_bytes(path, content)
    if written.remark:
        console.say("note", written.remark)
    print(f"{path}: the data of {found.date}\nsha256 {hashlib.sha256(content).hexdigest()}")


def _reset(console: Console) -> None:
    from torchlock.gathering.installing import data_folder, reset

    is_removed = reset(data_folder())
    console.say("note", "the update was removed" if is_removed else "there was no update to remove")


def _text() -> str:
    """What the data are, for people."""
    found, bundled = tables.overlay(), f"bundled data of {_bundled_date()}"
    if found is None:
        update = f"update ignored: {tables.ignored()}" if tables.ignored() else "no update"
        return masked(summary_line(f"torchlock {__version__}", bundled, update)) + "\n"
    lines = [summary_line(f"torchlock {__version__}", bundled, f"updated on {found.date} from {found.source}")]
    family = [each for each in found.adds if each[0] in FAMILY]
    others = [f"{name} {version}" for name, version, _ in found.adds if name not in FAMILY]
    lines += [f"  new: {name} {version}" + (f" ({date})" if date else "") for name, version, date in family]
    if others:
        more = f", and {len(others) - 12} more" if len(others) > 12 else ""
        lines.append(f"  new: {', '.join(others[:12])}{more}")
    if not found.adds:
        lines.append("  it has no release that the bundled data lack")
    for name, rows in found.unproven.items():
        for version, reasons in rows.items():
            lines += [f"  unproven: {_on(f'{name} {version}', place)}: {why}" for place, why in reasons.items()]
    lines.append(f"in {found.folder}")
    return "\n".join(masked(one_line(line)) for line in lines) + "\n"


def _json() -> str:
    """The same for programs."""
    found = tables.overlay()
    table: dict[str, Any] = {
        "torchlock": __version__,
        "bundled": {"date": _bundled_date()},
        "update": None if found is None else _row(found),
        "ignored": tables.ignored() or None,
    }
    return dump_json(table)


def _row(found: Overlay) -> dict[str, Any]:
    return {
        "date": found.date,
        "from": found.source,
        "folder": str(found.folder),
        "adds": [
            {
                "name": name,
                "version": version,
                "date": date or None,
                "unproven": _lack(found, name, version),
            }
            for name, version, date in found.adds
        ],
        "asked": dict(found.dates),
    }


def _on(release: str, place: str) -> str:
    return f"{release} on {place}" if place else release


def _lack(found: Overlay, name: str, version: str) -> dict[str, str] | None:
    """Why it is not known what a release works with, by platform; None if nothing is missing."""
    reasons = found.unproven.get(name, {}).get(version)
    return None if reasons is None else {place or "any": why for place, why in reasons.items()}


def _bundled_date() -> str:
    from torchlock.gathering.installing import bundled_date

    return bundled_date()
