"""The judge: pins that load pass, pins that do not are told apart with the rule."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from packaging.version import Version

from torchlock.knowledge.judge import judge
from torchlock.knowledge.rules import Matrix
from torchlock.standards.dependency import Dependency
from torchlock.target import Platform, PythonVersion, Target

MATRIX = Matrix()


@dataclass
class Installed:
    name: str
    version: Version
    build: str | None = None
    tags: str = "cp311-cp311-manylinux_2_28_x86_64"
    unversioned: bool = False
    dependencies: list[Dependency] = field(default_factory=list)

    @property
    def text(self) -> str:
        return str(self.version)


def pins(*texts: str) -> dict[str, Installed]:
    """``torch==2.13.0@cpu``: a name, a version, and what it was built for."""
    found = {}
    for text in texts:
        name, _, version = text.partition("==")
        version, _, build = version.partition("@")
        found[name] = Installed(name, Version(version), build or None)
    return found


def target(platform: str = "linux-x86_64", **libraries: str | None) -> Target:
    known = {name.replace("_", "-"): version for name, version in libraries.items()}
    return Target(PythonVersion.parse("3.11"), Platform.parse(platform), libraries=known)


LOADS = [
    pytest.param(["torch==2.8.0@cu128", "torchaudio==2.8.0@cu128"], {}, id="a pair of one release"),
    pytest.param(["torch==2.14.1@cu130", "torchaudio==2.11.0@cu130"], {}, id="by the stable ABI"),
    pytest.param(["torch==2.13.0@cu130", "torchaudio==2.11.1@cu132"], {}, id="the first torch for 2.11.1"),
    pytest.param(["torch==2.11.0@cpu", "torchaudio==2.11.1@cpu"], {}, id="a CPU build of 2.11.1 needs less"),
    pytest.param(["torch==2.13.0@cpu", "torchaudio==2.11.0@cpu"], {}, id="both for the CPU"),
    pytest.param(["torch==2.13.0@cu130", "torchaudio==2.11.0@cpu"], {}, id="a CPU torchaudio on a CUDA torch"),
    pytest.param(["torch==2.15.0@cu132", "torchcodec==0.17.0@cu130"], {}, id="the same CUDA major"),
    pytest.param(["torch==2.11.0@cu128", "torchcodec==0.11.1@cu128"], {}, id="NPP was read in builds for CUDA 13"),
    pytest.param(["torch==2.3.1@cu121", "numpy==2.1.0"], {}, id="the first torch for NumPy 2"),
    pytest.param(["torch==2.8.0@cu128"], {"cuda_driver": None}, id="no driver: torch imports all the same"),
    pytest.param(["numpy==2.1.0"], {}, id="nothing of the family"),
]
DOES_NOT = [
    pytest.param(["torch==2.8.0@cu128", "torchaudio==2.7.1@cu126"], {}, "TL101", id="of two releases"),
    pytest.param(["torchaudio==2.11.0@cu130"], {}, "TL101", id="no torch at all"),
    pytest.param(["torch==2.12.1@cu130", "torchaudio==2.11.1@cu132"], {}, "TL101", id="2.11.1 on a torch too old"),
    pytest.param(["torch==2.15.0@cu132", "torchaudio==2.11.0@cu130"], {}, "TL201", id="CUDA minor"),
    pytest.param(
        ["torch==2.13.0@cpu", "torchaudio==2.11.0@cu130"], {}, "TL201", id="a CUDA torchaudio, a CPU torch"
    ),
    pytest.param(
        ["torch==2.8.0@cu128", "torchcodec==0.17.0@cu130"], {}, "TL102", id="torchcodec of another torch"
    ),
    pytest.param(["torch==2.11.0@cu130", "torchcodec==0.11.0@cu130"], {}, "TL102", id="does not load"),
    pytest.param(["torch==2.12.0@cu130", "torchcodec==0.12.0@cu130"], {}, "TL102", id="nor does 0.12.0"),
    pytest.param(["torch==2.2.2@cu121", "numpy==2.1.0"], {}, "TL105", id="NumPy 2 with a torch for NumPy 1"),
    pytest.param(["torch==2.14.1@cu130"], {"cuda_driver": "535.104"}, "TL202", id="a driver too old for its CUDA"),
]


@pytest.mark.parametrize(("texts", "libraries"), LOADS)
def test_what_loads_passes(texts: list[str], libraries: dict[str, str | None]) -> None:
    assert judge(pins(*texts), target(**libraries), MATRIX) == []


@pytest.mark.parametrize(("texts", "libraries", "rule"), DOES_NOT)
def test_what_does_not_load_is_told_with_its_rule(
    texts: list[str], libraries: dict[str, str | None], rule: str
) -> None:
    assert any(rule in sentence for sentence in judge(pins(*texts), target(**libraries), MATRIX))


def test_numpy_2_came_to_windows_later() -> None:
    pair = pins("torch==2.4.0@cpu", "numpy==2.1.0")
    assert judge(pair, target("linux-x86_64"), MATRIX) == []
    assert judge(pair, target("windows-amd64"), MATRIX)


def test_declared_requirements_count() -> None:
    pair = pins("torch==2.8.0@cu128", "fsspec==2023.1.0")
    pair["torch"].dependencies = [
        Dependency("fsspec", ">=2024"),
        Dependency("sympy", "", 'sys_platform == "win32"'),
    ]
    assert judge(pair, target(), MATRIX) == ["torch 2.8.0 declares fsspec>=2024"]
    assert judge(pair, target(), MATRIX, ["fsspec"]) == []
