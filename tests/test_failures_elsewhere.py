"""Logs whose process took a package, or a library of it, from elsewhere or from another release."""

from __future__ import annotations

import json

import pytest

from support.ground import Ground
from support.libraries import elf, pe
from support.site_folder import install, write
from support.skeletons import Site, Uses

SITE = "/home/z/conda/envs/abj/lib/python3.12/site-packages"
NMS = "RuntimeError: operator torchvision::nms does not exist\n"
RESHAPE = "_ZNK2at6Tensor7reshapeEN3c108ArrayRefIlEE"
CHECK_FAIL = "?torchCheckFail@detail@c10@@YAXPEBD0IAEBV?$basic_string@D@std@@@Z"


def with_torchvision(ground: Ground) -> Site:
    """A torch and a torchvision that fit, in an environment of conda."""
    site = ground._site(SITE.lstrip("/"), "3.12", "linux", "x86_64")
    record = {"name": "python", "version": "3.12.11", "build": "h1_0"}
    write(site.path.parents[2] / "conda-meta/python-3.12.11-h1_0.json", json.dumps(record))
    ground.wheel(site, "torchvision==0.23.0")
    ground.torch(site, "2.8.0+cu128", made_for=["torchvision==0.23.0"])
    ground.image()
    return site


def nms(folder: str) -> str:
    """torchvision of the environment fails in the torch of a folder."""
    return (
        f'  File "{SITE}/torchvision/_meta_registrations.py", line 163, in <module>\n'
        '    @torch.library.register_fake("torchvision::nms")\n'
        f'  File "{folder}/torch/library.py", line 828, in register\n'
        f"    use_lib._register_fake(op_name, func, _stacklevel=stacklevel + 1)\n{NMS}"
    )


@pytest.mark.sketched
@pytest.mark.triggers("TL606")
def test_operators_are_missing_beside_the_torch_of_the_user(ground: Ground) -> None:
    """https://github.com/pytorch/vision/issues/9174"""
    site = with_torchvision(ground)
    done = ground.check(site, root=True, log=nms("/home/z/.local/lib/python3.12/site-packages"))
    assert (done.first.rule, done.first.severity) == ("TL606", "error")
    assert "imported torch from /home/z/.local/lib/python3.12, the folder of the user" in done.first.message
    assert done.command == "export PYTHONNOUSERSITE=1"
    assert done.json["files"][0]["findings"][0]["says"] == NMS.strip()


@pytest.mark.sketched
def test_the_same_log_without_the_folder_of_a_user(ground: Ground) -> None:
    """All frames are of this environment, which fits: nothing here explains the log."""
    done = ground.check(with_torchvision(ground), root=True, log=nms(SITE))
    assert done.bad == []
    assert "what was examined in this environment does not show it" in done.text


@pytest.mark.sketched
def test_torchvision_and_torch_fit_without_a_log(ground: Ground) -> None:
    assert ground.check(with_torchvision(ground), root=True).bad == []


# Another build of an installed package


def with_k2(ground: Ground, headers: str = "Requires-Dist: torch\n") -> Site:
    site = ground.linux("3.8", prefix="export/envs/k2")
    ground.torch(site, "1.11.0", cuda="11.3", made_for=[])
    files: dict[str, bytes | str] = {"k2/__init__.py": "", f"_k2.{site.tag}.so": elf("", ["libtorch.so"])}
    install(site.path, "k2", "1.15.1", files, headers=headers)
    ground.image()
    return site


def lacking(folder: str) -> str:
    path = f"{folder}/_k2.cpython-38-x86_64-linux-gnu.so"
    return f"ImportError: {path}: undefined symbol: {RESHAPE}\n"


@pytest.mark.sketched
@pytest.mark.triggers("TL606")
@pytest.mark.parametrize("folder", ["/export/k2/build/lib", "/root/k2/build_release/lib"])
@pytest.mark.parametrize("headers", ["Requires-Dist: torch\n", ""])
def test_a_module_from_the_folder_of_its_source(ground: Ground, folder: str, headers: str) -> None:
    """https://github.com/k2-fsa/k2/issues/960: not every package requires the torch that it uses."""
    done = ground.check(with_k2(ground, headers), root=True, log=lacking(folder))
    assert (done.first.rule, done.first.severity) == ("TL606", "warning")
    assert f"from {folder}, instead of that of k2 1.15.1, which is installed here" in done.first.message
    assert "PYTHONPATH" in done.first.remedy
    assert "compile that copy again, for torch 1.11.0" in done.first.remedy


