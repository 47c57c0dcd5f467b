"""Applications that a freezer made: healthy ones are never called broken, and nothing is installed into one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from support.ground import Checked, Ground
from support.libraries import elf, pe
from support.site_folder import install, write
from support.skeletons import Site, dylib
from torchlock.inspect.binaries import read_binary
from torchlock.inspect.frozen import frozen_at
from torchlock.runtime.files import Tree

ALL_DLLS = 'import ctypes, pathlib\nfor dll in pathlib.Path("lib").glob("*.dll"):\n    ctypes.CDLL(dll)\n'
INSTALLS = ("pip", "uv", "conda", "rmdir", "rm -rf")


def application(site: Site, folder: str) -> Site:
    """The folder of packages of an application on the machine of a site."""
    place = site.root / folder
    place.mkdir(parents=True)
    return site._replace(path=place)


def packages(ground: Ground, site: Site, torch: str = "2.5.1", companion: str = "torchaudio==2.5.1") -> None:
    """A torch and a companion as a freezer takes them: without records."""
    ground.wheel(site, companion)
    ground.torch(site, torch, made_for=[companion])
    run_time(site)
    for record in site.path.glob("*.dist-info"):
        shutil.rmtree(record)


def run_time(site: Site) -> None:
    """Make Python and the libraries of the C++ compiler in the application have what torchaudio uses of them."""
    exports: dict[str, set[str]] = {path.name.lower(): set() for path in site.path.glob("*.dll")}
    for path in (site.path / "torchaudio").rglob("*.pyd"):
        used = getattr(read_binary(str(path)), "symbols", None)
        for each in getattr(used, "undefined", ()):
            exports.get(each.library.lower(), set()).add(each.name)
    for path in site.path.glob("*.dll"):
        write(path, pe(exports=sorted(exports[path.name.lower()])))


def alone(ground: Ground, site: Site, torch: str) -> None:
    """A torch as a freezer takes it."""
    ground.torch(site, torch, made_for=["torchaudio==2.5.1"])
    for record in site.path.glob("*.dist-info"):
        shutil.rmtree(record)


def archive(site: Site) -> None:
    """Take the modules away: they are in the archive of the application."""
    for module in site.path.rglob("*.py"):
        module.unlink()


def healthy(done: Checked) -> None:
    assert done.bad == [], done.bad
    assert "not installed" not in done.text
    assert not any(each.commands for each in done.findings)


def no_installs(done: Checked) -> None:
    """Nothing that is offered installs a package or deletes a folder of one."""
    for each in done.findings:
        assert not any(line.startswith(INSTALLS) or " -m pip" in line for line in each.commands), each


def of_pyinstaller(ground: Ground, system: str = "windows") -> Site:
    base = ground.windows("3.12") if system == "windows" else ground.linux("3.12")
    site = application(base, "dist/app/_internal")
    write(site.path / "base_library.zip", b"PK\5\6" + bytes(18))
    for name in ("python312.dll", "VCRUNTIME140.dll", "MSVCP140.dll") if system == "windows" else ():
        write(site.path / name, pe())
    write(site.path.parent / ("app.exe" if system == "windows" else "app"), pe())
    return site


# Applications that work.


@pytest.mark.sketched
@pytest.mark.parametrize("is_in_archive", [False, True])
def test_pyinstaller_on_windows(ground: Ground, is_in_archive: bool) -> None:
    site = of_pyinstaller(ground)
    packages(ground, site)
    if is_in_archive:
        archive(site)
    done = ground.check(site)
    healthy(done)
    assert ("archive of an application" in done.text) is is_in_archive


@pytest.mark.sketched
def test_pyinstaller_copies_records_whose_files_are_in_its_archive(ground: Ground) -> None:
    site = of_pyinstaller(ground)
    ground.wheel(site, "torchaudio==2.5.1")
    ground.torch(site, "2.5.1", made_for=["torchaudio==2.5.1"])
    run_time(site)
    archive(site)
    healthy(ground.check(site))


@pytest.mark.sketched
def test_pyinstaller_on_linux_leads_the_loader_to_its_own_folder(ground: Ground) -> None:
    site = of_pyinstaller(ground, "linux")
    alone(ground, site, "2.5.1+cpu")
    ground.image()
    library = next((site.path / "torch" / "lib").glob("libtorch_cpu.so"))
    library.write_bytes(elf("libtorch_cpu.so", ["libc10.so", "libopenblas.so.0"], runpath="$ORIGIN"))
    assert ground.check(site, root=True).first.rule == "TL610"
    write(site.path / "libopenblas.so.0", elf("libopenblas.so.0"))
    healthy(ground.check(site, root=True))


@pytest.mark.sketched
def test_nuitka_on_linux(ground: Ground) -> None:
    site = application(ground.linux("3.10"), "srv/main.dist")
    alone(ground, site, "2.2.1+cpu")
    archive(site)
    write(site.path / "main.bin", elf())
    write(site.path / "libpython3.10.so.1.0", elf())
    ground.image()
    healthy(ground.check(site, root=True))


@pytest.mark.sketched
def test_briefcase_on_a_mac(ground: Ground) -> None:
    site = application(ground.mac(python="3.12"), "Applications/Tone.app/Contents/Resources/app_packages")
    ground.wheel(site, "torchaudio==2.5.1")
    ground.torch(site, "2.5.1", made_for=["torchaudio==2.5.1"])
    write(site.path.parents[1] / "MacOS" / "Tone", dylib())
    healthy(ground.check(site, root=True))


@pytest.mark.sketched
def test_py2app_names_its_libraries_from_the_program(ground: Ground) -> None:
    site = application(ground.mac(python="3.9"), "Applications/T.app/Contents/Resources/lib/python3.9")
    packages(ground, site, "1.13.1", "torchaudio==0.13.1")
    frameworks = site.path.parents[2] / "Frameworks"
    for library in (site.path / "torch" / "lib").glob("*.dylib"):
        write(frameworks / library.name, library.read_bytes())
        library.unlink()
    (core,) = (site.path / "torch").glob("_C.*.so")
    core.write_bytes(dylib("", ["@executable_path/../Frameworks/libtorch_python.dylib"]))
    write(site.path.parents[2] / "MacOS" / "T", dylib())
    healthy(ground.check(site, root=True))
    (frameworks / "libtorch_python.dylib").unlink()
    done = ground.check(site, root=True)
    assert done.first.rule == "TL610"
    assert "@executable_path/../Frameworks/libtorch_python.dylib" in done.first.says
    no_installs(done)


# Applications that do not work.


@pytest.mark.sketched
def test_cx_freeze_left_the_libraries_out(ground: Ground) -> None:
    """https://github.com/marcelotduarte/cx_Freeze/issues/2779"""
    site = application(ground.mac(python="3.12"), "Users/u/build/exe.macosx-14.0-arm64-3.12/lib")
    packages(ground, site)
    shutil.rmtree(site.path / "torch" / "lib")
    write(site.path / "torch" / "__init__.py", "from torch._C import *\n")
    write(site.path / "library.zip", b"PK\5\6" + bytes(18))
    write(site.path / "Python", dylib())
    done = ground.check(site, root=True)
    assert done.first.rule == "TL610"
    assert "Build it again with cx_Freeze, with all files of torch" in done.first.remedy
    no_installs(done)


