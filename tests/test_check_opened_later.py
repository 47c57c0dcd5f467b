"""Libraries that packages open when they use a GPU: their own files name them, and no log is needed.

The names are those in the wheels of ctranslate2 3.24.0, 4.4.0, 4.6.0 and 4.7.1, onnxruntime-gpu 1.18.0, 1.23.2 and
1.31.1, bitsandbytes 0.45.5 and torchcodec 0.17.0.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from support.ground import Checked, Ground
from support.libraries import elf
from support.site_folder import install, write
from support.skeletons import Site
from torchlock.inspect.binaries.elf_strings import library_names

DRIVER = ("--system-lib", "cuda-driver=580.95.05")
PARTS_8 = ("libcudnn_ops_infer.so.8", "libcudnn_cnn_infer.so.8", "libcudnn_adv_infer.so.8")
PARTS_9 = ("libcudnn_ops.so", "libcudnn_cnn.so", "libcudnn_graph.so")
PROVIDER = "onnxruntime/capi/libonnxruntime_providers_cuda.so"
BNB = ("libcudart.so.12", "libcublas.so.12", "libcublasLt.so.12", "libcusparse.so.12")


def constants(*names: str, needed: Sequence[str] = ()) -> bytes:
    """A library that has these names as constants."""
    return elf("", needed) + b"".join(b"\0" + name.encode() for name in names) + b"\0"


def ctranslate2(cublas: str, cudnn: str = "") -> dict[str, bytes | str]:
    files: dict[str, bytes | str] = {
        "ctranslate2/__init__.py": "",
        "ctranslate2.libs/libctranslate2-c75cca97.so.4.6.0": constants(cublas, "libcuda.so.1", "libnccl.so.2"),
    }
    if cudnn:
        parts = PARTS_8 if cudnn.startswith("8") else PARTS_9
        files[f"ctranslate2.libs/libcudnn-463fd6d5.so.{cudnn}"] = constants(*parts)
    return files


USERS: Mapping[str, Mapping[str, bytes | str]] = {
    "ctranslate2==3.24.0": ctranslate2("libcublas.so.11", "8.1.1"),
    "ctranslate2==4.4.0": ctranslate2("libcublas.so.12", "8.9.7"),
    "ctranslate2==4.6.0": ctranslate2("libcublas.so.12", "9.1.0"),
    "ctranslate2==4.7.1": ctranslate2("libcublas.so.12"),
    "onnxruntime-gpu==1.18.0": {PROVIDER: elf("", ["libcublasLt.so.11", "libcudnn.so.8", "libcudart.so.11.0"])},
    "onnxruntime-gpu==1.23.2": {PROVIDER: elf("", ["libcublasLt.so.12", "libcufft.so.11", "libcudnn.so.9"])},
    "onnxruntime-gpu==1.31.1": {PROVIDER: elf("", ["libcublasLt.so.13", "libcurand.so.10", "libcuda.so.1"])},
    "bitsandbytes==0.45.5": {
        "bitsandbytes/libbitsandbytes_cuda118.so": elf("", ["libcublas.so.11"]),
        "bitsandbytes/libbitsandbytes_cuda124.so": elf("", BNB),
    },
}


def staged(ground: Ground, torch: str, user: str, *libraries: str, machine: bool = True) -> Site:
    """A package beside a torch, with libraries in the folders of NVIDIA's packages."""
    site = ground.linux("3.11")
    if torch:
        ground.torch(site, torch, made_for=[])
    for each in libraries:
        write(site.path / "nvidia" / "cu" / "lib" / each, elf(each))
    name, _, version = user.partition("==")
    install(site.path, name, version, dict(USERS[user]))
    if machine:
        ground.image()
    return site


def of_user(done: Checked) -> list[str]:
    return [each.message for each in done.findings if each.rule == "TL230"]


