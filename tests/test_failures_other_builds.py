"""What another build left or brought: DLLs in no record, eggs, modules of another Python or system."""

from __future__ import annotations

import pytest

from support.ground import Ground
from support.libraries import elf, pe
from support.site_folder import install, write
from support.skeletons import Site, dylib

WINDOWS = (
    '  File "K:\\portable\\python_embeded\\Lib\\site-packages\\torch\\__init__.py", line 130, in <module>\n'
    "    raise err\n"
    'OSError: [WinError {}] {} Error loading "K:\\portable\\python_embeded\\Lib\\site-packages\\torch\\lib\\{}" '
    "or one of its dependencies.\n"
)
PROCEDURE = "The specified procedure could not be found."
DLL = "nvfuser_codegen.dll"


def portable(ground: Ground, version: str) -> Site:
    site = ground.windows("3.11", "portable/python_embeded")
    ground.torch(site, version, made_for=[])
    return site


def recorded(site: Site, path: str, size: int) -> None:
    record = next(site.path.glob("torch-*.dist-info")) / "RECORD"
    record.write_text(f"{record.read_text()}{path},,{size}\n")


@pytest.mark.sketched
@pytest.mark.parametrize(
    ("number", "said"),
    [
        (127, PROCEDURE),
        (182, "The operating system cannot run %1."),
        (127, "Не найдена указанная процедура."),
        (1114, "A dynamic link library (DLL) initialization routine failed."),
    ],
)
def test_a_dll_of_an_earlier_torch_that_does_not_fit(ground: Ground, number: int, said: str) -> None:
    """https://github.com/Comfy-Org/ComfyUI/issues/2990 and 2345: torch opens each DLL of its folder."""
    site = portable(ground, "2.3.0+cu121")
    left = site.path / "torch/lib" / DLL
    write(left, pe({"torch_cpu.dll": ["?gone@at@@YAXXZ"], "c10.dll": []}, ["x"]))
    done = ground.check(site, log=WINDOWS.format(number, said, DLL))
    assert done.first.rule == "TL621"
    assert f"{DLL}, which is in the folder of torch and in no record" in done.first.message
    assert done.command == f"del /q {left}"
    ground.cure(done, left.unlink)


@pytest.mark.sketched
@pytest.mark.parametrize("number", [127, 5, 1450])
def test_a_dll_of_this_torch_is_not_called_left(ground: Ground, number: int) -> None:
    """The record has it, or the machine refuses it, whatever is in the file."""
    site = portable(ground, "2.1.0+cu121")
    data = pe({"torch_cpu.dll": [], "c10.dll": []}, ["x"])
    write(site.path / "torch/lib" / DLL, data)
    if number == 127:
        recorded(site, f"torch/lib/{DLL}", len(data))
    done = ground.check(site, log=WINDOWS.format(number, PROCEDURE, DLL))
    assert done.first.rule == "TL621"
    assert "in no record" not in done.first.message
    assert "del " not in done.command


@pytest.mark.sketched
@pytest.mark.parametrize("data", [b"\0" * 4000, b"<html>404</html>" * 200])
@pytest.mark.parametrize("number", [193, 998])
def test_a_dll_that_is_damaged_and_that_windows_names(ground: Ground, data: bytes, number: int) -> None:
    """https://github.com/Comfy-Org/ComfyUI/issues/1694: that its files are right is not said."""
    site = portable(ground, "2.1.0+cu121")
    recorded(site, f"torch/lib/{DLL}", 5000)
    write(site.path / "torch/lib" / DLL, data)
    done = ground.check(site, log=WINDOWS.format(number, "%1is not a valid Win32 application.", DLL))
    assert (done.first.rule, done.first.severity) == ("TL607", "error")
    assert done.first.says in WINDOWS.format(number, "%1is not a valid Win32 application.", DLL)
    assert "torch==2.1.0+cu121" in done.command
    assert "TL621" not in {each.rule for each in done.findings}


OF_EGG = """Traceback (most recent call last):
  File "/home/y/e/lib/python3.6/site-packages/torchaudio-0.2-py3.6.egg/torchaudio/__init__.py", line 5, in <module>
    import _torch_sox
ImportError: /home/y/e/lib/python3.6/site-packages/torchaudio-0.2-py3.6.egg/_torch_sox.so: undefined symbol: {}
"""
GONE = "_ZN3c105Error4goneEv"


@pytest.mark.sketched
@pytest.mark.parametrize("is_egg", [True, False])
def test_an_egg_of_a_release_without_a_version_file(ground: Ground, is_egg: bool) -> None:
    """https://github.com/SeanNaren/deepspeech.pytorch/issues/444: it is torchaudio, for another torch."""
    site = ground.linux("3.6", prefix="home/y/e")
    ground.torch(site, "1.1.0", cuda="10.0", made_for=[])
    egg = site.path / "torchaudio-0.2-py3.6.egg"
    write(egg / "torchaudio/__init__.py", "import torch\nimport _torch_sox\n")
    write(egg / "_torch_sox.so", elf("", ["libstdc++.so.6"], [], [GONE]))
    if is_egg:
        write(egg / "EGG-INFO/PKG-INFO", "Metadata-Version: 1.0\nName: torchaudio\nVersion: 0.2\n")
    write(site.path / "easy-install.pth", f"./{egg.name}\n")
    done = ground.check(site, log=OF_EGG.format(GONE))
    assert done.first.rule == ("TL611" if is_egg else "TL606")
    assert ("which is not torchaudio" in done.text) is not is_egg


