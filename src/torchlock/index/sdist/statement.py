"""Read the requirements that a source tree states, and the file that states them.

In this order: PKG-INFO of core metadata 2.2 or later with nothing dynamic (PEP 643); ``requires.txt`` of
setuptools, where setup.py says the same on every machine; ``[project]`` of pyproject.toml (PEP 621); PKG-INFO of a
build backend that computes nothing; the text of setup.cfg and setup.py.
"""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

from torchlock.answers import Unknown
from torchlock.errors import InputError
from torchlock.index.sdist.script import judge_script
from torchlock.standards import requires_txt
from torchlock.standards.headers import Headers, read_headers, unfolded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from torchlock.index.sdist.archive import Files
    from torchlock.manifests.document import Document, Entry

# These write PKG-INFO from tables of pyproject.toml alone.
_DECLARATIVE = ("poetry.core.masonry.api", "poetry.masonry.api", "flit_core.buildapi", "flit.buildapi")
_SETUPTOOLS = ("setuptools.build_meta", "setuptools.build_meta:__legacy__")
# The first setuptools that lets [project] overrule setup.py.
_PROJECT_RULES = "69.0"


class Stated(NamedTuple):
    """Requirements as Requires-Dist has them, and ``origin``: the file that states them."""

    requirements: list[str]
    extras: list[str]
    python: str
    origin: str


Answer = Stated | Unknown | None


def stated_requirements(files: Files, *, archived: bool = True) -> Stated | Unknown:
    """The requirements that the files of a source tree state.

    ``archived`` files were put together by the build backend; those of a folder may be stale where a tool wrote
    them. ``Unknown``: known only after a build.
    """
    try:
        tree = _Tree(files)
    except (InputError, ValueError, RecursionError) as error:
        return Unknown(f"its pyproject.toml is not valid TOML ({getattr(error, 'message', error)})")
    readers = (_pkg_info, _requires_txt, _project, _declared, _setup) if archived else (_project, _setup)
    reasons: dict[object, Unknown] = {}
    for reader in readers:
        if reader is _setup and _requires_txt in reasons:
            continue  # setup.py was read, and is uncertain
        answer: Answer = reader(tree)
        if isinstance(answer, Stated):
            return answer
        if answer is not None:
            reasons[reader] = answer
    return next(iter(reasons.values()), Unknown("no file in it states them"))


class _Tree:
    """The files of a source tree, parsed as far as several readers need it."""

    def __init__(self, files: Files) -> None:
        from torchlock.manifests.syntax.toml_values import parse_toml

        self.files = files
        self.project = parse_toml(files.get("pyproject.toml", b""), "pyproject.toml")
        system = _table(self.project, "build-system")
        self.backend = str(system.get("build-backend", "") or _SETUPTOOLS[1])
        self.requires = [str(item) for item in _items(system.get("requires"))]
        self.own_backend = bool(system.get("backend-path"))

    @property
    def of_setuptools(self) -> bool:
        return self.backend in _SETUPTOOLS and not self.own_backend

    def text(self, path: str) -> str:
        return self.files[path].decode("utf-8", "replace")

    def headers(self, path: str) -> Headers | None:
        """The headers of a metadata file; None if it does not exist."""
        return read_headers(self.text(path)) if path in self.files else None

    def egg_info(self) -> str | None:
        """The folder in which setuptools described the project when the archive was made."""
        folders = sorted(
            {path.rpartition("/")[0] for path in self.files if re.search(r"\.egg-info/[^/]+$", path)},
            key=lambda folder: (folder.count("/"), folder),
        )
        return folders[0] if folders else None


def _pkg_info(tree: _Tree) -> Answer:
    headers = tree.headers("PKG-INFO")
    if headers is None or headers.metadata_version < (2, 2):
        return None
    if found := sorted(headers.dynamic & {"requires-dist", "requires-python", "provides-extra"}):
        return Unknown(f"its PKG-INFO says that {found[0]} is dynamic")
    return _of_headers(headers, "PKG-INFO")


def _declared(tree: _Tree) -> Answer:
    """PKG-INFO of a backend that copies it from tables of pyproject.toml."""
    headers = tree.headers("PKG-INFO")
    known = tree.backend in _DECLARATIVE and not tree.own_backend
    if not known or headers is None or headers.metadata_version == (0,):
        return None
    return _of_headers(headers, "PKG-INFO")


def _of_headers(headers: Headers, origin: str) -> Stated:
    fields = headers.fields
    extras = [unfolded(extra) for extra in fields.get("provides-extra", ())]
    return Stated(
        list(fields.get("requires-dist", ())), extras, unfolded(headers.first("requires-python")), origin
    )


def _requires_txt(tree: _Tree) -> Answer:
    folder = tree.egg_info()
    if folder is None or not tree.of_setuptools:
        return None
    origin = f"{folder}/requires.txt"
    if origin not in tree.files and f"{folder}/SOURCES.txt" not in tree.files:
        return None  # not what setuptools writes
    plain = None
    if "setup.py" in tree.files:
        is_plain = _is_plain(tree)
        if isinstance(is_plain, Unknown):
            return is_plain
        plain = _of_script(tree) if is_plain else None
    try:
        requirements, extras = requires_txt.parse(tree.text(origin)) if origin in tree.files else ([], [])
    except requires_txt.Malformed as error:
        return Unknown(f"its requires.txt cannot be read: {error}")
    if (
        isinstance(plain, Stated)
        and plain.requirements
        and _canonical(plain.requirements) != _canonical(requirements)
    ):
        return Unknown("its setup.py and its requires.txt state different ones")
    headers = tree.headers("PKG-INFO") or tree.headers(f"{folder}/PKG-INFO")
    python = unfolded(headers.first("requires-python")) if headers is not None else ""
    return Stated(requirements, extras, python, origin if requirements else f"{folder}, which has no requires.txt")


