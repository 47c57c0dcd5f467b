"""The wheel files of the PyTorch wheel index: the tables, their reader, and how sources are joined.

``TRAP n`` are the ways in which such a table goes wrong.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from packaging.utils import parse_wheel_filename
from packaging.version import Version

import refresh_builds
from refreshing.build_files import by_table, read_tables, write_tables
from refreshing.build_rendering import Renderer, build_of_folder
from refreshing.build_rows import Tables, Wheel, add_rows, is_of_releases
from torchlock.answers import Unknown
from torchlock.errors import DataError
from torchlock.knowledge import tables
from torchlock.knowledge.build_files import (
    GRADES,
    build_catalogue,
    evidence_of,
    folders,
    grade_of,
    index_address,
    triton_catalogue,
)
from torchlock.knowledge.build_labels import kind_of
from torchlock.knowledge.builds import Builds
from torchlock.knowledge.indexes import page_of
from torchlock.knowledge.releases import Catalogue, CatalogueRelease
from torchlock.knowledge.stack import FAMILY
from torchlock.standards.filenames import platform_in, python_in, tags_of

BUILDS = tables.ROOT / "builds"
TRITONS = {"triton", "pytorch-triton", "pytorch-triton-rocm", "pytorch-triton-xpu", "triton-rocm", "triton-xpu"}
HASH = re.compile(r"[0-9a-f]{64}")
ONE, TWO = "a" * 64, "b" * 64
NAME = "torch-2.8.0+cu128-cp312-cp312-manylinux_2_28_x86_64.whl"
LOCK, OTHER = "a/one uv.lock 0123456789ab 2026-01-01", "b/two uv.lock 0123456789ab 2026-01-02"


@cache
def known() -> Tables:
    """All rows."""
    return read_tables(BUILDS)


@cache
def public(package: str) -> dict[str, str]:
    """The hash of each file of the public index by its name."""
    table = json.loads((tables.ROOT / "releases" / f"{package}.json").read_bytes())
    return {row[0]: row[1] for rows in table["files"].values() for row in rows}


def release_of(folder: str, package: str, version: str) -> CatalogueRelease:
    found = build_catalogue(folder).releases(package)
    assert found is not None
    return next(release for release in found if release.version == version)


# Every row.


def test_each_row_has_a_source_and_nothing_malformed() -> None:
    assert len(known().wheels) > 4800
    for (folder, filename), wheel in known().wheels.items():
        assert wheel.sources and set(wheel.sources) <= known().sources.keys(), filename
        assert wheel.sha256 is None or HASH.fullmatch(wheel.sha256), filename
        assert wheel.size is None or wheel.size > 1000, filename
        assert wheel.uploaded is None or re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", wheel.uploaded), (
            filename
        )
        assert is_of_releases(folder, filename), filename
        assert wheel.package in FAMILY | TRITONS, filename
        assert kind_of(wheel.version.partition("+")[2] or "cpu") or build_of_folder(folder), filename


def test_each_source_is_cited_and_says_where_and_when() -> None:
    cited = {source for wheel in known().wheels.values() for source in wheel.sources}
    cited |= {source for one in known().conflicts.values() for some in one.values.values() for source in some}
    assert cited == known().sources.keys()
    assert len(set(known().sources.values())) == len(known().sources)
    for text in known().sources.values():
        assert re.search(r"\b20\d\d-\d\d-\d\d$", text), text
        assert not re.search(r"this machine|(^|\s)/\w+/|stored|\bid\d", text), text


def test_each_table_has_the_form_that_the_reader_relies_on() -> None:
    for path in sorted((BUILDS / "files").glob("*/*.json")):
        table = json.loads(path.read_bytes())
        assert table["name"] == path.stem
        assert list(table)[-1] == "files"
        assert list(table["files"]) == list(table["releases"]) == sorted(table["files"], key=Version)
        for version, rows in table["files"].items():
            tags = [table["tags"][index] for index in table["releases"][version]["wheels"]]
            assert [tags_of(row[0]) for row in rows] == tags
            assert {row[0].split("-")[1] for row in rows} == {version}
            assert {len(row) for row in rows} == {6}


def test_the_tables_are_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    assert refresh_builds.main(["--render", "--check"]) == 0, capsys.readouterr().out


COMPANIONS = {"torchaudio": "2.6 2.11", "torchvision": "0.21 0.28", "torchcodec": "0.2 0.17", "torch": "2.6 2.13"}


@pytest.mark.parametrize("package", COMPANIONS)
def test_nine_of_ten_files_for_cpu_and_cuda_have_a_hash(package: str) -> None:
    first, last = map(Version, COMPANIONS[package].split())
    rows = [
        wheel
        for wheel in known().wheels.values()
        if wheel.package == package
        and kind_of(wheel.folder) in ("cpu", "cuda")
        and first <= Version(Version(wheel.release).base_version)
        and Version(wheel.release).release[:2] <= last.release[:2]
    ]
    hashed = sum(wheel.sha256 is not None for wheel in rows)
    assert len(rows) > 150
    assert hashed >= 0.9 * len(rows), f"{hashed} of {len(rows)}"


# The traps.


def test_one_name_has_several_contents() -> None:
    """TRAP 1: the folder tells the build, the name does not."""
    contents: dict[str, set[str]] = defaultdict(set)
    for wheel in known().wheels.values():
        if wheel.sha256:
            contents[wheel.filename].add(wheel.sha256)
            if wheel.package in FAMILY and (same := public(wheel.package).get(wheel.filename)):
                contents[wheel.filename].add(same)
    assert sum(len(hashes) > 1 for hashes in contents.values()) > 150
    name = "torchaudio-2.9.1-cp312-cp312-manylinux_2_28_aarch64.whl"
    assert len(contents[name]) == 5
    hashes = {}
    for folder in ("cpu", "cu128", "cu129", "cu130"):
        release = release_of(folder, "torchaudio", "2.9.1")
        at = [file.filename for file in release.files()].index(name)
        assert release.build(at) == folder
        assert release.files()[at].url == f"{folder}/{name}"
        hashes[folder] = release.files()[at].hashes["sha256"]
    assert len({*hashes.values(), public("torchaudio")[name]}) == 5


def test_no_hash_is_taken_over_by_name() -> None:
    """TRAP 2: the public index may have other bytes under a name of the CPU folder, or the same."""
    alike: dict[tuple[str, str], set[bool]] = defaultdict(set)
    for (folder, filename), wheel in known().wheels.items():
        same = public(wheel.package).get(filename) if wheel.package in FAMILY else None
        if folder == "cpu" and wheel.sha256 and same:
            alike[wheel.package, wheel.release].add(same == wheel.sha256)
    assert alike["torch", "2.9.0"] == alike["torch", "2.11.0"] == alike["torchaudio", "2.10.0"] == {False}
    assert alike["torch", "2.6.0"] == alike["torch", "2.13.0"] == {True}
    triton = {row[0]: row[1] for row in triton_catalogue().rows("triton", "3.4.0")}
    assert all(sha256 != public("triton").get(filename) for filename, sha256 in triton.items() if sha256)


@pytest.mark.parametrize("folder", ["test/cpu", "test", "nightly/cu128", "lts/1.8", "test/cu130"])
def test_candidates_are_never_mixed_in(folder: str) -> None:
    """TRAP 3: they have the names of releases, and other bytes."""
    made = Tables()
    assert add_rows(made, [Wheel(folder, NAME, ONE, sources=(1,))], {1: LOCK}) == []
    assert made.wheels == {}
    assert not any(path.name in ("test", "nightly") for path in (BUILDS / "files").iterdir())


def test_one_content_has_several_names_only_where_a_file_was_renamed() -> None:
    """TRAP 4: one file may have two platform tags; two builds, versions or Pythons never share bytes."""
    files = defaultdict(list)
    for wheel in known().wheels.values():
        if wheel.sha256:
            files[wheel.sha256].append(wheel)
    pairs = [pair for some in files.values() for pair in combinations(some, 2)]
    assert pairs
    for one, other in pairs:
        assert (one.package, one.release) == (other.package, other.release), one.filename
        assert python_in(one.tag) == python_in(other.tag), one.filename
        assert one.platform == other.platform, one.filename
    renamed = 0
    for package in ("torch", "torchaudio", "torchvision"):
        for filename, sha256 in public(package).items():
            for wheel in files[sha256]:
                assert wheel.release == filename.split("-")[1], filename
                assert python_in(wheel.tag) == python_in(tags_of(filename)), filename
                assert wheel.platform == platform_in(tags_of(filename)), filename
                renamed += wheel.filename != filename
    assert renamed > 20


def test_a_release_may_have_files_with_and_without_a_hash() -> None:
    """TRAP 5: a missing hash is not another file's hash."""
    mixed = 0
    for package in ("torch", "torchvision"):
        for folder in folders():
            for release in build_catalogue(folder).releases(package) or ():
                hashes = [file.hashes for file in release.files()]
                assert all(one == {} or HASH.fullmatch(one["sha256"]) for one in hashes)
                mixed += {} in hashes and any(hashes)
    assert mixed
    names = [key for key, wheel in known().wheels.items() if wheel.sha256 is None]
    assert len(names) > 100
    evidence = evidence_of(*names[0])
    assert evidence is not None and evidence.grade == "name" and evidence.sources


