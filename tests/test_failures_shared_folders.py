"""Folders that several packages share: links into the cache of PDM, and twins of which one was removed."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from support import skeletons
from support.ground import Ground
from support.site_folder import install, write
from support.skeletons import Site

posix = pytest.mark.skipif(os.name == "nt", reason="symbolic links")
CUDA = {"nvidia-cuda-runtime-cu12": "12.1.105", "nvidia-cublas-cu12": "12.1.3.1"}
PDM = "pdm config --local install.cache false && pdm sync --reinstall"
RUNTIME = {
    "onnxruntime/__init__.py": "from onnxruntime.capi._pybind_state import InferenceSession\n",
    "onnxruntime/capi/__init__.py": "",
    "onnxruntime/capi/_pybind_state.py": "class InferenceSession: ...\n",
    "onnxruntime/tools/check.py": "# A tool.\n",
}
GPU = {**RUNTIME, "onnxruntime/capi/libonnxruntime_providers_shared.so": b"\x7fELF" + bytes(2000)}
NO_SESSION = "AttributeError: module 'onnxruntime' has no attribute 'InferenceSession'\n"


@pytest.fixture
def cuda(ground: Ground) -> Site:
    """torch for CUDA with two packages of NVIDIA."""
    site = ground.linux()
    ground.image()
    requires = [f"{name}=={version}" for name, version in CUDA.items()]
    needs = {"libtorch_cuda.so": ["libcublas.so.12"]}
    ground.torch(site, "2.4.1+cu121", requires=requires, needs=needs, nvidia=False, recorded="2.4.1")
    for name, version in CUDA.items():
        skeletons.nvidia(site, name, version)
    return site


@pytest.fixture
def plain(ground: Ground) -> Site:
    """torch for the CPU."""
    site = ground.linux()
    ground.image()
    ground.torch(site, "2.8.0+cpu")
    return site


def cached(site: Site, link: str, *names: str) -> None:
    """Move packages into PDM's cache, each to its own place; the link leads to that of the last."""
    for name in names:
        (info,) = site.path.glob(f"{name.replace('-', '_')}-*.dist-info")
        place = site.path.parents[3] / "cache" / f"{info.name.removesuffix('.dist-info')}-py3-none-any"
        for path in re.findall(rf"(?m)^({link}/[^,]+),", (info / "RECORD").read_text()):
            (place / "lib" / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.move(site.path / path, place / "lib" / path)
        write(info / "REFER_TO", f"/home/yu/.cache/pdm/packages/{place.name}")
        rows = [f"{info.name}/{each}" for each in ("METADATA", "WHEEL", "REFER_TO", "RECORD")]
        write(info / "RECORD", "".join(f"{row},,\n" for row in [link, *rows]))
    shutil.rmtree(site.path / link)
    (site.path / link).symlink_to(os.path.relpath(place / "lib" / link, site.path))


@posix
@pytest.mark.sketched
@pytest.mark.parametrize("last", CUDA)
def test_one_link_has_the_place_of_two_packages(ground: Ground, cuda: Site, last: str) -> None:
    """https://github.com/pdm-project/pdm/issues/1732"""
    (other,) = CUDA.keys() - {last}
    cached(cuda, "nvidia", other, last)
    done = ground.check(cuda, root=True)
    assert done.first.rule == "TL610"
    assert f"those of {other} are not here" in done.first.remedy
    assert done.commands == (PDM,)
    assert not [each for each in done.findings if each.rule == "TL601"]


@posix
@pytest.mark.sketched
def test_a_link_to_a_folder_of_the_cache_is_no_lost_file(ground: Ground, plain: Site) -> None:
    cached(plain, "torch", "torch")
    done = ground.check(plain, root=True)
    assert not done.bad
    assert not [each for each in done.findings if each.rule == "TL601"]


@posix
@pytest.mark.sketched
def test_a_link_into_a_cache_that_was_cleared(ground: Ground, plain: Site) -> None:
    cached(plain, "torch", "torch")
    shutil.rmtree(plain.path.parents[3] / "cache")
    assert ground.check(plain, root=True).bad


def without(site: Site, names: Sequence[str]) -> None:
    """Delete files of the folder of packages."""
    for name in names:
        (site.path / name).unlink()


@pytest.mark.sketched
@pytest.mark.parametrize("twin", ["onnxruntime-gpu", "onnxruntime-directml"])
@pytest.mark.parametrize("log", ["", NO_SESSION])
def test_the_uninstallation_of_a_twin_took_the_shared_files(
    ground: Ground, plain: Site, tmp_path: Path, twin: str, log: str
) -> None:
    """https://github.com/glucauze/sd-webui-faceswaplab/issues/124"""
    install(plain.path, twin, "1.16.0", GPU)
    without(plain, [*RUNTIME])
    options = ["--log", str(write(tmp_path / "log", log))] if log else []
    done = ground.check(plain, *options, root=True)
    assert done.first.rule == "TL601"
    assert done.first.message == (
        f"{twin} lacks 4 files that were installed with it, onnxruntime/__init__.py among them"
    )
    assert f"{twin}==1.16.0" in done.command


@pytest.mark.sketched
def test_a_module_that_the_import_of_a_requirement_reads_is_gone(ground: Ground, plain: Site) -> None:
    install(
        plain.path, "voices", "1.0", {"voices/__init__.py": "import parts\n"}, headers="Requires-Dist: torch\n"
    )
    install(plain.path, "onnxruntime", "1.16.0", RUNTIME)
    without(plain, ["onnxruntime/capi/_pybind_state.py"])
    done = ground.check(plain, root=True)
    assert done.first.message == (
        "onnxruntime lacks a file that was installed with it, onnxruntime/capi/_pybind_state.py"
    )


@pytest.mark.sketched
@pytest.mark.parametrize("lost", ["onnxruntime/tools/check.py", "onnxruntime/capi/__init__.py", ""])
def test_what_the_import_does_not_read_may_be_gone(ground: Ground, plain: Site, lost: str) -> None:
    """Slim images lack tools, an empty __init__.py may be gone, and no other project is examined."""
    install(plain.path, "onnxruntime", "1.16.0", RUNTIME)
    install(plain.path, "garden", "1.0", {"garden/__init__.py": "import os\n", "garden/soil.py": ""})
    without(plain, [lost] if lost else ["garden/__init__.py"])
    assert not ground.check(plain, root=True).bad
