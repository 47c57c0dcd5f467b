"""Options that several commands have."""

from __future__ import annotations

from functools import partial

from torchlock.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    Adder = argparse.ArgumentParser | argparse._ArgumentGroup


_BASE = """\
What is there stays: the lock does not contain it, and a requirement that would
replace it is refused. Python, platform and C library are those of the image or
the environment, unless other options state them; the build of its torch
(cu128, cpu) is the build of torchaudio, torchvision and torchcodec.
Install the lock with: pip install -r FILE, or uv pip install --no-deps -r FILE."""
_SOURCES = """\
Default: the bundled catalogue, which is a snapshot with a date. The index is
asked for other packages, for the torch family if the snapshot is older than a
day, and before a conflict is reported."""


def add_configuration(parser: argparse.ArgumentParser) -> None:
    """Add --config and --no-config."""
    group = parser.add_argument_group("configuration (default: torchlock.toml or pyproject.toml, see docs)")
    only = group.add_mutually_exclusive_group()
    only.add_argument("--config", metavar="FILE", help="read this configuration file, and no other")
    only.add_argument("--no-config", action="store_true", help="read no configuration file")


def add_messages(parser: argparse.ArgumentParser) -> None:
    """Add --quiet, --verbose and --color."""
    group = parser.add_argument_group("messages")
    volume = group.add_mutually_exclusive_group()
    volume.add_argument("-q", "--quiet", action="store_true", help="show only errors")
    volume.add_argument(
        "-v", "--verbose", action="store_true", help="also show every step, and the notes of a report"
    )
    group.add_argument(
        "--color",
        choices=("auto", "always", "never"),
        default="auto",
        help="use colours; auto: on a terminal, unless NO_COLOR or CLICOLOR=0 is set; always with FORCE_COLOR or "
        "CLICOLOR_FORCE (default: auto)",
    )


def add_build(parser: Adder) -> None:
    """Add --build."""
    parser.add_argument(
        "--build",
        action="store_true",
        help="run the build backend of a source distribution if its requirements cannot be read otherwise. "
        "This runs code of the package on this machine, with your permissions, for at most ten minutes (never for "
        "the torch family; needs torchlock[build])",
    )


def add_target(parser: argparse.ArgumentParser, *, of_files: bool = False, many: bool = False) -> None:
    """Add the target options.

    With ``of_files``, the default is the target that each file declares. With ``many``, Python, platform and build
    are lists of values; an empty list means the default.
    """
    from torchlock.target import PLATFORMS

    what = "default: what each file declares, else all" if of_files else "the Python and machine to lock for"
    group = parser.add_argument_group(f"target ({what})")
    add = partial(_add_many, group) if many else group.add_argument
    add(
        "--python",
        metavar="VERSION",
        help="3.11, 3.11.7, 3.13t, or the path of an interpreter, which is run"
        + (", or a range like 3.10-3.13" if many else "")
        + ("" if of_files else " (default: the Python that runs torchlock)"),
    )
    add(
        "--platform",
        metavar="NAME",
        default=None if of_files else "host",
        help=f"host, {', '.join(PLATFORMS)}; or with the oldest C library or macOS, like manylinux_2_31_x86_64"
        + ("" if of_files else " (default: host)"),
    )
    add(
        "--accelerator",
        metavar="BUILD",
        default="pypi" if of_files else None,
        help="which builds: pypi means "
        + (
            "those that a file asks for; cpu, cu128 (CUDA 12.8), rocm6.4 or xpu mean that build of the PyTorch "
            "index: torch and its companions in another build are reported; auto means the builds that the GPU "
            "and its driver run, those of this machine or of --gpu (default: pypi)"
            if of_files
            else "the builds that the public index serves; cpu, cu128 (CUDA 12.8), rocm6.4 or xpu mean that build "
            "of the PyTorch index, for the whole torch family; auto means the newest build that runs on the GPU "
            "with its driver (default: the one build that the input names, like +cu128 or an index of the PyTorch "
            "project; otherwise pypi)"
        ),
    )
    add_gpu(group.add_argument, of_files=of_files)
    _add_system(group)


def _add_many(group: argparse._ArgumentGroup, name: str, **settings: Any) -> None:
    """Add an option that may be repeated, whose values are combined with those of the others."""
    said = f"{settings.pop('help')}; repeatable, one lock for all"
    group.add_argument(name, **{**settings, "action": "many", "default": [], "help": said})


