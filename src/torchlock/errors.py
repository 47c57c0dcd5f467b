"""Errors that stop the work. A conflict or a finding is a result, not an error."""

from __future__ import annotations

from torchlock.typed import Any


def _restored(kind: type[TorchlockError], arguments: tuple[Any, ...], state: dict[str, Any]) -> TorchlockError:
    """An error as it was pickled, whatever its constructor asks for."""
    error = kind.__new__(kind, *arguments)
    error.__dict__.update(state)
    return error


class TorchlockError(Exception):
    """Something outside this program stops the work; ends with exit code 2.

    ``message`` is one sentence without a final newline; ``hint``, if any, says what to do next.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), self.args, dict(self.__dict__))


class InputError(TorchlockError):
    """The input cannot be used: a file, a requirement, an option.

    ``path`` and ``line`` (counted from 1) say where; both are None for the command line.
    """

    def __init__(
        self, message: str, *, path: str | None = None, line: int | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.path = path
        self.line = line

    def __str__(self) -> str:
        where = ":".join(str(part) for part in (self.path, self.line) if part is not None)
        return f"{where}: {self.message}" if where else self.message


class WrongTarget(InputError):
    """The project excludes the target, or there is no such build for its platform.

    Of several targets, only this one has no lock.
    """


class DataError(TorchlockError):
    """A table of compat_data/ is damaged. ``key`` is the path inside the file, grown on the way up."""

    def __init__(self, message: str, *, path: str, key: str = "") -> None:
        super().__init__(message, hint="reinstall torchlock; if that does not help, report it")
        self.path = path
        self.key = key

    def __str__(self) -> str:
        return f"{self.path}{': ' + self.key if self.key else ''}: {self.message}"


class NetworkError(TorchlockError):
    """An index could not be asked, or its answer is invalid. The message never contains credentials."""


class BrokenFile(NetworkError):
    """One file of an index is missing or does not match its description; other files may be usable."""


class NotFetched(NetworkError):
    """A file is not in the cache, and the network may not be used."""


class NeedsBuild(TorchlockError):
    """The requirements of this source distribution are known only after a build, and nothing is built."""


class UnknownPackage(TorchlockError):
    """No source that may be asked has a project of this name."""

    def __init__(self, name: str, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.name = name


class NotForThisTorch(UnknownPackage):
    """No release of this project is built for the torch that stays: a conflict, not a wrong name."""


class MetadataError(TorchlockError):
    """The metadata of one file is unknown, or installers refuse it: the file is not a candidate.

    ``message`` follows name, version and a colon: "it declares …", "its metadata has no Name".
    """


class Unasked(UnknownPackage):
    """An earlier source may not be asked (``--offline``), so it is unknown whether it has the project."""


class Undecided(TorchlockError):
    """The search reached its limit without an answer; exit code 1."""
