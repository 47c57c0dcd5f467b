"""One requirement: PEP 508, a bare address, or a path; with hints for common mistakes."""

from __future__ import annotations

import re
from contextlib import suppress

from torchlock.errors import InputError
from torchlock.manifests.paths import is_folder, is_there
from torchlock.patterns import pattern
from torchlock.redaction import shortened
from torchlock.standards.filenames import file_name, parse_wheel
from torchlock.standards.markers import fault_of
from torchlock.standards.plain_requirement import plain
from torchlock.standards.versions import fault_of_versions
from torchlock.terms import ParsedRequirement
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.requirements import Requirement

    from torchlock.terms import Origin

_ADDRESS = pattern(r"(?:[a-z][a-z0-9+.-]*://|file:|(?:git|hg|svn|bzr)\+[a-z]+:)", re.IGNORECASE)
# Not an address of a version control system, which has other forms (``git@host:path``).
_FETCHED = pattern(r"(?:[a-z][a-z0-9.-]*://|file:)", re.IGNORECASE)
_PATH = pattern(r"\.{1,2}(?:[/\\\[;\s]|$)|/(?!/)|~/|[A-Za-z]:[/\\]|\\\\")
_PATHS = (".", "/", "~", "\\")
# pip's list.
_ARCHIVES = (
    *(".whl", ".zip", ".tar", ".tgz", ".tbz", ".txz", ".tlz"),
    *(".tar.gz", ".tar.bz2", ".tar.xz", ".tar.lz", ".tar.lzma"),
)
_EXTRAS = pattern(r"\[[^\[\]]*\]$")
_EGG = pattern(r"[#&]egg=([^&]*)")
# "requirements.txt" is a valid project name, but the file is meant.
_FILE = pattern(r"requirements?[\w.-]*\.(?:txt|in)$", re.IGNORECASE)

# Besides packaging's InvalidRequirement, the errors for odd strings and for deeply nested markers.
_UNPARSED = (ValueError, SyntaxError, RecursionError)
# No real requirement is longer: such a line is something else, and is quoted in part.
_LONG = 500

# Common mistakes, and the hint for each; the first match counts.
_EGG_VERSION = pattern(r"[#&]egg=[^&=<>!~]*[=<>!~]")
_REPOSITORY = pattern(r"(?:git|hg|svn|bzr)\+")
_MISTAKES = (
    (r"^(<<<<<<<|=======|>>>>>>>|\|\|\|\|\|\|\|)", "a merge conflict was left in the file"),
    (r"[\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb]", "these are typographic quotes: use plain ones"),
    (r"[\u2010-\u2015\u2212]", "this is a typographic dash: use a plain hyphen"),
    (r"[\xa0\u200b\u200c\u200d\u2060\ufeff]", "it contains an invisible character: type the line again"),
    (r"^(import|from)\s+\w", "this is Python code; name the project that the module comes from"),
    (r"^!?(%?pip3?|conda|mamba|uv|python3?|apt(-get)?|sudo)\s+\w", "this is a command; write what it installs"),
    (r"^//", "a comment begins with #"),
    (r"^#", "it is a comment, which an element of a list cannot be: remove it"),
    (r"\\$", "text follows the backslash, so the line does not continue"),
    (r"^([\"'])(.+)\1,?$", r"without the quotes: \2"),
    (r"^[\w.-]+::", "conda names a channel like this; write only the project"),
    (r"^pytorch(?=\s*(?:=\s*)?\d|=)\s*(?:=\s*)?([\w.]+)", r"the project is called torch: torch==\1"),
    (r"^([\w.-]+)=([\d.]+)=\w+$", r"this is conda's name=version=build; a pin is \1==\2"),
    (r"^([\w.-]+(?:\[[^\]]*\])?)\s*=\s*([\w.*+!]+)\s*(?:;.*)?$", r"a pin takes two equals signs: \1==\2"),
    (r"^([\w.-]+(?:\[[^\]]*\])?)\s*=([<>])\s*(\d[\w.]*)", r"the equals sign comes last: \1\2=\3"),
    (r"^([\w.-]+(?:\[[^\]]*\])?)\s+(\d[\w.]*)$", r"a version needs an operator: \1==\2"),
    (r"\d[\w.*]*\s+[<>=!~]=?", "commas separate clauses, as in torch>=2.0,<3"),
    (r"[<>]=?\s*[\d.]+\.\*|~=\s*[\d.]+\.\*", "a wildcard works only with == and !=: remove the .*"),
    (r"[<>~]=?\s*[\w.]+\+\w", "a local version (+…) works only with == and !="),
    (r"[\^]\s*\d", "^ is an operator of poetry; write a range, as in >=2.0,<3"),
    (r"\d\.(?=[\s,;]|$)", "a version does not end with a dot"),
    (r"^(?:git\+)?(git@[\w.-]+):(.+)", r"a repository is written git+ssh://\1/\2"),
    (r"\t--?[a-z]", "pip allows no tab in front of an option: use a space"),
    (r"^\[", "a requirements file has no sections"),
    (r"\S#", "a comment needs a space in front of its #"),
    (r"^[\w.-]+(\[[^\]]*\])?[<>=!~]=?\S+\s+[A-Za-z][\w.-]*", "write one requirement per line"),
    (r"^[\w.-]+:(\s|$)", "this looks like a conda environment file, not a requirements file"),
)  # fmt: skip


