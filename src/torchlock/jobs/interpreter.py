"""Ask the interpreter that the command line names; a wrong answer is wrong use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from torchlock.inspect.interpreter import Interpreter


def ask_interpreter(
    path: str, named: str, hint: str, virtual: str = "", meanwhile: Callable[[], object] | None = None
) -> Interpreter:
    """Ask an interpreter for its version, paths and tags. ``named`` is its name in messages.

    ``virtual`` and ``meanwhile`` are those of ``ask``.

    Raises:
        InputError: it does not answer; ``hint`` says what to do.
    """

    from torchlock.inspect.interpreter import NoAnswer, ask

    answer = ask(path, virtual=virtual, meanwhile=meanwhile)
    if isinstance(answer, NoAnswer):
        detail = f": {' '.join(answer.detail.split())}" if answer.detail else ""
        raise InputError(f"{named} does not answer as a Python interpreter ({answer.reason}{detail})", hint=hint)
    return answer
