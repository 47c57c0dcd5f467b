"""The bundled proofs: what they say, and that no rule disagrees with what the wheels show."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from torchlock.knowledge import proofs
from torchlock.knowledge.judge import NamedVersion, violations
from torchlock.knowledge.proofs import Cell
from torchlock.knowledge.releases import Catalogue, CatalogueRelease
from torchlock.knowledge.rules import BUILD_CUDA, Matrix
from torchlock.matrix.judging import Pair, PairJudge
from torchlock.matrix.values import Judgement
from torchlock.proving.choosing import chosen
from torchlock.standards.filenames import tags_of
from torchlock.target import Platform, PythonVersion, Target

MATRIX, CATALOGUE = Matrix(), Catalogue()
# Pairs that a rule accepts and whose wheels alone do not decide: the release and the platform, the torches, and
# the source that decides.
LINUX = "linux-x86_64"
DECIDED_ELSEWHERE = {
    # It uses four C++ functions, which every later torch has; a run with torch 2.14.1 loaded and decoded.
    ("torchcodec", "0.11.1", LINUX): (">=2.12", "run-torch-2.14.1"),
    # Its metadata asks for 2.11; its libraries for the CPU are those of 2.11.0.
    ("torchaudio", "2.11.1", "macos-arm64"): ("==2.10.*", "torchaudio-stable-symbols"),
    ("torchaudio", "2.11.0", "macos-arm64"): ("==2.10.*", "torchaudio-stable-symbols"),
    ("torchaudio", "2.11.1", "windows-amd64"): ("==2.10.*", "torchaudio-stable-symbols"),
    ("torchaudio", "2.11.0", "windows-amd64"): ("==2.10.*", "torchaudio-stable-symbols"),
}
# Pairs that nothing decides: the rule that accepts them is declared, and the matrix says that they are unknown.
UNDECIDED = {
    ("torchcodec", "0.11.1", "linux-aarch64"),
    ("torchcodec", "0.11.1", "macos-arm64"),
    ("torchcodec", "0.11.1", "windows-amd64"),
    ("torchtext", "0.10.0", "macos-arm64"),
}


@cache
def _release(name: str, version: str) -> CatalogueRelease:
    return next(each for each in CATALOGUE.releases(name) or [] if each.version == version)


def _target(cell: Cell) -> Target:
    """The Python of the wheels that were read, on their platform."""
    tags = [tags_of(each.file) for each in cell.evidence]
    pythons = [match[1] for each in tags if (match := re.match(r"cp3(\d+)-cp", each))]
    python = cell.pythons[0] if cell.pythons else f"3.{pythons[0] if pythons else '12'}"
    return Target(PythonVersion.parse(python), Platform.parse(cell.platform))


def accepted(cell: Cell) -> bool:
    """Whether the rules accept the pair, whatever the metadata of the companion declares."""
    rows = ((cell.package, cell.version, cell.build), ("torch", cell.torch, cell.torch_build))
    pins = {
        name: NamedVersion(name, version, tags=tags_of(evidence.file), build=build)
        for (name, version, build), evidence in zip(rows, cell.evidence, strict=True)
    }
    names = {*pins, BUILD_CUDA}
    found = violations(pins, _target(cell), MATRIX, complete=False)
    return not any(each.dependency is None or each.dependency.name in names for each in found)


def _judged(cell: Cell) -> Judgement:
    builds = cell.build or "", cell.torch_build or ""
    pair = Pair(cell.package, str(cell.version), builds[0], str(cell.torch), builds[1], public=True)
    return PairJudge(MATRIX, proofs.proofs()).judge(pair, _target(cell))


def test_rules_accept_what_wheels_show_to_load() -> None:
    """A pair that loads is not ruled out, whatever its metadata says: that is what installers follow."""
    assert not [each for each in proofs.cells() if each.verdict == "loads" and not accepted(each)]


def test_no_rule_accepts_what_wheels_show_to_fail() -> None:
    """Each pair that the rules accept is shown to load by its wheels, or by a source that says more."""
    wrong = [each for each in proofs.cells() if each.verdict != "loads" and accepted(each)]
    assert not [each for each in wrong if each.verdict == "fails"]
    for each in wrong:
        key = each.package, str(each.version), each.platform
        if key in UNDECIDED:
            assert _judged(each).verdict == "unknown", each
            continue
        releases, source = DECIDED_ELSEWHERE[key]
        assert SpecifierSet(releases).contains(each.torch), each
        assert MATRIX.source(source).kind == "measured"


@pytest.mark.parametrize(
    ("package", "version", "torch", "platform", "verdict", "symbol"),
    [
        ("torchaudio", "2.11.1", "2.12.1", "linux-x86_64", "fails", "torch_exception_get_what"),
        ("torchaudio", "2.11.1", "2.13.0+cu130", "linux-x86_64", "loads", None),
        ("torchaudio", "2.11.1", "2.12.1", "windows-amd64", "loads", None),
        ("torchaudio", "2.11.0", "2.15.0", "linux-x86_64", "fails", None),
        ("torchtext", "0.18.0", "2.4.0", "linux-x86_64", "fails", "torch::jit::parseSchemaOrName"),
        ("torchcodec", "0.12.0", "2.13.0", "linux-aarch64", "unknown", None),
        ("torchvision", "0.18.0", "2.3.1", "macos-arm64", "loads", None),
        ("torchvision", "0.18.0", "2.2.0", "linux-x86_64", "fails", "c10::cuda::SetDevice"),
    ],
)  # fmt: skip
def test_a_cell(package: str, version: str, torch: str, platform: str, verdict: str, symbol: str | None) -> None:
    cell = proofs.cell(package, version, torch, platform)
    assert cell is not None
    assert (cell.verdict, cell.symbol) == (verdict, symbol)
    assert cell.kind == "measured"


def test_why_a_cell_fails() -> None:
    def reason(package: str, version: str, torch: str) -> str:
        cell = proofs.cell(package, version, torch, "linux-x86_64")
        assert cell is not None
        return cell.reason

    assert "torch has it from 2.13.0 on" in reason("torchaudio", "2.11.1", "2.12.1")
    assert "built with (13.0) with that of torch (13.2)" in reason("torchaudio", "2.11.0", "2.15.0")
    assert "to 2.3.1" in reason("torchtext", "0.18.0", "2.4.0")
    assert "libnppicc.so.13" in reason("torchcodec", "0.11.0", "2.11.0")


def test_a_reason_names_the_library_that_has_the_need_and_no_more_than_is_known() -> None:
    """``_torchaudio.so`` needs libtorchaudio.so, which uses the symbol: a form of a name that torch may have."""
    cell = proofs.cell("torchaudio", "2.7.0", "2.8.0", "linux-x86_64")
    assert cell is not None
    assert cell.reason.startswith("libtorchaudio.so uses a form of ")
    cell = proofs.cell("torchtext", "0.18.0", "2.14.1", "linux-x86_64")
    assert cell is not None
    assert cell.reason.startswith("libtorchtext.so uses a form of ")
    for each in proofs.cells():
        span = re.search(r"from (\S+) to (\S+)$", each.reason)
        assert span is None or span[1] != span[2], each.reason
        assert not re.match(r"uses \?\?", each.reason)


def test_a_wheel_that_differs_by_python_is_compared_with_the_torch_of_its_python() -> None:
    """libtorchaudio.so of some wheels uses at::internal::invoke_parallel, and some wheels of torch lack it."""

    def verdict(version: str, torch: str, python: str) -> str | None:
        cell = proofs.cell("torchaudio", version, torch, "macos-x86_64", python)
        return cell.verdict if cell is not None else None

    assert (verdict("0.11.0", "1.11.0", "3.9"), verdict("0.11.0", "1.11.0", "3.10")) == ("loads", "fails")
    assert (verdict("2.2.0", "2.2.0", "3.11"), verdict("2.2.0", "2.2.1", "3.11")) == ("loads", "fails")
    assert verdict("2.2.0", "2.2.1", "3.12") == "loads"


def test_every_wheel_of_a_companion_was_read() -> None:
    """One that shows something else than another wheel of its release has a row of its own."""
    compared = proofs.proofs().compared
    for package in proofs.proofs().packages:
        listed = [each for some in chosen(CATALOGUE, package) for each in some]
        for place, (read, _) in compared[package].items():
            assert read == sum(each.platform == place for each in listed)
    assert compared["torchaudio"]["macos-x86_64"][1] > 10


def test_a_torchvision_whose_import_goes_on_is_not_said_to_fail_at_import() -> None:
    """0.16.2 imports beside torch 2.14.1 and only its operators fail; 0.18.1 raises at import."""
    for version, goes_on in (("0.15.2", True), ("0.16.2", True), ("0.17.0", False), ("0.18.1", False)):
        cell = proofs.cell("torchvision", version, "2.4.0", "linux-x86_64")
        assert cell is not None
        assert cell.verdict == "fails"
        assert ("continues without its library, but its operators do not work: _C.so" in cell.reason) == goes_on


def test_every_cell_has_two_wheels_of_the_catalogue() -> None:
    hashes = {
        file.filename: file.hashes["sha256"]
        for name in ("torch", *proofs.proofs().packages)
        for each in CATALOGUE.releases(name) or []
        for file in each.files()
    }
    for cell in proofs.cells():
        assert all(hashes[each.file] == each.sha256 for each in cell.evidence)


def test_cells_are_selected() -> None:
    some = list(proofs.cells("torchaudio", "2.8.0", platform="linux-x86_64"))
    assert {(each.package, str(each.version), each.platform) for each in some} == {
        ("torchaudio", "2.8.0", "linux-x86_64")
    }
    assert [str(each.torch) for each in some if each.verdict == "loads"] == ["2.8.0"]
    assert proofs.cell("torchaudio", "2.8.0", "2.8.1", "linux-x86_64") is None
    assert proofs.cell("torchaudio", "9.9", "2.8.0", "linux-x86_64") is None
    assert proofs.cell("soundfile", "0.13.1", "2.8.0", "linux-x86_64") is None
    assert Version("2.15.0") in proofs.proofs().torches("macos-arm64")


def test_wheels_of_one_release_for_several_torches() -> None:
    """torchtext 0.16.2 was built for another torch where it was built for Python 3.12."""

    def verdict(torch: str, python: str = "") -> str:
        cell = proofs.cell("torchtext", "0.16.2", torch, "linux-x86_64", python)
        return cell.verdict if cell is not None else "none"

    assert (verdict("2.1.2", "3.11"), verdict("2.2.0", "3.11")) == ("loads", "fails")
    assert (verdict("2.1.2", "3.12"), verdict("2.2.0", "3.12")) == ("none", "loads")
    assert (verdict("2.1.2"), verdict("2.2.0")) == ("loads", "loads")


def test_what_was_not_proven_says_why() -> None:
    for cell in _unknown():
        assert cell.kind in ("measured", "declared")
        assert re.search(" built for |not known|can bring it", cell.reason), cell.reason


def _unknown() -> Iterator[Cell]:
    return (each for each in proofs.cells() if each.verdict == "unknown")
