"""Every function that answers with knowledge says "unknown" where it does not know; and nobody takes that for no.

The register below names each function of the package whose return type has ``Unknown``, with ways to make it
ignorant: a table without that row, an index that answers nothing, a file that cannot be read.
"""

from __future__ import annotations

import ast
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.markers import Marker
from packaging.version import Version

import torchlock
from support.index_server import Reply, Server, entry, page
from support.site_folder import install, tree, write
from torchlock.answers import Unknown
from torchlock.audit import Auditor, supplies
from torchlock.audit.context import AuditContext, Knowledge
from torchlock.audit.index_builds import Offer
from torchlock.audit.install_sets import InstallSet
from torchlock.audit.page_choice import beside_the_rest, newest_on_page
from torchlock.audit.pair_loading import loads
from torchlock.audit.rules.host_libraries import build_taken
from torchlock.audit.taken_build import taken_builds
from torchlock.check import CheckContext, linking, msys2
from torchlock.check.fix.torch_builds import public_build, public_of
from torchlock.check.index_wheels import has_wheels
from torchlock.check.known_wheels import installs
from torchlock.check.rules import ffmpeg, libsndfile, not_examined, prereleases, versions
from torchlock.check.rules import gpu_code as check_gpu_code
from torchlock.errors import NetworkError, TorchlockError, UnknownPackage
from torchlock.index import Index, digests, read_settings, releases, wheel_build
from torchlock.index.build_releases import DeclaredRelease, FolderRelease, TableRelease
from torchlock.index.build_source import BuildSource
from torchlock.index.cache import Cache
from torchlock.index.direct_url import DirectRelease
from torchlock.index.live_releases import LiveRelease
from torchlock.index.sdist import metadata_of_tree
from torchlock.index.sdist.building import Builder
from torchlock.index.sdist.statement import stated_requirements
from torchlock.index.sources import Sources
from torchlock.inspect import host
from torchlock.inspect.binaries import read_binary
from torchlock.inspect.build import linked_cuda
from torchlock.inspect.gpu_code import gpu_code
from torchlock.inspect.loading.outcome import NotExamined, Outcome
from torchlock.inspect.module_names import ModuleNames
from torchlock.knowledge import accelerators, drivers, gpus, systems
from torchlock.knowledge.build_hashes import HashTable
from torchlock.knowledge.builds import Builds
from torchlock.knowledge.compatibility import CompatibilityTable, Package
from torchlock.knowledge.declared import Declarations, can_meet
from torchlock.knowledge.images import image_of
from torchlock.knowledge.judge import NamedVersion, judge, unjudged
from torchlock.knowledge.releases import Catalogue, CatalogueRelease
from torchlock.knowledge.rules import Matrix, cuda_version
from torchlock.lock.installed_base import base_of_image
from torchlock.manifests import read_document
from torchlock.runtime.files import Tree, Unreadable
from torchlock.solve.candidates import Candidate
from torchlock.solve.kept import KeptRelease
from torchlock.standards import markers
from torchlock.standards.core_metadata import parse_metadata
from torchlock.standards.index_file import File
from torchlock.target import Platform, PythonVersion, Target

# Steps are counted here, or thousands of inputs tried; other tests cover the same code.
pytestmark = pytest.mark.no_cover

SOURCE = Path(torchlock.__file__).parent
TAGS = "cp312-cp312-manylinux_2_28_x86_64"
INSTALLED = "cp311-cp311-manylinux_2_28_x86_64"
LINUX = Platform.parse("linux-x86_64")
NOBODY = Unknown("nobody looked")

# Functions whose type has ``Unknown``, and that never give it: what they do instead.
DECIDED = {
    "index.direct_url:DirectRelease.unproven": "the user asks for this file, so the policy of lock is met",
    "index.build_releases:TableRelease.unproven": "the table of the folder has the files of the release",
    "solve.kept:KeptRelease.unproven": "the package is installed, so there is nothing to choose",
}


class Ground(NamedTuple):
    """Where a function is made ignorant: a folder, an index, and the means to change the machine."""

    folder: Path
    index: Server
    change: pytest.MonkeyPatch


