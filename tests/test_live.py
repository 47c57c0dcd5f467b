"""Live releases: what tells what a wheel was built for, and that what nothing tells stays unknown."""

from __future__ import annotations

import hashlib
import io
import os
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.version import Version

from support.index_server import Reply, Server, entry, page, ranges
from torchlock.answers import Unknown
from torchlock.cli.main import main
from torchlock.index import wheel_build
from torchlock.index.live_releases import LiveRelease
from torchlock.index.sources import Sources
from torchlock.knowledge.judge import NamedVersion, unjudged, violations
from torchlock.knowledge.releases import Catalogue
from torchlock.knowledge.rules import Matrix, cuda_version
from torchlock.manifests.syntax.requirement import parse_requirement
from torchlock.standards.dependency import Dependency
from torchlock.target import Platform, PythonVersion, Target
from torchlock.terms import Origin

LINUX = "cp312-cp312-manylinux_2_28_x86_64"
PLAIN = ["--python", "3.12", "--platform", "linux-x86_64", "--no-hashes", "--no-annotate"]


@pytest.fixture
def index() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture(autouse=True)
def settings(index: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("TORCHLOCK_", "PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", index.url)
    monkeypatch.setenv("TORCHLOCK_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def needs(*texts: str) -> list[Dependency]:
    found = [parse_requirement(text, Origin(None, None, text)).requirement for text in texts]
    return [Dependency.from_requirement(each) for each in found if each is not None]


@pytest.mark.parametrize("label", ["cpu", "cu118", "cu130", "rocm6.4", "rocm6.2.4", "xpu"])
def test_a_label_of_the_pytorch_index_is_a_build(label: str) -> None:
    assert wheel_build.of_label(label) == label


@pytest.mark.parametrize(
    "label", ["nv24.5", "rocm6.4.1.git1ded221d", "computecanada", "cpu.cxx11.abi", "cu", "cuda12", "mine", "1"]
)
def test_a_label_of_a_vendor_is_unknown(label: str) -> None:
    assert isinstance(wheel_build.of_label(label), Unknown)
    assert isinstance(cuda_version(wheel_build.of_label(label)), Unknown)


CUDA_13 = 'cuda-toolkit[cudart]==13.2.2 ; platform_system == "Linux"'


@pytest.mark.parametrize(
    ("declared", "tags", "build"),
    [
        ([CUDA_13], LINUX, "cu132"),
        (["cuda-toolkit[cublas]==13.4.*"], LINUX, "cu134"),
        ([CUDA_13], "cp312-cp312-macosx_14_0_arm64", None),
        ([CUDA_13], "cp312-cp312-win_amd64", None),
        (["nvidia-cuda-runtime-cu12==12.6.77"], LINUX, "cu126"),
        (["nvidia-cuda-runtime==13.0.96"], LINUX, "cu130"),
        (["nvidia-cudnn-cu13==9.26.0.51", "nvidia-cuda-nvrtc-cu12==12.8.93"], LINUX, None),
        (['nvidia-cuda-runtime-cu12==12.1.105 ; platform_machine == "x86_64"'], "cp312-cp312-linux_aarch64", None),
        (["cuda-toolkit>=13"], LINUX, None),
        (["pytorch-triton-rocm==3.4.0"], LINUX, "rocm"),
        (["pytorch-triton-xpu==3.4.0"], LINUX, "xpu"),
        (["triton==3.4.0", "numpy"], LINUX, None),
        ([], LINUX, None),
    ],
)
def test_requirements_tell_of_the_build(declared: list[str], tags: str, build: str | None) -> None:
    assert wheel_build.of_requirements(needs(*declared), tags) == build


@pytest.mark.parametrize(
    ("name", "text", "build"),
    [
        ("torch", "__version__ = '2.16.0+cu140'\ncuda: Optional[str] = '14.0'\nhip = None\n", "cu140"),
        ("torch", "__version__ = '2.16.0'\ncuda = None\nhip = None\nxpu = None\n", "cpu"),
        ("torch", "__version__ = '2.16.0'\ncuda = None\nhip = '6.4.43484'\n", "rocm"),
        ("torch", "__version__ = '2.16.0'\ncuda = None\nhip = None\nxpu = '20250301'\n", "xpu"),
        ("torch", "__version__ = '2.16.0+cpu'\n", None),
        ("torchaudio", "__version__ = '2.16.0+cu140'\n", "cu140"),
        ("torchaudio", "__version__ = '2.16.0+cpu'\n", "cpu"),
        ("torchaudio", "__version__ = '2.16.0'\n", None),
        ("torchaudio", "__version__ = '2.16.0+nv26.1'\n", None),
        ("torchaudio", "__version__ = get()\n", None),
        ("torchaudio", "", None),
    ],
)
def test_the_version_file_tells_of_the_build(name: str, text: str, build: str | None) -> None:
    told = wheel_build.of_version_file(name, LINUX, {f"{name}/version.py": text})
    assert (None if isinstance(told, Unknown) else told) == build


CHECK = """\
def _check_cuda_version():
    version = ask()
    if version is not None:
        {}
            raise RuntimeError("Detected that they differ")
"""


@pytest.mark.parametrize(
    ("source", "minor"),
    [
        (CHECK.format("if ta_major != t_major:"), False),
        (CHECK.format("if t_major != tv_major:"), False),
        (CHECK.format("if t_major != tv_major or t_minor != tv_minor:"), True),
        (CHECK.format("if ta_version != t_version:"), True),
        (CHECK.format("if differs():"), True),
        ("def other():\n    pass\n", None),
        ("", None),
        ("def _check_cuda_version(:\n", True),
    ],
)
def test_the_source_tells_what_an_import_compares(source: str, minor: bool | None) -> None:
    found = wheel_build.compared("torchaudio", {"torchaudio/_extension/utils.py": source})
    assert not isinstance(found, Unknown)
    assert (None if found is None else found.minor) is minor


@pytest.mark.parametrize("name", ["torchaudio", "torchvision"])
def test_a_source_that_is_not_there_compares_nobody_knows_what(name: str) -> None:
    assert isinstance(wheel_build.compared(name, {f"{name}/version.py": ""}), Unknown)


def test_what_has_no_check_compares_nothing() -> None:
    assert wheel_build.compared("torchcodec", {}) is None


# Releases of an index.


def wheel(name: str, number: str, /, *requires: str, **members: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for member, text in members.items():
            archive.writestr(f"{name}/{member}.py", text)
        lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {number}"]
        lines += [f"Requires-Dist: {each}" for each in requires]
        archive.writestr(f"{name}-{number}.dist-info/METADATA", "\n".join([*lines, "", ""]))
    return stream.getvalue()


def serve(server: Server, name: str, wheels: dict[str, bytes], *, old: bool = True) -> None:
    """Serve these wheels by version; with ``old``, all that the catalogue has as well."""
    files = []
    for release in (Catalogue().releases(name) or []) if old else []:
        if release.version not in wheels:
            files += [
                entry(file.filename, hashes=file.hashes, upload_time=file.uploaded) for file in release.files()
            ]
    for version, content in wheels.items():
        filename = f"{name}-{version}-{LINUX}.whl"
        server.routes[f"/{name}/{filename.replace('+', '%2B')}"] = ranges(content)
        files.append(
            entry(
                filename,
                filename.replace("+", "%2B"),
                hashes={"sha256": hashlib.sha256(content).hexdigest()},
                upload_time="2030-01-02T03:04:05Z",
            )
        )
    server.routes[f"/{name}/"] = page(*files)


def release_of(name: str, version: str, index: Server) -> LiveRelease:
    sources = Sources(index_url=index.url)
    found = next(each for each in sources.releases(name) if each.version == version)
    assert isinstance(found, LiveRelease)
    return found


def test_a_release_is_read_where_it_lies(index: Server) -> None:
    content = wheel("torchaudio", "9.0", "torch>=2.11", version="__version__ = '9.0+cu140'\n")
    serve(index, "torchaudio", {"9.0": content})
    release = release_of("torchaudio", "9.0", index)
    assert release.build(0) == "cu140"
    assert str(release.unproven(0)) == f"it is newer than the data (as of {Catalogue().date})"


def test_what_was_read_is_kept_by_hash(index: Server) -> None:
    content = wheel("torchaudio", "9.0", "torch>=2.11", version="__version__ = '9.0+cu140'\n")
    serve(index, "torchaudio", {"9.0": content}, old=False)
    assert release_of("torchaudio", "9.0", index).build(0) == "cu140"
    asked = index.asked(f"/torchaudio/torchaudio-9.0-{LINUX}.whl")
    assert release_of("torchaudio", "9.0", index).build(0) == "cu140"
    assert index.asked(f"/torchaudio/torchaudio-9.0-{LINUX}.whl") == asked


@pytest.mark.parametrize("answer", [Reply(b"", 404), Reply(b"no zip at all"), Reply(b"", 403)])
def test_a_wheel_that_cannot_be_read_is_unknown(answer: Reply, index: Server) -> None:
    serve(index, "torch", {"9.0": b"x"}, old=False)
    index.routes[f"/torch/torch-9.0-{LINUX}.whl"] = answer
    assert isinstance(release_of("torch", "9.0", index).build(0), Unknown)


def test_offline_what_was_never_read_is_unknown(index: Server) -> None:
    serve(index, "torch", {"9.0": wheel("torch", "9.0")}, old=False)
    release_of("torch", "9.0", index)
    offline = Sources(index_url=index.url, offline=True)
    (release,) = offline.releases("torch")
    build = release.build(0)
    assert isinstance(build, Unknown)
    assert "--offline" in build.because


def test_a_file_of_the_catalogue_is_known_without_asking(index: Server) -> None:
    serve(index, "torch", {})
    before = len(index.requests)
    release = release_of("torch", "2.8.0", index)
    known = next(each for each in Catalogue().releases("torch") or () if each.version == "2.8.0")
    for number, tags in enumerate(release.tags):
        assert release.build(number) == known.build(list(known.tags).index(tags))
        assert release.dependencies(number) is not None
        assert release.unproven(number) is None
    assert len(index.requests) == before + 1


# What the judge cannot tell.

TARGET = Target(PythonVersion.parse("3.12"), Platform.parse("linux-x86_64"))


def pins(torch: object, torchaudio: object) -> dict[str, NamedVersion]:
    return {
        "torch": NamedVersion("torch", Version("2.11.0"), tags=LINUX, build=torch),  # type: ignore[arg-type]
        "torchaudio": NamedVersion("torchaudio", Version("2.11.0"), tags=LINUX, build=torchaudio),  # type: ignore[arg-type]
    }


@pytest.mark.parametrize(
    ("torch", "torchaudio", "broken", "open_"),
    [
        ("cu130", "cu130", False, False),
        ("cpu", "cu130", True, False),
        ("rocm6.4", "cu130", True, False),
        ("xpu", "cu130", True, False),
        (Unknown("who knows"), "cu130", False, True),
        ("cu130", Unknown("who knows"), False, True),
        (Unknown("who knows"), Unknown("who knows"), False, True),
        (Unknown("who knows"), "cpu", False, False),
    ],
)
def test_an_unknown_build_is_neither_kept_nor_broken(
    torch: object, torchaudio: object, broken: bool, open_: bool
) -> None:
    found = pins(torch, torchaudio)
    matrix = Matrix()
    ruled = [each for each in violations(found, TARGET, matrix, complete=False) if each.statement]
    assert any(each.statement and each.statement.rule == "TL201" for each in ruled) is broken
    assert any(each.statement.rule == "TL201" for each in unjudged(found, TARGET, matrix)) is open_


# What lock makes of it.


def lock(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, str], str]:
    code = main(["lock", *arguments, *PLAIN])
    output = capsys.readouterr()
    return code, dict(re.findall(r"^([a-z0-9-]+)==(\S+)", output.out, re.MULTILINE)), output.out + output.err


@pytest.mark.parametrize("label", ["nv26.5", "computecanada", "rocm6.4.1.git1ded221d"])
def test_a_build_of_a_vendor_is_taken_only_if_asked_for(
    label: str, index: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = wheel("torch", "2.8.0", version="__version__ = '2.8.0'\ncuda = None\n")
    serve(index, "torch", {"2.8.0": plain, f"2.8.0+{label}": wheel("torch", f"2.8.0+{label}")}, old=False)
    serve(index, "torchaudio", {})
    code, found, said = lock(capsys, "torch>=2.8,<2.9", "--index-url", index.url)
    assert (code, found["torch"]) == (0, "2.8.0"), said
    pinned = f"torch==2.8.0+{label}"
    code, found, said = lock(capsys, pinned, "--index-url", index.url)
    assert (code, found["torch"]) == (0, f"2.8.0+{label}")
    assert f"unknown build label +{label}" in said
    assert "# unproven: " in said


def test_an_import_that_compares_minor_versions_is_reckoned_with(
    index: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    """A torchaudio later than all rules, whose rule speaks of the major version alone."""
    utils = CHECK.format("if ta_version != t_version:")
    stream = io.BytesIO(wheel("torchaudio", "9.0", "torch>=2.11", version="__version__ = '9.0+cu131'\n"))
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr("torchaudio/_extension/utils.py", utils)
    serve(index, "torchaudio", {"9.0": stream.getvalue()}, old=False)
    serve(
        index, "torch", {"9.1": wheel("torch", "9.1", version="__version__ = '9.1'\ncuda = '13.2'\n")}, old=False
    )
    code, _, said = lock(capsys, "torch", "torchaudio", "--index-url", index.url)
    assert code == 1
    assert "CUDA 13.1" in said
    serve(
        index, "torch", {"9.1": wheel("torch", "9.1", version="__version__ = '9.1'\ncuda = '13.1'\n")}, old=False
    )
    code, found, said = lock(capsys, "torch", "torchaudio", "--index-url", index.url, "--refresh")
    assert (code, found) == (0, {"torch": "9.1", "torchaudio": "9.0"})


def test_builds_for_rocm_go_with_a_torch_for_rocm(index: Server, capsys: pytest.CaptureFixture[str]) -> None:
    torch = {f"2.8.0+{label}": wheel("torch", f"2.8.0+{label}") for label in ("cpu", "cu128", "rocm6.4")}
    serve(index, "torch", torch, old=False)
    audio = wheel("torchaudio", "2.8.0+rocm6.4", "torch==2.8.0")
    serve(index, "torchaudio", {"2.8.0+rocm6.4": audio}, old=False)
    code, found, _ = lock(capsys, "torch", "torchaudio", "--index-url", index.url)
    assert (code, found["torch"]) == (0, "2.8.0+rocm6.4")
    code, _, said = lock(capsys, "torch==2.8.0+cu128", "torchaudio", "--index-url", index.url)
    assert code == 1
    assert "torchaudio 2.8.0+rocm6.4 is built for ROCm 6.4, and needs a torch built for it" in said


# Sentences speak of the source that was asked.


def test_offline_a_named_index_that_was_never_asked_decides_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    cpu, cuda = "https://example.net/whl/cpu", "https://example.net/whl/cu128"
    for arguments in (
        ["torch==2.7.1+cpu", "--index-url", cpu],
        ["torch==2.7.1+cpu", "--index-url", cuda, "--extra-index-url", cpu],
        ["torchaudio==2.7.1", "--index-url", cpu],
        ["torch==2.7.1", "--extra-index-url", cpu],
        ["filelock", "--extra-index-url", cpu],
    ):
        code, _, said = lock(capsys, *arguments, "--offline")
        assert code == 2
        assert "is not in the cache, and --offline forbids asking" in said
        assert "example.net/whl/c" in said


def test_offline_what_the_named_index_said_before_counts(
    index: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lock(capsys, "filelock", "--extra-index-url", index.url)[0] == 0
    asked = len(index.requests)
    assert lock(capsys, "filelock", "--extra-index-url", index.url, "--offline")[0] == 0
    assert len(index.requests) == asked


def test_a_label_that_is_not_there_names_the_index_that_was_asked(
    index: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    serve(index, "torch", {"2.7.1+cu128": wheel("torch", "2.7.1+cu128")}, old=False)
    code, _, said = lock(capsys, "torch==2.7.1+cpu", "--index-url", index.url)
    assert code == 1
    assert f"{index.url} has no torch 2.7.1+cpu" in said
    assert "unlabelled" not in said
    code, _, said = lock(capsys, "torch==2.7.1+cpu", "--offline", "--accelerator", "pypi")
    assert code == 1
    assert f"the public index has no torch 2.7.1+cpu as of {Catalogue().date}" in said
    assert "--index-url" in said
