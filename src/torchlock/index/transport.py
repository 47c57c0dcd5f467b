"""The one place that opens sockets. Import it late: requests takes 75 ms, and binds a socket on import."""

from __future__ import annotations

import contextlib
import random
import re
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import requests
import urllib3
from requests.structures import CaseInsensitiveDict

from torchlock import __version__
from torchlock.errors import NetworkError
from torchlock.index import addresses, pace
from torchlock.index.adapter import Adapter
from torchlock.index.body import CODING, CutOff, read_body
from torchlock.index.body import TooLarge as TooLarge
from torchlock.index.course import Deadline
from torchlock.index.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from torchlock.index.settings import IndexSettings

TRIES = 3
TIMEOUT = (10, 30)
HURRIED_TIMEOUT = (3, 10)
PAGE_LIMIT = 64 << 20
_LONGEST_WAIT = 30.0
_PIECE = 1 << 18
PASSING = {429, 500, 502, 503, 504}


class Answer(NamedTuple):
    """The answer of a server. ``url`` is the URL after redirects, ``authorised`` whether credentials were sent
    there.
    """

    status: int
    url: str
    headers: Mapping[str, str]
    body: bytes
    authorised: bool


class Transient(Exception):
    """A temporary failure; the text is the end of a sentence, ``wait`` how long the server asks to wait."""

    wait = 0.0


class Transport:
    """GET with retries, credentials that stay with their origin, and errors that are sentences."""

    def __init__(self, settings: IndexSettings, deadline: Deadline | None = None) -> None:
        """``deadline`` is that of the run; without one, a new one. Threads may ask at the same time."""
        self._session = Session()
        self._session.max_redirects = 10
        self._session.headers.update({"User-Agent": f"torchlock/{__version__}", "Accept-Encoding": CODING})
        adapter = Adapter(settings)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)
        self._proxies = {"http": settings.proxy, "https": settings.proxy} if settings.proxy else None
        self._credentials = _by_origin([*settings.index_urls, *settings.find_links])
        self._deadline = deadline or Deadline()

    def get(
        self, url: str, headers: Mapping[str, str], limit: int = PAGE_LIMIT, *, hurried: bool = False
    ) -> Answer:
        """Ask for an address, up to three times if the failure may pass; every final status is an answer.

        Args:
            url: credentials in it are used for its origin, those of the settings otherwise, else netrc.
            headers: what to send besides the usual.
            limit: how long a body of status 200 or 206 may be.
            hurried: ask once, and wait for seconds only: there is something to go on with.

        Raises:
            TooLarge: it is longer.
            NetworkError: there was no answer, or not all of it, or it came too slowly.
        """
        tries = 1 if hurried else TRIES
        for attempt in range(1, tries + 1):
            timeout = self._timeout(url, hurried)
            try:
                answer = self._once(url, headers, limit, timeout)
            except Transient as error:
                if attempt == tries:
                    raise NetworkError(f"{addresses.redact(url)} {error}", hint=CONNECTION_HINT) from error
                wait = backoff(attempt)
            else:
                if answer.status not in PASSING or attempt == tries:
                    return answer
                wait = retry_after(answer.headers.get("Retry-After", "")) or backoff(attempt)
            time.sleep(min(wait, self._deadline.left()))
        raise AssertionError("the last try returns or raises")

    def _timeout(self, url: str, hurried: bool) -> tuple[float, float]:
        """The seconds for a connection and between two pieces of an answer.

        Raises:
            NetworkError: the deadline of the run has passed.
        """
        left = self._deadline.left()
        if not left:
            raise self._deadline.missed(addresses.redact(url))
        connect, silence = HURRIED_TIMEOUT if hurried else TIMEOUT
        return min(connect, left), min(silence, left)

    def _once(self, url: str, headers: Mapping[str, str], limit: int, timeout: tuple[float, float]) -> Answer:
        with self._opened(url, headers, timeout) as response:
            body = read_body(response, limit)
            return _answer(response, body)

    @contextlib.contextmanager
    def stream(self, url: str, headers: Mapping[str, str]) -> Iterator[tuple[Answer, Iterator[bytes]]]:
        """Ask once; the answer without its body, and the pieces of the body as they come, not decompressed.

        Each piece must be used within this block, which may raise only TorchlockError itself.

        Raises:
            Transient: a failure that may pass.
            NetworkError: there was no answer, or it came too slowly.
        """
        with self._opened(url, headers, TIMEOUT) as response:
            yield _answer(response, b""), response.raw.stream(_PIECE, decode_content=False)

    @contextlib.contextmanager
    def _opened(
        self, url: str, headers: Mapping[str, str], timeout: tuple[float, float]
    ) -> Iterator[requests.Response]:
        """The response to one request; failures while it is read are translated."""
        auth = addresses.credentials(url) or self._credentials.get(addresses.origin(url))
        arguments: dict[str, Any] = {"auth": auth, "timeout": timeout, "proxies": self._proxies, "stream": True}
        try:
            with self._session.get(addresses.request_url(url), headers=headers, **arguments) as response:
                yield response
        except pace.TooSlow as error:
            raise NetworkError(f"{addresses.redact(url)} {error}", hint=CONNECTION_HINT) from error
        except requests.RequestException as error:
            raise _translated(error, url, timeout) from error
        except urllib3.exceptions.TimeoutError as error:
            raise Transient(f"was silent for {timeout[1]:.0f} seconds") from error
        except (CutOff, urllib3.exceptions.HTTPError) as error:
            raise Transient("broke off its answer") from error
        except ValueError as error:  # Requests lets them through: a redirect to http://[, a chunk of -5 bytes.
            raise NetworkError(
                f"{addresses.redact(url)} answered with invalid HTTP", hint=CONNECTION_HINT
            ) from error
        except OSError as error:
            if "TLS" not in str(error):
                raise Transient("broke off its answer") from error
            raise NetworkError(
                f"{addresses.redact(url)} cannot be asked: the certificate file cannot be read",
                hint="check PIP_CERT, SSL_CERT_FILE, REQUESTS_CA_BUNDLE and pip's configuration",
            ) from error


