"""TL709: an argument that a configuration or a model file names, and that the class which it names does not take.

Programs such as NeMo, pyannote.audio and Hydra create objects by what a file says. The file then was made for
another release of the package.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.check.log_alone import has_stack
from torchlock.finding import Remedy, Strength
from torchlock.knowledge.other_names import project_of
from torchlock.knowledge.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding

_ARGUMENT = re.compile(
    r"(?:(?P<owner>[A-Z]\w{1,80})\.)?__init__\(\) got an unexpected keyword argument '(?P<argument>\w{1,80})'"
)
# What creates an object by the words of a file.
_BY_FILE = re.compile(
    r"from_config_dict|Model instantiation failed|hydra[/\\._]|instantiate\(|_call_target|load_hyperpyyaml"
    r"|\(\*\*(?:self\.)?(?:cfg|config|conf|hparams|params|hyper_parameters|_cls_kwargs|kwargs)\b|\(\*\*config\["
    r"|_load_model_state|from_hparams"
)
_TOP = re.compile(r"[/\\](?:site|dist)-packages[/\\](\w{1,80}(?:[/\\]audio(?=[/\\]))?)")
# They read the file; the class is of another package.
_READERS = frozenset({"hydra", "omegaconf", "hyperpyyaml", "torch", "lightning_fabric"})
_NEAR = 40


@rule("TL709", on="unexplained")
def of_file(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """The argument, and the package whose release does not fit to the file."""
    first = log.first
    match = _ARGUMENT.search(first.text) if first is not None else None
    if first is None or match is None or has_stack(context):
        return
    if any(each.expected_error == first.text and each.severity != "note" for each in found):
        return
    lines = log.text.split("\n")[max(0, first.line - _NEAR) : first.line + _NEAR]
    if not _BY_FILE.search("\n".join(lines)):
        return
    tops = [top.replace("\\", "/").replace("/", ".") for line in lines for top in _TOP.findall(line)]
    named = [each for each in tops if each not in _READERS]
    project = (project_of(named[-1]) or named[-1]) if named else ""
    taker = f" to {match['owner']}" if match["owner"] else ""
    yield context.finding(
        "TL709",
        "warning",
        f"a configuration or a model file in the log passes {match['argument']}"
        f"{taker}, which this {project or 'program'} does not take: the file was "
        "made for another release of it",
        because="the traceback shows that the arguments come from a file, and not from a line of code",
        expected_error=first.text,
        remedy=Remedy(
            f"Use the release of {project or 'the program'} that the page or the file of the model names; if none "
            f"is named, the latest one. Or remove {match['argument']} from the configuration, if the model may do "
            "without it."
        ),
        sources=("nemo-5385", "pyannote-1043"),
        strength=Strength.RAN,
    )
