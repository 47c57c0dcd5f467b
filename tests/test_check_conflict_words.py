"""Requirements that exclude each other, in the words of each installer."""

from __future__ import annotations

import pytest

from torchlock.check import by_log
from torchlock.check.log import read_log
from torchlock.check.log_alone import context_of

UV_PYTHON = """$ uv sync
  × No solution found when resolving dependencies for split (markers: python_full_version >= '3.13'):
  ╰─▶ Because numba==0.60.0 depends on Python>=3.9,<3.13 and your project requires numba==0.60.0, we can
      conclude that your project's requirements are unsatisfiable.
"""
UV_TAG = """$ uv pip install torch
  × No solution found when resolving dependencies:
  ╰─▶ Because only torch<=2.2.2 has wheels with a matching platform tag (e.g., `macosx_13_0_x86_64`) and you
      require torch>=2.3, we can conclude that your requirements are unsatisfiable.
"""
POETRY = """$ poetry add numba
The current project's supported Python range (>=3.10,<4.0) is not compatible with some of the required packages Python requirement:
  - numba requires Python <3.13,>=3.9, so it will not be installable for Python >=3.13,<4.0

Because numba (0.60) requires Python <3.13,>=3.9 and no versions match, version solving failed.
"""  # noqa: E501 (poetry does not wrap it)
PDM = """$ pdm add torchaudio
ERROR: Unable to find a resolution because the following dependencies conflict with each other:
  torch==2.1.0 (from project)
  torch==2.2.0 (from torchaudio==2.2.0)
"""
MAMBA = """$ mamba env create -f env.yml
error    libmamba Could not solve for environment specs
    The following packages are incompatible
    ├─ pytorch 2.1**  is requested and can be installed;
    └─ torchaudio 2.2**  is not installable because it requires
       └─ pytorch 2.2.0 , which conflicts with any installable versions previously reported.
"""
CONSTRAINED = """$ pip install -c c.txt torch==2.1.0
ERROR: Cannot install torch==2.1.0 because these package versions have conflicting dependencies.

The conflict is caused by:
    The user requested torch==2.1.0
    The user requested (constraint) torch==2.2.0
"""


@pytest.mark.parametrize(
    ("text", "says", "fix"),
    [
        (UV_PYTHON, "numba 0.60.0 is for Python >=3.9,<3.13", "requires-python"),
        (UV_TAG, "torch>=2.3 has no wheel for this platform (macosx_13_0_x86_64)", "Ask for torch<=2.2.2"),
        (POETRY, "the project is for Python >=3.10,<4.0, and numba is for Python <3.13,>=3.9 only", "narrower"),
        (PDM, "the project asks for torch==2.1.0, and torchaudio==2.2.0 asks for torch==2.2.0", "Loosen"),
        (MAMBA, "torchaudio 2.2 requires pytorch 2.2.0, and pytorch 2.1 is asked for", "Ask for pytorch 2.2.0"),
        (CONSTRAINED, "a file of constraints (-c, PIP_CONSTRAINT) says torch==2.2.0", "Images of vendors"),
    ],
)
def test_both_requirements_are_named(text: str, says: str, fix: str) -> None:
    """It was only said that the requirements exclude each other."""
    log = read_log(text)
    first = by_log(context_of(log), log, [])[0]
    assert first.rule == "TL527"
    assert says in first.message
    assert first.remedy is not None
    assert fix in first.remedy.summary


@pytest.mark.triggers("TL534")
@pytest.mark.parametrize(
    "text",
    [
        "pip install torch\nerror: uninstall-distutils-installed-package\n\n× Cannot uninstall PyYAML 5.3.1\n",
        "$ uv sync\nerror: The lockfile at `uv.lock` needs to be updated, but `--locked` was provided.\n",
        "ERROR: Invalid requirement: 'torch=2.1.0': Expected end or semicolon\n",
        "pip install torch\n[ResolutionTooDeep]: 200000\n",
    ],
)
def test_an_installer_that_stops_before_it_looks_for_files(text: str) -> None:
    log = read_log(text)
    assert [each.rule for each in by_log(context_of(log), log, [])][:1] == ["TL534"]


@pytest.mark.leaves_alone("TL534")
@pytest.mark.parametrize(
    "text",
    [
        "$ uv lock\nResolved 12 packages in 30ms\n",
        "ERROR: Could not find a version that satisfies the requirement torch==9 (from versions: 2.0)\n",
    ],
)
def test_an_installer_that_looked_for_files(text: str) -> None:
    log = read_log(text)
    assert "TL534" not in [each.rule for each in by_log(context_of(log), log, [])]
