"""Export an environment as a requirements file: pins with builds, and the machine's libraries as comments."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.check.context import version_of
from torchlock.check.system_packages import libraries_of
from torchlock.knowledge.build_labels import kind_of
from torchlock.knowledge.indexes import page_of
from torchlock.knowledge.stack import FAMILY, STACK
from torchlock.redaction import MASK, masked, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.check.context import CheckContext
    from torchlock.inspect.distributions import Distribution, InstallSource

FIRST_LINE = "# The environment as it is installed"
"""The beginning of the first line of each exported environment."""
_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?", re.I)
# The text contains no space, option, marker, fragment, line end or variable; pip replaces ${NAME} with its value.
_ADDRESS = re.compile(r"(?:git\+)?(?:https?|file|ssh)://[\w.~:/@!&()*+,=?%\[\]-]{1,2000}", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{7,64}", re.ASCII)
_HASH = re.compile(r"(?:sha256=[0-9a-f]{64}|sha512=[0-9a-f]{128})", re.ASCII)
_INSTALLERS = frozenset({"pip", "setuptools", "wheel"})


def export(context: CheckContext) -> str:
    """The requirements file: one line for each distribution, sorted by name. All other text is in comments."""
    return "\n".join([*_head(context), *_lines(context), *_machine(context)]) + "\n"


def _head(context: CheckContext) -> Iterator[str]:
    target = context.target
    where = f" on Python {target.python}, {target.platform.spelled}" if target else ""
    options = f" --python {target.python} --platform {target.platform.spelled}" if target else ""
    yield f"{FIRST_LINE}{where}."
    yield f"# Lock it with: torchlock lock -r THIS_FILE{options}"
    labels = {str(pin.version.local) for name in FAMILY if (pin := context.pins.get(name)) and pin.version.local}
    for label in sorted(labels):
        if _is_label(label):
            yield f"--extra-index-url {page_of(label)}"
        else:
            yield f"# Name the index of its builds ({_plain(label)}); otherwise the public index's are locked."


def _lines(context: CheckContext) -> Iterator[str]:
    known: dict[str, Distribution] = {}
    for distribution in context.installed.distributions:
        known.setdefault(distribution.name, distribution)
    for name in STACK:
        record = context.record(name)
        if record is not None:
            known[name] = record
    for name in sorted(known):
        if name not in _INSTALLERS:
            yield _line(context, known[name])


def _line(context: CheckContext, distribution: Distribution) -> str:
    name = distribution.name
    version = context.version(name) if name in STACK else distribution.version
    if not _NAME.fullmatch(name) or version_of(version) is None:
        return f"# not a valid name and version:  {_plain(name)} {_plain(version)}"
    source = distribution.source
    if distribution.installer == "conda":
        # The folder in which conda built the package does not exist on other machines.
        if name not in STACK:
            return f"# from conda: {name} {version}"
    elif source is not None and source.editable:
        return f"# editable: {name} {version} from {_plain(source.url)}"
    elif source is not None:
        address = _address(source)
        return f"{name} @ {address}" if address else f"# from {_plain(source.url)}: {name} {version}"
    public, _, label = version.partition("+")
    if label and name in FAMILY and not _is_label(label):
        return f"{name}=={public}  # +{label}"
    return f"{name}=={version}"


def _address(source: InstallSource) -> str:
    """The address as pip freezes it, with the commit or the hash; "" if pip cannot read it."""
    address = masked(source.url).replace(f"://{MASK}@", "://")
    if source.commit:
        address = f"{'' if address.startswith('git+') else 'git+'}{address}@{source.commit}"
        whole = _COMMIT.fullmatch(source.commit) is not None
    else:
        whole = not address.startswith(("ssh:", "git+"))
    if not whole or MASK in address or not _ADDRESS.fullmatch(address):
        return ""
    return f"{address}#{source.hash}" if _HASH.fullmatch(source.hash) else address


def _is_label(label: str) -> bool:
    """Whether the PyTorch index uses this label. The index of a vendor's build is another one."""
    return kind_of(label) is not None


def _machine(context: CheckContext) -> Iterator[str]:
    found = {name: version for name, version in libraries_of(context).items() if version}
    if found:
        yield "# Libraries of the machine:"
        yield from (f"#   {name} {_plain(version)}" for name, version in sorted(found.items()))
    for record in context.environment.conda:
        if record.name in ("pytorch", "torchaudio", "ffmpeg", "libsndfile"):
            yield f"# conda: {_plain(record.name)} {_plain(record.version)} {_plain(record.build)}"


def _plain(text: str) -> str:
    """A text that stays in its comment or line, without passwords."""
    return one_line(masked(text.replace("\n", " ").replace("\r", " ")))