@pytest.mark.sketched(real=False)
@pytest.mark.triggers("TL230")
@pytest.mark.parametrize(
    ("torch", "user", "there", "lost"),
    [
        ("2.9.1+cu130", "ctranslate2==4.7.1", (), "libcublas.so.12"),
        ("2.5.1+cu124", "ctranslate2==3.24.0", ("libcublas.so.12",), "libcublas.so.11"),
        ("2.5.1+cu124", "onnxruntime-gpu==1.18.0", (), "libcublasLt.so.11"),
        ("2.9.1+cu130", "onnxruntime-gpu==1.23.2", ("libcufft.so.11",), "libcublasLt.so.12"),
        ("", "onnxruntime-gpu==1.31.1", (), "libcublasLt.so.13"),
        ("2.5.1+cu124", "bitsandbytes==0.45.5", ("libcudart.so.12",), "libcublas.so.12"),
    ],
)
def test_what_nothing_has(ground: Ground, torch: str, user: str, there: Sequence[str], lost: str) -> None:
    site = staged(ground, torch, user, *there)
    done = ground.check(site, *DRIVER, root=True)
    assert [each.rule for each in done.bad] == ["TL230"]
    assert lost in done.first.message and "neither a package here nor this machine has " in done.first.message
    assert done.first.message.startswith(user.replace("==", " "))
    ground.cure(done)


@pytest.mark.sketched
@pytest.mark.parametrize(
    ("torch", "user", "there", "lost"),
    [
        (
            "2.3.1+cu121",
            "ctranslate2==4.6.0",
            "libcudnn_ops_infer.so.8",
            "libcudnn_cnn.so.9 and",
        ),
        (
            "2.5.1+cu124",
            "ctranslate2==4.4.0",
            "libcudnn_ops.so.9",
            "libcudnn_cnn_infer.so.8 and",
        ),
    ],
)
def test_the_cudnn_of_another_release(ground: Ground, torch: str, user: str, there: str, lost: str) -> None:
    """The rule about the two releases is the cause; the files bear it out."""
    site = staged(ground, torch, user, "libcublas.so.12", there)
    done = ground.check(site, *DRIVER, root=True)
    assert [(each.rule, each.consequences) for each in done.bad] == [("TL207", ("TL230",))]
    assert f"opens {lost}" in done.json["files"][0]["findings"][0]["consequences"][0]["message"]


@pytest.mark.sketched
@pytest.mark.leaves_alone("TL230")
@pytest.mark.parametrize(
    ("torch", "user", "there"),
    [
        ("2.9.1+cu128", "ctranslate2==4.7.1", ("libcublas.so.12",)),
        ("2.5.1+cu124", "ctranslate2==4.6.0", ("libcublas.so.12", "libcudnn_ops.so.9", "libcudnn_cnn.so.9")),
        ("2.5.1+cpu", "bitsandbytes==0.45.5", ()),
        ("2.5.1+cu124", "bitsandbytes==0.45.5", BNB),
        ("2.5.1+cu118", "ctranslate2==3.24.0", ("libcublas.so.11", *PARTS_8)),
    ],
)
def test_what_the_packages_have(ground: Ground, torch: str, user: str, there: Sequence[str]) -> None:
    site = staged(ground, torch, user, *there)
    assert of_user(ground.check(site, *DRIVER, root=True)) == []


@pytest.mark.sketched
@pytest.mark.parametrize(
    "path", ["usr/local/cuda/lib64", "usr/lib", "usr/local/cuda-12.4/lib64", "usr/local/lib", "site/torch/lib"]
)
def test_what_the_machine_or_torch_itself_has(ground: Ground, path: str) -> None:
    site = staged(ground, "2.9.1+cu130", "ctranslate2==4.7.1")
    folder = site.path / path.removeprefix("site/") if path.startswith("site/") else Path(site.root, path)
    write(folder / "libcublas.so.12", elf("libcublas.so.12"))
    assert of_user(ground.check(site, *DRIVER, root=True)) == []


@pytest.mark.sketched
def test_what_any_package_has_in_a_folder_of_its_own(ground: Ground) -> None:
    site = staged(ground, "2.9.1+cu130", "ctranslate2==4.7.1")
    install(site.path, "own-cuda", "1.0", {"own_cuda/data/libcublas.so.12": elf("libcublas.so.12")})
    assert of_user(ground.check(site, *DRIVER, root=True)) == []


