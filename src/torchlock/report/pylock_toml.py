"""A lock as ``pylock.toml`` (PEP 751): keys in the order of the specification, packages by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torchlock.errors import InputError
from torchlock.lock.proven_pairs import proven_pairs
from torchlock.manifests.syntax.lock_markers import names_of, scope_marker
from torchlock.manifests.syntax.markers import both
from torchlock.redaction import masked, one_line
from torchlock.report.requirements_many import about_targets
from torchlock.report.requirements_txt import about_builds
from torchlock.standards.filenames import is_distribution
from torchlock.standards.toml_text import Literal, inline, string, value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from torchlock.finding import DataUpdate
    from torchlock.lock import Lock, Pin
    from torchlock.lock.joined import JoinedLock
    from torchlock.standards.index_file import File
    from torchlock.target import Target


def render(
    lock: Lock,
    *,
    address: Callable[[str, File], str],
    command: str,
    data_date: str,
    update: DataUpdate | None = None,
    scopes: Sequence[str] = (),
) -> str:
    """The whole file. ``address`` returns the absolute URL of a project's file; ``update`` is that of the data on
    this machine. ``scopes`` are the extras and groups that are locked (``Inputs.scopes``).

    Raises:
        InputError: the format cannot represent a pin, because it needs the commit of a repository and a hash of
        each file, and these are unknown.
    """
    target = lock.target
    lines = [f"# {command}", *about_builds(lock), "", *_head([environment(target)], [target], scopes)]
    for pin in sorted(lock.pins, key=lambda pin: pin.name):
        marker = both(pin.marker, scope_marker(pin.scopes))
        lines += ["", *_package(pin, marker, pin.files if pin.exact is None else (pin.exact,), address)]
    lines += ["", "[tool.torchlock]", f"data = {string(data_date)}", f"target = {string(str(target))}"]
    return "\n".join([*lines, *_evidence(lock.pins, [lock]), *_of_update(update)]) + "\n"


def render_many(
    lock: JoinedLock,
    *,
    address: Callable[[str, File], str],
    command: str,
    data_date: str,
    update: DataUpdate | None = None,
    scopes: Sequence[str] = (),
) -> str:
    """The whole file for many targets: ``environments`` has one marker for each that markers separate.

    Raises:
        InputError: as ``render``.
    """
    targets = lock.targets
    environments = list(dict.fromkeys(environment(target, among=targets) for target in targets))
    lines = [f"# {command}", *about_targets(lock), "", *_head(environments, targets, scopes)]
    for joined in lock.pins:
        lines += ["", *_package(joined.pin, joined.scoped, joined.files, address)]
    lines += ["", "[tool.torchlock]", f"data = {string(data_date)}"]
    lines += ["targets = [", *(f"    {inline(_target(target))}," for target in targets), "]"]
    lines += _evidence([joined.pin for joined in lock.pins], lock.locks)
    return "\n".join([*lines, *_of_update(update)]) + "\n"


def _head(environments: Sequence[str], targets: Sequence[Target], scopes: Sequence[str]) -> Iterator[str]:
    """The keys of the whole lock."""
    yield 'lock-version = "1.0"'
    if len(environments) == 1:
        yield f"environments = [{string(environments[0])}]"
    else:
        yield "environments = ["
        yield from (f"    {string(marker)}," for marker in environments)
        yield "]"
    yield f"requires-python = {string(_requires_python(targets))}"
    yield f"extras = {value(names_of('extra', scopes))}"
    yield f"dependency-groups = {value(names_of('group', scopes))}"
    yield 'created-by = "torchlock"'


def _requires_python(targets: Sequence[Target]) -> str:
    """The Pythons of the targets: the minor releases from the oldest to the newest."""
    oldest, newest = (choose(target.python[:2] for target in targets) for choose in (min, max))
    if oldest == newest:
        return f"=={oldest[0]}.{oldest[1]}.*"
    return f">={oldest[0]}.{oldest[1]},<{newest[0]}.{newest[1] + 1}"


def _target(target: Target) -> dict[str, Any]:
    """A target in the table of torchlock."""
    stated = {"gpu": target.gpu, "system": "" if target.system == "none" else target.system}
    return {
        "python": target.python.full + ("t" if target.python.free_threaded else ""),
        "platform": target.platform.spelled,
        "accelerator": target.accelerator,
        **{key: value for key, value in stated.items() if value},
    }


def _evidence(pins: Iterable[Pin], locks: Sequence[Lock]) -> Iterator[str]:
    """The rules that required packages, and the proofs that companions load, with the wheels that were read."""
    yield f"rules = {value(sorted({rule for pin in pins for _, rule in pin.rules}))}"
    proofs = proven_pairs(locks)
    yield "proofs = [" if proofs else "proofs = []"
    for proof in proofs:
        told = {"package": proof.package, "version": str(proof.version), "torch": str(proof.torch)}
        wheels = [{"name": each.file, "sha256": each.sha256, "read": each.date} for each in proof.evidence]
        yield f"    {inline({**told, 'platform': proof.platform, 'wheels': wheels})},"
    if proofs:
        yield "]"


def _of_update(update: DataUpdate | None) -> Iterator[str]:
    if update is not None:
        yield ""
        yield "[tool.torchlock.data-update]"
        yield f"date = {string(update.date)}"
        yield f"from = {string(masked(update.source))}"


def environment(target: Target, among: Sequence[Target] = ()) -> str:
    """The marker that holds on the target's Python and platform.

    If there are targets with other patch releases of this Python, it names the whole version.
    """
    known = target.environment
    patches = {each.python.full for each in among if each.python[:2] == target.python[:2]}
    python = "python_full_version" if len(patches) > 1 else "python_version"
    return " and ".join(f'{key} == "{known[key]}"' for key in (python, "sys_platform", "platform_machine"))


def _package(pin: Pin, marker: str, files: Sequence[File], address: Callable[[str, File], str]) -> Iterator[str]:
    if pin.unproven is not None:
        yield f"# unproven: {one_line(masked(str(pin.unproven)))}"
    yield "[[packages]]"
    yield f"name = {string(pin.name)}"
    if pin.version and pin.written is None:
        yield f"version = {string(pin.version)}"
    if marker:
        yield f"marker = {string(marker)}"
    if pin.written is not None:
        yield from _direct(pin)
        return
    if pin.page:
        yield f"index = {string(masked(pin.page))}"
    wheels = [file for file in files if file.filename.endswith(".whl")]
    for file in files:
        if file not in wheels:
            yield f"sdist = {inline(_file(pin.name, file, address))}"
    if wheels:
        yield "wheels = ["
        yield from (f"    {inline(_file(pin.name, file, address))}," for file in sorted(wheels))
        yield "]"


def _direct(pin: Pin) -> Iterator[str]:
    written = pin.written
    if written is None or not pin.files:
        raise InputError(f"{pin.name}: pylock.toml does not support this URL", hint="use --format requirements")
    (file,) = pin.files
    if file.hashes:
        yield f"archive = {inline({'url': file.url, 'hashes': dict(sorted(file.hashes.items()))})}"
    elif file.url.startswith("file:") and not is_distribution(file.filename):
        yield f"directory = {inline({'path': written.url, 'editable': written.editable})}"
    else:
        raise InputError(
            f"{pin.name}: pylock.toml needs the hash or the commit of {written.url}, which is unknown",
            path=written.origin.path,
            line=written.origin.line,
            hint="use --format requirements",
        )


def _file(name: str, file: File, address: Callable[[str, File], str]) -> dict[str, Any]:
    if not file.hashes:
        raise InputError(
            f"{name}: pylock.toml needs a hash of {file.filename}, and none is available",
            hint="use --format requirements",
        )
    entry: dict[str, Any] = {"name": file.filename}
    if file.uploaded:
        entry["upload-time"] = Literal(file.uploaded)
    entry["url"] = address(name, file)
    if file.size is not None:
        entry["size"] = file.size
    return {**entry, "hashes": dict(sorted(file.hashes.items()))}
