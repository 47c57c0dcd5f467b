"""Tables for the pyproject.toml of a project that uv locks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.report.emit.subject import index_name, is_chosen, marker_of, page_of, plain, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from torchlock.lock import Pin
    from torchlock.report.emit.subject import Subject

USE = """\
Put these tables into the pyproject.toml of the project, and run: uv lock
Packages with an entry in [tool.uv.sources] have to be in the dependencies of the project."""
_BUILDS = """\
Put these tables into the pyproject.toml of the project, and run: uv lock
Each build is an extra: uv sync --extra {first}. Leave the packages of the extras out of the other dependencies."""


def render(subject: Subject) -> str:
    """The versions as constraints, the indexes, and the environments that they are for.

    With several builds, each is an extra with the versions that it does not share, and the extras exclude each
    other.
    """
    several = len(subject.builds) > 1
    use = _BUILDS.format(first=next(iter(subject.builds))) if several else USE
    own = {build: _own_pins(subject, build) for build in subject.builds} if several else {}
    lines = [*subject.header(use), *subject.undeclared()]
    if several:
        lines += ["", "[project.optional-dependencies]"]
        lines += [line for build, pins in own.items() for line in _array(build, map(_requirement, pins))]
    private = {pin.name for pins in own.values() for pin in pins}
    shared = dict.fromkeys(_requirement(each.pin) for each in subject.pins if each.pin.name not in private)
    lines += ["", "[tool.uv]", *_array("constraint-dependencies", shared)]
    if several:
        extras = ", ".join(f"{{ extra = {quoted(build)} }}" for build in subject.builds)
        lines += [f"conflicts = [[{extras}]]"]
    environments = list(dict.fromkeys(map(marker_of, subject.targets)))
    lines += [*_array("environments", environments), *_array("required-environments", environments)]
    lines += _sources(subject, several=several)
    for page in subject.pages:
        lines += _index(index_name(page), page, "explicit = true")
    for kind, address in subject.indexes():
        rest = {"index": "default = true", "links": 'format = "flat"'}.get(kind, "")
        lines += _index(index_name(address), address, rest)
    return "\n".join(lines) + "\n"


def _own_pins(subject: Subject, build: str) -> list[Pin]:
    """The pins of a build that differ from those of another build, and what comes from its page."""
    others = [lock for name, lock in subject.builds.items() if name != build]
    pins = [each.pin for each in subject.builds[build].pins]
    mine = {(pin.name, pin.version, pin.marker) for pin in pins}
    theirs = [{(each.pin.name, each.pin.version, each.pin.marker) for each in lock.pins} for lock in others]
    differing = {name for found in theirs for name, *_ in found ^ mine}
    return [pin for pin in pins if pin.page or (pin.name in differing and (is_chosen(pin) or _is_in(pin, theirs)))]


def _is_in(pin: Pin, builds: Iterable[set[tuple[str, str, str]]]) -> bool:
    return any(name == pin.name for found in builds for name, *_ in found)


def _requirement(pin: Pin) -> str:
    return f"{pin.name}=={plain(pin, 'uv')}" + (f" ; {pin.marker}" if pin.marker else "")


def _array(name: str, items: Iterable[str]) -> list[str]:
    return [f"{name} = [", *(f"    {quoted(item)}," for item in items), "]"]


def _sources(subject: Subject, *, several: bool) -> Iterator[str]:
    """For each package of the PyTorch index its page; by extra or marker, if it has several."""
    found: dict[str, dict[str, None]] = {}
    for build, lock in subject.builds.items():
        for each in lock.pins:
            if each.pin.page:
                parts = [f"index = {quoted(index_name(page_of(each.pin)))}"]
                parts += [f"extra = {quoted(build)}"] if several else []
                parts += [f"marker = {quoted(each.pin.marker)}"] if each.pin.marker else []
                found.setdefault(each.pin.name, {})[f"{{ {', '.join(parts)} }}"] = None
    if found:
        yield from ("", "[tool.uv.sources]")
    for name, sources in found.items():
        alone = len(sources) == 1 and not several
        yield f"{name} = {next(iter(sources))}" if alone else f"{name} = [{', '.join(sources)}]"


def _index(name: str, address: str, rest: str) -> Iterator[str]:
    yield from ("", "[[tool.uv.index]]", f"name = {quoted(name)}", f"url = {quoted(address)}")
    if rest:
        yield rest