def test_links_of_the_root_page_are_no_builds_of_a_folder() -> None:
    """TRAP 6: the folder for CUDA 13.2 lists old plain wheels of torchaudio, and has no torchaudio."""
    assert "torchaudio" not in build_catalogue("cu132").names()
    assert "torch" in build_catalogue("cu132").names()
    assert Builds().published("torchaudio", "2.11.0", "cu132") is False
    made = Tables()
    add_rows(
        made, [Wheel("root", "torch-2.0.0-cp310-cp310-manylinux2014_aarch64.whl", ONE, sources=(1,))], {1: LOCK}
    )
    renderer = Renderer(tables.ROOT / "releases")
    assert list(by_table(made, renderer)) == [("root", "torch")], (
        "other bytes than those of the CPU build: unknown"
    )


def test_the_cpu_folder_lists_the_cpu_files_of_the_root_page() -> None:
    release = release_of("cpu", "torch", "2.0.1")
    assert {platform_in(tags) for tags in release.tags} == {"linux-aarch64", "macos-arm64", "macos-x86_64"}
    file = next(file for file in release.files() if "aarch64" in file.filename)
    assert file.url == file.filename
    assert evidence_of("cpu", file.filename) == evidence_of("root", file.filename)


@pytest.mark.parametrize(
    ("folder", "package", "last"),
    [
        ("cu117", "torch", "2.0.1"),
        ("cu118", "torch", "2.7.1"),
        ("cu121", "torch", "2.5.1"),
        ("cu124", "torch", "2.6.0"),
        ("cu128", "torch", "2.11.0"),
        ("cu130", "torchaudio", "2.11.0"),
    ],
)
def test_builds_end(folder: str, package: str, last: str) -> None:
    """TRAP 7: a newer release than the last of a build is in no table, and is denied where that is known."""
    found = build_catalogue(folder).releases(package)
    assert found is not None
    assert found[-1].version.partition("+")[0] == last
    if folder != "cu130":
        assert Builds().published("torch", "2.12.0", folder) is False


