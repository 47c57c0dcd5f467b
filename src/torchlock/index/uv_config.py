"""Index settings in uv's configuration: ``uv.toml``, and ``[tool.uv]`` of ``pyproject.toml``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torchlock.errors import InputError
from torchlock.index.environment import with_credentials
from torchlock.index.keyring import provider_of
from torchlock.index.settings import IndexSettings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ETC = Path("/etc")


def read_uv_config(environ: Mapping[str, str], folder: Path) -> list[IndexSettings]:
    """One layer per configuration that uv would read for a project in ``folder``, strongest first.

    Raises:
        InputError: a file is not valid TOML, or a value in it is not valid for uv.
    """
    if environ.get("UV_NO_CONFIG"):
        return []
    if named := environ.get("UV_CONFIG_FILE"):
        project: list[Path] = []
        users = [Path(named)]
    else:
        project, users = list(_project_file(folder)), list(_user_files(environ))
    return [
        _Table(table, path, environ, of_project=path in project).settings()
        for path in (*project, *users)
        if (table := _read(path))
    ]


def _project_file(folder: Path) -> Iterator[Path]:
    """The nearest configuration file of uv in this folder or above; uv.toml wins over pyproject.toml."""
    for parent in (folder, *folder.parents):
        for path in (parent / "uv.toml", parent / "pyproject.toml"):
            if path.is_file() and _read(path) is not None:
                yield path
                return


def _user_files(environ: Mapping[str, str]) -> Iterator[Path]:
    if sys.platform == "win32":
        roots = [environ.get("APPDATA"), environ.get("PROGRAMDATA")]
    else:
        home = environ.get("HOME") or str(Path.home())
        roots = [environ.get("XDG_CONFIG_HOME") or f"{home}/.config", str(_ETC)]
    for path in (Path(root, "uv", "uv.toml") for root in roots if root):
        if path.is_file():
            yield path


def _read(path: Path) -> dict[str, Any] | None:
    """The table that configures uv, or None where a pyproject.toml has none."""
    from torchlock.manifests.syntax.toml_values import parse_toml
    from torchlock.manifests.text import read_bytes

    document = parse_toml(read_bytes(str(path)), str(path))
    if path.name != "pyproject.toml":
        return document
    tool = document.get("tool")
    table = tool.get("uv") if isinstance(tool, dict) else None
    return table if isinstance(table, dict) else None


class _Table:
    """The keys of one configuration; ``[pip]`` below it is the stronger, as it is for ``uv pip``.

    A project's file is data: it names indexes, but whether certificates are checked is for the user to say.
    """

    def __init__(self, table: dict[str, Any], path: Path, environ: Mapping[str, str], *, of_project: bool) -> None:
        below = table.get("pip")
        self._table = table | below if isinstance(below, dict) else table
        self._path = path
        self._environ = environ
        self._of_project = of_project

    def settings(self) -> IndexSettings:
        default = self._text("index-url")
        extra: list[str] = []
        flat: list[str] = []
        notes: list[str] = []
        for entry in self._indexes():
            name = str(entry.get("name", ""))
            url = with_credentials(name, entry["url"], self._environ)
            if entry.get("explicit") is True:
                what = f"the index {name or 'without a name'} is explicit"
                notes.append(f"{self._path}: {what}: it is used only for packages that name it")
            elif entry.get("format") == "flat":
                flat.append(url)
            elif entry.get("default") is True:
                default = url
            else:
                extra.append(url)
        trusted = tuple(self._texts("allow-insecure-host"))
        if trusted and self._of_project:
            notes.append(
                f"{self._path}: allow-insecure-host is ignored in a project; use UV_INSECURE_HOST instead"
            )
        provider = provider_of(self._text("keyring-provider"), "keyring-provider", str(self._path))
        if provider not in (None, "disabled") and self._of_project:
            notes.append(
                f"{self._path}: keyring-provider is ignored in a project; use UV_KEYRING_PROVIDER instead"
            )
        settings = IndexSettings(
            keyring_provider=None if self._of_project else provider,
            index_url=default,
            extra_index_urls=(*extra, *self._texts("extra-index-url")),
            find_links=(*flat, *self._texts("find-links")),
            no_index=self._flag("no-index"),
            trusted_hosts=() if self._of_project else trusted,
            notes=tuple(notes),
        )
        return settings.relative_to(self._path.parent.absolute(), str(self._path))

    def _indexes(self) -> list[dict[str, Any]]:
        found = self._table.get("index", [])
        right = isinstance(found, list) and all(
            isinstance(entry, dict) and isinstance(entry.get("url"), str) for entry in found
        )
        if not right:
            raise self._wrong("index", "an array of tables, each with a url")
        return [dict(entry) for entry in found]

    def _text(self, key: str) -> str | None:
        value = self._table.get(key)
        if value is None or isinstance(value, str):
            return value
        raise self._wrong(key, "a string")

    def _texts(self, key: str) -> list[str]:
        value = self._table.get(key, [])
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return value
        raise self._wrong(key, "an array of strings")

    def _flag(self, key: str) -> bool | None:
        value = self._table.get(key)
        if value is None or isinstance(value, bool):
            return value
        raise self._wrong(key, "true or false")

    def _wrong(self, key: str, expected: str) -> InputError:
        return InputError(f"{key} is not {expected}", path=str(self._path))
