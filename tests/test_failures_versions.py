"""Libraries in the wrong release: one that another program put first, one that a package lacks, one deleted."""

from __future__ import annotations

import pytest

from support.appliers import ffmpeg
from support.ground import Ground
from support.libraries import elf, pe
from support.site_folder import digest, install, write
from support.skeletons import Site, Uses

ONE_API = "/opt/intel/oneapi/compiler/2025.1/lib"
RPATH = "$ORIGIN:$ORIGIN/../../../../"


def for_xpu(ground: Ground, *, runtime: bool, sycl: str = "libsycl.so.8", release: str = "2025.0.4") -> Site:
    """A torch for Intel's GPUs, and the packages with its SYCL."""
    site = ground.linux("3.12", prefix="home/s/env")
    asked = f'intel-sycl-rt=={release}; platform_system == "Linux"'
    ground.torch(site, "2.6.0+xpu", made_for=[], cuda="", requires=[asked])
    lib = site.path / "torch/lib"
    below = ["libtorch.so", "libtorch_cpu.so", "libtorch_xpu.so", "libshm.so"]
    write(lib / "libtorch_xpu.so", elf("libtorch_xpu.so", [sycl, "libtorch_cpu.so"], rpath=RPATH))
    write(lib / "libtorch_python.so", elf("libtorch_python.so", below, rpath=RPATH))
    own = "__version__ = '2.6.0+xpu'\ncuda = None\nhip = None\nxpu = '20250000'\n"
    write(site.path / "torch/version.py", own)
    ground.unrecord(site, "torch/.*")
    if runtime:
        needs = [("libur_loader.so.0", "LIBUR_LOADER_0.10")]
        library = elf(sycl, ["libur_loader.so.0"], rpath="$ORIGIN", needs=needs)
        install(site.path, "intel-sycl-rt", release, {f"../../../lib/{sycl}": library})
        loader = elf("libur_loader.so.0", defines=["LIBUR_LOADER_0.10"])
        install(site.path, "intel-cmplr-lib-ur", release, {"../../../lib/libur_loader.so.0": loader})
    ground.image()
    return site


def not_found(provider: str, version: str, user: str) -> str:
    return f"ImportError: {provider}: version `{version}' not found (required by {user})\n"


@pytest.mark.sketched
@pytest.mark.triggers("TL613")
def test_a_library_of_oneapi_comes_first(ground: Ground) -> None:
    """https://github.com/pytorch/pytorch/issues/149953, https://github.com/PufferAI/PufferLib/issues/213"""
    site = for_xpu(ground, runtime=True)
    user = "/home/s/env/lib/python3.12/site-packages/torch/lib/../../../../libsycl.so.8"
    provider = f"{ONE_API}/libur_loader.so.0"
    done = ground.check(site, root=True, log=not_found(provider, "LIBUR_LOADER_0.10", user))
    assert (done.first.rule, done.first.severity) == ("TL613", "error")
    assert f"and {provider}, which the process in the log loaded, does not have it" in done.first.message
    assert "that of intel-cmplr-lib-ur 2025.0.4 is here" in done.first.message
    assert f"Start Python without {ONE_API} in LD_LIBRARY_PATH" in done.first.remedy
    assert "setvars.sh" in done.first.remedy


@pytest.mark.sketched
@pytest.mark.parametrize(
    ("provider", "version", "says"),
    [
        ("/lib64/libgomp.so.1", "GOMP_5.0", "Install a later release of what has libgomp.so.1"),
        ("/usr/local/ssl/lib/libcrypto.so.3", "OPENSSL_3.2.0", "without /usr/local/ssl/lib in LD_LIBRARY_PATH"),
        ("/opt/ffmpeg/lib/libavutil.so.58", "LIBAVUTIL_58", "without /opt/ffmpeg/lib in LD_LIBRARY_PATH"),
    ],
)
def test_a_version_of_any_library(ground: Ground, provider: str, version: str, says: str) -> None:
    site = ground.linux()
    ground.torch(site, "2.6.0+cpu", made_for=[])
    user = "/usr/local/lib/python3.11/site-packages/demo/_x.so"
    done = ground.check(site, log=not_found(provider, version, user))
    assert (done.first.rule, done.first.severity) == ("TL613", "warning")
    assert f"_x.so needs {version} of " in done.first.message
    assert says in done.first.remedy


