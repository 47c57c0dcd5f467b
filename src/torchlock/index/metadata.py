"""The way to a file's metadata that costs least: cache, PEP 658 file, byte ranges, the whole file."""

from __future__ import annotations

import hashlib
import io
import re
from typing import IO, TYPE_CHECKING, cast

from torchlock.answers import Unknown
from torchlock.core_metadata import parse_metadata
from torchlock.errors import MetadataError, NetworkError, TorchlockError
from torchlock.index import addresses, cache
from torchlock.index.archives import ArchiveError, sdist_metadata, wheel_members, wheel_metadata
from torchlock.index.remote_file import RemoteFile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torchlock.index.transport import Answer, Transport
    from torchlock.words import File

# A file larger than this is never fetched whole.
WHOLE_LIMIT = 64 << 20
# How much of a wheel's end is asked for at first: nearly always its directory and METADATA.
_END = 128 << 10
_METADATA_LIMIT = 16 << 20
_IDENTITY = {"Accept-Encoding": "identity", "Cache-Control": "no-cache"}
_STRONG = ("sha256", "sha512", "sha384", "sha224", "blake2b", "sha1", "md5")


class NeedsBuild(TorchlockError):
    """Only a build would tell this sdist's dependencies, and nothing is built here."""


class _NoRanges(Exception):
    """The server does not serve parts of this file."""


class MetadataReader:
    """Finds METADATA texts. ``transport`` is called when the network is needed, or is None offline."""

    def __init__(
        self,
        transport: Callable[[], Transport] | None,
        store: cache.Cache,
        report: Callable[[str], None],
    ) -> None:
        self._transport = transport
        self._store = store
        self._report = report
        self._without_ranges: set[str] = set()

    def read(self, file: File) -> str:
        """The text of the file's metadata.

        Raises:
            NeedsBuild: it is an sdist whose dependencies are not static (PEP 643).
            MetadataError: the file is damaged.
            NetworkError: the metadata cannot be had; the message says why.
        """
        text = self._local(file) if addresses.is_local(file.url) else self._remote(file)
        if not file.filename.endswith(".whl") and not _is_static(text):
            raise NeedsBuild(
                f"{file.filename} would have to be built to learn its dependencies",
                hint="choose a release that has a wheel",
            )
        return text

    def members(self, file: File, names: Sequence[str]) -> dict[str, str]:
        """The texts of those of these members that a wheel holds.

        Raises:
            NetworkError: the wheel cannot be read; the message says why.
        """
        import json

        sha256 = file.hashes.get("sha256")
        name = cache.key(addresses.origin(file.url), sha256, *names) if sha256 else None
        known = self._store.metadata(name) if name else None
        if known is not None:
            return dict(json.loads(known))
        try:
            with self._contents(file) as content:
                found = wheel_members(content, names)
        except ArchiveError as error:
            raise NetworkError(f"{addresses.redact(file.url)} {error}") from error
        except _NoRanges as error:
            raise NetworkError(f"{addresses.host(file.url)} serves no parts of {file.filename}") from error
        if name:
            self._store.keep_metadata(name, json.dumps(found))
        return found

    def _contents(self, file: File) -> IO[bytes]:
        """The wheel to read from: on this machine, in pieces on the server, or fetched whole."""
        if addresses.is_local(file.url):
            path = addresses.local_path(file.url)
            try:
                return path.open("rb")
            except OSError as error:
                raise NetworkError(f"{path} cannot be read ({error.strerror or error})") from error
        if self._transport is None:
            raise NetworkError(f"{file.filename} is not in the cache, and --offline forbids reading it")
        self._report(f"asking {addresses.host(file.url)} what {file.filename} was built for")
        transport = self._transport()
        try:
            return self._open(file, transport)
        except _NoRanges:
            return io.BytesIO(self._fetched(file, transport))

    def _local(self, file: File) -> str:
        path = addresses.local_path(file.url)
        try:
            with path.open("rb") as content:
                return _extract(content, file)
        except OSError as error:
            raise NetworkError(f"{path} cannot be read ({error.strerror or error})") from error

    def _remote(self, file: File) -> str:
        # What one host says about a hash is not believed of another: the host is part of the key.
        sha256 = file.hashes.get("sha256")
        name = cache.key(addresses.origin(file.url), file.filename, sha256) if sha256 else None
        text = self._store.metadata(name) if name else None
        if text is not None and not isinstance(parse_metadata(text), Unknown):
            return text
        if self._transport is None:
            raise NetworkError(
                f"the metadata of {file.filename} is not in the cache, and --offline forbids fetching it",
                hint="run once without --offline",
            )
        self._report(f"asking {addresses.host(file.url)} for the metadata of {file.filename}")
        text = self._fetch(file, self._transport())
        if name and not isinstance(parse_metadata(text), Unknown):
            self._store.keep_metadata(name, text)
        return text

    def _fetch(self, file: File, transport: Transport) -> str:
        text = self._beside(file, transport)
        if text is None and file.filename.endswith(".whl"):
            text = self._by_ranges(file, transport)
        return self._whole(file, transport) if text is None else text

    def _beside(self, file: File, transport: Transport) -> str | None:
        """The PEP 658 file, if it is offered and really there."""
        if file.metadata_hashes is None:
            return None
        parts = file.url.partition("?")
        url = f"{parts[0]}.metadata{parts[1]}{parts[2]}"
        answer = transport.get(url, {}, _METADATA_LIMIT)
        if answer.status in (404, 410):
            return None
        _succeeded(answer, url)
        verify(answer.body, file.metadata_hashes, url)
        return answer.body.decode("utf-8", errors="replace")

    def _by_ranges(self, file: File, transport: Transport) -> str | None:
        """METADATA out of the zip on the server; None if the server does not serve parts."""
        from torchlock.index.transport import TooLarge

        origin = addresses.origin(file.url)
        if origin in self._without_ranges:
            return None
        try:
            content = self._open(file, transport)
            return _extract(content, file)
        except _NoRanges:
            self._without_ranges.add(origin)
            return None
        except TooLarge as error:
            self._without_ranges.add(origin)
            raise _too_large(file, error.size) from error

    def _open(self, file: File, transport: Transport) -> IO[bytes]:
        """The file to read from: pieces on the server, or all of it where the server sent it regardless."""
        wanted = f"{max(0, file.size - _END)}-{file.size - 1}" if file.size else f"-{_END}"
        answer = self._part(file, transport, wanted)
        if answer.status == 200:
            self._without_ranges.add(addresses.origin(file.url))
            verify(answer.body, file.hashes, file.url)
            return io.BytesIO(answer.body)
        _, stop, size = _content_range(answer)
        if stop != size:
            raise _NoRanges

        def fetch(start: int, stop: int) -> bytes:
            part = self._part(file, transport, f"{start}-{stop - 1}")
            if part.status != 206 or _content_range(part) != (start, stop, size):
                raise _NoRanges
            return part.body

        return cast("IO[bytes]", RemoteFile(size, answer.body, fetch))

    def _part(self, file: File, transport: Transport, wanted: str) -> Answer:
        """Bytes ``start-last`` or ``-last`` of the file; status 206, or 200 where the server sent all of it."""
        answer = transport.get(file.url, {**_IDENTITY, "Range": f"bytes={wanted}"}, WHOLE_LIMIT)
        if answer.status in (400, 405, 416, 501):
            raise _NoRanges
        _succeeded(answer, file.url)
        return answer

    def _whole(self, file: File, transport: Transport) -> str:
        return _extract(io.BytesIO(self._fetched(file, transport)), file)

    def _fetched(self, file: File, transport: Transport) -> bytes:
        from torchlock.index.transport import TooLarge

        try:
            if file.size is not None and file.size > WHOLE_LIMIT:
                raise TooLarge(file.url, file.size)
            answer = transport.get(file.url, _IDENTITY, WHOLE_LIMIT)
        except TooLarge as error:
            raise _too_large(file, error.size) from error
        _succeeded(answer, file.url)
        verify(answer.body, file.hashes, file.url)
        return answer.body


