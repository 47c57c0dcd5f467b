"""Makefiles and justfiles: the packages that the recipes of each target install."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.manifests.builder import DocumentBuilder
from torchlock.manifests.embedded_code import EmbeddedBuilder, MappedText
from torchlock.manifests.install_parts import scoped_parts
from torchlock.manifests.syntax.expansion import Expansion, bounded
from torchlock.manifests.syntax.installed import Installed, index_variable
from torchlock.manifests.syntax.shell import commands

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torchlock.manifests.document import Document, Entry
    from torchlock.manifests.syntax.shell import Command

_LINE = re.compile(r"(?:[^\r\n\\]|\\\r?\n|\\.?)*(?:\r\n|\n|\r|\Z)")
_VARIABLE = re.compile(
    r"(?:export[ \t]+)?(\w[\w.-]*)[ \t]*(?::{1,3}|\?|\+|!)?=[ \t]*((?:[^\r\n#\\]|\\.)*)", re.DOTALL
)
_OWN_VARIABLE = re.compile(rf"[^\s:=#][^:=#\r\n]*:[ \t]*{_VARIABLE.pattern}", re.DOTALL)
_TARGET = re.compile(
    r"@?(?P<names>[^\s:=#](?:[^:=#\r\n]*[^\s:=#])?)[ \t]*::?(?!=)(?P<needs>[^=;#\r\n]*)(?:;(?P<recipe>[^\r\n]*))?"
)
_JUST_TARGET = re.compile(r"@?(?P<names>[\w-]+)(?:[ \t][^:\r\n]*)?:(?!=)(?P<needs>[^#\r\n]*)")
_USED = re.compile(r"\$[({](\w[\w.-]*)[)}]|\{\{[ \t]*(\w[\w-]*)[ \t]*\}\}")
_CONDITION = re.compile(r"[ \t]*(?:ifn?eq|ifn?def)\b")
_SILENT = re.compile(r"[ \t]*[@+-]*[ \t]*")
# The limit of targets, counted again for each target that needs them.
_MOST = 50_000
_OTHER_PROGRAM = re.compile(r"[ \t]*#!(?!.*\b(?:ba|z|da|k)?sh\b)")


def read(text: str, path: str) -> Document:
    """Read a Makefile, or a justfile by its name. Each target is separate, together with the targets it needs."""
    builder = DocumentBuilder(text, path, "make")
    just = "just" in path.replace("\\", "/").rpartition("/")[2].lower()
    _Reader(builder, just=just).read()
    return builder.document


def entries_of_targets(
    builder: DocumentBuilder, targets: list[str], variables: Mapping[str, str | None]
) -> tuple[list[Entry], int]:
    """What some targets of a Makefile install, with the targets that they need; and how many commands install.

    ``variables`` are those of the command line, which the file does not change. Without targets, the first one is
    made.
    """
    reader = _Reader(builder, just=False, variables=variables)
    reader.parse()
    return reader.of_targets(targets), reader.steps


class _Reader:
    def __init__(
        self, builder: DocumentBuilder, *, just: bool, variables: Mapping[str, str | None] | None = None
    ) -> None:
        self._builder = builder
        self._just = just
        self._given = dict(variables or {})
        self._variables: dict[str, str | None] = {**({} if just else {"MAKE": "make"}), **self._given}
        self._same: dict[str, str] = {}
        self._entries: dict[str, list[Entry]] = {}
        self._needs: dict[str, set[str]] = {}
        self._step = 0
        self._conditions = 0
        self._expansion = Expansion(10)  # for the whole file

    @property
    def steps(self) -> int:
        """The number of commands that install something."""
        return self._step

    def read(self) -> None:
        """Add the entries of all targets."""
        self.parse()
        self._builder.add(scoped_parts(self._together()))

    def of_targets(self, targets: list[str]) -> list[Entry]:
        """The entries of some targets, or of the first one, in the order of the file."""
        first = next((name for name in self._needs if not name.startswith(".") and "%" not in name), None)
        wanted = targets or ([] if first is None else [first])
        reached = {self._same.get(one, one) for name in wanted for one in self._reach(name)}
        return sorted(
            (entry for one in reached for entry in self._entries.get(one, ())), key=lambda entry: entry.step
        )

    def parse(self) -> None:
        """Read the variables, targets and recipes."""
        targets: list[str] = []
        foreign = False
        for match in _LINE.finditer(self._builder.text):
            line = match[0]
            if line.startswith("\t") or (self._just and line[:1] == " " and line.strip()):
                foreign = foreign or _OTHER_PROGRAM.match(line) is not None
                if targets and not foreign:
                    self._recipe(match.start(), line, targets)
                continue
            if not line.strip() or line.startswith("#"):
                continue
            foreign, targets = (
                False,
                self._header(match.start(), line) or ([] if not self._condition(line) else targets),
            )

    def _condition(self, line: str) -> bool:
        """``ifeq`` and the like: a value inside may or may not apply."""
        self._conditions += bool(_CONDITION.match(line)) - line.lstrip().startswith("endif")
        return bool(_CONDITION.match(line)) or line.lstrip().startswith(("else", "endif"))

    def _header(self, at: int, line: str) -> list[str]:
        """The targets that a line begins; also records a variable that the line sets."""
        variable = _VARIABLE.match(line)
        if variable:
            self._set(variable, at + variable.start(1))
            return []
        own = _OWN_VARIABLE.match(line)
        if own:  # The variable is set for one target, but is used for the whole file.
            self._set(own, at + own.start(1))
            return []
        target = (_JUST_TARGET if self._just else _TARGET).match(line)
        if target is None or _CONDITION.match(line):
            return []
        names = [name for name in target["names"].split() if not re.match(r"\.[A-Z]", name)]
        for name in names:
            self._same.setdefault(name, names[0])
            self._needs.setdefault(name, set()).update(re.findall(r"[\w./-]+", target["needs"]))
        recipe = target.groupdict().get("recipe")
        if recipe:
            self._recipe(at + target.start("recipe"), recipe, names)
        return names

    def _set(self, match: re.Match[str], at: int) -> None:
        name, value = match[1], match[2].strip()
        if name in self._given:
            return
        unknown = False

        def known(used: re.Match[str]) -> str:
            nonlocal unknown
            found = self._expansion.take(self._variables.get(used[1] or used[2]))
            unknown = unknown or found is None
            return found or ""

        whole = _USED.sub(known, value.strip("\"'") if self._just else value)
        doubtful = unknown or "$" in whole or (self._conditions > 0 and name in self._variables)
        self._variables[name] = None if doubtful else bounded(whole)
        index_variable(self._builder, name, self._variables[name], at)

    def _recipe(self, at: int, line: str, targets: list[str]) -> None:
        """One line of a recipe, which runs in its own shell."""
        silent = _SILENT.match(line)
        start = silent.end() if silent else 0
        woven = self._filled(line[start:], at + start)
        if not woven.text.strip():
            return
        state = Installed(dict(self._variables), [], self._step)
        EmbeddedBuilder(self._builder, woven.text, woven.pieces).install(state, self._words)
        self._step = state.step
        for target in targets[:1]:
            self._entries.setdefault(target, []).extend(state.entries)

    def _filled(self, line: str, at: int) -> MappedText:
        """A line with ``{{name}}`` of just replaced by the known values."""
        woven, done = MappedText(), 0
        for match in _USED.finditer(line) if self._just else ():
            value = self._expansion.take(self._variables.get(match[2] or ""))
            if value is not None:
                woven.add(line[done : match.start()], at + done)
                woven.add(value, at + match.start())
                done = match.end()
        woven.add(line[done:], at + done)
        return woven

    def _words(self, text: str, start: int, end: int, variables: dict[str, str | None]) -> Iterator[Command]:
        return commands(text, start, end, variables, make=not self._just)

    def _together(self) -> dict[str, list[Entry]]:
        """Each target with the targets that it needs; targets that another one needs are left out."""
        found: dict[frozenset[str], str] = {}
        left = _MOST
        for name in dict.fromkeys([*self._entries, *self._needs]):
            reach = self._reach(name) if left > 0 else {name}
            left -= len(reach)
            held = frozenset(one for one in reach if self._entries.get(one))
            if held and held not in found:
                found[held] = name
        if left <= 0:
            message = "too many targets need others: not all are judged with the targets that they need"
            self._builder.issue("TL902", "note", message, 0)
        around: dict[str, list[frozenset[str]]] = {}
        for held in found:
            for one in held:
                around.setdefault(one, []).append(held)
        leaves = {
            held: name for held, name in found.items() if not any(held < other for other in around[min(held)])
        }
        return {
            name: sorted((entry for one in held for entry in self._entries[one]), key=lambda entry: entry.step)
            for held, name in leaves.items()
        }

    def _reach(self, name: str) -> set[str]:
        reached, waiting = set[str](), [name]
        while waiting:
            one = waiting.pop()
            if one not in reached:
                reached.add(one)
                waiting += self._needs.get(one, ())
        return reached
