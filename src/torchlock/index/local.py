"""Read indexes and find-links locations on this machine: folders or pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.errors import NetworkError
from torchlock.index import addresses
from torchlock.index.page_values import PageError
from torchlock.index.pages import parse_page
from torchlock.standards.filenames import is_distribution
from torchlock.standards.index_file import File

if TYPE_CHECKING:
    from pathlib import Path

# The limit for remote pages, too; some devices are endless.
_LIMIT = 64 << 20


def project_files(root: Path, name: str) -> list[File] | None:
    """What the index in this folder (PEP 503: ``<name>/index.html``) has of a project; None if it lacks it.

    Raises:
        NetworkError: the page is there and cannot be read.
    """
    folder = root / name
    if (folder / "index.html").is_file():
        return page_files(folder / "index.html", base=addresses.file_url(folder) + "/")
    return folder_files(folder) if folder.is_dir() else None


def page_files(path: Path, base: str | None = None) -> list[File]:
    """The files that a local HTML page lists.

    Raises:
        NetworkError: it cannot be read.
    """
    try:
        return parse_page(_content(path), "text/html", base or addresses.file_url(path))
    except OSError as error:
        raise NetworkError(f"{path} cannot be read ({error.strerror or error})") from error
    except PageError as error:
        raise NetworkError(f"{path} {error}") from error


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(_LIMIT + 1)
    if len(content) > _LIMIT:
        raise PageError(f"has more than {_LIMIT >> 20} MB")
    return content


def folder_files(folder: Path) -> list[File]:
    """The wheels and sdists in a folder, by name; their hashes are not computed."""
    paths = sorted(path for path in folder.iterdir() if is_distribution(path.name) and path.is_file())
    return [File(path.name, addresses.file_url(path.absolute()), {}, path.stat().st_size) for path in paths]
