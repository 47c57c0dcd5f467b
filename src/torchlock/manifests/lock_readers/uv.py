"""``[tool.uv]`` of a pyproject.toml or of a script: indexes, sources, constraints, overrides, environments."""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from torchlock.manifests.decoding import decode_utf8
from torchlock.manifests.lock_readers.table import Table
from torchlock.manifests.syntax.toml_values import parse_toml
from torchlock.manifests.text import beside, read_bytes
from torchlock.standards.markers import fault_of
from torchlock.terms import Origin, Source

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from torchlock.errors import InputError
    from torchlock.terms import Inputs

_OWN = ("tool", "uv")
_KINDS = ("index", "git", "url", "path", "workspace")
_REFERENCES = ("rev", "tag", "branch")
# Keys about releases and their origin that are not followed, with what to do instead.
_PASSED_OVER = {
    "dependency-metadata": "the metadata of the releases is used",
    "exclude-dependencies": "list them in an --override file, with a marker that is never true",
    "exclude-newer": "use --exclude-newer",
    "exclude-newer-package": "use --exclude-newer, for all packages",
    "index-strategy": "a package is taken from the first index that has it",
    "no-binary": "wheels are preferred to source distributions",
    "no-binary-package": "wheels are preferred to source distributions",
    "no-build": "source distributions are used where there are no wheels",
    "no-build-package": "source distributions are used where there are no wheels",
    "no-sources": "the sources are followed",
    "torch-backend": "name the index of the build, as in --index-url https://download.pytorch.org/whl/cpu",
}


def read_uv(table: Table, inputs: Inputs, chosen: Collection[str]) -> dict[str, list[Source]]:
    """Read ``[tool.uv]``; the result has the sources by package.

    ``chosen`` are the extras and groups that were asked for, as ``extra:NAME`` and ``group:NAME``.

    Raises:
        InputError: a value that uv refuses too, or extras and groups that are declared to conflict.
    """
    root = _workspace_of(table.path)
    urls: dict[str, str] = {}
    shared = {} if root is None else _Uv(root, inputs, root, urls).read(())
    own = _Uv(table, inputs, root or table, urls).read(chosen) if table.subtable(*_OWN) else {}
    return {**shared, **own}


def _workspace_of(path: str) -> Table | None:
    """The workspace that a project is a member of, whose sources are those of its members too."""
    folder = Path(path).absolute().parent
    for parent in folder.parents:
        file = parent / "pyproject.toml"
        if file.is_file() and b"tool.uv.workspace" in (raw := read_bytes(str(file))):
            root = Table(parse_toml(raw, str(file)), decode_utf8(raw, str(file)), str(file))
            patterns = root.texts(*_OWN, "workspace", "members")
            excluded = root.texts(*_OWN, "workspace", "exclude")
            place = folder.relative_to(parent).as_posix()
            is_member, is_out = (
                any(fnmatchcase(place, each.removeprefix("./").rstrip("/")) for each in some)
                for some in (patterns, excluded)
            )
            return root if is_member and not is_out else None
    return None


