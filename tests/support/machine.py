"""A machine with GPUs of one's own: a bus, the kernel's list of AMD GPUs, and programs that name them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from support.site_folder import write
from torchlock.inspect import gpus, host


class FakeMachine:
    """Folders that stand for /sys, and a folder of programs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def adapter(self, address: str, vendor: str, device: str, kind: str = "0x030000") -> None:
        """A device on the bus."""
        for key, value in (("vendor", f"0x{vendor}"), ("device", f"0x{device}"), ("class", kind)):
            write(self.folder / "pci" / address / key, value + "\n")

    def node(self, number: int, target: int) -> None:
        """A node of the kernel's driver for AMD GPUs; a processor has target 0."""
        text = f"cpu_cores_count 0\nsimd_count 384\ngfx_target_version {target}\nvendor_id 4098\n"
        write(self.folder / "kfd" / str(number) / "properties", text)

    def program(self, name: str, script: str) -> None:
        """A program on the PATH, as a shell script."""
        write(self.folder / "bin" / name, f"#!/bin/sh\n{script}\n").chmod(0o755)

    def nvidia(self, driver: str, *devices: tuple[str, str]) -> None:
        """A nvidia-smi that names devices, each with its capability (8.6)."""
        lines = "; ".join(f"echo '{driver}, {capability}, {name}'" for name, capability in devices)
        self.program("nvidia-smi", lines)

    def wsl(self) -> None:
        """The device through which Windows shares a GPU."""
        write(self.folder / "dxg", "")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeMachine:
    """A machine without any GPU, to which a test adds some."""
    folder = tmp_path / "machine"
    if os.name != "posix":
        pytest.skip("scripts as programs")
    monkeypatch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin")
    monkeypatch.setattr(host, "_VERSION", str(folder / "version"))
    monkeypatch.setattr(host, "_WSL", str(folder / "wsl"))
    monkeypatch.setattr(host, "_SECONDS", 5.0)
    monkeypatch.setattr(gpus, "_PCI", str(folder / "pci"))
    monkeypatch.setattr(gpus, "_KFD", str(folder / "kfd"))
    monkeypatch.setattr(gpus, "_WSL_GPU", str(folder / "dxg"))
    monkeypatch.setattr(gpus, "_ROCM", str(folder / "rocm"))
    return FakeMachine(folder)
