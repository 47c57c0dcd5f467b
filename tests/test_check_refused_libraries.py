"""Libraries that a loader refuses: for another machine, without a function, or as only a log shows."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from support.ground import Checked, Ground
from support.libraries import elf, pe
from support.site_folder import install, write
from support.skeletons import Site, dylib

SITE = "C:\\venv\\Lib\\site-packages"
ALL_DLLS = 'import ctypes, pathlib\nfor dll in pathlib.Path("lib").glob("*.dll"):\n    ctypes.CDLL(dll)\n'
WIN32, ARM64 = 0x14C, 0xAA64
RUNTIME = "https://aka.ms/vs/17/release/vc_redist.x64.exe"


def torch(ground: Ground, site: Site, version: str = "2.5.1", **needs: Sequence[str]) -> None:
    """A torch for Windows that opens each DLL of its folder."""
    ground.torch(
        site, version, made_for=["torchaudio==2.5.1"], needs={f"{key}.dll": each for key, each in needs.items()}
    )
    write(site.path / "torch" / "__init__.py", ALL_DLLS)
    ground.unrecord(site, "torch/__init__.py")


def refused(error: str, library: str = "shm.dll") -> str:
    """What torch prints for a DLL of its own that Windows refuses."""
    return (
        f'OSError: [WinError {error} Error loading "{SITE}\\torch\\lib\\{library}" or one of its dependencies.\n'
    )


def silent(done: Checked) -> None:
    assert done.bad == [], done.bad


# A library for another machine.


@pytest.mark.sketched
@pytest.mark.triggers("TL608")
@pytest.mark.parametrize(
    ("library", "machine"),
    [("zlibwapi.dll", WIN32), ("libomp140.x86_64.dll", ARM64), ("nvToolsExt64_1.dll", WIN32)],
)
def test_a_dll_that_somebody_put_beside_those_of_torch(ground: Ground, library: str, machine: int) -> None:
    """https://github.com/marcelotduarte/cx_Freeze/issues/2495"""
    site = ground.windows()
    torch(ground, site)
    write(site.path / "torch" / "lib" / library, pe())
    silent(ground.check(site))
    write(site.path / "torch" / "lib" / library, pe(machine=machine))
    for log in ("", refused("193] %1 is not a valid Win32 application.", library)):
        done = ground.check(site, log=log)
        assert done.first.rule == "TL608"
        assert done.first.message.startswith(f"{library}, in the folder of torch 2.5.1")
        assert done.command.startswith("del /q ")
    (site.path / "torch" / "lib" / library).unlink()
    silent(ground.check(site))


@pytest.mark.sketched
def test_a_dll_that_one_of_torch_needs(ground: Ground) -> None:
    site = ground.windows()
    torch(ground, site, torch_cpu=["libiomp5md.dll"])
    write(site.path / "torch" / "lib" / "libiomp5md.dll", pe(machine=WIN32))
    done = ground.check(site)
    assert done.first.rule == "TL608"
    assert "libiomp5md.dll, which torch 2.5.1 (CPU build) needs, is for Windows (win32)" in done.first.message
    write(site.path / "libiomp5md.dll", pe())
    write(site.path / "torch" / "lib" / "libiomp5md.dll", pe())
    silent(ground.check(site))


@pytest.mark.sketched
def test_dyld_passes_over_a_library_for_another_machine(ground: Ground) -> None:
    site = ground.mac("Users/u/.venv", "3.12")
    ground.torch(site, "2.9.1", made_for=["torchaudio==2.9.1"], needs={"libtorch_cpu.dylib": ["libomp.dylib"]})
    library = write(site.path / "torch" / "lib" / "libomp.dylib", dylib("@rpath/libomp.dylib", machine="x86_64"))
    done = ground.check(site, root=True)
    assert done.first.rule == "TL608"
    assert "libomp.dylib, which torch 2.9.1 needs, is for macOS (x86_64)" in done.first.message
    write(site.path / "torch" / "libomp.dylib", dylib("@rpath/libomp.dylib"))
    silent(ground.check(site, root=True))
    library.unlink()
    silent(ground.check(site, root=True))


