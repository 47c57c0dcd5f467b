"""Logs of Macs about any package: what dyld refuses, what a crash shows, and what torch says of MPS."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from support.ground import Checked, Ground
from support.site_folder import install, write
from support.skeletons import Site, Uses, dylib

PREFIX = "Users/d/miniforge3/envs/a"
pytestmark = pytest.mark.sketched(real=False)


def with_torch(ground: Ground, prefix: str = PREFIX, python: str = "3.11", machine: str = "arm64") -> Site:
    site = ground.mac(prefix, python, machine)
    ground.torch(site, "2.2.2", made_for=["torchaudio==2.2.2"])
    return site


def inside(site: Site, path: str = "") -> str:
    """A path in the folder of packages, as the Mac names it."""
    return "/".join(filter(None, [f"/{site.path.relative_to(site.root)}", path]))


def package(site: Site, name: str, path: str, library: bytes, tag: str = "py3-none-any") -> str:
    """Install a package with one library; return the path of the library on the Mac."""
    install(site.path, name, "1.4.0", {path: library, f"{path.partition('/')[0]}/__init__.py": ""}, tag=tag)
    return inside(site, path)


def silent(done: Checked) -> None:
    assert done.bad == [], done.bad


# Libraries for another architecture.


def refused(path: str, have: str, need: str) -> str:
    said = f"(mach-o file, but is an incompatible architecture (have '{have}', need '{need}'))"
    return f"ImportError: dlopen({path}, 0x0002): tried: '{path}' {said}, '/System{path}' (no such file)\n"


@pytest.mark.parametrize(
    ("tag", "have", "need", "said", "remedy"),
    [
        ("cp311-cp311-macosx_10_9_x86_64", "x86_64", "arm64", "is for x86_64, and the Python", "again"),
        ("cp311-cp311-macosx_14_0_arm64", "arm64", "x86_64", "is for arm64, and the Python", "without Rosetta"),
        ("cp311-cp311-macosx_10_15_x86_64", "arm64", "x86_64", "is tagged for x86_64", "another release"),
    ],
)
def test_a_package_for_another_architecture(
    ground: Ground, tag: str, have: str, need: str, said: str, remedy: str
) -> None:
    """https://github.com/microsoft/onnxruntime/issues/14663, https://github.com/ml-explore/mlx/issues/621"""
    site = with_torch(ground, machine=need)
    path = package(site, "tokenizers", "tokenizers/tokenizers.cpython-311-darwin.so", dylib(machine=have), tag)
    silent(ground.check(site))
    done = ground.check(site, log=refused(path, have, need))
    assert (done.first.rule, done.first.packages) == ("TL608", ("tokenizers",))
    assert said in done.first.message
    assert remedy in done.first.remedy


OLD = "ImportError: dlopen({0}, 2): no suitable image found.  Did find:\n\t{0}: mach-o, but wrong architecture\n"


@pytest.mark.parametrize("is_old", [False, True])
def test_a_log_shows_that_the_python_is_for_apple_silicon(ground: Ground, is_old: bool) -> None:
    """https://github.com/invoke-ai/InvokeAI/issues/2152: other packages in the folder are for that machine."""
    site = with_torch(ground, machine="x86_64")
    package(site, "pyyaml", "yaml/_yaml.cpython-311-darwin.so", dylib())
    path = inside(site, f"torch/_C.{site.tag}.so")
    done = ground.check(site, log=OLD.format(path) if is_old else refused(path, "x86_64", "arm64"))
    assert done.first.message == "torch 2.2.2 was built for macOS (x86_64), this Python is for macOS (arm64)"
    assert "torch==2.2.2" in done.command


# Libraries that are not found.

BREW = "/opt/homebrew/opt/libomp/lib"


def not_loaded(user: str, name: str) -> str:
    return (
        f"ImportError: dlopen({user}, 0x0002): Library not loaded: {name}\n"
        f"  Referenced from: <4499501D> {user}\n  Reason: tried: '{name}' (no such file)\n"
    )


