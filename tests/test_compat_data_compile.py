"""scripts/compile_rules.py: what it makes of tables, and how it refuses those that are not of the form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import compile_rules
from compiling.values import TableError, requirement_row
from refreshing.build_files import write_tables
from refreshing.build_rendering import Renderer
from refreshing.build_rows import Tables, Wheel, add_rows

SOURCES = """
[s]
address = "wheel: torchaudio 2.8.0, METADATA"
kind = "declared"
date = 2026-11-23
"""
RULE = """
[[rule]]
id = "TL101"
title = "torchaudio goes with its torch"
because = "it is compiled against it"
kind = "declared"
sources = ["s"]
checked = 2026-11-22
severity = "error"
rank = 10
by = ["audit"]
what = "Compares the two."
why = "It does not load."
example = "torchaudio==2.8.0 and torch==2.7.0."
fix = "Use its torch."
"""
STATEMENT = """
[[rule.statement]]
when = "torchaudio==2.8.0"
needs = ["torch==2.8.0"]
"""
SYSTEM = """
[[system]]
id = "debian-12"
title = "Debian 12"
platforms = ["linux"]
libc = "glibc 2.36"
install = "apt-get install -y {packages}"
kind = "declared"
sources = ["s"]
checked = 2026-11-23
library.libsox = { version = "14.4.2", packages = ["libsox-dev"] }
"""
BUILDS = """
[[builds]]
package = "torch"
kind = "declared"
sources = ["s"]
checked = 2026-11-23
rows = [["2.5.0 2.5.1", "linux-x86_64", "3.9-3.13 3.13t", "cpu cu124"]]
"""


ACCELERATORS = """
labels = "cu128 cpu"
without_gpu_code = ["torchtext"]
toolkit_sources = ["s"]
checked = 2026-11-23
[[driver]]
cuda = ">=12,<13"
linux = "525.60.13"
windows = "528.33"
windows_below = "525"
kind = "declared"
sources = ["s"]
[[code]]
package = "torch"
torch = "2.8"
build = "cu128"
platform = "linux-x86_64"
code = "sm_75"
kind = "declared"
sources = ["s"]
"""
GPUS = """
checked = 2026-11-23
[[gpu]]
arch = "sm_75"
title = "Turing"
names = ["RTX 2080"]
sources = ["s"]
"""
STACK = """
[[member]]
name = "torch"
role = "core"
effect = "import"
"""

IMAGES = """
trains = [["2.8.0", "0.23.0", "2.8.0"], ["2.14.1", "", "2.11.0"]]

[bare]
names = '(?:^|/)debian'
python = 'python:(3\\.\\d+)'
kind = "declared"
sources = ["s"]
checked = 2026-11-23
systems = { "debian-12" = ["bookworm"] }

[[family]]
id = "pytorch"
title = "PyTorch"
names = 'pytorch/pytorch'
tag = '(?P<torch>[0-9.]+)-cuda(?P<cuda>[0-9.]+)'
kind = "declared"
sources = ["s"]
checked = 2026-11-23