@pytest.mark.sketched
def test_the_c_library_keeps_its_own_rule(ground: Ground) -> None:
    site = ground.linux()
    ground.torch(site, "2.6.0+cpu", made_for=[])
    user = "/usr/local/lib/python3.11/site-packages/torch/lib/libtorch_cpu.so"
    done = ground.check(site, log=not_found("/lib64/libc.so.6", "GLIBC_2.28", user))
    assert done.first.rule == "TL612"


@pytest.mark.sketched
def test_a_torch_for_xpu_without_its_sycl(ground: Ground) -> None:
    """Its metadata require the package with the library: torch is not installed again."""
    site = for_xpu(ground, runtime=False)
    done = ground.check(site, root=True)
    assert (done.first.rule, done.first.severity) == ("TL610", "error")
    page = "https://download.pytorch.org/whl/xpu"
    assert done.command == f"python -m pip install --index-url {page} intel-sycl-rt==2025.0.4"
    assert done.first.remedy.startswith("Install intel-sycl-rt, which torch 2.6.0 (XPU) requires; torch stays.")


@pytest.mark.sketched
def test_a_torch_for_xpu_with_its_sycl(ground: Ground) -> None:
    assert ground.check(for_xpu(ground, runtime=True), root=True).bad == []


@pytest.mark.sketched
@pytest.mark.triggers("TL610")
def test_a_library_that_a_package_opens_by_its_path(ground: Ground) -> None:
    """https://github.com/bitsandbytes-foundation/bitsandbytes/issues/1991"""
    site = for_xpu(ground, runtime=True, sycl="libsycl.so.9", release="2026.0.0")
    library = {"bitsandbytes/libbitsandbytes_xpu.so": elf("", ["libsycl.so.8"]), "bitsandbytes/__init__.py": ""}
    module = {"bitsandbytes/cextension.py": ""}
    install(site.path, "bitsandbytes", "0.50.0", {**library, **module}, headers="Requires-Dist: torch\n")
    log = (
        '  File "/home/s/env/lib/python3.12/site-packages/bitsandbytes/cextension.py", line 310, in <module>\n'
        "    lib = get_native_library()\n"
        "OSError: libsycl.so.8: cannot open shared object file: No such file or directory\n"
    )
    assert ground.check(site, root=True).bad == []
    done = ground.check(site, root=True, log=log)
    assert (done.first.rule, done.first.severity) == ("TL610", "warning")
    assert "libbitsandbytes_xpu.so of bitsandbytes 0.50.0 needs libsycl.so.8" in done.first.message
    assert "libsycl.so.9 of intel-sycl-rt 2026.0.0 is here" in done.first.because


# A deleted DLL


def without_asmjit(ground: Ground, *, needed: bool) -> Site:
    site = ground.windows()
    ground.torch(site, "2.4.1+cpu", made_for=[])
    lib, record = site.path / "torch/lib", site.path / "torch-2.4.1+cpu.dist-info/RECORD"
    files = {"fbgemm.dll": pe({"asmjit.dll": []} if needed else {}), "asmjit.dll": pe()}
    rows = "".join(f"torch/lib/{name},{digest(data)},{len(data)}\n" for name, data in files.items())
    write(lib / "fbgemm.dll", files["fbgemm.dll"])
    write(record, rows + record.read_text())
    return site


FBGEMM = (
    "OSError: [WinError 126] The specified module could not be found. Error loading "
    '"C:\\venv\\Lib\\site-packages\\torch\\lib\\fbgemm.dll" or one of its dependencies.\n'
)


@pytest.mark.sketched
def test_a_deleted_dll_is_the_cause_of_the_one_that_does_not_load(ground: Ground) -> None:
    site = without_asmjit(ground, needed=True)
    done = ground.check(site)
    assert (done.first.rule, done.first.severity) == ("TL601", "warning")
    assert "torch/lib/asmjit.dll; fbgemm.dll needs it" in done.first.message
    done = ground.check(site, log=FBGEMM)
    assert [(each.rule, each.severity) for each in done.bad] == [("TL601", "error")]
    assert done.first.consequences == ("TL610",)
    assert "--force-reinstall --no-deps" in done.command


@pytest.mark.sketched
def test_a_deleted_dll_that_nothing_needs(ground: Ground) -> None:
    done = ground.check(without_asmjit(ground, needed=False))
    assert "its import may work without it" in done.first.message


# What nothing of torch has


