"""Where settings come from: the nearest file, the user's file, variables; what is wrong is named by its line."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from support.configured import BAD, put
from support.configured import home as home
from torchlock.cli.main import main
from torchlock.jobs import config_files
from torchlock.runtime import files

TARGET = ["--python", "3.12", "--platform", "linux-x86_64", "--offline"]


pytestmark = pytest.mark.usefixtures("home")


def user(home: Path, text: str) -> Path:
    return put(home / "home" / "torchlock" / "torchlock.toml", text)


def value(capsys: pytest.CaptureFixture[str], name: str, *words: str, command: str = "lock") -> tuple[Any, Any]:
    """The value of a setting, and where it comes from."""
    capsys.readouterr()
    assert main(["config", "show", command, "--json", *words]) == 0
    row = json.loads(capsys.readouterr().out)["settings"][command][name]
    source = row["from"]
    found = row["value"]
    if isinstance(found, list):
        (found,) = found or [None]
    return found, source.get("line") or source.get("name") or source["kind"]


def test_the_nearest_file_counts(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    put(home / "pyproject.toml", '[tool.torchlock]\npython = "3.9"\n')
    monkeypatch.chdir(home / "project" / "sub" / "deep")
    assert value(capsys, "python") == ("3.9", 2)
    put(home / "project" / "pyproject.toml", '[project]\nname = "x"\n# torchlock\n')
    assert value(capsys, "python") == ("3.9", 2)
    put(home / "project" / "pyproject.toml", '[project]\nname = "x"\n[tool.torchlock]\npython = "3.10"\n')
    assert value(capsys, "python") == ("3.10", 4)
    put(home / "project" / "torchlock.toml", "# ours\n\n\n\npython = '3.11'\n")
    assert value(capsys, "python") == ("3.11", 5)
    put(home / "project" / "sub" / "torchlock.toml", "")
    assert value(capsys, "python") == (None, "default")


def test_what_is_stronger(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    user(home, "python = '3.9'\nprefer = 'lowest'\n")
    assert value(capsys, "python") == ("3.9", 1)
    put(home / "project" / "torchlock.toml", "\npython = '3.10'\n")
    assert value(capsys, "python") == ("3.10", 2)
    assert value(capsys, "prefer") == ("lowest", 2)
    named = put(home / "other" / "any-name.toml", "\n\npython = '3.11'\n")
    assert value(capsys, "python", "--config", str(named)) == ("3.11", 3)
    assert value(capsys, "prefer", f"--config={named}") == ("highest", "default")
    assert value(capsys, "python", "--no-config") == (None, "default")
    monkeypatch.setenv("TORCHLOCK_CONFIG_FILE", str(named))
    assert value(capsys, "python") == ("3.11", 3)
    monkeypatch.setenv("TORCHLOCK_NO_CONFIG", "1")
    assert value(capsys, "python") == (None, "default")
    assert value(capsys, "python", "--config", str(named)) == ("3.11", 3)
    monkeypatch.setenv("TORCHLOCK_PYTHON", "3.12")
    assert value(capsys, "python", "--config", str(named)) == ("3.12", "TORCHLOCK_PYTHON")
    assert main(["lock", "torchaudio", *TARGET[2:], "--python", "3.8", "--no-hashes"]) == 0
    assert "torchaudio==2.4.1\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--config", "none.toml"], "none.toml: cannot be read as configuration: there is no such file"),
        (["--config", "sub"], "sub: cannot be read as configuration: it is not a file that can be read"),
        (["--config", "pyproject.toml"], "pyproject.toml: has no table [tool.torchlock]"),
        (["--config", "broken.toml"], "broken.toml:2: not valid TOML"),
        (["--config", "broken.toml", "--no-config"], "--config and --no-config exclude each other"),
        (["--config", "a.toml", "--config=b.toml"], "this option takes one value"),
        (["--config"], "--config needs a value"),
    ],
)
def test_a_file_that_is_named_is_there(words: list[str], said: str, capsys: Any) -> None:
    put(Path("pyproject.toml"), '[project]\nname = "x"\n')
    put(Path("broken.toml"), "\npython = \n")
    assert main(["explain", "TL101", *words]) == 2
    assert said in capsys.readouterr().err


def test_the_user_may_set_more_and_not_all(home: Path, capsys: Any) -> None:
    put(home / "home" / "torchlock" / "cache" / "note", "")
    user(home, 'cache-dir = "cache"\noutput = "~/x.txt"\nbuild = true\npython = "python3"\n')
    assert value(capsys, "cache-dir")[0] == str(home / "home" / "torchlock" / "cache")
    assert value(capsys, "output")[0] == str(Path("~/x.txt").expanduser())
    assert value(capsys, "build") == (True, 3)
    where = user(home, "strict = true\nprobe = true\n")
    assert main(["audit"]) == 2
    said = capsys.readouterr().err
    assert f"{where}:2: a configuration file may not set probe" in said
    assert "TORCHLOCK_PROBE" not in said
    where.unlink()
    named = put(home / "named" / "pyproject.toml", "[tool.torchlock]\nbuild = true\n")
    assert main(["explain", "TL101", "--config", str(named)]) == 2
    assert "a project may not set build" in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="owners of POSIX")
def test_a_file_of_another_user_is_not_used(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    planted = put(home / "torchlock.toml", "index-url = 'https://example.org/simple'\n")
    real = os.stat

    def owned(path: Any, *rest: Any, **named: Any) -> Any:
        found = real(path, *rest, **named)
        if path != str(planted):
            return found
        return os.stat_result([*found[:4], os.geteuid() + 4321, *found[5:10]])

    monkeypatch.setattr(config_files.os, "stat", owned)
    assert main(["explain", "TL101"]) == 0
    assert f"warning: {planted} is not used, because it belongs to another user" in capsys.readouterr().err
    assert value(capsys, "index-url") == (None, "default")
    assert value(capsys, "index-url", "--config", str(planted))[1] == 1


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("\npython = 3.10\n", 2, "python = 3.10 is the number 3.1, but must be a string"),
        ("strict = true\nstrikt = true\n", 2, "unknown option 'strikt'"),
        ("exclude-newer = 2025-03-31\nexclude_newer = 2025-03-31\n", 2, "exclude-newer is set twice"),
        ('system-lib = [\n  "ffmpeg=6.1",\n  "sox=1",\n]\n', 3, "system-lib: invalid value 'sox=1'"),
        ('system-lib = [\n  "ffmpeg=6.1",\n  "libsox",\n]\n', 3, "system-lib: invalid value 'libsox'"),
        ('ignore = [\n  "TL101",\n\n  "TL999",\n]\n', 4, "ignore: unknown rule TL999"),
        ("group = [\n 'a',\n ['b']]\n", 1, "group: ['b'] is not a single value"),
        ("prefer = 'best'\n", 1, "prefer: unknown value 'best'"),
        ("probe-seconds = 'long'\n", 1, "probe-seconds: 'long' is not a number"),
        ("\nsystem = 'windows-95'\n", 2, "system"),
        ("\nlock.python = '3.12'\n", 2, "unknown option 'lock'"),
        ("\n[lock]\npython = '3.12'\n", 2, "unknown option 'lock'"),
        ("fix = true\n", 1, "a project may not set fix"),
        ("x = \n", 1, "not valid TOML"),
    ],
)
@pytest.mark.parametrize("place", ["torchlock.toml", "../torchlock.toml", "pyproject.toml", "user"])
def test_a_wrong_value_is_blamed_on_its_line(
    text: str, line: int, said: str, place: str, home: Path, capsys: Any
) -> None:
    if place == "user":
        if "fix = " in text:
            pytest.skip("the user may")
        place = str(user(home, text))
    elif place == "pyproject.toml":
        text = text.replace("[lock]", "[tool.torchlock.lock]")
        put(Path(place), f"[tool.torchlock]\n{text}")
        line += 1
    else:
        put(Path(place), text)
    command = "check" if "probe" in text else "audit" if "ignore" in text else "lock"
    words = ["--path", "."] if command == "check" else ["torch", "--offline"] if command == "lock" else []
    assert main([command, *words]) == 2
    told = capsys.readouterr().err
    assert f"error: {place}:{line}: " in told
    assert said in told


def test_a_variable_is_blamed_by_its_name(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    put(Path("torchlock.toml"), "system = 'debian-12'\n")
    monkeypatch.setenv("TORCHLOCK_SYSTEM", "windows-95")
    assert main(["lock", "torch", "--offline"]) == 2
    assert "error: TORCHLOCK_SYSTEM: " in capsys.readouterr().err
    assert main(["lock", "torch", "--offline", "--system", "windows-96"]) == 2
    assert "error: --system: " in capsys.readouterr().err


def test_a_file_that_a_setting_names_is_blamed_with_the_setting(capsys: Any) -> None:
    put(Path("torchlock.toml"), "\nrequirement = 'absent.in'\n")
    assert main(["lock", "--offline"]) == 2
    assert "torchlock.toml:2 sets requirement" in capsys.readouterr().err


def test_secrets_are_masked(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    put(Path("torchlock.toml"), 'index-url = "https://me:s3cretword@example.org/simple"\n')
    for words in ([], ["--json"], ["lock"], ["explain", "--json"]):
        assert main(["config", "show", *words]) == 0
        out = capsys.readouterr().out
        assert "s3cretword" not in out
        assert "example.org" in out


def test_the_table_names_sources(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    put(home / "torchlock.toml", "\npython = '3.11'\nformat = 'json'\n")
    monkeypatch.setenv("TORCHLOCK_STRICT", "1")
    assert main(["config"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("files, the strongest first: ../torchlock.toml\nthe file of the user would be ")
    rows = [line.split() for line in out.splitlines()]
    assert ["strict", "true", "TORCHLOCK_STRICT"] in rows
    assert ["prefer", "highest", "default"] in rows
    assert [row[:3] for row in rows if row and row[0] == "python"] == [
        ["python", "3.11", "../torchlock.toml:2"],
    ]
    assert {(row[1], row[2]) for row in rows if row and row[0] == "format"} == {
        ("(not", "set)"),
        ("json", "../torchlock.toml:3"),
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["show", "look"], "unknown command 'look'"),
        (["show", "lock", "requirements.txt"], "the settings of lock do not depend on a file"),
        (["schema", "lock"], "config schema takes no command"),
        (["show", "--user"], "--user belongs to config schema"),
        (["erase"], "ACTION: unknown value 'erase'"),
    ],
)
def test_wrong_use(words: list[str], said: str, capsys: Any) -> None:
    assert main(["config", *words]) == 2
    assert said in capsys.readouterr().err


def test_the_search_costs_two_looks_in_each_folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    read = files.read
    monkeypatch.setattr(files, "read", lambda path, limit: looked.append(path) or read(path, limit))
    deep = home / "project" / "sub" / "deep"
    monkeypatch.chdir(deep)
    main(["explain", "TL101"])
    folders = [deep, *deep.parents]
    places = [str(each / name) for each in folders for name in ("torchlock.toml", "pyproject.toml")]
    mine = [path for path in looked if path.endswith(("torchlock.toml", "pyproject.toml"))]
    assert mine == [*places, str(home / "home" / "torchlock" / "torchlock.toml")]


@pytest.mark.parametrize(
    ("text", "words", "line"),
    [
        ("\nindex-url = 'htp://example.org'\n", ["lock", "torch"], 2),
        ("extra-index-url = [\n 'https://example.org/a',\n 'ftp://example.org/b',\n]\n", ["lock", "torch"], 3),
        ("base-image = 'unknown:image'\n", ["lock", "torch", "--offline"], 1),
        ("\n\noverride = 'absent.txt'\n", ["lock", "torch", "--offline"], 3),
    ],
)
def test_a_value_that_another_part_refuses_is_named_with_its_line(
    text: str, words: list[str], line: int, capsys: Any
) -> None:
    put(Path("torchlock.toml"), text)
    assert main(words) == 2
    name, err = text.split(" =")[0].strip(), capsys.readouterr().err
    assert f"error: torchlock.toml:{line}: {name}: " in err or f"torchlock.toml:{line} sets {name}" in err


def test_options_that_exclude_each_other(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """The stronger one counts; one file cannot set both."""
    user(home, "quiet = true\n")
    put(Path("torchlock.toml"), "verbose = true\n")
    assert value(capsys, "verbose") == (True, 1)
    assert value(capsys, "quiet") == (False, "default")
    monkeypatch.setenv("TORCHLOCK_QUIET", "1")
    assert value(capsys, "verbose") == (False, "default")
    assert value(capsys, "quiet") == (True, "TORCHLOCK_QUIET")
    monkeypatch.delenv("TORCHLOCK_QUIET")
    put(Path("torchlock.toml"), "quiet = true\nverbose = true\n")
    assert main(["explain", "TL101"]) == 2
    assert "torchlock.toml:2: verbose excludes quiet" in capsys.readouterr().err
    put(Path("torchlock.toml"), "base-image = 'unknown:image'\n")
    assert main(["lock", "six", "--offline", "--constraint-from", "absent"]) == 2
    assert "absent" in (said := capsys.readouterr().err)
    assert "unknown:image" not in said


def test_a_variable_switches_a_flag_off(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    put(Path("torchlock.toml"), "offline = true\n")
    assert value(capsys, "offline") == (True, 1)
    monkeypatch.setenv("TORCHLOCK_OFFLINE", "0")
    assert value(capsys, "offline") == (False, "TORCHLOCK_OFFLINE")


def test_several_values_are_for_the_commands_that_take_several(capsys: Any) -> None:
    """The table is shared: a lock for many targets leaves audit and explain with what they judge by themselves."""
    put(Path("torchlock.toml"), 'python = ["3.11", "3.12"]\nplatform = ["linux-x86_64"]\n')
    put(Path("requirements.txt"), BAD)
    assert main(["audit", "requirements.txt"]) == 1
    assert value(capsys, "python", command="audit") == (None, "default")
    assert value(capsys, "platform", command="audit") == ("linux-x86_64", 2)
    put(Path("torchlock.toml"), 'python = "3.11-3.12"\n')
    assert main(["audit", "requirements.txt"]) == 1
    assert main(["explain", "six", "--offline"]) == 0
    put(Path("torchlock.toml"), 'prefer = ["highest"]\n')
    assert main(["config"]) == 2
    assert "torchlock.toml:1: prefer: ['highest'] is not a single value" in capsys.readouterr().err


def test_help_is_there_whatever_the_settings_are(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    put(Path("torchlock.toml"), "broken = \n")
    monkeypatch.setenv("TORCHLOCK_FORMAT", "nonsense")
    for words in (["lock", "--help"], ["audit", "-h"], ["config", "--config", "absent", "--help"]):
        assert main(words) == 0
        assert capsys.readouterr().out.startswith("usage: torchlock ")


def test_a_file_that_cannot_be_read_is_no_silence(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    put(Path("torchlock.toml"), "strict = true\n")
    read = files.read

    def refused(path: str, limit: int) -> bytes:
        if path.endswith("torchlock.toml"):
            raise PermissionError(13, "Permission denied")
        return read(path, limit)

    monkeypatch.setattr(files, "read", refused)
    assert main(["explain", "TL101"]) == 2
    assert "torchlock.toml: cannot be read (Permission denied)" in capsys.readouterr().err
    assert main(["explain", "TL101", "--no-config"]) == 0