@pytest.mark.parametrize(
    ("name", "remedy", "command"),
    [
        ("/usr/local/opt/libomp/lib/libomp.dylib", "Install libomp with Homebrew", "brew install libomp"),
        ("@rpath/libomp.dylib", "Install libomp with Homebrew", "brew install libomp"),
        ("/opt/x/libwhisper.1.dylib", "another release of onnxruntime", ""),
        ("/opt/x/libz.1.dylib", "a later release of onnxruntime", ""),
    ],
)
def test_a_library_that_another_package_asks_for(ground: Ground, name: str, remedy: str, command: str) -> None:
    """https://github.com/rhasspy/larynx/issues/1"""
    site = with_torch(ground)
    path = package(site, "onnxruntime", "onnxruntime/capi/state.so", dylib("", [name], [], [BREW]))
    done = ground.check(site, log=not_loaded(path, name))
    assert (done.first.rule, done.first.packages) == ("TL610", ("onnxruntime",))
    assert f"needs {name}, which dyld did not find" in done.first.message
    assert remedy in done.first.remedy
    assert done.command == command
    assert "in this environment does not show it" not in done.text


def test_a_formula_that_homebrew_updated(ground: Ground) -> None:
    """The folder of the formula is there, and has another release of the library."""
    site = with_torch(ground)
    name = "/opt/homebrew/opt/ffmpeg/lib/libavformat.60.dylib"
    path = package(site, "av", "av/_core.cpython-311-darwin.so", dylib("", [name]))
    write(site.root / "opt/homebrew/opt/ffmpeg/lib/libavformat.61.dylib", dylib())
    done = ground.check(site, root=True, log=not_loaded(path, name))
    assert done.first.packages == ("av",)
    assert "--only-binary av av" in done.command


@pytest.mark.parametrize(
    ("formula", "library", "command"),
    [
        ("xz", "liblzma.5.dylib", "brew install xz"),
        ("openssl@1.1", "libssl.1.1.dylib", "pyenv install --force 3.11.4"),
    ],
)
def test_a_module_of_python_whose_library_is_gone(
    ground: Ground, formula: str, library: str, command: str
) -> None:
    site = with_torch(ground)
    base = "/Users/d/.pyenv/versions/3.11.4/lib/python3.11"
    name = f"/opt/homebrew/opt/{formula}/lib/{library}"
    frame = f'  File "{inside(site, "torch/hub.py")}", line 4, in <module>\n    import lzma\n'
    lost = not_loaded(f"{base}/lib-dynload/_lzma.cpython-311-darwin.so", name)
    log = f"Traceback (most recent call last):\n{frame}{lost}"
    done = ground.check(site, log=log)
    assert done.first.message == f"the module _lzma of this Python needs {name}, which dyld did not find"
    assert done.command == command


def test_a_library_that_no_file_here_asks_for(ground: Ground) -> None:
    site = with_torch(ground)
    path = package(site, "onnxruntime", "onnxruntime/capi/state.so", dylib())
    silent(ground.check(site, log=not_loaded(path, "@rpath/libwhisper.1.dylib")))


# Symbols.


def no_symbol(user: str, symbol: str, provider: str) -> str:
    return (
        f"ImportError: dlopen({user}, 0x0002): Symbol not found: {symbol}\n"
        f"  Referenced from: {user}\n  Expected in: {provider}\n in {user}\n"
    )


def test_a_function_of_a_later_macos(ground: Ground) -> None:
    """https://github.com/speechbrain/speechbrain/issues/1603"""
    site = with_torch(ground)
    path = package(site, "sentencepiece", "sentencepiece/_sentencepiece.cpython-311-darwin.so", dylib())
    done = ground.check(site, log=no_symbol(path, "____chkstk_darwin", "/usr/lib/libSystem.B.dylib"))
    assert (done.first.rule, done.first.packages) == ("TL312", ("sentencepiece",))
    assert done.first.remedy == "Update macOS, or install an earlier release of sentencepiece."
    silent(ground.check(site, log=no_symbol(path, "___emutls_get_address", "/usr/lib/libSystem.B.dylib")))


