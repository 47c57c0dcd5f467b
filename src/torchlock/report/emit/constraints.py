"""A constraints file for pip and uv: the versions of the lock, without what installs them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.redaction import one_line

if TYPE_CHECKING:
    from torchlock.lock import Pin
    from torchlock.report.emit.subject import Subject

_USE = """\
It installs nothing by itself. Use it with one of these:
    pip install -c FILE REQUIREMENT
    uv pip install -c FILE REQUIREMENT"""


def render(subject: Subject) -> str:
    """One pin a line; a constraint has no extras (pip refuses them) and no hashes."""
    pins = [_line(pin, subject) for pin in subject.pins]
    return "\n".join([*subject.header(_USE), *subject.undeclared(), "", *subject.options, *pins]) + "\n"


def _line(pin: Pin, subject: Subject) -> str:
    if pin.written is not None:
        return one_line(pin.written.origin.text.strip())
    builds = subject.lock.builds
    exact = None if builds is None else builds.file_of(pin)
    marker = f" ; {pin.marker}" if pin.marker else ""
    return f"{pin.name}=={pin.version}{marker}" if exact is None else f"{pin.name} @ {exact.url}{marker}"
