"""How requests opens connections: certificates, the pace of answers, and the number of connections."""

from __future__ import annotations

import ssl
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import urllib3
from requests.adapters import DEFAULT_CA_BUNDLE_PATH, HTTPAdapter

from torchlock.index import pace
from torchlock.index.pending import BOUND

if TYPE_CHECKING:
    import requests

    from torchlock.index.settings import IndexSettings


class Adapter(HTTPAdapter):
    """Decides for every hop of a redirect whether, and by which authorities, its certificate is checked.

    Its connections give up an answer that comes too slowly (``pace``).
    """

    def __init__(self, settings: IndexSettings) -> None:
        super().__init__(pool_maxsize=BOUND)
        self._settings = settings
        self._trusted = {name.lower() for name in settings.trusted_hosts}
        if self._trusted:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = pace.POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> urllib3.ProxyManager:
        manager: urllib3.ProxyManager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = pace.POOLS
        return manager

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        parts = urllib3.util.parse_url(request.url or "")
        names = {(parts.host or "").lower(), f"{parts.host}:{parts.port}".lower()}
        kwargs["verify"] = False if names & self._trusted else self._settings.cert or kwargs.get("verify", True)
        kwargs["cert"] = self._settings.client_cert or kwargs.get("cert")
        return super().send(request, *args, **kwargs)

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> Any:
        """As in requests; connections to servers whose certificates are checked share what is read once."""
        found: Any = super().build_connection_pool_key_attributes(request, verify, cert)
        host, pool = found
        if host["scheme"] == "https" and pool.get("cert_reqs") == "CERT_REQUIRED":
            pool.pop("ca_certs", None)
            pool.pop("ca_cert_dir", None)
            pool["ssl_context"] = authorities(verify if isinstance(verify, str) else DEFAULT_CA_BUNDLE_PATH)
        return found

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """As in requests, without reading the file of authorities again."""
        super().cert_verify(conn, url, verify, cert)  # type: ignore[no-untyped-call] # untyped there
        if conn.conn_kw.get("ssl_context") is not None:
            conn.ca_certs = conn.ca_cert_dir = None


_reading = threading.Lock()
_contexts: dict[str, ssl.SSLContext] = {}


def authorities(path: str) -> ssl.SSLContext:
    """What checks certificates by the authorities in a file or a folder.

    It is read once: to read the usual 140 certificates takes 60 ms, which every new connection would spend.

    Raises:
        OSError: it cannot be read.
    """
    with _reading:
        if path not in _contexts:
            context = urllib3.util.ssl_.create_urllib3_context()
            is_folder = Path(path).is_dir()
            try:
                context.load_verify_locations(None if is_folder else path, path if is_folder else None)
            except OSError as error:
                raise OSError(f"invalid TLS certificate file {path}") from error
            _contexts[path] = context
        return _contexts[path]
