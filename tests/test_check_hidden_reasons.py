"""Logs that name another reason than the true one, or a failure that the program expected."""

from __future__ import annotations

import pytest

from support.appliers import ffmpeg
from support.ground import Ground
from support.libraries import pe
from support.site_folder import install, write
from support.skeletons import Site

SITE = "C:\\venv\\Lib\\site-packages"
ASKED = (
    "ImportError: To support decoding audio data, please install 'torchcodec'.",
    "ImportError: To support encoding audio data, please install 'torchcodec'.",
    "ImportError: TorchCodec is required for load_with_torchcodec. Please install torchcodec to use it.",
    "ImportError: AudioProcessor requires the torchcodec library but it was not found in your environment.",
)


def codec(ground: Ground, site: Site) -> Site:
    ground.wheel(site, "torchcodec==0.10.0")
    ground.torch(site, "2.10.0+cpu", made_for=["torchcodec==0.10.0"])
    return site


# "Please install torchcodec".


@pytest.mark.sketched
@pytest.mark.parametrize("line", ASKED)
def test_a_program_asks_for_the_torchcodec_that_is_installed(ground: Ground, line: str) -> None:
    """https://github.com/unslothai/unsloth/pull/8642"""
    done = ground.check(codec(ground, ground.windows("3.12")), log=f"{line}\n")
    assert done.first.rule == "TL304"
    assert "asks for the torchcodec that is installed" in done.first.message
    assert "Gyan.FFmpeg.Shared" in done.command


@pytest.mark.sketched
def test_a_program_asks_for_the_torchcodec_of_another_torch(ground: Ground) -> None:
    site = ground.windows("3.12")
    ground.wheel(site, "torchcodec==0.10.0")
    ground.torch(site, "2.9.0+cpu", made_for=[])
    assert ground.check(site, log=f"{ASKED[0]}\n").first.rule == "TL102"


@pytest.mark.sketched
def test_a_program_asks_for_the_torchcodec_that_is_not_installed(ground: Ground) -> None:
    site = ground.windows("3.12")
    ground.wheel(site, "torchaudio==2.9.1")
    ground.torch(site, "2.9.1+cpu", made_for=["torchaudio==2.9.1"])
    done = ground.check(site, log=f"{ASKED[2]}\n")
    assert done.first.rule == "TL305"
    assert "torchcodec" in done.command
    assert "a shared build of FFmpeg" in done.first.remedy


@pytest.mark.sketched
def test_a_note_says_what_helps_if_the_machine_has_no_ffmpeg(ground: Ground) -> None:
    done = ground.check(codec(ground, ground.windows("3.12")))
    (note,) = [each for each in done.findings if each.rule == "TL907" and "libtorchcodec" in each.message]
    assert note.remedy.startswith("If the machine does not have shared libraries of FFmpeg: install FFmpeg")


@pytest.mark.sketched
def test_nothing_is_said_of_an_ffmpeg_that_is_there(ground: Ground) -> None:
    site = ground.linux("3.12")
    ground.wheel(site, "torchcodec==0.10.0")
    ground.torch(site, "2.10.0+cpu", made_for=["torchcodec==0.10.0"])
    ground.image(*ffmpeg(7))
    assert "TL304" not in [each.rule for each in ground.check(site, root=True, log=f"{ASKED[0]}\n").findings]


# Failures that a program only notes.


def noted(level: str = "DEBUG:torio._extension.utils:") -> str:
    """What torchaudio writes of each FFmpeg that is not there, if a program shows its notes."""
    return "".join(
        f"{level}Failed to load FFmpeg{version} extension.\nTraceback (most recent call last):\n"
        f'  File "{SITE}\\torio\\_extension\\utils.py", line 116, in _find_ffmpeg_extension\n    _load_lib(lib)\n'
        f"FileNotFoundError: Could not find module '{SITE}\\torio\\lib\\libtorio_ffmpeg{version}.pyd' (or one "
        "of its dependencies). Try using the full path with constructor syntax.\n"
        for version in (6, 5, 4)
    )


