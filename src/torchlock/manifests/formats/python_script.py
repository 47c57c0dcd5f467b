"""Python scripts as text, never run: PEP 723, nox sessions, Modal images, calls that run an installer."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from torchlock.manifests.builder import DocumentBuilder
from torchlock.manifests.embedded_code import EmbeddedBuilder
from torchlock.manifests.formats import inline_script
from torchlock.manifests.install_parts import scoped_parts
from torchlock.manifests.syntax.install_commands import Installer
from torchlock.manifests.syntax.installed import Installed
from torchlock.manifests.syntax.markers import both
from torchlock.manifests.syntax.python_literals import UNPARSED, parsed, span_of
from torchlock.manifests.syntax.setup_script import Values
from torchlock.manifests.syntax.setup_values import Items, Text
from torchlock.manifests.syntax.shell import Command, Word
from torchlock.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from torchlock.manifests.document import Document, Entry

# Methods whose arguments are words of a command, and the beginning of that command.
_METHODS = {
    "install": ("pip", "install"),
    "conda_install": ("conda", "install"),
    "pip_install": ("pip", "install"),
    "uv_pip_install": ("uv", "pip", "install"),
    "micromamba_install": ("micromamba", "install"),
    "conda": ("conda", "install"),
    "run": (),
    "run_always": (),
    "run_install": (),
}
_SESSION = {"install", "conda_install", "run", "run_always", "run_install"}
_IMAGE = {"pip_install", "uv_pip_install", "micromamba_install", "run_commands", "pip_install_from_requirements"}
_BASES = {"debian_slim", "micromamba", "from_registry", "from_dockerfile"}
_RUNNING = pattern(r"(?:subprocess|sp)\.(?:run|call|check_call|check_output|Popen|getoutput)|os\.(?:system|popen)")
# Functions that scripts define to run a command, and the commands that are read then.
_OWN_RUNNER = pattern(
    r"_?(?:run|exec|execute|sh|shell|system|call)(?:_?(?:command|commands|cmd|shell|process|step))?"
)
_PIP_INSTALL = pattern(r"(?:python[\d.]* -m )?(?:uv )?pip[\d.]* install\b")
_MAGIC = pattern(r"get_ipython\(\)\.(?:system|getoutput|run_line_magic)")
_KEYWORDS = {"index_url": "--index-url", "extra_index_url": "--extra-index-url", "find_links": "--find-links"}
_INSTALL = pattern(r"(?:python[\d.]* -m )?(?:uv )?pip[\d.]* install\b|install\s+\S")
# A file without any of these words has no call that is read.
_WORTH = pattern(r"install|/// script|add_python_packages|TORCH_COMMAND")


def read(text: str, path: str) -> Document:
    """Read a script. Values known only at run time get a note (TL902), as does a file that is not Python 3."""
    builder = DocumentBuilder(text, path, "python")
    inline_script.read_block(builder)
    if _WORTH.search(text):
        try:
            tree = parsed(text)
            reader = _Reader(builder, tree)
            reader.read()
        except UNPARSED as error:
            at = builder.offset(getattr(error, "lineno", None) or 1)
            builder.issue("TL901", "note", "this is not Python 3, so what it installs is not judged", at)
        else:
            builder.add(scoped_parts(reader.parts))
    return builder.document


@dataclass(slots=True)
class _Part:
    """Packages installed together: by a session, an image, or the script itself.

    ``python`` is the Python that an image names, "" for none.
    """

    state: Installed = field(default_factory=Installed)
    python: str = ""


class _Reader:
    def __init__(self, builder: DocumentBuilder, tree: ast.Module) -> None:
        self._builder = builder
        self._tree = tree
        self._parts: dict[str, _Part] = {}
        self._values = Values(tree)
        self._step = 0
        self._called = _named_in(tree)
        self._nox = any(
            isinstance(node, ast.Import | ast.ImportFrom)
            and "nox" in [getattr(node, "module", "") or "", *(name.name for name in node.names)]
            for node in ast.walk(tree)
        )

    @property
    def parts(self) -> dict[str, list[Entry]]:
        """The entries of each part. An image contains nothing that the script itself installs."""
        return {
            name: [
                _of_image(entry, part.python) if name.startswith("image-") else entry
                for entry in part.state.entries
            ]
            for name, part in self._parts.items()
        }

    def read(self) -> None:
        self._block(self._tree.body, "", "")

    def _block(self, body: Iterable[ast.stmt], part: str, branch: str) -> None:
        for statement in body:
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                own = f"session-{statement.name}" if self._is_session(statement) else part
                self._values.enter(statement)
                issues = len(self._builder.document.issues)
                self._block(statement.body, own, branch)
                if not own.startswith("session-") and not self._is_called(statement):
                    self._soften(statement.name, issues)
                self._values.leave()
            elif isinstance(statement, ast.If | ast.Match):
                self._branches(statement, part)
            else:
                self._statement(statement, part, branch)

    def _is_called(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
        """Whether this file may run a function: it names it, or a decorator gives it to something else."""
        return bool(function.decorator_list) or function.name in self._called

    def _soften(self, name: str, since: int) -> None:
        """Make the issues of a function that nothing in this file calls notes; another file may call it."""
        issues = self._builder.document.issues
        for at in range(since, len(issues)):
            if issues[at].severity != "note":
                message = f"{issues[at].message}; nothing in this file calls {name}()"
                issues[at] = replace(issues[at], severity="note", message=message)

    def _branches(self, statement: ast.If | ast.Match, part: str) -> None:
        if isinstance(statement, ast.Match):
            bodies = [case.body for case in statement.cases]
        elif "__main__" in ast.dump(statement.test):
            self._block(statement.body, part, "")
            return
        else:
            bodies = [statement.body, statement.orelse]
            for call in [node for node in ast.walk(statement.test) if isinstance(node, ast.Call)]:
                self._call(call, part, "")
        for body in bodies:
            if body:
                self._block(body, part, f"line-{body[0].lineno}")

    def _statement(self, statement: ast.stmt, part: str, branch: str) -> None:
        """The calls of a statement in the order of execution; then the blocks in it."""
        inner = [getattr(statement, name, None) or [] for name in ("body", "handlers", "orelse", "finalbody")]
        held = {id(node) for body in inner for one in body for node in ast.walk(one)}
        calls = [node for node in ast.walk(statement) if isinstance(node, ast.Call) and id(node) not in held]
        calls.sort(key=lambda call: (call.func.end_lineno or 0, call.func.end_col_offset or 0))
        images = [call for call in calls if _method(call) in _IMAGE]
        own = self._image(statement, images[0]) if images else part
        for call in calls:
            self._call(call, own if call in images else part, branch)
        for body in inner:
            for one in body:
                self._block(one.body if isinstance(one, ast.ExceptHandler) else [one], part, branch)

    def _image(self, statement: ast.stmt, first: ast.Call) -> str:
        """The part of an image, which begins with the packages of the image that it extends."""
        root: ast.expr = first
        python = ""
        while isinstance(root, ast.Call | ast.Attribute):
            python = python or (_python_of(root) if isinstance(root, ast.Call) else "")
            root = root.func if isinstance(root, ast.Call) else root.value
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        name = next((target.id for target in targets if isinstance(target, ast.Name)), "")
        own = f"image-{name or f'line-{statement.lineno}'}"
        base = self._parts.get(f"image-{root.id}") if isinstance(root, ast.Name) else None
        if base is not None and base is not self._parts.get(own):
            self._part(own).state.entries = [*base.state.entries]
            python = python or base.python
        self._part(own).python = python
        return own

    def _part(self, name: str) -> _Part:
        return self._parts.setdefault(name, _Part())

    def _is_session(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
        """Whether this is a nox session, or a function that gets one."""
        given = [argument.arg for argument in function.args.args[:1]]
        decorated = any("session" in ast.dump(decorator) for decorator in function.decorator_list)
        return self._nox and (decorated or given == ["session"])

    def _call(self, call: ast.Call, part: str, branch: str) -> None:
        method, name = _method(call), ast.unparse(call.func) if isinstance(call.func, ast.Attribute) else ""
        if part.startswith("session-") and method in _SESSION:
            self._words(call, _METHODS[method], part, branch)
        elif method == "pip_install_from_requirements":
            self._words(call, ("pip", "install", "-r"), part, branch)
        elif method == "run_commands":
            for word in self._arguments(call.args):
                self._line(word, part, branch)
        elif method in _IMAGE:
            self._words(call, _METHODS[method], part, branch)
        elif method == "add_python_packages":
            self._words(call, ("pip", "install"), part, branch)
        elif _RUNNING.fullmatch(name) or _MAGIC.fullmatch(name) or self._is_own_install(call, method):
            self._process(call, part, branch)
        elif method == "run_pip" and call.args:
            self._words(replace_arguments(call, call.args[:1]), ("pip",), part, branch, split=True)
        elif method in ("get", "getenv") and len(call.args) == 2 and "env" in ast.unparse(call.func):
            word = self._word(call.args[1])
            if _INSTALL.match(word.value):
                self._line(word, part, branch)

    def _is_own_install(self, call: ast.Call, method: str) -> bool:
        """Whether a function of the script gets an install command: a text that is known, or a list of words."""
        if not call.args or not _OWN_RUNNER.fullmatch(method):
            return False
        first = call.args[0]
        if isinstance(first, ast.List | ast.Tuple):
            words = [one.value for one in first.elts if isinstance(one, ast.Constant)]
            return "install" in words and "pip" in words
        word = self._word(first)
        return not word.unknown and _PIP_INSTALL.match(word.value) is not None

    def _process(self, call: ast.Call, part: str, branch: str) -> None:
        """A command as a list of words, or as one text for a shell."""
        first = call.args[0] if call.args else None
        if isinstance(first, ast.List | ast.Tuple):
            self._take(list(self._arguments([first])), part, branch)
        elif len(call.args) > 1 and _method(call) == "run_line_magic":
            self._words(replace_arguments(call, call.args[1:]), ("pip",), part, branch, split=True)
        elif first is not None:
            self._line(self._word(first), part, branch)

    def _words(
        self, call: ast.Call, begin: tuple[str, ...], part: str, branch: str, *, split: bool = False
    ) -> None:
        at = self._builder.offset(call.lineno, call.col_offset)
        words = [Word(word, at, at) for word in begin]
        for word in self._arguments(call.args):
            words += _split(word) if split else [word]
        for keyword in call.keywords:
            option = _KEYWORDS.get(keyword.arg or "")
            if option:
                words += [Word(option, at, at), self._word(keyword.value)]
        self._take(words, part, branch)

    def _take(self, words: list[Word], part: str, branch: str) -> None:
        state = self._part(part).state
        state.step = self._step
        Installer(self._builder, state).take(Command(words, [], branch))
        self._step = state.step

    def _line(self, word: Word, part: str, branch: str) -> None:
        """A text that a shell gets."""
        state = self._part(part).state
        state.step = self._step
        if word.unknown and not _INSTALL.search(word.value):
            return
        start, here = word.content.start if word.content else word.start, state.folder.here
        EmbeddedBuilder(self._builder, word.value, [(0, start)], exact=word.content is not None).install(
            state, branch=branch
        )
        state.folder.here = here
        self._step = state.step

    def _arguments(self, nodes: Iterable[ast.expr]) -> Iterator[Word]:
        """The words of the arguments; lists are flattened."""
        for node in nodes:
            inner = node.value if isinstance(node, ast.Starred) else node
            if isinstance(inner, ast.List | ast.Tuple):
                yield from self._arguments(inner.elts)
                continue
            value = self._values.of(inner)
            if isinstance(value, Items) and value.complete and all(isinstance(one, Text) for one in value.items):
                yield from (self._known(one, inner) for one in value.items if isinstance(one, Text))
            else:
                yield self._word(inner)

    def _word(self, node: ast.expr) -> Word:
        value = self._values.of(node)
        if isinstance(value, Text):
            return self._known(value, node)
        at = self._builder.offset(node.lineno, node.col_offset)
        written = ast.unparse(node)
        if isinstance(node, ast.JoinedStr):
            written = written[2:-1]
        return Word(written, at, at, None, (written,))

    def _known(self, text: Text, node: ast.expr) -> Word:
        at = self._builder.offset(node.lineno, node.col_offset)
        span = span_of(self._builder, text.node) if text.node is not None else None
        return Word(text.value, span.start if span else at, span.end if span else at, span)


def _named_in(tree: ast.Module) -> frozenset[str]:
    """The names that the code of a script uses, and the texts in it, which may be names of functions."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)
    return frozenset(found)


def _python_of(call: ast.Call) -> str:
    """The Python that a call names for an image of Modal; "" for none."""
    for keyword in call.keywords if _method(call) in _BASES else ():
        text = keyword.value.value if isinstance(keyword.value, ast.Constant) else ""
        if keyword.arg in ("python_version", "add_python") and (match := re.match(r"3\.\d+", str(text))):
            return match[0]
    return ""


def _of_image(entry: Entry, python: str) -> Entry:
    marker = f"python_version == '{python}'" if python else ""
    return replace(entry, scope=entry.scope or "alone:", marker=both(entry.marker, marker))


def replace_arguments(call: ast.Call, arguments: list[ast.expr]) -> ast.Call:
    """The same call with other arguments."""
    found = ast.Call(call.func, arguments, [])
    return ast.copy_location(found, call)


def _method(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _split(word: Word) -> list[Word]:
    """The words of a text without quotes."""
    found = []
    for match in re.finditer(r"\S+", word.value):
        content = word.content
        span = (
            content._replace(start=content.start + match.start(), end=content.start + match.end())
            if content
            else None
        )
        found.append(replace(word, value=match[0], content=span, start=span.start if span else word.start))
    return found
