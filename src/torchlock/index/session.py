"""A session of requests that sends netrc credentials only to hosts that netrc names."""

from __future__ import annotations

import netrc
import os
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from requests.utils import get_netrc_auth

from torchlock.index.addresses import expand_home, origin

if TYPE_CHECKING:
    from collections.abc import Iterable


class Session(requests.Session):
    """Requests sends netrc's ``default`` entry to every host, as ftp did: so to an index that a project names."""

    def __init__(self) -> None:
        super().__init__()
        self._environments: dict[str, Any] = {}

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        """As in requests, once for each origin: it reads every variable of the environment."""
        asked = repr((origin(url), proxies, stream, verify, cert))
        if asked not in self._environments:
            self._environments[asked] = super().merge_environment_settings(url, proxies, stream, verify, cert)
        return dict(self._environments[asked])

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        """The request with its own credentials, else netrc's for its host, else none."""
        request.auth = request.auth or _of_netrc(request.url) or _without
        return super().prepare_request(request)

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Where a redirect leads. What it has to say besides, which requests would read to its end, is left."""
        target: str | None = super().get_redirect_target(resp)
        if target is not None:
            resp.raw.close()
        return target

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """As requests decides on a redirect whether credentials go along, and netrc's for the new host."""
        url, asked = prepared_request.url or "", response.request.url or ""
        strip: bool = self.should_strip_auth(asked, url)  # type: ignore[no-untyped-call] # untyped there
        if strip and "Authorization" in prepared_request.headers:
            del prepared_request.headers["Authorization"]
        if (found := _of_netrc(url)) is not None:
            prepared_request.prepare_auth(found)


def _without(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """No credentials, said outright: else requests would ask netrc."""
    return request


def _of_netrc(url: str) -> tuple[str, str] | None:
    """The credentials of a host's own entry. A file that cannot be read has none, as for requests."""
    found: tuple[str, str] | None = get_netrc_auth(url)
    if found is None:
        return None
    parts = urlsplit(url)
    names = {parts.hostname, parts.netloc.rpartition("@")[2].split(":")[0]}
    for path in _files():
        try:
            return found if names & netrc.netrc(path).hosts.keys() else None
        except (OSError, netrc.NetrcParseError):
            continue
    return None


def _files() -> Iterable[str]:
    """Where requests looks for it."""
    named = os.environ.get("NETRC")
    places = [named] if named else ["~/.netrc", "~/_netrc"]
    return [str(path) for place in places if (path := expand_home(place)).exists()][:1]
