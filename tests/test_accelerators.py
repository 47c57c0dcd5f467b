"""Which build runs on which GPU with which driver: the table, and the fourteen traps of its facts."""

from __future__ import annotations

import pytest

from torchlock.answers import Unknown
from torchlock.errors import InputError
from torchlock.knowledge import accelerator_table, accelerators, gpus
from torchlock.knowledge.accelerators import candidates_for, serves
from torchlock.knowledge.drivers import driver_floor, driver_knows, driver_runs
from torchlock.knowledge.gpus import Gpu, parse_gpu

LINUX, ARM, WINDOWS = "linux-x86_64", "linux-aarch64", "windows-amd64"
UNKNOWN = "unknown"


def short(answer: bool | Unknown) -> bool | str:
    """The answer, with one word for every unknown."""
    return UNKNOWN if isinstance(answer, Unknown) else answer


def gpu(text: str) -> Gpu:
    found = parse_gpu(text)
    assert found is not None
    return found


def served(release: str, label: str, platform: str, arch: str, package: str = "torch") -> bool | str:
    return short(serves(package, release, label, platform, gpu(arch)).answer)


# 1. The floor of minor-version compatibility decides, not the driver of the toolkit.
@pytest.mark.parametrize(
    ("label", "system", "floor"),
    [
        *((label, "linux", "525.60.13") for label in ("cu121", "cu124", "cu126", "cu128", "cu129")),
        *((label, "linux", "450.80.02") for label in ("cu117", "cu118")),
        *((label, "windows", "452.39") for label in ("cu117", "cu118")),
        *((label, system, "580") for label in ("cu130", "cu132", "cu134") for system in ("linux", "windows")),
        ("cu126", "windows", "528.33"),
    ],
)
def test_floor_of_a_driver(label: str, system: str, floor: str) -> None:
    assert driver_floor(label, system) == floor


@pytest.mark.parametrize("label", ["rocm6.4", "xpu", "cpu", "cu75"])
def test_no_floor_is_known_for_other_builds(label: str) -> None:
    assert isinstance(driver_floor(label, "linux"), Unknown)


# 1 and 2. Component by component, and with the numbers of a Thor.
@pytest.mark.parametrize(
    ("label", "driver", "runs"),
    [
        ("cu129", "535.104.05", True),
        ("cu128", "550.127", True),
        ("cu132", "580.65.06", True),
        ("cu126", "525.105.17", True),
        ("cu126", "525.60.13", True),
        ("cu126", "525.60.11", False),
        ("cu121", "470.182", False),
        ("cu118", "470.82", True),
        ("cu117", "450.80.02", True),
        ("cu117", "450.80", False),
        ("cu130", "580.00", True),
        ("cu130", "580", True),
        ("cu130", "579.99", False),
        ("cpu", "1.0", True),
        ("cu126", "new", UNKNOWN),
    ],
)
def test_driver_of_linux(label: str, driver: str, runs: bool | str) -> None:
    assert short(driver_runs(label, "linux", driver)) == runs


@pytest.mark.parametrize(
    ("driver", "runs"),
    [
        ("524.99", False),
        ("525", UNKNOWN),
        ("527.41", UNKNOWN),
        ("528.24", UNKNOWN),
        ("528.33", True),
        ("560.70", True),
    ],
)
def test_sources_disagree_about_a_band_of_drivers_for_windows(driver: str, runs: bool | str) -> None:
    assert short(driver_runs("cu126", "windows", driver)) == runs