@pytest.mark.sketched
def test_the_installed_module_is_the_one_that_the_log_names(ground: Ground) -> None:
    """Its file here does not use the symbol: the log is of another state, and says nothing about this one."""
    site = with_k2(ground)
    done = ground.check(site, root=True, log=lacking("/export/envs/k2/lib/python3.8/site-packages"))
    assert done.bad == []


# Files of two releases


@pytest.mark.sketched
@pytest.mark.parametrize("changed", [True, False])
def test_python_files_of_another_torch_than_its_compiled_part(ground: Ground, changed: bool) -> None:
    """https://github.com/pytorch/pytorch/issues/118724"""
    site = ground.mac("Users/x/miniconda3", "3.11", "x86_64")
    ground.torch(site, "2.2.0", made_for=[])
    module = site.path / f"torch/_C.{site.tag}.so"
    if changed:
        module.write_bytes(module.read_bytes() + bytes(64))
    log = (
        '  File "/Users/x/miniconda3/lib/python3.11/site-packages/torch/__init__.py", line 1208, in <module>\n'
        "    from ._tensor import Tensor\n"
        '  File "/Users/x/miniconda3/lib/python3.11/site-packages/torch/_tensor.py", line 81, in <module>\n'
        "    class Tensor(torch._C.TensorBase):\n"
        "AttributeError: module 'torch._C' has no attribute 'TensorBase'. Did you mean: '_TensorBase'?\n"
    )
    done = ground.check(site, root=True, log=log)
    if not changed:
        assert done.bad == []
        return
    assert (done.first.rule, done.first.severity) == ("TL602", "error")
    assert done.first.message.endswith("is not the file that its record lists")
    assert "torch==2.2.0" in done.command


# A compiled module that Windows names without its folder


def with_module(ground: Ground, *, declared: bool, symbol: str = CHECK_FAIL) -> Site:
    site = ground.windows("3.12", "ComfyUI/python_embeded")
    ground.torch(site, "2.9.1+cpu", made_for=[], uses=Uses({"c10.dll": {"?other@c10@@YAXXZ"}}, set()))
    files: dict[str, bytes | str] = {
        "cumesh/__init__.py": "from . import _C\n",
        "cumesh/_C.cp312-win_amd64.pyd": pe({"c10.dll": [symbol]}),
    }
    install(site.path, "cumesh", "0.0.1", files, headers="Requires-Dist: torch\n" if declared else "")
    return site


MODULE = (
    '  File "F:\\ComfyUI\\python_embeded\\Lib\\site-packages\\cumesh\\__init__.py", line 1, in <module>\n'
    "    from . import _C\nImportError: DLL load failed while importing _C: {}\n"
)


@pytest.mark.sketched
@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize(
    "words", ["Не найдена указанная процедура.", "The specified procedure could not be found."]
)
def test_a_module_for_another_torch_of_a_package_that_requires_none(
    ground: Ground, words: str, declared: bool
) -> None:
    """https://github.com/Comfy-Org/ComfyUI/issues/14158: its metadata do not name torch."""
    done = ground.check(with_module(ground, declared=declared), log=MODULE.format(words))
    assert (done.first.rule, done.first.severity) == ("TL611", "warning")
    assert "of cumesh 0.0.1 uses a form of c10::detail::torchCheckFail, which torch 2.9.1" in done.first.message
    assert "cumesh" in done.first.remedy


@pytest.mark.sketched
@pytest.mark.parametrize("declared", [True, False])
def test_a_module_that_finds_all_its_functions_is_not_blamed(ground: Ground, declared: bool) -> None:
    site = with_module(ground, declared=declared, symbol="?other@c10@@YAXXZ")
    done = ground.check(site, log=MODULE.format("The specified procedure could not be found."))
    assert "TL611" not in {each.rule for each in done.bad}