@pytest.mark.sketched
@pytest.mark.parametrize(
    ("have", "said"),
    [
        ("arm64", "(have (arm64), need (x86_64h))"),
        ("x86_64", "(have 'x86_64', need 'arm64e')"),
        ("x86_64", "(have 'x86_64', need 'arm64')"),
    ],
)
def test_a_log_names_the_machine_of_its_python(ground: Ground, have: str, said: str) -> None:
    """https://github.com/carson-katri/dream-textures/issues/346"""
    site = ground.mac("Users/u/x", "3.10", have)
    site = site._replace(path=site.root / "Users/u/x/deps")
    site.path.mkdir()
    ground.torch(site, "1.12.1", made_for=[])
    path = "/Users/u/x/deps/torch/_C.cpython-310-darwin.so"
    log = (
        f"ImportError: dlopen({path}, 0x0002): tried: '{path}' (mach-o file, but is an incompatible architecture "
    )
    log += f"{said})\n"
    silent(ground.check(site, root=True))
    done = ground.check(site, root=True, log=log)
    assert done.first.rule == "TL608"
    shown = f"is for {have}, and the Python in the log is for" in done.first.message
    assert shown or f"was built for macOS ({have}), this Python is for macOS (arm64)" in done.first.message
    elsewhere = log.replace("/Users/u/x/deps/torch/_C", "/Users/u/x/deps/other/_C")
    assert "TL608" not in [each.rule for each in ground.check(site, root=True, log=elsewhere).bad]


# A refusal that only a log shows.


@pytest.mark.sketched
@pytest.mark.triggers("TL621")
@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("5] Access is denied.", "access is denied"),
        ("182] Das Betriebssystem kann %1 nicht ausführen.", "by number"),
        ("193] %1 is not a valid Win32 application.", "another machine, or damaged"),
        ("225] Operation did not complete because the file contains a virus.", "virus scanner"),
        ("998] Invalid access to memory location.", "memory"),
        ("1114] 动态链接库(DLL)初始化例程失败。", "start-up code"),
        ("1450] Insufficient system resources exist.", "no resources"),
    ],
)
def test_windows_refuses_a_dll_that_is_right(ground: Ground, error: str, words: str) -> None:
    site = ground.windows()
    torch(ground, site)
    done = ground.check(site, log=refused(error))
    assert done.first.rule == "TL621"
    assert words in done.first.message
    assert "load" not in done.text.partition("shm.dll")[0]
    assert "torch loads" not in done.text


@pytest.mark.sketched
@pytest.mark.leaves_alone("TL621")
@pytest.mark.parametrize(
    "line",
    [
        "PermissionError: [WinError 5] Access is denied: 'C:\\\\venv\\\\torch\\\\lib\\\\shm.dll'",
        'OSError: [WinError 182] %1 Error loading "C:\\other\\lib\\foreign.dll" or one of its dependencies.',
    ],
)
def test_other_refusals_are_not_of_this_torch(ground: Ground, line: str) -> None:
    site = ground.windows()
    torch(ground, site)
    assert "TL621" not in [each.rule for each in ground.check(site, log=line).findings]


@pytest.mark.sketched
def test_a_runtime_is_offered_for_a_dll_whose_start_fails(ground: Ground) -> None:
    site = ground.windows()
    torch(ground, site)
    done = ground.check(site, log=refused("1114] A dynamic link library (DLL) initialization routine failed."))
    assert (done.command.split()[0], RUNTIME in done.first.remedy) == ("winget", True)


@pytest.mark.sketched
def test_dyld_does_not_find_what_is_in_another_folder(ground: Ground) -> None:
    """https://github.com/ronaldoussoren/py2app/issues/482"""
    site = ground.mac("Users/u/.venv", "3.12")
    ground.wheel(site, "torchaudio==2.5.1")
    ground.torch(site, "2.5.1", made_for=["torchaudio==2.5.1"])
    path = "/Users/u/.venv/lib/python3.12/site-packages/torchaudio/lib/libtorchaudio.so"
    log = f"OSError: dlopen({path}, 0x0006): Library not loaded: '@rpath/libtorch.dylib'\n"
    log += f"  Referenced from: '{path}'\n"
    done = ground.check(site, root=True, log=log)
    assert done.first.rule == "TL610"
    assert "libtorchaudio.so of torchaudio 2.5.1 needs @rpath/libtorch.dylib, which dyld did not find" in done.text
    other = log.replace("@rpath/libtorch.dylib", "@rpath/libother.dylib")
    assert not [
        each for each in ground.check(site, root=True, log=other).bad if "dyld did not find" in each.message
    ]