# 3. R590 ignores Maxwell, Pascal and Volta.
@pytest.mark.parametrize(
    ("name", "driver", "knows"),
    [
        ("GTX 980", "580.95.05", True),
        ("GTX 980", "590.48", False),
        ("GTX 1080 Ti", "580.95.05", True),
        ("GTX 1080 Ti", "590.48", False),
        ("V100", "595.58.03", False),
        ("RTX 2080", "590.48", True),
        ("A100", "620.10", True),
        ("RTX 5090", "565.77", False),
        ("RTX 5090", "570.26", True),
        ("B200", "560.35", False),
        ("GB10", "575.57", False),
        ("GB10", "580.95", True),
        ("Jetson Thor", "580.00", True),
        ("RTX 4090", "515.65", False),
        ("Jetson AGX Orin", "540.4", UNKNOWN),
        ("RX 7900 XTX", "6.10.5", True),
    ],
)
def test_drivers_that_support_a_gpu(name: str, driver: str, knows: bool | str) -> None:
    assert short(driver_knows(gpu(name), driver)) == knows


@pytest.mark.parametrize(
    ("release", "label", "platform", "arch", "answer"),
    [
        # 4. No PTX in release wheels: a later generation is not served.
        ("2.11.0", "cu128", LINUX, "sm_110", False),
        ("2.9.1", "cu126", LINUX, "sm_120", False),
        ("2.5.1", "cu124", LINUX, "sm_100", False),
        # 5. Lists belong to a release and a platform.
        ("2.7.1", "cu128", LINUX, "sm_70", False),
        ("2.8.0", "cu128", LINUX, "sm_70", True),
        ("2.10.0", "cu128", LINUX, "sm_70", True),
        ("2.11.0", "cu128", LINUX, "sm_70", False),
        ("2.7.1", "cu128", LINUX, "sm_61", False),
        ("2.7.1", "cu128", WINDOWS, "sm_61", True),
        ("2.7.1", "cu128", WINDOWS, "sm_50", True),
        ("2.8.0", "cu128", WINDOWS, "sm_61", True),
        ("2.8.0", "cu128", WINDOWS, "sm_60", False),
        ("2.9.1", "cu128", WINDOWS, "sm_61", False),
        ("2.8.0", "cu126", WINDOWS, "sm_50", False),
        ("2.8.0", "cu126", WINDOWS, "sm_60", False),
        ("2.8.0", "cu126", WINDOWS, "sm_61", True),
        ("2.9.0", "cu126", WINDOWS, "sm_50", True),
        ("2.8.0", "cu126", LINUX, "sm_50", True),
        # 6. aarch64 has lists of its own.
        ("2.6.0", "cu126", ARM, "sm_90", True),
        ("2.6.0", "cu126", ARM, "sm_80", False),
        ("2.7.1", "cu128", ARM, "sm_80", False),
        ("2.8.0", "cu129", ARM, "sm_80", True),
        ("2.9.0", "cu126", ARM, "sm_75", False),
        ("2.9.0", "cu130", ARM, "sm_110", True),
        # 7. GB10 runs the code of sm_120; Thor is a family of its own.
        ("2.9.1", "cu129", ARM, "sm_121", True),
        ("2.15.0", "cu132", ARM, "sm_121", True),
        ("2.9.1", "cu128", ARM, "sm_110", False),
        ("2.9.1", "cu129", ARM, "sm_110", False),
        ("2.12.0", "cu132", ARM, "sm_110", True),
        ("2.12.0", "cu132", ARM, "sm_101", True),
        # 11. Volta and Blackwell together.
        ("2.10.0", "cu129", LINUX, "sm_120", True),
        ("2.10.0", "cu129", LINUX, "sm_70", True),
        ("2.14.0", "cu126", LINUX, "sm_61", True),
        ("2.14.0", "cu126", LINUX, "sm_120", False),
        # 13. The old PTX of Windows builds serves nothing newer.
        ("2.7.1", "cu118", WINDOWS, "sm_120", False),
        ("2.7.1", "cu118", WINDOWS, "sm_37", True),
        # 14. Orin is undecided, by either list.
        ("2.11.0", "cu130", ARM, "sm_87", UNKNOWN),
        ("2.9.0", "cu126", ARM, "sm_87", UNKNOWN),
        ("2.6.0", "cu126", ARM, "sm_87", False),
        # A later capability of the same generation.
        ("2.8.0", "cu128", LINUX, "sm_89", True),
        ("2.8.0", "cu128", LINUX, "sm_103", True),
        ("2.15.0", "cu130", LINUX, "sm_75", True),
        # No row: unknown, never no.
        ("2.16.0", "cu132", LINUX, "sm_90", UNKNOWN),
        ("2.8.0", "cu134", LINUX, "sm_90", UNKNOWN),
        ("2.14.0", "rocm7.14", LINUX, "gfx942", UNKNOWN),
        ("2.1.0", "rocm5.6", LINUX, "gfx90a", UNKNOWN),
        # ROCm and XPU.
        ("2.9.1", "rocm6.4", LINUX, "gfx942", True),
        ("2.9.1", "rocm6.4", LINUX, "gfx1032", False),
        ("2.9.1", "rocm6.4", LINUX, "gfx906", UNKNOWN),
        ("2.9.1", "rocm6.3", LINUX, "gfx906", True),
        ("2.13.0", "rocm7.1", LINUX, "gfx900", UNKNOWN),
        ("2.13.0", "rocm7.1", LINUX, "gfx1151", UNKNOWN),
        ("2.13.0", "rocm7.2", LINUX, "gfx1151", True),
        ("2.9.1", "rocm6.4", WINDOWS, "gfx1100", False),
        ("2.9.1", "xpu", LINUX, "xpu", True),
        ("2.9.1", "xpu", WINDOWS, "xpu", True),
        ("2.9.1", "xpu", ARM, "xpu", False),
        ("2.9.1", "rocm6.4", ARM, "gfx942", False),
        ("2.8.0", "cu128", "windows-arm64", "sm_90", False),
        # Another maker, and a build without GPU code.
        ("2.9.1", "cu128", LINUX, "gfx1100", False),
        ("2.9.1", "rocm6.4", LINUX, "sm_90", False),
        ("2.9.1", "cpu", LINUX, "sm_90", True),
        ("2.9.1", "", LINUX, "sm_90", UNKNOWN),
    ],
)
def test_code_of_torch(release: str, label: str, platform: str, arch: str, answer: bool | str) -> None:
    assert served(release, label, platform, arch) == answer


