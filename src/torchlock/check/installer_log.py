"""What an installer printed: its command, the requirement that failed, the file, the indexes, and the hashes.

pip, uv, poetry, pdm and conda are known. Only what the text states is returned; the rest is empty.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from torchlock.check.log import plain_lines
from torchlock.knowledge.indexes import PUBLIC_NAME
from torchlock.standards.filenames import file_name
from torchlock.standards.names import normalise

if TYPE_CHECKING:
    from collections.abc import Iterator

# The installer's own words come before and near its failure.
_MOST_LINES = 20_000
_LONGEST = 2000
_COMMAND = re.compile(
    r"(?:\bpip3?(?:\.\d{1,2})?(?:\.exe)?|\buv pip|\buv|\bpoetry|\bpdm|\bconda|\bmamba|\bpipenv)"
    r" (?:install|add|sync|lock|create|update|download|run|wheel)\b(?:(?!&&)[^\n`'\"]){0,900}"
)
# A command that conda or uv runs in one of their environments.
_RUN_IN = re.compile(
    r"^(?:conda|mamba|uv) run (?:-{1,2}[\w-]{1,30}(?:[ =][\w./\\-]{1,200})? ){0,4}(?=(?:python3? -m )?pip)"
)
# What ends a command: another one, a redirection, a comment; and the words of docker behind it.
_COMMAND_END = re.compile(
    r"\s(?:&&|\|\||;|>|2>|#)(?:\s|$)|\]?: (?:exit code|executor failed)|\]:(?:\s|$)|:\s{2,}|:$"
)
# BuildKit cuts the command of a step to the width of its line.
_STEP = re.compile(r"^\s{0,8}(?:#\d{1,4} )?=> ")
# Commands that the installers themselves suggest.
_ADVICE = re.compile(r"\[notice\]|hint:|upgrade pip|--upgrade pip|consider upgrading|^note:|Try ", re.IGNORECASE)
_VERSIONS = r"(?:[=<>!~]=?=? ?[\w.*+!-]{1,60},? ?){0,6}"
# uv writes the markers of a requirement after its name: torch{sys_platform == 'linux'}==2.11.0+cpu.
_MARKERS = r"(?:\{[^{}\n]{1,300}\})?"
_WORD = rf"[A-Za-z0-9][\w.-]{{0,80}}(?:\[[\w, .-]{{0,80}}\])?{_MARKERS} ?{_VERSIONS}"
# A requirement of which no file was found, as each installer names it.
_ABSENT = (
    re.compile(rf"satisfies the requirement ({_WORD})"),
    re.compile(rf"No matching distribution found for ({_WORD})"),
    re.compile(rf"there (?:is|are) no versions? of ({_WORD})"),
    re.compile(rf"[Bb]ecause ({_WORD}) has no (?:wheels|usable wheels|compatible wheels)"),
    re.compile(rf"(?<![\w.'-])({_WORD}) has no wheels? with a matching"),
    re.compile(rf"[Dd]istribution [`\"']?({_WORD}) @ "),
    re.compile(rf"Unable to find (?:installation )?candidates for ({_WORD}(?:\([\w.+!-]{{1,60}}\))?)"),
    re.compile(rf"({_WORD}\([\w.+!-]{{1,60}}\)) which doesn't match any versions"),
    re.compile(rf"[Bb]ecause ({_WORD}) was not found in the"),
    re.compile(rf"No candidate is found for `?({_WORD})"),
)
# A requirement that failed for another reason.
_FAILED = (
    re.compile(rf"Hash mismatch for `({_WORD})"),
    re.compile(
        rf"Failed to (?:build|download(?: and build)?|install"
        rf"|prepare distribution[^`\n]{{0,20}})[: ]{{1,2}}`({_WORD})"
    ),
    re.compile(rf"Failed building wheel for ({_WORD})"),
    re.compile(rf"Failed to build (?:installable wheels for [^(\n]{{0,80}}\()?({_WORD})"),
)
# What says that the installer saw this release, in a lock or on a page, and no file of it for this target.
_LISTED = re.compile(
    r"[Dd]istribution [`\"']?[^`\n]{1,200} @ |has no (?:usable |compatible )?wheels? with a matching"
    r"|Unable to find (?:installation )?candidates for [\w.-]{1,80} ?\("
)
# The tags of the files that uv saw instead.
_TAGS = re.compile(
    r"(?:only has wheels for|only found wheels for [^\n]{1,120} with) the following (platforms?|Python ABI tags?"
    r"|Python implementation tags?|Python tags?|platform tags?): ((?:`[\w.]{1,60}`,? ?){1,60})"
)
_POETRY = re.compile(r"([\w.-]{1,80}) ?\(([\w.+!-]{1,60})\)")
_OFFERED = re.compile(r"\(from versions: ([^)\n]{0,1800})\)?")
_INDEXES = re.compile(r"Looking in (indexes|links): ([^\n]{1,900})")
_REPLACED = re.compile(r"\s(?:-i|--index-url|--default-index|--no-index)\b")
# uv takes the first index that has a project, and names it if that one lacks the release.
_HINTS = 20
_FIRST_INDEX = re.compile(
    r"`[\w.-]{1,80}` was found on (https?://[^\s,]{1,300}), but not at the requested version"
)
_OPTION = re.compile(
    r"(?:-i|--index-url|--extra-index-url|-f|--find-links|--index|--default-index)[ =]([^\s'\"]{1,300})"
)
_WHEEL = re.compile(r"(?<![\w.%+-])([\w%+.-]{3,200}\.(?:whl|tar\.gz|zip|conda|tar\.bz2))(?![\w.])")
_NAMED = re.compile(r"([\w.]{1,80})-([\w.+!%]{1,60})-[^/]{3,120}\.whl")
# The failure is about this very file, whatever was collected before it.
_REFUSED = re.compile(rf"(?<![\w.%+-]){_NAMED.pattern} is not a supported wheel")
_DIGEST = re.compile(r"\b([0-9a-f]{64})\b")
# The member of a wheel that is damaged; the folder of an NVIDIA package has two parts.
_INSIDE = re.compile(r"Bad CRC-32 for file '(nvidia/\w{1,40}|\w{1,60})/")
# The folder of a package in the path of a file; that of an NVIDIA package has two parts.
_IN_SITE = re.compile(r"-packages[/\\]{1,2}(nvidia[/\\]{1,2}\w{1,40}|\w{1,60})")
# conda collects metadata.
_COLLECTING = re.compile(rf"Collecting (?!package metadata)({_WORD})")
# A source in a repository: its name is the last part of the address, and pip takes it as it is written.
_FROM_REPOSITORY = re.compile(
    r"Collecting (?:[\w.-]{1,80} ?@ ?)?"
    r"(?P<address>(?:git|hg|svn|bzr)\+[\w.:/@~%+-]{1,300}?/(?P<name>[\w.-]{1,80}?)"
    r"(?:\.git)?(?:@[\w./+-]{1,100})?(?:#\S{1,200})?)(?=[\s'\"]|$)"
)
_UNPACKING = re.compile(r"Using cached|Downloading|Processing|Requested")
_WORKING = re.compile(
    r"^\s{0,12}(?:Collecting |Downloading |Using cached |Installing collected packages|Building wheel|Resolved \d"
    r"|Prepared \d|Looking in (?:indexes|links)|Solving environment|Installing dependencies from lock file)"
    r"|Could not install packages|pip[._/\\](?:_vendor|_internal)|Failed to (?:install|extract|download|build)"
    r"|No matching distribution|Long Path support|enable-long-paths|externally-managed"
    r"|DO NOT MATCH THE HASHES|Consider using the .--user|pip-req-build-|Running command git|git clone --filter"
    r"|Request failed after \d{1,3} retries"
)
_DONE = re.compile(
    r"Successfully installed |^\s{0,4}Installed \d{1,5} packages?|Requirement already satisfied: pip "
)
# pip tries again, and then says that it found no version.
_OFFLINE = re.compile(
    r"Retrying \(Retry\(total=0\b.{0,300}(?:NewConnectionError|ConnectTimeoutError|ProxyError|SSLError|ReadTimeout"
    r"|Connection(?:Reset|Refused)?Error|name resolution|RemoteDisconnected)"
)

# What says that a project is installed: pip, and a line of uv.
_THERE = re.compile(
    r"\s{0,4}(?:Requirement already satisfied: |[+~] )([A-Za-z0-9][\w.-]{0,80}?)(?:\[|[=<>!~]=| in |$)"
)
# An argument that names a project.
_PROJECT = re.compile(r"['\"]?([A-Za-z0-9][\w.-]{0,80})(?:\[[\w,.-]{0,80}\])?(?:[=<>!~]=?[^\s'\"]{0,80})?['\"]?")
_ORIGIN = re.compile(r"\(from -r ([\w./\\-]{1,200}) \(line \d")


# Words by which an installer is known, if its command is not in the log.
_SIGNS = (
    (
        "uv",
        re.compile(
            r"No solution found when resolving|╰─▶|found distribution [^\n]{1,200} with neither wheels"
            r"|hint: You're on|UV_HTTP_TIMEOUT|Caused by: Failed to extract"
        ),
    ),
    ("poetry", re.compile(r"poetry|Unable to find installation candidates for")),
    ("pdm", re.compile(r"\bpdm\b|CandidateNotFound")),
    ("conda", re.compile(r"Conda[A-Z]\w{1,40}Error|Solving environment|PackagesNotFoundError")),
    ("pip", re.compile(r"Collecting |pip|ERROR: ")),
)


class Installation(NamedTuple):
    """What a log shows of an installation that failed.

    ``tool`` is ``pip``, ``uv``, ``poetry``, ``pdm``, ``conda`` or ""; ``command`` is the line that was run.
    ``name`` and ``specifier`` are the requirement that failed; ``file`` is the archive that the failure is about,
    ``source`` the line that named it. ``indexes`` are the addresses that were asked. ``offered`` are the versions
    that the installer saw; None if the log does not list them. ``expected`` and ``got`` are SHA-256 hashes.
    ``installing`` are the projects that were being installed, ``requested`` the arguments of the user, as far as
    the log shows them; ``near`` the lines around the failure. ``is_absent``: no file of it was found.
    ``is_listed``: the installer saw the release, and only files for other Pythons or platforms; ``tags`` are the
    tags of these, as far as it shows them.
    ``is_past``: the package was installed later in the log. ``is_at_work``: an installer printed these lines.
    ``is_offline``: no index answered: all that the installer saw follows from this. ``is_first_index``: uv asked
    one index alone, because it was the first with the project, and names it.
    """

    tool: str = ""
    command: str = ""
    name: str = ""
    specifier: str = ""
    file: str = ""
    source: str = ""
    indexes: tuple[str, ...] = ()
    offered: tuple[str, ...] | None = None
    expected: tuple[str, ...] = ()
    got: str = ""
    installing: tuple[str, ...] = ()
    requested: tuple[str, ...] = ()
    near: str = ""
    is_absent: bool = False
    is_listed: bool = False
    tags: tuple[str, ...] = ()
    is_past: bool = False
    is_at_work: bool = False
    is_offline: bool = False
    is_first_index: bool = False

    @property
    def version(self) -> str:
        """The version of an exact pin, with its label; "" for any other requirement."""
        found = re.fullmatch(r"={2,3} ?([\w.+!-]{1,60})", self.specifier)
        return found[1] if found and "*" not in found[1] else ""

    @property
    def requirement(self) -> str:
        """The requirement as it is written on a command line."""
        return f"{self.name}{self.specifier}"


def read_installation(text: str, line: int) -> Installation:
    """Read what an installer printed. ``line`` is the number (from 1) of the line that shows the failure."""
    lines = _lines(text)
    before, after = lines[max(0, line - _MOST_LINES) : line], lines[line - 1 : line + 60]
    command = _command(before) or _command(after)
    file, source = _file(before, after)
    name, specifier, is_absent = _requirement(before, after)
    named = _of_wheel(_NAMED.match(file))
    if named is not None and not name:
        name, specifier = named
    if is_absent and (named is None or named[0] != name):
        file, source = "", ""  # It belongs to what was installed before.
    offered = next((match[1] for each in [*after[:3], *before[-6:]] if (match := _OFFERED.search(each))), None)
    expected, got = _hashes(after)
    return Installation(
        _tool(command, lines[max(0, line - 200) : line + 60]),
        command,
        name,
        specifier,
        file,
        source,
        tuple(dict.fromkeys([*_indexes(before, command), *_first_index(after)])),
        None
        if offered is None
        else tuple(each for each in re.split(r"[, ]+", offered) if each not in ("none", "")),
        expected,
        got,
        _installing(before),
        _requested(before),
        "\n".join(lines[max(0, line - 6) : line + 40]),
        is_absent,
        is_absent and any(_LISTED.search(each) for each in _near(before, after)),
        _tags(after),
        _is_past(lines[line:], {name} if name else _names_in(command, [*before, *after])),
        _is_at_work([*before, *after[1:12]]) or bool(command),
        not (offered or "").replace("none", "").strip() and any(map(_OFFLINE.search, before[-12:])),
        any(_first_index(after)),
    )


def _lines(text: str) -> list[str]:
    """The lines of a log, at the place of their number. A line with a progress bar has several parts."""
    lines: list[str] = []
    for number, part in plain_lines(text):
        lines += [""] * (number - len(lines))
        lines[number - 1] = f"{lines[number - 1]} {part}"[:_LONGEST] if lines[number - 1] else part[:_LONGEST]
    return lines


def _command(lines: list[str]) -> str:
    """The last command of an installer; of several on a line, the one that names torch or a file."""
    for each in reversed(lines):
        is_other = _ADVICE.search(each) or _STEP.search(each)
        found = [match[0] for match in _COMMAND.finditer(each)] if not is_other else []
        found = [_RUN_IN.sub("", each, count=1) for each in found]
        parts = [_COMMAND_END.split(part.strip(), maxsplit=1)[0].rstrip(" ).") for part in found]
        if parts:
            return next((part for part in parts if re.search(r"torch| -r ", part)), parts[-1])
    return ""


def _tool(command: str, lines: list[str]) -> str:
    if command:
        return re.sub(r"pip3?[\d.]*(?:\.exe)?|pipenv", "pip", command.split(" ")[0]).replace("mamba", "conda")
    text = "\n".join(lines)
    return next((tool for tool, sign in _SIGNS if sign.search(text)), "")


def _requirement(before: list[str], after: list[str]) -> tuple[str, str, bool]:
    """The name and the specifier of what failed, and whether no file of it was found.

    It is named near the failure (uv breaks its lines); else it is what was last collected.
    """
    if after and (named := _of_wheel(_REFUSED.search(after[0]))):
        return *named, True
    near = _near(before, after)
    for patterns in (_ABSENT, _FAILED):
        for each in near:
            for pattern in patterns:
                if (found := pattern.search(each)) is not None:
                    return *_split(found[1]), patterns is _ABSENT
    collected = [taken for each in before if (taken := _collected(each)) is not None]
    if (installing := _at_installing(before)) and after:
        wanted = _written(after[0], installing)
        return *next((each for each in reversed(collected) if each[0] == wanted), (wanted, "")), False
    return *(collected[-1] if collected else ("", "")), False


def _collected(line: str) -> tuple[str, str] | None:
    """The name and the specifier of what pip begins to collect; for a repository its address is the specifier."""
    if (source := _FROM_REPOSITORY.search(line)) is not None:
        return normalise(source["name"]), f" @ {source['address']}"
    found = _COLLECTING.search(line)
    return _split(found[1]) if found is not None else None


def _at_installing(before: list[str]) -> tuple[str, ...]:
    """The projects that pip installs after it collected them all; none while it still collects."""
    for each in reversed(before):
        if "Installing collected packages:" in each:
            return _installing([each])
        if _COLLECTING.search(each) or _UNPACKING.search(each):
            return ()
    return ()


def _written(line: str, projects: tuple[str, ...]) -> str:
    """The project of which a failure names a file, of those that are installed; "" if it is unknown."""
    path = _IN_SITE.search(line)
    if path is None:
        return projects[0] if len(projects) == 1 else ""
    name = normalise(re.sub(r"[/\\]+", "-", path[1]))
    return next((each for each in projects if each == name or each.startswith(f"{name}-cu")), "")


def _of_wheel(found: re.Match[str] | None) -> tuple[str, str] | None:
    """The name and the specifier of a wheel, by the name of its file."""
    return None if found is None else (normalise(found[1]), f"=={file_name(found[2])}")


def _near(before: list[str], after: list[str]) -> list[str]:
    """The lines at a failure, and those after it as one, because uv breaks its sentences."""
    return [*after[:12], " ".join(each.strip() for each in after[:25]), *reversed(before[-3:])]


def _tags(after: list[str]) -> tuple[str, ...]:
    """The tags that uv lists: of platforms, or of Pythons."""
    found = _TAGS.search(" ".join(each.strip() for each in after[:25]))
    return tuple(re.findall(r"`([\w.]{1,60})`", found[2])) if found else ()


def _split(written: str) -> tuple[str, str]:
    if poetry := _POETRY.match(written):
        return normalise(poetry[1]), f"=={poetry[2]}"
    name = re.match(r"[\w.-]{1,80}", written)
    rest = re.sub(r"^(?:\[[^\]]{0,80}\])?(?:\{[^}]{0,300}\})?", "", written[name.end() :] if name else "")
    return (normalise(name[0].rstrip(".-")), rest.replace(" ", "").rstrip(",")) if name else ("", "")


def _file(before: list[str], after: list[str]) -> tuple[str, str]:
    """The archive that the failure names, else the last one before it; and the line with its name.

    Of several archives, it is the one whose content the failure names: ``torch/lib/...`` is in that of torch.
    """
    inside = next((match for each in after[:12] if (match := _INSIDE.search(each))), None)
    stem = re.sub(r"[/-]", "_", inside[1]).lower() if inside else ""
    is_one = len(_at_installing(before)) in (0, 1)
    for each in [*after[:6], *(reversed(before) if stem or is_one else ())]:
        found = _WHEEL.search(each)
        if found is None or not (each in after[:6] or _UNPACKING.search(each)):
            continue
        name = file_name(found[1])
        if not stem or name.lower().replace("-", "_").startswith(f"{stem}_"):
            return name, each.strip()
    return "", ""


def _indexes(lines: list[str], command: str) -> Iterator[str]:
    """The addresses that were asked. What is only added to the public index does not replace it."""
    listed = [found for each in lines if (found := _INDEXES.search(each)) is not None]
    added = [*(part for each in listed for part in re.split(r"[, ]+", each[2].strip())), *_OPTION.findall(command)]
    yield from added
    is_replaced = any(each[1] == "indexes" for each in listed) or _REPLACED.search(command) is not None
    if added and not is_replaced:
        yield PUBLIC_NAME


def _first_index(lines: list[str]) -> Iterator[str]:
    """The index that uv names because it took that one alone."""
    found = _FIRST_INDEX.search(" ".join(" ".join(lines[:_HINTS]).split()))
    if found is not None:
        yield found[1]


def _hashes(lines: list[str]) -> tuple[tuple[str, ...], str]:
    """The hashes that were expected, and the one of the file."""
    expected: list[str] = []
    mode = ""
    for each in lines[:40]:
        word = re.search(r"Expected|\bor\b|Got|Computed|known hashes|digest", each)
        mode = word[0] if word else mode
        for digest in _DIGEST.findall(each):
            if mode in ("Got", "Computed"):
                return tuple(expected), digest
            if mode in ("Expected", "or"):
                expected.append(digest)
    return tuple(expected), ""


def _names_in(command: str, lines: list[str]) -> set[str]:
    """The projects that a command of an installer names; what it has in quotes is only in its line."""
    line = next((each for each in reversed(lines) if command in each), "") if command else ""
    written = f"{command}{line.partition(command)[2]}" if line else ""
    words = (_PROJECT.fullmatch(word) for word in written.split()[2:])
    return {normalise(found[1]) for found in words if found is not None}


def _is_past(lines: list[str], names: set[str]) -> bool:
    """Whether an installer says later that it installed one of these packages, or that it is there."""
    for each in lines if names else ():
        done = [normalise(word) for word in each.split()] if "Successfully installed" in each else []
        if any(_is_release(word, name) for word in done for name in names):
            return True
        found = _THERE.match(each)
        if found is not None and normalise(found[1]) in names:
            return True
    return False


def _is_release(word: str, name: str) -> bool:
    return word.startswith(f"{name}-") and word[len(name) + 1 : len(name) + 2].isdigit()


def _is_at_work(lines: list[str]) -> bool:
    """Whether these lines are those of an installer that was not done yet."""
    for each in reversed(lines):
        if _WORKING.search(each):
            return True
        if _DONE.search(each):
            return False
    return False


def _requested(lines: list[str]) -> tuple[str, ...]:
    """The requirements that no other package asked for; a file of requirements as ``-r`` and its name."""
    found: dict[str, None] = {}
    for each in lines[-2000:]:
        if (origin := _ORIGIN.search(each)) is not None:
            return ("-r", origin[1])
        if (wanted := _collected(each)) is not None and "(from " not in each:
            found["".join(wanted)] = None
    return tuple(found)[:20]


def _installing(lines: list[str]) -> tuple[str, ...]:
    for each in reversed(lines):
        if "Installing collected packages:" in each:
            return tuple(normalise(name) for name in re.findall(r"[\w.-]+", each.partition("packages:")[2])[:200])
    return ()
