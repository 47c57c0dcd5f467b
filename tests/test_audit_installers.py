"""What the audit says about pip and uv is what they do: real pip and uv, on a local index of the same shape."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.build_stack import TAGS
from support.installers import Outcome, install
from support.wheel_index import WheelIndex
from torchlock.knowledge.build_labels import label_order

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the small wheels are for Linux")


@pytest.fixture(autouse=True)
def _own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("PIP_", "UV_", "XDG_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def index() -> Iterator[WheelIndex]:
    with WheelIndex() as started:
        yield started


def taken(installer: str, index: WheelIndex, *lines: str) -> Outcome:
    """What an installer takes for the lines of a requirements file; ``{}`` in them is the address of the index.

    The one index is an option of the command, because a variable names the public index to each installer.
    """
    file = Path("requirements.txt").absolute()
    texts = [line.format(index.url) for line in lines]
    file.write_text("".join(f"{text}\n" for text in texts if not text.startswith("--index-url")), encoding="utf-8")
    option = "--index-url" if installer == "pip" else "--default-index"
    options = [word for text in texts if text.startswith("--index-url") for word in (option, text.split()[1])]
    return install(installer, file, index.public_url, *options)


def versions(index: WheelIndex, name: str, *lines: str) -> tuple[str, str]:
    """The version that pip and the one that uv takes; "" if it fails."""
    found = [taken(installer, index, *lines) for installer in ("pip", "uv")]
    pip, uv = (outcome.versions.get(name, "") if outcome.code == 0 else "" for outcome in found)
    return pip, uv


def test_tl213_the_public_index_has_a_newer_release(index: WheelIndex) -> None:
    index.add("cu124", "torch", "2.6.0+cu124", TAGS)
    index.add_public("torch", "2.15.0", tags=TAGS)
    index.add_public("torch", "2.6.0", tags=TAGS)
    page = "--extra-index-url {}/cu124"
    assert versions(index, "torch", page, "torch>=2.5") == ("2.15.0", "2.6.0+cu124")
    assert versions(index, "torch", page, "torch>=2.5,<2.7") == ("2.6.0+cu124", "2.6.0+cu124"), "labels are higher"
    assert versions(index, "torch", page, "torch==2.6.0") == ("2.6.0+cu124", "2.6.0+cu124")


def test_tl211_a_page_with_other_releases_only(index: WheelIndex) -> None:
    index.add("cu124", "torch", "2.6.0+cu124", TAGS)
    index.add_public("torch", "2.7.0", tags=TAGS)
    assert versions(index, "torch", "--extra-index-url {}/cu124", "torch==2.7.0") == ("2.7.0", "")


def test_tl211_old_links_make_a_page_look_as_if_it_had_the_companion(index: WheelIndex) -> None:
    """A file at the root of the index is linked from every page: cu132 lists an old torchaudio."""
    index.add("cu132", "torch", "2.13.0+cu132", TAGS)
    index.add("", "torchaudio", "2.2.0", TAGS)
    index.add_public("torchaudio", "2.11.0", tags=TAGS)
    lines = ("--extra-index-url {}/cu132", "torch==2.13.0+cu132", "torchaudio==2.11.0")
    assert versions(index, "torchaudio", *lines) == ("2.11.0", "")


def test_tl516_two_pages(index: WheelIndex) -> None:
    for label in ("cu118", "cu121", "rocm6.0"):
        index.add(label, "torch", f"2.3.1+{label}", TAGS)
    index.add_public("torch", "2.3.1", tags=TAGS)
    pages = ("--extra-index-url {}/cu118", "--extra-index-url {}/cu121")
    assert versions(index, "torch", *pages, "torch==2.3.1") == ("2.3.1+cu121", "2.3.1+cu118")
    assert versions(index, "torch", *reversed(pages), "torch==2.3.1") == ("2.3.1+cu121", "2.3.1+cu121")
    pages = ("--extra-index-url {}/cu121", "--extra-index-url {}/rocm6.0")
    assert versions(index, "torch", *pages, "torch==2.3.1") == ("2.3.1+rocm6.0", "2.3.1+cu121")


@pytest.mark.parametrize(
    ("labels", "highest"),
    [
        (("cu128", "rocm6.4", "rocm6.10"), "rocm6.10"),
        (("cu128", "rocm7.1", "xpu"), "xpu"),
        (("cpu", "cu118"), "cu118"),
    ],
)
def test_tl206_labels_compare_by_their_parts(index: WheelIndex, labels: tuple[str, ...], highest: str) -> None:
    for label in labels:
        index.add(label, "torch", f"2.8.0+{label}", TAGS)
    found = versions(index, "torch", "--extra-index-url {}", "torch==2.8.0")
    assert found == (f"2.8.0+{highest}", f"2.8.0+{highest}")
    assert max(labels, key=label_order) == highest


def test_tl514_a_project_that_the_only_index_does_not_have(index: WheelIndex) -> None:
    index.add("cu128", "torch", "2.8.0+cu128", TAGS)
    index.add_public("librosa", "0.11.0")
    for installer in ("pip", "uv"):
        assert taken(installer, index, "--index-url {}/cu128", "torch==2.8.0", "librosa").code != 0


def test_tl512_uv_takes_other_projects_from_the_page_alone(index: WheelIndex) -> None:
    index.add("cu128", "torch", "2.8.0+cu128", TAGS)
    index.add("", "numpy", "1.26.3", TAGS)
    index.add_public("numpy", "2.3.0")
    lines = ("--extra-index-url {}/cu128", "torch==2.8.0", "numpy>=2")
    assert versions(index, "numpy", *lines) == ("2.3.0", "")


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_tl513_a_hash_of_another_folder(index: WheelIndex, installer: str) -> None:
    """An unlabelled wheel has one name in the folders cu128 and cpu: each has its own hash."""
    mine = index.add("cu128", "torchaudio", "2.8.0", TAGS)
    other = index.add("cpu", "torchaudio", "2.8.0", TAGS)
    assert mine.filename == other.filename
    assert mine.sha256 != other.sha256
    line = "torchaudio==2.8.0 --hash=sha256:"
    assert taken(installer, index, "--index-url {}/cu128", line + mine.sha256).code == 0
    assert taken(installer, index, "--index-url {}/cu128", line + other.sha256).code != 0


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_tl515_a_release_candidate_under_the_final_name(index: WheelIndex, installer: str) -> None:
    final = index.add("cu128", "torch", "2.8.0+cu128", TAGS)
    index.add("test/cu128", "torch", "2.8.0+cu128", TAGS)
    line = f"torch==2.8.0+cu128 --hash=sha256:{final.sha256}"
    assert taken(installer, index, "--index-url {}/cu128", line).code == 0
    assert taken(installer, index, "--index-url {}/test/cu128", line).code != 0


# Projects of uv.


def locked_by_uv(index: WheelIndex, text: str) -> tuple[int, str]:
    """Exit code and messages of ``uv lock`` for a pyproject.toml; the lock is in the current folder."""
    head = '[project]\nname = "speech"\nversion = "1"\nrequires-python = ">=3.10"\n'
    Path("pyproject.toml").write_text(head + text.replace("{}", index.url), encoding="utf-8")
    environ = {**os.environ, "UV_DEFAULT_INDEX": index.public_url, "UV_CACHE_DIR": str(Path("cache").absolute())}
    words = [sys.executable, "-m", "uv", "lock", "--python", sys.executable]
    done = subprocess.run(words, env=environ, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


def declared(name: str, label: str) -> str:
    return f'[[tool.uv.index]]\nname = "{name}"\nurl = "{{}}/{label}"\nexplicit = true\n'


EXTRAS = """[project.optional-dependencies]
cpu = ["torch"]
gpu = ["torch"]
[tool.uv.sources]
torch = [{ index = "c", extra = "cpu" }, { index = "g", extra = "gpu" }]
"""


def test_tl215_extras_with_two_pages(index: WheelIndex) -> None:
    for label in ("cpu", "cu128"):
        index.add(label, "torch", f"2.8.0+{label}", "py3-none-any")
    text = EXTRAS + declared("c", "cpu") + declared("g", "cu128")
    code, said = locked_by_uv(index, text)
    assert code != 0
    assert "conflicting indexes for package `torch`" in said
    conflicts = '[tool.uv]\nconflicts = [[{ extra = "cpu" }, { extra = "gpu" }]]\n'
    assert locked_by_uv(index, text + conflicts)[0] == 0


def test_tl214_a_source_for_an_extra_that_does_not_list_the_package(index: WheelIndex) -> None:
    index.add("cu128", "torch", "2.8.0+cu128", "py3-none-any")
    index.add_public("numpy", "2.3.0")
    text = (
        'dependencies = ["torch"]\n[project.optional-dependencies]\ngpu = ["numpy"]\n'
        '[tool.uv.sources]\ntorch = { index = "g", extra = "gpu" }\n'
    )
    code, said = locked_by_uv(index, text + declared("g", "cu128"))
    assert code != 0
    assert "only applies to extra `gpu`" in said


def test_tl214_a_torch_that_only_another_package_requires(index: WheelIndex) -> None:
    index.add("cu128", "torch", "2.8.0+cu128", "py3-none-any")
    index.add_public("torch", "2.8.0")
    index.add_public("whisper", "1.0", ["torch"])
    source = '[tool.uv.sources]\ntorch = { index = "g" }\n' + declared("g", "cu128")
    for listed, version in (('"whisper"', "2.8.0"), ('"whisper", "torch"', "2.8.0+cu128")):
        code, said = locked_by_uv(index, f"dependencies = [{listed}]\n{source}")
        assert code == 0, said
        assert f'name = "torch"\nversion = "{version}"' in Path("uv.lock").read_text(encoding="utf-8")
        Path("uv.lock").unlink()


def test_tl517_a_companion_without_the_source_of_torch(index: WheelIndex) -> None:
    for name in ("torch", "torchaudio"):
        index.add("cu128", name, "2.8.0+cu128", "py3-none-any")
        index.add_public(name, "2.8.0")
    text = 'dependencies = ["torch", "torchaudio"]\n[tool.uv.sources]\ntorch = { index = "g" }\n'
    code, said = locked_by_uv(index, text + declared("g", "cu128"))
    assert code == 0, said
    lock = Path("uv.lock").read_text(encoding="utf-8")
    assert 'name = "torch"\nversion = "2.8.0+cu128"' in lock
    assert 'name = "torchaudio"\nversion = "2.8.0"' in lock