# 8. Companions have their own lists.
@pytest.mark.parametrize(
    ("package", "release", "label", "arch", "answer"),
    [
        ("torchvision", "0.23.0", "cu129", "sm_120", False),
        ("torchvision", "0.24.1", "cu129", "sm_120", False),
        ("torchaudio", "2.9.1", "cu129", "sm_100", False),
        ("torchvision", "0.24.1", "cu129", "sm_90", True),
        ("torchvision", "0.24.1", "cu128", "sm_120", True),
        ("torchvision", "0.26.0", "cu128", "sm_70", True),
        ("torchvision", "0.20.1", "cu118", "sm_90", UNKNOWN),
        ("torchvision", "0.20.1", "cu124", "sm_90", True),
        ("torchaudio", "2.11.0", "cu130", "sm_120", True),
        ("torchvision", "0.15.2", "cu118", "sm_80", UNKNOWN),
        ("torchcodec", "0.8.0", "cu128", "sm_120", UNKNOWN),
        ("torchtext", "0.18.0", "cu118", "sm_120", True),
        ("numpy", "2.0.0", "cu118", "sm_120", UNKNOWN),
    ],
)
def test_code_of_companions(package: str, release: str, label: str, arch: str, answer: bool | str) -> None:
    assert served(release, label, LINUX, arch, package) == answer


def test_an_answer_has_its_reason_and_sources() -> None:
    service = serves("torch", "2.11.0", "cu128", LINUX, gpu("V100"))
    assert service.because == "it has no code for sm_70, only for sm_75 sm_80 sm_86 sm_90 sm_100 sm_120"
    assert "pytorch-172598" in service.sources
    assert not service.likely
    assert {source.id for source in accelerator_table.sources_of(service.sources)} == set(service.sources)
    assert serves("torch", "2.13.0", "cu129", LINUX, gpu("V100")).likely