def test_a_build_for_a_later_macos_of_a_package_with_another_name(ground: Ground) -> None:
    """The package that has the library is named, and not torch."""
    site = with_torch(ground)
    path = package(site, "sherpa-onnx", "sherpa_onnx/lib/libonnxruntime.dylib", dylib())
    log = (
        f"ImportError: dlopen({path}, 0x0002): Symbol not found: _OBJC_CLASS_$_MLComputePlan\n"
        f"  Referenced from: <1E9707C0> {path} (built for macOS 15.5 which is newer than running OS)\n"
        "  Expected in:     <0A1B2C3D> /System/Library/Frameworks/CoreML.framework/Versions/A/CoreML\n"
    )
    done = ground.check(site, log=log)
    assert done.first.packages == ("sherpa-onnx",)
    assert done.first.severity == "warning"


@pytest.mark.parametrize(
    ("symbol", "said", "remedy"),
    [
        ("__ZN13sentencepiece4util6StatusD1Ev", "sentencepiece::util::Status", "--only-binary sentencepiece"),
        ("_PaMacCore_SetupChannelMap", "a function of PortAudio", "brew install portaudio"),
    ],
)
def test_a_module_that_was_compiled_without_its_library(
    ground: Ground, symbol: str, said: str, remedy: str
) -> None:
    """https://github.com/google/sentencepiece/issues/757, https://github.com/openinterpreter/01/issues/68"""
    site = with_torch(ground)
    inner = "sentencepiece/_sentencepiece.cpython-311-darwin.so"
    path = package(site, "sentencepiece", inner, dylib("", uses=[symbol]))
    log = f"ImportError: dlopen({path}, 0x0002): symbol not found in flat namespace '{symbol}'\n"
    done = ground.check(site, log=log)
    assert (done.first.rule, done.first.packages) == ("TL611", ("sentencepiece",))
    assert said in done.first.message
    assert remedy in f"{done.first.remedy} {done.command}"
    assert "was built for torch" not in done.first.remedy


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("version = 3.11.0a6\n", "3.11.0a6, a prerelease"),
        ("version_info = 3.11.0.alpha.6\n", "3.11.0.alpha.6, a prerelease"),
        ("version = 3.11.4\n", "a prerelease of Python 3.11 or another program"),
    ],
)
def test_a_prerelease_of_python(ground: Ground, settings: str, said: str) -> None:
    """https://github.com/pytorch/pytorch/issues/102267: dyld names what it opens, not what uses the symbol."""
    site = with_torch(ground, "Users/d/venv")
    write(site.path.parents[2] / "pyvenv.cfg", f"home = /Users/d/python/bin\n{settings}")
    path = inside(site, f"torch/_C.{site.tag}.so")
    log = f"ImportError: dlopen({path}, 0x0002): symbol not found in flat namespace '_PyFrame_GetLasti'\n"
    done = ground.check(site, log=log)
    assert (done.first.rule, done.first.severity) == ("TL611", "error")
    assert said in done.first.message
    assert "final release of Python 3.11" in done.first.remedy


def test_two_packages_of_conda_that_do_not_belong_together(ground: Ground) -> None:
    """https://github.com/conda-forge/pytorch-cpu-feedstock/issues/311"""
    site = with_torch(ground)
    libraries = {"libprotobuf": "libprotobuf.28.2.0.dylib", "libabseil": "libabsl_log.2407.0.0.dylib"}
    for name, library in {**libraries, "python": "libpython3.11.dylib"}.items():
        write(site.root / PREFIX / "lib" / library, dylib(library))
        record = {"name": name, "files": [f"lib/{library}"]}
        write(site.root / PREFIX / "conda-meta" / f"{name}-3.11.1-0.json", json.dumps(record))
    user, provider = (f"/{PREFIX}/lib/{library}" for library in libraries.values())
    opened = inside(site, f"torch/_C.{site.tag}.so")
    log = (
        f"ImportError: dlopen({opened}, 0x0002): Symbol not found: __ZN4absl3logEv\n"
        f"  Referenced from: <7DD6F527> {user}\n  Expected in:     <D623F952> {provider}\n"
    )
    done = ground.check(site, root=True, log=log)
    assert done.first.message.startswith("libprotobuf.28.2.0.dylib of libprotobuf 3.11.1 uses a form of absl::log")
    assert done.command == f"conda update -y -p /{PREFIX} libabseil libprotobuf"
    silent(ground.check(site, root=True, log=log.replace(provider, f"/{PREFIX}/lib/libelse.dylib")))


# Signatures, crashes, and devices.


