"""Extension modules of others on macOS and Windows, whose compilers spell the names of torch in their own ways."""

from __future__ import annotations

import pytest

from support.ground import Ground
from support.libraries import pe
from support.site_folder import install
from support.skeletons import Site, Uses, dylib
from torchlock.inspect.loading.names_of_torch import is_of_cuda, is_of_cuda_build, is_torchs_symbol

ERROR = "__ZN3c105ErrorC1Ev"
PARALLEL = "__ZN2at8internal13_parallel_runExxx"


def of_mac(ground: Ground, *uses: str, name: str = "natten/_C.cpython-311-darwin.so") -> Site:
    """A Mac with a torch that defines little, and a module of another package that uses these names."""
    site = ground.mac("Users/u/.venv")
    ground.torch(site, "2.9.1", made_for=[], uses=Uses({"libc10.dylib": {ERROR}}, set()))
    library = dylib("", ["@rpath/libtorch_cpu.dylib", "@rpath/libc10.dylib"], uses=uses)
    install(
        site.path, "natten", "0.17.5", {"natten/__init__.py": "", name: library}, headers="Requires-Dist: torch\n"
    )
    return site


def of_windows(ground: Ground, library: str, *uses: str, name: str = "natten_cuda.cp311-win_amd64.pyd") -> Site:
    """The same on Windows, where a module names the library of each function."""
    site = ground.windows()
    ground.torch(site, "2.9.1+cpu", made_for=[], uses=Uses({"c10.dll": {"??0Error@c10@@QEAA@XZ"}}, set()))
    files: dict[str, bytes | str] = {"natten/__init__.py": "", name: pe({library: list(uses)})}
    install(site.path, "natten", "0.17.5", files, headers="Requires-Dist: torch\n")
    return site


@pytest.mark.sketched
def test_a_module_on_a_mac_for_another_torch(ground: Ground) -> None:
    done = ground.check(of_mac(ground, PARALLEL, name="natten_ext.cpython-311-darwin.so"), root=True)
    assert (done.first.rule, done.first.severity) == ("TL611", "warning")
    assert (
        "natten 0.17.5 uses a form of at::internal::_parallel_run, which torch 2.9.1 does not have"
        in done.first.message
    )
    assert "dlopen(/Users/u/.venv/lib/python3.11/site-packages/natten_ext.cpython-311-darwin.so" in done.first.says


@pytest.mark.sketched
@pytest.mark.parametrize("name", ["_C.cpython-311-darwin.so", "_C.so", "_convert_cpu.so"])
def test_a_module_within_a_package_on_a_mac_is_a_note(ground: Ground, name: str) -> None:
    done = ground.check(of_mac(ground, PARALLEL, name=f"natten/{name}"), root=True)
    assert done.bad == []
    assert f"{name} of natten 0.17.5 uses a form of at::internal::_parallel_run" in str(done.json)


@pytest.mark.sketched
def test_a_log_of_a_module_on_a_mac(ground: Ground) -> None:
    site = of_mac(ground, PARALLEL, name="natten/_convert_cpu.so")
    path = "/Users/u/.venv/lib/python3.11/site-packages/natten/_convert_cpu.so"
    log = (
        f"OSError: dlopen({path}, 6): Symbol not found: {PARALLEL}\n"
        f"  Referenced from: {path}\n"
        "  Expected in: /Users/u/.venv/lib/python3.11/site-packages/torch/lib/libtorch_cpu.dylib\n"
    )
    done = ground.check(site, root=True, log=log)
    assert done.first.rule == "TL611"
    assert "uses a form of at::internal::_parallel_run, which torch 2.9.1 does not have" in done.first.message


@pytest.mark.sketched
def test_a_module_on_windows_for_another_torch(ground: Ground) -> None:
    done = ground.check(of_windows(ground, "c10.dll", "?check@detail@c10@@YAXPEBD@Z"))
    assert (done.first.rule, done.first.severity) == ("TL611", "warning")
    assert "uses a form of c10::detail::check, which torch 2.9.1 (CPU build) does not have" in done.first.message


@pytest.mark.sketched
def test_a_module_on_windows_for_a_torch_with_cuda(ground: Ground) -> None:
    done = ground.check(of_windows(ground, "torch_cuda.dll", "?getCurrentCUDABlasHandle@cuda@at@@YAXXZ"))
    assert (done.first.rule, done.first.severity) == ("TL610", "warning")
    assert "needs torch_cuda.dll, which torch 2.9.1 (CPU build) does not have" in done.first.message


@pytest.mark.sketched
@pytest.mark.parametrize("uses", [(ERROR,), ("__ZN4mine3runERKN2at6TensorE",), ("_torch_mine",), ()])
def test_a_module_on_a_mac_that_works(ground: Ground, uses: tuple[str, ...]) -> None:
    done = ground.check(of_mac(ground, *uses, name="natten_ext.cpython-311-darwin.so"), root=True)
    assert "natten" not in str([each.message for each in done.findings])


@pytest.mark.sketched
def test_a_module_on_windows_that_works(ground: Ground) -> None:
    done = ground.check(of_windows(ground, "c10.dll", "??0Error@c10@@QEAA@XZ"))
    assert "natten" not in str([each.message for each in done.findings])


@pytest.mark.parametrize(
    "symbol",
    [
        "_ZN2at8internal13_parallel_runElll",
        "__ZNK3c106Device3strEv",
        "__ZNK2at6Tensor7is_cudaEv",
        "_aoti_torch_get_layout",
        "?empty@at@@YA?AVTensor@1@V?$ArrayRef@_J@c10@@@Z",
        "??1Error@c10@@UEAA@XZ",
        "??$data_ptr@M@TensorBase@at@@QEBAPEAMXZ",
        "?cudnn_is_available@TensorBase@at@@QEBA_NXZ",
    ],
)
def test_names_of_torch(symbol: str) -> None:
    assert is_torchs_symbol(symbol)
    assert not is_of_cuda_build(symbol)


@pytest.mark.parametrize(
    "symbol",
    [
        "_ZN4mine3runERKN2at6TensorE",
        "?run@mine@@YAXAEBVTensor@at@@@Z",
        "??$cast@VTensor@at@@@mine@@YAXXZ",
        "?run@nat@@YAXXZ",
        "PyInit__C",
    ],
)
def test_names_of_others(symbol: str) -> None:
    assert not is_torchs_symbol(symbol)
    assert not is_of_cuda_build(symbol)


@pytest.mark.parametrize(
    "symbol", ["_ZN2at4cuda7warpingEv", "__ZN3c104cuda12device_countEv", "?device_count@cuda@c10@@YACXZ"]
)
def test_names_of_builds_for_cuda(symbol: str) -> None:
    assert is_of_cuda_build(symbol)
    assert not is_torchs_symbol(symbol)


def test_libraries_of_cuda() -> None:
    assert all(map(is_of_cuda, ("libcudart.so.12", "cudart64_12.dll", "nvrtc64_120_0.dll", "cublasLt64_12.dll")))
    assert not any(map(is_of_cuda, ("libmine.so", "cudart.py", "torch_cuda.dll")))
