"""Read the metadata of a file in the cheapest way: cache, PEP 658 file, byte ranges, the whole file."""

from __future__ import annotations

import hashlib
import io
import re
from typing import IO, TYPE_CHECKING, Protocol, TypeVar, cast

from torchlock.answers import Unknown
from torchlock.errors import BrokenFile, MetadataError, NeedsBuild, NetworkError, NotFetched
from torchlock.index import addresses, cache
from torchlock.index.archives import ArchiveError, wheel_members, wheel_metadata
from torchlock.index.remote_file import BUDGET, RemoteFile
from torchlock.standards.core_metadata import parse_metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torchlock.index.transport import Answer, Transport
    from torchlock.standards.index_file import File

_Found = TypeVar("_Found")
# A larger file is fetched completely only for a build.
WHOLE_LIMIT = 64 << 20
BUILD_LIMIT = 1 << 30
# Cached answers of another version of the reader are not used.
_SDIST_READER = "sdist-1"
# The first request of a project's wheels: so many bytes at their end. Of 169 wheels, seven in ten need 16 kB for
# the list of members and METADATA, nine in ten 64 kB. What one wheel needed is kept for the next of its project.
_END, _LONGEST_END = 64 << 10, 1 << 20
_METADATA_LIMIT = 16 << 20
_IDENTITY = {"Accept-Encoding": "identity", "Cache-Control": "no-cache"}
# Statuses that are about the server or the client, not about the file.
_OF_THE_SERVER = (401, 407, 408, 429)
_STRONG = ("sha256", "sha512", "sha384", "sha224", "blake2b", "sha1", "md5")


class Sdists(Protocol):
    """A reader of source distributions (see the package ``sdist``).

    ``read`` gives the METADATA text of the wheel that an archive would become, its Requires-Dist dynamic where
    only a build would tell, and raises ArchiveError; ``reason`` says of such a text why, ``origin`` of any other
    which file states the requirements. ``builder``, where
    building is allowed, takes the content and the name of an archive and gives the text that a build gave, or
    why there is none; ``builder.machine`` names what its answer may depend on.
    """

    @property
    def builder(self) -> Builder | None: ...
    def read(self, content: IO[bytes], filename: str) -> str: ...
    def reason(self, text: str) -> str: ...
    def origin(self, text: str) -> str: ...


class Builder(Protocol):
    """Asks the build backend of a source distribution (see ``Sdists``)."""

    @property
    def machine(self) -> str: ...
    def __call__(self, content: bytes, filename: str) -> str | Unknown: ...


class _NoRanges(Exception):
    """The server does not serve byte ranges of this file."""


