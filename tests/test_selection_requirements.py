"""pip's requirements format: what pip reads is read, with the lines it stands on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from torchlock.errors import InputError
from torchlock.manifests import read_document
from torchlock.manifests.selection import read_constraints, read_inputs
from torchlock.manifests.syntax.pip_lines import ENDS, LineJoiner
from torchlock.terms import Inputs, ParsedRequirement

HASH = "sha256:" + "0" * 64
OTHER = "sha512:" + "f" * 128


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOKEN", "s3cret")
    monkeypatch.setenv("EMPTY", "")
    monkeypatch.delenv("UNSET", raising=False)


def read(text: str, name: str = "r.txt") -> Inputs:
    write(name, text)
    return read_inputs(name)


def write(name: str, text: str) -> None:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())


def lines(found: list[ParsedRequirement]) -> list[tuple[int | None, str]]:
    return [(item.origin.line, str(item.requirement or item.url)) for item in found]


def logical_lines(text: str) -> list[tuple[int, str]]:
    """The logical lines of a text, each with the number of its first physical one."""
    joiner, found, offset = LineJoiner(), [], 0
    for physical in text.splitlines(keepends=True):
        found.append(joiner.add(physical.rstrip(ENDS), offset))
        offset += len(physical)
    found.append(joiner.end())
    return [
        (len(re.findall(r"\r\n|\r|\n", text[: line.at(0)])) + 1, line.text) for line in found if line is not None
    ]


# Lines.


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", [], id="nothing"),
        pytest.param("\n  \n\t\n", [], id="blank"),
        pytest.param("# torch\n   # numpy\n#\n", [], id="comments"),
        pytest.param("torch\nnumpy", [(1, "torch"), (2, "numpy")], id="no line end at the end"),
        pytest.param("torch\r\n\r\nnumpy\r\n", [(1, "torch"), (3, "numpy")], id="windows"),
        pytest.param("torch\rnumpy\r", [(1, "torch"), (2, "numpy")], id="old mac"),
        pytest.param("torch # the first\nnumpy\t# x", [(1, "torch"), (2, "numpy")], id="comment behind"),
        pytest.param(
            "x @ https://example.org/a#egg=x # y", [(1, "x @ https://example.org/a#egg=x")], id="hash in address"
        ),
        pytest.param(
            "torch==2.0, \\\n  !=2.0.1\nnumpy", [(1, "torch==2.0,   !=2.0.1"), (3, "numpy")], id="goes on"
        ),
        pytest.param("to\\\nrch", [(1, "torch")], id="goes on within a word"),
        pytest.param("torch \\\r\n>=2\r\n", [(1, "torch >=2")], id="goes on, windows"),
        pytest.param("torch \\\n\nnumpy", [(1, "torch"), (3, "numpy")], id="a blank line ends it"),
        pytest.param("torch \\\n# no\nnumpy", [(1, "torch"), (3, "numpy")], id="a comment line ends it"),
        pytest.param("# no \\\ntorch", [(2, "torch")], id="a comment line does not go on"),
        pytest.param("torch # no \\\nnumpy\nx", [(1, "torch"), (3, "x")], id="a comment behind does"),
        pytest.param("torch \\", [(1, "torch")], id="goes on to the end of the file"),
        pytest.param("\\\n\\\ntorch", [(3, "torch")], id="begins with nothing"),
        pytest.param("a\x0cb\nc", [(1, "a"), (1, "b"), (2, "c")], id="form feed"),
        pytest.param("torch\t  # no\n  \t# \\\nx#y", [(1, "torch"), (3, "x#y")], id="space before comments"),
    ],
)
def test_logical_lines(text: str, expected: list[tuple[int, str]]) -> None:
    assert logical_lines(text) == expected


def test_long_runs_of_spaces_are_read_in_no_time() -> None:
    assert logical_lines(f"torch{' ' * 300_000}numpy") == [(1, f"torch{' ' * 300_000}numpy")]


# Left alone.


def test_an_everyday_file() -> None:
    inputs = read(
        "--extra-index-url https://example.org/whl/cu121  # builds\n"
        "\n"
        "torch==2.3.1+cu121\n"
        "torchaudio ~= 2.3 ; sys_platform != 'darwin'  # not on a Mac\n"
        "Librosa[display]\n"
        "-e .\n"
        "git+https://example.org/asr.git@main#egg=asr\n"
        "./vendored/codec\n"
    )
    assert lines(inputs.requirements) == [
        (3, "torch==2.3.1+cu121"),
        (4, 'torchaudio~=2.3; sys_platform != "darwin"'),
        (5, "Librosa[display]"),
        (6, "."),
        (7, "asr"),
        (8, "./vendored/codec"),
    ]
    assert [item.editable for item in inputs.requirements] == [False, False, False, True, False, False]
    assert inputs.requirements[1].origin == ("r.txt", 4, "torchaudio ~= 2.3 ; sys_platform != 'darwin'")
    assert inputs.extra_index_urls == ["https://example.org/whl/cu121"]
    assert inputs.notes == []


def test_hashes() -> None:
    inputs = read(
        f"torch==2.3.1 \\\n    --hash={HASH} \\\n    --hash {OTHER}\nnumpy --hash={HASH}  # one\nscipy\n"
    )
    assert [(item.origin.line, item.hashes) for item in inputs.requirements] == [
        (1, (HASH, OTHER)),
        (4, (HASH,)),
        (5, ()),
    ]
    assert inputs.requirements[0].origin.text == "torch==2.3.1"
    assert inputs.notes == []


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ("-i https://example.org/simple", "index_url", "https://example.org/simple"),
        ("-ihttps://example.org/simple", "index_url", "https://example.org/simple"),
        ("--index-url https://example.org/simple", "index_url", "https://example.org/simple"),
        ("--index-url=https://example.org/simple", "index_url", "https://example.org/simple"),
        ("--index-url 'https://example.org/simple'", "index_url", "https://example.org/simple"),
        ("--pypi-url https://example.org/simple", "index_url", "https://example.org/simple"),
        ("--extra-index https://example.org/x", "extra_index_urls", ["https://example.org/x"]),
        ("--extra-index-url=https://example.org/?a=b", "extra_index_urls", ["https://example.org/?a=b"]),
        ("-f https://example.org/x.html", "find_links", ["https://example.org/x.html"]),
        ("--find-links ./gone", "find_links", ["./gone"]),
        ("--find-links there", "find_links", ["sub/there"]),
        ("--no-index", "no_index", True),
        ("--pre", "pre", True),
        ("--all-releases :all:", "pre", True),
    ],
)
def test_options(line: str, field: str, value: object) -> None:
    Path("sub/there").mkdir(parents=True)
    inputs = read(line + "\n", "sub/r.txt")
    assert getattr(inputs, field) == value
    assert inputs.notes == []


def test_several_options_on_a_line() -> None:
    inputs = read("--no-index --find-links a -f b --pre\n")
    assert (inputs.no_index, inputs.find_links, inputs.pre) == (True, ["a", "b"], True)


def test_the_last_index_counts() -> None:
    assert read("-i https://example.org/a\n-i https://example.org/b\n").index_url == "https://example.org/b"


@pytest.mark.parametrize(
    "line",
    [
        "--prefer-binary",
        "--require-hashes",
        "--no-require-hashes",
        "--no-binary :all:",
        "--only-binary=torch",
        "--trusted-host example.org",
        "--use-feature fast-deps",
        "--only-final torch",
    ],
)
def test_options_that_mean_nothing_here(line: str) -> None:
    inputs = read(f"{line}\n{line}\ntorch\n")
    assert inputs.notes == [f"r.txt:1: {line.split('=')[0].split()[0]} has no effect here"]
    assert lines(inputs.requirements) == [(3, "torch")]


@pytest.mark.parametrize(
    ("line", "note"),
    [
        ("torch --config-settings a=b", "affects only builds"),
        ("torch --config-setting=a=b", "affects only builds"),
        ("torch -C a=b", "affects only builds"),
        ('torch --global-option="-O2 -g"', "affects only builds"),
        ("torch --index-url https://example.org", "--index-url behind a requirement"),
        ("torch -f https://example.org", "--find-links behind a requirement"),
        (f"--hash={HASH}", "no requirement in front"),
        ("-e . --pre", "--pre on this line"),
        ("-r base.txt -r more.txt", "--requirement on this line"),
        ("-r base.txt more.txt", "'more.txt'"),
        ("-r base.txt ; os_name == 'nt'", "os_name"),
        ("- ./x torch", "'- ./x torch'"),
        ("-- -r gone.txt", "'-- -r gone.txt'"),
        ("pytorch", "call it torch"),
        ("--extra-index-url https://example.org/x\n-i https://example.org", "pip ignore the --extra-index-url"),
    ],
)
def test_what_pip_passes_over_is_noted(line: str, note: str) -> None:
    write("base.txt", "numpy\n")
    inputs = read(f"\n{line}\n")
    assert len(inputs.notes) == 1
    assert inputs.notes[0].startswith(f"r.txt:{2 + line.count(chr(10))}: ")
    assert note in inputs.notes[0]


# Environment variables.


def test_environment_variables() -> None:
    inputs = read(
        "--index-url https://${TOKEN}@example.org/${UNSET}/${EMPTY}/$TOKEN/${token}\n"
        "x @ https://${TOKEN}@example.org/x.zip\n"
    )
    assert inputs.index_url == "https://s3cret@example.org/${UNSET}/${EMPTY}/$TOKEN/${token}"
    assert inputs.requirements[0].url == "https://s3cret@example.org/x.zip"
    assert inputs.requirements[0].origin.text == "x @ https://${TOKEN}@example.org/x.zip"


@pytest.mark.parametrize(
    "line",
    [
        "torch --hash=${TOKEN}",
        "x = https://${TOKEN}@example.org/x.zip",
        "x @ https://${TOKEN}@example.org/ y",
        "-r https://${TOKEN}@example.org/r.txt",
        "--nonsense https://${TOKEN}@example.org",
        "-i https://${TOKEN}@example.org/'",
    ],
)
def test_errors_do_not_tell_secrets(line: str) -> None:
    with pytest.raises(InputError) as caught:
        read(line)
    assert "s3cret" not in f"{caught.value} {caught.value.hint}"


# Files that include others.


@pytest.mark.parametrize(
    "option", ["-r base.txt", "-rbase.txt", "--requirement base.txt", "--requirem=./base.txt"]
)
def test_included_files_are_relative_to_the_file(option: str) -> None:
    write("sub/base.txt", "torch\n-r ../top.txt\n")
    write("top.txt", "\nnumpy\n")
    inputs = read(f"{option}\nscipy\n", "sub/r.txt")
    assert [(item.origin.path, item.origin.line) for item in inputs.requirements] == [
        ("sub/base.txt", 1),
        ("sub/../top.txt", 2),
        ("sub/r.txt", 2),
    ]


def test_an_included_file_by_its_address() -> None:
    write("base.txt", "torch\n")
    inputs = read(f"-r {Path('base.txt').resolve().as_uri()}\n")
    assert len(inputs.requirements) == 1


def test_constraints() -> None:
    write("c.txt", "torch<2.4\nnumpy[x]<2 ; os_name == 'nt'\n--extra-index-url https://example.org/x\n")
    inputs = read("-c c.txt\ntorch\n")
    assert lines(inputs.requirements) == [(2, "torch")]
    assert lines(inputs.constraints) == [(1, "torch<2.4"), (2, 'numpy[x]<2; os_name == "nt"')]
    assert inputs.extra_index_urls == ["https://example.org/x"]
    assert lines(read_constraints("c.txt").constraints) == lines(inputs.constraints)


def test_what_a_constraints_file_includes_are_constraints() -> None:
    write("base.txt", "torch<2.4\n")
    write("c.txt", "-r base.txt\n")
    inputs = read("-c c.txt\n-r base.txt")
    assert lines(inputs.constraints) == [(1, "torch<2.4")]
    assert lines(inputs.requirements) == [(1, "torch<2.4")]
    assert len(inputs.notes) == 1


@pytest.mark.parametrize("line", ["./x", "-e git+https://example.org/x#egg=x", "https://example.org/x.zip"])
def test_no_constraints(line: str) -> None:
    write("c.txt", f"torch\n{line}\n")
    with pytest.raises(InputError, match=r"^c\.txt:2: .* cannot be a constraint"):
        read_constraints("c.txt")


def test_a_file_included_twice_is_read_once() -> None:
    write("base.txt", "torch\n")
    write("a.txt", "-r base.txt\n")
    write("b.txt", "-r ./base.txt\n")
    assert lines(read("-r a.txt\n-r b.txt\n-r base.txt\n").requirements) == [(1, "torch")]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        pytest.param({"r.txt": "-r r.txt"}, "r.txt:1: these files include each other: r.txt → r.txt", id="itself"),
        pytest.param(
            {"r.txt": "-r sub/a.txt", "sub/a.txt": "\n-r b.txt", "sub/b.txt": "-c a.txt"},
            "sub/b.txt:1: these files include each other: sub/a.txt → sub/b.txt → sub/a.txt",
            id="two others",
        ),
    ],
)
def test_a_circle(files: dict[str, str], message: str) -> None:
    for name, text in files.items():
        write(name, text)
    with pytest.raises(InputError) as caught:
        read_inputs("r.txt")
    assert str(caught.value) == message


def test_files_that_include_others_without_end() -> None:
    for number in range(2000):
        write(f"{number}.txt", f"-r {number + 1}.txt")
    for reader in (read_inputs, read_constraints):
        with pytest.raises(InputError, match="nested too deeply"):
            reader("0.txt")


# Refused.


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        pytest.param("numpy\n\ntorch=1.0\n", 3, "'torch=1.0' is not a requirement", id="requirement"),
        pytest.param("numpy\ntorch \\\n = \\\n 1.0\n", 2, "is not a requirement", id="first line of several"),
        pytest.param("\n-r gone.txt", 2, "gone.txt: there is no such file", id="missing file"),
        pytest.param("-r .", 1, "is a folder", id="folder"),
        pytest.param("-r https://example.org/r.txt", 1, "not fetched", id="file on the network"),
        pytest.param("-r", 1, "--requirement needs a value", id="no value"),
        pytest.param("torch --hash", 1, "--hash needs a value", id="no hash"),
        pytest.param("torch --hash=00", 1, "--hash=00", id="hash without algorithm"),
        pytest.param("torch --hash=md5:00", 1, "--hash=md5:00", id="weak hash"),
        pytest.param("--hash=md5:00", 1, "--hash=md5:00", id="weak hash of nothing"),
        pytest.param(f"torch\t--hash={HASH}", 1, "is not a requirement", id="tab in front of an option"),
        pytest.param("-i https://example.org\n./x ; python < 3", 2, "is not a requirement", id="marker of a path"),
        pytest.param("--pre=yes", 1, "--pre takes no value", id="flag with value"),
        pytest.param("--no=x", 1, "--no could be", id="ambiguous"),
        pytest.param("--process-dependency-links", 1, "is not an option", id="unknown option"),
        pytest.param("-x", 1, "-x is not an option", id="unknown short option"),
        pytest.param("torch --upgrade", 1, "is not an option", id="unknown behind a requirement"),
        pytest.param("-i 'https://example.org", 1, "quotation", id="open quote"),
        pytest.param("torch -e .", 1, "-e must begin its own line", id="editable behind a requirement"),
        pytest.param("-e torch==2.0", 1, "only a folder", id="editable without folder"),
        pytest.param("- torch", 1, "pip ignores '- torch'", id="an item of a list in Markdown"),
        pytest.param("-e x @ git+https://example.org/x", 1, "no name in front", id="name before an editable"),
        pytest.param("-e git+https://example.org/x", 1, "needs its name", id="editable repository without a name"),
        pytest.param("git+https://example.org/x#egg=x==1", 1, "without a version", id="version in an egg"),
        pytest.param("git://example.org/x#egg=x", 1, "begins with git://", id="git's own protocol"),
    ],
)
def test_refused(text: str, line: int, words: str) -> None:
    with pytest.raises(InputError) as caught:
        read(text)
    assert (caught.value.path, caught.value.line) == ("r.txt", line)
    assert words in caught.value.message


def test_all_wrong_lines_are_reported() -> None:
    write("r.txt", "torch=1\nnumpy\n-r base.txt\n--what\n")
    write("base.txt", "scipy\n?\n")
    document = read_document("r.txt")
    assert [(entry.path, entry.name) for entry in document.entries] == [
        ("r.txt", "torch"),
        ("r.txt", "numpy"),
        ("base.txt", "scipy"),
    ]
    errors = [issue.origin or ("r.txt", issue.place.line) for issue in document.issues]
    assert [tuple(error[:2]) for error in errors] == [("r.txt", 1), ("base.txt", 2), ("r.txt", 4)]
