"""Installers that stopped: another Python is required, or the log shows only the Python or the system; and git."""

from __future__ import annotations

import pytest

from torchlock.check import by_log
from torchlock.check.log import read_log
from torchlock.check.log_alone import context_of
from torchlock.finding import Finding

NONE = (
    "ERROR: Could not find a version that satisfies the requirement {0} (from versions: {1})\n"
    "ERROR: No matching distribution found for {0}\n"
)
POETRY = "  - Installing {0} ({1}): Failed\n  Unable to find installation candidates for {0} ({1})\n"
UV = (
    "  × No solution found when resolving dependencies{0}:\n  ╰─▶ Because {1} and you require {2}, we can "
    "conclude that your requirements are unsatisfiable.\n"
)


def judged(text: str) -> Finding:
    log = read_log(text)
    (finding,) = by_log(context_of(log), log, [])
    return finding


IGNORED = "ERROR: Ignored the following versions that require a different python version: {}\n"
REQUIRED = (
    (
        "Python 3.12.2\n"
        + IGNORED.format("0.22.1 Requires-Python <3.12,>=3.9.0")
        + NONE.format("coqui-tts", "none"),
        "coqui-tts 0.22.1 requires Python <3.12,>=3.9.0, and this one is 3.12",
        "Use Python 3.11",
    ),
    (
        "ERROR: Package 'trainer' requires a different Python: 3.12.4 not in '<3.12,>=3.6.0'\n",
        "trainer requires Python <3.12,>=3.6.0, and this one is 3.12.4",
        "Use Python 3.11",
    ),
    (
        NONE.format("coqui-tts", "none") + "Link requires a different Python (3.13.2 not in: '<3.13,>=3.9'): "
        "https://example.org/packages/coqui_tts-0.25.3.tar.gz (requires-python:<3.13,>=3.9)\n",
        "coqui-tts 0.25.3 requires Python <3.13,>=3.9, and this one is 3.13.2",
        "Use Python 3.12",
    ),
    (
        "  - tts requires Python >=3.9.0, <3.12, so it will not be satisfied for Python >=3.12,<3.13\n",
        "tts requires Python >=3.9.0,<3.12, and the project is for Python >=3.12,<3.13",
        "Use Python 3.11",
    ),
    (
        "RuntimeError: TTS requires python >= 3.9 and < 3.12 but your Python version is 3.12.0 (tags/v3.12.0)\n",
        "tts requires Python >=3.9,<3.12, and this one is 3.12.0",
        "Use Python 3.11",
    ),
    (
        UV.format(
            "",
            "the current Python version (3.13.1) does not satisfy Python>=3.9,<3.13 and example==0.25.3 "
            "depends on Python>=3.9,<3.13",
            "example",
        ),
        "example 0.25.3 requires Python >=3.9,<3.13, and this one is 3.13.1",
        "Use Python 3.12",
    ),
)


@pytest.mark.parametrize(("text", "said", "remedy"), REQUIRED, ids=[row[1][:30] for row in REQUIRED])
def test_the_python_that_a_release_requires(text: str, said: str, remedy: str) -> None:
    finding = judged(text)
    assert (finding.rule, finding.message) == ("TL403", said)
    assert finding.remedy is not None and finding.remedy.summary.startswith(remedy)


def test_a_release_that_was_left_out_beside_others_is_no_reason() -> None:
    text = IGNORED.format("9.0 Requires-Python >=3.13") + NONE.format("example==8.0", "7.0, 8.1")
    assert "requires Python" not in judged(text).message


