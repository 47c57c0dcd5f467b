"""What ``torchlock lock`` makes of metadata and pages as they are found: read, or told; never lost in silence."""

from __future__ import annotations

import email
import hashlib
import os
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from support.folder_index import FolderIndex, headers
from support.index_server import Reply, Server, entry, page, wheel
from support.sdists import archive, pkg_info
from torchlock.answers import Unknown
from torchlock.cli.main import main
from torchlock.index import Index, IndexSettings
from torchlock.standards.index_file import File
from torchlock.target import Platform, PythonVersion, Target

TARGET = ["--python", "3.12", "--platform", "linux-x86_64", "--no-annotate"]


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("TORCHLOCK_", "PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("TORCHLOCK_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr("time.sleep", lambda seconds: None)


@pytest.fixture
def index(tmp_path: Path) -> FolderIndex:
    made = FolderIndex(tmp_path)
    made.add("plain", "1.0")
    made.add("plain", "2.0")
    return made


class Run:
    """One run of the command: exit code, the pins, what was said."""

    def __init__(self, capsys: pytest.CaptureFixture[str], url: str, *arguments: str) -> None:
        self.code = main(["lock", *arguments, *TARGET, "--index-url", url])
        output = capsys.readouterr()
        self.out, self.err = output.out, output.err
        lines = (line.split()[0] for line in output.out.splitlines() if line.strip())
        self.pins = [line for line in lines if "==" in line and not line.startswith(("#", "-"))]


@pytest.fixture
def locked(capsys: pytest.CaptureFixture[str], index: FolderIndex):
    return lambda *arguments: Run(capsys, str(index.folder), "--no-hashes", *arguments)


# --- headers -------------------------------------------------------------------------------------------------

FIELDS = {
    "blank lines in a fold": "License: Some Licence\n        \n        Its words.\n        \n",
    "form feed": "Summary: one\x0ctwo\n",
    "next line": "Summary: one\x85two\n",
    "line separator": "Summary: one\u2028two\u2029three\n",
    "separators of files": "Summary: one\x1ctwo\x1dthree\x1efour\n",
    "folded by tabs": "License:\n\ta\n\t\n",
    "envelope": "From nowhere\n",
}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("field", FIELDS.values(), ids=FIELDS)
def test_a_field_before_it_hides_no_requirement(index, locked, field, end):
    index.add("demo", "1.0", metadata=headers("demo", "1.0", "plain", more=field).replace("\n", end))
    assert locked("demo").pins == ["demo==1.0", "plain==2.0"]


def test_a_text_that_is_not_utf_8_is_read_all_the_same(index, locked):
    index.add("demo", "1.0", metadata=headers("demo", "1.0", "plain", more="Author: Jürg\n").encode("latin-1"))
    assert locked("demo").pins == ["demo==1.0", "plain==2.0"]


UNREADABLE = {
    "a web page": ({"metadata": "<html><body>Name: x</body></html>\n"}, "its metadata has no Name and no Version"),
    "no version": ({"metadata": "Name: demo\nRequires-Dist: plain\n"}, "its metadata has no Version"),
    "broken off": ({"metadata": "Name: demo\nVersion: 2.0\nRequires-D"}, "ends in the middle of a header"),
    "a line that is no header": (
        {"metadata": headers("demo", "2.0", "plain", more="no header at all\n")},
        "its metadata has a line that is not a header ('no header at all') before Requires-Dist",
    ),
    "a blank before the colon": (
        {"metadata": "Name: demo\nVersion: 2.0\nRequires-Dist : plain\n\n"},
        "its metadata has a line that is not a header ('Requires-Dist : plain') before Requires-Dist",
    ),
    "byte order mark": ({"metadata": "\ufeff" + headers("demo", "2.0", "plain")}, "its metadata has no Name"),
    "another project": ({"metadata": headers("evil", "2.0", "plain")}, "its metadata is for evil 2.0"),
    "another version": ({"metadata": headers("demo", "3.0", "plain")}, "its metadata is for demo 3.0"),
    "no zip file": ({"content": b"no wheel"}, "is not a readable wheel"),
    "a wheel without": ({"content": wheel("", name="other")}, "contains no METADATA"),
    "for a later Python": (
        {"metadata": headers("demo", "2.0", more="Requires-Python: >=3.13\n")},
        "it requires Python >=3.13, and the target has 3.12",
    ),
    "a requirement that is none": ({"requires": ["plain>=1.*"]}, "declares 'plain>=1.*'"),
    "a marker without a value": (
        {"requires": ["plain; os_name ~= 'x'"]},
        "compares values that cannot be compared",
    ),
}


@pytest.mark.parametrize(("wrong", "reason"), UNREADABLE.values(), ids=UNREADABLE)
def test_a_release_whose_requirements_are_unknown_is_no_candidate(index, locked, wrong, reason):
    index.add("demo", "2.0", **wrong)
    alone = locked("demo")
    assert (alone.code, alone.pins) == (1, [])
    assert reason in alone.err
    index.add("demo", "1.0", ["plain"])
    both = locked("demo")
    assert both.pins == ["demo==1.0", "plain==2.0"]
    assert "note: demo 2.0 was skipped: " in both.err
    assert reason in both.err
    index.add("top", "1.0", ["demo>=2"])
    above = locked("top")
    assert (above.code, above.pins) == (1, [])
    assert reason in above.err


def test_an_answer_that_is_no_metadata_is_not_remembered(capsys):
    with Server() as server:
        name = "demo-1.0-py3-none-any.whl"
        server.routes["/demo/"] = page(entry(name, core_metadata=True, hashes={"sha256": "a" * 64}))
        server.routes[f"/demo/{name}.metadata"] = [
            Reply(b"<html>please log in</html>"),
            Reply(headers("demo", "1.0").encode()),
        ]
        assert Run(capsys, server.url, "demo").code == 1
        assert Run(capsys, server.url, "demo").pins == ["demo==1.0"]


# --- requirements --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line", ["beta (>=5.1.*)", "plain>=1.0.", "plain (>=1.0", "plain;", "plain 1.0", "plain\n  >=1.0"]
)
def test_a_requirement_that_pip_refuses_is_never_dropped(index, locked, line):
    index.add("demo", "2.0", [line])
    run = locked("demo")
    assert (run.code, run.pins) == (1, [])
    assert "which is not a valid requirement (pip 24.1 and later refuse this release)" in run.err


