"""pixi.toml, pixi.lock and cog.yaml as the audit reads them."""

from __future__ import annotations

import pytest

from support.formats import asked, read, rules, scopes, stretches


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[workspace]\nchannels = ['conda-forge']\n",
        "[tasks]\ninstall = 'pip install torch'\n",
        "[dependencies]\n",
    ],
)
def test_a_manifest_that_installs_nothing(text: str) -> None:
    document = read("pixi.toml", text)
    assert not document.entries
    assert not document.issues


def test_a_manifest() -> None:
    text = (
        '[workspace]\nplatforms = ["linux-64"]\n[dependencies]\npython = "3.11.*"\npytorch = ">=2.5,<2.6"\n'
        'torchaudio = { version = "2.5.1", channel = "conda-forge" }\n[pypi-dependencies]\nsoundfile = "*"\n'
        '[target.win-64.dependencies]\nnumpy = "1.26.*"\n'
    )
    document = read("pixi.toml", text)
    assert asked(document) == [
        ("torch", ">=2.5,<2.6"),
        ("torchaudio", "==2.5.1"),
        ("soundfile", ""),
        ("numpy", "==1.26.*"),
    ]
    assert stretches(document) == [">=2.5,<2.6", "2.5.1", "*", "1.26.*"]
    assert (document.python, document.platforms) == ("==3.11.*", ("linux-x86_64",))


def test_the_same_tables_in_pyproject() -> None:
    document = read("pyproject.toml", '[tool.pixi.dependencies]\npytorch = "==2.5.1"\n')
    assert asked(document) == [("torch", "==2.5.1")]


def test_environments() -> None:
    text = (
        '[pypi-dependencies]\nnumpy = "*"\n[feature.cpu.pypi-dependencies]\ntorch = "==1.0"\n'
        '[feature.audio.pypi-dependencies]\ntorchaudio = "==1.0"\n'
        '[feature.gpu.pypi-dependencies]\ntorch = "==2.0"\n'
        '[feature.free.pypi-dependencies]\nscipy = "*"\n'
        '[environments]\ncpu = ["cpu", "audio"]\ngpu = { features = ["gpu"], no-default-feature = true }\n'
    )
    assert scopes(read("pixi.toml", text)) == {
        "": ["numpy"],
        "group:cpu": ["torch", "torchaudio"],
        "alone:gpu": ["torch"],
        "group:free": ["scipy"],
    }


def test_broken_toml_is_told_and_the_rest_read() -> None:
    document = read("pixi.toml", '[dependencies]\npytorch = "==2.5.1\n')
    assert [rule for rule, _, _ in rules(document)] == ["TL501"]


LOCK = """version: 6
environments:
  default:
    channels:
    - url: https://conda.example.org/conda-forge/
    packages:
      linux-64:
      - conda: https://conda.example.org/conda-forge/linux-64/python-3.11.9-h_cpython.conda
      - conda: https://conda.example.org/conda-forge/linux-64/pytorch-2.5.1-cpu_generic_py311h_0.conda
      - pypi: https://files.example.org/torchaudio-2.5.1-cp311-cp311-manylinux1_x86_64.whl
      osx-arm64:
      - pypi: https://files.example.org/encodec-0.1.1.tar.gz
  old:
    packages:
      linux-64:
      - pypi: https://files.example.org/torch-1.0.0-cp311-cp311-manylinux1_x86_64.whl
packages:
- conda: https://conda.example.org/conda-forge/linux-64/pytorch-2.5.1-cpu_generic_py311h_0.conda
  sha256: abc
"""


def test_a_lock() -> None:
    document = read("pixi.lock", LOCK)
    assert asked(document) == [
        ("python", "==3.11.9"),
        ("torch", "==2.5.1"),
        ("torchaudio", "==2.5.1"),
        ("encodec", "==0.1.1"),
        ("torch", "==1.0.0"),
    ]
    assert scopes(document).keys() == {"alone:default", "alone:old"}
    assert document.locked
    assert document.platforms == ("linux-x86_64", "macos-arm64")
    assert stretches(document) == [None] * 5


COG = """build:
  gpu: true
  python_version: "3.11"
  system_packages: ["ffmpeg"]
  python_packages:
    - "torch==2.0.1"
    - torchaudio==2.0.2
    - --extra-index-url https://example.org/whl
    - torch
  run:
    - pip install librosa==0.10
    - command: pip install "scipy==1.0"
    - echo pip install numpy
predict: predict.py:Predictor
"""


def test_cog() -> None:
    document = read("cog.yaml", COG)
    assert asked(document) == [
        ("torch", "==2.0.1"),
        ("torchaudio", "==2.0.2"),
        ("torch", ""),
        ("librosa", "==0.10"),
        ("scipy", "==1.0"),
    ]
    assert stretches(document) == ["==2.0.1", "==2.0.2", "", "==0.10", "==1.0"]
    assert [entry.step for entry in document.entries] == [1, 1, 1, 2, 3]
    assert (document.python, document.platforms) == ("==3.11.*", ("linux-x86_64",))
    assert [line.kind for line in document.indexes] == ["extra"]


@pytest.mark.parametrize(
    "text", ["", "build:\n", "build: x\n", "build:\n  python_packages: torch\n", "image: x\n"]
)
def test_cog_that_installs_nothing(text: str) -> None:
    assert not read("cog.yaml", text).entries


def test_cog_of_no_yaml() -> None:
    assert [rule for rule, _, _ in rules(read("cog.yaml", "build:\n\t- x\n"))] == ["TL501"]
