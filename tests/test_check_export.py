"""An environment as a requirements file: what an installer reads in it, and what must never be read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from support.site_folder import install, site_of, write
from torchlock.check.context import CheckContext
from torchlock.check.export import export
from torchlock.inspect.environment import of_tree


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return site_of(tmp_path)


def exported(site: Path) -> str:
    return export(CheckContext(of_tree(str(site)), live=False))


def test_the_line_that_locks_it_is_whole(site: Path) -> None:
    install(site, "torch", "2.8.0", tag="cp311-cp311-manylinux_2_28_x86_64")
    assert (
        "# Lock it with: torchlock lock -r THIS_FILE --python 3.11 --platform manylinux_2_28_x86_64"
        in exported(site)
    )


def read(site: Path) -> list[str]:
    """The lines that an installer reads."""
    return [line for line in exported(site).splitlines() if line.partition("#")[0].strip()]


def from_address(site: Path, name: str, url: str, **more: Any) -> None:
    write(install(site, name, "1.0") / "direct_url.json", json.dumps({"url": url, **more}))


def git(commit: str) -> dict[str, Any]:
    return {"vcs_info": {"vcs": "git", "commit_id": commit}}


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/a.whl --index-url https://example.org/other",
        "https://example.org/a.whl\n--index-url https://example.org/other",
        "https://example.org/a.whl\u2028--pre",
        "https://example.org/a b.whl",
        "https://example.org/a.whl ; python_version < '3'",
        "https://example.org/a.whl #egg=torch",
        "https://example.org/a.whl#egg=torch",
        "https://example.org/${SECRET}.whl",
        "https://example.org/a.whl\\",
        "-r other.txt",
        "javascript:alert(1)",
        "",
    ],
)
def test_an_address_that_says_more_than_an_address_is_a_comment(site: Path, url: str) -> None:
    from_address(site, "evil", url)
    install(site, "good", "2.0")
    lines = read(site)
    assert lines[-1] == "good==2.0"
    assert lines[:-1] in ([], ["evil==1.0"])


@pytest.mark.parametrize("commit", ["abc123 --pre", "main", "abc1234\n-r x", "${SECRET}"])
def test_a_commit_that_is_none_is_a_comment(site: Path, commit: str) -> None:
    from_address(site, "evil", "https://example.org/r.git", **git(commit))
    assert read(site) == []


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("a --index-url x", "1.0"),
        ("-r", "1.0"),
        ("a\x1b[31m", "1.0"),
        ("evil", "1.0 ; x"),
        ("evil", "1.0\\"),
        ("e", "x"),
    ],
)
def test_names_and_versions_that_are_none_are_comments(site: Path, name: str, version: str) -> None:
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\n"
    write(site / "evil-1.0.dist-info" / "METADATA", metadata)
    assert read(site) == []
    assert "\x1b" not in exported(site)


def test_where_a_package_was_built_by_conda_is_no_address(site: Path) -> None:
    for name in ("numpy", "menuinst"):
        info = install(site, name, "1.26.4", installer="conda")
        write(info / "direct_url.json", json.dumps({"url": f"file:///croot/{name}/dist/{name}.whl"}))
    assert read(site) == ["numpy==1.26.4"]
    assert "# from conda: menuinst 1.26.4" in exported(site).splitlines()
    assert "croot" not in exported(site)


def test_no_password_is_written(site: Path) -> None:
    from_address(site, "own", "https://user:hunter2@example.org/own-1.0-py3-none-any.whl")
    assert read(site) == ["own @ https://example.org/own-1.0-py3-none-any.whl"]


def test_addresses_as_pip_freezes_them(site: Path) -> None:
    commit, digest = "0123456789abcdef0123456789abcdef01234567", "0" * 64
    from_address(site, "a", "https://example.org/r.git", **git(commit))
    from_address(site, "b", "ssh://git@example.org/r.git", **git(commit))
    from_address(site, "c", "https://example.org/c-1.0.tar.gz", archive_info={"hash": f"sha256={digest}"})
    from_address(site, "d", "file:///home/u/with%20blank/d")
    from_address(site, "e", "file:///home/u/e", dir_info={"editable": True})
    assert read(site) == [
        f"a @ git+https://example.org/r.git@{commit}",
        f"b @ git+ssh://git@example.org/r.git@{commit}",
        f"c @ https://example.org/c-1.0.tar.gz#sha256={digest}",
        "d @ file:///home/u/with%20blank/d",
    ]
    assert "# editable: e 1.0 from file:///home/u/e" in exported(site).splitlines()
    for line in read(site):
        assert Requirement(line).url


def test_pins_stand_in_the_order_of_names(site: Path) -> None:
    for name, version in (("zeta", "1.0"), ("alpha", "1!2.0"), ("Mid.Dle", "1.0.post1"), ("pip", "25.0")):
        install(site, name, version)
    assert read(site) == ["alpha==1!2.0", "mid-dle==1.0.post1", "zeta==1.0"]
    assert exported(site) == exported(site)


def test_the_build_of_torch_is_named_with_its_page(site: Path) -> None:
    files: dict[str, bytes | str] = {"torch/__init__.py": "", "torch/version.py": "__version__ = '2.13.0+cpu'\n"}
    install(site, "torch", "2.13.0", files)
    assert read(site) == ["--extra-index-url https://download.pytorch.org/whl/cpu", "torch==2.13.0+cpu"]


def test_a_vendors_build_has_no_page(site: Path) -> None:
    files: dict[str, bytes | str] = {
        "torch/__init__.py": "",
        "torch/version.py": "__version__ = '2.6.0+das.opt1'\n",
    }
    install(site, "torch", "2.6.0+das.opt1", files)
    assert read(site) == ["torch==2.6.0  # +das.opt1"]
    assert "# Name the index of its builds (das.opt1)" in exported(site)