def parse_requirement(
    text: str, origin: Origin, *, hashes: tuple[str, ...] = (), editable: bool = False
) -> ParsedRequirement:
    """Read one requirement as its author wrote it.

    Raises:
        InputError: no installer can read it; the hint suggests a correction.
    """
    text = text.strip()
    if editable or _is_location(text):
        written = _located(text, origin, hashes, editable)
    else:
        requirement = _parsed(text, origin)
        is_list = text[:11].lower() == "requirement" and _FILE.match(text)
        if is_list or (origin.path is None and _names_a_file(text)):
            raise _invalid("this is the name of a file", origin, hint=f"did you mean -r {text}?")
        written = ParsedRequirement(requirement, origin, url=requirement.url, hashes=hashes)
    if written.url is not None and _FETCHED.match(written.url):
        _check_address(written.url, origin)
    return written


def _check_address(url: str, origin: Origin) -> None:
    from torchlock.standards.urls import NO_URL, is_url

    if not is_url(url):
        raise _invalid(f"its address {NO_URL}", origin, hint=None)


def _is_location(text: str) -> bool:
    """Whether this is a bare address or path, by pip's rules."""
    if (":" in text or text.startswith(_PATHS)) and (_ADDRESS.match(text) or _PATH.match(text)):
        return True
    path = text.partition(";")[0].strip()
    path = _EXTRAS.sub("", path) if path.endswith("]") else path
    if path.lower().endswith(_ARCHIVES) and not re.search(r"@|[<>=!~]=", path):
        return True
    return "/" in path and "@" not in path and is_folder(path)


def _parsed(text: str, origin: Origin) -> Requirement:
    """A requirement with a plausible address: PEP 508 allows any text as an address."""
    if found := plain(text):
        return found
    requirement = _pep_508(text, origin)
    if fault := fault_of_versions(requirement):
        raise _invalid(fault, origin, hint=None)
    if fault := fault_of(str(requirement.marker or "")):
        raise _invalid(f"its marker is invalid: {fault}", origin, hint=None)
    url = requirement.url or ""
    if re.fullmatch(r"v?\d+(\.\w+)*", url):
        hint = f"a pin takes two equals signs: {requirement.name}=={url.removeprefix('v')}"
        raise _invalid("a version is not an address", origin, hint=hint)
    if re.match(r"git@[\w.-]+:", text):
        raise _invalid(
            "this is git's short form of an address, which pip does not accept", origin, hint=_hint(text, origin)
        )
    return requirement


