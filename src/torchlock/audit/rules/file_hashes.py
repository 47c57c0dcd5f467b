"""TL509, TL513: hashes of a pin, compared with the files that the named index has."""

from __future__ import annotations

from torchlock.audit.phrasing import asked
from torchlock.audit.wheel_address import wheel_address
from torchlock.finding import Remedy
from torchlock.knowledge.build_labels import is_published
from torchlock.knowledge.indexes import page_of
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of
from torchlock.knowledge.stack import FAMILY
from torchlock.records import NamedTuple
from torchlock.standards.filenames import file_name
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.audit.context import AuditContext
    from torchlock.audit.install_sets import Demand, InstallSet
    from torchlock.finding import Finding
    from torchlock.knowledge.build_hashes import HashTable


class _Stated(NamedTuple):
    """A hash that a file states. ``name`` is the file that it belongs to, "" for any file of the release.

    ``folder`` is the folder that an installer takes the file from; "" is the public index.
    """

    sha256: str
    folder: str
    name: str = ""


@rule("TL513", "TL509")
def hashes(context: AuditContext, install_set: InstallSet) -> Iterator[Finding]:
    """Pins with hashes of which none belongs to a file of that release on the named index."""
    for demands in install_set.demands.values():
        for demand in demands:
            version = _version(context, demand)
            if version is None or _is_of_public_index(context, demand, version):
                continue
            stated = _stated(context, demand)
            if stated:
                yield from _judged(context, demand, version, stated)


def _is_of_public_index(context: AuditContext, demand: Demand, version: str) -> bool:
    """Whether a demand comes from the public index alone and has the hash of a file there, or no hash at all."""
    if demand.entry.url is not None:
        return False
    if not demand.entry.hashes:
        return True
    if demand.label or not context.offer(demand.entry).only_public:
        return False
    known = context.digests(demand.name, version)
    return any(digest.partition(":")[2].lower() in known for digest in demand.entry.hashes)


def _version(context: AuditContext, demand: Demand) -> str | None:
    if demand.exact or demand.entry.url is not None:
        releases = demand.releases or 0
        if releases and not releases & (releases - 1):
            return context.stack.packages[demand.name].versions[releases.bit_length() - 1]
    return None


def _stated(context: AuditContext, demand: Demand) -> list[_Stated]:
    """The SHA-256 hashes of a demand, each with the folder of its file; none if the folder is unknown."""
    entry = demand.entry
    if entry.channel == "conda":
        return []
    if entry.url is not None:
        return _of_address(entry.url, entry.hashes)
    folder = _folder(context, demand)
    if entry.file_hashes and demand.name in FAMILY:
        found = [_of_file(written, digest, folder) for written, digest in entry.file_hashes]
        return [one for one in found if one is not None]
    return [] if folder is None else [_Stated(sha256, folder) for sha256 in _sha256(entry.hashes)]


def _of_file(written: str, digest: str, folder: str | None) -> _Stated | None:
    """The hash of a file that a lock lists by its name or address; None without a folder or a SHA-256 hash."""
    wheel = wheel_address(written) if "://" in written else None
    folder = wheel.folder if wheel is not None else folder
    name = file_name(written)
    found = _sha256([digest])
    return _Stated(found[0], folder, name) if found and folder is not None else None


def _of_address(url: str, hashes: Sequence[str]) -> list[_Stated]:
    """The hashes of a wheel with an address on the PyTorch index, beside it or in it."""
    wheel = wheel_address(url)
    if wheel is None:
        return []
    inside = [part.replace("=", ":", 1) for part in url.partition("#")[2].split("&")]
    return [_Stated(sha256, wheel.folder, wheel.file) for sha256 in _sha256([*inside, *hashes])]


def _sha256(hashes: Sequence[str]) -> list[str]:
    return [digest.partition(":")[2].lower() for digest in hashes if digest.startswith("sha256:")]


def _folder(context: AuditContext, demand: Demand) -> str | None:
    """The folder that an installer takes a demand from: "" for the public index, None if that is unknown."""
    offer = context.offer(demand.entry)
    if offer.only_public and not demand.label:
        return ""
    if demand.name not in FAMILY or offer.unknown or offer.every:
        return None
    if is_published(demand.label):
        return demand.label if demand.label in offer.labels else None
    return offer.only_label


def _judged(context: AuditContext, demand: Demand, version: str, stated: Sequence[_Stated]) -> Iterator[Finding]:
    """TL513 for hashes of files that are elsewhere; TL509 if no file of the public index has one of them."""
    if demand.name in FAMILY:
        table = context.known.hash_table(demand.name, version)
        wrong = [one for one in stated if not _may_be(table, one, demand.label)]
        named = any(one.name for one in stated)
        if wrong and (named or len(wrong) == len(stated)):
            yield _elsewhere(context, demand, table, wrong, whole=len(wrong) == len(stated))
            return
    if all(not one.folder for one in stated):
        message = f"no hash of {asked(demand)} matches a file of this release on the public index"
        finding = context.finding("TL509", "warning", message, [demand])
        finding.remedy = Remedy("Generate the hashes again, from the index that the files come from.")
        yield finding


def _may_be(table: HashTable, one: _Stated, label: str) -> bool:
    """Whether a hash may be that of the file, or of a file of the release, in its folder."""
    if not table.may_be_in(one.folder, one.sha256, label):
        return False
    # The name of a file is in its contents: a known file of another name has other contents.
    return not one.name or table.may_be(one.folder, one.name, one.sha256)


def _elsewhere(
    context: AuditContext, demand: Demand, table: HashTable, wrong: Sequence[_Stated], *, whole: bool
) -> Finding:
    first = wrong[0]
    file = table.files(first.sha256)[0]
    where = f"the folder {first.folder} of the PyTorch index" if first.folder else "the public index"
    there = f"the folder {file.folder}" if file.folder else "the public index"
    which = f"the hash of {first.name}" if first.name else f"a hash of {asked(demand)}"
    count = f" ({len(wrong)} hashes like it)" if len(wrong) > 1 else ""
    message = f"{which} belongs to {file.name} in {there}, not of a file in {where}{count}"
    from torchlock.knowledge.build_hashes import is_second_class

    certain = whole and not any(is_second_class(file) for file in table.files(first.sha256))
    finding = context.finding("TL513", severity_of(fails=certain), message, [demand])
    page = page_of(first.folder) if first.folder else "the public index"
    right = table.hash_of(first.folder, first.name) if first.name else None
    what = f" Its hash is sha256:{right}." if isinstance(right, str) else ""
    finding.remedy = Remedy(f"Generate the hashes again, from {page}.{what}")
    return finding
