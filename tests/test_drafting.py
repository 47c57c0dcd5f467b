"""``proving/drafting.py``: what is said of a new release, and what is not, by stores of made-up evidence."""

from __future__ import annotations

from typing import Any

import pytest

from torchlock.knowledge.rules import Matrix
from torchlock.proving.drafting import Draft, Drafter
from torchlock.proving.evidence import CompanionWheel, Library, TorchWheel, Wheel
from torchlock.proving.tables import Store

LINUX, MAC = "linux-x86_64", "macos-arm64"
CPP = "_ZN5torch6futureEv"
# What every torch here offers.
OLD = frozenset({"torch_library_impl", "aoti_torch_zero_"})


class Facts:
    """Stands in for the catalogue: what wheels declare, and the torches that are on the index."""

    def __init__(self, asked: tuple[str, ...] = (), beside: tuple[str, ...] = (), series: str = "") -> None:
        self._asked = asked
        self._beside = beside
        self._series = series

    def together(self, first: Wheel, second: Wheel) -> bool:
        return True

    def torch_asked(self, wheel: Wheel) -> list[str]:
        return list(self._asked)

    def torches_beside(self, wheel: Wheel) -> list[str]:
        return list(self._beside)

    def series(self, wheel: Wheel) -> str:
        return self._series


def torch(
    version: str, *exports: str, platform: str = LINUX, build: str = "cpu", brings: tuple[str, ...] = ()
) -> TorchWheel:
    wheel = Wheel("torch", version, platform, build, f"torch-{version}-{platform}.whl", f"{version}{platform}", "")
    return TorchWheel(wheel, frozenset({"libtorch.so", *brings}), OLD | {*exports})


def audio(
    *symbols: str, platform: str = LINUX, build: str = "cpu", compares: str = "", needed: tuple[str, ...] = ()
) -> CompanionWheel:
    library = Library("torchaudio/lib/libtorchaudio.so", "import", ("libtorch.so", *needed), symbols)
    wheel = Wheel("torchaudio", "9.0.0", platform, build, f"torchaudio-9.0.0-{platform}.whl", platform, "")
    return CompanionWheel(wheel, (library,), compares, {})


def store(
    companions: list[CompanionWheel], torches: list[TorchWheel], asked: frozenset[str] = frozenset()
) -> Store:
    found = Store({}, {}, {LINUX: asked, MAC: asked})
    for each in companions:
        found.companions.setdefault((each.wheel.package, each.wheel.platform), []).append(each)
    for torch_wheel in torches:
        found.torches.setdefault(torch_wheel.wheel.platform, []).append(torch_wheel)
    return found


def draft(found: Store, facts: Facts | None = None, fresh: frozenset[str] = frozenset()) -> Draft:
    given: Any = facts or Facts()
    return Drafter(found, given, Matrix(), "wheels", "2030-01-02", fresh).of_companion("torchaudio", "9.0.0")


def rows(found: Draft, rule: str = "TL101") -> list[dict[str, Any]]:
    assert all(row["sources"] == ["wheels"] and row["checked"] == "2030-01-02" for _, row in found.rows)
    return [row for _, row in found.rows if row["rule"] == rule]


THREE = [torch("2.14.0"), torch("2.15.0", "torch_new"), torch("2.16.0", "torch_new")]


def test_a_symbol_that_later_torches_have_is_a_need() -> None:
    (row,) = rows(draft(store([audio("torch_library_impl", "torch_new")], THREE)))
    assert row["needs"] == [["torch", ">=2.15.0"]]
    assert row["because"] == "its libraries use torch_new, which torch has from 2.15.0 on"
    assert (row["kind"], row["build"]) == ("measured", "cpu")
    assert row["when"] == ["torchaudio", "==9.0.0", 'sys_platform == "linux" and platform_machine == "x86_64"']


def test_what_every_torch_has_is_no_need() -> None:
    found = draft(store([audio("torch_library_impl")], THREE))
    assert found == Draft((), {})


