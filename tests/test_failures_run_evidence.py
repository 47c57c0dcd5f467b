"""What a log shows and what the files show: which of the two counts, and which failure of a log is the first."""

from __future__ import annotations

import pytest

from support.ground import Checked, Ground
from support.libraries import pe
from support.site_folder import install, write
from support.skeletons import Site, dylib

SITE = "/usr/local/lib/python3.11/site-packages"
WINDOWS = "C:\\venv\\Lib\\site-packages"
NOT_FOUND = "[WinError 126] The specified module could not be found."
NO_PROCEDURE = "[WinError 127] The specified procedure could not be found."
RUNTIME = ("MSVCP140.dll", "VCRUNTIME140.dll")


def traceback(*frames: str, error: str) -> str:
    """A traceback of Python through files of the folder of packages."""
    lines = "".join(f'  File "{SITE}/{each}", line 5, in <module>\n    import x\n' for each in frames)
    return f"Traceback (most recent call last):\n{lines}{error}\n"


# macOS: symbols of the flat namespace.


def old_mac(ground: Ground, package: str, file: str, *uses: str) -> Site:
    """A package of the time of torch 1.x whose extension names no library for the symbols of torch."""
    site = ground.mac("Users/u/v", "3.7", "x86_64")
    ground.torch(site, "1.4.0")
    module = dylib("", ["/usr/lib/libSystem.B.dylib"], machine="x86_64", uses=uses)
    version = {"torchaudio": "0.3.0", "torchvision": "0.5.0", "torchtext": "0.8.0"}[package]
    own = {f"{package}/__init__.py": "", f"{package}/version.py": f"__version__ = '{version}'\n"}
    install(site.path, package, version, {**own, file: module})
    return site


@pytest.mark.sketched
@pytest.mark.parametrize(
    ("package", "file"),
    [
        ("torchaudio", "_torch_sox.cpython-37m-darwin.so"),
        ("torchaudio", "torchaudio/_torchaudio.so"),
        ("torchvision", "torchvision/_C.so"),
        ("torchtext", "torchtext/_torchtext.so"),
    ],
)
def test_an_extension_of_the_flat_namespace_lacks_what_torch_lost(ground: Ground, package: str, file: str) -> None:
    site = old_mac(ground, package, file, "__ZN3c1011CPUTensorIdEv", "__PyObject_GetDictPtr")
    name = file.rpartition("/")[2]
    log = (
        f"ImportError: dlopen(/Users/u/v/lib/python3.7/site-packages/{file}, 2): Symbol not found: "
        f"__ZN3c1011CPUTensorIdEv\n  Referenced from: /Users/u/v/lib/python3.7/site-packages/{file}\n"
        "  Expected in: flat namespace\n"
    )
    for done in (ground.check(site), ground.check(site, log=log)):
        assert f"{name} of {package} uses a form of c10::CPUTensorId, which torch 1.4.0 does not have" in done.text
        assert "another environment" not in done.text


@pytest.mark.sketched
def test_an_extension_of_the_flat_namespace_whose_symbols_are_there(ground: Ground) -> None:
    site = old_mac(ground, "torchvision", "torchvision/_C.so", "__ZN3c104HereEv", "__Py_NoneStruct")
    write(
        site.path / "torch/lib/libc10.dylib", dylib("@rpath/libc10.dylib", [], ["__ZN3c104HereEv"], (), "x86_64")
    )
    ground.unrecord(site, "torch/lib/libc10.dylib")
    assert "TL611" not in str(ground.check(site).findings)
    log = (
        "ImportError: dlopen(torchvision/_C.so, 2): Symbol not found: __ZN3c10{}\n  Expected in: flat namespace\n"
    )
    for symbol in ("4HereEv", "4GoneEv"):
        assert "TL611" not in [each.rule for each in ground.check(site, log=log.format(symbol)).bad]


@pytest.mark.sketched
def test_a_log_counts_where_the_files_say_nothing(ground: Ground) -> None:
    """A symbol that is not torch's is not looked up; the log shows that it was not there."""
    site = old_mac(ground, "torchaudio", "_torch_sox.cpython-37m-darwin.so", "_sox_append")
    log = "ImportError: dlopen(/v/_torch_sox.cpython-37m-darwin.so, 2): Symbol not found: _sox_append\n"
    done = ground.check(site, log=log)
    assert "uses _sox_append, which no library that the process in the log had loaded defines" in done.text
    assert done.code == 1


