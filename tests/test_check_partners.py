"""Two packages that do not work together, one of them outside the stack: no other torch is offered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.check import first, run, site, stage_torch  # noqa: F401 - site is a fixture
from support.site_folder import install
from torchlock.knowledge.registry import fixed_by

if TYPE_CHECKING:
    from pathlib import Path


def stage(site: Path, *packages: str) -> None:
    for each in packages:
        name, _, version = each.partition("==")
        install(site, name, version, {f"{name}/__init__.py": "", f"{name}/version.py": f"version = '{version}'\n"})


@pytest.mark.parametrize(
    ("python", "packages", "command", "also"),
    [
        ("3.10", ["soxr==0.3.7", "numpy==2.0.0"], '"numpy<2"', "or soxr 0.4 or later"),
        ("3.12", ["scipy==1.5.4", "numpy==2.0.2"], '"numpy<2"', ""),
        ("3.9", ["numba==0.53.1", "numpy==2.0.2"], '"numpy<1.24"', ""),
        ("3.10", ["soxr==0.3.7", "numba==0.53.1", "numpy==2.0.2"], '"numpy<1.24"', ""),
        ("3.10", ["librosa==0.8.1", "numpy==1.24.2"], '"numpy<1.24"', "or librosa 0.9 or later"),
        ("3.11", ["librosa==0.9.2", "setuptools==82.0.1"], '"setuptools<82"', "or librosa 0.10.2 or later"),
        ("3.7", ["librosa==0.7.2", "numba==0.50.1"], '"numba<0.50"', ""),
        # Neither NumPy 1.23 nor numba 0.49 has a wheel for these Pythons.
        ("3.12", ["librosa==0.8.1", "numpy==1.26.4"], '"librosa>=0.9,<1"', ""),
        ("3.13", ["soxr==0.3.7", "numpy==2.1.0"], '"soxr>=0.4,<1"', ""),
    ],
    ids=lambda each: "+".join(each) if isinstance(each, list) else None,
)
def test_the_release_of_the_other_package(
    site: Path,
    capsys: pytest.CaptureFixture[str],
    python: str,
    packages: list[str],
    command: str,
    also: str,
) -> None:
    here = site.parent.rename(site.parent.with_name(f"python{python}")) / "site-packages"
    stage(here, *packages)
    report = run(capsys, "--path", here, "--platform", "linux-x86_64")
    found = first(report)
    assert found["rule"] in fixed_by("partner")
    assert command in report["command"] and "torch" not in report["command"]
    assert also in found["remedy"]["summary"] and "another Python" not in found["remedy"]["summary"]
