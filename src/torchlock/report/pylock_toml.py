"""A lock as ``pylock.toml`` (PEP 751): keys in the order of the specification, packages by name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from torchlock.errors import InputError
from torchlock.redaction import masked, one_line
from torchlock.report.requirements_txt import about_builds
from torchlock.standards.filenames import is_distribution

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from torchlock.finding import DataUpdate
    from torchlock.lock import Lock, Pin
    from torchlock.standards.index_file import File
    from torchlock.target import Target


def render(
    lock: Lock,
    *,
    address: Callable[[str, File], str],
    command: str,
    data_date: str,
    update: DataUpdate | None = None,
) -> str:
    """The whole file. ``address`` returns the absolute URL of a project's file; ``update`` is that of the data on
    this machine.

    Raises:
        InputError: the format cannot represent a pin, because it needs the commit of a repository and a hash of
        each file, and these are unknown.
    """
    target = lock.target
    lines = [
        f"# {command}",
        *about_builds(lock),
        "",
        'lock-version = "1.0"',
        f"environments = [{_string(environment(target))}]",
        f"requires-python = {_string(f'=={target.python.major}.{target.python.minor}.*')}",
        "extras = []",
        "dependency-groups = []",
        'created-by = "torchlock"',
    ]
    for pin in sorted(lock.pins, key=lambda pin: pin.name):
        lines += ["", *_package(pin, address)]
    lines += ["", "[tool.torchlock]", f"data = {_string(data_date)}", f"target = {_string(str(target))}"]
    if update is not None:
        lines += ["", "[tool.torchlock.data-update]", f"date = {_string(update.date)}"]
        lines += [f"from = {_string(masked(update.source))}"]
    return "\n".join(lines) + "\n"


def environment(target: Target) -> str:
    """The marker that holds on the target's Python and platform."""
    known = target.environment
    keys = ("python_version", "sys_platform", "platform_machine")
    return " and ".join(f'{key} == "{known[key]}"' for key in keys)


def _package(pin: Pin, address: Callable[[str, File], str]) -> Iterator[str]:
    if pin.unproven is not None:
        yield f"# unproven: {one_line(masked(str(pin.unproven)))}"
    yield "[[packages]]"
    yield f"name = {_string(pin.name)}"
    if pin.version and pin.written is None:
        yield f"version = {_string(pin.version)}"
    if pin.marker:
        yield f"marker = {_string(pin.marker)}"
    if pin.written is not None:
        yield from _direct(pin)
        return
    if pin.page:
        yield f"index = {_string(masked(pin.page))}"
    files = pin.files if pin.exact is None else (pin.exact,)
    wheels = [file for file in files if file.filename.endswith(".whl")]
    for file in files:
        if file not in wheels:
            yield f"sdist = {_inline(_file(pin.name, file, address))}"
    if wheels:
        yield "wheels = ["
        yield from (f"    {_inline(_file(pin.name, file, address))}," for file in sorted(wheels))
        yield "]"


def _direct(pin: Pin) -> Iterator[str]:
    written = pin.written
    if written is None or not pin.files:
        raise InputError(f"{pin.name}: pylock.toml does not support this URL", hint="use --format requirements")
    (file,) = pin.files
    if file.hashes:
        yield f"archive = {_inline({'url': file.url, 'hashes': dict(sorted(file.hashes.items()))})}"
    elif file.url.startswith("file:") and not is_distribution(file.filename):
        yield f"directory = {_inline({'path': written.url, 'editable': written.editable})}"
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
        entry["upload-time"] = _Literal(file.uploaded)
    entry["url"] = address(name, file)
    if file.size is not None:
        entry["size"] = file.size
    return {**entry, "hashes": dict(sorted(file.hashes.items()))}


class _Literal(str):
    """A TOML value without quotes."""


def _inline(table: Mapping[str, Any]) -> str:
    return "{ " + ", ".join(f"{key} = {_value(value)}" for key, value in table.items()) + " }"


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return _inline(value)
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, (_Literal, int)) else _string(value)


def _string(text: str) -> str:
    """A basic string of TOML: the escapes of JSON, and DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
