"""The report of a check for an issue tracker: one Markdown block with all that a maintainer needs to answer.

It has the verdict, the machine, the packages with their builds, the findings, and the lines of the log around its
first failure. Secrets are masked, and the home folder is ``~``.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock import __version__
from torchlock.check.system_packages import libraries_of
from torchlock.inspect.host import release_of
from torchlock.knowledge.build_labels import describe_build
from torchlock.knowledge.stack import FAMILY, MEMBERS, STACK
from torchlock.redaction import Line, masked, one_line
from torchlock.report.check_text import text
from torchlock.report.own_outputs import FOR_AN_ISSUE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from torchlock.check import CheckContext
    from torchlock.check.verdict import Verdict
    from torchlock.finding import Report
    from torchlock.inspect.distributions import Distribution

# Other packages whose libraries or versions the stack depends on.
_BESIDE = re.compile(
    r"nvidia-.+|cuda-.+|triton.*|pytorch-triton.*|numpy|numba|scipy|ctranslate2|onnxruntime.*|xformers|flash-attn|"
    r"bitsandbytes|k2|librosa|openai-whisper|faster-whisper|whisperx|pyannote-audio|speechbrain|pip|uv"
)
# Variables that change what Python or the loader finds, or which GPU the process sees.
_VARIABLES = re.compile(
    r"LD_(?:LIBRARY_PATH|PRELOAD)|DYLD_\w+|PYTHON(?:PATH|HOME|NOUSERSITE|SAFEPATH)|VIRTUAL_ENV|CONDA_(?:PREFIX|DEFAULT_ENV)|"
    r"CUDA_(?:VISIBLE_DEVICES|HOME|PATH)|NVIDIA_(?:VISIBLE_DEVICES|DRIVER_CAPABILITIES)|HIP_VISIBLE_DEVICES|"
    r"HSA_OVERRIDE_GFX_VERSION|TORCH_\w+|TORCHAUDIO_\w+|PIP_(?:EXTRA_)?INDEX_URL|UV_TORCH_BACKEND"
)
# Lines of the log before and after its first failure.
_BEFORE, _AFTER = 25, 15
_LONGEST = 500


def support_report(
    context: CheckContext, report: Report, result: Verdict, log: Sequence[Line] = (), failure: int = 0
) -> str:
    """The report as Markdown, with every finding.

    ``log`` has the lines of the log, ``failure`` is the number of its first failure, from 1; 0 for none.
    """
    body = "\n\n".join(
        [
            f"torchlock {__version__}, data of {report.date}" + (f". {report.update}" if report.update else ""),
            *_section("environment", _environment(context)),
            *_section("packages", _packages(context)),
            *_section("variables", _variables(context)),
            _plain(text(report, result.sentence, result.commands, lambda _, words: words, verbose=True)).rstrip(),
            *_section("log", _around(log, failure)),
        ]
    )
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`{3,}", body)), 3)
    title = _plain(result.sentence).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return (
        f"{FOR_AN_ISSUE} Secrets are masked; read it before you send it. -->\n"
        f"<details>\n<summary>torchlock check: {title}</summary>\n\n{fence}text\n{body}\n{fence}\n\n</details>\n"
    )


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    if shown := [f"  {_plain(line)}" for line in lines]:
        yield "\n".join([f"{title}:", *shown])


def _environment(context: CheckContext) -> Iterator[str]:
    interpreter, target = context.environment.interpreter, context.target
    version = interpreter.version or (str(target.python) if target else "")
    yield f"Python: {interpreter.implementation} {version or 'of an unknown version'}, {_kind(context)}"
    yield f"platform: {target.platform.spelled if target else interpreter.platform or 'unknown'}"
    if context.root is not None and (name := release_of(context.root).get("PRETTY_NAME")):
        yield f"system: {name}"
    for name, found in sorted(libraries_of(context).items()):
        yield f"{name}: {found or 'none'}"
    for gpu in context.gpus:
        yield f"GPU: {gpu}"
    for entry in context.environment.path:
        if entry.kind != "stdlib":
            yield f"path: {entry.path} ({entry.kind}{'' if entry.state == 'folder' else ', ' + entry.state})"


def _kind(context: CheckContext) -> str:
    if context.environment.conda:
        return "conda"
    return "virtual environment" if context.environment.interpreter.virtual else "no virtual environment"


def _packages(context: CheckContext) -> Iterator[str]:
    for name in STACK:
        copies = context.copies.get(name)
        if copies is not None and copies.imported is not None:
            yield f"{name} {context.version(name)}{_build(context, name)} at {copies.imported.path}"
        for hidden in copies.hidden if copies is not None else ():
            yield f"{name} at {hidden.path}: hidden by the copy above"
    for each in sorted(context.installed.distributions):
        if each.name in STACK or "torch" in each.name or _BESIDE.fullmatch(each.name):
            yield f"{each.name}=={each.version} ({', '.join(_facts(each))})"
    for record in context.environment.conda:
        if record.name in STACK or record.name in ("pytorch", "ffmpeg", "libsndfile") or "cuda" in record.name:
            yield f"conda: {record.name} {record.version} {record.build}"


def _build(context: CheckContext, name: str) -> str:
    if name not in FAMILY or not MEMBERS[name].labels:
        return ""
    words = describe_build(pin.build) if (pin := context.pins.get(name)) else ""
    return f" ({words})" if words else ""


def _facts(distribution: Distribution) -> Iterator[str]:
    yield f"installed by {distribution.installer}" if distribution.installer else "installer unknown"
    if distribution.source is not None:
        yield f"from {distribution.source.url}"
    yield from distribution.tags[:1]


def _variables(context: CheckContext) -> Iterator[str]:
    """The variables of this process; those of another machine are unknown."""
    if context.live:
        asked = dict(context.environment.interpreter.variables)
        for name, value in sorted((dict(os.environ) | asked).items()):
            if _VARIABLES.fullmatch(name) and value:
                yield f"{name}={value}"


def _around(log: Sequence[Line], failure: int) -> Iterator[str]:
    first = max(0, failure - 1 - _BEFORE)
    for number, line in enumerate(log[first : failure + _AFTER] if failure else log[-_AFTER:], first + 1):
        yield f"{'>' if number == failure else ' '} {line.masked[:_LONGEST]}"


def _plain(words: str) -> str:
    """The text without secrets, control characters and the name of the home folder; line ends stay."""
    shown = "\n".join(one_line(line) for line in masked(words).split("\n"))
    home = os.path.expanduser("~").rstrip("/\\")
    return re.sub(rf"{re.escape(home)}(?=[/\\]|\s|$)", "~", shown) if len(home) > 1 else shown
