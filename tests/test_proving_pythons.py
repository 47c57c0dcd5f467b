"""Proofs of releases whose wheels for different Pythons show different things."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import pytest

from prove_matrix import wanted
from torchlock.knowledge import tables
from torchlock.knowledge.proofs import Cell, Proofs
from torchlock.knowledge.releases import Catalogue
from torchlock.proving.choosing import PLATFORMS, chosen
from torchlock.proving.compiling import compile_cells, text_of
from torchlock.proving.evidence import CompanionWheel, Library, TorchWheel, Wheel
from torchlock.proving.grouping import are_alike, merged, tags_in
from torchlock.proving.pairing import Python, pythons_of
from torchlock.proving.tables import Store, read_store, write_store
from torchlock.standards.filenames import tags_of

A, B = "_ZN2at1aE", "_ZN2at1bE"


def wheel(package: str, version: str, python: str, build: str = "cpu") -> Wheel:
    file = f"{package}-{version}-{python}-manylinux_2_28_x86_64.whl"
    return Wheel(package, version, "linux-x86_64", build, file, file, "2026-11-30")


def torch(python: str, *exports: str, version: str = "2.8.0", alike: tuple[str, ...] = ()) -> TorchWheel:
    return TorchWheel(wheel("torch", version, python), frozenset(), frozenset(exports), alike)


def audio(python: str, *symbols: str, needed: tuple[str, ...] = (), name: str = "lib.so") -> CompanionWheel:
    library = Library(f"torchaudio/lib/{name}", "import", needed, symbols)
    return CompanionWheel(wheel("torchaudio", "2.8.0", python), (library,), "", {})


class Facts:
    """Every wheel is for the Pythons that it names, and every release for 3.10 to 3.12."""

    def __init__(self, store: Store) -> None:
        self._alike = {each.wheel.file: each.alike for rows in store.tables() for each in rows}

    def pythons(self, wheel: Wheel) -> frozenset[Python]:
        names = [tags_of(wheel.file), *(f"{each}-manylinux_2_28_x86_64" for each in self._alike[wheel.file])]
        return pythons_of(names, "linux-x86_64")

    read = pythons

    def installable(self, wheel: Wheel) -> frozenset[Python]:
        return frozenset(Python(minor, False) for minor in (10, 11, 12))

    def series(self, wheel: Wheel) -> str:
        return "2.8"


def cells(folder: Path, torches: list[TorchWheel], companions: list[CompanionWheel]) -> list[Cell]:
    store = Store({"linux-x86_64": torches}, {("torchaudio", "linux-x86_64"): companions}, {})
    for path, text in write_store(folder, store).items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    again = read_store(folder)
    table = folder / "proofs.json"
    table.write_text(text_of(compile_cells(again, "2026-11-30", Facts(again))), encoding="utf-8")
    return list(Proofs(table).cells())


def test_the_tags_of_a_wheel() -> None:
    assert tags_in("torch-2.8.0-cp313-cp313t-manylinux_2_28_x86_64.whl") == "cp313-cp313t"
    assert tags_in("torchaudio-0.9.0-1-cp36-cp36m-win_amd64.whl") == "1-cp36-cp36m"


def test_wheels_that_show_the_same_are_one() -> None:
    """The modules have the Python in their names, and need its library."""
    first = audio("cp312-cp312", A, needed=("python312.dll",), name="x.cp312-win_amd64.pyd")
    second = audio(
        "cp311-cp311", A, "_ZNSt9exceptionD2Ev", needed=("python311.dll",), name="x.cp311-win_amd64.pyd"
    )
    third = audio("cp310-cp310", B)
    found = merged([first, second, third])
    assert [(each.wheel, each.alike) for each in found] == [(first.wheel, ("cp311-cp311",)), (third.wheel, ())]
    assert merged(found) == found


@pytest.mark.parametrize(
    "other",
    [
        audio("cp311-cp311", A, B),
        audio("cp311-cp311", A, needed=("libnew.so.1",)),
        audio("cp311-cp311", A)._replace(compares="major"),
        audio("cp311-cp311", A)._replace(wheel=wheel("torchaudio", "2.8.0", "cp311-cp311", "cu128")),
    ],
    ids=["symbol", "library", "comparison", "build"],
)
def test_wheels_that_differ_are_apart(other: CompanionWheel) -> None:
    assert not are_alike(audio("cp312-cp312", A), other)


def test_a_torch_that_differs_is_apart() -> None:
    assert are_alike(torch("cp312-cp312", A), torch("cp311-cp311", A))
    assert not are_alike(torch("cp312-cp312", A), torch("cp311-cp311"))
    one, other, third = ({"libc10.so", name} for name in ("libx-0a1b2c3d.so.1", "libx-d3c2b1a0.so.1", "liby.so"))
    first = torch("cp312-cp312", A)._replace(libraries=frozenset(one))
    assert are_alike(first, torch("cp311-cp311", A)._replace(libraries=frozenset(other)))
    assert not are_alike(first, torch("cp311-cp311", A)._replace(libraries=frozenset(third)))


def test_one_cell_where_all_wheels_agree(tmp_path: Path) -> None:
    """The wheels of torch differ in a symbol that this release does not use."""
    torches = [torch("cp312-cp312", A, alike=("cp310-cp310",)), torch("cp311-cp311", A, B)]
    mine = audio("cp312-cp312", A)._replace(alike=("cp311-cp311", "cp310-cp310"))
    (cell,) = cells(tmp_path, torches, [mine])
    assert (cell.verdict, cell.pythons) == ("loads", ())
    assert cell.is_about("3.11")


def test_a_cell_for_each_verdict(tmp_path: Path) -> None:
    """Only the torch for 3.11 lacks what every wheel uses."""
    torches = [torch("cp312-cp312", A, alike=("cp310-cp310",)), torch("cp311-cp311", B)]
    mine = audio("cp312-cp312", A)._replace(alike=("cp311-cp311", "cp310-cp310"))
    found = {cell.pythons: cell for cell in cells(tmp_path, torches, [mine])}
    assert {pythons: cell.verdict for pythons, cell in found.items()} == {
        ("3.10", "3.12"): "loads",
        ("3.11",): "fails",
    }
    assert "cp311" in found["3.11",].evidence[1].file


def test_each_wheel_is_compared_with_the_torch_of_its_python(tmp_path: Path) -> None:
    """Wheels that need different things load beside torches that differ in the same way."""
    torches = [torch("cp312-cp312", A), torch("cp311-cp311", B), torch("cp310-cp310", A, B)]
    mine = [audio("cp312-cp312", A), audio("cp311-cp311", B), audio("cp310-cp310", A, B)]
    (cell,) = cells(tmp_path, torches, mine)
    assert (cell.verdict, cell.pythons) == ("loads", ())


def test_a_python_whose_wheel_was_not_read_has_no_proof(tmp_path: Path) -> None:
    mine = audio("cp312-cp312", A)._replace(alike=("cp311-cp311",))
    (cell,) = cells(tmp_path, [torch("cp312-cp312", A, alike=("cp311-cp311", "cp310-cp310"))], [mine])
    assert cell.pythons == ("3.11", "3.12")
    assert not cell.is_about("3.10")


def test_what_was_compared_is_in_the_table(tmp_path: Path) -> None:
    mine = [audio("cp312-cp312", A)._replace(alike=("cp311-cp311",)), audio("cp310-cp310", B)]
    cells(tmp_path, [torch("cp312-cp312", A)], mine)
    compared = Proofs(tmp_path / "proofs.json").compared
    assert compared == {"torch": {"linux-x86_64": [1, 0]}, "torchaudio": {"linux-x86_64": [3, 1]}}


def test_every_wheel_of_each_release_is_chosen_once() -> None:
    """Of a Python the wheel with the last build number, that of the preferred Python first."""
    for package in ("torch", "torchaudio"):
        files = [each for some in chosen(Catalogue(), package) for each in some]
        assert {each.platform for each in files} == set(PLATFORMS)
        assert len({each.sha256 for each in files}) == len(files)
    some = next(each for each in chosen(Catalogue(), "torchaudio") if each[0][1:3] == ("2.8.0", "linux-x86_64"))
    assert [tags_in(each.file) for each in some][:2] == ["cp312-cp312", "cp311-cp311"]
    assert tags_in(some[-1].file) == "cp313-cp313t"


def test_what_is_read() -> None:
    """Nothing of which the evidence speaks; of a new torch, one wheel of each platform."""
    catalogue, store = Catalogue(), read_store(tables.ROOT / "proofs")
    options = Namespace(platform=None, every_torch=False)
    assert wanted(catalogue, store, ["torch", "torchaudio"], options) == []
    for rows in store.torches.values():
        rows[:] = [each for each in rows if each.wheel.version != "2.15.0"]
    found = wanted(catalogue, store, ["torch"], options)
    assert [each.platform for each in found] == ["linux-x86_64", "linux-aarch64", "macos-arm64", "windows-amd64"]
    every = wanted(catalogue, store, ["torch"], Namespace(platform=["windows-amd64"], every_torch=True))
    assert {each.platform for each in every} == {"windows-amd64"}
    assert len(every) > 3


def test_torch_is_asked_again_for_a_symbol_that_is_new() -> None:
    """Each wheel that has a row is read again, on the platform of the symbol alone."""
    catalogue, store = Catalogue(), read_store(tables.ROOT / "proofs")
    rows = store.companions["torchaudio", "linux-x86_64"]
    library = Library("torchaudio/lib/lib.so", "import", (), ("_ZN2at5neverE",))
    rows[-1] = rows[-1]._replace(libraries=(library,))
    found = wanted(catalogue, store, ["torch"], Namespace(platform=None, every_torch=False))
    assert {each.sha256 for each in found} == {each.wheel.sha256 for each in store.torches["linux-x86_64"]}