def test_a_build_skips_a_release_and_a_platform() -> None:
    versions = [release.version for release in build_catalogue("cu129").releases("torch") or ()]
    assert "2.12.1+cu129" in versions and "2.12.0+cu129" not in versions
    windows = {
        release.version
        for release in build_catalogue("cu129").releases("torch") or ()
        if any(platform_in(tags) == "windows-amd64" for tags in release.tags)
    }
    assert windows == {"2.8.0+cu129", "2.9.0+cu129"}


@pytest.mark.parametrize(
    ("folder", "filename", "package", "version"),
    [
        ("cpu", "torch-2.10.0-1-cp312-none-macosx_11_0_arm64.whl", "torch", "2.10.0"),
        ("cpu", "torch-2.10.0-2-cp312-none-macosx_11_0_arm64.whl", "torch", "2.10.0"),
        ("root", "triton-3.0.0-1-cp310-cp310-manylinux2014_x86_64.manylinux_2_17_x86_64.whl", "triton", "3.0.0"),
        ("cpu", "torch-2.8.0+cpu-cp312-cp312-linux_s390x.whl", "torch", "2.8.0+cpu"),
        ("cpu", "torch-2.8.0+cpu-cp312-cp312-win_arm64.whl", "torch", "2.8.0+cpu"),
        ("cu128", "torch-2.8.0+cu128-cp313-cp313t-manylinux_2_28_x86_64.whl", "torch", "2.8.0+cu128"),
        (
            "cpu-cxx11-abi",
            "torch-2.0.1+cpu.cxx11.abi-cp310-cp310-linux_x86_64.whl",
            "torch",
            "2.0.1+cpu.cxx11.abi",
        ),
    ],
)
def test_odd_names_are_read(folder: str, filename: str, package: str, version: str) -> None:
    """TRAP 8."""
    wheel = known().wheels[folder, filename]
    assert (wheel.package, wheel.version) == (package, version)
    evidence = evidence_of(folder, filename)
    assert evidence is not None and evidence.grade in GRADES


