"""A constraints file for pip and uv: the versions of the lock, without what installs them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.redaction import one_line
from torchlock.report.emit.subject import of_one_build

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.lock.joined import JoinedPin
    from torchlock.report.emit.subject import Subject

USE = """\
It installs nothing by itself. Use it with one of these:
    pip install -c FILE REQUIREMENT
    uv pip install -c FILE REQUIREMENT"""


def render(subject: Subject) -> str:
    """One pin a line; a constraint has no extras (pip refuses them) and no hashes.

    Raises:
        InputError: there are several builds.
    """
    of_one_build(subject, "constraints")
    head = [*subject.header(USE), *subject.undeclared(), "", *subject.options]
    return "\n".join([*head, *pin_lines(subject)]) + "\n"


def pin_lines(subject: Subject) -> Iterator[str]:
    """The pins as pip writes them, without extras."""
    yield from map(_line, subject.pins)


def _line(joined: JoinedPin) -> str:
    pin, exact = joined.pin, joined.exact
    if pin.written is not None:
        return one_line(pin.written.origin.text.strip())
    marker = f" ; {pin.marker}" if pin.marker else ""
    return f"{pin.name}=={pin.version}{marker}" if exact is None else f"{pin.name} @ {exact.url}{marker}"
