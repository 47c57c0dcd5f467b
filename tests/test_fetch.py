"""``torchlock fetch``: every file of a lock in a folder that pip and uv install from without a network."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path

import pytest

from support.fetched import ALPHA, BETA, NAMES, lock, pylock, wheels
from support.fetched import alone as alone
from support.fetched import server as server
from support.index_server import Reply, Server, entry, page, sdist, sha256
from support.installers import INSTALLERS, install
from support.local_index import publish
from support.small_wheels import small_wheel
from torchlock.cli.main import main
from torchlock.knowledge.build_files import build_catalogue

pytestmark = pytest.mark.usefixtures("alone")
REFUSED = "http://127.0.0.1:9"


@pytest.mark.parametrize("installer", INSTALLERS)
@pytest.mark.parametrize("kind", ["requirements", "addresses", "pylock"])
def test_what_is_fetched_installs_without_a_network(
    kind: str, installer: str, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    path = pylock(server) if kind == "pylock" else lock(server, url=kind == "addresses")
    assert main(["fetch", str(path)]) == 0, capsys.readouterr().err
    assert wheels() == NAMES
    name = "pylock.offline.toml" if kind == "pylock" else "requirements-offline.txt"
    assert f"wheelhouse/{name}" in capsys.readouterr().err
    assert REFUSED not in (text := Path("wheelhouse", name).read_text())
    assert server.url not in text
    outcome = install(installer, Path("wheelhouse").absolute() / name, REFUSED)
    assert outcome.code == 0, outcome.said
    assert outcome.versions == {"alpha": "1.0", "beta": "2.0+cpu"}


@pytest.mark.parametrize("installer", INSTALLERS)
def test_the_folder_is_a_mirror_and_a_find_links_location(
    installer: str, server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fetch", str(lock(server)), "-o", "usb stick"]) == 0
    wanted = tmp_path / "wanted.txt"
    hashes = [f"--hash=sha256:{sha256(content)}" for content in (ALPHA, BETA)]
    wanted.write_text(f"alpha==1.0 {hashes[0]}\nbeta==2.0+cpu {hashes[1]}\n")
    folder = tmp_path / "usb stick"
    by_index = install(installer, wanted, (folder / "simple").as_uri(), "--require-hashes")
    assert by_index.code == 0, by_index.said
    assert by_index.versions == {"alpha": "1.0", "beta": "2.0+cpu"}
    links = install(installer, wanted, REFUSED, "--no-index", "--find-links", str(folder))
    assert links.code == 0, links.said
    document = json.loads((folder / "simple" / "alpha" / "index.json").read_text())
    (row,) = document["files"]
    assert row["hashes"] == {"sha256": sha256(ALPHA)}
    assert row["requires-python"] == ">=3.8"
    assert 'data-requires-python="&gt;=3.8"' in (folder / "simple" / "alpha" / "index.html").read_text()


def test_pages_have_what_earlier_runs_brought(server: Server, tmp_path: Path) -> None:
    lock(server)
    assert main(["fetch"]) == 0
    publish(tmp_path / "own", "gamma", "3.0")
    own = next((tmp_path / "own" / "gamma").glob("*.whl"))
    Path("more.txt").write_text(f"gamma==3.0 --hash=sha256:{sha256(own.read_bytes())}\n")
    assert main(["fetch", "more.txt", "--index-url", str(tmp_path / "own")]) == 0
    assert [each.name for each in sorted(Path("wheelhouse/simple").iterdir())] == [
        "alpha",
        "beta",
        "gamma",
        "index.html",
    ]
    assert Path("wheelhouse/more-offline.txt").exists()


def test_a_file_that_no_index_has_is_named(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    path = lock(server)
    absent = "0" * 64
    path.write_text(path.read_text() + f"beta==2.1 --hash=sha256:{absent}\ndelta==1 --hash=sha256:{absent}\n")
    assert main(["fetch"]) == 1
    errors = capsys.readouterr().err
    assert "requirements.txt:4: beta 2.1: no index has a file of this release" in errors
    assert "requirements.txt:5: delta 1: " in errors
    assert "has no project delta" in errors
    server.routes["/beta/"] = page(entry("beta-2.1-py3-none-any.whl", hashes={"sha256": "1" * 64}))
    assert main(["fetch", "--index-url", server.url]) == 1


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("requirements.txt", "six==1.17.0\n", "requirements.txt:1: six: no hash identifies a file"),
        ("requirements.txt", "six>=1 --hash=sha256:00\n", "requirements.txt:1: six>=1 does not name one version"),
        ("Pipfile.lock", '{"_meta": {}}', "pipenv requirements --hash"),
        ("pyproject.toml", "[project]\nname='x'\n", "it is of the format pyproject"),
        ("requirements.txt", "-r absent.txt\n", "absent.txt"),
        ("absent.txt", None, "absent.txt: "),
    ],
)
def test_what_is_no_lock_is_refused(
    name: str, text: str | None, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if text is not None:
        Path(name).write_text(text)
    assert main(["fetch", name]) == 2
    assert said in capsys.readouterr().err
    assert not Path("wheelhouse").exists()


def test_folders_and_repositories_are_named_and_left_out(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    path = lock(server)
    path.write_text(path.read_text() + "-e .\nx @ git+https://example.org/x.git@abc\n")
    assert main(["fetch"]) == 0
    errors = capsys.readouterr().err
    assert "requirements.txt:4: -e . is not a file of an index" in errors
    assert "requirements.txt:5: x @ git+https" in errors


def test_targets_take_the_files_that_they_need(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With markers, each target by itself; without targets, all files."""
    tags = ["cp312-cp312-manylinux_2_17_x86_64", "cp312-cp312-manylinux_2_28_x86_64", "cp312-cp312-win_amd64"]
    made = [publish(tmp_path / "own", "delta", "1.0", tags=each) for each in tags]
    only = publish(tmp_path / "own", "omega", "1.0")
    hashes = " ".join(f"--hash=sha256:{sha256(each.read_bytes())}" for each in made)
    Path("lock.txt").write_text(
        f"--index-url own\ndelta==1.0 {hashes}\n"
        f"omega==1.0 ; sys_platform == 'win32' --hash=sha256:{sha256(only.read_bytes())}\n"
    )
    python = ["--python", "3.12"]
    assert main(["fetch", "lock.txt", *python, "--platform", "linux-x86_64"]) == 0, capsys.readouterr().err
    assert wheels().keys() == {made[1].name}
    offline = Path("wheelhouse/lock-offline.txt").read_text()
    assert offline.count("--hash") == 1
    assert "omega" not in offline
    assert main(["fetch", "lock.txt", *python, "--platform", "linux-x86_64", "--platform", "windows-amd64"]) == 0
    assert wheels().keys() == {made[1].name, made[2].name, only.name}
    assert main(["fetch", "lock.txt", *python, "--platform", "macos-arm64"]) == 1
    assert "delta 1.0: the lock has no file for Python 3.12, macosx" in capsys.readouterr().err
    assert main(["fetch", "lock.txt", "--python", "3.11-3.12", "--platform", "linux-x86_64"]) == 1
    assert "delta 1.0: the lock has no file for Python 3.11, " in (said := capsys.readouterr().err)
    assert "Python 3.12" not in said
    assert main(["fetch", "lock.txt", "-o", "all"]) == 0
    assert len(wheels("all")) == 4


