"""Addresses of repositories in pip's notation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torchlock.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Mapping

_REFERENCES = ("rev", "tag", "branch", "ref")
# Git's short form: user@host:path.
_NAME = pattern(r"^(?:git|hg|svn|bzr)\+[^#?\s]*?/([\w-][\w.-]*?)(?:\.git)?/?(?:@[^/#\s]*)?(?:#\S*)?$")
_SHORT = pattern(r"([\w.-]+@[\w.-]+):(?!/)([^:]+)")


def repository_address(kind: str, address: str, table: Mapping[str, Any]) -> str:
    """``git+https://…@v1#subdirectory=python``; ``table`` names the revision and the subdirectory."""
    short = _SHORT.fullmatch(address)
    if short:
        address = f"ssh://{short[1]}/{short[2]}"
    address = address.removeprefix(f"{kind}+")
    address, hash_sign, fragment = address.partition("#")
    reference = next((f"@{table[key]}" for key in _REFERENCES if isinstance(table.get(key), str)), "")
    return f"{kind}+{address}{reference}{hash_sign}{fragment}{'' if fragment else subdirectory(table)}"


def repository_name(address: str) -> str:
    """The name of a repository, which is mostly that of its project; "" if the address is none of a repository."""
    match = _NAME.search(address)
    return match[1] if match else ""


def subdirectory(table: Mapping[str, Any]) -> str:
    """The URL fragment for a subdirectory, "" if there is none."""
    part = table.get("subdirectory")
    return f"#subdirectory={part}" if isinstance(part, str) else ""