@pytest.mark.sketched
def test_a_machine_without_a_known_gpu(ground: Ground) -> None:
    """It may compute on the CPU. The summary says what is missing, and nothing is called broken."""
    done = ground.check(staged(ground, "2.9.1+cu130", "ctranslate2==4.7.1"), root=True)
    assert (done.bad, done.code) == ([], 0)
    assert "; ctranslate2 4.7.1 opens libcublas.so.12 when it computes on a GPU, and neither" in done.text


@pytest.mark.sketched
def test_a_machine_that_is_not_known(ground: Ground) -> None:
    done = ground.check(staged(ground, "2.9.1+cu130", "ctranslate2==4.7.1", machine=False), *DRIVER)
    assert done.bad == []
    (said,) = of_user(done)
    assert said.endswith("and no package here contains it; whether the machine has it is unknown")


@pytest.mark.sketched
def test_a_cpu_build_of_torch_without_a_gpu(ground: Ground) -> None:
    assert of_user(ground.check(staged(ground, "2.9.1+cpu", "ctranslate2==4.6.0"), root=True)) == []


@pytest.mark.sketched
@pytest.mark.parametrize("name", ["libctranslate2-c75cca97.so.4.6.0", "libctranslate2.so.4"])
def test_a_library_without_constants_says_nothing(ground: Ground, name: str) -> None:
    site = staged(ground, "2.9.1+cu130", "ctranslate2==4.7.1")
    for path in (site.path / "ctranslate2.libs").iterdir():
        path.unlink()
    write(site.path / "ctranslate2.libs" / name, elf())
    assert of_user(ground.check(site, *DRIVER, root=True)) == []


@pytest.mark.sketched
@pytest.mark.parametrize(
    ("machine", "is_said"),
    [(["libcuda.so.1"], True), (["libcuda.so.1", "libnvcuvid.so.1"], False), ([], False)],
)
def test_a_container_without_the_libraries_for_video(ground: Ground, machine: list[str], is_said: bool) -> None:
    site = ground.linux("3.11")
    ground.torch(site, "2.9.1+cu130", made_for=[])
    files = {"torchcodec/libtorchcodec_core7.so": constants("libnvcuvid.so", "libnvcuvid.so.1")}
    install(site.path, "torchcodec", "0.9.1", {"torchcodec/__init__.py": "", **files})
    ground.image(*machine)
    said = of_user(ground.check(site, *DRIVER, root=True))
    assert [each.partition(" opens ")[2].partition(",")[0] for each in said] == (
        ["libnvcuvid.so.1 when it decodes on a GPU"] if is_said else []
    )


def sectioned(constants: bytes, name: bytes = b".rodata") -> bytes:
    """A file with a table of sections, one of which has these constants."""
    names = b"\0" + name + b"\0"
    rows = [(0, 0, 0), (1, 64, len(constants)), (0, 64 + len(constants), len(names))]
    table = b"".join(struct.pack("<II8x8xQQ24x", at, 1, offset, size) for at, offset, size in rows)
    head = (
        b"\x7fELF\x02\x01\x01"
        + bytes(9)
        + struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 0, 0, 0, 64, 56, 0, 64, 3, 2)
    )
    start = 64 + len(constants) + len(names)
    return head[:40] + struct.pack("<Q", start) + head[48:] + constants + names + table


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (sectioned(b"libcublas.so.12\0libx.txt\0"), {"libcublas.so.12"}),
        (sectioned(b"libcublas.so.12\0", b".nv_fatbin"), set()),
        (sectioned(b"not/libcublas.so.12\0and libcudnn.so.9\0"), set()),
        (sectioned(b"libcublas.so.12\0")[:-30], set()),
        (b"MZ libcublas.so.12\0", set()),
        (b"", set()),
    ],
    ids=["constants", "code for a GPU", "parts of other words", "cut off", "a DLL", "empty"],
)
def test_the_names_in_a_file(tmp_path: Path, content: bytes, expected: set[str]) -> None:
    assert library_names(str(write(tmp_path / "lib.so", content))) == expected


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert library_names(str(tmp_path / "lib.so")) == set()