@pytest.mark.sketched
def test_cx_freeze_put_a_library_for_32_bit_programs_beside_those_of_torch(ground: Ground) -> None:
    """https://github.com/marcelotduarte/cx_Freeze/issues/2495"""
    site = application(ground.windows("3.11"), "build/exe.win-amd64-3.11/lib")
    packages(ground, site)
    write(site.path / "library.zip", b"PK\5\6" + bytes(18))
    write(site.path / "torch" / "__init__.py", ALL_DLLS)
    write(site.path / "torch" / "lib" / "dbghelp.dll", pe(machine=0x14C))
    done = ground.check(site)
    assert (done.first.rule, done.command.split()[:2]) == ("TL608", ["del", "/q"])
    assert "Leave it out" in done.first.remedy


@pytest.mark.sketched
def test_py2exe_with_releases_of_which_one_does_not_load(ground: Ground) -> None:
    site = application(ground.windows("3.11"), "dist")
    packages(ground, site, "2.4.0", "torchaudio==2.5.1")
    write(site.path / "library.zip", b"PK\5\6" + bytes(18))
    write(site.path / "app.exe", pe())
    done = ground.check(site)
    assert done.first.rule == "TL101"
    assert "Build it again with py2exe from an environment in which torchaudio loads" in done.first.remedy
    no_installs(done)


@pytest.mark.sketched
def test_pyinstaller_took_a_torch_that_needs_a_library_of_no_wheel(ground: Ground) -> None:
    """https://github.com/w-okada/voice-changer/issues/1380"""
    site = of_pyinstaller(ground)
    packages(ground, site, "2.4.0", "torchaudio==2.4.0")
    archive(site)
    write(site.path / "torch" / "lib" / "fbgemm.dll", pe({"libomp140.x86_64.dll": ["omp_get_num_threads"]}))
    line = "OSError: [WinError 126] The specified module could not be found. Error loading "
    log = f'{line}"C:\\app\\_internal\\torch\\lib\\fbgemm.dll" or one of its dependencies.\n'
    done = ground.check(site, log=log)
    assert done.first.rule == "TL610"
    assert "libomp140.x86_64.dll" in done.first.message
    assert done.first.remedy.startswith("Nothing can be installed into an application.")
    no_installs(done)