[[family.row]]
torch = ">=2.8"
python = "3.11"
libc = "glibc 2.35"
build = "cu{cuda}"
companions = ["torchaudio"]
holds = { NumPy = "2.0.2" }
"""


INDEX = """
[index]
address = "https://example.org/whl"
kind = "declared"
sources = ["s"]
checked = 2026-11-22
"""


PAGES = """
[allowed]
kind = "declared"
sources = ["s"]
checked = 2026-11-22
projects = "numpy pillow"
[present]
kind = "declared"
sources = ["s"]
checked = 2026-11-22
projects = "numpy"
"""

PYTHON = """
[[removed]]
release = "3.13"
names = ["aifc"]
kind = "declared"
sources = ["s"]
"""

FAILURE = """
[[failure]]
line = "x.h"
says = "its build needs x.h"
fix = "Install it."
kind = "declared"
sources = ["s"]
checked = 2026-11-30
"""
MODULES = """
[modules]
same = ["soundfile"]
[modules.other]
cv2 = "opencv-python"
"""
LIBRARY = """
[[library]]
name = 'libx\\.so'
what = ", a library"
because = "it is needed"
look = "Install it."
kind = "measured"
sources = ["s"]
checked = 2026-11-23
"""


def folder(
    path: Path,
    *,
    rules: str = RULE + STATEMENT,
    sources: str = SOURCES,
    systems: str = SYSTEM,
    builds: str = BUILDS,
    index: str = INDEX,
    accelerators: str = ACCELERATORS,
    gpus: str = GPUS,
    pages: str = PAGES,
    images: str = IMAGES,
    python: str = "",
    libraries: str = "",
    failures: str = "",
    modules: str = MODULES,
) -> Path:
    """A data folder of one file of each kind."""
    (path / "builds").mkdir()
    (path / "builds" / "index.toml").write_text(index, encoding="utf-8")
    (path / "builds" / "published.toml").write_text(builds, encoding="utf-8")
    (path / "builds" / "index_pages.toml").write_text(pages, encoding="utf-8")
    (path / "stack.toml").write_text(STACK, encoding="utf-8")
    (path / "conda.toml").write_text("", encoding="utf-8")
    (path / "libraries.toml").write_text(libraries, encoding="utf-8")
    (path / "build_failures.toml").write_text(failures, encoding="utf-8")
    (path / "modules.toml").write_text(modules, encoding="utf-8")
    (path / "names.toml").write_text("", encoding="utf-8")
    (path / "python.toml").write_text(python, encoding="utf-8")
    (path / "builds" / "accelerators.toml").write_text(accelerators, encoding="utf-8")
    (path / "builds" / "gpus.toml").write_text(gpus, encoding="utf-8")
    (path / "builds" / "images.toml").write_text(images, encoding="utf-8")
    (path / "rules").mkdir()
    (path / "systems").mkdir()
    (path / "rules" / "torchaudio.toml").write_text(rules, encoding="utf-8")
    (path / "sources.toml").write_text(sources, encoding="utf-8")
    (path / "systems" / "debian.toml").write_text(systems, encoding="utf-8")
    return path


def compiled(path: Path, name: str = "rules.json") -> Any:
    return json.loads(compile_rules.compile_all(path)[name])


def test_a_rule_becomes_rows_under_the_name_it_speaks_of(tmp_path: Path) -> None:
    assert compiled(folder(tmp_path)) == {
        "date": "2026-11-22",
        "rules": {
            "TL101": {
                "title": "torchaudio goes with its torch",
                "because": "it is compiled against it",
                "kind": "declared",
                "sources": ["s"],
                "checked": "2026-11-22",
            }
        },
        "sources": {
            "s": {"address": "wheel: torchaudio 2.8.0, METADATA", "kind": "declared", "date": "2026-11-23"}
        },
        "statements": {
            "torchaudio": [{"rule": "TL101", "when": ["torchaudio", "==2.8.0"], "needs": [["torch", "==2.8.0"]]}]
        },
    }


def test_a_statement_may_override_the_grounds_of_its_rule(tmp_path: Path) -> None:
    own = 'because = "a run says so"\nkind = "measured"\nsources = ["s"]\nchecked = 2026-11-23\n'
    table = compiled(folder(tmp_path, rules=RULE + STATEMENT + own))
    row = table["statements"]["torchaudio"][0]
    assert (row["because"], row["kind"], row["checked"]) == ("a run says so", "measured", "2026-11-23")
    assert table["date"] == "2026-11-23"


def test_statements_may_stand_in_the_table_of_drivers(tmp_path: Path) -> None:
    """A statement says what certainly fails: the lower floor where sources disagree."""
    rule = RULE.replace("TL101", "TL202") + 'statements_of = "drivers"\n'
    table = compiled(folder(tmp_path, rules=rule))
    assert [(row["when"], row["needs"]) for row in table["statements"]["build-cuda"]] == [
        (["build-cuda", "<13,>=12", 'sys_platform == "linux"'], [["host-cuda-driver", ">=525.60.13"]]),
        (["build-cuda", "<13,>=12", 'sys_platform == "win32"'], [["host-cuda-driver", ">=525"]]),
    ]


def test_a_library_keeps_its_words_and_its_grounds(tmp_path: Path) -> None:
    (row,) = compiled(folder(tmp_path, libraries=LIBRARY), "libraries.json")["libraries"]
    assert (row["name"], row["look"], row["sources"]) == ("libx\\.so", "Install it.", ["s"])


def test_a_system_keeps_its_libraries(tmp_path: Path) -> None:
    table = compiled(folder(tmp_path), "systems.json")
    assert table["systems"]["debian-12"]["library"] == {
        "libsox": {"version": "14.4.2", "packages": ["libsox-dev"]}
    }


def test_images_keep_what_is_known_and_nothing_else(tmp_path: Path) -> None:
    table = compiled(folder(tmp_path), "images.json")
    assert table["trains"] == {
        "2.8.0": {"torchvision": "0.23.0", "torchaudio": "2.8.0"},
        "2.14.1": {"torchaudio": "2.11.0"},
    }
    assert table["bare"]["words"] == {"bookworm": "glibc 2.36"}
    (family,) = table["families"]
    assert family["checked"] == "2026-11-23"
    assert family["rows"] == [
        {
            "torch": ">=2.8",
            "python": "3.11",
            "libc": "glibc 2.35",
            "build": "cu{cuda}",
            "companions": ["torchaudio"],
            "holds": {"numpy": "2.0.2"},
        }
    ]


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("torch", ["torch"]),
        ("Torch_Audio==2.8.0", ["torch-audio", "==2.8.0"]),
        ("torch<2.3; sys_platform=='win32'", ["torch", "<2.3", 'sys_platform == "win32"']),
        ("torch; sys_platform=='win32'", ["torch", "", 'sys_platform == "win32"']),
        ("uvicorn[standard]>=1", ["uvicorn", ">=1", "", ["standard"]]),
        ("build-cuda=={cuda}", ["build-cuda", "=={cuda}"]),
        ("build-cuda=={cuda_major}.*", ["build-cuda", "=={cuda_major}.*"]),
    ],
)
def test_requirements_are_taken_apart(text: str, row: list[Any]) -> None:
    assert requirement_row(text, braces=True) == row


def test_the_same_tables_give_the_same_bytes(tmp_path: Path) -> None:
    path = folder(tmp_path)
    assert compile_rules.compile_all(path) == compile_rules.compile_all(path)


def test_check_writes_nothing_and_says_what_is_stale(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder(tmp_path)
    assert compile_rules.main(["--check", "--data", str(path)]) == 1
    assert "rules.json" in capsys.readouterr().err
    assert not (path / "compiled").exists()
    assert compile_rules.main(["--data", str(path)]) == 0
    assert compile_rules.main(["--check", "--data", str(path)]) == 0
    assert sorted(file.name for file in (path / "compiled").iterdir()) == [
        "accelerators.json",
        "build_failures.json",
        "builds.json",
        "conda.json",
        "declared.json",
        "images.json",
        "index.json",
        "index_pages.json",
        "libraries.json",
        "modules.json",
        "names.json",
        "python.json",
        "registry.json",
        "rules.json",
        "stack.json",
        "stories.json",
        "systems.json",
    ]


@pytest.mark.parametrize(
    ("tables", "says"),
    [
        pytest.param({"rules": "[[rule"}, "torchaudio.toml: not valid TOML", id="not TOML"),
        pytest.param(
            {"python": PYTHON.replace("3.13", "4")},
            "python.toml: release: must be like '3.13'",
            id="another Python",
        ),
        pytest.param(
            {"python": PYTHON.replace('["s"]', '["x"]')}, "unknown source 'x'", id="no source of a removal"
        ),
        pytest.param(
            {"python": PYTHON + '[backports]\nother = "it"\n'}, "'other' is not a removed module", id="no removal"
        ),
        pytest.param(
            {"libraries": LIBRARY.replace("libx", "lib(x")}, "libraries.toml: name: not a pattern", id="no pattern"
        ),
        pytest.param(
            {"libraries": LIBRARY.replace('["s"]', '["t"]')}, "unknown source 't'", id="no source of a library"
        ),
        pytest.param(
            {"failures": FAILURE.replace("x.h", "(x.h")}, "build_failures.toml: line: not a pattern", id="no line"
        ),
        pytest.param({"modules": MODULES + "[x]\n"}, "modules.toml: x: unknown key", id="no table of modules"),
        pytest.param(
            {"failures": FAILURE.replace("it.", "it")}, "fix: must end with a full stop", id="no full stop"
        ),
        pytest.param(
            {"pages": PAGES.replace('"numpy"', '"torch"')}, "is not allowed: ['torch']", id="a project on no page"
        ),
        pytest.param(
            {"pages": PAGES.replace("numpy pillow", "numpy Pillow")},
            "must be normalised",
            id="a name with capitals",
        ),
        pytest.param(
            {"pages": PAGES.replace("numpy pillow", "numpy numpy")}, "a project twice", id="a project twice"
        ),
        pytest.param({"pages": "[present]\n"}, "index_pages.toml: allowed: must be a table", id="half a table"),
        pytest.param(
            {"pages": PAGES.replace('["s"]', '["t"]')}, "allowed.sources: unknown source", id="a source of a page"
        ),
        pytest.param(
            {"index": INDEX.replace("/whl", "/whl/")},
            "index.toml: address: must be an https address",
            id="an address with a slash",
        ),
        pytest.param(
            {"index": INDEX.replace('["s"]', '["t"]')},
            "index.toml: sources: 't' is not in",
            id="a source",
        ),
        pytest.param({"index": "index = 1"}, "index.toml: index: must be a table", id="an index that is a number"),
        pytest.param(
            {"builds": BUILDS + 'never = [["2.5.0", "cu132"]]'},
            "builds[0].never[0]: must be a list of three texts",
            id="a build that never was, without a platform",
        ),
        pytest.param(
            {"builds": BUILDS + 'never = [["2.5.0", "windows", "cu132"]]'},
            "builds[0].never[0]: 'windows' is not one of linux-x86_64",
            id="a build that never was, on an odd platform",
        ),
        pytest.param(
            {"builds": BUILDS + 'never = [["2.5.0", "", "cuda"]]'},
            "builds[0].never[0]: 'cuda' is not like cpu",
            id="a build that never was, without a label",
        ),
        pytest.param({"rules": "[[rules]]"}, "torchaudio.toml: rules: unknown key", id="a table by another name"),
        pytest.param({"rules": RULE + 'extra = "x"'}, "rule[0].extra: unknown key", id="an unknown key of a rule"),
        pytest.param(
            {"rules": RULE + STATEMENT + 'need = ["x"]'},
            "rule[0].statement[0].need: unknown key",
            id="an unknown key of a statement",
        ),
        pytest.param(
            {"rules": RULE.replace("TL101", "TL1") + STATEMENT},
            "rule[0].id: 'TL1' is not of the form",
            id="an odd id",
        ),
        pytest.param({"rules": (RULE + STATEMENT) * 2}, "rule[1].id: TL101 is there twice", id="an id twice"),
        pytest.param(
            {"rules": RULE.replace("it is compiled against it", "It is.") + STATEMENT},
            "rule[0].because: must be a clause",
            id="a sentence for a clause",
        ),
        pytest.param(
            {"rules": RULE.replace('"declared"', '"guessed"') + STATEMENT},
            "rule[0].kind: must be one of declared, measured, reported",
            id="a kind of its own",
        ),
        pytest.param(
            {"rules": RULE.replace("2026-11-22", '"today"') + STATEMENT},
            "rule[0].checked: must be a date",
            id="a text for a date",
        ),
        pytest.param(
            {"rules": RULE.replace('["s"]', '["t"]') + STATEMENT},
            "rule[0].sources: 't' is not in sources.toml",
            id="a source that is not there",
        ),
        pytest.param(
            {"rules": RULE + STATEMENT.replace("==2.8.0", "=2.8.0")},
            "rule[0].statement[0].when: 'torchaudio=2.8.0' is not a requirement",
            id="a when that nobody can read",
        ),
        pytest.param(
            {"rules": RULE + STATEMENT.replace("torch==2.8.0", "torch ==")},
            "rule[0].statement[0].needs[0]: 'torch ==' is not a requirement",
            id="a need that nobody can read",
        ),
        pytest.param(
            {"rules": RULE + '[[rule.statement]]\nwhen = "torchaudio"'},
            "rule[0].statement[0]: says nothing",
            id="a statement that says nothing",
        ),
        pytest.param(
            {"rules": RULE + STATEMENT + "never = false"}, "never: must be true, or left out", id="never = false"
        ),
        pytest.param(
            {"rules": RULE + STATEMENT + 'build = "rocm6.4"'}, "build: must be cuda, cpu or", id="a build"
        ),
        pytest.param(
            {"rules": RULE + STATEMENT + "optional = true"},
            "optional: only goes with needs on host",
            id="an optional package",
        ),
        pytest.param(
            {"rules": RULE + STATEMENT.replace("torch==2.8.0", "build-cuda=={cuda}")},
            "needs: braces stand for a CUDA version",
            id="braces without a build",
        ),
        pytest.param(
            {"rules": RULE + STATEMENT + '[[unpartnered]]\ntorch = "1.0"'},
            "unpartnered[0].package: must be a text",
            id="half an exception",
        ),
        pytest.param({"sources": SOURCES + 'by = "x"'}, "sources.toml: s.by: unknown key", id="a key of a source"),
        pytest.param(
            {"sources": SOURCES + 'platform = "sun"'},
            "sources.toml: s.platform: must be one of linux, macos, windows",
            id="the operating system of a source",
        ),
        pytest.param({"sources": "s = 1"}, "sources.toml: s: must be a table", id="a source that is not a table"),
        pytest.param(
            {"systems": SYSTEM.replace("glibc 2.36", "2.36")},
            "debian.toml: system[0].libc: must be like 'glibc 2.36'",
            id="a libc without its name",
        ),
        pytest.param(
            {"systems": SYSTEM.replace(" {packages}", "")},
            "system[0].install: must contain {packages}",
            id="an install command without packages",
        ),
        pytest.param(
            {"systems": SYSTEM.replace('"14.4.2"', '"14.4.2+git"')},
            "system[0].library.libsox.version: '14.4.2+git' is not the version of a release",
            id="a version of the distribution",
        ),
        pytest.param(
            {"accelerators": ACCELERATORS.replace("525.60.13", "525.x")},
            "accelerators.toml: driver[0].linux: '525.x' is not like 525.60.13",
            id="a driver that is not a number",
        ),
        pytest.param(
            {"accelerators": ACCELERATORS.replace("sm_75", "75")},
            "accelerators.toml: code[0].code: '75' is not of the form",
            id="an architecture without its kind",
        ),
        pytest.param(
            {"accelerators": ACCELERATORS.replace('torch = "2.8"', 'torch = "2.8.0"')},
            "accelerators.toml: code[0].torch: '2.8.0' is not of the form",
            id="a release where a series is wanted",
        ),
        pytest.param(
            {"accelerators": ACCELERATORS.replace('["s"]\n[[code]]', '["t"]\n[[code]]')},
            "'t' is not in sources.toml",
            id="a driver without a source",
        ),
        pytest.param(
            {"gpus": GPUS.replace("sm_75", "turing")},
            "gpus.toml: gpu[0].arch: 'turing' is not like sm_86",
            id="a GPU without an architecture",
        ),
        pytest.param(
            {"rules": RULE + 'statements_of = "engines"'},
            "rule[0].statements_of: must be one of drivers",
            id="statements of a table that is not there",
        ),
        pytest.param(
            {"images": IMAGES.replace('"cu{cuda}"', '"cuda{cuda}"')},
            "images.toml: family[0].row[0].build: must be like cpu",
            id="a build of an image",
        ),
        pytest.param(
            {"images": IMAGES.replace("(?P<cuda>", "(?P<cudnn>")},
            "family[0].tag: its groups must be some of",
            id="a group of a tag",
        ),
        pytest.param(
            {"images": IMAGES.replace("(?P<torch>", "(?P<torch")},
            "family[0].tag: is not a regular expression",
            id="a pattern of tags",
        ),
        pytest.param(
            {"images": IMAGES.replace('torch = ">=2.8"\n', "")},
            "family[0].row[0]: a row names either releases of torch or tags",
            id="a row of an image that covers nothing",
        ),
        pytest.param(
            {"images": IMAGES.replace('"debian-12"', '"debian-1"')},
            "images.toml: bare.systems: 'debian-1' is not a system",
            id="an image of an unknown system",
        ),
        pytest.param({"systems": SYSTEM * 2}, "system[1].id: debian-12 is there twice", id="a system twice"),
    ],
)
def test_what_is_not_of_the_form_is_refused_with_file_and_key(
    tables: dict[str, str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compile_rules.main(["--data", str(folder(tmp_path, **tables))]) == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "compiled").exists()


def test_files_become_rows_of_builds(tmp_path: Path) -> None:
    """A file shows a build, a platform and a Python; one that a list of all builds has adds nothing."""
    sources = SOURCES + SOURCES.replace("[s]", "[index-files]")
    path = folder(tmp_path, sources=sources, builds=BUILDS + "complete = true\n")
    made = Tables(date="2026-11-28")
    names = {
        "cu124": ["torch-2.5.1+cu124-cp312-cp312-linux_x86_64.whl", "torch-2.5.1-cp312-cp312-linux_aarch64.whl"],
        "cpu": ["torch-2.5.1-cp312-none-macosx_11_0_arm64.whl", "torch-2.5.1+cpu-cp312-cp312-linux_s390x.whl"],
        "cpu-cxx11-abi": ["torch-2.5.1+cpu.cxx11.abi-cp312-cp312-linux_x86_64.whl"],
        "cu128": [
            f"torch-2.7.0+cu128-{tags}" for tags in ("cp312-cp312-win_amd64.whl", "cp313-cp313t-win_amd64.whl")
        ],
        "root": ["triton-3.1.0-cp312-cp312-manylinux_2_17_x86_64.whl"],
    }
    rows = [Wheel(each, name, sources=(1,)) for each, some in names.items() for name in some]
    add_rows(made, rows, {1: "a/one uv.lock 0123456789ab 2026-01-01"})
    write_tables(path / "builds", made, Renderer(path / "releases", lambda *_: None))
    builds = compiled(path, "builds.json")
    assert builds["date"] == "2026-11-28"
    assert list(builds["packages"]) == ["torch"]
    assert [row[1:] for row in builds["packages"]["torch"]["2.5.1"][1:]] == [
        [["macos-arm64"], ["3.12"], ["plain=cpu"]],
        [["linux-aarch64"], ["3.12"], ["plain=cu124"]],
    ]
    assert [row[1:] for row in builds["packages"]["torch"]["2.7.0"]] == [
        [["windows-amd64"], ["3.12", "3.13t"], ["cu128"]]
    ]
    assert builds["groups"][-1] == {"kind": "reported", "sources": ["index-files"], "checked": "2026-11-28"}
    (path / "sources.toml").write_text(SOURCES, encoding="utf-8")
    with pytest.raises(TableError, match="'index-files' is not in"):
        compile_rules.compile_all(path)