@pytest.mark.sketched
def test_libcxx_by_an_rpath_that_leads_nowhere(ground: Ground) -> None:
    """https://github.com/pytorch/pytorch/issues/36941"""
    site = ground.mac("Users/u/.venv", "3.7", "x86_64")
    ground.wheel(site, "torchtext==0.7.0")
    ground.torch(site, "1.6.0", made_for=["torchtext==0.7.0"])
    needed = ["@rpath/libtorch.dylib", "@rpath/libc++.1.dylib", "/usr/lib/libSystem.B.dylib"]
    write(site.path / "torchtext" / "_torchtext.so", dylib("", needed, (), ["@loader_path"], "x86_64"))
    ground.unrecord(site, "torchtext/_torchtext.so")
    done = ground.check(site, root=True)
    silent(done)
    assert "only macOS 11 and later also look in /usr/lib" in done.text
    path = "/Users/u/.venv/lib/python3.7/site-packages/torchtext/_torchtext.so"
    log = f"OSError: dlopen({path}, 6): Library not loaded: @rpath/libc++.1.dylib\n  Referenced from: {path}\n"
    done = ground.check(site, root=True, log=log)
    assert done.first.rule == "TL610"
    assert done.command == f"install_name_tool -change @rpath/libc++.1.dylib /usr/lib/libc++.1.dylib {path}"


# A function that another library than torch lacks.


@pytest.mark.sketched(real=False)
@pytest.mark.parametrize("library", ["msvcp140.dll", "VCRUNTIME140.dll"])
def test_an_older_runtime_is_blamed_and_not_torch(ground: Ground, library: str) -> None:
    site = ground.windows("3.12", "envs/a")
    prefix = site.path.parents[1]
    write(prefix / "conda-meta/python-3.12.1-0.json", "{}")
    ground.wheel(site, "torchaudio==2.5.1")
    ground.torch(site, "2.5.1", made_for=["torchaudio==2.5.1"])
    used = {library: ["_CxxThrowException", "_purecall"], "torch_cpu.dll": []}
    write(site.path / "torchaudio" / "lib" / "libtorchaudio.pyd", pe(used))
    ground.unrecord(site, "torchaudio/lib/.*")
    write(prefix / library, pe({}, used[library]))
    silent(ground.check(site))
    write(prefix / library, pe({}, ["_purecall"]))
    done = ground.check(site)
    assert done.first.rule == "TL611"
    assert f"{library} does not define" in done.first.message
    assert "vc14_runtime" in done.command
    assert "torch 2.5.1" not in done.first.message


@pytest.mark.sketched
@pytest.mark.parametrize(
    ("library", "folder", "offered"),
    [
        ("libtorchaudio.pyd", "Lib/site-packages/torchaudio/lib", "Install torchaudio 2.5.1 again"),
        ("python312.dll", "", "Install the packages for the Python that python312.dll is of"),
        ("avutil-58.dll", "Library/bin", "Install the FFmpeg that _torchaudio.pyd is for"),
        ("libiomp5md.dll", "Library/bin", "Install a later release of what contains libiomp5md.dll"),
    ],
)
def test_the_library_that_lacks_a_function_is_blamed(
    ground: Ground, library: str, folder: str, offered: str
) -> None:
    site = ground.windows("3.12", "envs/a")
    ground.wheel(site, "torchaudio==2.5.1")
    ground.torch(site, "2.5.1", made_for=["torchaudio==2.5.1"])
    write(site.path / "torchaudio" / "lib" / "_torchaudio.pyd", pe({library: ["first", "second"]}))
    place = site.path.parents[1] / folder / library
    write(place, pe({}, ["first", "second"]))
    ground.unrecord(site, "torchaudio/lib/.*")
    silent(ground.check(site))
    write(place, pe({}, ["second"]))
    done = ground.check(site)
    assert done.first.rule == "TL611"
    assert library in done.first.message.partition("which ")[2]
    assert done.first.remedy.startswith(offered)


@pytest.mark.sketched
def test_a_function_of_torch_is_still_torchs(ground: Ground) -> None:
    site = ground.windows("3.12")
    ground.wheel(site, "torchaudio==2.5.1")
    ground.torch(site, "2.5.1", made_for=[])
    assert "torch 2.5.1" in " ".join(each.message for each in ground.check(site).bad)


# Two packages of conda with one library.


