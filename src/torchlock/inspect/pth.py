"""Read path configuration files (``.pth``) as ``site`` does, but never run their code.

The format is that of the standard library's ``site`` module; editable installs are those of PEP 660.
"""

from __future__ import annotations

import ast
import os
import re
from typing import TYPE_CHECKING, NamedTuple

from torchlock.patterns import pattern
from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.runtime.files import Tree

_LIMIT = 1 << 20
# The limit for all files of a folder; installers write about a dozen lines.
_LINES = 20_000


class PthLine(NamedTuple):
    """One line that ``site`` acts on. ``folder`` is what it adds to the path; empty for code (``import …``).

    Code that plainly adds a folder is given once for itself and again for each such folder. ``how`` is
    then ``site`` if that folder's ``.pth`` files count too, ``first`` if it comes before all others.
    """

    path: str
    line: int
    text: str
    folder: str = ""
    how: str = ""


class Editable(NamedTuple):
    """A module that an import hook finds outside the path: an editable install.

    ``target`` is the package's folder or the module's file. ``first`` says that the hook is asked before
    the path. ``path`` is the file that says so.
    """

    module: str
    target: str
    path: str
    first: bool = False


def lines_of(site: str, tree: Tree) -> Iterator[PthLine]:
    """Every line of the ``.pth`` files of a site folder that counts, in the order in which ``site`` takes them."""
    names = tree.names(site)
    left = _LINES
    # Hidden ones are passed over by later releases of Python (``passes_over_hidden``); no tool makes them.
    for name in sorted(name for name in names if name.endswith(".pth") and not name.startswith(".")):
        path = os.path.join(site, name)
        content = tree.text(path, _LIMIT, "surrogateescape") if names[name] == "file" else ""
        # easy_install moves the eggs that its file adds before all other folders.
        how = "first" if "__egginsert" in content else ""
        for number, line in enumerate(re.split(r"\r\n|\r|\n", content), 1):
            if line.startswith("#") or not line.strip() or "\0" in line:
                continue
            left -= 1
            if left < 0:
                tree.unreadable.append(files.Unreadable(path, f"more than {_LINES} lines in .pth files"))
                return
            if line.startswith(("import ", "import\t")):
                yield PthLine(path, number, line)
                yield from _added_by_code(path, number, line)
            else:
                yield PthLine(path, number, line, os.path.abspath(os.path.join(site, line.rstrip())), how)


# The first releases of Python that pass over files whose names begin with a dot (source: cpython-113659).
_HIDDEN_FROM = {(3, 8): 19, (3, 9): 19, (3, 10): 14, (3, 11): 8, (3, 12): 2}


def passes_over_hidden(version: str) -> bool | None:
    """Whether ``site`` of a Python (``3.11.7``) passes over ``.pth`` files whose names begin with a dot.

    None if only its minor version is known, and not each release of that does.
    """
    found = re.match(r"(\d{1,3})\.(\d{1,3})(?:\.(\d{1,3}))?", version)
    if found is None:
        return None
    minor = int(found[1]), int(found[2])
    if minor not in _HIDDEN_FROM:
        return minor > (3, 12)
    return None if found[3] is None else int(found[3]) >= _HIDDEN_FROM[minor]


def added_at_start(site: str, tree: Tree) -> Iterator[PthLine]:
    """The folders that ``sitecustomize`` and ``usercustomize`` of a site folder plainly add, as literals."""
    names = tree.names(site)
    for name in ("sitecustomize.py", "usercustomize.py"):
        path = os.path.join(site, name)
        text = tree.text(path, _LIMIT) if names.get(name) == "file" else ""
        for number, line in enumerate(text.splitlines()[:_LINES], 1):
            if line[:1] in ("s", "i"):  # at the top level: no condition and no function around it
                yield from _added_by_code(path, number, line)


_ADDED = pattern(
    r"(addsitedir|sys\.path\.append|sys\.path\.insert)\(\s*(?:\d+\s*,\s*)?r?(['\"])([^'\"\\]{1,4096})\2\s*\)"
)
_HOW = {"addsitedir": "site", "sys.path.insert": "first"}


def _added_by_code(path: str, number: int, line: str) -> Iterator[PthLine]:
    """The folders that a line of code adds as literals."""
    for match in _ADDED.finditer(line):
        yield PthLine(path, number, line, os.path.abspath(match[3]), _HOW.get(match[1], ""))


def editables_of(site: str, lines: list[PthLine], tree: Tree) -> Iterator[Editable]:
    """The modules that hooks named by lines of code map: those of setuptools, hatch, scikit-build and meson."""
    seen = set()
    for line in lines:
        for module in re.findall(r"\b(__editable__\w+|_\w*editable\w*)", line.text) if not line.folder else ():
            if module not in seen and f"{module}.py" in tree.names(site):
                seen.add(module)
                yield from _mapped(os.path.join(site, f"{module}.py"))


def _mapped(path: str) -> Iterator[Editable]:
    """The modules that the text of a hook maps, as far as it is literal."""
    content = files.text(path, _LIMIT) or ""
    try:
        body = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(body):
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and isinstance(node.value, ast.Dict):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(target, ast.Name) and target.id == "MAPPING" for target in targets):
                yield from _pairs(path, node.value, first=False)
        elif isinstance(node, ast.Call):
            yield from _called(path, node)


def _called(path: str, call: ast.Call) -> Iterator[Editable]:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    texts = [_string(argument) for argument in call.args]
    if name == "map_module" and len(texts) == 2 and texts[0] and texts[1]:
        yield Editable(texts[0], _without_init(texts[1]), path)
    elif name == "install" and call.args and isinstance(call.args[0], ast.Dict):  # scikit-build-core
        yield from _pairs(path, call.args[0], first=True)
    elif name == "install":  # meson-python: a set of names, and the folder that they are built in
        for names, folder in zip(call.args, texts[1:], strict=False):
            if isinstance(names, ast.Set) and folder:
                yield from (Editable(name, folder, path, True) for name in map(_string, names.elts) if name)


def _string(node: ast.expr | None) -> str:
    """The text of a literal; empty for anything else."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _pairs(path: str, mapping: ast.Dict, first: bool) -> Iterator[Editable]:
    for key, value in zip(map(_string, mapping.keys), map(_string, mapping.values), strict=True):
        if key and value:
            yield Editable(key, _without_init(value), path, first)


def _without_init(target: str) -> str:
    return re.sub(r"[/\\]__init__\.py$", "", target)