@pytest.mark.parametrize("line", ["plain>=1.0,", "plain (>=1.0,)", "plain (>=1.0.dev)", "plain >= 1.0 , < 3"])
def test_a_requirement_that_pip_takes_is_taken(index, locked, line):
    index.add("demo", "2.0", [line])
    assert locked("demo").pins == ["demo==2.0", "plain==2.0"]


def test_an_extra_is_found_however_it_is_spelled(index, locked):
    index.add("demo", "2.0", ["plain==1.0; extra == 'My.Odd_Extra'"])
    assert locked("demo[my-odd-extra]").pins == ["demo[my-odd-extra]==2.0", "plain==1.0"]
    assert locked("demo[MY_odd.extra]").pins == ["demo[my-odd-extra]==2.0", "plain==1.0"]


def test_a_requirement_by_address_matters_where_it_holds(index, locked):
    index.add("demo", "2.0", ["plain @ https://example.org/plain-1.0-py3-none-any.whl ; extra == 'x'"])
    assert locked("demo").pins == ["demo==2.0"]
    run = locked("demo[x]")
    assert run.code == 1
    said = "it declares that it needs plain @ https://example.org/plain-1.0-py3-none-any.whl"
    assert f'demo 2.0: {said} ; extra == "x"; torchlock follows a URL only in your own requirements' in run.err


@pytest.mark.parametrize("address", ["git+https://example.org/p.git", "https://example.org/plain-1.0.tar.gz"])
def test_a_release_that_needs_an_address_is_told(index, locked, address):
    index.add("demo", "2.0", [f"plain @ {address}"])
    index.add("demo", "1.0", ["plain"])
    run = locked("demo")
    assert run.pins == ["demo==1.0", "plain==2.0"]
    assert f"note: demo 2.0 was skipped: it declares that it needs plain @ {address}" in run.err