@pytest.fixture
def ground(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    for name in [name for name in os.environ if name.startswith(("TORCHLOCK_", "PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("TORCHLOCK_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    with Server() as server:
        monkeypatch.setenv("PIP_INDEX_URL", server.url)
        yield Ground(tmp_path, server, monkeypatch)


Ask = Callable[[Ground], object]
REGISTER: list[tuple[str, str, Ask]] = []


def row(name: str, how: str) -> Callable[[Ask], Ask]:
    """Register a way to make a function ignorant; what is decorated returns its answer, or several of them."""

    def register(ask: Ask) -> Ask:
        REGISTER.append((name, how, ask))
        return ask

    return register


# Markers without a value.


row("standards.markers:parsed", "what is no marker")(
    lambda ground: [markers.parsed(text) for text in ("", "x", "(" * 300 + "os_name == ''" + ")" * 300)]
)
row("standards.markers:value_of", "what cannot be compared")(
    lambda ground: [
        markers.value_of(Marker(text), Target(PythonVersion(3, 11, 0), LINUX).environment)
        for text in ("'a' == 'b'", "os_name ~= 'x'", "'a' in extras")
    ]
)


# Tables without that row.


def builds(ground: Ground) -> list[Builds]:
    """The table as it is, which has no such release, and an empty one."""
    empty = {"date": "2020-01-01", "groups": [], "sources": {}, "partners": {}, "packages": {}}
    return [Builds(), Builds(write(ground.folder / "builds.json", json.dumps(empty)))]


row("knowledge.builds:Builds.labels", "no row")(
    lambda ground: [each.labels("torch", "99.0") for each in builds(ground)]
)
row("knowledge.builds:Builds.labels", "no version")(
    lambda ground: [each.labels("torch", "latest") for each in builds(ground)]
)
row("knowledge.builds:Builds.labels", "no package")(
    lambda ground: [each.labels("lightning", "2.0") for each in builds(ground)]
)
ORIN, NEXT = gpus.Gpu("Orin", "sm_87"), gpus.Gpu("the next one", "sm_199")
row("knowledge.drivers:driver_floor", "no row")(
    lambda ground: [drivers.driver_floor(label, "linux") for label in ("cu75", "rocm6.4", "cpu", "mine")]
)
row("knowledge.drivers:driver_runs", "no row, no version, or sources that disagree")(
    lambda ground: [
        drivers.driver_runs("cu75", "linux", "580"),
        drivers.driver_runs("cu128", "linux", "new"),
        drivers.driver_runs("cu128", "windows", "526.10"),
    ]
)
row("knowledge.drivers:driver_knows", "no row, no version, or another numbering")(
    lambda ground: [
        drivers.driver_knows(NEXT, "580"),
        drivers.driver_knows(ORIN, "540.4"),
        drivers.driver_knows(gpus.Gpu("A100", "sm_80"), "new"),
    ]
)
row("knowledge.accelerators:runs_machine_code", "code of desktop GPUs on a Jetson")(
    lambda ground: accelerators.runs_machine_code(["sm_80"], ORIN)
)
row("knowledge.accelerators:code_of", "no row")(
    lambda ground: [
        accelerators.code_of("torch", "99.0", "cu128", "linux-x86_64"),
        accelerators.code_of("torchcodec", "0.9.0", "cu128", "linux-x86_64"),
        accelerators.code_of("torch", "latest", "cu128", "linux-x86_64"),
    ]
)
row("knowledge.builds:Builds.published", "no row")(
    lambda ground: [each.published("torch", "99.0", "cpu", "linux-x86_64", "3.12") for each in builds(ground)]
)
row("knowledge.builds:Builds.published", "a vendor's label")(
    lambda ground: Builds().published("torch", "2.1.0", "nv24.5")
)
row("knowledge.builds:Builds.serves", "no row")(
    lambda ground: [each.serves("torch", "99.0", "cu118", "linux-x86_64") for each in builds(ground)]
)


def release(ground: Ground) -> CatalogueRelease:
    """A release of which the catalogue has neither the build nor the requirements."""
    head = {"name": "torch", "tags": [TAGS], "requirements": [], "requires": []}
    head["releases"] = {"1.0": {"wheels": [0], "sdist": True}}
    text = json.dumps(head)[:-1] + ',\n"files": {\n"1.0": []}}\n'
    (found,) = Catalogue(write(ground.folder / "torch.json", text).parent).releases("torch") or ()
    return found


row("knowledge.releases:CatalogueRelease.build", "not recorded")(lambda ground: release(ground).build(0))
row("knowledge.releases:CatalogueRelease.unproven", "not recorded")(lambda ground: release(ground).unproven(0))
row("knowledge.release_table:Table.sdist", "an sdist")(
    lambda ground: release(ground)._table.sdist(release(ground).version)
)
row("knowledge.releases:CatalogueRelease.dependencies", "no metadata")(
    lambda ground: release(ground).dependencies(0)
)
row("knowledge.releases:CatalogueRelease.dependencies", "an sdist")(
    lambda ground: release(ground).dependencies(-1)
)


def candidate(ground: Ground) -> Candidate:
    return Candidate("torch", "1.0", release(ground), 0, (0,))


row("solve.candidates:Candidate.build", "not recorded")(lambda ground: candidate(ground).build)
row("solve.candidates:Candidate.unproven", "not recorded")(lambda ground: candidate(ground).unproven)
row("solve.candidates:Candidate.dependencies", "no metadata")(lambda ground: candidate(ground).dependencies)


row("knowledge.declared:can_meet", "a later release may do")(
    lambda _: [can_meet(">=2", "!=1", ["1.0"]), can_meet("", ">1.0", ["1.0"])]
)


@row("knowledge.declared:DeclaringRelease.needs", "no metadata")
def _(ground: Ground) -> object:
    stack = CompatibilityTable()
    declarations = Declarations(Catalogue(), stack)
    old = next(one for one in declarations.releases("demucs") or () if str(one.version) == "0.0.2")
    return old.needs


@row("knowledge.compatibility:Package.build", "not recorded")
def _(ground: Ground) -> object:
    table = {
        "versions": ["1.0", "2.0"],
        "cells": [1, 1],
        "yanked": [],
        "builds": [None, ["cpu", None]],
        "date": "",
        "unproven": {},
    }
    package = Package("torch", table)
    return [package.build(0, 0), package.build(1, 1)]


row("knowledge.rules:cuda_version", "no build, or a strange one")(
    lambda ground: [cuda_version(build) for build in (None, "", "nv24.5", "cu", "mine", NOBODY)]
)
row("index.wheel_build:of_label", "a vendor's label")(lambda ground: wheel_build.of_label("nv24.5"))
row("index.wheel_build:of_version_file", "no file")(
    lambda ground: [wheel_build.of_version_file(name, TAGS, {}) for name in ("torch", "torchaudio")]
)
row("index.wheel_build:of_version_file", "a file that does not tell")(
    lambda ground: [
        wheel_build.of_version_file("torch", TAGS, {"torch/version.py": "__version__ = '9.0'\n"}),
        wheel_build.of_version_file("torchaudio", TAGS, {"torchaudio/version.py": "\0\xff"}),
    ]
)
row("index.wheel_build:compared", "no source")(
    lambda ground: [wheel_build.compared(name, {}) for name in ("torchaudio", "torchvision")]
)
row("knowledge.systems:identified", "a system that the table lacks")(
    lambda ground: [systems.identified(told) for told in ({}, {"ID": "plan9"}, {"ID": "q", "VERSION_ID": "9"})]
)


@row("knowledge.systems:of_host", "a file that cannot be read")
def _(ground: Ground) -> object:
    def refuse(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied")

    ground.change.setattr("sys.platform", "linux")
    ground.change.setattr(Path, "read_text", refuse)
    return systems.of_host()


@row("audit.supplies:build_of", "no row, and an index that nobody knows")
def _(ground: Ground) -> object:
    known = Knowledge(CompatibilityTable(), Matrix(), {})
    offers = [
        Offer(frozenset(), every=False, public=False, unknown=True),
        Offer(frozenset(), every=True, public=False, unknown=False),
        Offer(frozenset({"cu999"}), every=False, public=False, unknown=False),
    ]
    last = len(known.stack.packages["torch"].versions) - 1
    return [supplies.build_of(known, "torch", last, 0, supplies.Supply(0, 0, "", offer)) for offer in offers]


def pinned(folder: Path, text: str) -> tuple[AuditContext, InstallSet]:
    """What an audit of a requirements file starts with."""
    document = read_document(str(write(folder / "requirements.txt", text)))
    context = Auditor().context(document)
    return context, context.install_sets[0]


@row("audit.page_choice:newest_on_page", "no row")
def _(ground: Ground) -> object:
    context, _ = pinned(ground.folder, "torch\n")
    last = len(context.stack.packages["torch"].versions) - 1
    return newest_on_page(context, "torch", 1 << last, "cu999", 0)


@row("audit.page_choice:beside_the_rest", "the torch that it is installed with is unknown")
def _(ground: Ground) -> object:
    context, install_set = pinned(ground.folder, "torch==2.9.0.dev20250801\ntorchvision\n")
    return beside_the_rest(context, install_set, "torchvision", 0)


@row("audit.taken_build:taken_builds", "its content is unknown")
def _(ground: Ground) -> object:
    context, install_set = pinned(ground.folder, "--index-url https://example.org/simple\ntorch==2.9.1\n")
    (answer,) = taken_builds(context, install_set, install_set.first("torch"), install_set.target_grid)
    return answer


@row("audit.pair_loading:loads", "they differ only in the patch release of torch")
def _(ground: Ground) -> object:
    context, install_set = pinned(ground.folder, "torch==2.5.0\ntorchaudio==2.5.1\n")
    here = {name: supplies.supplies_of(context, install_set, name)[0] for name in ("torch", "torchaudio")}
    torch, audio = (supply.there.bit_length() - 1 for supply in here.values())
    return loads(context.known, here, "torchaudio", audio, torch, 0)


@row("audit.rules.host_libraries:build_taken", "not recorded")
def _(ground: Ground) -> object:
    context, install_set = pinned(ground.folder, "torch\n")
    package = context.stack.packages["torch"]
    ground.change.setattr(type(package), "build", lambda *_: NOBODY)
    return build_taken(context, install_set, "torch", 0, 0)


row("knowledge.build_hashes:HashTable.hash_of", "no row")(
    lambda ground: HashTable("torch", "2.8.0", Catalogue()).hash_of("cu999", "torch-2.8.0-py3-none-any.whl")
)
row("audit.index_builds:Offer.carries", "an index that nobody knows")(
    lambda ground: Offer(frozenset({"cpu"}), every=False, public=False, unknown=True).carries("cu118")
)


# An index that answers nothing.

FILE = f"torch-9.0-{TAGS}.whl"
ANSWERS = [Reply(b"", 404), Reply(b"", 403), Reply(b"", 500), Reply(b"no zip at all")]


def live(ground: Ground) -> Iterator[LiveRelease]:
    """A release whose wheel the index has a line of, and nothing that can be read."""
    for number, answer in enumerate(ANSWERS):
        file = entry(FILE, hashes={"sha256": f"{number:064}"})
        ground.index.routes["/torch/"], ground.index.routes[f"/torch/{FILE}"] = page(file), answer
        cache = str(ground.folder / f"cache-{number}")
        (found,) = Sources(index_url=ground.index.url, cache_dir=cache).releases("torch")
        assert isinstance(found, LiveRelease)
        yield found


def declared(ground: Ground) -> DeclaredRelease:
    return DeclaredRelease(release(ground), "cu128", lambda platform, python: NOBODY)


row("index.build_releases:DeclaredRelease.unproven", "no file")(lambda ground: declared(ground).unproven(0))
row("index.build_releases:DeclaredRelease.dependencies", "no file")(
    lambda ground: declared(ground).dependencies(0)
)
row("index.build_releases:TableRelease.dependencies", "no source, and offline")(
    lambda ground: TableRelease(release(ground), "cu128", f"{ground.index.url}/", None).dependencies(0)
)


@row("index.build_releases:FolderRelease.unproven", "not in the data")
def _(ground: Ground) -> object:
    ground.index.routes["/torch/"] = page(entry(FILE))
    settings = read_settings(index_url=ground.index.url, extra_index_urls=(), find_links=(), no_index=None)
    (found,) = releases(Index(settings, cache_dir=ground.folder / "cache"), "torch")
    return FolderRelease(found, None, "cu128", "2025-01-01", covered=False).unproven(0)


@row("index.build_source:BuildSource.sha256", "offline, or a page without the file")
def _(ground: Ground) -> object:
    ground.index.routes["/cu128/torch/"] = page()
    settings = read_settings(
        index_url=f"{ground.index.url}/cu128", extra_index_urls=(), find_links=(), no_index=None
    )
    opened = Index(settings, cache_dir=ground.folder / "cache")
    sources = [
        BuildSource(
            "cu128",
            ground.index.url,
            opened=lambda url: opened,
            offline=offline,
            refresh=False,
            day=lambda: "2099-01-01",
        )
        for offline in (True, False)
    ]
    return [each.sha256(File(FILE, f"{ground.index.url}/cu128/{FILE}", {})) for each in sources]


row("index.live_releases:LiveRelease.build", "an index without the file")(
    lambda ground: [each.build(0) for each in live(ground)]
)
row("index.live_releases:LiveRelease.unproven", "not in the data")(
    lambda ground: [each.unproven(0) for each in live(ground)]
)


@row("index.live_releases:LiveRelease.dependencies", "an index without the file")
def _(ground: Ground) -> object:
    def asked(each: LiveRelease) -> object:
        try:
            return each.dependencies(0)
        except TorchlockError as error:  # as documented
            return Unknown(error.message)

    return [asked(each) for each in live(ground)]


def remote(ground: Ground) -> File:
    return File("torch-9.0.tar.gz", f"{ground.index.url}/files/torch-9.0.tar.gz", {})


def hashed(ground: Ground, file: File, *, offline: bool) -> object:
    settings = read_settings(index_url=ground.index.url, extra_index_urls=(), find_links=(), no_index=None)
    return Index(settings, offline=offline, cache_dir=ground.folder / "cache").sha256(file)


row("index.client:Index.sha256", "offline")(lambda ground: hashed(ground, remote(ground), offline=True))
row("index.client:Index.sha256", "an index without the file")(
    lambda ground: hashed(ground, remote(ground), offline=False)
)
row("index.digests:Hasher.sha256", "offline")(
    lambda ground: digests.Hasher(None, Cache(ground.folder, print), print).sha256(remote(ground))
)
row("index.sources:Sources.sha256", "offline")(lambda ground: Sources(offline=True).sha256(remote(ground)))


# Files that cannot be read.


def unreadable(folder: Path) -> list[Path]:
    """What stands in the place of a file: nothing, a folder, a pipe, a link into itself."""
    places = [folder / name for name in ("nothing", "folder", "pipe", "loop")]
    places[1].mkdir()
    if hasattr(os, "mkfifo"):
        os.mkfifo(places[2])
    places[3].symlink_to(places[3])
    return places


def broken(folder: Path) -> list[Path]:
    """Files that hold nothing, half of a head, and another thing."""
    contents = {"empty": b"", "half": b"\x7fELF\x02\x01", "text": b"version https://git-lfs.github.com/spec/v1\n"}
    return [write(folder / name, content) for name, content in contents.items()]


row("index.digests:local_sha256", "a file that cannot be read")(
    lambda ground: [
        digests.local_sha256(File(path.name, path.as_uri(), {}))
        for path in unreadable(ground.folder)
        if path.name != "pipe"
    ]
)
row("standards.core_metadata:parse_metadata", "no metadata")(
    lambda ground: [parse_metadata(text) for text in ("", "<html>", "Name: x\n", "Version: 1\n\n")]
)
row("standards.core_metadata:parse_metadata", "a text that breaks off")(
    lambda ground: parse_metadata("Metadata-Version: 2.1\nName: x\nVersion: 1\nRequires-Di")
)
row("index.sdist.reader:metadata_of_tree", "no file")(lambda ground: metadata_of_tree({}, "demo", "1.0"))
row("index.sdist.statement:stated_requirements", "no file, or none that can be read")(
    lambda ground: [
        stated_requirements({}),
        stated_requirements({"pyproject.toml": b"\xff\xfe["}),
        stated_requirements({"setup.py": b"setup(install_requires=ask("}),
        stated_requirements({"setup.py": b"from setuptools import setup\nsetup(install_requires=ask())\n"}),
    ]
)
row("index.sdist.building:Builder.__call__", "no archive")(
    lambda ground: Builder()(b"no archive", "demo-1.0.tar.gz")
)
row("index.direct_url:DirectRelease.build", "an address that does not tell")(
    lambda ground: [
        DirectRelease("torch", File(name, f"https://example.org/{name}", {}), []).build(-1)
        for name in ("torch.tar.gz", f"torch-1.0-{TAGS}.whl", "repository")
    ]
)
row("solve.kept:KeptRelease.build", "a vendor's torch")(
    lambda ground: [
        KeptRelease(base_of_image(image_of(name)).packages["torch"]).build(0)
        for name in ("nvcr.io/nvidia/pytorch:25.08-py3", "rocm/pytorch:latest")
    ]
)


@row("inspect.build:linked_cuda", "libraries that cannot be read")
def _(ground: Ground) -> object:
    package = ground.folder / "torchaudio"
    write(package / "lib" / "_torchaudio.so", b"\x7fELF\x02\x01")
    return [linked_cuda(str(package), Tree()), linked_cuda(str(ground.folder / "nothing"), Tree())]


@row("inspect.host:driver", "a driver that cannot be asked")
def _(ground: Ground) -> object:
    ground.change.setattr(host, "find_program", lambda *_, **__: None)
    ground.change.setattr(host, "_NVML", "raise SystemExit(1)")
    ground.change.setattr(host, "_WSL", str(ground.folder / "wsl"))
    places = [write(ground.folder / "version", "no version\n"), *unreadable(ground.folder)[1:3]]
    found = []
    for place in places:
        ground.change.setattr(host, "_VERSION", str(place))
        found.append(host.driver() if place.exists() else NOBODY)
    return found


row("inspect.host:output_of", "a program that fails or is not there")(
    lambda ground: [host.output_of([sys.executable, "-c", "raise SystemExit(3)"]), host.output_of(["/nothing/x"])]
)
row("inspect.gpu_code:gpu_code", "a file without code, or one that cannot be read")(
    lambda ground: [gpu_code(str(path)) for path in (*broken(ground.folder), ground.folder / "nothing.so")]
)
row("inspect.loading.outcome:Outcome.answer", "a library that nobody saw")(
    lambda ground: Outcome("a.so", unseen=(NotExamined("b.so", "a.so", NOBODY),)).answer
)


def context(ground: Ground, **packages: str) -> CheckContext:
    """An environment of these packages, of another machine, which nobody can look at."""
    site = ground.folder / "env" / "lib" / "python3.11" / "site-packages"
    site.mkdir(parents=True)
    for name, version in packages.items():
        files: dict[str, bytes | str] = {f"{name}.py": ""}
        if name != "soundfile":
            told = f"__version__ = '{version}'\n"
            files = {f"{name}/__init__.py": "", f"{name}/version.py": told}
        install(site, name, version, files, tag=INSTALLED)
    return CheckContext(tree(site), live=False, platform=LINUX)


row("check.rules.not_examined:unexamined", "a torch without its library")(
    lambda ground: list(not_examined.unexamined(context(ground, torch="2.8.0+cpu")).values())
)
row("check.rules.gpu_code:serves", "code of desktop GPUs on a Jetson")(
    lambda ground: check_gpu_code.serves(["sm_80"], ORIN)
)
row("check.fix.torch_builds:public_build", "no row")(
    lambda ground: public_build("torch", "99.0", Target(PythonVersion(3, 11, 0), LINUX))
)
row("check.fix.torch_builds:public_of", "no row")(
    lambda ground: public_of(context(ground, torch="99.0"), Target(PythonVersion(3, 11, 0), LINUX))
)
row("check.known_wheels:installs", "no row, and no release in the catalogue")(
    lambda ground: [
        installs("torch", "99.0", label, Target(PythonVersion(3, 11, 0), LINUX)) for label in ("", "cu128")
    ]
)


@row("inspect.module_names:ModuleNames.defines", "a module that makes its names when it runs")
def names_made_at_run_time(ground: Ground) -> object:
    folder = write(ground.folder / "torchaudio" / "__init__.py", "globals().update(made())\n").parent
    return ModuleNames(str(folder)).defines("torchaudio.info")


row("check.index_wheels:has_wheels", "no row")(
    lambda ground: has_wheels("torch", "99.0", "cu128", Target(PythonVersion(3, 11, 0), LINUX))
)
row("check.known_wheels:installs", "no row")(
    lambda ground: installs("torch", "99.0", "", Target(PythonVersion(3, 11, 0), LINUX))
)


@row("inspect.module_names:ModuleNames.defines", "names that the source does not show")
def _(ground: Ground) -> object:
    (ground.folder / "open").mkdir()
    (ground.folder / "open/__init__.py").write_text("from compiled import *\n")
    return ModuleNames(str(ground.folder / "open")).defines("open.name")


row("check.rules.ffmpeg:ffmpeg_of", "another machine")(lambda ground: ffmpeg.ffmpeg_of(context(ground)))
row("check.rules.ffmpeg:majors_of", "another machine")(lambda ground: ffmpeg.majors_of(context(ground)))
row("check.rules.libsndfile:machine_has_libsndfile", "another machine")(
    lambda ground: libsndfile.machine_has_libsndfile(context(ground))
)
row("check.rules.libsndfile:has_library", "no module")(lambda ground: libsndfile.has_library(context(ground)))
row("check.rules.prereleases:unpaired", "two pre-releases of two releases and two builds")(
    lambda ground: prereleases.unpaired(
        context(ground, torch="2.7.1a0+rocm6.4", torchaudio="2.8.0a0+rocm6.3"), "torchaudio"
    )
)


@row("check.msys2:has_libsndfile", "a Python of MSYS2 without its libraries")
def of_msys2(ground: Ground) -> object:
    site = ground.folder / "mingw64" / "lib" / "python3.11" / "site-packages"
    site.mkdir(parents=True)
    return msys2.has_libsndfile(CheckContext(tree(site), live=False))


row("check.linking:resolved", "no library")(
    lambda ground: linking.resolved(context(ground, torch="2.8.0", torchaudio="2.8.0"), "torchaudio")
)
row("check.linking:uses_c_interface_only", "no library")(
    lambda ground: linking.uses_c_interface_only(context(ground, torch="2.8.0", torchaudio="2.8.0"), "torchaudio")
)
row("check.rules.versions:compares", "no source")(
    lambda ground: versions.compares(context(ground, torchaudio="2.8.0"), "torchaudio")
)
row("check.rules.versions:links_cuda", "no library")(
    lambda ground: versions.links_cuda(context(ground, torchcodec="0.9.0"), "torchcodec")
)
row("check.rules.versions:unjudged", "a torch that does not tell its build")(
    lambda ground: versions.unjudged(context(ground, torch="2.8.0", torchaudio="2.8.0+cu129"), "torchaudio")
)


@pytest.mark.parametrize(("name", "how", "ask"), REGISTER, ids=[f"{name}: {how}" for name, how, _ in REGISTER])
def test_what_is_not_known_is_unknown(name: str, how: str, ask: Ask, ground: Ground) -> None:
    answers = ask(ground)
    answers = answers if isinstance(answers, list) else [answers]
    assert answers
    for answer in answers:
        assert isinstance(answer, Unknown), f"{name}, {how}: {answer!r}"
        assert answer.because
        assert str(answer)


# What has another answer of its own for "unknown".


def test_an_unknown_build_breaks_no_rule_and_keeps_none() -> None:
    target = Target(PythonVersion.parse("3.12"), LINUX)
    pins = {
        "torch": NamedVersion("torch", Version("2.11.0"), tags=TAGS, build=NOBODY),
        "torchaudio": NamedVersion("torchaudio", Version("2.11.0"), tags=TAGS, build="cu130"),
    }
    assert judge(pins, target, Matrix()) == []
    assert {each.because for each in unjudged(pins, target, Matrix())} == {NOBODY}


def test_a_build_that_nothing_installed_tells_is_unknown(ground: Ground) -> None:
    pins = context(ground, torch="2.8.0", torchaudio="2.8.0", soundfile="0.13.1").pins
    assert isinstance(pins["torch"].build, Unknown)
    assert isinstance(pins["torchaudio"].build, Unknown)
    assert pins["soundfile"].build is None, "it has no builds"


def test_a_library_that_cannot_be_read_is_unreadable(tmp_path: Path) -> None:
    for path in (*unreadable(tmp_path), *broken(tmp_path)):
        assert isinstance(read_binary(str(path)), Unreadable), path


def test_a_path_file_that_cannot_be_read_is_not_an_empty_one(ground: Ground) -> None:
    """It may add the folder in which all else lies."""
    context(ground)
    site = ground.folder / "env" / "lib" / "python3.11" / "site-packages"
    path = write(site / "more.pth", "/somewhere\n")
    real = os.open

    def refuse(file: str, *rest: int) -> int:
        if str(file) == str(path):
            raise PermissionError(13, "Permission denied", str(file))
        return real(file, *rest)

    ground.change.setattr(os, "open", refuse)
    found = CheckContext(tree(site), live=False, platform=LINUX)
    assert found.environment.unreadable == (Unreadable(str(path), "Permission denied"),)


@pytest.mark.parametrize(
    ("answer", "error"),
    [(Reply(b"", 404), UnknownPackage), (Reply(b"", 403), TorchlockError), (Reply(b"", 500), NetworkError)],
)
def test_an_index_that_answers_nothing_has_not_said_no(
    answer: Reply, error: type[TorchlockError], ground: Ground
) -> None:
    ground.index.routes["/demo-of-nobody/"] = answer
    with pytest.raises(error):
        Sources(index_url=ground.index.url).releases("demo-of-nobody")


# The register is whole, and no caller takes unknown for no.


class Function(NamedTuple):
    """A function of the package: its module and name, its node, and the parts of what it returns."""

    name: str
    node: ast.FunctionDef
    told: bool
    """Whether ``Unknown`` stands in its return type."""
    either: bool
    """Whether it may be the answer itself."""


@cache
def functions() -> list[Function]:
    """All functions of modules and classes."""
    found: list[Function] = []
    for path in sorted(SOURCE.rglob("*.py")):
        module = ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
        found += _functions(ast.parse(path.read_text(encoding="utf-8")).body, f"{module}:")
    return found


def _functions(body: list[ast.stmt], prefix: str) -> Iterator[Function]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from _functions(node.body, f"{prefix}{node.name}.")
        elif isinstance(node, ast.FunctionDef):
            said = ast.unparse(node.returns) if node.returns else ""
            told = re.search(r"\bUnknown\b", said) is not None
            yield Function(prefix + node.name, node, told, "Unknown" in said.split(" | "))


def _is_stub(node: ast.FunctionDef) -> bool:
    last = node.body[-1]
    return isinstance(last, ast.Expr) and isinstance(last.value, ast.Constant) and last.value.value is ...


def _is_public(name: str) -> bool:
    parts = name.replace(":", ".").split(".")
    return not any(part.startswith("_") and not part.startswith("__") for part in parts)


def test_every_function_that_may_not_know_is_registered() -> None:
    """Whoever writes a new one adds a row here; what is private is reached through what is not."""
    mine = [each for each in functions() if each.told and _is_public(each.name) and not _is_stub(each.node)]
    answering = {each.name for each in mine}
    registered = {name for name, _, _ in REGISTER} | set(DECIDED)
    assert answering - registered == set(), "not registered"
    assert registered - answering == set(), "registered, and not there"


# Names that other functions have as well: who is asked there, if the answer may be unknown.
ASKED = {
    "labels": r"builds",
    "build": r"\bpins?\b|pinned|candidate|bundled|package\b|packages\[",
    "dependencies": r"pinned|candidate|release",
    "unproven": r"candidate|release",
}


def test_nobody_takes_unknown_for_no() -> None:
    """The truth of an ``Unknown`` is asked nowhere: neither of an answer, nor of a name that holds it."""
    wrong = [
        f"{each.name}, line {node.lineno}: {ast.unparse(node)}"
        for each in functions()
        for node in _asked_for_truth(each.node)
        if _may_be_unknown(node, each.node)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "is_wrong"),
    [
        ("return self.builds.labels(name, version) or ()", True),
        ("return [each for each in builds().labels(name) or ()]", True),
        ("kind_of(pin.build or '')", True),
        ("return not cuda_version(build)", True),
        ("cuda = cuda_version(build)\n if cuda:\n  pass", True),
        ("if (cuda := cuda_version(build)):\n  pass", True),
        ("cuda = cuda_version(build)\n if not isinstance(cuda, Unknown) and cuda:\n  pass", False),
        ("if cuda_version(build) == '0':\n  pass", False),
        ("return given or cuda_version(build)", False),
    ],
)
def test_the_rule_itself(text: str, is_wrong: bool) -> None:
    (function,) = ast.parse(f"def ask():\n {text}\n").body
    assert isinstance(function, ast.FunctionDef)
    assert any(_may_be_unknown(node, function) for node in _asked_for_truth(function)) is is_wrong


@cache
def _answering() -> frozenset[str]:
    """The names that only functions have whose answer may be unknown."""
    by_name: dict[str, set[bool]] = {}
    for each in functions():
        by_name.setdefault(each.node.name, set()).add(each.either)
    return frozenset(name for name, either in by_name.items() if either == {True})


def _asked_for_truth(function: ast.FunctionDef) -> Iterator[ast.expr]:
    """The expressions of a function that Python takes for true or false."""
    for node in ast.walk(function):
        if isinstance(node, ast.If | ast.IfExp | ast.While | ast.Assert):
            yield from _parts(node.test)
        elif isinstance(node, ast.comprehension):
            yield from (part for test in node.ifs for part in _parts(test))
        elif isinstance(node, ast.BoolOp):
            yield from node.values[:-1]  # the last is only passed on
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            yield node.operand
        elif isinstance(node, ast.Call) and _name_of(node.func) in ("bool", "any", "all"):
            yield from node.args


def _parts(test: ast.expr) -> list[ast.expr]:
    return test.values if isinstance(test, ast.BoolOp) else [test]


def _may_be_unknown(node: ast.expr, function: ast.FunctionDef) -> bool:
    if isinstance(node, ast.NamedExpr):
        node = node.value
    if isinstance(node, ast.GeneratorExp | ast.ListComp):
        node = node.elt
    return _is_held(node, function) if isinstance(node, ast.Name) else _is_answer(node)


def _is_answer(node: ast.expr) -> bool:
    """Whether this asks a function, or a property, that may not know."""
    asked = node.func if isinstance(node, ast.Call) else node
    name = _name_of(asked) if isinstance(node, ast.Call) or isinstance(asked, ast.Attribute) else ""
    if name in ASKED and isinstance(asked, ast.Attribute):
        return re.search(ASKED[name], ast.unparse(asked.value)) is not None
    return name in _answering() and isinstance(node, ast.Call) is not _is_property(name)


@cache
def _is_property(name: str) -> bool:
    mine = [each.node for each in functions() if each.node.name == name]
    return any("property" in ast.unparse(decorator) for node in mine for decorator in node.decorator_list)


def _is_held(name: ast.Name, function: ast.FunctionDef) -> bool:
    """Whether a name holds such an answer, and nobody has looked before which of them it is."""
    nodes = list(ast.walk(function))
    values = [each.value for each in nodes if isinstance(each, ast.Assign) and _names(each.targets, name.id)]
    looked = [
        each
        for each in nodes
        if isinstance(each, ast.Call) and _name_of(each.func) == "isinstance" and _names(each.args[:1], name.id)
    ]
    before = (name.lineno, name.col_offset)
    return any(map(_is_answer, values)) and not any((each.lineno, each.col_offset) < before for each in looked)


def _names(nodes: list[ast.expr], name: str) -> bool:
    return any(isinstance(node, ast.Name) and node.id == name for node in nodes)


def _name_of(asked: ast.expr) -> str:
    return asked.id if isinstance(asked, ast.Name) else getattr(asked, "attr", "")