# Windows: what is proven comes before what may be missing.


@pytest.mark.sketched
@pytest.mark.parametrize(
    ("error", "library"),
    [
        (NOT_FOUND, "torch_python.dll"),
        (NOT_FOUND, "fbgemm.dll"),
        (NO_PROCEDURE, "shm.dll"),
        (NOT_FOUND, "c10.dll"),
    ],
)
def test_a_missing_file_comes_before_an_error_of_windows(ground: Ground, error: str, library: str) -> None:
    site = ground.windows("3.9")
    ground.wheel(site, "torchaudio==2.0.2")
    ground.torch(site, "2.0.1", needs={"torch_python.dll": RUNTIME})
    (site.path / "torch/lib/c10.dll").unlink()
    log = f'OSError: {error} Error loading "{WINDOWS}\\torch\\lib\\{library}" or one of its dependencies.\n'
    done = ground.check(site, log=log)
    assert (done.first.rule, done.first.severity) == ("TL601", "error")


@pytest.mark.sketched
def test_missing_symbols_come_before_a_runtime_that_was_not_seen(ground: Ground) -> None:
    site = ground.windows("3.9")
    ground.wheel(site, "torchaudio==0.13.1")
    ground.torch(site, "2.0.1", made_for=["torchaudio==2.0.2"])
    library = site.path / "torchaudio/lib/libtorchaudio.pyd"
    library.write_bytes(pe({"torch_cpu.dll": ["of_1_13"], "MSVCP140.dll": []}))
    ground.unrecord(site, "torchaudio/lib/libtorchaudio.pyd")
    for error in (
        f"Could not find module '{WINDOWS}\\torchaudio\\lib\\libtorchaudio.pyd'",
        NOT_FOUND,
        NO_PROCEDURE,
    ):
        done = ground.check(site, log=f"FileNotFoundError: {error} (or one of its dependencies).\n")
        assert done.first.rule == "TL101", error


# Windows: DLLs of other packages.


@pytest.mark.sketched
@pytest.mark.parametrize("folder", ["venv", "ComfyUI_windows_portable/python_embeded"])
@pytest.mark.parametrize(
    ("version", "library", "needed", "because", "command"),
    [
        ("2.3.0", "torch_cpu.dll", "mkl_intel_thread.1.dll", "the package mkl<2022 installs it", '"mkl<2022"'),
        ("2.3.0", "torch_cpu.dll", "mkl_intel_thread.2.dll", "mkl>=2022,<2026", '"mkl>=2022,<2026"'),
        ("2.4.0", "fbgemm.dll", "libomp140.x86_64.dll", "Visual Studio", "torch==2.4.1"),
        ("2.5.1", "c10.dll", "msvcp140.dll", "Redistributable", "winget install"),
        ("2.5.1", "shm.dll", "vcomp140.dll", "Redistributable", "winget install"),
    ],
)
def test_a_dll_that_torch_needs_of_others(
    ground: Ground, folder: str, version: str, library: str, needed: str, because: str, command: str
) -> None:
    site = ground.windows(prefix=folder)
    ground.wheel(site, f"torchaudio=={version}")
    ground.torch(site, version, needs={library: [needed]})
    if library == "fbgemm.dll":
        write(site.path / "torch/lib/fbgemm.dll", pe({needed: []}))
    log = f'OSError: {NOT_FOUND} Error loading "{WINDOWS}\\torch\\lib\\{library}" or one of its dependencies.\n'
    done = ground.check(site, log=log)
    assert (done.first.rule, done.first.severity) == ("TL610", "error")
    assert done.first.message.startswith(library)
    assert f"needs {needed}" in done.first.message
    assert because in done.first.because
    assert command in done.command


# The first failure of a log, and the later ones.