def test_a_lower_bound_is_that_of_the_symbols_not_of_the_metadata() -> None:
    """An environment that ignores the metadata may still load."""
    (row,) = rows(draft(store([audio("torch_new")], THREE), Facts(asked=(">=2.16",))))
    assert row["needs"] == [["torch", ">=2.15.0"]]


def test_no_torch_that_its_metadata_allows_loads() -> None:
    found = draft(store([audio("torch_newer")], THREE))
    assert found.rows == ()
    assert "torch_newer" in found.lacks[LINUX]


def test_a_later_torch_that_lost_the_symbol_leaves_it_open() -> None:
    torches = [torch("2.14.0", "torch_new"), torch("2.15.0")]
    found = draft(store([audio("torch_new")], torches))
    assert found.rows == ()
    assert found.lacks[LINUX].startswith("with torch 2.15.0: ")


def test_a_torch_that_was_not_read_leaves_it_open() -> None:
    found = draft(store([audio("torch_new")], THREE), Facts(beside=("2.14.0", "2.15.0", "2.15.1", "2.16.0")))
    assert found.rows == ()
    assert found.lacks == {LINUX: "torch 2.15.1, which it allows, was not read"}
    allowed = Facts(asked=(">=2.16",), beside=("2.15.1", "2.16.0"))
    assert draft(store([audio("torch_new")], THREE), allowed).lacks == {}


def test_cpp_functions_of_an_unknown_torch_leave_it_open() -> None:
    found = draft(store([audio(CPP)], [torch("2.15.0", CPP)], asked=frozenset({CPP})))
    assert found.rows == ()
    assert LINUX in found.lacks


def test_cpp_functions_tie_it_to_the_torch_that_it_declares() -> None:
    torches = [torch("2.15.0", CPP), torch("2.16.0", CPP)]
    facts = Facts(asked=("==2.16.0",), series="2.16")
    (row,) = rows(draft(store([audio(CPP)], torches, asked=frozenset({CPP})), facts))
    assert row["needs"] == [["torch", "==2.16.0"]]
    assert row["kind"] == "declared"


def test_a_symbol_that_nobody_asked_older_torches_for() -> None:
    """Their evidence has only what was asked for: that it does not have the symbol shows nothing."""
    torches = [torch("2.15.0"), torch("2.16.0", CPP)]
    facts = Facts(series="2.16")
    found = draft(store([audio(CPP)], torches), facts, fresh=frozenset({f"2.16.0{LINUX}"}))
    assert "it was not read whether torch 2.15.0 has" in found.lacks[LINUX]
    pinned = Facts(asked=("==2.16.0",), series="2.16")
    assert draft(store([audio(CPP)], torches), pinned, fresh=frozenset({f"2.16.0{LINUX}"})).lacks == {}


def test_names_of_symbols_do_no_harm() -> None:
    """Somebody writes them into a wheel."""
    odd = "torch_\x1b[31m" + "a" * 5000
    torches = [torch("2.14.0"), torch("2.15.0", odd)]
    found = draft(store([audio(odd)], torches, asked=frozenset({odd})))
    texts = [*found.lacks.values(), *(row["because"] for _, row in found.rows)]
    assert texts
    assert all(text.isprintable() and len(text) < 350 for text in texts)


def test_platforms_that_agree_share_a_row() -> None:
    both = [audio("torch_new"), audio("torch_new", platform=MAC)]
    torches = [*THREE, torch("2.14.0", platform=MAC), torch("2.15.0", "torch_new", platform=MAC)]
    (row,) = rows(draft(store(both, torches)))
    assert row["when"][2].count("sys_platform") == 2


def test_a_platform_that_is_open_leaves_the_others() -> None:
    both = [audio("torch_new"), audio("torch_newer", platform=MAC)]
    found = draft(store(both, [*THREE, torch("2.14.0", platform=MAC)]))
    assert len(rows(found)) == 1
    assert set(found.lacks) == {MAC}


