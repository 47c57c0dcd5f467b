"""Recipes of conda packages as the audit reads them."""

from __future__ import annotations

import pytest

from support.formats import errors, fixed, read, rules, stretches
from torchlock.manifests.syntax.recipe_selectors import marker_of

META = """
{% set name = "speech-kit" %}
{% set version = "1.2.0" %}
{% set torch = "2.6.0" %}

package:
  name: {{ name|lower }}
  version: {{ version }}

source:
  url: https://example.org/{{ name }}-{{ version }}.tar.gz

build:
  number: 0
  skip: true  # [win or py<310]

requirements:
  build:
    - {{ compiler('cxx') }}
  host:
    - python
    - pip
    - pytorch =2.5
  run:
    - python >=3.10
    - {{ pin_compatible('numpy') }}
    - pytorch =={{ torch }}={{ proc }}*
    - torchaudio >=2.5,<2.6  # [linux]
    - torchaudio {{ audio }}  # [osx]
    - mkl  # [osx and x86_64]
    {{ environ.get('EXTRA', '') }}
{% if cuda %}
    - torchvision 0.1
{% endif %}
  run_constrained:
    - torchcodec >=0.2

test:
  imports:
    - speech_kit
  requires:
    - pytest
    - soundfile
"""


def test_a_recipe_of_conda_build() -> None:
    document = read("recipe/meta.yaml", META)
    found = {(entry.name, entry.specifier, entry.scope) for entry in document.entries}
    assert found == {
        ("pip", "", "alone:host"),
        ("torch", "==2.5.*", "alone:host"),
        ("torch", "==2.6.0", ""),
        ("torchaudio", ">=2.5,<2.6", ""),
        ("mkl", "", ""),
        ("torchcodec", ">=0.2", ""),
        ("pytest", "", "group:test"),
        ("soundfile", "", "group:test"),
    }
    assert document.python == ">=3.10"
    audio = next(entry for entry in document.entries if entry.name == "torchaudio")
    assert "sys_platform == 'linux'" in audio.marker
    assert "sys_platform != 'win32'" in audio.marker
    assert [entry.name for entry in document.entries if entry.constraint] == ["torchcodec"]
    assert rules(document) == [("TL902", "note", 29)]


def test_what_an_edit_of_a_recipe_may_replace() -> None:
    """A version that a template writes stands elsewhere."""
    document = read("meta.yaml", META)
    written = dict(zip([entry.text for entry in document.entries], stretches(document), strict=True))
    assert written["torchaudio >=2.5,<2.6"] == ">=2.5,<2.6"
    assert written["pytorch =2.5"] == "=2.5"
    assert errors("meta.yaml", META.encode()) == [("TL101", 28)]


def test_a_recipe_is_fixed() -> None:
    text = META.replace("=={{ torch }}={{ proc }}*", "2.6.0")
    found = fixed("meta.yaml", text.encode())
    assert found is not None
    changed = [line for line in found.decode().splitlines() if line not in text.splitlines()]
    assert len(changed) == 1
    assert errors("meta.yaml", found) == []


RECIPE = """
context:
  version: "1.2.0"
  torch: 2.6.0
  build: ${{ 1 if cuda else 0 }}

package:
  name: speech-kit
  version: ${{ version }}

build:
  skip:
    - win
    - match(python, "<3.10")

requirements:
  host:
    - python
    - if: build_platform != target_platform
      then: [pytorch 1.0]
  run:
    - pytorch ==${{ torch }}
    - if: linux
      then:
        - torchaudio 2.5.*
      else: torchaudio 2.6.*
    - ${{ "pytorch * cuda*" if cuda == "true" }}

outputs:
  - package:
      name: extra
    requirements:
      run: [torchaudio]
"""


def test_a_recipe_of_rattler_build() -> None:
    document = read("recipe.yaml", RECIPE)
    found = [(entry.name, entry.specifier, entry.scope) for entry in document.entries]
    assert found == [
        ("torch", "==2.6.0", "group:package"),
        ("torchaudio", "==2.5.*", "group:package"),
        ("torchaudio", "==2.6.*", "group:package"),
        ("torchaudio", "", "group:extra"),
    ]
    linux, others = (entry.marker for entry in document.entries[1:3])
    assert "sys_platform == 'linux'" in linux
    assert "sys_platform != 'linux'" in others
    assert "python_version >= '3.10'" in linux
    assert errors("recipe.yaml", RECIPE.encode()) == [("TL101", 25)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name: x\nsteps: []\n",
        "package:\n  name: x\n",
        "requirements:\n  run:\n",
        "requirements: 3\noutputs: x\n",
        "{% set torch = '1' %}\n{% for x in y %}\n    - pytorch\n{% endfor %}\n",
        "requirements:\n  run:\n    - if: x\n    - then: pytorch\n",
    ],
)
def test_recipes_without_requirements(text: str) -> None:
    assert not read("meta.yaml", text).entries


@pytest.mark.parametrize(
    ("condition", "marker"),
    [
        ("win", "sys_platform == 'win32'"),
        ("not win", "sys_platform != 'win32'"),
        ("py<310", "python_version < '3.10'"),
        ("py==39 and linux", "(python_version == '3.9') and (sys_platform == 'linux')"),
        ('match(python, ">=3.9,<3.12")', "(python_version >= '3.9') and (python_version < '3.12')"),
        ("linux64", "(sys_platform == 'linux') and (platform_machine == 'x86_64')"),
        ("cuda_compiler_version != 'None'", None),
        ("linux and blas_impl == 'mkl'", None),
        ("py", None),
        ("", None),
        ("(" * 2000, None),
        ("not " * 60 + "win", "sys_platform == 'win32'"),
    ],
)
def test_conditions(condition: str, marker: str | None) -> None:
    assert marker_of(condition) == marker