def _add_system(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--system",
        metavar="NAME",
        default="none",
        help="the distribution release whose system libraries are used: debian-12, ubuntu-24.04, macos-homebrew, "
        "…; host for this machine; or none (default: none)",
    )
    add(
        "--system-lib",
        metavar="NAME=VERSION",
        action="append",
        default=[],
        help="the version of one system library, overrides --system: ffmpeg=6.1, libsndfile=none, glibc=2.31 "
        "(repeatable)",
    )


def add_gpu(add: Callable[..., object], *, of_files: bool = False) -> None:
    """Add --gpu; with ``of_files``, for files that are judged."""
    add(
        "--gpu",
        metavar="NAME",
        help="the GPU: a product like 'RTX 4090', its architecture (sm_89, gfx1100, xpu), none, or host for those "
        "of this machine; separate several by commas. Builds without code for it are "
        + ("reported" if of_files else "not used")
        + ". State the driver with --system-lib cuda-driver=VERSION (default: not judged"
        + (")" if of_files else "; with --accelerator auto: host)"),
    )


def add_base(parser: argparse.ArgumentParser) -> None:
    """Add --base-image and --constraint-from."""
    group = parser.add_argument_group("what is installed already (default: nothing)", _BASE)
    only = group.add_mutually_exclusive_group()
    only.add_argument(
        "--base-image",
        metavar="NAME",
        help="the image that the packages are installed into, as in FROM: "
        "pytorch/pytorch:2.8.0-cuda12.8-cudnn9-runtime, nvcr.io/nvidia/pytorch:25.08-py3, colab:2026.01-gpu, "
        "python:3.12-bookworm",
    )
    only.add_argument(
        "--constraint-from",
        metavar="ENV",
        help="the environment that the packages are installed into: a virtual environment, a site-packages "
        "folder, or an interpreter, which is asked for its paths; no package is imported",
    )


def add_unproven(add: Callable[..., object]) -> None:
    """Add --unproven."""
    add(
        "--unproven",
        action="store_true",
        help="use releases of the torch family even if they are newer than the compatibility data or their build "
        "is unknown; the lock marks them (default: only if a pin or a bound in the input asks for them, or if "
        "nothing else satisfies the input)",
    )


def add_sources(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where releases come from."""
    group = parser.add_argument_group("sources of releases", _SOURCES)
    add = group.add_argument
    add("-i", "--index-url", metavar="URL", help="use this index instead of the bundled catalogue")
    add(
        "--extra-index-url",
        action="append",
        default=[],
        metavar="URL",
        dest="extra_index_urls",
        help="another index; a package comes from the first index that has it (repeatable)",
    )
    add(
        "--builds-url",
        metavar="URL",
        help="a mirror of the PyTorch wheel index, which --accelerator takes builds from",
    )
    add("--offline", action="store_true", help="never use the network, only the catalogue and the cache")
    add("--refresh", action="store_true", help="ask the index for every package, also for those in the catalogue")
    add("--cache-dir", metavar="DIR", help="the folder for cached answers of indexes")
    add_keyring(add)
    add(
        "--deadline",
        metavar="SECONDS",
        type=float,
        default=1800.0,
        help="the time for all answers of indexes together, from the first request on (default: 1800)",
    )


def add_keyring(add: Callable[..., object]) -> None:
    """Add --keyring-provider."""
    add(
        "--keyring-provider",
        choices=("disabled", "subprocess"),
        help="whether the keyring command is asked for the password of a user of an index (default: what the "
        "settings of pip and uv say)",
    )


def add_report(group: argparse._ArgumentGroup, strict: str = "") -> None:
    """Add the report options; ``strict`` is appended to the help of --strict."""
    add = group.add_argument
    add(
        "--format",
        choices=("text", "json", "sarif", "github", "gitlab", "junit", "markdown"),
        default="text",
        help="text for people; json; SARIF 2.1.0; GitHub's annotations; GitLab's Code Quality; JUnit XML; or "
        "Markdown for the summary of a job (default: text)",
    )
    add("--json", dest="format", action="store_const", const="json", help="the same as --format json")
    add("-o", "--output", metavar="FILE", help="write the report here (default: standard output)")
    add("--strict", action="store_true", help=f"treat warnings as errors, for the exit code{strict}")
    add(
        "--ignore",
        metavar="RULE",
        action="append",
        default=[],
        help="ignore this rule, like TL305 (repeatable); torchlock explain TL305 describes it",
    )