def test_a_signature_as_earlier_releases_of_dyld_describe_it(ground: Ground) -> None:
    """https://github.com/ilastik/tiktorch/issues/118"""
    site = with_torch(ground)
    path = inside(site, f"torch/_C.{site.tag}.so")
    log = (
        f"ImportError: dlopen({path}, 2): no suitable image found.  Did find:\n\t{path}: "
        f"code signature in ({path}) not valid for use in process using Library Validation: "
        "library load disallowed by system policy\n"
    )
    done = ground.check(site, root=True, log=log)
    assert (done.first.rule, done.command) == ("TL619", f"xattr -dr com.apple.quarantine {inside(site)}")


def test_a_process_that_macos_ended(ground: Ground) -> None:
    """The memory did not run out."""
    site = with_torch(ground)
    path = inside(site, "torch/lib/libtorch_cpu.dylib")
    log = (
        "Exception Type:        EXC_BAD_ACCESS (SIGKILL (Code Signature Invalid))\n"
        "Termination Reason:    Namespace CODESIGNING, Code 2 Invalid Page\n"
        f"    __LINKEDIT   1023b4000-1023c0000 r--/rwx SM=COW  {path}\nzsh: killed     python run.py\n"
    )
    done = ground.check(site, root=True, log=log)
    assert (done.first.rule, done.command) == ("TL619", f"codesign --force --sign - {path}")


FRAME = (
    'Fatal Python error: Segmentation fault\n\nThread 0x1 (most recent call first):\n  File "{}/x.py", line 4\n'
)


@pytest.mark.parametrize(
    ("log", "is_shown"),
    [
        ("Process finished with exit code 139 (interrupted by signal 11: SIGSEGV)\n", True),
        (FRAME.format("/x/site-packages/lightgbm"), True),
        (FRAME.format("/x/site-packages/wx"), False),
    ],
)
def test_a_crash_beside_two_openmp_runtimes(ground: Ground, log: str, is_shown: bool) -> None:
    """https://github.com/lightgbm-org/LightGBM/issues/4897: the library of lightgbm is a .so."""
    site = with_torch(ground)
    write(site.path / "torch/lib/libomp.dylib", dylib("@rpath/libomp.dylib"))
    brew = "/opt/homebrew/opt/libomp/lib"
    package(site, "lightgbm", "lightgbm/lib_lightgbm.so", dylib("", [f"{brew}/libomp.dylib"]))
    package(site, "wxpython", "wx/_core.so", dylib())
    write(site.root / brew.strip("/") / "libomp.dylib", dylib("libomp.dylib"))
    silent(ground.check(site, root=True))
    for root in (True, ""):
        done = ground.check(site, root=root, log=log)
        assert [each.rule for each in done.bad] == (["TL613"] if is_shown else [])
        assert done.command == (f"export DYLD_LIBRARY_PATH={brew}" if is_shown and root else "")


@pytest.mark.parametrize(("name", "is_shown"), [("tensorflow", True), ("tensorboard", False)])
def test_a_lock_beside_tensorflow(ground: Ground, name: str, is_shown: bool) -> None:
    """https://github.com/tensorflow/tensorflow/issues/105870"""
    site = with_torch(ground)
    install(site.path, name, "2.20.0", {f"{name}/__init__.py": ""})
    log = (
        "libc++abi: terminating due to uncaught exception of type std::__1::system_error: mutex lock failed: "
        "Invalid argument\n"
    )
    done = ground.check(site, log=log)
    assert bool(done.bad) is is_shown
    assert done.command == ("python -m pip uninstall -y tensorflow" if is_shown else "")


MPS: Mapping[str, str] = {
    "The operator 'aten::_fft_r2c' is not currently implemented for the MPS device. If you want": "aten::_fft_r2c",
    "Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support float64.": "64 bits",
    "The MPS backend is supported on MacOS 13.0+.Current OS version can be queried using `sw_vers`": "macOS 13.0",
    "MPS BFloat16 is only supported on MacOS 14 or newer": "bfloat16",
    "Output channels > 65536 not supported at the MPS device.": "an operation",
}