OF_PYTHON = (
    '  File "/home/m/.local/lib/python3.6/site-packages/torch/__init__.py", line 81, in <module>\n'
    "    from torch._C import *\n"
    "ImportError: /home/m/.local/lib/python3.6/site-packages/torch/lib/libtorch_python.so: undefined symbol: {}\n"
)


@pytest.mark.sketched
@pytest.mark.parametrize("used", ["_Py_ZeroStruct", "PyString_FromString", "_PyUnicode_Ready"])
@pytest.mark.parametrize("is_here", [True, False])
def test_a_function_of_another_python(ground: Ground, used: str, is_here: bool) -> None:
    """https://github.com/pytorch/pytorch/issues/42450: it was built with the header files of another Python."""
    site = ground.linux("3.6", prefix="home/m/.local")
    ground.torch(site, "1.7.0a0+abcdef1", cuda="10.1", made_for=[])
    ground.unrecord(site, "torch/.*")
    library = elf(
        "libtorch_python.so", ["libtorch.so"], [], [used if is_here else "PyLong_AsLong"], rpath="$ORIGIN"
    )
    write(site.path / "torch/lib/libtorch_python.so", library)
    done = ground.check(site, log=OF_PYTHON.format(used))
    if not is_here:
        assert not done.bad
        return
    assert (done.first.rule, done.first.severity) == ("TL611", "error")
    assert f"uses {used}, a function of Python" in done.first.message
    assert "Python 3.6" in done.first.remedy


@pytest.mark.sketched
@pytest.mark.parametrize(
    ("has_folder", "says"), [(False, "ModuleNotFoundError: No module named 'torch._C'"), (True, "")]
)
def test_the_wheel_of_another_system(ground: Ground, has_folder: bool, says: str) -> None:
    """https://github.com/pytorch/pytorch/issues/26526: a wheel that was unpacked by hand."""
    site = ground.windows("3.7", "Anaconda3")
    parts: dict[str, bytes | str] = {
        "torch/__init__.py": "from torch._C import *\n",
        "torch/version.py": "__version__ = '1.2.0'\n",
        "torch/_C.cpython-37m-x86_64-linux-gnu.so": elf("", ["libtorch_python.so"]),
        "torch/lib/libtorch_python.so": elf("libtorch_python.so"),
    }
    if has_folder:
        parts["torch/_C/__init__.pyi"] = ""
    install(site.path, "torch", "1.2.0", parts, tag="cp37-cp37m-manylinux1_x86_64")
    done = ground.check(site, platform="windows-amd64")
    assert done.first.rule == "TL608"
    assert done.first.says == says
    assert done.first.message == "torch 1.2.0 was built for Linux (x86_64), this Python is for Windows (amd64)"


@pytest.mark.sketched
@pytest.mark.parametrize("is_own", [True, False])
def test_a_version_that_the_library_of_the_environment_lacks(ground: Ground, is_own: bool) -> None:
    """https://github.com/pytorch/audio/issues/18: torch leads to it, and no variable does."""
    site = ground.linux("3.8", prefix="opt/anaconda/envs/py")
    ground.torch(site, "1.7.1", cuda="10.2", made_for=[])
    write(site.path.parents[1] / "libgomp.so.1", elf("libgomp.so.1", defines=["GOMP_1.0"]))
    folder = (
        "/opt/anaconda/envs/py/lib/python3.8/site-packages/torch/lib/../../../.." if is_own else "/opt/old/lib"
    )
    log = (
        f"ImportError: {folder}/libgomp.so.1: version `GOMP_4.0' not found "
        "(required by /usr/lib/x86_64-linux-gnu/libsox.so.2)\n"
    )
    done = ground.check(site, log=log, root=True)
    assert done.first.rule == "TL613"
    assert ("LD_LIBRARY_PATH" in done.first.remedy) is not is_own
    assert (" is here" in done.first.message) is not is_own
    assert ("Install a later release of what contains libgomp.so.1" in done.first.remedy) is is_own


def of_two_releases(ground: Ground, *, has_it: bool) -> Site:
    site = ground.linux("3.11", prefix="opt/conda")
    ground.torch(site, "2.8.0+cpu", made_for=[])
    own = "def requires_sox():\n    pass\n" if has_it else "x = 1\n"
    parts: dict[str, bytes | str] = {
        "torchaudio/__init__.py": "",
        "torchaudio/version.py": "__version__ = '2.8.0+cpu'\n",
        "torchaudio/_internal/__init__.py": "",
        "torchaudio/_internal/module_utils.py": own,
        "torchaudio/backend.py": "from torchaudio._internal import module_utils as _mod_utils\n\n"
        "@_mod_utils.requires_sox()\ndef info(): ...\n",
    }
    install(site.path, "torchaudio", "2.8.0+cpu", parts)
    return site