def test_odd_folders_and_platforms_are_not_offered() -> None:
    """TRAP 8: repacked folders are no builds of ``lock``; a wheel for s390x fits no target."""
    assert {"cpu", "cu118", "cu132", "rocm7.2", "xpu"} <= set(folders())
    assert not {"root", "cpu-cxx11-abi", "cu117_pypi_cudnn", "cu121_full"} & set(folders())
    with pytest.raises(DataError, match="no table of this folder"):
        build_catalogue("cu117_pypi_cudnn")
    assert platform_in("cp312-cp312-linux_s390x") == platform_in("py3-none-any") == ""
    assert [wheel.filename for wheel in known().wheels.values() if wheel.filename.startswith("TorchCodec")] == []
    assert Wheel("cpu", "TorchCodec-0.2.1-cp39-cp39-macosx_11_0_arm64.whl").package == "torchcodec"


@pytest.mark.parametrize(
    ("tags", "platform", "python"),
    [
        ("cp313-cp313t-manylinux_2_28_x86_64", "linux-x86_64", "3.13t"),
        ("cp310-none-macosx_11_0_arm64", "macos-arm64", "3.10"),
        ("cp312-cp312-manylinux_2_27_aarch64.manylinux_2_28_aarch64", "linux-aarch64", "3.12"),
        ("cp37-cp37m-win_amd64", "windows-amd64", "3.7"),
        ("cp311-cp311-win_arm64", "windows-arm64", "3.11"),
        ("cp27-cp27mu-linux_x86_64", "linux-x86_64", "2.7"),
        ("py3-none-manylinux_2_28_x86_64", "linux-x86_64", ""),
        ("cp312-cp312-musllinux_1_2_x86_64", "", "3.12"),
        ("cp312-cp312-linux_s390x", "", "3.12"),
        ("py3-none-any", "", ""),
    ],
)
def test_tags_say_platform_and_python(tags: str, platform: str, python: str) -> None:
    assert platform_in(tags) == platform
    assert python_in(tags) == python


@pytest.mark.parametrize(
    "filename",
    [
        "torch-2.10.0+cu126-cp313t-cp313t-manylinux_2_28_x86_64.whl",
        "torch-2.10.0.whl",
        "torch-2.9.0rc1+cu128-cp312-cp312-win_amd64.whl",
        "torch-2.9.0.dev20250901+cu128-cp312-cp312-win_amd64.whl",
        "torch-2.10.0.tar.gz",
    ],
)
def test_impossible_names_and_early_versions_stay_out(filename: str) -> None:
    assert not is_of_releases("cu126", filename)


def test_names_that_scripts_invented_stay_out() -> None:
    """TRAP 9: there was no torchaudio 2.1 for CUDA 12.6."""
    versions = {release.version for release in build_catalogue("cu126").releases("torchaudio") or ()}
    assert "2.6.0+cu126" in versions and "2.1.2+cu126" not in versions


