"""The GPUs of a machine: which count, which do not, and what is there without an answer."""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from support.machine import FakeMachine
from support.machine import machine as machine
from support.site_folder import write
from torchlock.inspect import gpus, host
from torchlock.inspect.gpus import Machine, read_machine
from torchlock.knowledge.gpus import Gpu

ROCMINFO = r"""cat <<'END'
ROCk module is loaded
==========
HSA Agents
==========
*******
Agent 1
*******
  Name:                    AMD Ryzen 9 7950X 16-Core Processor
  Marketing Name:          AMD Ryzen 9 7950X 16-Core Processor
*******
Agent 2
*******
  Name:                    gfx1100
  Uuid:                    GPU-4a33f5
  Marketing Name:          AMD Radeon RX 7900 XTX
  ISA Info:
    ISA 1
      Name:                    amdgcn-amd-amdhsa--gfx1100
END"""


def archs(found: Machine) -> list[str]:
    return [gpu.arch for gpu in found.gpus]


def test_a_machine_without_a_gpu(machine: FakeMachine) -> None:
    machine.adapter("0000:00:02.0", "1af4", "1050")  # virtio
    machine.adapter("0000:03:00.0", "10de", "22ba", "0x040300")  # the sound of a graphics card
    assert read_machine() == Machine()


# NVIDIA.


def test_gpus_of_nvidia(machine: FakeMachine) -> None:
    machine.nvidia("570.86.10", ("NVIDIA GeForce RTX 4090", "8.9"), ("NVIDIA GeForce GTX 1080 Ti", "6.1"))
    found = read_machine()
    assert found.driver == "570.86.10"
    assert found.gpus == (Gpu("NVIDIA GeForce RTX 4090", "sm_89"), Gpu("NVIDIA GeForce GTX 1080 Ti", "sm_61"))
    assert found.unclear is None


def test_equal_gpus_are_one(machine: FakeMachine) -> None:
    machine.nvidia("570.86.10", *[("NVIDIA H100 80GB HBM3", "9.0")] * 8)
    assert archs(read_machine()) == ["sm_90"]


def test_a_thor_with_an_older_driver_has_the_name_of_the_table(machine: FakeMachine) -> None:
    machine.nvidia("580.00", ("NVIDIA Thor", "10.1"))
    assert archs(read_machine()) == ["sm_110"]


def test_a_card_without_a_driver_is_unclear(machine: FakeMachine) -> None:
    machine.adapter("0000:01:00.0", "10de", "2204", "0x030200")
    found = read_machine()
    assert found.gpus == ()
    assert str(found.unclear) == "an NVIDIA GPU (10de:2204) is present, but no driver answers"


def test_a_driver_that_does_not_answer_is_unclear(machine: FakeMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "_SECONDS", 0.3)
    machine.program("nvidia-smi", "exec sleep 60")
    assert "does not answer" in str(read_machine().unclear)


def test_a_driver_without_a_device_is_unclear(machine: FakeMachine) -> None:
    write(machine.folder / "version", "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat\n")
    found = read_machine()
    assert found.driver == "535.104.05"
    assert "the NVIDIA driver 535.104.05 is installed, but no GPU" in str(found.unclear)


# AMD.


def test_gpus_of_the_kernel(machine: FakeMachine) -> None:
    machine.node(0, 0)
    machine.node(1, 90402)
    machine.node(2, 110000)
    write(machine.folder / "rocm" / ".info" / "version", "6.4.1-83\n")
    found = read_machine()
    assert archs(found) == ["gfx942", "gfx1100"]
    assert found.rocm == "6.4.1"


def test_graphics_in_a_ryzen_do_not_count_beside_a_card(machine: FakeMachine) -> None:
    machine.node(1, 110000)
    machine.node(2, 100306)
    found = read_machine()
    assert archs(found) == ["gfx1100"]
    assert found.passed_over == ("gfx1036 (there is another GPU)",)