@pytest.mark.sketched
@pytest.mark.parametrize(
    ("has_it", "line", "says"),
    [(True, 3, "in memory"), (False, 3, "files of two releases of torchaudio are mixed"), (True, 9, "")],
)
def test_a_notebook_that_is_older_than_its_files(ground: Ground, has_it: bool, line: int, says: str) -> None:
    """https://github.com/pytorch/audio/issues/1632: the log is of this state if its line is in the file."""
    log = (
        "/opt/conda/lib/python3.11/site-packages/torchaudio/backend.py in <module>\n"
        f"----> {line} @_mod_utils.requires_sox()\n\n"
        "AttributeError: module 'torchaudio._internal.module_utils' has no attribute 'requires_sox'\n"
    )
    done = ground.check(of_two_releases(ground, has_it=has_it), log=log)
    if not says:
        assert not done.bad
        return
    assert done.first.rule == "TL602"
    assert says in done.first.message
    assert done.first.remedy.startswith("Restart") is has_it


@pytest.mark.sketched
@pytest.mark.parametrize("installed", [["ffmpeg"], ["ffmpeg", "ffmpeg-python"], ["ffmpeg-python"], []])
def test_a_package_with_the_module_of_another_one(ground: Ground, installed: list[str]) -> None:
    """https://github.com/themanyone/whisper_dictation/issues/7: that it is installed here is said."""
    site = ground.linux()
    ground.torch(site, "2.8.0+cpu", made_for=[])
    for name in installed:
        install(site.path, name, "1.4", {f"ffmpeg/{'__init__' if name == 'ffmpeg' else '_run'}.py": ""})
    log = (
        '  File "/home/k/src/record.py", line 87, in try_restart\n'
        "    process = ffmpeg.input(self.audio_buffer)\n"
        "AttributeError: module 'ffmpeg' has no attribute 'input'\n"
    )
    done = ground.check(site, log=log)
    if "ffmpeg" not in installed:
        assert not done.bad
        return
    assert done.first.rule == "TL532"
    assert "ffmpeg 1.4 is installed" in done.first.message
    gone = " ".join(installed)
    assert done.command == f"python -m pip uninstall -y {gone} && python -m pip install ffmpeg-python"


@pytest.mark.sketched
def test_one_library_has_one_finding(ground: Ground) -> None:
    """A build for another nightly release: https://github.com/eugr/spark-vllm-docker/pull/141"""
    site = ground.linux("3.12", "dist-packages", machine="aarch64")
    ground.torch(site, "2.12.0.dev20260320+cu130", made_for=[])
    symbol = "_ZN3c1013MessageLoggerC1EPKciib"
    library = elf("", ["libtorch.so", "libc10.so"], [], [symbol], machine=183)
    files: dict[str, bytes | str] = {"vllm/__init__.py": "", "vllm/_C.abi3.so": library}
    install(site.path, "vllm", "0.18.1", files, headers="Requires-Dist: torch\n")
    path = "/usr/local/lib/python3.12/dist-packages/vllm/_C.abi3.so"
    log = f"ImportError: {path}: undefined symbol: {symbol}\n"
    done = ground.check(site, log=log, platform="linux-aarch64")
    assert [each.rule for each in done.bad] == ["TL611"]


@pytest.mark.sketched
def test_a_release_that_has_what_its_copy_lacks(ground: Ground) -> None:
    """The copy is another build: which releases have the symbol is no help."""
    site = ground.linux("3.7")
    ground.torch(site, "1.5.0", cuda="10.2", made_for=[])
    ground.wheel(site, "torchaudio==0.6.0")
    assert "torch has it" not in ground.check(site).text


@pytest.mark.sketched
@pytest.mark.parametrize("rpath", ["@loader_path/../lib/", ""])
def test_the_folder_that_the_program_names(ground: Ground, rpath: str) -> None:
    """The Python of conda leads each library of its process to its lib; that of python.org names no folder."""
    site = ground.mac("Users/u/env", "3.10")
    ground.torch(site, "2.3.1", made_for=[])
    env = site.path.parents[2]
    write(env / "bin/python3", dylib("", [], [], [rpath] if rpath else []))
    write(env / "lib/libtorch_extra.dylib", dylib("@rpath/libtorch_extra.dylib"))
    module = site.path / "torch/_C.cpython-310-darwin.so"
    ground.unrecord(site, "torch/_C.*")
    needs = ["@loader_path/lib/libtorch_python.dylib", "@rpath/libtorch_extra.dylib"]
    module.write_bytes(dylib("", needs, ["_PyInit__C"]))
    found = {each.rule for each in ground.check(site, root=True).bad}
    assert found == (set() if rpath else {"TL610"})