def _canonical(requirements: Iterable[str]) -> set[str]:
    """Requirements in one spelling."""
    from packaging.requirements import InvalidRequirement, Requirement

    from torchlock.standards.dependency import Dependency

    found = set()
    for text in requirements:
        try:
            found.add(str(Dependency.from_requirement(Requirement(text))))
        except InvalidRequirement:
            found.add(text)
    return found


def _project(tree: _Tree) -> Answer:
    table = tree.project.get("project")
    if not isinstance(table, dict) or "name" not in table:
        return None
    if tree.backend in _SETUPTOOLS and not _lets_project_rule(tree.requires):
        return Unknown("it is built by a setuptools that does not read [project]")
    stated_keys = {"dependencies", "optional-dependencies", "requires-python"}
    dynamic = sorted(stated_keys.intersection(map(str, _items(table.get("dynamic")))))
    if dynamic:
        files = _table(_table(_table(tree.project, "tool"), "setuptools"), "dynamic")
        from_files = tree.of_setuptools and all(key in files for key in dynamic)
        if not from_files:
            return Unknown(f"its pyproject.toml says that {dynamic[0]} is dynamic")
        from torchlock.manifests.formats import pyproject

        return _of_document(tree, "pyproject.toml", pyproject)
    optional = table.get("optional-dependencies", {})
    if not _strings(table.get("dependencies", [])) or not isinstance(optional, dict):
        return Unknown("its [project] table is not valid")
    if not all(_strings(items) for items in optional.values()):
        return Unknown("its [project] table is not valid")
    requirements = list(table.get("dependencies", []))
    requirements += [
        requires_txt.with_markers(item, extra=name) for name, items in optional.items() for item in items
    ]
    return Stated(requirements, list(optional), str(table.get("requires-python", "")), "pyproject.toml")


def _lets_project_rule(requires: Iterable[str]) -> bool:
    from packaging.requirements import InvalidRequirement, Requirement

    for text in requires:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            return False
        if requirement.name.lower() == "setuptools" and not requirement.specifier.contains(
            "9999", prereleases=True
        ):
            capped = [
                clause for clause in requirement.specifier if clause.operator in ("<", "<=", "==", "~=", "===")
            ]
            return all(clause.operator in ("<", "<=") and _at_least(clause.version) for clause in capped)
    return True


def _at_least(version: str) -> bool:
    from packaging.version import Version

    try:
        return Version(version) > Version(_PROJECT_RULES)
    except ValueError:
        return False


def _setup(tree: _Tree) -> Answer:
    """The requirements in the text of setup.py and setup.cfg."""
    if not tree.of_setuptools or not {"setup.py", "setup.cfg"} & set(tree.files):
        return None
    script = Stated([], [], "", "")
    if "setup.py" in tree.files:
        is_plain = _is_plain(tree)
        if isinstance(is_plain, Unknown):
            return is_plain
        if not is_plain:
            return Unknown("its setup.py computes them")
        found = _of_script(tree)
        if isinstance(found, Unknown):
            return found
        script = found
    if "setup.cfg" not in tree.files:
        return script
    from torchlock.manifests.formats import setup_cfg

    config = _of_document(tree, "setup.cfg", setup_cfg)
    if isinstance(config, Unknown):
        return config
    # Arguments of setup() decide; setup.cfg states the rest.
    return Stated(
        script.requirements or config.requirements,
        script.extras or config.extras,
        script.python or config.python,
        "setup.py" if script.requirements else "setup.cfg",
    )


def _is_plain(tree: _Tree) -> bool | Unknown:
    """Whether setup.py states everything as plain text; unknown if it depends on the machine."""
    verdict = judge_script(tree.text("setup.py"))
    return Unknown(f"its setup.py computes them: {verdict.depends}") if verdict.depends else verdict.plain


def _of_script(tree: _Tree) -> Stated | Unknown:
    from torchlock.manifests.formats import setup_py

    return _of_document(tree, "setup.py", setup_py)


def _of_document(tree: _Tree, name: str, reader: Any) -> Stated | Unknown:
    """The requirements that a reader of ``manifests`` finds in a file, with the lists that it includes."""
    with TemporaryDirectory(prefix="torchlock-") as folder:
        root = Path(folder)
        for path, content in tree.files.items():
            if path == name or path.endswith((".txt", ".in", ".pip")):
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_bytes(content)
        document: Document = reader.read(tree.text(name), str(root / name))
        outside = [path for path in document.includes if not Path(path).resolve().is_relative_to(root.resolve())]
    wrong = [issue.message for issue in document.issues if issue.rule in ("TL501", "TL901")]
    if wrong or outside:
        return Unknown(f"its {name} cannot be read: {wrong[0]}" if wrong else f"its {name} includes another file")
    entries = [
        entry for entry in document.entries if not entry.constraint and not entry.scope.startswith("group:")
    ]
    extras = {entry.scope.removeprefix("extra:"): None for entry in entries if entry.scope.startswith("extra:")}
    return Stated([_line(entry) for entry in entries], list(extras), document.python or "", name)


def _line(entry: Entry) -> str:
    extras = f"[{','.join(entry.extras)}]" if entry.extras else ""
    where = f" @ {entry.url}" if entry.url else entry.specifier
    extra = entry.scope.removeprefix("extra:") if entry.scope.startswith("extra:") else ""
    return requires_txt.with_markers(f"{entry.name}{extras}{where}", entry.marker, extra)


def _table(mapping: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = mapping.get(key)
    return value if isinstance(value, dict) else {}


def _items(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _strings(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
