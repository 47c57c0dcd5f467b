"""Messages about many targets: each is written once, with the targets that it is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.jobs.listener import Recorder
from torchlock.report.targets import target_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchlock.jobs.listener import Listener
    from torchlock.target import Target


class Gathering(Recorder):
    """Keeps the messages about one target; progress goes to the listener of the run."""

    def __init__(self, outer: Listener) -> None:
        super().__init__(step=outer.progress)
        self._outer = outer

    def clear(self) -> None:
        """Pass it on."""
        self._outer.clear()

    def take(self, *kinds: str) -> list[str]:
        """Remove the messages of these kinds, and return them."""
        found = [text for kind, text in self.said if kind in kinds]
        self.said = [each for each in self.said if each[0] not in kinds]
        return found


def _general(text: str, target: Target) -> str:
    """A message without the names of its target, to compare it with those about other targets."""
    text = text.replace(str(target), "this target")
    text = text.replace(f"{target.platform} and Python {target.python}", "this target")
    return text.replace(f"it exists for {target.platform} ", "it exists for this platform ")


def say_gathered(gathered: Sequence[tuple[Target, Gathering]], console: Listener) -> None:
    """Write the messages of some targets. A message about all of them does not name them."""
    about: dict[tuple[str, str], list[Target]] = {}
    for target, found in gathered:
        for kind, text in dict.fromkeys(found.said):
            about.setdefault((kind, _general(text, target)), []).append(target)
    for (kind, text), targets in about.items():
        where = "" if len(targets) == len(gathered) else f"{target_words(targets)}: "
        if kind == "line":
            console.line(f"{where}{text}")
        else:
            console.say(kind, f"{where}{text}")