def records(site: Site, *owners: str, hashes: Sequence[str] = ("a", "b"), kept: str = "intel-openmp") -> None:
    """Records of conda: each of these packages has libiomp5md.dll, and MKL requires one of them."""
    meta = site.path.parents[1] / "conda-meta"
    for name, found in zip(owners, hashes, strict=True):
        row = {"_path": "Library/bin/libiomp5md.dll", "sha256": found}
        content = {"files": ["Library/bin/libiomp5md.dll"], "paths_data": {"paths": [row]}}
        write(meta / f"{name}-1.0-0.json", json.dumps(content))
    write(meta / "mkl-2024.1.0-0.json", json.dumps({"depends": [f"{kept} 2024.*", "tbb"]}))
    write(site.path.parents[1] / "Library/bin/libiomp5md.dll", pe())


def of_conda(ground: Ground) -> Site:
    site = ground.windows("3.11", "envs/r")
    torch(ground, site, "2.4.0", fbgemm=["libiomp5md.dll"], torch_cpu=["libiomp5md.dll"])
    write(site.path / "torch/lib/fbgemm.dll", pe({"libiomp5md.dll": [1], "c10.dll": []}))
    return site


@pytest.mark.sketched
@pytest.mark.triggers("TL620")
def test_two_openmp_packages_of_conda(ground: Ground) -> None:
    """https://github.com/robotology/robotology-superbuild/pull/1702"""
    site = of_conda(ground)
    records(site, "intel-openmp", "llvm-openmp")
    silent(ground.check(site))
    done = ground.check(site, log=refused("182] The operating system cannot run %1.", "fbgemm.dll"))
    assert done.first.rule == "TL620"
    assert "intel-openmp 1.0 and llvm-openmp 1.0 of conda both contain libiomp5md.dll" in done.first.message
    assert "conda remove -y" in done.command
    assert done.command.endswith("--force-reinstall intel-openmp")
    write(site.path.parents[1] / "conda-meta/mkl-2024.1.0-0.json", '{"depends": 1}')
    done = ground.check(site, log=refused("182] The operating system cannot run %1.", "fbgemm.dll"))
    assert done.first.remedy.startswith("Keep one of intel-openmp and llvm-openmp")


@pytest.mark.sketched
@pytest.mark.leaves_alone("TL620")
@pytest.mark.parametrize("content", ["[]", "{", '{"files": "libiomp5md.dll", "paths_data": {"paths": 1}}'])
def test_the_same_file_of_two_packages_is_no_fault(ground: Ground, content: str) -> None:
    site = of_conda(ground)
    records(site, "intel-openmp", "llvm-openmp", hashes=("a", "a"))
    write(site.path.parents[1] / "conda-meta/other-1.0-0.json", content)
    assert "TL620" not in [each.rule for each in ground.check(site).findings]


@pytest.mark.sketched
def test_linux_passes_over_a_library_of_another_machine(ground: Ground) -> None:
    site = ground.linux()
    ground.torch(
        site, "2.5.1+cpu", made_for=["torchaudio==2.5.1"], needs={"libtorch_cpu.so": ["libopenblas.so.0"]}
    )
    ground.image()
    install(site.path, "other", "1.0")
    write(site.path / "torch" / "lib" / "libopenblas.so.0", elf("libopenblas.so.0", machine=183))
    done = ground.check(site, root=True)
    assert (done.first.rule, done.first.message.count("libopenblas.so.0")) == ("TL610", 1)


@pytest.mark.sketched
def test_a_log_of_a_mac_about_a_library_that_is_named_by_its_place(ground: Ground) -> None:
    site = ground.mac("Users/u/.venv")
    ground.wheel(site, "torchaudio==2.5.1")
    ground.torch(site, "2.5.1", made_for=["torchaudio==2.5.1"])
    folder = site.path / "torchaudio" / "lib"
    write(folder / "libtorchaudio.so", dylib())
    write(folder / "_torchaudio.so", dylib("", ["@loader_path/libtorchaudio.so"]))
    for name in ("libtorchaudio.so", "_torchaudio.so"):
        ground.unrecord(site, f"torchaudio/lib/{name}")
    path = "/Users/u/.venv/lib/python3.11/site-packages/torchaudio/lib/_torchaudio.so"
    log = f"OSError: dlopen({path}, 6): Library not loaded: @loader_path/libtorchaudio.so\n"
    done = ground.check(site, root=True, log=log + f"  Referenced from: {path}\n")
    assert "_torchaudio.so of torchaudio 2.5.1 needs @loader_path/libtorchaudio.so" in done.first.message
    assert "the process in the log had no such library there" in done.first.because
    assert "LC_RPATH" not in done.first.because
