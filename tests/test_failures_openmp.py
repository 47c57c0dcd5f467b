"""Two OpenMP runtimes on a Mac: of two names, of another package manager, and as a crash shows them."""

from __future__ import annotations

import pytest

from support.ground import Ground
from support.site_folder import install, write
from support.skeletons import Site, dylib

CRASH = "EXC_BAD_ACCESS (SIGSEGV) in a thread\n  libomp.dylib`__kmp_suspend_64<false, true> + 44\n"
ERROR_15 = "OMP: Error #15: Initializing libomp.dylib, but found libomp.dylib already initialized.\n"
BREW = "/opt/homebrew/opt/libomp/lib"
pytestmark = pytest.mark.sketched


def with_torch(ground: Ground) -> Site:
    site = ground.mac("Users/o/venv", "3.12")
    ground.torch(site, "2.8.0", made_for=["torchaudio==2.8.0"])
    write(site.path / "torch/lib/libomp.dylib", dylib("@rpath/libomp.dylib"))
    return site


def lightgbm(site: Site, needed: str, folder: str) -> None:
    library = dylib("@rpath/lib_lightgbm.dylib", [needed], [], [folder])
    install(site.path, "lightgbm", "4.6.0", {"lightgbm/lib/lib_lightgbm.dylib": library})


@pytest.mark.parametrize("needed", ["@rpath/libomp.dylib", f"{BREW}/libomp.dylib"])
def test_a_package_that_leads_to_the_runtime_of_homebrew(needed: str, ground: Ground) -> None:
    site = with_torch(ground)
    lightgbm(site, needed, BREW)
    write(site.root / BREW.strip("/") / "libomp.dylib", dylib("libomp.dylib"))
    assert not ground.check(site, root=True).bad
    done = ground.check(site, log=CRASH, root=True)
    assert done.first.rule == "TL613"
    assert f"{BREW}/libomp.dylib" in done.first.message
    assert done.first.remedy.startswith("Make torch and the packages that load the other copy use one")
    assert not done.first.says


def test_a_package_whose_runtime_is_not_there(ground: Ground) -> None:
    site = with_torch(ground)
    lightgbm(site, "@rpath/libomp.dylib", BREW)
    assert "TL613" not in {each.rule for each in ground.check(site, root=True).findings}


def test_a_package_that_leads_to_the_runtime_of_torch(ground: Ground) -> None:
    site = with_torch(ground)
    lightgbm(site, "@rpath/libomp.dylib", "@loader_path/../../torch/lib")
    assert "TL613" not in {each.rule for each in ground.check(site, root=True).findings}


def test_two_runtimes_of_other_names(ground: Ground) -> None:
    site = with_torch(ground)
    install(site.path, "mkl", "2024.0", {"mkl/lib/libiomp5.dylib": dylib("@rpath/libiomp5.dylib")})
    log = "OMP: Error #15: Initializing libiomp5.dylib, but found libomp.dylib already initialized.\n"
    done = ground.check(site, log=log, root=True)
    assert done.first.rule == "TL613"
    assert "there are 2 OpenMP runtimes (libiomp5.dylib and libomp.dylib)" in done.first.message
    assert "TL613" in {each.rule for each in ground.check(site, root=True).findings}


def test_one_runtime_under_two_names_in_one_folder(ground: Ground) -> None:
    site = with_torch(ground)
    write(site.path / "torch/lib/libiomp5.dylib", dylib("@rpath/libiomp5.dylib"))
    assert "TL613" not in {each.rule for each in ground.check(site, root=True).findings}


@pytest.mark.parametrize("package", ["sklearn", "lightgbm", "xgboost"])
def test_a_package_with_a_copy_of_its_own(package: str, ground: Ground) -> None:
    """A link instead of the other copy leaves one runtime."""
    site = with_torch(ground)
    install(site.path, package, "1.5.0", {f"{package}/.dylibs/libomp.dylib": dylib("@rpath/libomp.dylib")})
    done = ground.check(site, log=ERROR_15, root=True)
    assert done.first.rule == "TL613"
    there = "/Users/o/venv/lib/python3.12/site-packages"
    assert done.command == f"ln -sf {there}/torch/lib/libomp.dylib {there}/{package}/.dylibs/libomp.dylib"
    copy = site.path / package / ".dylibs" / "libomp.dylib"
    copy.unlink()
    copy.symlink_to(site.path / "torch/lib/libomp.dylib")
    assert "TL613" not in {each.rule for each in ground.check(site, root=True).findings}


WINDOWS_15 = "OMP: Error #15: Initializing libiomp5md.dll, but found libiomp5md.dll already initialized.\n"


@pytest.mark.parametrize("package", ["ctranslate2", "mkl"])
@pytest.mark.parametrize("copies", [1, 2])
def test_two_runtimes_without_torch(ground: Ground, package: str, copies: int) -> None:
    """https://github.com/harry0703/MoneyPrinterTurbo/issues/90"""
    site = ground.windows("3.10", "envs/e")
    prefix = site.path.parents[1]
    write(prefix / "conda-meta/python-3.10.1-0.json", "{}")
    install(site.path, package, "4.1.0", {f"{package}/libiomp5md.dll": b"MZ" + bytes(5000)})
    if copies == 2:
        write(prefix / "Library/bin/libiomp5md.dll", b"MZ" + bytes(5000))
    assert not ground.check(site, platform="windows-amd64").bad
    done = ground.check(site, log=WINDOWS_15, platform="windows-amd64")
    assert done.first.rule == "TL613"
    named = "there are 2 copies of libiomp5md.dll: " in done.first.message
    assert named is (copies == 2)
