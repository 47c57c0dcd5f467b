"""The torch family of one build: from its folder's table and its live page, and from nowhere else."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.amount import amount
from support.build_tables import DATE, use_tables
from support.index_server import Reply
from support.wheel_index import AARCH64, LINUX, Published, WheelIndex
from torchlock.answers import Unknown
from torchlock.errors import NetworkError, UnknownPackage
from torchlock.index.build_source import BuildSource
from torchlock.index.sources import Sources
from torchlock.knowledge.releases import Release
from torchlock.standards.index_file import File

ARM = f"cp311-cp311-{AARCH64}"


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[WheelIndex]:
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.chdir(tmp_path)
    with WheelIndex(dated=False) as started:
        monkeypatch.setenv("PIP_INDEX_URL", started.public_url)
        yield started


def sources(index: WheelIndex, tmp_path: Path, label: str = "cu128", **words: Any) -> Sources:
    words = {"day": lambda: "2026-11-29", **words}
    return Sources(accelerator=label, builds_url=index.url, cache_dir=str(tmp_path / "cache"), **words)


def builds(found: Sources) -> BuildSource:
    assert found.builds is not None
    return found.builds


def known(*files: Published) -> dict[str, list[Published]]:
    """The tables with these files."""
    tables: dict[str, list[Published]] = {"cu128": []}
    for file in files:
        tables.setdefault(file.folder or "root", []).append(file)
    return tables


def files(releases: list[Release]) -> list[str]:
    return [file.filename for release in releases for file in release.files()]


def one(found: Sources, name: str) -> Release:
    (release,) = found.releases(name)
    return release


def test_offline_the_table_answers_and_nobody_is_asked(
    index: WheelIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = index.add("cu128", "torch", "2.8.0+cu128")
    use_tables(monkeypatch, tmp_path / "tables", known(torch), requires=lambda file: ["filelock"])
    found = sources(index, tmp_path, offline=True)
    release = one(found, "torch")
    (file,) = release.files()
    assert (file.url, file.hashes) == (index.link(torch), {"sha256": torch.sha256})
    assert release.build(0) == "cu128"
    assert [str(each) for each in release.dependencies(0)] == ["filelock"]  # type: ignore[union-attr]
    assert found.indexes == ["the cu128 folder of the PyTorch index (bundled table)"]
    assert found.provenance("torch").as_of == DATE
    assert index.requests == []


def test_a_fresh_table_asks_nobody_and_an_old_one_asks_its_page(
    index: WheelIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = index.add("cu128", "torch", "2.8.0+cu128")
    index.add("cu128", "torch", "2.9.0+cu128")
    use_tables(monkeypatch, tmp_path / "tables", known(old))
    fresh = sources(index, tmp_path, day=lambda: DATE)
    assert [release.version for release in fresh.releases("torch")] == ["2.8.0+cu128"]
    assert index.requests == []
    assert fresh.renew(["torch", "numpy"])
    assert [release.version for release in fresh.releases("torch")] == ["2.8.0+cu128", "2.9.0+cu128"]
    aged = sources(index, tmp_path)
    assert [release.version for release in aged.releases("torch")] == ["2.8.0+cu128", "2.9.0+cu128"]
    assert aged.provenance("torch").as_of == ""
    assert aged.indexes == [f"{index.url}/cu128"]
    assert not aged.renew(["torch"])


def test_what_is_newer_than_the_data_is_unproven(
    index: WheelIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = index.add("cu128", "torch", "2.8.0+cu128")
    index.add("cu128", "torch", "2.9.0+cu128")
    index.add("cu128", "torch", "99.0+cu128")
    use_tables(monkeypatch, tmp_path / "tables", known(old))
    first, second, third = sources(index, tmp_path).releases("torch")
    assert first.unproven(0) is None
    assert second.unproven(0) is None  # the table lacks this build, and the rules know the release
    assert isinstance(third.unproven(0), Unknown)
    assert {each.build(0) for each in (first, second, third)} == {"cu128"}


def test_links_of_the_root_are_not_of_the_folder(
    index: WheelIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trap 6: the page of cu132 lists torchaudio 2.2.0, which is no build for CUDA 13.2."""
    index.add("", "torchaudio", "2.2.0", build="cpu")
    index.add("cu132", "torch", "2.12.0+cu132")
    use_tables(monkeypatch, tmp_path / "tables", {"cu132": []})
    found = sources(index, tmp_path, "cu132")
    assert found.releases("torchaudio") == []
    assert files(list(found.releases("torch"))) == [f"torch-2.12.0+cu132-cp311-cp311-{LINUX}.whl"]


