"""Names of the stack that a log shows to be missing: which release has them, and what must be left alone."""

# ruff: noqa: E501 (errors as Python prints them)

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.check import bad, first, run
from support.site_folder import install, write
from torchlock.check.tracebacks import missing_names
from torchlock.knowledge.names import history, instead_of

TAG = "cp311-cp311-manylinux_2_28_x86_64"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """torch, torchaudio, torchvision and torchtext, whose source has few names, and soundfile."""
    folder = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    folder.mkdir(parents=True)
    sources = {
        "torch": ("2.3.1", {"__init__": "def compile(): ...\n", "amp/__init__": "class autocast: ...\n"}),
        "torchaudio": ("2.3.1", {"__init__": "def load(): ...\n", "pipelines/__init__": "WAV2VEC2_BASE = 1\n"}),
        "torchvision": ("0.18.1", {"__init__": "", "transforms/__init__": "from .transforms import *\n"}),
        "torchtext": ("0.18.0", {"__init__": "", "data/__init__": ""}),
    }
    sources["torchaudio"][1]["prototype/__init__"] = ""
    sources["torchvision"][1]["transforms/transforms"] = "class Resize: ...\n"
    for name, (version, texts) in sources.items():
        files: dict[str, bytes | str] = {f"{name}/{path}.py": text for path, text in texts.items()}
        files[f"{name}/version.py"] = f"__version__ = '{version}+cpu'\n"
        install(folder, name, version, files, tag=TAG)
    return folder


def told(site: Path, capsys: pytest.CaptureFixture[str], line: str, *, code: str = "x") -> dict[str, Any]:
    """The first finding about a name, after a log of own code that ends with this line."""
    log = write(site.parents[2] / "log", f'  File "app/use.py", line 7, in <module>\n    {code}\n{line}\n')
    report = run(capsys, "--path", site, "--log", log)
    found = [each for each in report["files"][0]["findings"] if each["rule"] > "TL7"]
    return next((each for each in found if each["severity"] != "note" and each["rule"][:3] == "TL7"), {})


CASES = [
    pytest.param(
        "ModuleNotFoundError: No module named 'torch._six'",
        "TL704",
        "app/use.py, line 7, uses torch._six, which torch 2.3.1 (CPU build) does not have: 2.0 removed it",
        marks=pytest.mark.triggers("TL704"),
    ),
    pytest.param(
        "ModuleNotFoundError: No module named 'torchvision.models.utils'",
        "TL705",
        "uses torchvision.models.utils, which torchvision 0.18.1 (CPU build) does not have: 0.11 removed it",
        marks=pytest.mark.triggers("TL705"),
    ),
    pytest.param(
        "AttributeError: module 'torch.amp' has no attribute 'custom_fwd'",
        "TL706",
        "uses torch.amp.custom_fwd, which torch 2.3.1 (CPU build) does not have: it is new in 2.4",
        marks=pytest.mark.triggers("TL706"),
    ),
    pytest.param(
        "AttributeError: module 'torchaudio' has no attribute 'prototype'",
        "TL707",
        "uses torchaudio.prototype, a module that the import of torchaudio 2.3.1 (CPU build) does not load",
        marks=pytest.mark.triggers("TL707"),
    ),
    pytest.param(
        "AttributeError: module 'torchtext' has no attribute 'legacy'",
        "TL708",
        "uses torchtext.legacy, which torchtext 0.18.0 does not have: 0.12 removed it",
        marks=pytest.mark.triggers("TL708"),
    ),
    pytest.param(
        "ImportError: cannot import name 'Scale' from 'torchvision.transforms' (/x)",
        "TL705",
        "uses torchvision.transforms.Scale, which torchvision 0.18.1 (CPU build) does not have: 0.12 removed it",
    ),
    pytest.param(
        "RuntimeError: stft requires the return_complex parameter be given for real inputs, and will further require",
        "TL709",
        "app/use.py, line 7, calls torch.stft without return_complex, which torch 2.0 and later refuse",
        marks=pytest.mark.triggers("TL709"),
    ),
    pytest.param("AttributeError: module 'torchaudio' has no attribute 'laod'", "TL702", "nor any other release"),
]