@pytest.mark.sketched
@pytest.mark.triggers("TL611")
def test_a_library_that_was_linked_without_what_it_uses(ground: Ground) -> None:
    """https://github.com/pytorch/audio/issues/2614: the function is of libgsm, and no torch has it."""
    site = ground.linux("3.8")
    ground.torch(site, "1.13.0.dev20220813+cu113", made_for=[])
    files: dict[str, bytes | str] = {
        "torchaudio/__init__.py": "from torchaudio import _extension\n",
        "torchaudio/_extension.py": "",
        "torchaudio/version.py": "__version__ = '0.13.0a0+1234567'\n",
        "torchaudio/lib/libtorchaudio.so": elf("", ["libtorch_cpu.so"], [], ["gsm_create"]),
    }
    install(site.path, "torchaudio", "0.13.0a0+1234567", files, tag="cp38-cp38-linux_x86_64")
    ground.image()
    done = ground.check(site, root=True)
    assert (done.first.rule, done.first.severity) == ("TL611", "error")
    assert done.first.message.endswith("uses gsm_create, which no library that it loads has")
    assert "nightly" not in done.first.because
    assert done.first.remedy.startswith("Compile torchaudio again, where the library with gsm_create")


@pytest.mark.sketched
def test_functions_of_torch_are_still_those_of_torch(ground: Ground) -> None:
    site = ground.linux("3.11")
    uses = Uses({"libtorch_cpu.so": {"_ZN2at4_ops3addEv"}}, set())
    ground.torch(site, "2.6.0+cpu", made_for=[], uses=uses)
    files: dict[str, bytes | str] = {
        "torchaudio/__init__.py": "",
        "torchaudio/version.py": "__version__ = '2.6.0+cpu'\n",
        "torchaudio/lib/libtorchaudio.so": elf("", ["libtorch_cpu.so"], [], ["gsm_create", "_ZN2at4_ops3subEv"]),
    }
    install(site.path, "torchaudio", "2.6.0+cpu", files, tag="cp311-cp311-linux_x86_64")
    ground.image()
    done = ground.check(site, root=True)
    assert "which torch 2.6.0 (CPU build) does not have" in done.first.message


# Other messages


@pytest.mark.sketched
def test_an_old_spelling_of_a_message_about_cudnn(ground: Ground) -> None:
    """https://github.com/pytorch/pytorch/issues/80637"""
    site = ground.linux("3.8")
    ground.torch(site, "1.12.0+cu113", made_for=[])
    line = "RuntimeError: cuDNN version incompatibility: PyTorch was compiled against (8, 3, 2) but linked against"
    done = ground.check(site, log=f"{line} (8, 0, 3)\n")
    assert done.first.rule == "TL616"
    assert "compiled against cuDNN 8.3.2, and cuDNN 8.0.3 is loaded" in done.first.message


@pytest.mark.sketched
def test_a_library_for_cuda_11_that_bitsandbytes_opens(ground: Ground) -> None:
    """https://github.com/bitsandbytes-foundation/bitsandbytes/issues/1409: the note names it among others."""
    site = ground.linux("3.10")
    ground.torch(site, "2.1.0+cu118", made_for=[])
    needed = [f"lib{each}.so.11" for each in ("cublas", "cublasLt", "cusparse")]
    files: dict[str, bytes | str] = {"bitsandbytes/libbitsandbytes_cuda118.so": elf("", needed)}
    files |= {"bitsandbytes/__init__.py": "", "bitsandbytes/cextension.py": ""}
    install(site.path, "bitsandbytes", "0.44.1", files, headers="Requires-Dist: torch\n")
    ground.image()
    assert ground.check(site, root=True).bad == []
    lost = "libcusparse.so.11: cannot open shared object file: No such file or directory"
    log = f"Could not load bitsandbytes native library: {lost}\nOSError: {lost}\n"
    done = ground.check(site, root=True, log=log)
    assert (done.first.rule, done.first.severity) == ("TL230", "warning")
    assert "nvidia-cusparse-cu11" in done.command


@pytest.mark.sketched
def test_pkg_resources_is_a_part_of_an_earlier_setuptools(ground: Ground) -> None:
    """https://github.com/Blaizzy/mlx-audio/issues/566"""
    site = ground.linux("3.12")
    ground.torch(site, "2.9.1+cpu", made_for=[])
    install(site.path, "somevad", "2.1", {"somevad.py": "import pkg_resources\n"})
    install(site.path, "setuptools", "82.0.0", {"setuptools/__init__.py": ""})
    log = (
        '  File "/usr/local/lib/python3.12/site-packages/somevad.py", line 1, in <module>\n'
        "    import pkg_resources\nModuleNotFoundError: No module named 'pkg_resources'\n"
    )
    done = ground.check(site, log=log)
    assert "somevad 2.1 imports pkg_resources" in done.first.message
    assert done.command == 'python -m pip install "setuptools<82"'


