"""Where rows go: a journal while the work goes on, then one file in the order of paths, JSON lines or Parquet."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from torchlock.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from torchlock.fleet.rows import Row

_KEYS = {"path", "command", "options", "sha256", "date", "torchlock", "data", "data_update", "status", "findings"}
_GROUP = 5_000  # rows of a group in Parquet


class Store:
    """The output of a run and its journal (``OUTPUT.part``), which an interrupted run leaves.

    Raises:
        InputError: the output is there and has no rows of a fleet, or Parquet is asked for and pyarrow is missing.
    """

    def __init__(self, output: str | os.PathLike[str]) -> None:
        self.output = Path(output)
        self._journal = self.output.with_name(f"{self.output.name}.part")
        self._is_parquet = self.output.suffix == ".parquet"
        self._offsets: dict[str, int] = {}
        if self._is_parquet:
            _parquet()
        elif self.output.suffix not in (".jsonl", ".ndjson"):
            raise InputError("the output is neither .jsonl nor .parquet", path=str(self.output))

    def keep(self, is_valid: Callable[[Row], bool]) -> set[str]:
        """Take over the rows of earlier runs that are still valid; their paths."""
        earlier = [*self._rows_of_output(), *self._rows_of_journal()]
        self.output.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._journal.with_name(f"{self._journal.name}.new")
        with fresh.open("wb") as file:
            for row in earlier:
                if is_valid(row):
                    self._write(file, row)
        fresh.replace(self._journal)
        return set(self._offsets)

    def add(self, rows: Iterable[Row]) -> None:
        """Write rows to the journal, where an end of the process does not lose them."""
        with self._journal.open("ab") as file:
            for row in rows:
                self._write(file, row)

    def finish(self, paths: Sequence[str]) -> None:
        """Write the output, with the rows in the order of these paths, and remove the journal."""
        fresh = self.output.with_name(f"{self.output.name}.new")
        if self._is_parquet:
            _write_parquet(fresh, self.rows(paths))
        else:
            with fresh.open("w", encoding="utf-8") as file:
                file.writelines(_line(row) for row in self.rows(paths))
        fresh.replace(self.output)
        self._journal.unlink()

    def rows(self, paths: Sequence[str]) -> Iterator[Row]:
        """The rows of these paths, from the journal."""
        with self._journal.open("rb") as file:
            for path in paths:
                file.seek(self._offsets[path])
                yield json.loads(file.readline())

    def _write(self, file: IO[bytes], row: Mapping[str, Any]) -> None:
        file.seek(0, os.SEEK_END)
        self._offsets[row["path"]] = file.tell()
        file.write(_line(row).encode())

    def _rows_of_journal(self) -> Iterator[Row]:
        """The rows of an interrupted run; the last line may be cut."""
        if self._journal.exists():
            for line in self._journal.read_bytes().splitlines():
                try:
                    yield _checked(json.loads(line), self._journal)
                except ValueError:
                    return

    def _rows_of_output(self) -> Iterator[Row]:
        if not self.output.exists():
            return
        if self._is_parquet:
            _, parquet = _parquet()
            try:
                table = parquet.read_table(self.output).to_pylist()
            except Exception as error:  # pyarrow has a dozen kinds of errors
                raise InputError(f"cannot be read as Parquet: {error}", path=str(self.output)) from error
            yield from (_checked(row, self.output) for row in table)
            return
        with self.output.open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    row = json.loads(line)
                except ValueError:
                    raise InputError("is not JSON", path=str(self.output), line=number) from None
                yield _checked(row, self.output, number)


def _checked(row: Any, path: Path, line: int | None = None) -> Row:
    """A row of an earlier run.

    Raises:
        InputError: it is no such row, so the file is of another program.
    """
    if not isinstance(row, dict) or not row.keys() >= _KEYS:
        hint = "name another file with -o"
        raise InputError(
            "is not a result of torchlock fleet, so it is not replaced", path=str(path), line=line, hint=hint
        )
    return row


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=True, separators=(",", ":")) + "\n"


def _parquet() -> tuple[Any, Any]:
    """pyarrow and its module for Parquet.

    Raises:
        InputError: it is not installed.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise InputError(
            "Parquet needs pyarrow, which is not installed", hint="install torchlock[fleet], or write .jsonl"
        ) from None
    return pyarrow, parquet


def _write_parquet(path: Path, rows: Iterator[Row]) -> None:
    arrow, parquet = _parquet()
    schema = _schema(arrow)
    with parquet.ParquetWriter(path, schema) as writer:
        group: list[Row] = []
        for row in rows:
            group.append(row)
            if len(group) == _GROUP:
                writer.write_table(arrow.Table.from_pylist(group, schema))
                group = []
        writer.write_table(arrow.Table.from_pylist(group, schema))


def _schema(arrow: Any) -> Any:
    """The columns; of remedies the sentence alone."""
    text, number = arrow.string(), arrow.int64()
    pair = arrow.struct([("name", text), ("version", text)])
    source = arrow.struct([("id", text), ("address", text), ("kind", text), ("date", text)])
    finding = arrow.struct(
        [
            *[(name, text) for name in ("rule", "severity", "message", "path", "says")],
            *[("line", number), ("column", number), ("packages", arrow.list_(pair)), ("because", text)],
            *[("sources", arrow.list_(source)), ("remedy", arrow.struct([("summary", text)]))],
        ]
    )
    names = (
        "path",
        "command",
        "options",
        "sha256",
        "date",
        "torchlock",
        "data",
        "data_update",
        "kind",
        "status",
        "error",
    )
    return arrow.schema([*[(name, text) for name in names], ("findings", arrow.list_(finding))])