def mismatched(ground: Ground) -> Site:
    """A torchaudio for another torch, and a soundfile without its library."""
    site = ground.linux()
    ground.wheel(site, "torchaudio==2.3.1")
    ground.wheel(site, "soundfile==0.12.1")
    ground.torch(site, "2.2.0", made_for=["torchaudio==2.2.0"])
    ground.image()
    (site.path / "_soundfile_data/libsndfile_x86_64.so").unlink()
    return site


OF_TORCHAUDIO = traceback(
    "torchaudio/__init__.py", error=f"OSError: {SITE}/torchaudio/lib/libtorchaudio.so: undefined symbol: {{}}"
).format("_ZN2at4_ops8of_2_3_1Ev")
OF_SOUNDFILE = traceback("soundfile.py", error="OSError: sndfile library not found")
OF_NUMBA = traceback("librosa/__init__.py", error="ModuleNotFoundError: No module named 'tensorflow'")
HANDLED = "\nDuring handling of the above exception, another exception occurred:\n\n"
CAUSED = "\nThe above exception was the direct cause of the following exception:\n\n"


def packages(done: Checked) -> list[str]:
    """The packages that the errors and warnings are about."""
    return [each.packages[0] for each in done.bad if each.packages]


@pytest.mark.sketched
@pytest.mark.parametrize(
    ("log", "first"),
    [
        (f"{OF_TORCHAUDIO}\n{OF_SOUNDFILE}", "torchaudio"),
        (f"{OF_SOUNDFILE}\n{OF_TORCHAUDIO}", "soundfile"),
        (f"{OF_TORCHAUDIO}{CAUSED}{OF_SOUNDFILE}", "torchaudio"),
        (f"{OF_NUMBA}{HANDLED}{OF_TORCHAUDIO}", "torchaudio"),
        (f"{OF_NUMBA}{HANDLED}{OF_SOUNDFILE}\n{OF_TORCHAUDIO}", "soundfile"),
    ],
    ids=["torchaudio first", "soundfile first", "direct cause", "a module that was expected", "two chains"],
)
def test_the_first_failure_of_a_log_is_the_first_finding(ground: Ground, log: str, first: str) -> None:
    done = ground.check(mismatched(ground), root=True, log=log)
    assert packages(done)[0] == first
    assert {"torchaudio", "soundfile"} <= set(packages(done))


@pytest.mark.sketched(real=False)
def test_the_second_failure_has_its_own_finding(ground: Ground) -> None:
    """Nothing but the log shows that macOS refused the second library."""
    site = ground.linux()
    ground.wheel(site, "torchaudio==2.3.1")
    ground.torch(site, "2.2.0", made_for=["torchaudio==2.2.0"])
    ground.image()
    second = traceback("k2/__init__.py", error=f"ImportError: {SITE}/k2/_k2.so: cannot enable executable stack")
    done = ground.check(site, root=True, log=f"{OF_TORCHAUDIO}\n{second}")
    assert done.first.rule == "TL101"
    assert "TL621" in [each.rule for each in done.bad]


@pytest.mark.sketched(real=False)
def test_the_reason_says_what_the_log_says(ground: Ground) -> None:
    """The files lack libraries, too; the log names a symbol."""
    done = ground.check(mismatched(ground), root=True, log=OF_TORCHAUDIO)
    assert "uses a form of at::_ops::of_2_3_1" in done.text
    assert "which is not found" not in done.text


# A proven failure is an error.


@pytest.mark.sketched
def test_a_failure_that_ended_the_run_is_an_error(ground: Ground) -> None:
    site = ground.linux()
    ground.wheel(site, "torchvision==0.17.0")
    ground.torch(site, "2.2.0")
    ground.image()
    module = f"{SITE}/ctranslate2/lib.so"
    install(site.path, "ctranslate2", "4.5.0", {"ctranslate2/__init__.py": ""})
    error = f"ImportError: {module}: cannot enable executable stack as shared object requires: Invalid argument"
    ended = traceback("ctranslate2/__init__.py", error=error)
    assert ground.check(site, root=True, log=ended).code == 1


