"""Locks of the catalogue as pylock.toml."""

from __future__ import annotations

from support.fixed_source import FixedSource
from torchlock.errors import UnknownPackage
from torchlock.knowledge.releases import Catalogue
from torchlock.knowledge.rules import Matrix
from torchlock.lock import Lock, Options, lock
from torchlock.manifests.syntax.requirement import parse_requirement
from torchlock.report import pylock_toml
from torchlock.standards.index_file import File
from torchlock.target import Platform, PythonVersion, Target
from torchlock.terms import Inputs, Origin


def locked(*requests: str, platform: str = "linux-x86_64") -> Lock:
    catalogue = Catalogue()

    def releases(name: str):
        found = catalogue.releases(name)
        if found is None:
            raise UnknownPackage(name, name)
        return found

    inputs = Inputs(requirements=[parse_requirement(text, Origin(None, None, text)) for text in requests])
    target = Target(PythonVersion.parse("3.12"), Platform.parse(platform))
    result = lock(inputs, target, Options(), Matrix(), FixedSource(releases))
    assert isinstance(result, Lock)
    return result


def address(name: str, file: File) -> str:
    return f"https://files.example.org/{file.url}"


def rendered(result: Lock) -> str:
    return pylock_toml.render(result, address=address, command="torchlock lock", data_date="2026-11-23")
