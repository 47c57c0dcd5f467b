"""Libraries for a later system than the machine: of other packages on Linux, and of the stack on macOS."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.check import bad, run, stage_audio, stage_torch
from support.ground import Ground
from support.libraries import elf
from support.site_folder import install, write
from support.skeletons import Site, dylib
from torchlock.inspect.binaries import Binary, read_binary

NEEDS_OF_TORCH = "Requires-Dist: torch\n"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "root" / "usr" / "lib" / "python3.11" / "site-packages"
    folder.mkdir(parents=True)
    stage_torch(folder)
    stage_audio(folder)
    return folder


def machine(site: Path, libstdcxx: str = "GLIBCXX_3.4.28") -> Path:
    """Debian 11: glibc 2.31 and the libstdc++ of GCC 10."""
    root = site.parents[3]
    write(root / "etc" / "os-release", "ID=debian\nVERSION_ID=11\n")
    libc = ["GLIBC_2.2.5", "GLIBC_2.17", "GLIBC_2.31"]
    write(root / "lib64" / "libc.so.6", elf("libc.so.6", defines=libc))
    write(root / "lib64" / "ld-linux-x86-64.so.2", elf("ld-linux-x86-64.so.2"))
    write(root / "lib64" / "libstdc++.so.6", elf("libstdc++.so.6", defines=["GLIBCXX_3.4", libstdcxx]))
    write(root / "lib64" / "libgomp.so.1", elf("libgomp.so.1", defines=["OMP_1.0", "GOMP_4.0"]))
    return root


EXTENSIONS = [
    ("flash-attn", "flash_attn_2_cuda.cpython-311-x86_64-linux-gnu.so", "libc.so.6", "GLIBC_2.32"),
    ("xformers", "xformers/_C.so", "libstdc++.so.6", "GLIBCXX_3.4.30"),
    ("k2", "_k2.cpython-311-x86_64-linux-gnu.so", "libstdc++.so.6", "GLIBCXX_3.4.29"),
    ("torch-scatter", "torch_scatter/_C.so", "libgomp.so.1", "GOMP_5.0"),
]


@pytest.mark.triggers("TL612")
@pytest.mark.parametrize(("name", "file", "library", "version"), EXTENSIONS)
def test_an_extension_for_a_later_system(
    site: Path, name: str, file: str, library: str, version: str, capsys: pytest.CaptureFixture[str]
) -> None:
    root = machine(site)
    files: dict[str, bytes | str] = {file: elf("", [library], needs=[(library, version)])}
    install(site, name, "2.5.9", files, headers=NEEDS_OF_TORCH)
    report = run(capsys, "--path", site, "--root", root)
    assert [rule for _, rule in bad(report)] in (["TL612"], [])
    notes = [each for each in report["files"][0]["findings"] if each["rule"] == "TL612"]
    assert f"needs {version}" in notes[0]["message"]


@pytest.mark.leaves_alone("TL612")
@pytest.mark.parametrize(("name", "file", "library", "version"), EXTENSIONS)
def test_an_extension_for_this_system(
    site: Path, name: str, file: str, library: str, version: str, capsys: pytest.CaptureFixture[str]
) -> None:
    known = {"libc.so.6": "GLIBC_2.31", "libstdc++.so.6": "GLIBCXX_3.4.28", "libgomp.so.1": "GOMP_4.0"}
    root = machine(site)
    files: dict[str, bytes | str] = {file: elf("", [library], needs=[(library, known[library])])}
    install(site, name, "2.5.9", files, headers=NEEDS_OF_TORCH)
    assert bad(run(capsys, "--path", site, "--root", root)) == []


def test_an_extension_on_a_machine_that_is_not_known(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name, file, library, version = EXTENSIONS[0]
    install(site, name, "2.5.9", {file: elf("", [library], needs=[(library, version)])}, headers=NEEDS_OF_TORCH)
    report = run(capsys, "--path", site)
    assert "TL612" not in {each["rule"] for each in report["files"][0]["findings"]}


PLIST = "<plist><dict><key>ProductVersion</key>\n\t<string>{}</string></dict></plist>"


def mac(ground: Ground, product: str, file: str, least: tuple[int, int]) -> Site:
    site = ground.mac()
    ground.torch(site, "2.8.0", made_for=[])
    write(site.path / file, dylib(Path(file).name, least=least))
    if product:
        write(Path(site.root, "System/Library/CoreServices/SystemVersion.plist"), PLIST.format(product))
    return site


def of_macos(ground: Ground, site: Site, *options: str, root: bool = True) -> list[str]:
    done = ground.check(site, *options, root=root)
    assert "TL612" not in [each.rule for each in done.bad]
    return [each.message for each in done.findings if each.rule == "TL612"]


@pytest.mark.sketched
@pytest.mark.parametrize(
    ("product", "least", "said"),
    [
        ("13.6.1", (14, 0), "macOS 14.0 or later, and this machine has macOS 13.6"),
        ("12", (12, 3), "macOS 12.3 or later, and this machine has macOS 12.0"),
        ("10.15.7", (11, 0), "macOS 11.0 or later, and this machine has macOS 10.15"),
        ("10.13.6", (10, 15), "macOS 10.15 or later, and this machine has macOS 10.13"),
        ("14.0", (14, 0), ""),
        ("15.1", (11, 0), ""),
        ("10.16", (14, 0), ""),
        ("", (14, 0), ""),
        ("a later one", (14, 0), ""),
    ],
)
def test_a_library_for_a_later_macos(ground: Ground, product: str, least: tuple[int, int], said: str) -> None:
    site = mac(ground, product, "torch/lib/libtorch_own.dylib", least)
    found = of_macos(ground, site)
    assert len(found) == bool(said)
    assert not said or f"libtorch_own.dylib of torch 2.8.0 was built for {said}; whether it loads" in found[0]
    assert not said or said in ground.check(site, root=True).text


@pytest.mark.sketched
def test_a_macos_that_is_not_known(ground: Ground) -> None:
    site = mac(ground, "", "torch/lib/libtorch_own.dylib", (14, 0))
    assert of_macos(ground, site, root=False) == []
    assert of_macos(ground, site, "--platform", "macosx_13_0_arm64", root=False) == []


def test_a_library_for_another_system_of_apple_says_nothing(tmp_path: Path) -> None:
    content = dylib("a.dylib", least=(14, 0)).replace(b"\x32\0\0\0\x18\0\0\0\x01", b"\x32\0\0\0\x18\0\0\0\x02")
    binary = read_binary(str(write(tmp_path / "a.dylib", content)))
    assert isinstance(binary, Binary)
    assert binary.least_macos is None