def test_graphics_in_a_ryzen_do_not_count_beside_nvidia(machine: FakeMachine) -> None:
    machine.nvidia("580.95.05", ("NVIDIA GeForce RTX 4070", "8.9"))
    machine.node(1, 100306)
    machine.adapter("0000:0f:00.0", "1002", "164e")
    found = read_machine()
    assert archs(found) == ["sm_89"]
    assert found.unclear is None


def test_graphics_for_which_no_build_is_made_do_not_count(machine: FakeMachine) -> None:
    machine.node(1, 100306)
    found = read_machine()
    assert (found.gpus, found.unclear) == ((), None)
    assert found.passed_over == ("gfx1036 (no build supports it)",)


def test_graphics_for_which_a_build_is_made_count_alone(machine: FakeMachine) -> None:
    machine.node(1, 110501)
    assert archs(read_machine()) == ["gfx1151"]


def test_an_old_card_counts_though_no_build_serves_it(machine: FakeMachine) -> None:
    machine.node(1, 100100)
    assert archs(read_machine()) == ["gfx1010"]


def test_a_card_that_the_kernel_does_not_list_is_unclear(machine: FakeMachine) -> None:
    machine.adapter("0000:03:00.0", "1002", "744c")
    said = "an AMD GPU (1002:744c) is present, but the kernel lists no AMD GPU for computing (kfd)"
    assert str(read_machine().unclear) == said


def test_rocminfo_names_what_the_kernel_hides(machine: FakeMachine) -> None:
    machine.adapter("0000:03:00.0", "1002", "744c")
    machine.program("rocminfo", ROCMINFO)
    assert read_machine().gpus == (Gpu("AMD Radeon RX 7900 XTX", "gfx1100"),)


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root reads everything")
def test_a_node_that_cannot_be_read_is_unclear(machine: FakeMachine) -> None:
    machine.node(1, 110000)
    (machine.folder / "kfd" / "1" / "properties").chmod(0)
    assert "cannot be read" in str(read_machine().unclear)


def test_a_node_without_a_file_is_unclear(machine: FakeMachine) -> None:
    machine.node(0, 0)
    (machine.folder / "kfd" / "1").mkdir()
    assert "cannot be read" in str(read_machine().unclear)


