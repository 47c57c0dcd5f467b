"""Read index settings from all places where a user may set them, strongest first."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from torchlock.index.environment import read_environment
from torchlock.index.pip_config import read_pip_config
from torchlock.index.settings import IndexSettings, combine
from torchlock.index.uv_config import read_uv_config

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def read_settings(
    *given: IndexSettings,
    index_url: str | None = None,
    extra_index_urls: Sequence[str] = (),
    find_links: Sequence[str] = (),
    no_index: bool = False,
    keyring_provider: str | None = None,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> IndexSettings:
    """Put together, strongest first:

    - the arguments by name, and ``given`` (the command line before the options of requirement files)
    - the environment (``UV_*``, then ``PIP_*``)
    - ``uv.toml`` or ``[tool.uv]``, of the project in ``folder``, then of the user, then of the machine
    - pip's configuration files

    Args:
        given: what the user said to this run, strongest first; what is said by name is stronger still.
        environ: instead of the environment of this process.
        folder: instead of the current folder.

    Raises:
        InputError: a file cannot be parsed, or an address cannot be used.
    """
    environ = os.environ if environ is None else environ
    folder = (folder or Path.cwd()).absolute()
    named = IndexSettings(
        index_url,
        tuple(extra_index_urls),
        tuple(find_links),
        no_index or None,
        keyring_provider=keyring_provider,
    )
    return combine(
        [
            *(layer.relative_to(folder) for layer in (named, *given)),
            read_environment(environ, folder),
            *read_uv_config(environ, folder),
            *read_pip_config(environ),
        ]
    )