def audio(ground: Ground) -> Site:
    site = ground.windows("3.12")
    ground.wheel(site, "torchaudio==2.5.1")
    ground.torch(site, "2.5.1", made_for=["torchaudio==2.5.1"])
    install(site.path, "numpy", "1.26.4")
    return site


@pytest.mark.sketched
@pytest.mark.parametrize(
    "level",
    [
        "DEBUG:torio._extension.utils:",
        "2026-01-02 10:00:00,123 - torio._extension.utils - DEBUG - ",
        "[10:00:00] DEBUG torio: ",
        "torio: ",
    ],
)
def test_notes_about_an_absent_ffmpeg_are_no_failure(ground: Ground, level: str) -> None:
    """https://github.com/KoljaB/RealtimeTTS/issues/138"""
    done = ground.check(audio(ground), log=f"{noted(level)}INFO:root:ready\n")
    assert done.bad == []
    assert not done.command


@pytest.mark.sketched
def test_a_chain_of_noted_tracebacks_is_noted_as_a_whole(ground: Ground) -> None:
    chain = "\nDuring handling of the above exception, another exception occurred:\n\n"
    first, _, rest = noted().partition("DEBUG:torio._extension.utils:Failed to load FFmpeg5 extension.\n")
    second = rest.partition("DEBUG")[0]
    assert ground.check(audio(ground), log=f"{first}{chain}{second}INFO:root:ready\n").bad == []


@pytest.mark.sketched
@pytest.mark.parametrize("head", ["", "ERROR:root:failed\n"])
def test_the_failure_after_the_notes_counts(ground: Ground, head: str) -> None:
    failure = f"{head}Traceback (most recent call last):\n"
    failure += "RuntimeError: Couldn't find appropriate backend to handle uri\n"
    done = ground.check(audio(ground), log=noted() + failure)
    assert done.first.rule == "TL306"
    unnoted = noted().replace("DEBUG:torio._extension.utils:Failed to load", "Cannot load")
    assert ground.check(audio_again(ground), log=unnoted).first.rule == "TL303"


def audio_again(ground: Ground) -> Site:
    """The site that was staged."""
    return Site(ground.folder / "root/venv/Lib/site-packages", "3.12", "windows", "amd64", ground.folder / "root")


# DLLs of drivers and of vendors.


@pytest.mark.sketched
@pytest.mark.parametrize(
    ("library", "said"),
    [
        ("amdhip64_6.dll", "newest AMD driver"),
        ("hiprtc0605.dll", "HIP SDK"),
        ("uv.dll", "libuv of conda-forge"),
    ],
)
def test_where_a_dll_of_a_vendor_comes_from(ground: Ground, library: str, said: str) -> None:
    """https://github.com/Comfy-Org/ComfyUI/issues/10535"""
    site = ground.windows("3.12")
    ground.torch(site, "2.8.0", made_for=["torchaudio==2.5.1"], needs={"c10.dll": [library]})
    error = "OSError: [WinError 126] The specified module could not be found."
    log = f'{error} Error loading "{SITE}\\torch\\lib\\c10.dll" or one of its dependencies.\n'
    done = ground.check(site, log=log)
    assert done.first.rule == "TL610"
    assert said in done.first.remedy
    assert done.commands == ()


@pytest.mark.sketched
def test_libuv_is_installed_into_an_environment_of_conda(ground: Ground) -> None:
    """https://github.com/intel/intel-extension-for-pytorch/issues/700"""
    site = ground.windows("3.12", "envs/e")
    write(site.path.parents[1] / "conda-meta/python-3.12.1-0.json", "{}")
    ground.torch(site, "2.8.0", made_for=["torchaudio==2.5.1"], needs={"c10.dll": ["uv.dll"]})
    error = "OSError: [WinError 126] The specified module could not be found."
    log = f'{error} Error loading "{SITE}\\torch\\lib\\c10.dll" or one of its dependencies.\n'
    assert ground.check(site, log=log).command.endswith("-c conda-forge libuv")
    write(site.path.parents[1] / "Library/bin/uv.dll", pe())
    assert ground.check(site).bad == []