@pytest.mark.parametrize("script", ["exec sleep 60", "exit 1", "cat /dev/zero", "echo Name: gfx1100"])
def test_a_rocminfo_that_says_nothing_proves_nothing(
    machine: FakeMachine, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    monkeypatch.setattr(host, "_SECONDS", 0.3)
    machine.adapter("0000:03:00.0", "1002", "744c")
    machine.program("rocminfo", script)
    found = read_machine()
    assert found.gpus == ()
    assert found.unclear is not None


# Intel.


@pytest.mark.parametrize(
    ("address", "device"), [("0000:03:00.0", "56a0"), ("0000:03:00.0", "e20b"), ("0000:00:02.0", "7d55")]
)
def test_gpus_of_intel(machine: FakeMachine, address: str, device: str) -> None:
    machine.adapter(address, "8086", device)
    assert archs(read_machine()) == ["xpu"]


def test_old_graphics_of_intel_do_not_count(machine: FakeMachine) -> None:
    machine.adapter("0000:00:02.0", "8086", "3e92")
    found = read_machine()
    assert (found.gpus, found.unclear) == ((), None)
    assert found.passed_over == ("Intel graphics (8086:3e92) (no build supports it)",)


def test_graphics_of_intel_do_not_count_beside_nvidia(machine: FakeMachine) -> None:
    machine.adapter("0000:00:02.0", "8086", "7d55")
    machine.nvidia("580.95.05", ("NVIDIA GeForce RTX 4060 Laptop GPU", "8.9"))
    assert archs(read_machine()) == ["sm_89"]


def test_an_unknown_card_of_intel_is_unclear(machine: FakeMachine) -> None:
    machine.adapter("0000:03:00.0", "8086", "ffff")
    assert "it is not known whether a build supports it" in str(read_machine().unclear)


def test_cards_of_two_makers_both_count(machine: FakeMachine) -> None:
    machine.adapter("0000:03:00.0", "8086", "e20b")
    machine.nvidia("580.95.05", ("NVIDIA GeForce RTX 4070", "8.9"))
    assert archs(read_machine()) == ["sm_89", "xpu"]


# Windows, and Linux in it.


def test_a_gpu_that_windows_shares_and_nobody_names(machine: FakeMachine) -> None:
    machine.wsl()
    assert "Windows shares a GPU" in str(read_machine().unclear)


def test_a_gpu_that_windows_shares_and_a_program_names(machine: FakeMachine) -> None:
    machine.wsl()
    line = "Device #0: Intel(R) Arc(TM) A770 Graphics"
    machine.program("clinfo", f"echo 'Platform #0: Intel(R) OpenCL Graphics'; echo ' `-- {line}'")
    assert read_machine().gpus == (Gpu("Intel(R) Arc(TM) A770 Graphics", "xpu"),)


def test_nvidia_in_wsl(machine: FakeMachine) -> None:
    machine.wsl()
    machine.nvidia("551.61", ("NVIDIA GeForce RTX 3080", "8.6"))
    found = read_machine()
    assert (archs(found), found.unclear) == (["sm_86"], None)


class Registry:
    """The part of winreg that is used, over a list of adapters."""

    HKEY_LOCAL_MACHINE = 0

    def __init__(self, adapters: list[tuple[str, str]]) -> None:
        self.adapters = adapters

    def OpenKey(self, root: int, path: str) -> Any:  # noqa: N802 - the name of Windows
        number = int(path.rpartition("\\")[2])
        if number >= len(self.adapters):
            raise FileNotFoundError(path)
        identifier, name = self.adapters[number]
        return Entry({"MatchingDeviceId": identifier, "DriverDesc": name})

    def QueryValueEx(self, entry: Entry, key: str) -> tuple[str, int]:  # noqa: N802 - the name of Windows
        return entry.values[key], 1


class Entry:
    """A key of the registry."""

    def __init__(self, values: dict[str, str]) -> None:
        self.values = values

    def __enter__(self) -> Entry:
        return self

    def __exit__(self, *exception: object) -> None:
        pass


@pytest.mark.parametrize(
    ("adapters", "expected"),
    [
        ([(r"PCI\VEN_8086&DEV_56A0&SUBSYS_1", "Intel(R) Arc(TM) A770 Graphics")], ["xpu"]),
        ([(r"PCI\VEN_8086&DEV_3E92", "Intel(R) UHD Graphics 630")], []),
        ([(r"PCI\VEN_1002&DEV_744C", "AMD Radeon RX 7900 XTX")], ["gfx1100"]),
        ([(r"PCI\VEN_1002&DEV_164E", "AMD Radeon(TM) Graphics")], []),
        ([(r"PCI\VEN_1002&DEV_67DF", "Radeon RX 580 Series")], "unclear"),
        ([(r"PCI\VEN_10DE&DEV_2204", "NVIDIA GeForce RTX 3090")], "unclear"),
        ([(r"ROOT\BasicDisplay", "Microsoft Basic Display Adapter")], []),
        ([], []),
    ],
)
def test_adapters_of_windows(
    machine: FakeMachine,
    monkeypatch: pytest.MonkeyPatch,
    adapters: list[tuple[str, str]],
    expected: list[str] | str,
) -> None:
    monkeypatch.setitem(sys.modules, "winreg", Registry(adapters))  # type: ignore[misc]
    monkeypatch.setattr(gpus, "os", SimpleNamespace(name="nt", path=os.path, scandir=os.scandir))
    found = read_machine()
    assert ("unclear" if found.unclear is not None else archs(found)) == expected