def test_the_hashes_of_a_line_are_obeyed(index, locked, tmp_path):
    other = headers("demo", "1.0", more="Summary: compiled\n")
    index.add("demo", "1.0", tag="cp312-cp312-manylinux_2_17_x86_64", metadata=other)
    pure = index.add("demo", "1.0")
    ours = hashlib.sha256(pure.read_bytes()).hexdigest()
    lines = tmp_path / "lines.txt"
    lines.write_text(f"demo==1.0 --hash=sha256:{ours.upper()}\n")
    found = locked("-r", "lines.txt", "--json")
    assert found.out.count('"filename"') == 1
    assert ours in found.out
    lines.write_text(f"# one line before\ndemo==1.0 --hash=sha256:{'0' * 64}\n")
    run = locked("-r", "lines.txt")
    assert (run.code, run.pins) == (2, [])
    assert "lines.txt:2: no file of demo 1.0 for this target has a hash of this line" in run.err
    lines.write_text(f"demo==1.0 --hash=sha512:{'0' * 128}\n")
    assert locked("-r", "lines.txt").code == 0


# --- Requires-Python -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("python", [">=3.6.*,<4", ">=3.8.*", ">=3.7,", ">3", "3", "~=3", ">=3.9 <4", "UNKNOWN"])
def test_what_is_no_specifier_limits_nothing(index, locked, python):
    """As for pip ("Ignoring invalid Requires-Python")."""
    index.add("demo", "1.0")
    index.add("demo", "2.0", python=python)
    index.add("other", "1.0")
    index.add("other", "2.0", metadata=headers("other", "2.0", more=f"Requires-Python: {python}\n"))
    assert locked("demo", "other").pins == ["demo==2.0", "other==2.0"]


# --- hashes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha224", "blake2b", None])
def test_a_file_of_this_machine_is_hashed_where_no_hash_is_one_that_pip_takes(capsys, index, algorithm):
    index.add("demo", "1.0", hash=algorithm)
    run = Run(capsys, str(index.folder), "demo")
    assert "--hash=sha256:" in run.out
    assert run.out.count("--hash") == 1
    assert "warning" not in run.err


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_a_hash_that_pip_takes_is_passed_on(capsys, index, algorithm):
    index.add("demo", "1.0", hash=algorithm)
    assert f"--hash={algorithm}:" in Run(capsys, str(index.folder), "demo").out


CONTENT = wheel(headers("demo", "1.0"))
NAME = "demo-1.0-py3-none-any.whl"
MD5 = "0" * 32
PKG_INFO = pkg_info(metadata="2.2")


def serve(server: Server, digest: str, algorithm: str = "md5") -> None:
    server.routes["/demo/"] = page(entry(NAME, hashes={algorithm: digest}, core_metadata=True))
    server.routes[f"/demo/{NAME}.metadata"] = Reply(headers("demo", "1.0").encode())
    server.routes[f"/demo/{NAME}"] = Reply(CONTENT)


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def test_a_file_of_an_index_is_fetched_for_its_hash_once(capsys):
    with Server() as server:
        serve(server, md5(CONTENT))
        first = Run(capsys, server.url, "demo")
        again = Run(capsys, server.url, "demo")
        assert first.out.count("--hash=sha256:") == 1
        assert again.out == first.out
        assert "warning" not in first.err
        assert server.asked(f"/demo/{NAME}") == 1


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256", "sha512", "blake2b", ""])
@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_what_was_asked_once_is_known_offline_whatever_the_hash(capsys, algorithm, kind):
    content, name = (CONTENT, NAME) if kind == "wheel" else (archive({"PKG-INFO": PKG_INFO}), "demo-1.0.tar.gz")
    hashes = {algorithm: hashlib.new(algorithm, content).hexdigest()} if algorithm else {}
    with Server() as server:
        server.routes["/demo/"] = page(entry(name, hashes=hashes))
        server.routes[f"/demo/{name}"] = Reply(content)
        first = Run(capsys, server.url, "demo")
        asked = len(server.requests)
        again = Run(capsys, server.url, "demo", "--offline")
        pins = [line for line in again.out.splitlines() if line[:1] not in ("#", "")]
        assert (first.code, again.code) == (0, 0)
        assert pins == [line for line in first.out.splitlines() if line[:1] not in ("#", "")]
        assert "--hash=" in again.out
        assert len(server.requests) == asked


