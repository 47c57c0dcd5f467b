"""Read pages of indexes on the network: from the cache, and revalidated when they are stale."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, NamedTuple

from torchlock.errors import NetworkError
from torchlock.index import addresses
from torchlock.index.cache import DEFAULT_MAX_AGE, Cache, Page, key
from torchlock.index.project_page import ProjectPage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torchlock.index.transport import Answer, Transport


ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01"


class NotCached(Exception):
    """The page is not in the cache, and --offline forbids asking for it."""


class Known(NamedTuple):
    """What the cache has of a page: its headers, and what it lists. ``fresh``: it need not be asked for."""

    url: str
    head: Page | None
    page: ProjectPage | None
    fresh: bool


class PageReader:
    """Finds pages. ``transport`` is called when the network is needed, or is None offline."""

    def __init__(
        self,
        transport: Callable[[], Transport] | None,
        store: Cache,
        *,
        refresh: bool,
        note: Callable[[str], None],
        hurried: bool = False,
    ) -> None:
        self._transport = transport
        self._hurried = hurried
        self._store = store
        self._refresh = refresh
        self._note = note

    def known(self, url: str) -> Known:
        """What the cache has. Offline all of it is fresh.

        Raises:
            NotCached: offline, and the page was never seen.
        """
        head, page = self._stored(key(url, ACCEPT))
        if self._transport is None and head is None:
            raise NotCached
        fresh = page is not None and not self._refresh and head is not None and head.fresh(time.time())
        return Known(url, head, page, self._transport is None or fresh)

    def ask(self, known: Known) -> ProjectPage | None:
        """The page as its index has it now; None if it has none. The answer is kept.

        Raises:
            NetworkError: the answer is an error, or no list of files. It is not cached.
        """
        assert self._transport is not None
        url, head, name = known.url, known.head, key(known.url, ACCEPT)
        conditions = head.conditions() if head and known.page is not None else {}
        answer = self._transport().get(url, {"Accept": ACCEPT, **conditions}, hurried=self._hurried)
        if answer.status == 304 and head and known.page is not None:
            self._store.keep_page(name, _renewed(head, answer))
            return known.page
        if answer.status in (404, 410) or self._hidden(answer, url):
            self._store.keep_page(name, Page(url, b"", time.time(), missing=True))
            return None
        page = _parsed(answer, url)
        if "no-store" not in answer.headers.get("Cache-Control", ""):
            self._store.keep_page(name, _head(answer, page))
        return page

    def _stored(self, name: str) -> tuple[Page | None, ProjectPage | None]:
        """The cached page; nothing if an older release of this program wrote nonsense."""
        head = self._store.page(name)
        if head is None or head.missing:
            return head, None
        try:
            return head, ProjectPage(head.body)
        except (ValueError, TypeError, KeyError, RecursionError):
            return None, None

    def _hidden(self, answer: Answer, url: str) -> bool:
        """Whether a storage bucket without list permission answered: it answers so for missing files."""
        hidden = answer.status == 403 and not answer.authorised and b"<Code>AccessDenied</Code>" in answer.body
        if hidden:
            self._note(f"{addresses.redact(url)} denies access (status 403); treated as missing")
        return hidden


def _head(answer: Answer, page: ProjectPage) -> Page:
    headers = answer.headers
    return Page(
        answer.url,
        page.content,
        time.time(),
        _max_age(headers),
        headers.get("ETag", ""),
        headers.get("Last-Modified", ""),
    )


def _renewed(page: Page, answer: Answer) -> Page:
    return page._replace(stored_at=time.time(), max_age=_max_age(answer.headers, page.max_age))


def _max_age(headers: Mapping[str, str], default: float = DEFAULT_MAX_AGE) -> float:
    control = headers.get("Cache-Control", "").lower()
    if "no-cache" in control:
        return 0
    match = re.search(r"\bmax-age=(\d+)", control)
    return min(float(match[1]), DEFAULT_MAX_AGE) if match else default


def _parsed(answer: Answer, asked: str) -> ProjectPage:
    from torchlock.index.page_values import PageError
    from torchlock.index.pages import listed
    from torchlock.index.transport import failure

    if answer.status != 200:
        raise failure(answer, asked)
    try:
        return ProjectPage.of(listed(answer.body, answer.headers.get("Content-Type", ""), answer.url))
    except RecursionError as error:  # values in values in values
        raise NetworkError(f"{addresses.redact(asked)} answered with damaged JSON") from error
    except PageError as error:
        hint = "check that the address of the index is a simple index (it often ends in /simple/)"
        raise NetworkError(f"{addresses.redact(asked)} {error}", hint=hint) from error