def test_other_labels_are_not_of_the_folder(
    index: WheelIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.add("", "torch", "2.8.0+cu128")
    index.add("cu128", "torch", "2.8.0+cu126")
    use_tables(monkeypatch, tmp_path / "tables", known())
    assert sources(index, tmp_path).releases("torch") == []


def test_a_label_decides_on_a_mirror_whose_paths_do_not_show_the_folder(
    index: WheelIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in ("2.8.0+cu128", "2.8.0+cu126", "2.9.0+cpu"):
        file = index.add("cu128", "torch", version)
        file.address = f"/files/{file.filename}"
    use_tables(monkeypatch, tmp_path / "tables", known())
    assert [each.version for each in sources(index, tmp_path).releases("torch")] == ["2.8.0+cu128"]


def test_a_label_that_names_no_build_counts_where_the_table_knows_the_file(
    index: WheelIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vision = index.add("cpu", "torchvision", "0.24.1+d801a34", ARM)
    index.add("cpu", "torchvision", "0.24.1+0123456", ARM)
    index.add("cpu", "torch", "2.0.1+cpu.cxx11.abi")
    use_tables(monkeypatch, tmp_path / "tables", known(vision))
    found = sources(index, tmp_path, "cpu")
    assert [each.version for each in found.releases("torchvision")] == ["0.24.1+d801a34"]
    assert one(found, "torchvision").build(0) == "cpu"
    assert found.releases("torch") == []


def test_the_cpu_builds_in_the_folder_of_a_cuda_build_are_passed_over() -> None:
    """cu111 has CPU builds of torch 1.10.2, one of them without a label."""
    found = Sources(accelerator="cu111", offline=True)
    releases = {release.version: release for release in found.releases("torch")}
    assert releases["1.10.2"].ranks(lambda tags: 0) == [None] * len(releases["1.10.2"].tags)
    assert releases["1.10.2+cpu"].ranks(lambda tags: 0) == [None] * len(releases["1.10.2+cpu"].tags)


def test_release_candidates_of_the_test_channel_are_never_met(
    index: WheelIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trap 3: /test/ has other bytes under final names."""
    final = index.add("cu128", "torch", "2.8.0+cu128")
    index.add("test/cu128", "torch", "2.8.0+cu128", requires=["other"])
    use_tables(monkeypatch, tmp_path / "tables", known())
    (file,) = one(sources(index, tmp_path), "torch").files()
    assert file.hashes == {"sha256": final.sha256}


@pytest.mark.parametrize("online", [False, True])
def test_one_name_in_several_folders_has_the_bytes_of_its_folder(
    index: WheelIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, online: bool
) -> None:
    """Traps 1 and 2: an unlabelled aarch64 wheel has other contents in each folder, and on the public index."""
    mine = index.add("cu128", "torchaudio", "2.9.1", ARM, ["torch==2.9.1"])
    others = [index.add(folder, "torchaudio", "2.9.1", ARM) for folder in ("cpu", "cu130", "")]
    assert len({file.sha256 for file in [mine, *others]}) == 4
    use_tables(monkeypatch, tmp_path / "tables", known(mine, *others))
    release = one(sources(index, tmp_path, offline=not online), "torchaudio")
    (file,) = release.files()
    assert file.hashes == {"sha256": mine.sha256}
    assert file.url == index.link(mine)
    assert (release.version, release.build(0)) == ("2.9.1", "cu128")


def test_an_unlabelled_wheel_on_a_mirror_that_hides_folders_is_not_guessed(
    index: WheelIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where paths do not show the folder, an unlabelled release counts only if the root has none so new."""
    for version in ("2.2.0", "2.9.1"):
        file = index.add("cu128", "torchaudio", version, ARM)
        file.address = f"/files/{file.filename}"
    old = index.add("", "torchaudio", "2.2.0", f"cp310-cp310-{AARCH64}")
    old.address = f"/files/{old.filename}"
    use_tables(monkeypatch, tmp_path / "tables", known())
    index.routes["/whl/torchaudio/"] = Reply(f'<a href="/files/{old.filename}">x</a>'.encode(), 200, "text/html")
    assert [each.version for each in sources(index, tmp_path).releases("torchaudio")] == ["2.9.1"]
    index.routes["/whl/torchaudio/"] = Reply(b"", 503)
    assert sources(index, tmp_path / "other").releases("torchaudio") == []


def test_a_page_without_a_hash_takes_that_of_the_table(
    index: WheelIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trap 5."""
    torch = index.add("cu128", "torch", "2.8.0+cu128", stated="")
    use_tables(monkeypatch, tmp_path / "tables", known(torch))
    (file,) = one(sources(index, tmp_path), "torch").files()
    assert file.hashes == {"sha256": torch.sha256}


def test_where_neither_states_a_hash_there_is_none_and_the_wheel_is_not_fetched(
    index: WheelIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = index.add("cu128", "torch", "2.8.0+cu128", stated="")
    use_tables(monkeypatch, tmp_path / "tables", known(torch), sha256=lambda file: None)
    found = sources(index, tmp_path)
    (file,) = one(found, "torch").files()
    assert file.hashes == {}
    assert isinstance(found.sha256(file), Unknown)
    assert index.asked(torch.address) == 0


def test_a_hash_of_the_page_that_contradicts_the_table_is_kept_as_a_contradiction(
    index: WheelIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = index.add("cu128", "torch", "2.8.0+cu128", stated="e" * 64)
    audio = index.add("cu128", "torchaudio", "2.8.0+cu128")
    use_tables(monkeypatch, tmp_path / "tables", known(torch, audio))
    found = sources(index, tmp_path)
    (file,) = one(found, "torch").files()
    assert builds(found).contradiction(file) == ("e" * 64, torch.sha256)
    (other,) = one(found, "torchaudio").files()
    assert builds(found).contradiction(other) is None


def test_requirements_come_from_the_table_and_else_from_the_metadata_file(
    index: WheelIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = index.add("cu128", "torch", "2.8.0+cu128", requires=["filelock", "sympy>=1.13.3"])
    audio = index.add("cu128", "torchaudio", "2.8.0+cu128", requires=["torch==2.8.0"])
    use_tables(
        monkeypatch,
        tmp_path / "tables",
        known(torch, audio),
        requires=lambda file: ["torch==2.8.0"] if file is audio else None,
    )
    found = sources(index, tmp_path)
    assert [each.name for each in one(found, "torch").dependencies(0)] == ["filelock", "sympy"]  # type: ignore[union-attr]
    assert index.asked(f"{torch.address}.metadata") == 1
    assert [each.name for each in one(found, "torchaudio").dependencies(0)] == ["torch"]  # type: ignore[union-attr]
    assert index.asked(f"{audio.address}.metadata") == 0


@pytest.mark.parametrize("beside", ["none", "gone"])
def test_without_a_metadata_file_they_are_read_by_ranges(
    index: WheelIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, beside: str
) -> None:
    torch = index.add("cu128", "torch", "2.8.0+cu128", requires=["filelock"], beside=beside)
    use_tables(monkeypatch, tmp_path / "tables", known(torch), requires=lambda file: None)
    fresh = one(sources(index, tmp_path, day=lambda: DATE), "torch")
    assert fresh.live
    assert [each.name for each in fresh.dependencies(0)] == ["filelock"]  # type: ignore[union-attr]
    assert all("Range" in request.headers for request in index.requests if request.path == torch.address)


def test_unknown_requirements_are_unknown_offline(
    index: WheelIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = index.add("cu128", "torch", "2.8.0+cu128", requires=["filelock"])
    use_tables(monkeypatch, tmp_path / "tables", known(torch), requires=lambda file: None)
    release = one(sources(index, tmp_path, offline=True), "torch")
    found = release.dependencies(0)
    assert isinstance(found, Unknown)
    assert "run without --offline" in str(found)
    assert not release.live


@pytest.mark.parametrize("reply", [Reply(b"", 503), Reply(b"", 404), Reply(b"<form>", 200, "text/html")])
def test_a_page_that_fails_leaves_the_table_with_its_date(
    index: WheelIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reply: Reply
) -> None:
    torch = index.add("cu128", "torch", "2.8.0+cu128")
    audio = index.add("cu128", "torchaudio", "2.8.0+cu128")
    use_tables(monkeypatch, tmp_path / "tables", known(torch, audio))
    index.routes["/whl/cu128/torch/"] = reply
    found = sources(index, tmp_path)
    assert [each.version for each in found.releases("torch")] == ["2.8.0+cu128"]
    (note,) = found.notes
    assert note.endswith(f"as of {DATE}")
    found.releases("torchaudio")
    assert len(found.notes) == 1


def test_refresh_asks_the_page_and_fails_with_it(
    index: WheelIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = index.add("cu128", "torch", "2.8.0+cu128")
    use_tables(monkeypatch, tmp_path / "tables", known(torch))
    assert not sources(index, tmp_path, refresh=True).is_local("torch")
    index.routes["/whl/cu128/torch/"] = Reply(b"", 503)
    with pytest.raises(NetworkError):
        sources(index, tmp_path, refresh=True).releases("torch")


def test_a_folder_that_is_not_in_the_data_is_asked(
    index: WheelIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.add("cu140", "torch", "2.19.0+cu140")
    use_tables(monkeypatch, tmp_path / "tables", known())
    assert [each.version for each in sources(index, tmp_path, "cu140").releases("torch")] == ["2.19.0+cu140"]
    assert list(sources(index, tmp_path, "cu140", offline=True).releases("torch")) == []


def test_nothing_else_comes_from_the_folder(
    index: WheelIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.add("cu128", "numpy", "1.26.3")
    index.add("", "numpy", "1.26.3")
    index.add_public("numpy", "9.0.0")
    index.add("cu128", "mypackage", "1.0")
    use_tables(monkeypatch, tmp_path / "tables", known())
    found = sources(index, tmp_path, refresh=True)
    assert [each.version for each in found.releases("numpy")] == ["9.0.0"]
    with pytest.raises(UnknownPackage):
        found.releases("mypackage")
    assert not [path for path in index.pages_asked() if path.startswith("/whl/")]


def test_nothing_of_the_family_comes_from_another_index(
    index: WheelIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = index.add("cu128", "torch", "2.8.0+cu128")
    index.add_public("torch", "9.0.0")
    use_tables(monkeypatch, tmp_path / "tables", known(torch))
    words: dict[str, Any] = {
        "extra_index_urls": [index.public_url],
        "index_url": index.public_url,
        "routes": {"torch": index.public_url},
        "find_links": [f"{index.public_url}torch/"],
    }
    assert [each.version for each in sources(index, tmp_path, **words).releases("torch")] == ["2.8.0+cu128"]
    assert index.pages_asked() == ["/whl/cu128/torch/"]


@pytest.mark.parametrize(("label", "at_the_root"), [("rocm6.4", True), ("xpu", True), ("cu128", False)])
def test_the_tritons_of_rocm_and_xpu_come_from_the_root_page(
    index: WheelIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, label: str, at_the_root: bool
) -> None:
    for project in ("pytorch_triton_rocm", "triton_xpu", "triton"):
        index.add("", project, "3.4.0")
        index.add_public(project, "9.9.9")
    use_tables(monkeypatch, tmp_path / "tables", {label: []})
    found = sources(index, tmp_path, label, refresh=True)
    own = ["3.4.0"] if at_the_root else ["9.9.9"]
    assert [each.version for each in found.releases("pytorch-triton-rocm")] == own
    assert [each.version for each in found.releases("triton-xpu")] == own
    assert [each.version for each in found.releases("triton")] == ["9.9.9"]


def test_the_root_serves_triton_where_the_public_index_has_none_for_the_machine(
    index: WheelIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch 2.8.0 for CUDA on aarch64 requires triton 3.4.0, which the public index has for x86_64 only."""
    arm = index.add("", "triton", "3.4.0", ARM)
    x86 = index.add("", "triton", "3.4.0")
    index.add_public("triton", "3.4.0", tags=f"cp311-cp311-{LINUX}")
    use_tables(monkeypatch, tmp_path / "tables", {"cu129": [], "root": [arm, x86]})
    found = sources(index, tmp_path, "cu129", refresh=True)
    public, root = found.releases("triton")
    assert public.ranks(lambda tags: 0) == [0]
    shown = [file for file, rank in zip(root.files(), root.ranks(lambda tags: 0), strict=True) if rank == 0]
    assert [(file.url, file.hashes["sha256"]) for file in shown] == [(index.link(arm), arm.sha256)]
    assert builds(found).holds(shown[0])
    assert not builds(found).holds(public.files()[0])
    assert "/whl/triton/" not in index.pages_asked()
    (other,) = sources(index, tmp_path, "cpu", refresh=True).releases("triton")
    assert other.files() == public.files()


def of_the_root(found: Sources) -> File:
    """The wheel of triton that the root page adds."""
    wheels = [file for release in found.releases("triton") for file in release.files()]
    (added,) = filter(builds(found).holds, wheels)
    return added


@pytest.mark.parametrize("stated", ["", "e" * 64], ids=["unstated", "another"])
def test_a_page_is_compared_with_the_table_for_a_triton_that_is_locked(
    stated: str, index: WheelIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arm = index.add("", "triton", "3.4.0", ARM, stated=stated)
    index.add_public("triton", "3.4.0", tags=f"cp311-cp311-{LINUX}")
    use_tables(monkeypatch, tmp_path / "tables", {"cu129": [], "root": [arm]})
    found = sources(index, tmp_path, "cu129")
    assert builds(found).contradiction(of_the_root(found)) == (("e" * 64, arm.sha256) if stated else None)
    assert index.pages_asked().count("/whl/triton/") == 1
    offline = sources(index, tmp_path, "cu129", day=lambda: DATE)
    assert builds(offline).contradiction(of_the_root(offline)) is None
    assert index.pages_asked().count("/whl/triton/") == 1


@pytest.mark.parametrize("stated", ["", "f" * 64])
def test_the_page_knows_a_hash_that_the_table_lacks(
    stated: str, index: WheelIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arm = index.add("", "triton", "3.4.0", ARM, stated=stated)
    index.add_public("triton", "3.4.0", tags=f"cp311-cp311-{LINUX}")
    use_tables(monkeypatch, tmp_path / "tables", {"cu129": [], "root": [arm]}, sha256=lambda file: None)
    found = sources(index, tmp_path, "cu129")
    sha256 = found.sha256(of_the_root(found))
    assert sha256 == stated if stated else isinstance(sha256, Unknown)
    assert index.asked(arm.address) == 0


def test_a_known_file_is_named_at_the_index_wherever_its_page_serves_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Newer pages link to another host; a lock must not depend on the page that was read."""
    with WheelIndex(r2=True) as index:
        torch = index.add("cu128", "torch", "2.8.0+cu128")
        new = index.add("cu128", "torch", "2.9.0+cu128")
        use_tables(monkeypatch, tmp_path / "tables", known(torch))
        monkeypatch.setattr("torchlock.index.folder_page.index_address", lambda: index.url)
        first, second = sources(index, tmp_path).releases("torch")
        assert first.files()[0].url == index.link(torch)
        assert second.files()[0].url == f"{index.r2.url.rstrip('/')}{new.address}"


def test_upload_times_of_the_page_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with WheelIndex() as index:
        index.add("cu128", "torch", "2.8.0+cu128")
        use_tables(monkeypatch, tmp_path / "tables", known())
        assert one(sources(index, tmp_path), "torch").files()[0].uploaded == "2025-08-06T14:51:23Z"


FOLDERS = ("cpu", "cu126", "cu128", "")
PROJECTS = ("torch", "torchaudio", "torchvision", "numpy", "requests", "pytorch_triton_rocm")


def random_index(index: WheelIndex, chance: random.Random) -> None:
    """Files of all kinds in all folders: labelled or not, of other labels, links of the root, other projects."""
    for _ in range(chance.randint(3, 25)):
        folder, project = chance.choice(FOLDERS), chance.choice(PROJECTS)
        label = chance.choice([folder, folder, folder, "", chance.choice(FOLDERS)])
        version = f"{chance.randint(1, 3)}.{chance.randint(0, 2)}{f'+{label}' if label else ''}"
        tags = f"{chance.choice(['cp311-cp311', 'cp310-cp310'])}-{chance.choice([LINUX, AARCH64])}"
        where = chance.choice([folder, folder, folder, f"test/{folder}".rstrip("/")])
        name = f"{project}-{version}-{tags}.whl"
        if not any((file.folder, file.filename) == (where, name) for file in index.published):
            index.add(where, project, version, tags, stated=chance.choice(["", "f" * 64, "e" * 64]))
    for project in PROJECTS:
        index.add_public(project, "9.9")


@pytest.mark.sampled
@pytest.mark.parametrize("seed", range(amount(300, quick=15)))
def test_whatever_an_index_lists_the_family_comes_from_its_folder_alone(
    seed: int, index: WheelIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    random_index(index, chance)
    label = chance.choice(FOLDERS[:3])
    own = [file for file in index.published if file.folder == label]
    tabled = [file for file in own if chance.random() < 0.5]
    use_tables(monkeypatch, tmp_path / "tables", {label: tabled})
    found = sources(index, tmp_path, label, offline=chance.random() < 0.2, refresh=False)
    by_address = {index.link(file): file for file in own}
    for project in PROJECTS[:3]:
        for release in found.releases(project):
            for wheel, file in enumerate(release.files()):
                published = by_address[file.url]  # neither of another folder nor of the root or the test channel
                local = published.version.partition("+")[2]
                assert local in ("", label) or published in tabled
                assert release.build(wheel) == label
                bundled = published.sha256 if published in tabled else ""
                assert file.hashes.get("sha256", "") in {published.stated or bundled, bundled or published.stated}
    for project in ("numpy", "requests", "pytorch-triton-rocm"):
        asked = Sources(accelerator=label, builds_url=index.url, cache_dir=str(tmp_path / "cache"), refresh=True)
        assert [release.version for release in asked.releases(project)] == ["9.9"]