def test_requirements_are_those_of_a_platform() -> None:
    """TRAP 10: what one wheel requires need not hold for another platform."""
    release = release_of("cu128", "torch", "2.8.0+cu128")
    needs: dict[str, set[str]] = {}
    for at, tags in enumerate(release.tags):
        declared = release.dependencies(at)
        assert isinstance(declared, list)
        needs[platform_in(tags)] = {need.name for need in declared}
    assert "nvidia-cublas-cu12" in needs["linux-x86_64"] and "triton" in needs["linux-x86_64"]
    assert "nvidia-cublas-cu12" not in needs["windows-amd64"]
    assert {"filelock", "sympy"} <= needs["linux-x86_64"] & needs["windows-amd64"]
    cpu = release_of("cpu", "torch", "2.8.0+cpu")
    here = next(at for at, tags in enumerate(cpu.tags) if platform_in(tags) == "linux-x86_64")
    declared = cpu.dependencies(here)
    assert isinstance(declared, list)
    assert not any(need.name.startswith(("nvidia", "triton")) for need in declared)


def test_unknown_requirements_do_not_hide_a_wheel() -> None:
    release = release_of("cpu", "torch", "2.8.0+cpu")
    unread = [at for at in range(len(release.tags)) if isinstance(release.dependencies(at), Unknown)]
    assert unread, "wheels for s390x"
    assert None not in release.ranks(lambda _: 0)


# The reader.


def test_a_folder_shows_the_build_unless_the_wheel_is_of_another() -> None:
    assert release_of("cu128", "torch", "2.8.0+cu128").build(0) == "cu128"
    assert release_of("cu124", "torch", "2.4.0").build(0) == "cu124"
    assert release_of("cu111", "torch", "1.10.2+cpu").build(0) == "cpu", "its label says it"
    stale = release_of("cu111", "torch", "1.10.2")
    builds = {platform_in(tags): stale.build(at) for at, tags in enumerate(stale.tags)}
    assert builds["linux-aarch64"] == builds["macos-arm64"] == "cpu", "the same files are on the public index"
    assert builds["linux-x86_64"] == "cu102"
    tritons = triton_catalogue().releases("triton-rocm")
    assert tritons is not None and tritons[0].build(0) is None


def test_the_date_and_the_address() -> None:
    assert build_catalogue("cu128").date == build_catalogue("cpu").date == known().date
    assert index_address() == "https://download.pytorch.org/whl"
    assert page_of("cu128") == "https://download.pytorch.org/whl/cu128"


def test_the_public_catalogue_is_another() -> None:
    release = next(release for release in Catalogue().releases("torch") or () if release.version == "2.8.0")
    assert release.build(0) == "cpu"
    assert None not in release.ranks(lambda _: 0)


def test_evidence_of_a_file() -> None:
    found = evidence_of("cu128", NAME)
    assert found is not None
    assert found.grade == "locks" and len(found.sources) > 1 and found.others == ()
    assert evidence_of("cu126", NAME) is None
    assert evidence_of("cu128", "not a wheel") is None
    assert evidence_of("cu999", NAME) is None


def test_disagreement_is_kept_and_explained() -> None:
    assert known().conflicts
    for (folder, filename), conflict in known().conflicts.items():
        found = evidence_of(folder, filename)
        assert found is not None
        assert len(found.others) == 1 and found.why
        assert conflict.used == known().wheels[folder, filename].sha256
        assert {conflict.used, found.others[0][0]} == set(conflict.values)


@pytest.mark.parametrize(
    ("sha256", "sources", "grade"),
    [
        (ONE, [LOCK, OTHER], "locks"),
        (ONE, [LOCK, "wheel: the file itself, hashed, 2026-11-28"], "locks"),
        (ONE, [LOCK, "a/one poetry.lock 0123456789ab 2026-02-01"], "lock"),
        (ONE, [LOCK, "excerpt: NixOS/nixpkgs x.nix, gathered 2026-11-28"], "lock"),
        (
            ONE,
            ["excerpt: a public text, gathered 2026-11-28", "excerpt: a/b issue 1, gathered 2026-11-28"],
            "excerpt",
        ),
        (None, [LOCK, OTHER], "name"),
    ],
)
def test_grades(sha256: str | None, sources: list[str], grade: str) -> None:
    assert grade_of(sha256, sources) == grade


