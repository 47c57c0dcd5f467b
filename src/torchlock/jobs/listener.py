"""To whom a job speaks: messages, lines and progress. A command writes them; a library call keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


class Listener(Protocol):
    """Takes what a job says while it works.

    ``say`` takes one message; its kind is error, warning, note or hint. ``line`` takes one line of a longer
    message. ``later`` takes what is long to work out, and calls it if it is to be shown. ``progress`` takes the
    current step, and ``clear`` says that it is over.
    """

    def say(self, kind: str, text: str) -> None: ...

    def line(self, text: str = "") -> None: ...

    def later(self, speak: Callable[[Listener], None]) -> None: ...

    def progress(self, text: str) -> None: ...

    def clear(self) -> None: ...


class Recorder:
    """Keeps what a job says: ``said`` has the kind (``line`` for a line) and the text of each message, in order.

    ``tell`` is called with each message, and ``step`` with each step of the progress.
    """

    def __init__(
        self, tell: Callable[[str, str], None] | None = None, step: Callable[[str], None] | None = None
    ) -> None:
        self.said: list[tuple[str, str]] = []
        self._tell = tell
        self._step = step

    def say(self, kind: str, text: str) -> None:
        """Keep a message."""
        self.said.append((kind, text))
        if self._tell is not None:
            self._tell(kind, text)

    def line(self, text: str = "") -> None:
        """Keep a line of a longer message."""
        self.say("line", text)

    def later(self, speak: Callable[[Listener], None]) -> None:
        """Let it speak at once."""
        speak(self)

    def progress(self, text: str) -> None:
        """Pass a step on."""
        if self._step is not None:
            self._step(text)

    def clear(self) -> None:
        """Nothing is shown, so there is nothing to remove."""
