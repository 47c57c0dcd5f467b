"""The local wheel index has the shape of the real one, read with the reader of the program."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.index_server import Reply, Request, index, sha256
from support.small_wheels import small_wheel
from support.wheel_index import AARCH64, LINUX, Published, WheelIndex
from torchlock.errors import NetworkError, UnknownPackage
from torchlock.index.client import Index
from torchlock.standards.index_file import File


@pytest.fixture
def server() -> Iterator[WheelIndex]:
    with WheelIndex(r2=True) as started:
        yield started


@pytest.fixture
def plain() -> Iterator[WheelIndex]:
    with WheelIndex(dated=False) as started:
        yield started


def client(server: WheelIndex, folder: str, cache: Path) -> Index:
    return index(cache, f"{server.url}/{folder}".rstrip("/") + "/")


def read(server: WheelIndex, folder: str, name: str, cache: Path) -> dict[str, File]:
    return {file.filename: file for file in client(server, folder, cache).files(name)}


def test_a_page_states_address_hash_and_metadata(plain: WheelIndex, tmp_path: Path) -> None:
    torch = plain.add("cu128", "torch", "2.8.0+cu128", requires=["filelock"])
    (file,) = client(plain, "cu128", tmp_path).files("torch")
    assert file.filename == "torch-2.8.0+cu128-cp311-cp311-manylinux_2_28_x86_64.whl"
    assert file.url == f"{plain.url}/{torch.row}"
    assert torch.row == "cu128/torch-2.8.0%2Bcu128-cp311-cp311-manylinux_2_28_x86_64.whl"
    assert file.hashes == {"sha256": torch.sha256}
    assert file.metadata_hashes == {"sha256": sha256(torch.beside_text.encode())}
    assert "Requires-Dist: filelock" in client(plain, "cu128", tmp_path).metadata(file)
    assert plain.asked(f"{torch.address}.metadata") == 1
    assert plain.asked(torch.address) == 0


def test_the_page_is_that_of_the_real_index(plain: WheelIndex) -> None:
    torch = plain.add("cu128", "torch", "2.8.0+cu128", beside="none")
    body = plain.reply(_request("/whl/cu128/torch/")).body.decode()
    assert body == (
        "<!DOCTYPE html>\n<html>\n  <body>\n    <h1>Links for torch</h1>\n"
        f'    <a href="/whl/cu128/torch-2.8.0%2Bcu128-cp311-cp311-{LINUX}.whl#sha256={torch.sha256}">'
        f"torch-2.8.0+cu128-cp311-cp311-{LINUX}.whl</a><br/>\n"
        "  </body>\n</html>\n<!--TIMESTAMP 1760000000-->"
    )
    assert '<a href="torch/">torch</a><br/>' in plain.reply(_request("/whl/")).body.decode()


def test_links_of_the_root_stand_in_every_folder(server: WheelIndex, tmp_path: Path) -> None:
    old = server.add("", "torchaudio", "2.2.0", build="cpu")
    server.add("cu126", "torchaudio", "2.8.0+cu126")
    server.add("cu132", "torch", "2.12.0+cu132")
    assert list(read(server, "cu132", "torchaudio", tmp_path)) == [old.filename]
    assert len(read(server, "cu126", "torchaudio", tmp_path)) == 2
    assert len(read(server, "", "torchaudio", tmp_path)) == 2


def test_a_channel_has_files_of_its_own(server: WheelIndex, tmp_path: Path) -> None:
    final = server.add("cu128", "torch", "2.8.0+cu128")
    candidate = server.add("test/cu128", "torch", "2.8.0+cu128", requires=["other"])
    assert final.filename == candidate.filename
    (found,) = client(server, "cu128", tmp_path).files("torch")
    assert found.hashes == {"sha256": final.sha256}
    (tested,) = client(server, "test/cu128", tmp_path).files("torch")
    assert tested.hashes == {"sha256": candidate.sha256} != found.hashes
    assert len(read(server, "", "torch", tmp_path)) == 1


def test_one_name_with_other_bytes_in_each_folder(server: WheelIndex) -> None:
    tags = f"cp311-cp311-{AARCH64}"
    cpu, cuda = (server.add(folder, "torchaudio", "2.8.0", tags) for folder in ("cpu", "cu128"))
    assert cpu.filename == cuda.filename == f"torchaudio-2.8.0-cp311-cp311-{AARCH64}.whl"
    assert cpu.sha256 != cuda.sha256
    assert _member(cuda, "torchaudio/version.py").splitlines()[1] == "cuda = '12.8'"


def test_the_family_may_be_on_another_host(server: WheelIndex, tmp_path: Path) -> None:
    torch = server.add("cu128", "torch", "2.8.0+cu128", beside="none", requires=["numpy"])
    codec = server.add("cu128", "torchcodec", "0.7.0+cu128")
    (file,) = client(server, "cu128", tmp_path).files("torch")
    assert file.url == server.r2.url.rstrip("/") + torch.address
    (file,) = client(server, "cu128", tmp_path).files("torchcodec")
    assert file.url == server.link(codec)
    (file,) = client(server, "cu128", tmp_path).files("torch")
    assert "numpy" in client(server, "cu128", tmp_path).metadata(file)
    assert [request.headers["Range"] is not None for request in server.r2.requests] == [True]


def test_hashes_that_the_page_lacks_and_hashes_that_lie(server: WheelIndex, tmp_path: Path) -> None:
    lacking = server.add("cpu", "torch", "2.8.0+cpu", stated="")
    lying = server.add("cpu", "torch", "2.7.0+cpu", stated="0" * 64)
    found = read(server, "cpu", "torch", tmp_path)
    assert found[lacking.filename].hashes == {}
    assert found[lying.filename].hashes == {"sha256": "0" * 64}
    assert lying.sha256 != "0" * 64


def test_metadata_that_is_offered_and_gone(plain: WheelIndex, tmp_path: Path) -> None:
    torch = plain.add("cpu", "torch", "2.8.0+cpu", requires=["sympy"], beside="gone")
    (file,) = client(plain, "cpu", tmp_path).files("torch")
    assert "sympy" in client(plain, "cpu", tmp_path).metadata(file)
    assert plain.asked(f"{torch.address}.metadata") == 1
    assert plain.asked(torch.address) == 1


def test_copied_pages_link_to_the_public_index(server: WheelIndex, tmp_path: Path) -> None:
    numpy = server.add_public("numpy", "2.3.0", python=">=3.11")
    server.add("cpu", "torch", "2.8.0+cpu")
    server.copy_page("numpy")
    (file,) = client(server, "cpu", tmp_path).files("numpy")
    assert file.url == f"{server.origin}{numpy.address}"
    assert file.requires_python == ">=3.11"
    (file,) = index(tmp_path, server.public_url).files("numpy")
    assert (file.hashes, file.size) == ({"sha256": numpy.sha256}, len(numpy.content))


@pytest.mark.parametrize("status", [403, 404])
def test_what_is_not_there(status: int, tmp_path: Path) -> None:
    with WheelIndex(missing=status) as server, pytest.raises(UnknownPackage):
        client(server, "cpu", tmp_path).files("torch")


def test_a_page_is_revalidated_by_its_tag(server: WheelIndex, tmp_path: Path) -> None:
    server.add("cpu", "torch", "2.8.0+cpu")
    client(server, "cpu", tmp_path).files("torch")
    again = index(tmp_path, f"{server.url}/cpu/", refresh=True)
    assert len(again.files("torch")) == 1
    assert server.pages_asked() == ["/whl/cpu/torch/"] * 2
    assert server.requests[1].headers["If-None-Match"]


def test_a_failing_page(server: WheelIndex, tmp_path: Path) -> None:
    server.add("cpu", "torch", "2.8.0+cpu")
    server.routes["/whl/cpu/torch/"] = Reply(b"no", 500)
    with pytest.raises(NetworkError):
        index(tmp_path, f"{server.url}/cpu/", hurried=True).files("torch")


def test_other_bytes_of_a_tampered_file_are_a_valid_wheel(server: WheelIndex) -> None:
    torch = server.add("cpu", "torch", "2.8.0+cpu")
    torch.tamper()
    assert torch.sha256 != torch.stated
    assert _member(torch, "torch/version.py").startswith("__version__ = '2.8.0+cpu'")


def test_a_small_wheel_names_its_tags() -> None:
    content = small_wheel("torch", "2.10.0", "1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        lines = archive.read("torch-2.10.0.dist-info/WHEEL").decode().splitlines()
    assert lines[3:] == [
        "Tag: cp311-cp311-manylinux_2_17_x86_64",
        "Tag: cp311-cp311-manylinux2014_x86_64",
        "Build: 1",
    ]


def _request(path: str) -> Request:
    return Request(path, {})


def _member(file: Published, path: str) -> str:
    with zipfile.ZipFile(io.BytesIO(file.content)) as archive:
        return archive.read(path).decode()