def _answer(response: requests.Response, body: bytes) -> Answer:
    authorised = "Authorization" in response.request.headers
    kept: Mapping[str, str] = CaseInsensitiveDict(response.headers)
    return Answer(response.status_code, addresses.request_url(response.url), kept, body, authorised)


CONNECTION_HINT = "check the connection, the proxy and the index URL, or use --offline"
_CERTIFICATE_HINT = "set PIP_CERT or SSL_CERT_FILE to a file of trusted authorities; no credentials were sent"


def failure(answer: Answer, asked: str) -> NetworkError:
    """Describe an answer with an error status, and what to do about it."""
    url = addresses.redact(asked)
    if answer.status in (401, 403) and answer.authorised:
        return NetworkError(
            f"{url} refuses the credentials that were sent (status {answer.status})",
            hint="check the user and password in the index URL or in netrc",
        )
    if answer.status in (401, 403):
        return NetworkError(
            f"{url} asks for credentials (status {answer.status})",
            hint="put them into netrc, or into the index URL: https://user:password@host/…",
        )
    if answer.status == 407:
        return NetworkError(f"{url}: the proxy asks for credentials (status 407)", hint=CONNECTION_HINT)
    return NetworkError(f"{url} answered with status {answer.status}", hint=CONNECTION_HINT)


def _by_origin(urls: Iterable[str]) -> dict[str, tuple[str, str]]:
    """The credentials written into addresses; of two for one origin the first is kept."""
    found: dict[str, tuple[str, str]] = {}
    for url in urls:
        if not addresses.is_local(url) and (pair := addresses.credentials(url)):
            found.setdefault(addresses.origin(url), pair)
    return found


def _translated(error: requests.RequestException, url: str, timeout: tuple[float, float]) -> Exception:
    """A failure of requests in our words: its own may repeat addresses with all that is in them."""
    shown = addresses.redact(url)
    if isinstance(error, requests.exceptions.SSLError):
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return NetworkError(f"{shown} has no trusted certificate", hint=_CERTIFICATE_HINT)
        return NetworkError(f"{shown} does not use TLS correctly", hint=CONNECTION_HINT)
    if isinstance(error, requests.exceptions.ProxyError):
        return Transient("cannot be reached through the proxy")
    if isinstance(error, requests.ConnectTimeout):
        return Transient(f"did not accept a connection within {timeout[0]:.0f} seconds")
    if isinstance(error, requests.Timeout):
        return Transient(f"was silent for {timeout[1]:.0f} seconds")
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return Transient("broke off its answer")
    if isinstance(error, requests.TooManyRedirects):
        return NetworkError(f"{shown} redirects endlessly")
    if isinstance(error, requests.ConnectionError):
        return Transient(f"cannot be reached ({_reason(error)})")
    return NetworkError(f"{shown} cannot be asked ({type(error).__name__})")


def _reason(error: BaseException) -> str:
    """The message of the innermost cause, if it has one."""
    seen = str(error)
    for words, reason in (
        ("NameResolution", "the host name is unknown"),
        ("refused", "connection refused"),
        ("timed out", "it was silent"),
        ("unreachable", "no route to the host"),
        ("reset", "connection reset"),
    ):
        if words in seen:
            return reason
    return "the connection broke"


def backoff(attempt: int) -> float:
    """About half a second, then a second, never the same twice, so that many clients do not return together."""
    return float(0.5 * 2 ** (attempt - 1) * random.uniform(0.8, 1.2))  # noqa: S311 - no secret


def retry_after(text: str) -> float:
    """The seconds that Retry-After asks for (as a number or a date), within bounds; 0 if it does not say."""
    from email.utils import parsedate_to_datetime

    if re.fullmatch(r"[0-9]+", text.strip()):
        return min(float(text), _LONGEST_WAIT)
    try:
        wait = parsedate_to_datetime(text).timestamp() - time.time()
    except (ValueError, TypeError, IndexError, OverflowError):
        return 0.0
    return min(max(wait, 0.0), _LONGEST_WAIT)
