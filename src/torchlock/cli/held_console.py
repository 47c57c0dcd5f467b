"""A console that keeps its messages until it is known whether they are true."""

from __future__ import annotations

from torchlock.cli.streams import Console


class HeldConsole(Console):
    """Holds messages back. ``release`` writes them; without it, they are lost. Progress is shown at once."""

    def __init__(self, console: Console) -> None:
        self.__dict__.update(console.__dict__)
        self._console = console
        self._messages: list[tuple[str, str]] = []

    def say(self, kind: str, text: str) -> None:
        self._messages.append((kind, text))

    def line(self, text: str = "") -> None:
        self._messages.append(("", text))

    def progress(self, text: str) -> None:
        self._console.progress(text)

    def clear(self) -> None:
        self._console.clear()

    def release(self) -> None:
        """Write the messages that were held."""
        for kind, text in self._messages:
            if kind:
                self._console.say(kind, text)
            else:
                self._console.line(text)
        self._messages.clear()