def test_a_pylock_keeps_what_is_known_and_drops_what_is_not_there(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    tomllib = pytest.importorskip("tomllib")
    path = pylock(server)
    url = f'url = "{server.url}x", hashes = {{ sha256 = "00" }}'
    other = f'  {{ name = "alpha-1.0-cp39-cp39-win_amd64.whl", {url} }},\n'
    path.write_text(path.read_text().replace("wheels = [\n", f"wheels = [\n{other}", 1))
    assert main(["fetch", "pylock.toml", "--python", "3.12", "--platform", "linux-x86_64"]) == 0
    made = tomllib.loads(Path("wheelhouse/pylock.offline.toml").read_text())
    assert made["tool"] == {"other": {"note": "stays \x7f", "list": [1, 2]}}
    (wheel,) = made["packages"][0]["wheels"]
    assert wheel["path"] == "alpha-1.0-py3-none-any.whl"
    assert "url" not in wheel
    assert str(wheel["upload-time"]) == "2025-01-01 00:00:00+00:00"


@pytest.mark.parametrize(
    ("stated", "says"),
    [
        ("environments = [\"python_version == '3.11'\"]", "the environments of the lock exclude Python 3.13, "),
        ("environments = [\"sys_platform == 'win32'\"]", "the environments of the lock exclude Python 3.13, "),
        ('requires-python = ">=3.11,<3.13"', "the lock is for Python >=3.11,<3.13, not for Python 3.13, "),
    ],
)
def test_a_target_that_the_lock_excludes_is_named(
    stated: str, says: str, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    path = pylock(server)
    path.write_text(re.sub(r"(lock-version = .*\n)", rf"\1{stated}\n", path.read_text()))
    assert main(["fetch", "pylock.toml", "--python", "3.13", "--platform", "linux-x86_64"]) == 1
    said = capsys.readouterr().err
    assert f"error: pylock.toml: {says}" in said
    assert "install without a network" not in said
    assert not wheels()
    assert main(["fetch", "pylock.toml"]) == 0  # without targets: all files


def test_two_locks_of_one_name_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for folder in "ab":
        Path(folder).mkdir()
        Path(folder, "lock.txt").write_text("\n")
    assert main(["fetch", "a/lock.txt", "b/lock.txt"]) == 2
    assert "have the same name" in capsys.readouterr().err


def test_a_name_leads_out_of_no_folder(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = pylock(server)
    path.write_text(path.read_text().replace('name = "alpha-1.0-py3', 'name = "../alpha-1.0-py3'))
    assert main(["fetch", "pylock.toml"]) in (1, 2)
    assert not (tmp_path / "alpha-1.0-py3-none-any.whl").exists()
    assert capsys.readouterr().err


def test_a_dry_run_fetches_nothing(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    lock(server)
    assert main(["fetch", "--dry-run"]) == 0
    output = capsys.readouterr()
    assert f"alpha-1.0-py3-none-any.whl  {server.url}files/alpha" in output.out
    assert "2 files, at least " in output.err
    assert main(["fetch", "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["files"][0]["status"] is None
    assert not Path("wheelhouse").exists()


def test_offline_takes_files_of_this_machine(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lock(server)
    assert main(["fetch", "--offline"]) == 2
    assert not server.requests
    own = publish(tmp_path / "own", "gamma", "3.0")
    Path("more.txt").write_text(f"--find-links own/gamma\ngamma==3.0 --hash=sha256:{sha256(own.read_bytes())}\n")
    assert main(["fetch", "more.txt", "--offline"]) == 0, capsys.readouterr().err
    assert own.name in wheels()


def test_a_lock_with_its_wheelhouse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, version, requires in (("gamma", "3.0", ["delta"]), ("delta", "1.0", [])):
        path = publish(tmp_path / "own", name, version)
        path.write_bytes(small_wheel(name, version, "py3-none-any", requires))
        (path.parent / "index.html").unlink()
    words = ["lock", "gamma", "--index-url", "own", "--python", "3.12", "--platform", "linux-x86_64"]
    assert main([*words, "--wheelhouse", "wheels"]) == 2
    assert "name the lock with -o FILE" in capsys.readouterr().err
    assert main([*words, "-o", "lock.txt", "--wheelhouse", "wheels", "--dry-run"]) == 2
    assert main([*words, "-o", "lock.txt", "--wheelhouse", "wheels", "--no-hashes"]) == 2
    capsys.readouterr()
    assert main([*words, "-o", "lock.txt", "--wheelhouse", "wheels"]) == 0, capsys.readouterr().err
    assert wheels("wheels").keys() == {"gamma-3.0-py3-none-any.whl", "delta-1.0-py3-none-any.whl"}
    assert "--wheelhouse" not in Path("lock.txt").read_text()
    outcome = install("pip", Path("wheels/lock-offline.txt").absolute(), REFUSED)
    assert outcome.code == 0, outcome.said
    assert outcome.versions == {"gamma": "3.0", "delta": "1.0"}


@pytest.mark.parametrize("what", ["file", "below a file", "foreign page", "foreign lock"])
def test_a_wheelhouse_that_cannot_be_filled_is_refused_first(
    what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(tmp_path / "own", "delta", "1.0")
    name = "wheels/deep" if what == "below a file" else "wheels"
    foreign = {"foreign page": "wheels/simple/index.html", "foreign lock": "wheels/lock-offline.txt"}
    path = tmp_path / foreign.get(what, "wheels")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("theirs")
    Path("lock.txt").write_text("delta==0.9\n")
    assert main(["lock", "delta", "--index-url", "own", "-U", "-o", "lock.txt", "--wheelhouse", name]) == 2
    said = capsys.readouterr().err
    assert "wheels" in said
    assert "--wheelhouse" in said
    assert Path("lock.txt").read_text() == "delta==0.9\n"
    assert path.read_text() == "theirs"


def test_what_is_built_is_told(tmp_path: Path, server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    name, content = "epsilon-1.0.tar.gz", sdist("Metadata-Version: 2.1\nName: epsilon\nVersion: 1.0\n", "epsilon")
    server.routes["/epsilon/"] = page(entry(name, f"{server.url}files/{name}", hashes={"sha256": sha256(content)}))
    server.routes[f"/files/{name}"] = Reply(content)
    Path("lock.txt").write_text(f"--index-url {server.url}\nepsilon==1.0 --hash=sha256:{sha256(content)}\n")
    assert main(["fetch", "lock.txt"]) == 0
    errors = capsys.readouterr().err
    assert f"warning: {name} is built from source, and the lock does not name what its build needs" in errors
    assert (tmp_path / "wheelhouse" / name).exists()


def test_an_included_file_is_named(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    path = lock(server)
    Path("more.txt").write_text("\n" + "delta==1 --hash=sha256:" + "0" * 64 + "\n")
    path.write_text(path.read_text() + "-r more.txt\n")
    assert main(["fetch"]) == 1
    assert "more.txt:2: delta 1: " in capsys.readouterr().err


def test_variables_are_expanded_as_pip_does(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = lock(server)
    path.write_text(path.read_text().replace("http://", "http://me:${INDEX_PASSWORD}@"))
    monkeypatch.setenv("INDEX_PASSWORD", "s3cretword")
    assert main(["fetch"]) == 0, capsys.readouterr().err
    assert "bWU6czNjcmV0d29yZA==" in server.requests[0].headers["Authorization"]


MANY = ["--python", "3.12", "--platform", "linux-x86_64", "--platform", "windows-amd64"]


@pytest.mark.parametrize("output", ["lock.txt", "lock-{platform}.txt"])
def test_a_lock_for_many_targets_with_its_wheelhouse(
    output: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The files of all targets come, and each lock in the folder keeps its markers."""
    tags = ["cp312-cp312-manylinux_2_17_x86_64", "cp312-cp312-win_amd64"]
    made = {
        each: publish(tmp_path / "own", "delta", "1.0", ["omega; sys_platform == 'win32'"], each) for each in tags
    }
    only = publish(tmp_path / "own", "omega", "1.0")
    words = ["lock", "delta", "--index-url", "own", *MANY, "-o", output, "--wheelhouse", "wheels"]
    assert main(words) == 0, capsys.readouterr().err
    assert wheels("wheels").keys() == {*(path.name for path in made.values()), only.name}
    names = sorted(path.name for path in Path("wheels").glob("*-offline.txt"))
    assert len(names) == (1 if output == "lock.txt" else 2)
    if output == "lock.txt":
        text = Path("wheels/lock-offline.txt").read_text()
        assert "omega==1.0 ; sys_platform == " in text
        assert text.count("--hash") == 3


def test_a_page_without_hashes_of_a_build_is_read_with_the_bundled_table(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    """Pages of the PyTorch index lack the hashes of older files."""
    release = next(
        each for each in build_catalogue("cu128").releases("torch") or () if each.version == "2.9.1+cu128"
    )
    files = release.files()[:2]
    server.routes["/torch/"] = page(
        *(entry(file.filename, f"{server.url}files/{file.filename}") for file in files)
    )
    digest = files[1].hashes["sha256"]
    Path("lock.txt").write_text(f"--index-url {server.url}\ntorch==2.9.1+cu128 --hash=sha256:{digest}\n")
    assert main(["fetch", "lock.txt", "--dry-run"]) == 0, capsys.readouterr().err
    (line,) = capsys.readouterr().out.splitlines()
    assert files[1].filename in line
    server.routes[f"/files/{files[1].filename}"] = Reply(b"another")
    server.routes[f"/files/{files[1].filename.replace('+', '%2B')}"] = Reply(b"another")
    assert main(["fetch", "lock.txt"]) == 1
    assert "not the hash in the lock" in capsys.readouterr().err


def test_a_target_of_a_package_that_no_index_has(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    Path("lock.txt").write_text(f"--index-url {server.url}\ndelta==1 --hash=sha256:{'0' * 64}\n")
    assert main(["fetch", "lock.txt", "--python", "3.12", "--platform", "linux-x86_64"]) == 1
    errors = capsys.readouterr().err
    assert errors.count("delta 1: ") == 1
    assert "has no project delta" in errors


def test_a_lock_on_standard_input(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lock(server).read_bytes())))
    assert main(["fetch", "-"]) == 0
    assert wheels() == NAMES
    assert Path("wheelhouse/requirements-offline.txt").exists()


def test_an_upgrade_fetches_the_new_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for version in ("1.0", "2.0"):
        publish(tmp_path / "own", "delta", version)
    Path("requirements.in").write_text("delta==1.0\n")
    target = ["--index-url", "own", "--python", "3.12", "--platform", "linux-x86_64"]
    files = ["-r", "requirements.in", "-o", "requirements.txt"]
    assert main(["lock", *files, *target]) == 0
    assert main(["upgrade", "delta", *files, *target, "--diff", "--wheelhouse", "new"]) == 2
    assert "--wheelhouse and --diff exclude each other" in capsys.readouterr().err
    assert main(["upgrade", "delta", *files, *target, "--wheelhouse", "new"]) == 0, capsys.readouterr().err
    assert wheels("new").keys() == {"delta-2.0-py3-none-any.whl"}
    assert "delta==2.0" in Path("new/requirements-offline.txt").read_text()