class _Uv:
    """The table of one file; ``root`` is that of the workspace, or the same one, ``urls`` the indexes by name."""

    def __init__(self, table: Table, inputs: Inputs, root: Table, urls: dict[str, str]) -> None:
        self._table = table
        self._inputs = inputs
        self._root = root
        self._urls = urls

    def read(self, chosen: Collection[str]) -> dict[str, list[Source]]:
        table, inputs = self._table, self._inputs
        self._indexes()
        sources: dict[str, list[Source]] = {
            canonicalize_name(key): list(self._sources(key)) for key in table.subtable(*_OWN, "sources")
        }
        for kind, found in (
            ("constraint-dependencies", inputs.constraints),
            ("override-dependencies", inputs.overrides),
        ):
            found += table.requirements(*_OWN, kind)
        where = (*_OWN, "environments")
        inputs.environments += [table.origin(text, *where) for text in self._markers(where)]
        self._refuse_conflicts(chosen)
        self._policy()
        return sources

    def _indexes(self) -> None:
        table, inputs = self._table, self._inputs
        for item in table.tables(*_OWN, "index"):
            url, name = item.get("url"), item.get("name")
            if not isinstance(url, str):
                raise table.wrong("an index has no url", *_OWN, "index")
            if isinstance(name, str):
                self._urls[name] = url
            if item.get("explicit") is True:
                continue
            if item.get("format") == "flat":
                inputs.find_links.append(url)
            elif item.get("default") is True:
                inputs.index_url = inputs.index_url or url
            else:
                inputs.extra_index_urls.append(url)
        for where in (_OWN, (*_OWN, "pip")):
            inputs.index_url = inputs.index_url or table.text(*where, "index-url")
            inputs.extra_index_urls += table.texts(*where, "extra-index-url")
            inputs.find_links += [_near(table.path, each) for each in table.texts(*where, "find-links")]
            inputs.no_index = inputs.no_index or table.get(*where, "no-index") is True

    def _sources(self, name: str) -> Iterator[Source]:
        value = self._table.get(*_OWN, "sources", name)
        items = value if isinstance(value, list) else [value]
        for item in items:
            kinds = [kind for kind in _KINDS if kind in item] if isinstance(item, dict) else []
            if len(kinds) != 1:
                hint = f"a source must have one of {', '.join(_KINDS)}"
                raise self._table.wrong(f"{item!r} is not a source", *_OWN, "sources", name, hint=hint)
            yield self._source(name, kinds[0], item)

    def _source(self, name: str, kind: str, item: dict[str, Any]) -> Source:
        value = item[kind]
        if kind == "workspace":
            value = self._member(name) if value is True else None
        if not isinstance(value, str):
            raise self._wrong(name, f"{kind} = {item[kind]!r} is not a source")
        marker = item.get("marker", "")
        if not isinstance(marker, str) or not _is_marker(marker):
            raise self._wrong(name, f"{marker!r} is not a marker")
        scope = next(
            (f"{key}:{canonicalize_name(str(item[key]))}" for key in ("extra", "group") if key in item), ""
        )
        origin = Origin(self._table.path, self._table.line(*_OWN, "sources", name), f"{kind} = {value!r}")
        if kind == "index":
            if value not in self._urls:
                raise self._wrong(name, f"no index is called {value!r}")
            return Source(origin, index_url=self._urls[value], marker=marker, scope=scope)
        return Source(origin, url=self._address(kind, value, item), marker=marker, scope=scope)

    def _address(self, kind: str, value: str, item: dict[str, Any]) -> str:
        """The address of a source as pip takes it."""
        part = f"#subdirectory={item['subdirectory']}" if isinstance(item.get("subdirectory"), str) else ""
        if kind == "git":
            reference = next((f"@{item[key]}" for key in _REFERENCES if isinstance(item.get(key), str)), "")
            return f"git+{value}{reference}{part}"
        return f"{value}{part}" if kind == "url" else _near(self._table.path, value)

    def _member(self, name: str) -> str:
        """The folder of a member of the workspace.

        Raises:
            InputError: no member has this name.
        """
        root = Path(self._root.path).parent
        for pattern in self._root.texts(*_OWN, "workspace", "members"):
            for file in self._matching(root, f"{pattern.strip('/') or '.'}/pyproject.toml"):
                project = parse_toml(file.read_bytes(), str(file)).get("project")
                own = project.get("name", "") if isinstance(project, dict) else ""
                if canonicalize_name(str(own)) == canonicalize_name(name):
                    own_folder = Path(self._table.path).absolute().parent
                    return os.path.relpath(file.parent.absolute(), own_folder)
        raise self._wrong(name, "no member of the workspace has this name")

    def _matching(self, folder: Path, pattern: str) -> list[Path]:
        try:
            return sorted(folder.glob(pattern))
        except (ValueError, NotImplementedError) as error:
            raise self._root.wrong(str(error), *_OWN, "workspace", "members") from error

    def _markers(self, keys: tuple[str, ...]) -> list[str]:
        found = self._table.texts(*keys)
        for text in found:
            if not _is_marker(text):
                raise self._table.wrong(f"{text!r} is not a marker", *keys)
        return found

    def _refuse_conflicts(self, chosen: Collection[str]) -> None:
        for together in self._table.array(*_OWN, "conflicts"):
            items = together if isinstance(together, list) else []
            names = [
                f"{key}:{canonicalize_name(str(item[key]))}"
                for item in items
                if isinstance(item, dict)
                for key in ("extra", "group")
                if key in item
            ]
            both = [name for name in names if name in chosen]
            if len(both) > 1:
                spelled = " and ".join(f"--{name.replace(':', ' ')}" for name in both)
                raise self._table.wrong(f"{spelled} are declared to conflict", *_OWN, "conflicts")

    def _policy(self) -> None:
        """Keys about which releases count: followed, or noted."""
        table, inputs = self._table, self._inputs
        for where in (_OWN, (*_OWN, "pip")):
            prerelease, resolution = table.text(*where, "prerelease"), table.text(*where, "resolution")
            inputs.pre = inputs.pre or prerelease == "allow"
            if prerelease not in (None, "allow", "if-necessary-or-explicit"):
                self._note((*where, "prerelease"), "pre-releases are used where a requirement names one")
            if resolution not in (None, "highest"):
                self._note((*where, "resolution"), "use --prefer lowest")
            for key, instead in _PASSED_OVER.items():
                if table.has(*where, key):
                    self._note((*where, key), instead)

    def _note(self, keys: tuple[str, ...], instead: str) -> None:
        self._inputs.notes.append(f"{self._table.place(*keys)}: {'.'.join(keys)} is not followed: {instead}")

    def _wrong(self, name: str, message: str) -> InputError:
        return self._table.wrong(message, *_OWN, "sources", name)


def _near(path: str, value: str) -> str:
    """A path, relative to the current folder; an address as it is."""
    if "://" in value or Path(value).is_absolute():
        return value
    joined = os.path.normpath(beside(path, value))
    return joined if joined.startswith((".", "/")) else f"./{joined}"


def _is_marker(text: str) -> bool:
    return not fault_of(text)