@pytest.mark.sketched
@pytest.mark.parametrize(
    ("name", "version", "is_known"),
    [
        ("webrtcvad", "2.0.10", True),
        ("webrtcvad-wheels", "2.0.12", False),
        ("pyworld", "0.3.4", True),
        ("pyworld", "0.3.5", False),
        ("torchmetrics", "0.11.4", True),
        ("torchmetrics", "1.0.0", False),
        ("pytorch-lightning", "2.3.3", True),
        ("lightning", "2.4.0", False),
        ("resemble-perth", "1.0.1", True),
    ],
)
@pytest.mark.parametrize("setuptools", ["81.0.0", "82.0.0", ""])
def test_releases_that_import_pkg_resources(
    ground: Ground, name: str, version: str, is_known: bool, setuptools: str
) -> None:
    """Their wheels were read. Without setuptools, nothing is known to import it."""
    site = ground.linux("3.12")
    ground.torch(site, "2.9.1+cpu", made_for=[])
    install(site.path, name, version)
    if setuptools:
        install(site.path, "setuptools", setuptools, {"setuptools/__init__.py": ""})
    done = ground.check(site)
    if not is_known or setuptools != "82.0.0":
        assert not done.bad
        return
    assert (done.first.rule, done.first.severity) == ("TL107", "warning")
    assert "setuptools<82" in done.command


LEFT_OUT = """Traceback (most recent call last):
  File "/app/.venv/lib/python3.12/site-packages/chatterbox/tts.py", line 129, in __init__
    self.watermarker = perth.PerthImplicitWatermarker()
                       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
TypeError: 'NoneType' object is not callable
"""


@pytest.mark.sketched
@pytest.mark.parametrize("setuptools", ["82.0.0", "81.0.0", ""])
def test_a_part_that_a_package_left_out_of_its_import(ground: Ground, setuptools: str) -> None:
    """https://github.com/resemble-ai/chatterbox/issues/198"""
    site = ground.linux("3.12")
    ground.torch(site, "2.9.1+cpu", made_for=[])
    install(site.path, "resemble-perth", "1.0.1", {"perth/__init__.py": ""})
    own = {"setuptools/__init__.py": ""}
    if setuptools == "81.0.0":
        own["pkg_resources/__init__.py"] = ""
    if setuptools:
        install(site.path, "setuptools", setuptools, own)
    done = ground.check(site, log=LEFT_OUT)
    if setuptools == "81.0.0":
        assert not done.bad
        return
    assert done.first.rule == "TL107"
    assert done.first.says == "TypeError: 'NoneType' object is not callable"
    assert "setuptools<82" in done.command


@pytest.mark.sketched
@pytest.mark.parametrize("call", ["perth.PerthImplicitWatermarker()", "model.run()"])
def test_a_part_that_was_left_out_in_a_log_alone(ground: Ground, call: str) -> None:
    log = LEFT_OUT.replace("perth.PerthImplicitWatermarker()", call)
    rules = {each.rule for each in ground.check(ground.linux("3.12"), log=log).findings}
    assert ("TL107" in rules) is call.startswith("perth")


@pytest.mark.sketched
def test_npp_and_the_decoder_are_both_missing(ground: Ground) -> None:
    """https://github.com/RVC-Boss/GPT-SoVITS/issues/2779: each is from elsewhere."""
    site = ground.linux("3.12")
    ground.torch(site, "2.8.0+cu128", made_for=[])
    core = elf("", [*ffmpeg(4), "libnppicc.so.12", "libnvcuvid.so.1", "libtorch_cpu.so"])
    files: dict[str, bytes | str] = {
        "torchcodec/__init__.py": "",
        "torchcodec/version.py": "__version__ = '0.7.0+cu128'\n",
        "torchcodec/libtorchcodec_core4.so": core,
    }
    install(site.path, "torchcodec", "0.7.0+cu128", files, tag="cp312-cp312-manylinux_2_28_x86_64")
    ground.image(*ffmpeg(4))
    done = ground.check(site, root=True)
    assert (done.first.rule, done.first.severity) == ("TL610", "warning")
    assert "nvidia-npp-cu12" in done.first.remedy
    assert "NVIDIA_DRIVER_CAPABILITIES" in done.first.remedy
    assert "link NPP" in done.first.because
    assert "libnvcuvid.so.1" in done.first.because
