"""pylock.toml: what packaging reads back is what was locked."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from packaging.pylock import Pylock, is_valid_pylock_path
from packaging.tags import Tag

from support.rendered_pylock import address, locked, rendered
from torchlock.answers import Unknown
from torchlock.cli.main import main
from torchlock.errors import InputError
from torchlock.lock.joined import join
from torchlock.manifests.pins import read_pins
from torchlock.report import pylock_toml
from torchlock.target import Target

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def test_packaging_reads_back_what_was_locked() -> None:
    result = locked("torchaudio==2.8.0", "soundfile")
    pylock = Pylock.from_dict(tomllib.loads(rendered(result)))
    assert [(package.name, str(package.version)) for package in pylock.packages] == [
        (pin.name, pin.version) for pin in result.pins
    ]
    for package, pin in zip(pylock.packages, result.pins, strict=True):
        assert {wheel.name: wheel.hashes for wheel in package.wheels or ()} == {
            file.filename: file.hashes for file in pin.files
        }
        assert all(wheel.url and wheel.size and wheel.upload_time for wheel in package.wheels or ())


@pytest.mark.parametrize(
    ("platform", "environment"),
    [
        ("linux-x86_64", 'sys_platform == "linux" and platform_machine == "x86_64"'),
        ("macos-arm64", 'sys_platform == "darwin" and platform_machine == "arm64"'),
        ("windows-amd64", 'sys_platform == "win32" and platform_machine == "AMD64"'),
    ],
)
def test_it_names_the_environment_it_is_for(platform: str, environment: str) -> None:
    pylock = Pylock.from_dict(tomllib.loads(rendered(locked("torch==2.8.0", platform=platform))))
    assert [str(marker) for marker in pylock.environments or ()] == [f'python_version == "3.12" and {environment}']


def test_one_lock_for_many_targets_is_read_back_on_each() -> None:
    locks = [
        locked("torchaudio==2.8.0", "soundfile", platform=platform) for platform in ("linux-x86_64", "macos-arm64")
    ]
    joined = join(locks, one_address=False)
    text = pylock_toml.render_many(joined, address=address, command="torchlock lock", data_date="2026-11-23")
    pylock = Pylock.from_dict(tomllib.loads(text))
    assert [str(marker) for marker in pylock.environments or ()] == [
        pylock_toml.environment(result.target) for result in locks
    ]
    for result in locks:
        chosen = pylock.select(environment=result.target.environment, tags=tags_of(result.target))
        found = {package.name: wheel.filename for package, wheel in chosen}
        assert found == {pin.name: pin.chosen for pin in result.pins}
    table = tomllib.loads(text)["tool"]["torchlock"]
    assert [target["platform"] for target in table["targets"]] == ["manylinux_2_28_x86_64", "macosx_14_0_arm64"]
    assert "TL101" in table["rules"]


def tags_of(target: Target) -> list[Tag]:
    return [Tag(*text.split("-")) for text in sorted(target.tag_ranks, key=target.tag_ranks.__getitem__)]


def test_an_unproven_pin_is_marked() -> None:
    result = locked("torch==2.8.0")
    why = Unknown("it is newer than the data", "2026-11-23")
    pins = tuple(pin._replace(unproven=why) if pin.name == "torch" else pin for pin in result.pins)
    text = rendered(result._replace(pins=pins))
    assert '# unproven: it is newer than the data (as of 2026-11-23)\n[[packages]]\nname = "torch"\n' in text
    assert text.count("unproven") == 1


def test_markers_are_kept() -> None:
    text = rendered(locked("torch==2.8.0 ; sys_platform == 'linux'"))
    torch = next(package for package in Pylock.from_dict(tomllib.loads(text)).packages if package.name == "torch")
    assert str(torch.marker) == 'sys_platform == "linux"'


def test_its_pins_are_read_back(tmp_path: Path) -> None:
    result = locked("torch==2.8.0")
    path = tmp_path / "pylock.toml"
    path.write_text(rendered(result))
    assert is_valid_pylock_path(path)
    assert read_pins(str(path), "pylock") == {pin.name: pin.version for pin in result.pins}


@pytest.mark.parametrize("text", ["packages = 3", "packages = [3]", "[[packages]]\nversion = '1'", "packages = ["])
def test_a_broken_one_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "pylock.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"pylock\.toml"):
        read_pins(str(path), "pylock")


def test_offline_it_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    command = ["lock", "torch==2.8.0", "--python", "3.12", "--platform", "linux-x86_64", "-o", "pylock.toml"]
    assert main([*command, "--offline", "--cache-dir", str(tmp_path / "cache")]) == 2
    assert "--offline" in capsys.readouterr().err
    assert not (tmp_path / "pylock.toml").exists()