def _pep_508(text: str, origin: Origin) -> Requirement:
    """A PEP 508 requirement; as in pip, with an empty marker or without the space before the marker of a URL."""
    from packaging.requirements import Requirement

    head, _, marker = text.partition(";")
    if "@" in head or not marker.strip():
        # Strictly, all text behind an address without a space belongs to the address.
        with suppress(*_UNPARSED):
            return Requirement(f"{head} ;{marker}" if marker.strip() else head)
    try:
        return Requirement(text)
    except _UNPARSED as error:
        raise _invalid(_reason(error, text, origin), origin, hint=_hint(text, origin)) from error


def _reason(error: Exception, text: str, origin: Origin) -> str:
    """The parser's message as half a sentence, and the text at which it stopped, if the text is as written."""
    if isinstance(error, RecursionError):
        return "its marker is nested too deeply"
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    reason = reason[:1].lower() + reason[1:]
    span = getattr(error.__cause__, "span", None)
    stopped = text[span[1] :].strip() if span else ""
    tell = stopped and stopped != text and len(text) <= _LONG and text in origin.text
    return f"{reason}, at {stopped!r}" if tell else reason


def _invalid(reason: str, origin: Origin, hint: str | None) -> InputError:
    """The error quotes the text as written: environment variables put into it may be secrets."""
    return InputError(
        f"{shortened(origin.text, _LONG)!r} is not a requirement: {reason}",
        path=origin.path,
        line=origin.line,
        hint=hint,
    )


def _hint(text: str, origin: Origin) -> str | None:
    """A suggested correction."""
    if origin.path is None and (_names_a_file(text) or re.search(r"\.(txt|in|toml|cfg)$", text)):
        return f"did you mean -r {text}?"
    if len(text) > _LONG:
        return None
    for mistake, hint in _MISTAKES:
        match = re.search(mistake, text)
        if match:
            return match.expand(hint)
    if re.fullmatch(r"[^\s@]*[/\\][^\s@]*", text):
        return "it looks like a path, but there is no such folder"
    return None


def _names_a_file(text: str) -> bool:
    return text.endswith((".txt", ".in", ".toml", ".cfg", ".py")) and is_there(text)


def _located(text: str, origin: Origin, hashes: tuple[str, ...], editable: bool) -> ParsedRequirement:
    """An address or path, with the requirement that it contains if the text names the project."""
    if editable and not _ADDRESS.match(text) and re.match(r"[\w.-]+(\[[^\]]*\])?\s*(@|[<>=!~]=)", text):
        named = _parsed(text, origin)
        if named.url is None:
            raise _invalid("only a folder or an address can be editable", origin, hint="remove the -e")
        return ParsedRequirement(named, origin, url=named.url, editable=True, hashes=hashes)
    location, _, marker = text.partition("; " if _ADDRESS.match(text) else ";")
    location = location.strip().removesuffix(";")
    name = _name_in(location, origin)
    if editable and name is None and _REPOSITORY.match(location):
        raise _invalid("an editable repository needs its name", origin, hint=f"write {location}#egg=NAME")
    if location.lower().startswith("git://"):
        raise _invalid(
            "pip does not accept an address that begins with git://", origin, hint=f"write git+{location}"
        )
    # An invalid marker is refused even without a name.
    parsed = _parsed(f"{name or 'nameless'} ; {marker}", origin)
    requirement = parsed if name else None
    marker = str(parsed.marker or "")
    return ParsedRequirement(requirement, origin, url=location, editable=editable, hashes=hashes, marker=marker)


def _name_in(location: str, origin: Origin) -> str | None:
    """The project: with its version from the name of a wheel, else from ``#egg=``."""
    egg = _EGG.search(location)
    if _EGG_VERSION.search(location):
        raise _invalid("the egg of an address is a name, without a version", origin, hint=None)
    extras = None if _ADDRESS.match(location) else _EXTRAS.search(location)
    filename = file_name(location[: extras.start() if extras else None])
    if not filename.lower().endswith(".whl"):
        return egg[1] if egg else None
    try:
        name, version, _ = parse_wheel(filename)
    except ValueError as error:
        form = "name-version-python-abi-platform.whl"
        raise _invalid("this is not a valid name of a wheel", origin, hint=f"its form is {form}") from error
    return f"{name}{extras[0] if extras else ''}=={version}"
