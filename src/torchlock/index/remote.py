"""Read pages of indexes on the network: from the cache, and revalidated when they are stale."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from torchlock.errors import NetworkError
from torchlock.index import addresses
from torchlock.index.cache import DEFAULT_MAX_AGE, Cache, Page, key
from torchlock.index.pages import ACCEPT, PageError, parse_page

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torchlock.index.transport import Answer, Transport
    from torchlock.standards.index_file import File


class NotCached(Exception):
    """The page is not in the cache, and --offline forbids asking for it."""


class PageReader:
    """Finds pages. ``transport`` is called when the network is needed, or is None offline."""

    def __init__(
        self,
        transport: Callable[[], Transport] | None,
        store: Cache,
        *,
        refresh: bool,
        report: Callable[[str], None],
        note: Callable[[str], None],
        hurried: bool = False,
    ) -> None:
        self._transport = transport
        self._hurried = hurried
        self._store = store
        self._refresh = refresh
        self._report = report
        self._note = note

    def files(self, url: str, what: str) -> list[File] | None:
        """The files that a page lists; None if there is no such page. ``what`` is asked for, in the report.

        Raises:
            NotCached: offline, and the page was never seen.
            NetworkError: the answer is an error, or no list of files. It is not cached.
        """
        name = key(url, ACCEPT)
        page, files = self._stored(name)
        if page and files is not None and (self._transport is None or self._fresh(page)):
            return files
        if self._transport is None:
            if page and page.missing:
                return None
            raise NotCached
        self._report(f"asking {addresses.host(url)} for {what}")
        headers = {"Accept": ACCEPT, **(page.conditions() if page else {})}
        answer = self._transport().get(url, headers, hurried=self._hurried)
        if answer.status == 304 and page and files is not None:
            self._store.keep_page(name, _renewed(page, answer))
            return files
        if answer.status in (404, 410) or self._hidden(answer, url):
            self._store.keep_page(name, Page(url, "", b"", time.time(), missing=True))
            return None
        page = _page(answer, url)
        files = _parsed(page, url)
        if "no-store" not in answer.headers.get("Cache-Control", ""):
            self._store.keep_page(name, page)
        return files

    def _stored(self, name: str) -> tuple[Page | None, list[File] | None]:
        """The cached page with its files; nothing if an older release of this program wrote nonsense."""
        page = self._store.page(name)
        if page and page.missing:
            return page, None
        try:
            return page, page and parse_page(page.body, page.content_type, page.url)
        except PageError:
            return None, None

    def _fresh(self, page: Page) -> bool:
        return not self._refresh and page.fresh(time.time())

    def _hidden(self, answer: Answer, url: str) -> bool:
        """Whether a storage bucket without list permission answered: it answers so for missing files."""
        hidden = answer.status == 403 and not answer.authorised and b"<Code>AccessDenied</Code>" in answer.body
        if hidden:
            self._note(f"{addresses.redact(url)} denies access (status 403); treated as missing")
        return hidden


def _page(answer: Answer, url: str) -> Page:
    from torchlock.index.transport import failure

    if answer.status != 200:
        raise failure(answer, url)
    headers = answer.headers
    return Page(
        answer.url,
        headers.get("Content-Type", ""),
        answer.body,
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


def _parsed(page: Page, asked: str) -> list[File]:
    try:
        return parse_page(page.body, page.content_type, page.url)
    except PageError as error:
        hint = "check that the index address is that of a simple index (it often ends in /simple/)"
        raise NetworkError(f"{addresses.redact(asked)} {error}", hint=hint) from error
