"""Index settings in pip's configuration files."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from torchlock.errors import InputError
from torchlock.index.keyring import provider_of
from torchlock.index.settings import IndexSettings

if TYPE_CHECKING:
    import configparser
    from collections.abc import Iterator, Mapping

_ETC = Path("/etc")
_MAC_SYSTEM = Path("/Library/Application Support")
_YES = {"y", "yes", "t", "true", "on", "1"}
_NO = {"n", "no", "f", "false", "off", "0"}


def read_pip_config(environ: Mapping[str, str]) -> list[IndexSettings]:
    """One layer per file that exists, strongest first, as pip lets one file override another.

    Raises:
        InputError: a file is not a valid ini file, or a value in it is invalid.
    """
    return [layer for path in _files(environ) if (layer := _read(path)) is not None]


def truth(text: str, name: str, path: str | None = None) -> bool:
    """Read a switch in pip's spelling.

    Raises:
        InputError: it is neither true nor false.
    """
    if text.lower() in _YES | _NO:
        return text.lower() in _YES
    raise InputError(f"{name}: {text!r} is neither true nor false", path=path)


def _files(environ: Mapping[str, str]) -> Iterator[Path]:
    """Every place of pip's documentation, "Configuration files", strongest first."""
    named = environ.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return
    if named:
        yield Path(named)
    environment = environ.get("VIRTUAL_ENV") or environ.get("CONDA_PREFIX")
    basename = "pip.ini" if sys.platform == "win32" else "pip.conf"
    if environment:
        yield Path(environment, basename)
    if not (named and Path(named).exists()):
        yield from _user_files(environ, basename)
    yield from _system_files(environ, basename)


def _user_files(environ: Mapping[str, str], basename: str) -> Iterator[Path]:
    home = Path(environ.get("HOME") or environ.get("USERPROFILE") or Path.home())
    if sys.platform == "win32":
        if roaming := environ.get("APPDATA"):
            yield Path(roaming, "pip", basename)
        yield home / "pip" / basename
        return
    if sys.platform == "darwin":
        yield home / "Library" / "Application Support" / "pip" / basename
    yield Path(environ.get("XDG_CONFIG_HOME") or home / ".config", "pip", basename)
    yield home / ".pip" / basename


def _system_files(environ: Mapping[str, str], basename: str) -> Iterator[Path]:
    if sys.platform == "win32":
        yield Path(environ.get("PROGRAMDATA", r"C:\ProgramData"), "pip", basename)
        return
    yield _ETC / basename
    if sys.platform == "darwin":
        yield _MAC_SYSTEM / "pip" / basename
    folders = environ.get("XDG_CONFIG_DIRS") or str(_ETC / "xdg")
    for folder in filter(None, folders.split(os.pathsep)):
        yield Path(folder, "pip", basename)


def _read(path: Path) -> IndexSettings | None:
    import configparser

    try:
        text = path.read_text(encoding="utf-8-sig")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError):
        return None
    except UnicodeDecodeError as error:
        raise InputError("is not UTF-8", path=str(path)) from error
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise InputError("is not a valid pip configuration", path=str(path), line=_line(error)) from error
    return _layer(_values(parser), path)


def _line(error: configparser.Error) -> int | None:
    """The line of a configparser error: some of its errors have a line, others a list of lines."""
    if isinstance(line := getattr(error, "lineno", None), int):
        return line
    return next((line for line, _ in getattr(error, "errors", ())), None)


def _values(parser: configparser.RawConfigParser) -> dict[str, str]:
    """``[install]`` over ``[global]``; pip reads underscores as hyphens."""
    return {
        key.replace("_", "-"): value
        for section in ("global", "install")
        if parser.has_section(section)
        for key, value in parser.items(section)
        if value
    }


def _layer(values: Mapping[str, str], path: Path) -> IndexSettings:
    settings = IndexSettings(
        index_url=values.get("index-url"),
        extra_index_urls=tuple(values.get("extra-index-url", "").split()),
        find_links=tuple(values.get("find-links", "").split()),
        no_index=truth(values["no-index"], "no-index", str(path)) if "no-index" in values else None,
        trusted_hosts=tuple(values.get("trusted-host", "").split()),
        cert=values.get("cert"),
        client_cert=values.get("client-cert"),
        proxy=values.get("proxy"),
        keyring_provider=provider_of(values.get("keyring-provider"), "keyring-provider", str(path)),
    )
    return settings.relative_to(Path.cwd(), str(path))