class MetadataReader:
    """Finds METADATA texts. ``transport`` is called when the network is needed, or is None offline."""

    def __init__(
        self,
        transport: Callable[[], Transport] | None,
        store: cache.Cache,
        report: Callable[[str], None],
        sdists: Sdists | None = None,
    ) -> None:
        self._transport = transport
        self._store = store
        self._report = report
        self._sdists = sdists
        self._without_ranges: set[str] = set()

    def read(self, file: File) -> str:
        """The metadata text of the file; for an sdist, the metadata of the wheel that it would become.

        Raises:
            NeedsBuild: it is an sdist whose requirements are known only after a build.
            MetadataError: the file is damaged.
            BrokenFile: it is missing, or does not match the index.
            NetworkError: the metadata cannot be read; the message says why.
        """
        if not file.filename.endswith(".whl"):
            return self._sdist(file)
        if addresses.is_local(file.url):
            return self._local(file)
        text = self.kept(file)
        return self.fetch(file) if text is None else text

    def members(self, file: File, names: Sequence[str]) -> dict[str, str]:
        """The texts of those of these members that a wheel holds.

        Raises:
            NetworkError: the wheel cannot be read; the message says why.
        """
        import json

        name = key_of(file, *names)
        known = self._kept(file, name)
        if known is not None:
            return dict(json.loads(known))
        found = self.within(file, lambda content: wheel_members(content, names))
        self._store.keep_metadata(name, json.dumps(found))
        return found

    def within(self, file: File, read: Callable[[IO[bytes]], _Found], budget: int = BUDGET) -> _Found:
        """What ``read`` returns of the wheel, which is fetched only as far as it is read.

        ``budget``: how many bytes may be fetched in pieces. ``read`` may raise ArchiveError.

        Raises:
            NetworkError: the wheel cannot be read; the message says why.
        """
        try:
            with self.contents(file, budget) as content:
                return read(content)
        except ArchiveError as error:
            raise NetworkError(f"{addresses.redact(file.url)} {error}") from error
        except _NoRanges as error:
            raise NetworkError(
                f"{addresses.host(file.url)} does not serve byte ranges of {file.filename}"
            ) from error

    def contents(self, file: File, budget: int = BUDGET) -> IO[bytes]:
        """The wheel as a file: on this machine, in byte ranges on the server, or fetched completely.

        At most ``budget`` bytes are read in byte ranges; then reading raises ValueError.

        Raises:
            NetworkError: it cannot be asked for; the message says why.
        """
        if addresses.is_local(file.url):
            return self._opened(file)
        if self._transport is None:
            raise _not_cached(file)
        self._report(f"asking {addresses.host(file.url)} for the build of {file.filename}")
        transport = self._transport()
        try:
            return self._open(file, transport, budget)
        except _NoRanges:
            return io.BytesIO(self._bytes(file, transport, WHOLE_LIMIT))

    def _kept(self, file: File, name: str) -> str | None:
        """The cached text of this key (``_key``); for a file without a hash, only with --offline."""
        return self._store.metadata(name) if is_hashed(file) or self._transport is None else None

    def origin(self, text: str) -> str:
        """The file of an sdist that states the requirements of a text from ``read``; empty for wheels."""
        return self._sdists.origin(text) if self._sdists else ""

    def _sdist(self, file: File) -> str:
        """The static metadata of an sdist, else the result of a build; both are cached by the file's hash."""
        sdists = self._sdists
        if sdists is None:
            raise _needs_build(file, "")
        name = key_of(file, _SDIST_READER) if not addresses.is_local(file.url) else None
        text = self._kept(file, name) if name else None
        content: IO[bytes] | None = None
        if text is None:
            text = self._beside_static(file)
        if text is None:
            try:
                content = self._content(file, WHOLE_LIMIT if sdists.builder is None else BUILD_LIMIT)
                text = sdists.read(content, file.filename)
            except _NoRanges:
                raise NetworkError(f"{addresses.redact(file.url)} changed while it was read") from None
            except ArchiveError as error:
                raise MetadataError(f"{file.filename} {error}") from error
        if name:
            self._store.keep_metadata(name, text)
        if _is_static(text):
            return text
        if sdists.builder is None:
            raise _needs_build(file, sdists.reason(text))
        return self._built(file, sdists.builder, content)

    def _beside_static(self, file: File) -> str | None:
        """The metadata file that the index offers for an sdist, if nothing in it is dynamic."""
        if file.metadata_hashes is None or addresses.is_local(file.url) or self._transport is None:
            return None
        text = self._beside(file, self._transport())
        return text if text is not None and _is_static(text) else None

    def _content(self, file: File, limit: int = WHOLE_LIMIT) -> IO[bytes]:
        """The sdist as a file: byte ranges of a zip on the server, else the whole file.

        Raises:
            NeedsBuild: it is too large to be fetched for reading.
        """
        if addresses.is_local(file.url):
            return self._opened(file)
        if self._transport is None:
            raise _not_cached(file)
        transport = self._transport()
        self._report(f"asking {addresses.host(file.url)} for {file.filename}")
        if file.filename.endswith(".zip") and addresses.origin(file.url) not in self._without_ranges:
            try:
                return self._open(file, transport)
            except _NoRanges:
                self._without_ranges.add(addresses.origin(file.url))
        return io.BytesIO(self._bytes(file, transport, limit))

    def _built(self, file: File, builder: Builder, content: IO[bytes] | None) -> str:
        """The metadata that the build backend computes on this machine."""
        if isinstance(content, io.BytesIO):
            archive = content.getvalue()
        elif addresses.is_local(file.url):
            with self._opened(file) as opened:
                archive = opened.read()
        elif self._transport is None:
            raise _not_cached(file)
        else:
            archive = self._bytes(file, self._transport(), BUILD_LIMIT)
        name = cache.key("built", hashlib.sha256(archive).hexdigest(), builder.machine)
        text = self._store.metadata(name)
        if text is not None:
            return text
        self._report(f"building the metadata of {file.filename}")
        answer = builder(archive, file.filename)
        if isinstance(answer, Unknown):
            raise MetadataError(f"{file.filename} cannot be built: {answer.because}")
        self._store.keep_metadata(name, answer)
        return answer

    def _opened(self, file: File) -> IO[bytes]:
        path = addresses.local_path(file.url)
        try:
            return path.open("rb")
        except OSError as error:
            raise BrokenFile(f"{path} cannot be read ({error.strerror or error})") from error

    def _local(self, file: File) -> str:
        with self._opened(file) as content:
            return _extract(content, file)

    def is_remote(self, file: File) -> bool:
        """Whether this is a wheel of an index on the network."""
        return file.filename.endswith(".whl") and not addresses.is_local(file.url)

    def kept(self, file: File) -> str | None:
        """The cached metadata text of a wheel of an index; None without a usable one."""
        text = self._kept(file, key_of(file))
        return text if text is not None and not isinstance(parse_metadata(text), Unknown) else None

    def fetch(self, file: File) -> str:
        """The metadata text of a wheel of an index, from there. Raises as ``read``."""
        if self._transport is None:
            raise _not_cached(file)
        text = self._fetch(file, self._transport())
        if not isinstance(parse_metadata(text), Unknown):
            self._store.keep_metadata(key_of(file), text)
        return text

    def _fetch(self, file: File, transport: Transport) -> str:
        text = self._beside(file, transport)
        if text is None:
            text = self._by_ranges(file, transport)
        return self._whole(file, transport) if text is None else text

    def _beside(self, file: File, transport: Transport) -> str | None:
        """The PEP 658 file, if it is offered and the server gives it."""
        if file.metadata_hashes is None:
            return None
        parts = file.url.partition("?")
        url = f"{parts[0]}.metadata{parts[1]}{parts[2]}"
        answer = transport.get(url, {}, _METADATA_LIMIT)
        if answer.status != 200:
            return None  # the wheel has it as well
        verify(answer.body, file.metadata_hashes, url)
        return answer.body.decode("utf-8", errors="replace")

    def _by_ranges(self, file: File, transport: Transport) -> str | None:
        """METADATA from the zip on the server; None if the server does not serve byte ranges."""
        from torchlock.index.transport import TooLarge

        origin = addresses.origin(file.url)
        if origin in self._without_ranges:
            return None
        try:
            name = cache.key("end", origin, file.filename.partition("-")[0].lower())
            end = self._usual_end(name)
            content = self._open(file, transport, end=end)
            text = _extract(content, file)
            self._keep_end(name, end, content)
            return text
        except _NoRanges:
            self._without_ranges.add(origin)
            return None
        except TooLarge as error:
            self._without_ranges.add(origin)
            raise _too_large(file, error.size) from error

    def _usual_end(self, name: str) -> int:
        """How many bytes to ask for first, of a wheel of a project whose name has this key."""
        kept = self._store.metadata(name) or ""
        return int(kept) if re.fullmatch(r"[0-9]{1,8}", kept) else _END

    def _keep_end(self, name: str, asked: int, content: IO[bytes]) -> None:
        """Remember how long an end holds all that was read, with a margin, if it is longer than was asked for."""
        needed = content.needed if isinstance(content, RemoteFile) else 0
        if asked < needed <= _LONGEST_END:
            self._store.keep_metadata(name, str(needed * 9 // 8))

    def _open(self, file: File, transport: Transport, budget: int = BUDGET, end: int = _END) -> IO[bytes]:
        """The file to read from: pieces on the server, or all of it where the server sent it regardless."""
        wanted = f"{max(0, file.size - end)}-{file.size - 1}" if file.size else f"-{end}"
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

        return cast("IO[bytes]", RemoteFile(size, answer.body, fetch, budget))

    def _part(self, file: File, transport: Transport, wanted: str) -> Answer:
        """Bytes ``start-last`` or ``-last`` of the file; status 206, or 200 where the server sent all of it."""
        answer = transport.get(file.url, {**_IDENTITY, "Range": f"bytes={wanted}"}, WHOLE_LIMIT)
        if answer.status in (400, 405, 416, 501):
            raise _NoRanges
        _succeeded(answer, file.url)
        return answer

    def _whole(self, file: File, transport: Transport) -> str:
        return _extract(io.BytesIO(self._bytes(file, transport, WHOLE_LIMIT)), file)

    def _bytes(self, file: File, transport: Transport, limit: int) -> bytes:
        """The whole file, verified against the index."""
        from torchlock.index.transport import TooLarge

        try:
            if file.size is not None and file.size > limit:
                raise TooLarge(file.url, file.size)
            answer = transport.get(file.url, _IDENTITY, limit)
        except TooLarge as error:
            raise _too_large(file, error.size, limit) from error
        _succeeded(answer, file.url)
        verify(answer.body, file.hashes, file.url)
        return answer.body


def is_hashed(file: File) -> bool:
    """Whether the index states a hash of the file, which identifies its content."""
    return any(algorithm in file.hashes for algorithm in _STRONG)


def key_of(file: File, *more: str) -> str:
    """The name that the metadata of a file of an index are kept by.

    Hosts do not trust each other's hashes, so the host is part of the key. The strongest hash identifies the
    content, even if it is weak. Without a hash, the URL identifies it; its content may change, so the cached text
    is used only with --offline.
    """
    origin = addresses.origin(file.url)
    algorithm = next((each for each in _STRONG if each in file.hashes), None)
    if algorithm is None:
        return cache.key(origin, file.filename, "address", file.url, *more)
    digest = file.hashes[algorithm]
    return cache.key(origin, file.filename, digest if algorithm == "sha256" else f"{algorithm}={digest}", *more)


def _extract(content: IO[bytes], file: File) -> str:
    try:
        return wheel_metadata(content, file.filename)
    except ArchiveError as error:
        raise MetadataError(f"{addresses.redact(file.url)} {error}") from error


def _is_static(text: str) -> bool:
    """Whether every wheel built from an sdist with this metadata has the same dependencies."""
    found = parse_metadata(text)
    return not isinstance(found, Unknown) and found.dependencies_are_static


def _not_cached(file: File) -> NotFetched:
    return NotFetched(
        f"the metadata of {file.filename} is not in the cache, and --offline forbids fetching it",
        hint="run the command once without --offline",
    )


def _needs_build(file: File, why: str) -> NeedsBuild:
    return NeedsBuild(
        f"the source distribution {file.filename} must be built to get its requirements"
        + (f" ({why})" if why else ""),
        hint="use --build to run its build backend, which is code of the package",
    )


def _content_range(answer: Answer) -> tuple[int, int, int]:
    """Start, stop (exclusive) and total size, if the body is that range."""
    stated = answer.headers.get("Content-Range", "").strip()
    match = re.fullmatch(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})", stated)
    if not match or int(match[2]) + 1 - int(match[1]) != len(answer.body):
        raise _NoRanges
    return int(match[1]), int(match[2]) + 1, int(match[3])


def _succeeded(answer: Answer, url: str) -> None:
    """Check that an answer contains the file.

    Raises:
        BrokenFile: the server has no such file, or does not give this one.
        NetworkError: the server fails or needs credentials, as it would for every file.
    """
    from torchlock.index.transport import failure

    if answer.status in (200, 206):
        return
    if answer.status in _OF_THE_SERVER or answer.status >= 500:
        raise failure(answer, url)
    # A storage bucket without list permission answers so if a file does not exist.
    hidden = answer.status == 403 and not answer.authorised and b"<Code>AccessDenied</Code>" in answer.body
    what = "was not found" if answer.status in (404, 410) or hidden else "is refused"
    raise BrokenFile(f"{addresses.redact(url)} {what} (status {answer.status})")


def verify(body: bytes, hashes: dict[str, str], url: str) -> None:
    """Compare with the strongest known hash; without a hash, accept."""
    algorithm = next((name for name in _STRONG if name in hashes), None)
    if algorithm and hashlib.new(algorithm, body).hexdigest() != hashes[algorithm]:
        raise BrokenFile(
            f"{addresses.redact(url)} is not what the index describes: its {algorithm} differs",
            hint="the index or a proxy serves a damaged or wrong file; try --refresh",
        )


def _too_large(file: File, size: int | None, limit: int = WHOLE_LIMIT) -> NetworkError | NeedsBuild:
    megabytes = f"{size / 1e6:.0f} MB" if size is not None else f"more than {limit / 1e6:.0f} MB"
    if not file.filename.endswith(".whl"):
        return NeedsBuild(
            f"the source distribution {file.filename} has {megabytes}, and torchlock fetches at most "
            f"{limit / 1e6:.0f} MB to read requirements",
            hint="use --build to fetch up to 1 GB, and to run the package's build backend if necessary",
        )
    return NetworkError(
        f"the metadata of {file.filename} cannot be read without fetching {megabytes}: "
        f"{addresses.host(file.url)} serves neither it nor parts of the file",
        hint="use an index that serves metadata files (PEP 658)",
    )
