"""hatch.toml as the audit reads it."""

from __future__ import annotations

from support.formats import errors, fixed, read


def test_a_hatch_toml() -> None:
    text = '[envs.default]\ndependencies = ["torch==2.7.0", "torchaudio==2.6.0"]\n[envs.docs]\ndetached = true\n'
    document = read("hatch.toml", text)
    assert [(entry.name, entry.scope) for entry in document.entries] == [
        ("torch", "group:hatch-default"),
        ("torchaudio", "group:hatch-default"),
    ]
    assert errors("hatch.toml", text.encode()) == [("TL101", 2)]


def test_a_hatch_toml_is_fixed() -> None:
    text = '[envs.default]\ndependencies = ["torch==2.7.0", "torchaudio==2.6.0"]\n'
    assert fixed("hatch.toml", text.encode()) == text.replace("2.6.0", "2.7.0").encode()


def test_a_hatch_toml_without_environments() -> None:
    assert not read("hatch.toml", '[build.targets.wheel]\npackages = ["a"]\n').entries
