"""The contents of base images, by their names: Python, C library, torch with its companions, a vendor's build.

``compat_data/builds/images.toml`` is the table. An image that it does not cover is unknown: it may contain any
torch, or no torch.
"""

from __future__ import annotations

import re
from functools import cache
from types import MappingProxyType

from torchlock.knowledge import tables
from torchlock.records import NamedTuple
from torchlock.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

# A registry, a repository and a tag have 255, 255 and 128 characters at most.
_LONGEST = 800
_UNKNOWN = "the table of base images does not cover it"


class Image(NamedTuple):
    """What the name of an image says about its contents. An empty value is unknown.

    ``python`` is a version, ``libc`` is like ``glibc 2.35``, ``platforms`` are where it runs. ``torch`` is the
    release in the image, if it is a build of the PyTorch index: ``build`` is its label, ``channel`` the installer
    that put it there. ``held`` maps the other packages of the image to their versions ("": it may be there, in an
    unknown version). ``vendor`` is who built the torch of the image, "" if nobody but the PyTorch project did;
    ``version`` is the version of that torch, and ``release`` the release that the tag names for it. ``unknown`` is
    a clause that says why nothing is known of the packages; "" if something is. ``pip`` is the newest pip that it
    can have. ``system_python`` is the Python that its system has as a package, which may not be installed.
    """

    name: str = ""
    maker: str = ""
    python: str = ""
    libc: str = ""
    platforms: tuple[str, ...] = ()
    torch: str = ""
    build: str = ""
    channel: str = "pip"
    held: Mapping[str, str] = MappingProxyType({})
    vendor: str = ""
    version: str = ""
    release: str = ""
    unknown: str = ""
    kind: str = ""
    sources: tuple[str, ...] = ()
    pip: str = ""
    system_python: str = ""

    @property
    def page(self) -> str | None:
        """The index that pip took the torch of the image from; None for conda, and if it is unknown."""
        from torchlock.knowledge.indexes import page_of

        return page_of(self.build) if self.build and self.channel == "pip" else None

    @property
    def torch_version(self) -> str:
        """The version of the torch in the image, with its label; "" if it has none, or it is unknown.

        The packages of conda have no label.
        """
        if self.vendor or not self.torch:
            return self.version
        return f"{self.torch}+{self.build}" if self.build and self.channel == "pip" else self.torch


def image_of(name: str, platform: str = "linux-x86_64") -> Image:
    """What is known of an image by its name with registry and tag, on a platform."""
    if len(name) > _LONGEST:
        return Image(name, unknown="its name is too long")
    for family in _families():
        if re.search(family["names"], name, re.IGNORECASE):
            return _of_family(name, family, platform)
    bare = _table()["bare"]
    python = re.search(bare["python"], name, re.ASCII)
    if python or re.search(bare["names"], name, re.IGNORECASE):
        return Image(
            name,
            python=python[1] if python else "",
            libc=_libc(name),
            system_python="" if python else _of_word("pythons", name),
            kind=bare["kind"],
            sources=tuple(bare["sources"]),
            pip=bare["pip"].get(".".join(python[1].split(".")[:2]), "") if python else "",
        )
    return Image(name, libc=_libc(name), unknown=_UNKNOWN)


def _of_family(name: str, family: Mapping[str, Any], platform: str) -> Image:
    tag = re.fullmatch(family["tag"], _tag(name), re.ASCII) if "tag" in family else None
    said = tag.groupdict() if tag else {}
    row = _row(family, said, platform)
    vendor = family.get("vendor", "")
    known = row if row is not None else {}
    held = dict.fromkeys([*known.get("may_hold", ()), *family.get("may_hold", ())], "")
    release = said.get("torch") or ""
    version = known.get("version", "")
    if not vendor:
        release = release if row is not None else ""
        release = release or version.partition("+")[0]
        held |= {each: companions_of(release).get(each, "") for each in known.get("companions", ())}
    build = known.get("build", "").replace("{cuda}", (said.get("cuda") or "").replace(".", ""))
    unknown = "" if vendor or release else family.get("unknown", _UNKNOWN)
    if not vendor and "channel" not in known and _never_built(release, build):
        unknown, release, build = f"torch {release} was never built as {build}", "", ""
    return Image(
        name,
        family["title"],
        known.get("python") or _python(said.get("python") or ""),
        known.get("libc") or _libc(f"ubuntu{said['ubuntu']}" if said.get("ubuntu") else name),
        tuple(family.get("platforms", ())),
        "" if vendor else release,
        build or ("" if vendor else version.partition("+")[2]),
        known.get("channel", "pip"),
        MappingProxyType({} if unknown else held | known.get("holds", {})),
        vendor,
        version,
        release,
        unknown,
        known.get("kind", family["kind"]),
        tuple(known.get("sources", family["sources"])),
    )


@cache
def _never_built(torch: str, build: str) -> bool:
    """Whether the PyTorch index certainly never had this build, so that no image has it."""
    from torchlock.knowledge.builds import build_table

    return bool(torch and build) and build_table().published("torch", torch, build) is False


def _row(family: Mapping[str, Any], said: Mapping[str, str | None], platform: str) -> Mapping[str, Any] | None:
    """The first row that covers a tag."""
    for row in family["rows"]:
        if row.get("platform", platform) != platform or row.get("cuda", said.get("cuda")) != said.get("cuda"):
            continue
        if said.get("release") in row.get("tags", ()) or _covers(row.get("torch"), said.get("torch")):
            found: Mapping[str, Any] = row
            return found
    return None


def _covers(specifier: str | None, release: str | None) -> bool:
    if not specifier or not release:
        return False
    from packaging.specifiers import SpecifierSet

    return SpecifierSet(specifier).contains(release)


def _tag(name: str) -> str:
    """The tag of an image; "" without one, or if a digest replaces it."""
    return name.rpartition("/")[2].partition("@")[0].partition(":")[2]


def _python(text: str) -> str:
    """A version from a tag: ``3.10``, or ``311`` for 3.11."""
    return f"{text[0]}.{text[1:]}" if text and "." not in text else text


def _libc(name: str) -> str:
    """The C library of the system that a word of the name names, or ""."""
    return _of_word("words", name)


def _of_word(key: str, name: str) -> str:
    """What the table has for the first word that is in the name, or ""."""
    words: Mapping[str, str] = _table()["bare"][key]
    return next((value for word, value in words.items() if word in name.lower()), "")


def companions_of(torch: str) -> Mapping[str, str]:
    """The companions of a release of torch with their versions; 2.8 means 2.8.0."""
    trains: Mapping[str, Mapping[str, str]] = _table()["trains"]
    return trains.get(torch) or trains.get(f"{torch}.0") or {}


def fits_a_torch_of(name: str, version: str, specifier: str) -> bool:
    """Whether a companion of this version belongs to a known release of torch that a specifier set allows."""
    from packaging.specifiers import SpecifierSet

    allowed = SpecifierSet(specifier)
    trains: Mapping[str, Mapping[str, str]] = _table()["trains"]
    return any(each.get(name) == version and allowed.contains(torch) for torch, each in trains.items())


@cache
def _families() -> list[dict[str, Any]]:
    families: list[dict[str, Any]] = _table()["families"]
    return families


def _table() -> dict[str, Any]:
    return tables.load_compiled("images.json")