@pytest.mark.parametrize(
    ("compares", "needed", "version"),
    [
        ("minor", (), "=={cuda}"),
        ("major", (), "=={cuda_major}.*"),
        ("", ("libcudart.so.13",), "=={cuda_major}.*"),
        ("", ("libtorch_cuda.so",), "=={cuda_major}.*"),
        ("", (), None),
    ],
)
def test_what_a_build_for_cuda_needs(compares: str, needed: tuple[str, ...], version: str | None) -> None:
    wheel = audio("torch_library_impl", build="cu130", compares=compares, needed=needed)
    torches = [torch("2.16.0", build="cu130", brings=("libcudart.so.13", "libtorch_cuda.so"))]
    found = rows(draft(store([wheel], torches)), "TL201")
    assert [row["needs"] for row in found] == ([[["build-cuda", version]]] if version else [])
    assert all(row["build"] == "cuda" for row in found)


def test_a_build_of_another_cuda_says_nothing_about_the_release() -> None:
    """torch 2.15 is for CUDA 12: a need of the build, not of the release."""
    wheel = audio("torch_library_impl", build="cu130", compares="major", needed=("libcudart.so.13",))
    torches = [torch("2.15.0", build="cu128"), torch("2.16.0", build="cu130", brings=("libcudart.so.13",))]
    found = draft(store([wheel], torches))
    assert (rows(found), len(rows(found, "TL201")), found.lacks) == ([], 1, {})


def test_a_library_that_no_torch_of_its_build_brings() -> None:
    wheel = audio("torch_library_impl", build="cu130", needed=("libfuture.so.1",))
    found = draft(store([wheel], [torch("2.16.0", build="cu130")]))
    assert found.rows == ()
    assert "libfuture.so.1" in found.lacks[LINUX]


def test_a_wheel_without_the_libraries_that_are_known() -> None:
    renamed = audio("torch_new")
    bare = renamed._replace(libraries=(renamed.libraries[0]._replace(role="optional"),))
    assert "none of the libraries" in draft(store([bare], THREE)).lacks[LINUX]


def of_torch(found: Store, version: str) -> Draft:
    given: Any = Facts()
    drafter = Drafter(found, given, Matrix(), "wheels", "2030-01-02", frozenset({f"{version}{LINUX}"}))
    return drafter.of_torch(version)


def named(wheel: CompanionWheel, version: str) -> CompanionWheel:
    return wheel._replace(wheel=wheel.wheel._replace(version=version))


def test_a_torch_that_lost_what_a_companion_uses() -> None:
    """2.11.0 is a real release, whose rule admits every later torch."""
    torches = [torch("2.15.0", "torch_old"), torch("9.0.0")]
    found = of_torch(store([named(audio("torch_old"), "2.11.0")], torches), "9.0.0")
    ((name, row),) = found.rows
    assert name == "torchaudio"
    assert (row["forbids"], row["when"][:2]) == ([["torch", "==9.0.0"]], ["torchaudio", "==2.11.0"])
    assert row["because"] == "its libraries use torch_old, which torch 9.0.0 lacks"


def test_a_torch_that_has_all_needs_no_row() -> None:
    found = of_torch(store([named(audio("torch_library_impl"), "2.11.0")], [torch("9.0.0")]), "9.0.0")
    assert found == Draft((), {})


def test_a_companion_that_the_rules_tie_to_another_torch_is_left_alone() -> None:
    found = of_torch(store([named(audio("torch_old"), "2.9.0")], [torch("9.0.0")]), "9.0.0")
    assert found == Draft((), {})


def test_the_newest_companion_that_the_rules_admit_must_be_decided() -> None:
    companions = [named(audio(CPP), "2.11.0"), named(audio("torch_library_impl"), "2.11.1")]
    torches = [torch("9.0.0", CPP)]
    assert of_torch(store(companions, torches, frozenset({CPP})), "9.0.0").lacks == {}
    swapped = [named(audio(CPP), "2.11.1"), named(audio("torch_library_impl"), "2.11.0")]
    found = of_torch(store(swapped, torches, frozenset({CPP})), "9.0.0")
    assert found.lacks == {LINUX: "it is not known whether torchaudio 2.11.1 works with it"}
