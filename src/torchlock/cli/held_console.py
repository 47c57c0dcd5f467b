"""A console that keeps its messages until it is known whether they are true."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.cli.streams import Console

if TYPE_CHECKING:
    from collections.abc import Callable

    from torchlock.jobs.listener import Listener


class HeldConsole(Console):
    """Holds messages back. ``release`` writes them; without it, they are lost. Progress is shown at once."""

    def __init__(self, console: Console) -> None:
        self.__dict__.update(console.__dict__)
        self._console = console
        self._messages: list[Callable[[Listener], None]] = []

    def say(self, kind: str, text: str) -> None:
        self._messages.append(lambda console: console.say(kind, text))

    def line(self, text: str = "") -> None:
        self._messages.append(lambda console: console.line(text))

    def later(self, speak: Callable[[Listener], None]) -> None:
        self._messages.append(speak)

    def progress(self, text: str) -> None:
        self._console.progress(text)

    def clear(self) -> None:
        self._console.clear()

    def release(self) -> None:
        """Write the messages that were held."""
        for speak in self._messages:
            speak(self._console)
        self._messages.clear()