def test_second_class_rows_are_marked() -> None:
    grades = [
        grade_of(wheel.sha256, [known().sources[source] for source in wheel.sources])
        for wheel in known().wheels.values()
    ]
    assert grades.count("excerpt") >= 120
    assert grades.count("locks") > 2200


# How sources are joined.


def joined(*rows: tuple[str | None, str], **fields: Any) -> tuple[Tables, list[str]]:
    """One file, as these sources state its hash, one after the other."""
    made, said = Tables(date="2026-11-28"), []
    for sha256, text in rows:
        said += add_rows(made, [Wheel("cu128", NAME, sha256, sources=(7,), **fields)], {7: text})
    return made, said


def test_a_second_source_confirms() -> None:
    made, said = joined((ONE, LOCK), (ONE, OTHER), (ONE, OTHER))
    assert said == []
    assert made.sources == {1: LOCK, 2: OTHER}
    assert made.wheels["cu128", NAME] == Wheel("cu128", NAME, ONE, sources=(1, 2))


def test_a_source_without_a_hash_confirms_none() -> None:
    assert joined((ONE, LOCK), (None, OTHER))[0].wheels["cu128", NAME].sources == (1,)
    made, _ = joined((None, OTHER), (ONE, LOCK))
    assert made.wheels["cu128", NAME].sha256 == ONE
    assert made.wheels["cu128", NAME].sources == (2,)


def test_a_contradiction_is_told_and_kept() -> None:
    made, said = joined((ONE, LOCK), (TWO, OTHER), (TWO, OTHER))
    assert said == [f"cu128: {NAME} is {TWO}, not {ONE}"]
    assert made.wheels["cu128", NAME].sha256 == ONE
    assert made.conflicts["cu128", NAME].values == {ONE: (1,), TWO: (2,)}


def test_the_hash_with_more_repositories_is_used() -> None:
    third = "c/three uv.lock 0123456789ab 2026-01-03"
    made, _ = joined((ONE, LOCK), (TWO, OTHER), (TWO, third), (TWO, third))
    assert made.wheels["cu128", NAME].sha256 == TWO
    assert made.wheels["cu128", NAME].sources == (2, 3)
    assert made.conflicts["cu128", NAME].why == "more repositories state it"


def test_tables_are_written_and_read_back(tmp_path: Path) -> None:
    made, _ = joined(
        (ONE, LOCK), (TWO, OTHER), size=5000, declared=("filelock", "nvidia-x[y]<2; python_version < '3.9'")
    )
    add_rows(made, [Wheel("root", "triton_xpu-3.6.0-cp312-cp312-win_amd64.whl", sources=(1,))], {1: LOCK})
    renderer = Renderer(tables.ROOT / "releases", lambda *_: None)
    written = write_tables(tmp_path, made, renderer)
    assert {path.relative_to(tmp_path).as_posix() for path in written} == {
        *("DATE", "conflicts.json", "sources.json"),
        *("files/cu128/torch.json", "files/root/triton-xpu.json"),
    }
    back = read_tables(tmp_path)
    assert (back.sources, back.conflicts, back.date) == (made.sources, made.conflicts, made.date)
    wheel = back.wheels.pop(("cu128", NAME))
    assert wheel.declared == ("filelock", 'nvidia-x[y]<2; python_version < "3.9"')
    assert back.wheels == {key: one for key, one in made.wheels.items() if key[0] == "root"}
    back.wheels["cu128", NAME] = wheel
    assert write_tables(tmp_path, back, renderer) == []
    del back.wheels["cu128", NAME]
    assert write_tables(tmp_path, back, renderer, dry=True) == [tmp_path / "files" / "cu128" / "torch.json"]
    assert (tmp_path / "files" / "cu128" / "torch.json").exists()
    write_tables(tmp_path, back, renderer)
    assert not (tmp_path / "files" / "cu128" / "torch.json").exists()


def test_no_tables_yet(tmp_path: Path) -> None:
    assert read_tables(tmp_path) == Tables()


def test_file_names_are_those_of_wheels() -> None:
    """Each name has the version of its key, as installers read it."""
    for (_, filename), wheel in known().wheels.items():
        name, version, _, _ = parse_wheel_filename(filename)
        assert (str(name), version) == (wheel.package, Version(wheel.version))