@pytest.mark.triggers("TL236")
@pytest.mark.parametrize("line", MPS)
def test_what_mps_does_not_have(ground: Ground, line: str) -> None:
    """https://github.com/pytorch/pytorch/issues/77764"""
    done = ground.check(with_torch(ground), log=f"NotImplementedError: {line}\n")
    assert done.first.rule == "TL236"
    assert MPS[line] in done.first.message
    assert done.command == ("export PYTORCH_ENABLE_MPS_FALLBACK=1" if "operator" in line else "")


def test_a_file_of_a_gpu_on_a_mac(ground: Ground) -> None:
    line = "Attempting to deserialize object on a CUDA device but torch.cuda.is_available() is False."
    done = ground.check(with_torch(ground), log=f"RuntimeError: {line}\n")
    assert done.first.rule == "TL209"
    assert "map_location='cpu'" in done.first.remedy
    assert "docker" not in done.text


@pytest.mark.leaves_alone("TL236")
@pytest.mark.parametrize(
    "line",
    [
        "MPS backend out of memory (MPS allocated: 9.05 GB, other allocations: 65.83 MB, max allowed: 9.07 GB).",
        "Placeholder storage has not been allocated on MPS device!",
    ],
)
def test_what_is_no_fault_of_mps(ground: Ground, line: str) -> None:
    done = ground.check(with_torch(ground), log=f"RuntimeError: {line}\n")
    silent(done)
    assert "TL229" in {each.rule for each in done.findings}


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (
            "OSError: PortAudio library not found",
            "python -m pip install --force-reinstall --no-deps --no-cache-dir sounddevice",
        ),
    ],
)
def test_a_sounddevice_without_portaudio(ground: Ground, line: str, command: str) -> None:
    """https://github.com/spatialaudio/python-sounddevice/issues/363"""
    done = ground.check(with_torch(ground), log=f"{line}\n")
    assert (done.first.rule, done.command) == ("TL610", command)


def test_another_libtorch(ground: Ground) -> None:
    """The torch here has the symbol, and the log is of this environment all the same."""
    site = ground.mac("Users/d/venv", "3.11")
    ground.wheel(site, "torchaudio==2.2.2")
    symbol, inner = "__ZN2at4_ops10zeros_like4callEv", "torchaudio/lib/libtorchaudio.so"
    ground.torch(site, "2.2.2", uses=Uses({"libtorch_cpu.dylib": {symbol}}, set()))
    write(site.path / inner, dylib("", ["@rpath/libtorch_cpu.dylib"], uses=[symbol]))
    ground.unrecord(site, inner)
    log = no_symbol(inside(site, inner), symbol, "/opt/homebrew/lib/libtorch_cpu.dylib")
    done = ground.check(site, log=log)
    assert (done.first.rule, done.command) == ("TL613", "unset DYLD_LIBRARY_PATH")
    assert "took libtorch_cpu.dylib from /opt/homebrew/lib" in done.first.message
    own = inside(site, "torch/lib/libtorch_cpu.dylib")
    silent(ground.check(site, log=log.replace("/opt/homebrew/lib/libtorch_cpu.dylib", own)))


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("xcrun: error: invalid active developer path (/Library/x), missing xcrun", "xcode-select --install"),
        ("clang: error: unsupported option '-fopenmp'", "brew install llvm libomp"),
        ("src/a.c:9:10: fatal error: 'portaudio.h' file not found", "brew install portaudio"),
        ("error: command '/x/croot/python/_build_env/bin/llvm-ar' failed: No such file or directory", ""),
    ],
)
def test_a_build_on_a_mac(ground: Ground, line: str, command: str) -> None:
    log = (
        "  Building wheel for pyworld (pyproject.toml) ... error\n  error: subprocess-exited-with-error\n"
        f"      {line}\n      [end of output]\n  ERROR: Failed building wheel for pyworld\n"
    )
    done = ground.check(with_torch(ground), log=log)
    assert done.first.rule == "TL524"
    assert "its output in the log says why" not in done.first.message
    assert done.command == command


def test_a_wheel_for_a_later_macos(ground: Ground) -> None:
    """https://github.com/oobabooga/textgen/issues/5329"""
    name = "llama_cpp_python-0.2.26-cp311-cp311-macosx_26_0_arm64.whl"
    done = ground.check(with_torch(ground), log=f"ERROR: {name} is not a supported wheel on this platform.\n")
    assert done.first.message == f"{name} is for macOS 26.0 and later, and the macOS in the log is earlier"