# What is an application, and what is none.


def folder(root: Path, site: str, *names: str) -> str:
    """A folder of packages, with some empty files; a name that ends in / is a folder."""
    (root / site).mkdir(parents=True)
    for name in names:
        (root / name).mkdir(parents=True) if name.endswith("/") else write(root / name)
    return str(root / site)


@pytest.mark.parametrize(
    ("site", "names", "maker"),
    [
        ("app/_internal", ["app/_internal/base_library.zip"], "PyInstaller"),
        ("X.app/Contents/Frameworks", ["X.app/Contents/Frameworks/base_library.zip"], "PyInstaller"),
        ("exe.linux/lib", ["exe.linux/library.zip"], "cx_Freeze"),
        ("exe.mac/lib", ["exe.mac/lib/library.zip", "exe.mac/lib/Python"], "cx_Freeze"),
        ("dist", ["dist/library.zip", "dist/app.exe"], "py2exe"),
        ("X.app/Contents/Resources/lib/python3.9", ["X.app/Contents/Resources/__boot__.py"], "py2app"),
        ("X.app/Contents/Resources/app_packages", [], "Briefcase"),
        ("Program Files/X/app_packages", [], "Briefcase"),
        ("main.dist", ["main.dist/main.exe", "main.dist/python312.dll"], "Nuitka"),
        ("tool", ["tool/tool", "tool/libpython3.12.so.1.0"], ""),
        ("X.app/Contents/Resources/lib", [], ""),
    ],
)
def test_marks_of_a_freezer(tmp_path: Path, site: str, names: list[str], maker: str) -> None:
    found = frozen_at(folder(tmp_path, site, *names), Tree())
    assert found is not None
    assert found.maker == maker


@pytest.mark.parametrize(
    ("site", "names"),
    [
        ("python_embeded/Lib/site-packages", ["python_embeded/python.exe", "python_embeded/python312.dll"]),
        ("python_embeded", ["python_embeded/python.exe", "python_embeded/python312.dll"]),
        ("Xcode.app/Contents/Frameworks/Python3.framework/Versions/3.9/lib/python3.9/site-packages", []),
        ("Blender.app/Contents/Resources/4.5/python/lib/python3.11/site-packages", []),
        ("X.app/Contents/Resources/python", ["X.app/Contents/Resources/python/python3.11"]),
        ("addons/x/.python_dependencies", []),
        ("task", ["task/handler.py", "task/LICENSE"]),
        ("lib", ["lib/libpython3.12.so.1.0", "lib/torch/"]),
        ("main.dist", ["main.dist/main.py"]),
    ],
)
def test_folders_that_are_no_application(tmp_path: Path, site: str, names: list[str]) -> None:
    assert frozen_at(folder(tmp_path, site, *names), Tree()) is None


@pytest.mark.sketched
def test_what_is_left_of_a_torch_is_no_application(ground: Ground) -> None:
    site = ground.windows()
    ground.torch(site, "2.5.1", made_for=["torchaudio==2.5.1"])
    install(site.path, "wheel", "0.45.0")
    for record in site.path.glob("torch-*.dist-info"):
        shutil.rmtree(record)
    for module in (site.path / "torch").glob("*.py"):
        module.unlink()
    assert ground.check(site).first.rule == "TL604"


@pytest.mark.sketched
def test_pyinstaller_on_a_mac_names_a_library_by_a_place_where_it_is_not(ground: Ground) -> None:
    """https://github.com/pyinstaller/pyinstaller/issues/7582"""
    site = application(ground.mac(python="3.9"), "Users/u/dist/cut")
    packages(ground, site, "2.0.0", "torchaudio==2.0.1")
    write(site.path / "base_library.zip", b"PK\5\6" + bytes(18))
    write(site.path / "cut", dylib())
    folder = site.path / "torchaudio" / "lib"
    write(folder / "libtorchaudio.so", dylib())
    write(folder / "_torchaudio.so", dylib("", ["@loader_path/../../libtorchaudio.so"]))
    done = ground.check(site, root=True)
    assert "_torchaudio.so of torchaudio needs @loader_path/../../libtorchaudio.so" in done.first.message
    assert "Build it again with PyInstaller, with all files of torchaudio" in done.first.remedy
    no_installs(done)
    write(site.path / "libtorchaudio.so", dylib())
    healthy(ground.check(site, root=True))