def test_nothing_is_fetched_for_a_lock_without_hashes(capsys):
    with Server() as server:
        serve(server, md5(CONTENT))
        assert Run(capsys, server.url, "demo", "--no-hashes").pins == ["demo==1.0"]
        assert server.asked(f"/demo/{NAME}") == 0


def test_a_file_that_is_not_what_the_index_describes_ends_the_work(capsys):
    with Server() as server:
        serve(server, MD5)
        run = Run(capsys, server.url, "demo")
        assert (run.code, run.out) == (2, "")
        assert "is not what the index describes: its md5 differs" in run.err


@pytest.mark.parametrize("why", ["gone", "large"])
def test_where_no_hash_can_be_had_the_user_is_told(capsys, monkeypatch, why):
    with Server() as server:
        serve(server, md5(CONTENT))
        if why == "gone":
            del server.routes[f"/demo/{NAME}"]
        else:
            monkeypatch.setattr("torchlock.index.digests.WHOLE_LIMIT", 10)
        run = Run(capsys, server.url, "demo")
        assert run.pins == ["demo==1.0"]
        assert "--hash" not in run.out
        assert "demo: no hash is available; it is installed unverified" in run.err
        file = Run(capsys, server.url, "demo", "--format", "pylock")
        assert (file.code, file.out) == (2, "")
        assert "pylock.toml needs a hash of demo-1.0-py3-none-any.whl" in file.err


def test_offline_the_hash_of_a_file_stays_unknown(tmp_path):
    file = File(NAME, f"https://example.org/{NAME}", {"md5": MD5})
    found = Index(IndexSettings(), offline=True, cache_dir=tmp_path).sha256(file)
    assert found == Unknown("--offline forbids fetching the file")


@pytest.mark.parametrize("digest", ["ab\n--index-url https://evil.example.org", "", 7, None])
def test_a_hash_that_is_none_is_none(capsys, digest):
    with Server() as server:
        serve(server, digest, "sha256")
        run = Run(capsys, server.url, "demo")
        assert "evil" not in run.out
        assert run.out.count("--hash=sha256:") == 1
        assert len(run.out.partition("--hash=sha256:")[2].split()[0]) == 64


# --- tags, versions, withdrawn releases ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        (
            ["graalpy311-graalpy242_311_native-manylinux_2_17_x86_64", "cp39-cp39-manylinux_2_17_x86_64"],
            "Python 3.9",
        ),
        (["graalpy311-graalpy242_311_native-manylinux_2_17_x86_64"], "graalpy311"),
        (["pp311-pypy311_pp73-manylinux2014_x86_64"], "pp311"),
        (["ip27-none-any", "jy27-none-any"], "ip27, jy27"),
        (["x-y-any"], "x"),
        (["py2-none-any"], "Python 2"),
        (["1-cp38.cp39-cp38.cp39-manylinux2014_x86_64"], "Python 3.8, 3.9"),
    ],
)
def test_tags_of_interpreters_that_nobody_knows_are_words(index, locked, tags, words):
    for tag in tags:
        index.add("demo", "1.0", tag=tag)
    run = locked("demo")
    assert run.code == 1
    assert f"(on this platform, 1.0 has wheels for {words})" in run.err