@pytest.mark.sketched
@pytest.mark.parametrize("after", ["", "epoch: loss\n" * 40], ids=["ended", "went on"])
def test_a_program_that_went_on_is_no_error(ground: Ground, after: str) -> None:
    site = ground.linux()
    ground.wheel(site, "soundfile==0.12.1")
    ground.torch(site, "2.2.0")
    ground.image()
    (site.path / "_soundfile_data/libsndfile_x86_64.so").unlink()
    error = "OSError: cannot load library 'libsndfile_x86_64.so': sndfile library not found"
    done = ground.check(site, root=True, log=traceback("soundfile.py", error=error) + after)
    assert done.first.packages[0] == "soundfile"
    assert done.code == (0 if after else 1), done.bad


# A line without an environment.


@pytest.mark.sketched
@pytest.mark.parametrize(
    ("line", "message", "look"),
    [
        (
            "OSError: libcudart.so.12: cannot open shared object file",
            "libcudart.so.12, a library of CUDA 12",
            "+cu126",
        ),
        ("ImportError: libcudnn.so.9: cannot open shared object file", "a library of cuDNN 9", "nvidia-cudnn"),
        (
            "ImportError: libc10_cuda.so: cannot open shared object file",
            "which only CUDA (or ROCm) builds",
            "+cpu",
        ),
        ("OSError: libavutil.so.58: cannot open shared object file", "FFmpeg 6", "FFmpeg 6"),
        ("undefined symbol: _ZN2at4_ops10zeros_like4callE", "at::_ops::zeros_like::call", "belong together"),
        (
            "undefined symbol: _ZN3c104cuda9SetDeviceEi",
            "in this form from 2.1.0 to 2.2.2",
            "torch >=2.1.0,<=2.2.2",
        ),
        (
            "undefined symbol: _ZN3c104cuda9SetDeviceEab",
            "SetDevice(signed char, bool), which torch has in this form from 2.8.0 on",
            "torch 2.8.0 or later",
        ),
        ("undefined symbol: _ZN3c104cuda9NoDeviceEi", "only CUDA builds of torch have", "belong together"),
        ("undefined symbol: iJIT_NotifyEvent", "a function of MKL", "mkl<2024.1"),
        (
            "undefined symbol: __nvJitLinkAddData_12_1, version libnvJitLink.so.12",
            "NVIDIA library",
            "LD_LIBRARY_PATH",
        ),
        (
            f"OSError: {NO_PROCEDURE} C:\\x\\torchaudio\\lib\\libtorchaudio.pyd",
            "libtorchaudio.pyd",
            "second torch",
        ),
        (f'OSError: {NOT_FOUND} Error loading "C:\\x\\torch\\lib\\fbgemm.dll"', "fbgemm.dll", "2.4.1"),
        (f'OSError: {NOT_FOUND} Error loading "C:\\x\\torch\\lib\\shm.dll"', "shm.dll", "mkl<2022"),
        ("libstdc++.so.6: version `GLIBCXX_3.4.30' not found", "no GLIBCXX_3.4.30", "libstdcxx-ng"),
        ("libc.so.6: version `GLIBC_2.34' not found", "no GLIBC_2.34", "later release"),
    ],
)
def test_a_line_without_an_environment(ground: Ground, line: str, message: str, look: str) -> None:
    site = ground.linux()
    install(site.path, "pip", "24.0", {"pip/__init__.py": ""})
    done = ground.check(site, log=f"{line}\n", platform="linux-x86_64")
    assert (done.first.severity, done.command) == ("warning", "")
    assert message in done.first.message and look in done.first.remedy
    assert done.text.startswith(done.first.message) and "examined" not in done.text


@pytest.mark.sketched
@pytest.mark.parametrize(
    "line",
    [
        "ImportError: libGL.so.1: cannot open shared object file",
        "undefined symbol: _ZN4Botan6ErrorC1Ev",
        f'OSError: {NOT_FOUND} Error loading "C:\\x\\other.dll"',
        "/app/tool: /lib/libc.so.6: version `GLIBC_2.38' not found (required by /app/tool)",
    ],
)
def test_a_line_about_something_else(ground: Ground, line: str) -> None:
    site = ground.linux()
    install(site.path, "pip", "24.0", {"pip/__init__.py": ""})
    assert ground.check(site, log=f"{line}\n", platform="linux-x86_64").bad == []
