"""The choice of a build for a machine: the grid of GPUs, drivers and systems, and what is said about it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from support.builds_by_table import attempt, builds
from torchlock.errors import InputError
from torchlock.knowledge import gpus
from torchlock.knowledge.accelerators import candidates_for, serves
from torchlock.knowledge.drivers import driver_knows, driver_runs
from torchlock.knowledge.gpus import Gpu, parse_gpus
from torchlock.lock.build_choice import (
    DOUBTFUL,
    FORBIDDEN,
    NEEDED,
    TABLES,
    UNTRIED,
    WHOLE,
    WORKS,
    Choice,
    Question,
    Refusal,
    choose,
    judge_label,
)
from torchlock.lock.build_machine import BuildMachine, recorded_machine
from torchlock.target import Platform, PythonVersion, Target

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

GRID: list[dict[str, Any]] = tomllib.loads(
    (Path(__file__).parent / "accelerator_grid.toml").read_text(encoding="utf-8")
)["row"]
PLATFORMS = {"linux": "linux-x86_64", "aarch64": "linux-aarch64", "windows": "windows-amd64"}
CELLS = [(row, name) for row in GRID for name in PLATFORMS if name in row]


class Asked:
    """A question, and the builds for which a lock was tried."""

    def __init__(
        self,
        gpu: str | None,
        driver: str = "",
        platform: str = "linux-x86_64",
        python: str = "3.12",
        members: tuple[str, ...] = ("torch", "torchaudio"),
        depth: int = NEEDED,
        lock: Callable[[str, Target], Any] = attempt,
        unread: bool = False,
    ) -> None:
        self.tried: list[str] = []
        machine = BuildMachine(None if gpu is None else parse_gpus(gpu), driver)
        libraries = {"cuda-driver": driver} if driver else {}
        target = Target(
            PythonVersion.parse(python), Platform.parse(platform), "auto", "none", libraries, machine.archs
        )

        def try_one(label: str) -> Any:
            self.tried.append(label)
            return lock(label, target)

        self.question = Question(
            target, machine, members, builds(), try_one, lambda conflict: ["no pair."], lambda _: unread, depth
        )


@pytest.mark.parametrize(
    ("row", "platform"), CELLS, ids=[f"{row['gpu']} {row['driver']} {name}" for row, name in CELLS]
)
def test_grid(row: dict[str, Any], platform: str) -> None:
    asked = Asked(row["gpu"], row["driver"], PLATFORMS[platform], row.get("python", "3.12"))
    found = choose(asked.question)
    expected = row[platform]
    if isinstance(found, Choice):
        assert found.label == expected
    else:
        said = "\n".join([found.because, found.advice, *map(str, found.frontier)])
        assert expected.removeprefix("no: ") in said
        assert expected.startswith("no: ")
        assert found.nearest == "cpu"


def test_grid_keys() -> None:
    assert {key for row in GRID for key in row} <= {"gpu", "driver", "python", *PLATFORMS}


def test_what_is_ruled_out_is_not_solved() -> None:
    asked = Asked("GTX 1080 Ti", "535.104")
    assert isinstance(choose(asked.question), Choice)
    assert asked.tried == ["cu126"]


def test_held_back_builds_are_those_that_the_machine_forbids() -> None:
    found = choose(Asked("GTX 1080 Ti", "535.104").question)
    assert isinstance(found, Choice)
    assert [(verdict.label, verdict.because) for verdict in found.held_back] == [
        ("cu132", "driver 535.104 is older than 580, the oldest that runs it"),
        ("cu130", "driver 535.104 is older than 580, the oldest that runs it"),
        ("cu129", "no torch of it has code for sm_61"),
        ("cu128", "no torch of it has code for sm_61"),
    ]


def test_a_build_without_torchaudio_is_not_held_back_by_the_machine() -> None:
    found = choose(Asked("RTX 5090", "590.48").question)
    assert isinstance(found, Choice)
    assert found.held_back == ()
    assert found.frontier[0].label == "cu132"


def test_frontier_of_the_tables() -> None:
    asked = Asked("RTX 5090", "580.95", depth=TABLES)
    found = choose(asked.question)
    assert [(verdict.label, verdict.state) for verdict in found.frontier] == [
        ("cu132", FORBIDDEN),
        ("cu130", WORKS),
        ("cu129", UNTRIED),
        ("cu128", UNTRIED),
        *((label, FORBIDDEN) for label in ("cu126", "cu124", "cu121", "cu118", "cu117")),
    ]
    assert asked.tried == ["cu132", "cu130"]


def test_whole_frontier() -> None:
    asked = Asked("RTX 5090", "580.95", depth=WHOLE)
    found = choose(asked.question)
    assert {verdict.label for verdict in found.frontier if verdict.state == WORKS} == {"cu130", "cu128"}
    assert asked.tried == ["cu132", "cu130", "cu129", "cu128"]


def test_without_a_gpu_only_cpu_is_tried() -> None:
    asked = Asked("none")
    found = choose(asked.question)
    assert isinstance(found, Choice)
    assert (found.label, asked.tried) == ("cpu", ["cpu"])


def no_lock(label: str, target: Target) -> Any:
    return attempt("cu999", target)


def test_nothing_works_at_all() -> None:
    found = choose(Asked("RTX 4090", "580.95", lock=no_lock).question)
    assert isinstance(found, Refusal)
    assert found.nearest == ""
    assert "no build is known to work on this machine (NVIDIA driver 580.95; RTX 4090 (sm_89))" in found.because


def test_what_could_not_be_read_is_doubtful() -> None:
    """Offline, the requirements of a wheel may be unknown: that is no reason against a build."""
    found = choose(Asked("RTX 4090", "580.95", lock=no_lock, unread=True).question)
    assert isinstance(found, Refusal)
    assert {verdict.state for verdict in found.frontier if verdict.label in ("cu130", "cu128")} == {DOUBTFUL}
    assert "run without --offline" in found.advice


# A build that the user names.


@pytest.mark.parametrize(
    ("label", "driver", "platform", "nearest"),
    [
        ("cu132", "", "linux-x86_64", "cu130"),  # never a torchaudio
        ("cu130", "550.54", "linux-x86_64", "cu129"),
        ("cu117", "", "linux-x86_64", "cu118"),  # no Python 3.12
        ("cu118", "", "linux-aarch64", "cu126"),  # never on aarch64
        ("rocm7.2", "", "windows-amd64", "cpu"),
    ],
)
def test_nearest_build_that_works(label: str, driver: str, platform: str, nearest: str) -> None:
    asked = Asked(None, driver, platform)
    found = judge_label(label, asked.question)
    assert isinstance(found, Refusal)
    assert found.nearest == nearest


def test_a_build_for_another_maker() -> None:
    found = judge_label("rocm7.2", Asked("RTX 4090", "580.95").question)
    assert isinstance(found, Refusal)
    assert found.because == "rocm7.2: it does not support NVIDIA GPUs"
    assert found.nearest == "cu130"


def test_a_build_that_works_is_taken_without_a_look_at_others() -> None:
    asked = Asked("RTX 4090", "580.95")
    found = judge_label("cu126", asked.question)
    assert isinstance(found, Choice)
    assert (found.label, asked.tried, len(found.frontier)) == ("cu126", ["cu126"], 1)


def test_a_build_that_may_not_work_is_taken_with_a_doubt() -> None:
    found = judge_label("cu130", Asked("Jetson AGX Orin", "580.00", "linux-aarch64").question)
    assert isinstance(found, Choice)
    assert "code of desktop GPUs may run on Ampere (Jetson Orin) or not" in found.doubt


def test_a_build_of_torch_1_is_not_denied_by_the_releases_of_torch_2() -> None:
    """cu117 exists for torch 1.13 and Python 3.7, which no torch 2 has."""
    asked = Asked(None, python="3.7", members=("torch",), lock=lambda label, target: attempt("cu126", target))
    judge_label("cu117", asked.question)
    assert asked.tried[:1] == ["cu117"]


# The machine in the comments of a lock.


@pytest.mark.parametrize(
    ("gpu", "driver", "text"),
    [
        ("GTX 1080 Ti", "535.104", "NVIDIA driver 535.104; GTX 1080 Ti (sm_61)"),
        ("sm_86", "", "sm_86"),
        ("none", "", "no GPU"),
        ("V100, sm_120", "580", "NVIDIA driver 580; V100 (sm_70); sm_120"),
        (None, "580", "NVIDIA driver 580"),
        ("RX 7900 XTX", "", "RX 7900 XTX (gfx1100)"),
        ("A770", "", "A770 (xpu)"),
    ],
)
def test_a_machine_is_recorded(gpu: str | None, driver: str, text: str) -> None:
    machine = BuildMachine(None if gpu is None else parse_gpus(gpu), driver)
    assert str(machine) == text
    assert recorded_machine(text) == machine


@pytest.mark.parametrize("text", ["", "a machine", "no GPU; sm_86", "NVIDIA driver new", "RTX (sm_x)"])
def test_what_is_no_machine(text: str) -> None:
    assert recorded_machine(text) is None


# Lines of the input that no build, or not every build, can take.


def only(*labels: str) -> Callable[[str, Target], Any]:
    """Locks for some builds; for others a line of the input cannot be used."""

    def lock(label: str, target: Target) -> Any:
        if label not in labels:
            raise InputError(f"a line asks for another build than {label}")
        return attempt(label, target)

    return lock


def test_a_line_that_asks_for_one_build_decides() -> None:
    found = choose(Asked("RTX 4090", "580.95", lock=only("cu126")).question)
    assert isinstance(found, Choice)
    assert found.label == "cu126"


@pytest.mark.parametrize("gpu", ["RTX 4090", "none"])
def test_a_line_that_no_build_can_take_is_an_error(gpu: str) -> None:
    with pytest.raises(InputError):
        choose(Asked(gpu, lock=only()).question)


def test_a_line_that_the_named_build_cannot_take_is_an_error() -> None:
    with pytest.raises(InputError):
        judge_label("cu128", Asked(None, lock=only("cu126")).question)


def test_no_choice_is_forbidden_by_the_machine() -> None:
    """Every architecture with random drivers: what is taken runs there, as far as the table knows."""
    random, drivers = (
        Random(15),
        ["", "450.80.02", "470.82", "525.60.13", "526.1", "550.54", "570.26", "580.00", "595.1"],
    )
    for arch in gpus.architectures():
        driver = random.choice(drivers) if arch.startswith("sm_") else ""
        platform = random.choice(list(PLATFORMS.values()))
        asked = Asked(arch, driver, platform)
        found = choose(asked.question)
        if isinstance(found, Refusal):
            continue
        gpu = Gpu(arch, arch)
        versions = {pin.name: pin.version for pin in found.lock.pins}
        torch = versions["torch"] if versions["torch"].count(".") > 1 else f"{versions['torch']}.0"
        assert found.label in candidates_for(gpu)
        assert serves("torch", torch, found.label, platform, gpu).answer is True
        if driver:
            assert driver_runs(found.label, Platform.parse(platform).system, driver) is True
            assert driver_knows(gpu, driver) is not False