@pytest.mark.parametrize(("line", "rule", "message"), CASES)
def test_a_name_that_is_not_there(
    line: str, rule: str, message: str, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = told(site, capsys, line, code="the_line()")
    assert (found.get("rule"), found.get("severity")) == (rule, "warning")
    assert message in found["message"]
    assert found["because"].endswith("the line is: the_line()")
    assert found["says"] == line


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(
            "AttributeError: module 'torch' has no attribute 'compile'", marks=pytest.mark.leaves_alone("TL704")
        ),
        pytest.param(
            "ImportError: cannot import name 'Resize' from 'torchvision.transforms' (/x)",
            marks=pytest.mark.leaves_alone("TL705"),
        ),
        pytest.param(
            "AttributeError: module 'torch.amp' has no attribute 'autocast'",
            marks=pytest.mark.leaves_alone("TL706"),
        ),
        pytest.param(
            "AttributeError: module 'torchaudio' has no attribute 'load'", marks=pytest.mark.leaves_alone("TL707")
        ),
        pytest.param(
            "ModuleNotFoundError: No module named 'torchtext.data'", marks=pytest.mark.leaves_alone("TL708")
        ),
        pytest.param(
            "RuntimeError: stft input and window must be on the same device",
            marks=pytest.mark.leaves_alone("TL709"),
        ),
        "AttributeError: partially initialized module 'torchaudio' has no attribute 'info'",
        "ImportError: cannot import name 'AttrsDescriptor' from 'triton.compiler.compiler'",
        "AttributeError: module 'torchcodec' has no attribute 'samplers'",
        "AttributeError: module 'torch_geometric' has no attribute 'nn'",
        "ModuleNotFoundError: No module named 'torchmetrics.audio'",
    ],
)
def test_what_is_not_a_missing_name_of_this_stack(
    line: str, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is there, its import had not ended, or it is a name of another package."""
    assert told(site, capsys, line) == {}


def test_a_name_that_is_there_is_said_to_be(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = write(site.parents[2] / "log", "AttributeError: module 'torchaudio' has no attribute 'load'\n")
    run(capsys, "--path", site, "--log", log)
    from torchlock.cli.main import main

    main(["check", "--path", str(site), "--log", str(log)])
    said = capsys.readouterr().err
    assert "of another environment or state: torchaudio 2.3.1 (CPU build), which is installed here, has " in said


def test_what_the_line_takes_decides_what_replaces_it(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = "ModuleNotFoundError: No module named 'torch._six'"
    found = told(site, capsys, line, code="from torch._six import string_classes, container_abcs")
    assert "use str; use collections.abc" in found["remedy"]["summary"]


def test_a_module_that_the_record_lists_is_damage(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (site / "torchaudio" / "pipelines" / "__init__.py").unlink()
    (site / "torchaudio" / "pipelines").rmdir()
    assert told(site, capsys, "ModuleNotFoundError: No module named 'torchaudio.pipelines'") == {}


def test_a_file_of_the_user_that_hides_a_package(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts = [
        "AttributeError: module 'torchaudio' has no attribute 'load' (consider renaming '/u/torchaudio.py' since "
        "it has the same name as the third-party module 'torchaudio' you intended to import)",
        "AttributeError: partially initialized module 'torchaudio' from '/u/torchaudio.py' has no attribute 'load'",
        "ImportError: cannot import name 'load' from 'torchaudio' (/u/torchaudio.py)",
    ]
    for text in texts:
        log = write(site.parents[2] / "log", f"{text}\n")
        report = run(capsys, "--path", site, "--log", log)
        assert first(report)["message"] == "Python imported /u/torchaudio.py instead of the package torchaudio"
        assert first(report)["remedy"]["commands"][0]["line"] == "mv /u/torchaudio.py /u/my_torchaudio.py"


# Tracebacks.

TRACEBACKS = [
    (
        "  File \"a.py\", line 3, in f\n    torchaudio.info(x)\n    ^^^^\nAttributeError: module 'torchaudio' has no "
        "attribute 'info'\n",
        ("torchaudio.info", "a.py", 3, "torchaudio.info(x)"),
    ),
    (
        "Cell In[4], line 2\n      1 import torch\n----> 2 from torch._six import inf\n      3 x\n\n"
        "ModuleNotFoundError: No module named 'torch._six'\n",
        ("torch._six", "Cell In[4]", 2, "from torch._six import inf"),
    ),
    (
        "<ipython-input-9-96b65e9aab68> in <module>\n----> 2 from torch._six import inf\n"
        "ModuleNotFoundError: No module named 'torch._six'\n",
        ("torch._six", "<ipython-input-9-96b65e9aab68>", 2, "from torch._six import inf"),
    ),
    (
        "File ~/m/gpt.py:13\n     12 import x\n---> 13 from torch.amp import custom_fwd\n\n"
        "ImportError: cannot import name 'custom_fwd' from 'torch.amp' (/x/torch/amp/__init__.py)\n",
        ("torch.amp.custom_fwd", "~/m/gpt.py", 13, "from torch.amp import custom_fwd"),
    ),
    (
        "│ /home/u/train.py:12 in <module>      │\n│ ❱ 12 import torchaudio.backend   │\n╰──╯\n"
        "ModuleNotFoundError: No module named 'torchaudio.backend'\n",
        ("torchaudio.backend", "/home/u/train.py", 12, "import torchaudio.backend"),
    ),
    (
        "tests/a.py:5: in <module>\n    import torchaudio.io\n"
        "E   ModuleNotFoundError: No module named 'torchaudio.io'\n",
        ("torchaudio.io", "tests/a.py", 5, "import torchaudio.io"),
    ),
    (
        '2026-01-09T10:00:00.1Z   File "C:\\n\\a.py", line 5, in <module>\n'
        "2026-01-09T10:00:00.1Z ModuleNotFoundError: No module named 'torchaudio.io'\n",
        ("torchaudio.io", "C:\\n\\a.py", 5, ""),
    ),
    ("module 'torchaudio' has no attribute 'io'", ("torchaudio.io", "", 0, "")),
    ("No module named torchaudio.io", ("torchaudio.io", "", 0, "")),
]


@pytest.mark.parametrize(("text", "expected"), TRACEBACKS, ids=[row[1][1] or row[0][:9] for row in TRACEBACKS])
def test_the_line_that_asked_for_a_name(text: str, expected: tuple[str, str, int, str]) -> None:
    (found,) = missing_names(text)
    caller = found.caller
    assert (found.name, *(caller or ("", 0, ""))) == expected


def test_of_a_chain_each_failure_has_its_own_caller() -> None:
    text = (
        'Traceback (most recent call last):\n  File "/v/site-packages/a/b.py", line 1, in f\n    torchaudio.info\n'
        "AttributeError: module 'torchaudio' has no attribute 'info'\n\n"
        "During handling of the above exception, another exception occurred:\n\n"
        'Traceback (most recent call last):\n  File "mine.py", line 2, in <module>\n    import torchaudio.io\n'
        "ModuleNotFoundError: No module named 'torchaudio.io'\n"
    )
    assert [(each.name, each.caller.path if each.caller else "") for each in missing_names(text)] == [
        ("torchaudio.info", "/v/site-packages/a/b.py"),
        ("torchaudio.io", "mine.py"),
    ]


def test_frames_inside_of_the_package_are_not_the_caller() -> None:
    text = (
        '  File "/v/site-packages/use/x.py", line 9, in f\n    torch.xpu\n'
        '  File "/v/site-packages/torch/__init__.py", line 1932, in __getattr__\n    raise AttributeError()\n'
        "AttributeError: module 'torch' has no attribute 'xpu'\n"
    )
    (found,) = missing_names(text)
    assert found.caller is not None
    assert found.caller.path == "/v/site-packages/use/x.py"


# The tables.


@pytest.mark.parametrize(
    ("name", "version", "removed", "added"),
    [
        ("torchaudio.info", "2.9.1", "2.9", ""),
        ("torchaudio.info", "2.8.0", "", ""),
        ("torchaudio.utils.download_asset", "2.9.1+cu130", "2.9", ""),
        ("torchaudio.functional.loudness", "0.12.1", "", "0.13"),
        ("torchaudio.load_wav", "2.0.2", "0.9", ""),
        ("torchvision.transforms.functional_tensor.rgb_to_grayscale", "0.17.2", "0.17", ""),
        ("torchvision.models.ResNet50_Weights", "0.12.0", "", "0.13"),
        ("torchvision.datapoints", "0.14.1", "", "0.15"),
        ("torchcodec.encoders", "0.4.0", "", "0.5"),
        ("torchtext.data.Field", "0.9.0", "0.9", ""),
        ("soundfile.LibsndfileError", "0.10.3.post1", "", "0.11"),
        ("torch._six.inf", "2.1.0", "2.0", ""),
        ("torch.compiler", "2.0.1", "", "2.1"),
    ],
)
def test_the_release_that_removed_or_added_a_name(name: str, version: str, removed: str, added: str) -> None:
    found = history(name)
    assert found is not None
    assert (found.removed_in(version), found.added_in(version)) == (removed, added)
    assert found.has(version) is (not removed and not added)


def test_what_is_not_known_of_names() -> None:
    assert history("torch.something") is None
    assert history("numpy.NaN") is None
    assert history("torch.compiler.something") is None
    nowhere = history("torchaudio.laod")
    assert nowhere is not None
    assert nowhere.having == ()
    hidden = history("torchaudio.backend.common.AudioMetaData")
    assert hidden is not None
    assert hidden.has("2.1.0") is None
    assert instead_of("torchaudio.io.StreamReader") == instead_of("torchaudio.io")
    assert instead_of("torchaudio.laod") == ""


# The environment that a log names.


def test_the_environment_of_the_log_is_checked(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from torchlock.cli.main import main

    other = tmp_path / "other" / "lib" / "python3.11" / "site-packages"
    install(other, "torch", "2.3.1", {"torch/__init__.py": "", "torch/version.py": "__version__ = '2.3.1+cpu'\n"})
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path / "other"))
    text = f"  File \"{site}/torchaudio/__init__.py\", line 2\nModuleNotFoundError: No module named 'torch._six'\n"
    log = write(tmp_path / "log", text)
    main(["check", "--log", str(log), "--format", "json"])
    out, said = capsys.readouterr()
    assert f"the log names {site}: this environment is checked" in said
    assert f'"path": "{site}"' in out
    assert "TL704" in out
    main(["check", "--path", str(other), "--log", str(log), "--platform", "linux-x86_64"])
    out, said = capsys.readouterr()
    assert f"to check that one: torchlock check --path {site} --log {log}" in said


def test_with_a_root_the_paths_of_the_log_are_below_it(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from torchlock.cli.main import main

    (tmp_path / "alias").symlink_to(tmp_path / "env")
    for folder in ("/env", "/alias", "/Env"):
        text = f'  File "{folder}/lib64/python3.11/site-packages/torchaudio/__init__.py", line 2\n'
        log = write(tmp_path / "log", f"{text}ModuleNotFoundError: No module named 'torch._six'\n")
        main(["check", "--path", str(site), "--root", str(tmp_path), "--log", str(log), "--format", "json"])
        out, said = capsys.readouterr()
        assert "another environment" not in said, folder
        assert "TL704" in out
    text = '  File "/alias/lib/python3.11/site-packages/torchaudio/__init__.py", line 2\n'
    log = write(tmp_path / "log", f"{text}ModuleNotFoundError: No module named 'torch._six'\n")
    main(["check", "--root", str(tmp_path), "--log", str(log), "--platform", "linux-x86_64", "--format", "json"])
    assert "TL704" in capsys.readouterr().out


def test_of_two_packages_that_one_rule_is_about_the_one_in_the_traceback_comes_first(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("aaa", "zzz"):
        files: dict[str, bytes | str] = {f"{name}/__init__.py": "import torchaudio\ntorchaudio.info\n"}
        install(site, name, "1.0", files, headers="Requires-Dist: torchaudio\n")
    for name in ("zzz", "aaa"):
        text = f'  File "{site}/{name}/__init__.py", line 2, in <module>\n    torchaudio.info\n'
        log = write(
            site.parents[2] / "log", f"{text}AttributeError: module 'torchaudio' has no attribute 'info'\n"
        )
        report = run(capsys, "--path", site, "--log", log)
        names = [each[0] for each in bad(report)]
        mine = [each for each in report["files"][0]["findings"] if each["rule"] == "TL701"]
        assert mine[0]["packages"][0]["name"] == name, names


def test_the_stubs_of_torch_list_what_its_code_defines(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(site / "torch" / "__init__.py", "from torch._C import *\nglobals()['x'] = 1\n")
    write(site / "torch" / "_C" / "__init__.pyi", "uint8: dtype = ...\nclass Tensor: ...\n")
    assert told(site, capsys, "AttributeError: module 'torch' has no attribute 'lost'") == {}
    write(site / "torch" / "_C" / "_VariableFunctions.pyi", "def hann_window(): ...\n")
    for name in ("uint8", "Tensor", "hann_window"):
        assert told(site, capsys, f"AttributeError: module 'torch' has no attribute '{name}'") == {}
    found = told(site, capsys, "AttributeError: module 'torch' has no attribute 'lost'")
    assert (found["rule"], found["message"][-31:]) == ("TL704", "2.3.1 (CPU build) does not have")
    assert found["remedy"]["summary"].startswith(
        "Change the line that uses torch.lost; it is not known which release"
    )


NO_FRAME = "AttributeError: module 'torchaudio' has no attribute 'list_audio_backends'\n"


@pytest.mark.parametrize("has_package", [True, False])
def test_a_name_without_a_frame_is_that_of_the_package_whose_rule_says_so(
    has_package: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """https://github.com/paberr/ownscribe/issues/34: the log does not show which file asked for the name."""
    site = tmp_path / "venv/lib/python3.12/site-packages"
    site.mkdir(parents=True)
    install(
        site,
        "torchaudio",
        "2.11.0",
        {"torchaudio/__init__.py": "", "torchaudio/version.py": "__version__ = '2.11.0'\n"},
    )
    if has_package:
        install(
            site, "speechbrain", "1.0.2", {"speechbrain/__init__.py": ""}, headers="Requires-Dist: torchaudio\n"
        )
    report = run(capsys, "--path", site, "--platform", "linux-x86_64", "--log", write(tmp_path / "log", NO_FRAME))
    rules = [each["rule"] for each in report["files"][0]["findings"]]
    assert ("TL702" in rules) is not has_package
    if has_package:
        shown = next(each for each in report["files"][0]["findings"] if each["rule"] == "TL701")
        assert shown["says"] == NO_FRAME.strip()


def test_nothing_is_installed_into_the_cache_of_uv(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = tmp_path / ".cache/uv/archive-v0/kD3x9fQ/lib/python3.12/site-packages"
    site.mkdir(parents=True)
    install(
        site,
        "torchaudio",
        "2.11.0",
        {"torchaudio/__init__.py": "", "torchaudio/version.py": "__version__ = '2.11.0'\n"},
    )
    install(site, "speechbrain", "1.0.2", {"speechbrain/__init__.py": ""}, headers="Requires-Dist: torchaudio\n")
    report = run(capsys, "--path", site, "--platform", "linux-x86_64", "--log", write(tmp_path / "log", NO_FRAME))
    remedy = next(each for each in report["files"][0]["findings"] if each["rule"] == "TL701")["remedy"]
    assert "as a requirement of the tool: uvx --with" in remedy["summary"]
    assert not remedy["commands"]


@pytest.mark.parametrize("several", [False, True])
def test_the_package_that_imports_it(several: bool, site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """https://github.com/tin2tin/Pallaidium/issues/117: the log is one line."""
    write(site / "torch" / "agent" / "__init__.py", "")
    write(site / "torch" / "agent" / "api.py", "logger = 1\n")
    code = "import os\nfrom torch.agent.api import (\n    log,\n    other,\n)\n"
    for name in ("demo", "other") if several else ("demo",):
        install(site, name, "0.14.0", {f"{name}/use.py": code}, headers="Requires-Dist: torch\n")
    log = write(site.parents[2] / "log", "ImportError: cannot import name 'log' from 'torch.agent.api'\n")
    found = run(capsys, "--path", site, "--log", log)["files"][0]["findings"]
    message = next(each["message"] for each in found if each["rule"] == "TL704")
    assert message.startswith(
        "the code that printed the log" if several else "demo 0.14.0 uses torch.agent.api.log"
    )
