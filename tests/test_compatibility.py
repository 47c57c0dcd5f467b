"""The digest that the audit reads, against the catalogue and the rules that it is made of."""

from __future__ import annotations

import random

import pytest

from torchlock.knowledge.compatibility import CompatibilityTable
from torchlock.knowledge.judge import violations
from torchlock.knowledge.masks import bits
from torchlock.knowledge.releases import Catalogue
from torchlock.knowledge.rules import Matrix
from torchlock.solve.candidates import CandidateFilter, Policy


@pytest.fixture(scope="module")
def stack() -> CompatibilityTable:
    return CompatibilityTable()


def test_pairs_that_were_seen_to_work_stand(stack: CompatibilityTable) -> None:
    torch, audio = stack.packages["torch"], stack.packages["torchaudio"]
    linux = stack.platforms.index("linux-x86_64")
    for torch_version, audio_version in [("2.14.1", "2.11.0"), ("2.0.1", "2.0.2"), ("1.13.1", "0.13.1")]:
        release = audio.mask(f"=={audio_version}")
        assert stack.loads("torchaudio", release, linux) & torch.mask(f"=={torch_version}")
    assert not stack.loads("torchaudio", audio.mask("==2.11.0"), linux) & torch.mask("==2.15.0")
    assert not stack.fits("torchaudio", audio.mask("==2.11.0")) & torch.mask("==2.9.1")


def test_what_a_library_uses_decides_where_metadata_allows_more(stack: CompatibilityTable) -> None:
    """torchaudio 2.11.1 declares torch>=2.11. Its CUDA wheels use symbols of torch 2.13, its CPU wheels do not."""
    torch, release = stack.packages["torch"], stack.packages["torchaudio"].mask("==2.11.1")
    for platform, name in enumerate(stack.platforms):
        if name in ("linux-x86_64", "linux-aarch64", "windows-amd64", "macos-arm64"):
            known = stack.loads("torchaudio", release, platform)
            older, newer = torch.mask(">=2.11,<2.13"), torch.mask(">=2.13")
            assert known & older == (0 if name.startswith("linux") else older), name
            assert known & newer == newer, name


def test_what_was_seen_to_work_on_one_platform_is_not_ruled_out_there(stack: CompatibilityTable) -> None:
    torch, audio, vision = (stack.packages[name] for name in ("torch", "torchaudio", "torchvision"))
    linux, arm, mac = (stack.platforms.index(name) for name in ("linux-x86_64", "linux-aarch64", "macos-arm64"))
    assert stack.loads("torchaudio", audio.mask("==2.11.0"), mac) & torch.mask("==2.10.0")
    assert not stack.loads("torchaudio", audio.mask("==2.11.0"), linux) & torch.mask("==2.10.0")
    for platform, stands in ((linux, False), (arm, True), (mac, True)):
        for name, releases in (("torchaudio", audio.mask("==0.12.0")), ("torchvision", vision.mask("==0.13.0"))):
            assert bool(stack.loads(name, releases, platform) & torch.mask("==1.12.1")) is stands
            assert not stack.loads(name, releases, platform) & torch.mask("==1.13.0")


def test_a_mask_is_what_the_specifier_says(stack: CompatibilityTable) -> None:
    torch = stack.packages["torch"]
    assert [torch.versions[index] for index in bits(torch.mask(">=2.3,<2.4"))] == ["2.3.0", "2.3.1"]
    assert torch.mask("==2.3") == torch.mask("==2.3.0")
    assert torch.mask("") == torch.everything
    assert torch.mask("==7") == 0


def test_cells_are_those_of_the_solver(stack: CompatibilityTable) -> None:
    """Drawn at random: a release is said to install on a target where the solver's sieve lets it through."""
    catalogue, draw = Catalogue(), random.Random(7)
    policy = Policy(all_pre=True, pinned=tuple(stack.packages))
    for cell in draw.sample(range(stack.everywhere.bit_length()), 12):
        name = draw.choice(list(stack.packages))
        found = CandidateFilter(stack.target(cell), policy).sort(name, catalogue.releases(name) or [])[0]
        package = stack.packages[name]
        there = {package.versions[index] for index in bits(package.on(1 << cell))}
        assert there == {candidate.release.version for candidate in found if candidate.release}


def test_pairs_are_those_of_the_judge(stack: CompatibilityTable) -> None:
    """Drawn at random: what loads together on a target is what the judge lets pass there."""
    catalogue, matrix, draw = Catalogue(), Matrix(), random.Random(11)
    policy = Policy(all_pre=True, pinned=tuple(stack.packages))
    for cell in draw.sample(range(stack.everywhere.bit_length()), 16):
        target, platform = stack.target(cell), stack.coordinates(cell)[0]
        sieve = CandidateFilter(target, policy)
        torches = sieve.sort("torch", catalogue.releases("torch") or [])[0]
        partners = sieve.sort("torchaudio", catalogue.releases("torchaudio") or [])[0]
        if not torches or not partners:
            continue
        torch, partner = draw.choice(torches), draw.choice(partners)
        pins = {"torch": torch._replace(), "torchaudio": partner}
        found = violations(pins, target, matrix, complete=False)
        ruled = [each for each in found if each.statement and each.dependency]
        mine = [each for each in ruled if each.dependency and each.dependency.name in ("torch", "build-cuda")]
        index = stack.packages["torchaudio"].mask(f"=={partner.version}")
        loads = stack.loads("torchaudio", index, platform) & stack.packages["torch"].mask(f"=={torch.version}")
        assert bool(loads) == (not mine)
