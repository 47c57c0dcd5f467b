"""What other tools wrote into a pylock.toml, kept when torchlock writes the file again.

torchlock writes the keys of PEP 751 that it knows. Keys of others are theirs: ``[tool.NAME]``, ``packages.tool``,
the attestations of a package, and keys of later versions of the format.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from torchlock.manifests.syntax.toml_values import loads
from torchlock.standards.names import normalise
from torchlock.standards.toml_text import key, pairs, value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# The keys of PEP 751 that a new lock states itself, or leaves out because they would be wrong in it.
_TOP = frozenset(
    {
        *("lock-version", "environments", "requires-python", "extras", "dependency-groups", "default-groups"),
        *("created-by", "packages", "tool"),
    }
)
_OF_PACKAGE = frozenset(
    {
        *("name", "version", "marker", "index", "sdist", "wheels", "archive", "vcs", "directory"),
        *("dependencies", "requires-python", "attestation-identities", "variants-json"),
    }
)
_OF_FILE = frozenset({"name", "upload-time", "url", "path", "size", "hashes"})
_BLOCK = re.compile(r"^\[\[packages\]\]\n(?:[^\n]+\n)*", re.MULTILINE)


def with_kept_keys(text: str, old: str) -> str:
    """The text of a new lock with the keys that other tools wrote into the old one.

    A key of a package stays if the new lock has the same release, and one of a file if it has the same file.
    ``requires-python`` stays for the same release, ``attestation-identities`` if all its files were in the old
    lock, and ``dependencies`` if all packages that it names are in the new lock.
    """
    try:
        before = loads(old)
        now = loads(text)
    except ValueError:  # a damaged file is replaced with --upgrade
        return text
    top = {name: item for name, item in before.items() if name not in _TOP}
    tools = before.get("tool", {}) if isinstance(before.get("tool"), dict) else {}
    known = _by_release(before)
    packages = iter(now.get("packages", ()))

    def kept(match: re.Match[str]) -> str:
        package = next(packages)
        earlier = known.get(_release(package), {})
        block = _with_keys_of_files(match[0], package, earlier)
        more = dict(_of_package(package, earlier, now))
        return block + "".join(f"{line}\n" for line in pairs(more))

    text = _BLOCK.sub(kept, text)
    if top:
        lines = "".join(f"{line}\n" for line in pairs(top))
        text = re.sub(r"(?m)^created-by = .*\n", lambda match: match[0] + lines, text, count=1)
    plain = {name: item for name, item in tools.items() if not isinstance(item, dict)}
    for name, table in (
        ("tool", plain),
        *((f"tool.{key(name)}", tools[name]) for name in tools if name not in plain),
    ):
        if table and name != "tool.torchlock":
            text += "\n" + "\n".join([f"[{name}]", *pairs(table)]) + "\n"
    return text


def _release(package: Mapping[str, Any]) -> tuple[str, str]:
    return normalise(str(package.get("name", ""))), str(package.get("version", ""))


def _by_release(document: Mapping[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """The packages by name and version; of several the first."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for package in document.get("packages", ()):
        if isinstance(package, dict):
            found.setdefault(_release(package), package)
    return found


def _of_package(
    package: Mapping[str, Any], earlier: Mapping[str, Any], now: Mapping[str, Any]
) -> Iterator[tuple[str, Any]]:
    """The keys of a package that stay."""
    for name, item in earlier.items():
        if name not in _OF_PACKAGE or name == "requires-python":
            yield name, item
        elif name == "attestation-identities":
            if set(_files(package)) <= set(_files(earlier)):
                yield name, item
        elif name == "dependencies" and all(_is_locked(each, now) for each in item):
            yield name, item


def _is_locked(reference: object, now: Mapping[str, Any]) -> bool:
    """Whether a lock has the package that an entry of ``dependencies`` names, by any of its keys."""
    if not isinstance(reference, dict):
        return False
    return any(all(package.get(name) == item for name, item in reference.items()) for package in now["packages"])


def _files(package: Mapping[str, Any]) -> dict[tuple[str, ...], dict[str, Any]]:
    """The files of a package by their hashes."""
    listed = [package.get("sdist"), package.get("archive"), *package.get("wheels", ())]
    return {
        tuple(sorted(f"{name}:{digest}" for name, digest in file.get("hashes", {}).items())): file
        for file in listed
        if isinstance(file, dict)
    }


def _with_keys_of_files(block: str, package: Mapping[str, Any], earlier: Mapping[str, Any]) -> str:
    """The lines of a package, each file with the keys that it had and that torchlock does not write."""
    old = _files(earlier)
    more = {
        hashes[-1].partition(":")[2]: ", ".join(f"{key(name)} = {value(item)}" for name, item in others.items())
        for hashes in _files(package)
        if hashes
        and (others := {name: item for name, item in old.get(hashes, {}).items() if name not in _OF_FILE})
    }
    if not more:
        return block
    lines = block.split("\n")
    for number, line in enumerate(lines):
        added = next((text for digest, text in more.items() if f'"{digest}"' in line), "")
        if added:
            start, end, comma = line.rpartition(" }")
            lines[number] = f"{start}, {added}{end}{comma}"
    return "\n".join(lines)