PARTLY = (
    (POETRY.format("torch", "2.5.1+cu124"), "Using Python 3.13.1\n", "for Python 3.13 on Linux (x86_64) only"),
    (POETRY.format("torch", "1.13.1"), "Using Python 3.12.1\n", "has no wheel for Python 3.12: it has wheels for"),
    (POETRY.format("nvidia-cuda-nvrtc-cu11", "11.7.99"), "/lib/python3.10/x\n", "for Linux (x86_64) and Windows"),
    (
        UV.format(
            "", "torch==2.6.0 has no wheels with a matching platform tag (e.g., `macosx_15_0_x86_64`)", "it"
        ),
        "",
        "torch==2.6.0 has no wheel for macOS (x86_64)",
    ),
    (
        UV.format(
            " for split (python_full_version >= '3.12' and sys_platform == 'darwin')",
            "there is no version of torch==2.6.0+cpu",
            "torch==2.6.0+cpu",
        ),
        "",
        "there is no torch==2.6.0+cpu for macOS",
    ),
    (
        "error: Distribution `torch==2.6.0 @ registry+https://download.pytorch.org/whl/cpu` can't be installed "
        "because it doesn't have a source distribution or wheel for the current platform\n\nhint: You're on Linux "
        "(`manylinux_2_36_x86_64`), but `torch` (v2.6.0) only has wheels for the following platform: "
        "`macosx_11_0_arm64`\n",
        "",
        "without a label are those for macOS: the others are torch==2.6.0+cpu",
    ),
    (
        NONE.format("pytorch-lightning==1.7.7", "1.7.6, 1.7.7, 1.8.0"),
        "",
        "pip lists pytorch-lightning 1.7.7 and refuses",
    ),
    (NONE.format("torch-directml", "none"), "", "saw no file of torch-directml at all"),
)


@pytest.mark.parametrize(("text", "before", "said"), PARTLY, ids=[row[2][:30] for row in PARTLY])
def test_what_the_wheels_say_where_the_log_shows_a_part(text: str, before: str, said: str) -> None:
    finding = judged(before + text)
    assert said in finding.message
    assert finding.remedy is not None and finding.remedy.summary


GIT = (
    ("ERROR: Cannot find command 'git' - do you have 'git' installed and in your PATH?", "Install git"),
    ("  error: RPC failed; curl 16 Error in the HTTP2 framing layer", "Run the same command again"),
    ("  fatal: could not read Username for 'https://example.org': terminal prompts disabled", "a key or a token"),
)


@pytest.mark.parametrize(("line", "remedy"), GIT)
def test_git_did_not_fetch_a_source(line: str, remedy: str) -> None:
    finding = judged(f"Collecting git+https://example.org/a.git\n{line}\n  error: subprocess-exited-with-error\n")
    assert finding.rule == "TL526"
    assert finding.remedy is not None and remedy in finding.remedy.summary


def test_a_certificate_below_the_failure() -> None:
    text = (
        "error: Request failed after 3 retries\n  Caused by: error sending request for url (https://example.org/a)\n"
        "  Caused by: invalid peer certificate: UnknownIssuer\n"
    )
    assert "does not trust the certificate" in judged(text).message


def test_conda_names_who_requires_what() -> None:
    text = (
        "LibMambaUnsatisfiableError: Encountered problems while solving:\n"
        "  - package torchaudio-2.0.2-py310_cu117 requires pytorch-cuda 11.7.*, but none of the providers can be "
        "installed\n├─ pytorch-cuda ==12.1 ha16c6d3_5 is requested and can be installed;\n"
    )
    assert judged(text).message == (
        "torchaudio-2.0.2-py310_cu117 requires pytorch-cuda 11.7.*, and pytorch-cuda 12.1 is asked for"
    )


TORCH = '  File "/env/lib/python3.10/site-packages/torch/__init__.py", line 30, in <module>\n'
TORN = (
    (
        f"{TORCH}    _C._initExtension(manager_path())\nAttributeError: partially initialized module 'torch' has "
        "no attribute 'UntypedStorage' (most likely due to a circular import)",
        "TL602",
        "its compiled part needs torch.UntypedStorage",
    ),
    (
        f"{TORCH}    from ._utils import classproperty\nModuleNotFoundError: No module named 'torch._utils'",
        "TL601",
        "torch does not find a part of itself: torch/__init__.py imports torch._utils",
    ),
)


@pytest.mark.parametrize(("text", "rule", "said"), TORN, ids=["mixed", "incomplete"])
def test_a_torch_whose_files_do_not_fit(text: str, rule: str, said: str) -> None:
    finding = judged(f"Traceback (most recent call last):\n{text}\n")
    assert finding.rule == rule and said in finding.message
