"""Warnings about a lock: credentials, missing hashes, options and lines without an effect."""

from __future__ import annotations

from torchlock.jobs.lock_inputs import is_pylock
from torchlock.redaction import masked
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection, Iterator

    from torchlock.jobs.listener import Listener
    from torchlock.lock import Lock, Pin


def warn_of_empty_lock(arguments: argparse.Namespace, console: Listener) -> None:
    files = ", ".join(arguments.files) or "pyproject.toml or requirements.in"
    console.say("warning", f"no requirement of {files} is selected, so the lock is empty")
    console.say(
        "hint",
        "to lock extras or groups of a project, use --extra NAME, --all-extras, --group NAME or --all-groups",
    )


def warn(arguments: argparse.Namespace, result: Lock, console: Listener) -> None:
    """Warn about credentials in the lock, and about packages without a hash."""
    if any(pin.written and pin.written.url and pin.written.url != masked(pin.written.url) for pin in result.pins):
        console.say("warning", "the lock contains the credentials of a URL, as in its input")
    for note in _without_effect(arguments, result):
        console.say("note", note)
    if arguments.no_hashes or arguments.emit or is_pylock(arguments):
        return
    if bare := [pin.name for pin in result.pins if not _has_hash(pin)]:
        refused = len(bare) < len(result.pins)
        so = "pip refuses the lock, because other lines have one" if refused else "it is installed unverified"
        console.say("warning", f"{', '.join(bare)}: no hash is available; {so}")
        console.say("hint", _way_to_hashes(result, bare, arguments))


def _without_effect(arguments: argparse.Namespace, result: Lock) -> Iterator[str]:
    """Notes on options about builds that change nothing in this lock."""
    from torchlock.knowledge.stack import FAMILY

    if arguments.accelerator == "pypi":
        written = {word.partition("=")[0] for word in arguments.argv}
        for option in sorted(written & {"--builds-by", "--builds-url"}):
            yield f"{option} has no effect without --accelerator"
    elif not any(pin.name in FAMILY for pin in (*result.pins, *result.kept)):
        yield f"no package of the torch family is locked, so --accelerator {arguments.accelerator} has no effect"


def _way_to_hashes(result: Lock, bare: Collection[str], arguments: argparse.Namespace) -> str:
    """What to do about packages without a hash."""
    if not any(pin.page for pin in result.pins if pin.name in bare):
        return "use --no-hashes, or require a wheel or an archive instead"
    if arguments.offline:
        return "run without --offline, so that the page of the index is asked; or use --no-hashes"
    return "the page of the index states none, or could not be asked; use --no-hashes for a lock that pip installs"


def _has_hash(pin: Pin) -> bool:
    return bool(pin.files) and all(file.hashes for file in pin.files)
