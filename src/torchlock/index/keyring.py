"""Passwords of the ``keyring`` command, asked as pip and uv ask it with ``--keyring-provider subprocess``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import quote

from torchlock.errors import InputError
from torchlock.index import addresses
from torchlock.runtime.programs import find_program

if TYPE_CHECKING:
    from collections.abc import Iterable

# The values of pip and uv. Nothing is imported, so pip's "import" and "auto" mean the command, too.
ASKS = frozenset({"subprocess", "import", "auto"})
PROVIDERS = ASKS | {"disabled"}
# A keyring may ask its user for a password of its own.
_SECONDS = 120.0
_MOST = 16 << 10


def provider_of(text: str | None, name: str, path: str | None = None) -> str | None:
    """A value of ``keyring-provider``, None if it is not set.

    Raises:
        InputError: pip and uv have no such provider.
    """
    if text is None or text in PROVIDERS:
        return text
    raise InputError(f"{name}: {text!r} is not a keyring provider", path=path, hint="use subprocess or disabled")


class Keyring:
    """Asks for each user of an origin once. ``urls`` are the indexes; their addresses are the services."""

    def __init__(self, urls: Iterable[str]) -> None:
        self._urls = [addresses.bare_url(url) for url in urls if not addresses.is_local(url)]
        self._known: dict[tuple[str, str], str] = {}

    def password(self, url: str, user: str) -> str:
        """The password of a user for an address; "" if the keyring has none, or there is no such command.

        As in pip, the service is the address of the index, else the name of its host.
        """
        key = addresses.origin(url), user
        if key not in self._known:
            services = [each for each in self._urls if addresses.origin(each) == key[0]]
            services += [addresses.host(url)]
            found = (self._ask(service, user) for service in dict.fromkeys(services))
            self._known[key] = next(filter(None, found), "")
        return self._known[key]

    def _ask(self, service: str, user: str) -> str:
        from torchlock.redaction import learn
        from torchlock.runtime.process import run_program

        program = find_program("keyring")
        if program is None:
            return ""
        try:
            said = run_program(
                [program, "get", service, user],
                _SECONDS,
                _MOST,
                env={**os.environ, "PYTHONIOENCODING": "utf-8"},
            )
        except (OSError, ValueError):
            return ""
        if said.code != 0:
            return ""
        password = said.printed.decode("utf-8", "replace").rstrip("\r\n")
        learn(f"https://{quote(user, safe='')}:{quote(password, safe='')}@keyring.invalid/")
        return password