def test_ptx_alone_depends_on_the_driver() -> None:
    service = serves("torchvision", "0.20.1", "cu118", LINUX, gpu("H100"))
    assert service.because == "it has only PTX for sm_90, which needs a driver as new as 520.61.05"


@pytest.mark.parametrize(
    ("written", "arch"),
    [
        ("NVIDIA A100-SXM4-80GB", "sm_80"),
        ("Tesla V100-SXM2-16GB", "sm_70"),
        ("GRID T4-8Q", "sm_75"),
        ("rtx4090", "sm_89"),
        ("GTX1080Ti", "sm_61"),
        ("NVIDIA GeForce RTX 3060 Laptop GPU", "sm_86"),
        ("NVIDIA GeForce RTX 2080 Super with Max-Q Design", "sm_75"),
        ("NVIDIA RTX 6000 Ada Generation", "sm_89"),
        ("Quadro RTX 6000", "sm_75"),
        ("NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition", "sm_120"),
        ("NVIDIA H100 80GB HBM3", "sm_90"),
        ("NVIDIA GB10", "sm_121"),
        ("P2000", "sm_61"),
        ("AGX Orin", "sm_87"),
        ("sm_86", "sm_86"),
        ("8.6", "sm_86"),
        ("compute_90", "sm_90"),
        ("sm_101", "sm_110"),
        ("AMD Instinct MI300X OAM", "gfx942"),
        ("AMD Radeon RX 7900 XTX", "gfx1100"),
        ("Radeon PRO W7900 Dual Slot", "gfx1100"),
        ("gfx90a", "gfx90a"),
        ("Intel(R) Arc(TM) A770 Graphics", "xpu"),
        ("B580", "xpu"),
        ("Intel Data Center GPU Max 1550", "xpu"),
        ("xpu", "xpu"),
    ],
)
def test_spellings_of_a_gpu(written: str, arch: str) -> None:
    assert gpu(written).arch == arch


def test_none_is_no_gpu() -> None:
    assert parse_gpu("none") is None


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("4090", "did you mean RTX 4090?"),
        ("1080ti", "did you mean GTX 1080?"),
        ("RX 7900", "did you mean RX 7900 XTX, RX 7900 XT or RX 7900 GRE?"),
        ("sm_891", "did you mean sm_89"),
        ("gfx1109", "did you mean gfx11"),
        ("RTX 6000", "is the name of several GPUs: sm_75 (Turing), sm_89 (Ada Lovelace), sm_120 (Blackwell)"),
        ("Voodoo 2", "unknown GPU 'Voodoo 2'"),
        ("", "unknown GPU ''"),
        ("x" * 100_000, "unknown GPU"),
    ],
)
def test_an_unknown_name_is_refused_with_names_that_are_near(written: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_gpu(written)
    assert says in str(caught.value)
    assert caught.value.hint
    assert len(str(caught.value)) < 500


def test_labels_of_a_vendor_are_newest_first() -> None:
    assert candidates_for(gpu("A100"))[:3] == ("cu132", "cu130", "cu129")
    assert candidates_for(gpu("MI300X"))[:2] == ("rocm7.14", "rocm7.2")
    assert candidates_for(gpu("A770")) == ("xpu",)
    assert candidates_for(None) == ("cpu",)


@pytest.mark.parametrize("prefix", ["cu", "rocm"])
def test_labels_are_in_order(prefix: str) -> None:
    from torchlock.knowledge.build_labels import parse_label

    versions = [
        build.version
        for label in accelerators.labels()
        if label.startswith(prefix) and (build := parse_label(label))
    ]
    assert versions == sorted(versions, reverse=True)


def test_intel_devices() -> None:
    found = gpus.intel_gpu("56A0")
    assert found is not None
    assert found == (Gpu("Intel Arc A-Series", "xpu"), False)
    assert gpus.intel_gpu("3e92") is None
    integrated = gpus.intel_gpu("7d55")
    assert integrated is not None
    assert integrated[1]
