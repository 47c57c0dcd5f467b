"""Variant wheels (PEP 825): their names are read everywhere; what installers refuse is not locked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.fetched import alone as alone
from support.fetched import tagged
from support.index_server import Server, entry, page, sha256
from support.installers import install
from support.small_wheels import small_wheel
from torchlock.cli.main import main
from torchlock.standards.filenames import is_variant, parse, split_variant, tags_of

pytestmark = pytest.mark.usefixtures("alone")
PLAIN = small_wheel("demo", "1.0", "py3-none-any")
VARIANT = small_wheel("demo", "1.0", "py3-none-any", members={"demo-1.0.dist-info/variant.json": "{}"})


@pytest.mark.parametrize(
    ("name", "label", "tags", "project"),
    [
        ("numpy-2.3.2-cp313-cp313t-musllinux_1_2_x86_64.whl", "", "cp313-cp313t-musllinux_1_2_x86_64", "numpy"),
        (
            "numpy-2.3.2-cp313-cp313t-musllinux_1_2_x86_64-x86_64_v3.whl",
            "x86_64_v3",
            "cp313-cp313t-musllinux_1_2_x86_64",
            "numpy",
        ),
        ("demo-1.0-py3-none-any-null.whl", "null", "py3-none-any", "demo"),
        ("demo-1.0-1build-py3-none-any.whl", "", "py3-none-any", "demo"),
        ("demo-1.0-1build-py3-none-any-12345678.whl", "12345678", "py3-none-any", "demo"),
        (
            "demo-1.0-py3-none-any-cu12.8_of_any_length.whl",
            "cu12.8_of_any_length",
            "py3-none-any",
            "demo",
        ),
        ("demo-1.0-py3-none-any-UPPER.whl", "", "none-any-UPPER", None),
        ("demo-1.0-py3-none-any-a-b.whl", "", "any-a-b", None),
    ],
)
def test_a_label_after_the_platform_is_no_tag(name: str, label: str, tags: str, project: str | None) -> None:
    assert split_variant(name)[1] == label
    assert is_variant(name) is bool(label)
    assert tags_of(name) == tags
    parsed = parse(name)
    assert (parsed and parsed[0]) == project


def _wheelhouse(folder: Path, *, plain: bool) -> Path:
    folder.mkdir()
    (folder / "demo-1.0-py3-none-any-x86_64_v3.whl").write_bytes(VARIANT)
    if plain:
        (folder / "demo-1.0-py3-none-any.whl").write_bytes(PLAIN)
    Path("requirements.in").write_text(f"--no-index\n--find-links {folder.name}\ndemo\n")
    return folder


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_a_lock_has_the_file_that_installers_take(installer: str, tmp_path: Path) -> None:
    _wheelhouse(tmp_path / "wheels", plain=True)
    assert main(["lock", "-r", "requirements.in", "-o", "requirements.txt"]) == 0
    text = Path("requirements.txt").read_text()
    assert sha256(PLAIN) in text
    assert sha256(VARIANT) not in text
    outcome = install(installer, Path("requirements.txt").absolute(), "http://127.0.0.1:9", "--no-index")
    assert outcome.code == 0, outcome.said


def test_a_release_with_variants_alone_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _wheelhouse(tmp_path / "wheels", plain=False)
    assert main(["lock", "-r", "requirements.in"]) == 2
    assert "demo 1.0 was left out: it has only variant wheels (PEP 825)" in capsys.readouterr().err


def test_a_newer_release_with_variants_alone_gets_a_note(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = _wheelhouse(tmp_path / "wheels", plain=True)
    (folder / "demo-2.0-py3-none-any-null.whl").write_bytes(small_wheel("demo", "2.0", "py3-none-any"))
    assert main(["lock", "-r", "requirements.in"]) == 0
    said = capsys.readouterr()
    assert "demo==1.0" in said.out
    assert "demo 2.0 was left out: it has only variant wheels" in said.err


def test_an_address_of_one_is_read_with_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    Path("requirements.txt").write_text("demo @ https://example.org/demo-1.0-py3-none-any-x86_64_v3.whl\n")
    assert main(["audit", "requirements.txt", "--format", "json"]) == 0
    (finding,) = json.loads(capsys.readouterr().out)["files"][0]["findings"]
    assert (finding["rule"], finding["severity"]) == ("TL403", "warning")
    assert "demo-1.0-py3-none-any-x86_64_v3.whl is a variant wheel" in finding["message"]


@pytest.mark.parametrize("target", [False, True])
def test_fetch_brings_those_that_a_lock_lists(target: bool) -> None:
    names = {"demo-1.0-py3-none-any.whl": PLAIN, "demo-1.0-py3-none-any-x86_64_v3.whl": VARIANT}
    with Server() as server:
        server.routes["/demo/"] = page(
            *(
                entry(name, f"{server.url}files/{name}", hashes={"sha256": sha256(content)})
                for name, content in names.items()
            )
        )
        for name, content in names.items():
            server.routes[f"/files/{name}"] = tagged(content)
        hashes = " ".join(f"--hash=sha256:{sha256(content)}" for content in names.values())
        Path("requirements.txt").write_text(f"--index-url {server.url}\ndemo==1.0 {hashes}\n")
        more = ["--python", "3.12", "--platform", "linux-x86_64"] if target else []
        assert main(["fetch", "requirements.txt", *more]) == 0
    assert {path.name for path in Path("wheelhouse").glob("*.whl")} == set(names)
    assert "x86_64_v3.whl" in Path("wheelhouse/simple/demo/index.html").read_text()