def test_platforms_that_nobody_knows_are_words(index, locked):
    for platform in ("ios_13_0_arm64_iphoneos", "win32", "macosx_11_0_universal2", "linux_armv7l", "sonic"):
        index.add("demo", "1.0", tag=f"cp312-cp312-{platform}")
    places = "ios_13_0_arm64_iphoneos, linux-armv7l, macos-universal2, sonic, windows-32"
    assert f"(1.0 has wheels only for {places})" in locked("demo").err


def test_files_with_names_that_make_no_sense_are_passed_over(index, locked):
    index.add("demo", "1.0")
    for tag in ("none-any", "a-b-c-d-e-f", "py3-none", "0-0"):
        index.add("demo", "9.0", tag=tag)
    index.add("demo", "2004d")
    assert locked("demo").pins == ["demo==1.0"]


def test_withdrawn_releases(index, locked):
    index.add("demo", "1.0", yanked="broken")
    index.add("demo", "2.0", yanked="")
    index.add("top", "1.0", ["demo>=1"])
    run = locked("demo")
    assert run.code == 1
    assert "demo 1.0: withdrawn by its publisher (broken); only an exact pin selects it: demo==1.0" in run.err
    assert "demo 2.0: withdrawn by its publisher; only" in run.err
    assert "withdrawn by its publisher (broken)" in locked("top").err
    pinned = locked("demo==1.0")
    assert pinned.pins == ["demo==1.0"]
    assert "note: demo 1.0 is withdrawn by its publisher (broken)" in pinned.err
    index.add("demo", "0.9")
    assert locked("demo").pins == ["demo==0.9"]


# --- none incomplete -----------------------------------------------------------------------------------------


def missing(pins: dict[str, str], texts: dict[str, str]) -> list[str]:
    """What METADATA texts ask for that is not among the pins, read by the standard library and packaging alone."""
    target = Target(PythonVersion.parse("3.12"), Platform.parse("linux-x86_64"))
    lost = []
    for name, text in texts.items():
        for value in email.message_from_string(text).get_all("Requires-Dist", []):
            asked = Requirement(value)
            holds = asked.marker is None or asked.marker.evaluate({**target.environment, "extra": ""})
            if holds and canonicalize_name(asked.name) not in pins:
                lost.append(f"{name}: {value}")
    return lost


def test_no_lock_has_less_than_its_metadata_asks_for(index, locked, tmp_path):
    """Another reader than ours looks at every pin."""
    names = [f"p{number}" for number in range(len(FIELDS))]
    for (name, after), field in zip(zip(names, [*names[1:], "plain"], strict=True), FIELDS.values(), strict=True):
        index.add(name, "1.0", metadata=headers(name, "1.0", after, "plain; os_name == 'nt'", more=field))
    run = locked("p0")
    pins = dict(pin.split("==") for pin in run.pins)
    texts = {}
    for name, version in pins.items():
        with zipfile.ZipFile(tmp_path / "files" / f"{name}-{version}-py3-none-any.whl") as archive:
            texts[name] = archive.read(f"{name}-{version}.dist-info/METADATA").decode()
    assert missing(pins, texts) == []
    assert sorted(pins) == sorted([*names, "plain"])
    assert missing({"p0": "1.0"}, texts)


@pytest.mark.network
@pytest.mark.parametrize("name", ["kokoro", "mlflow", "jupyter"])
def test_no_live_lock_has_less_than_its_metadata_asks_for(capsys, monkeypatch, name):
    from torchlock.index import read_settings

    monkeypatch.delenv("PIP_CONFIG_FILE")
    assert main(["lock", name, *TARGET, "--no-hashes"]) == 0
    lines = capsys.readouterr().out.splitlines()
    pins = dict(line.split("==") for line in lines if "==" in line and not line.startswith(("#", "-")))
    pins = {pin.partition("[")[0]: version for pin, version in pins.items()}
    index = Index(read_settings())
    texts = {}
    for pin, version in pins.items():
        files = (file for file in index.files(pin) if file.filename.endswith(".whl"))
        file = next((file for file in files if file.filename.split("-")[1] == version), None)
        if file is not None:
            texts[pin] = index.metadata(file)
    assert len(texts) > 1
    assert missing(pins, texts) == []
