"""A lock as a requirements file for pip: pins, hashes, why each package is there, system libraries."""

from __future__ import annotations

from torchlock import __version__
from torchlock.redaction import masked, one_line
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.finding import DataUpdate
    from torchlock.knowledge.systems import System
    from torchlock.lock import HostNote, Lock, Pin
    from torchlock.standards.index_file import File

FIRST_LINE = "# This file was made by torchlock"
"""The beginning of the first line of each lock."""


def render(
    lock: Lock,
    *,
    command: str,
    data_date: str,
    update: DataUpdate | None = None,
    system: System | None = None,
    options: Sequence[str] = (),
    hashes: bool = True,
    annotate: bool = True,
) -> str:
    """The whole file. ``command`` is the command that wrote it, ``options`` are index options for pip; ``update``
    is that of the data on this machine.
    """
    lines = [
        f"{FIRST_LINE} {__version__} with the command",
        f"#     {command}",
        f"# for {lock.target}, from compatibility data of {data_date}.",
        *([] if update is None else [f"# {one_line(masked(str(update)))}"]),
        *about_builds(lock),
        "",
        *options,
        *([""] if options else []),
    ]
    for pin in lock.pins:
        exact = None if lock.builds is None else lock.builds.file_of(pin)
        lines += entry(pin, exact, hashes=hashes, annotate=annotate)
    closing = [*closing_comment(lock.host, system), *(without_hash(lock.pins) if hashes else ())]
    if closing:
        lines += ["", *(f"# {line}".rstrip() for line in closing)]
    return "\n".join(lines) + "\n"


def about_builds(lock: Lock) -> Iterator[str]:
    """The comments on the build, on the machine for which it was chosen, and on what is installed already."""
    if lock.builds is None and lock.base is None:
        return
    from torchlock.manifests.lock_comments import LockComments

    comments = LockComments()
    if lock.builds is not None:
        label, root, _, machine, held_back = lock.builds
        comments = LockComments(label, masked(root), one_line(machine), held_back=tuple(map(one_line, held_back)))
    if lock.base is not None:
        base = (lock.base.kind, one_line(masked(lock.base.name)))
        comments = comments._replace(base=base, kept=tuple(map(str, lock.stays)))
    yield from comments.lines()


def entry(pin: Pin, exact: File | None, *, hashes: bool, annotate: bool) -> Iterator[str]:
    """The lines of one pin; ``exact`` is the file that is named by its address, if there is one."""
    files = pin.files if exact is None else (exact,)
    digests = sorted(
        f"{algorithm}:{digest}" for file in files for algorithm, digest in file.hashes.items() if hashes
    )
    parts = [_requirement(pin, exact), *(f"    --hash={digest}" for digest in dict.fromkeys(digests))]
    yield from (f"{part} \\" for part in parts[:-1])
    yield parts[-1]
    if pin.unproven is not None:
        yield f"    # unproven: {one_line(masked(str(pin.unproven)))}"
    if pin.page and hashes and not digests:
        yield f"    # no hash is known: {_named(files)}"
    of_hash = pin.exact is not None and bool(pin.exact.hashes)  # a remark on a file with a hash is about the hash
    if pin.remark and (hashes or not of_hash):
        yield f"    # {one_line(pin.remark)}"
    if annotate:
        if pin.built:
            yield f"    # built from source; its requirements are those of {one_line(masked(pin.built))}"
        yield from _via(pin)


def _named(files: Sequence[File]) -> str:
    return ", ".join(file.filename for file in files) or "none of its files is known"


def without_hash(pins: Sequence[Pin]) -> Iterator[str]:
    """What installers do with files of the PyTorch index that have no hash, and how to get one."""
    bare = [pin for pin in pins if pin.page and not (pin.exact and pin.exact.hashes)]
    if not bare:
        return
    yield f"Without a hash: {', '.join(f'{pin.name} {pin.version}' for pin in bare)}."
    if any(file.hashes for pin in pins for file in pin.files):
        yield "pip refuses this file, also without --require-hashes: other lines have a hash, so each needs one."
        yield "uv installs it, and does not verify what has no hash."
    else:
        yield "Installers do not verify what has no hash."
    yield "To get the hash, run torchlock where it can ask the index, or download the file and run: pip hash FILE"
    yield "With --no-hashes, torchlock writes a lock that pip installs without verifying it."


def _requirement(pin: Pin, exact: File | None) -> str:
    if pin.written is not None:
        return one_line(pin.written.origin.text.strip())
    extras = f"[{','.join(pin.extras)}]" if pin.extras else ""
    if exact is not None:
        return f"{pin.name}{extras} @ {exact.url}" + (f" ; {pin.marker}" if pin.marker else "")
    return f"{pin.name}{extras}=={pin.version}" + (f" ; {pin.marker}" if pin.marker else "")


def _via(pin: Pin) -> Iterator[str]:
    who = [*pin.required_by, *(f"{package} (rule {rule})" for package, rule in pin.rules)]
    who = [masked(name) for name in who]
    if len(who) == 1:
        yield f"    # via {who[0]}"
    elif who:
        yield "    # via"
        yield from (f"    #   {name}" for name in who)


def closing_comment(host: Sequence[HostNote], system: System | None) -> Iterator[str]:
    """The comment block at the end: required, optional and bundled system libraries."""
    yield from _section("Required from the system:", host, "needs", system)
    yield from _section("Optional, for more features:", host, "wants", system)
    bundled = [note for note in host if note.kind == "bundles"]
    if bundled:
        yield "Bundled, nothing to install:"
        yield from (
            f"  {note.title} {note.specifier}".rstrip()
            + f", in {note.package} {note.version} ({note.statement.rule})"
            for note in bundled
        )


def _section(title: str, host: Sequence[HostNote], kind: str, system: System | None) -> Iterator[str]:
    notes = [note for note in host if note.kind == kind and note.library not in ("glibc", "macos", "musl")]
    if not notes:
        return
    yield title
    for note in notes:
        yield from _note(note, system)
    packages = _packages(notes, system)
    if system is not None and packages:
        yield f"  {system.title}: {system.command(packages)}"
    elif system is None and any(note.of_the_machine for note in notes):
        yield "  (--system debian-12, --system macos-homebrew, … adds the install command)"


def _note(note: HostNote, system: System | None) -> Iterator[str]:
    library = system.libraries.get(note.library) if system is not None else None
    yield (
        f"  {note.title}{note.specifier and ' ' + note.specifier}, for {note.package} {note.version}: "
        f"{note.statement.because} ({note.statement.rule})"
    )
    if system is not None and library is not None:
        fits = note.admits(library.version)
        ships = f"{system.title} ships {library.version}" if library.version else f"{system.title} ships it"
        yield (
            f"    {ships}"
            + ("" if fits else ", which is not suitable")
            + (f"; {library.note}" if library.note else "")
        )


def _packages(notes: Sequence[HostNote], system: System | None) -> list[str]:
    if system is None:
        return []
    found: dict[str, None] = {}
    for note in notes:
        library = system.libraries.get(note.library)
        if library is not None and note.admits(library.version):
            found.update(dict.fromkeys(library.packages))
    return list(found)