def _extract(content: IO[bytes], file: File) -> str:
    read = wheel_metadata if file.filename.endswith(".whl") else sdist_metadata
    try:
        return read(content, file.filename)
    except ArchiveError as error:
        raise MetadataError(f"{addresses.redact(file.url)} {error}") from error


def _is_static(text: str) -> bool:
    """Whether every wheel built from the sdist with this PKG-INFO has the dependencies that it names."""
    found = parse_metadata(text)
    return not isinstance(found, Unknown) and found.dependencies_are_static


def _content_range(answer: Answer) -> tuple[int, int, int]:
    """Start, stop (not included) and size of the whole, if the body is that part of it."""
    match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", answer.headers.get("Content-Range", "").strip())
    if not match or int(match[2]) + 1 - int(match[1]) != len(answer.body):
        raise _NoRanges
    return int(match[1]), int(match[2]) + 1, int(match[3])


def _succeeded(answer: Answer, url: str) -> None:
    from torchlock.index.transport import failure

    if answer.status not in (200, 206):
        raise failure(answer, url)


def verify(body: bytes, hashes: dict[str, str], url: str) -> None:
    """Compare with the strongest hash that is given; none given is nothing to compare with."""
    algorithm = next((name for name in _STRONG if name in hashes), None)
    if algorithm and hashlib.new(algorithm, body).hexdigest() != hashes[algorithm]:
        raise NetworkError(
            f"{addresses.redact(url)} is not what the index describes: its {algorithm} differs",
            hint="the index or a proxy serves a damaged or foreign file; try --refresh",
        )


def _too_large(file: File, size: int | None) -> NetworkError:
    megabytes = f"{size / 1e6:.0f} MB" if size is not None else "more than 64 MB"
    return NetworkError(
        f"the metadata of {file.filename} cannot be had without fetching {megabytes}: "
        f"{addresses.host(file.url)} serves neither it nor parts of the file",
        hint="use an index that serves metadata beside its files (PEP 658)",
    )
