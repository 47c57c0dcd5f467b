"""TL1xx and TL2xx: releases and builds that conflict, by the judge that the audit also uses."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from packaging.version import Version

from torchlock.answers import Unknown
from torchlock.check.linking import Ruling, resolved, ruling
from torchlock.check.proven import is_import_refused, proof_of
from torchlock.check.vendors import is_vendors
from torchlock.finding import Strength
from torchlock.inspect.binaries import Binary, read_binary
from torchlock.inspect.library import is_library
from torchlock.knowledge.build_labels import describe_build, kind_of
from torchlock.knowledge.build_pairs import mismatch
from torchlock.knowledge.cuda_libraries import with_cuda
from torchlock.knowledge.judge import violations
from torchlock.knowledge.registry import group, rule
from torchlock.knowledge.rules import BUILD_CUDA, HOST_PREFIX, cuda_version, is_virtual
from torchlock.knowledge.severity import severity_of
from torchlock.knowledge.stack import FAMILY, MEMBERS, cuda_check_of
from torchlock.patterns import pattern
from torchlock.runtime import files
from torchlock.standards.dependency import readable_specifier

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.check.context import CheckContext
    from torchlock.finding import Finding
    from torchlock.knowledge.build_pairs import Mismatch
    from torchlock.knowledge.judge import NamedVersion, Violation
    from torchlock.knowledge.proofs import Cell

# The call in the source that compares CUDA versions at import, and not a comment.
_CALL = pattern(rb"^[^#\n]{0,200}(?<!def )_check_cuda_version\(\)", re.M)
_CUDA = pattern(r"(lib)?(cudart|torch_cuda|c10_cuda|cufft|cublas|npp|nvcuvid)")
# A conflict makes the import of these fail; of the other members only some calls fail.
_ERRORS = frozenset(name for name in FAMILY if MEMBERS[name].effect == "import")


_RULES = frozenset({*group("versions", "removed"), "TL201", "TL207"})


@rule(*sorted(_RULES))
def conflicts(context: CheckContext) -> Iterator[Finding]:
    """The rules that the installed releases and builds violate."""
    if context.target is None or ("torch" not in context.pins and "torchaudio" not in context.pins):
        return
    found = violations(context.pins, context.target, context.matrix, complete=False, used=True)
    found = [each for each in found if not _is_of_builds(each)]
    found += filter(_is_of_builds, violations(_trains(context), context.target, context.matrix, complete=False))
    for violation in found:
        if violation.statement is not None and violation.statement.rule in _RULES and not _is_elsewhere(violation):
            yield from _findings(context, violation)


def _trains(context: CheckContext) -> dict[str, NamedVersion]:
    """The torch family, each pre-release as its final release, because imports compare both alike."""
    pins = {name: pin for name, pin in context.pins.items() if name in FAMILY}
    return {name: pin._replace(version=Version(pin.version.base_version)) for name, pin in pins.items()}


def _is_of_builds(violation: Violation) -> bool:
    return violation.dependency is not None and violation.dependency.name == BUILD_CUDA


def unjudged(context: CheckContext, name: str) -> Unknown | None:
    """Why the outcome of an import that compares CUDA versions is unknown; None if it was judged."""
    torch, mine = context.pins.get("torch"), context.pins[name]
    builds = {each: cuda_version(pin.build) for each, pin in (("torch", torch), (name, mine)) if pin is not None}
    own = context.build("torch")
    if isinstance(builds.get("torch"), Unknown) and own is not None and own.cuda == builds[name]:
        return None  # A vendor's label, with a version file that names CUDA.
    if own is not None and own.hip and not own.cuda:
        return None  # A build for ROCm: torch.version.cuda is None, and the import compares nothing.
    if not cuda_check_of(name) or torch is None or builds[name] == "0" or compares(context, name) is False:
        return None
    if not any(isinstance(build, Unknown) for build in builds.values()):
        return None
    if context.target is not None and context.target.platform.system == "macos":
        return None
    if any(isinstance(pin.build, str) and kind_of(pin.build) in ("rocm", "xpu") for pin in (torch, mine)):
        return None  # reported by TL203
    if isinstance(builds[name], Unknown) and links_cuda(context, name) is not True:
        return None
    lost = name if isinstance(builds[name], Unknown) else "torch"
    return Unknown(f"its import compares CUDA versions, and the CUDA version of {context.named(lost)} is unknown")


def links_cuda(context: CheckContext, name: str) -> bool | Unknown:
    """Whether a package links CUDA libraries; unknown if none of its libraries can be read."""
    paths = [attempt.path for attempt in context.attempts if attempt.package == name and attempt.role != "other"]
    found = [binary for binary in map(read_binary, paths) if isinstance(binary, Binary)]
    if not found:
        return Unknown(f"the libraries of {name} were not examined")
    return any(_CUDA.match(each.name) for binary in found for each in binary.needed)


def _is_elsewhere(violation: Violation) -> bool:
    """Whether the violation is about a library of the machine, which other rules check."""
    dependency = violation.dependency
    return dependency is not None and dependency.name.startswith(HOST_PREFIX)


def _findings(context: CheckContext, violation: Violation) -> Iterator[Finding]:
    statement, dependency, pinned = violation.statement, violation.dependency, violation.pinned
    assert statement is not None
    if dependency is None:
        if statement.build and kind_of(context.label("torch") or "") not in ("cuda", None):
            return  # This torch does not even have CUDA, which other rules report.
        of_build = f"needs {with_cuda(statement.without)}, which no release of torch installs"
        lacks = of_build if statement.without else "works with no release of torch"
        message = f"{context.named(pinned.name)} {lacks}"
        names: tuple[str, ...] = (pinned.name,)
    elif dependency.name == BUILD_CUDA:
        if _is_settled(context, pinned.name):
            return
        message, names = _builds(context, pinned.name), (pinned.name, "torch")
    elif pinned.name == BUILD_CUDA or is_virtual(dependency.name):
        return
    elif violation.forbidden:
        verb = "does not work" if statement.effect == "import" else "only partly works"
        message = f"{context.named(pinned.name)} {verb} with {context.named(dependency.name)}"
        names = (pinned.name, dependency.name)
    else:
        wanted = f"{dependency.name} {in_words(dependency.specifier)}"
        message = f"{context.named(pinned.name)} needs {wanted}, and {context.named(dependency.name)} is installed"
        names = (pinned.name, dependency.name)
    rest = _ruling(context, violation)
    if rest.is_denied:
        return
    proof = _proof(context, violation)
    shown = f"the wheels of both releases show it: {proof.reason}" if proof is not None else ""
    idle = _is_idle(context, statement.rule) or _is_pure(context, pinned.name)
    yield context.finding(
        statement.rule,
        "note" if idle else _severity(context, pinned.name, statement.effect, shown=_is_shown(context, violation)),
        message,
        *names,
        path=path_of(context, pinned.name),
        because="; ".join(filter(None, (statement.because, shown or rest.because))),
        strength=rest.strength,
        expected_error=_says(context, statement.rule, pinned.name),
        sources=tuple(dict.fromkeys((*statement.sources, *(proof.sources if proof is not None else ())))),
    )


def _proof(context: CheckContext, violation: Violation) -> Cell | None:
    """The proof that a companion fails beside this torch, for a rule that names the torch that it needs."""
    wanted, name = violation.dependency, violation.pinned.name
    if wanted is None or wanted.name != "torch" or name not in FAMILY or resolved(context, name) is True:
        return None
    proof = proof_of(context, name)
    return proof if proof is not None and proof.verdict == "fails" else None


def _ruling(context: CheckContext, violation: Violation) -> Ruling:
    """Whether a rule applies, as far as the loader can show it."""
    statement, wanted, name = violation.statement, violation.dependency, violation.pinned.name
    assert statement is not None
    if violation.forbidden or (wanted is not None and wanted.name != "torch"):
        return Ruling(Strength.MEASURED)
    own = is_vendors(context, name) or is_vendors(context, "torch")
    return ruling(context, name, statement, wanted, own=own)


def _is_shown(context: CheckContext, violation: Violation) -> bool:
    """Whether the source of the installed package confirms the rule."""
    return _is_of_builds(violation) and compares(context, violation.pinned.name) is True


def _severity(context: CheckContext, name: str, effect: str, *, shown: bool = False) -> str:
    if effect == "use" or name not in _ERRORS:
        return severity_of(fails=name in FAMILY and is_import_refused(context, name))
    ruled = shown or not (is_vendors(context, name) or is_vendors(context, "torch"))
    return severity_of(fails=ruled, partly=False)


def _is_pure(context: CheckContext, name: str) -> bool:
    """Whether a torchaudio was installed without libraries, so that it does not depend on one torch."""
    copy = context.copy(name)
    if name != "torchaudio" or copy is None or copy.kind != "package":
        return False
    tree = context.environment.tree
    names = [*tree.names(copy.path), *tree.names(os.path.join(copy.path, "lib"))]
    has_code = "utils.py" in tree.names(os.path.join(copy.path, "_extension"))
    return has_code and not any(map(is_library, names))


def _is_idle(context: CheckContext, rule: str) -> bool:
    """Whether cuDNN does not matter: there is no GPU, or the machine has both major versions."""
    if rule != "TL207" or not context.live:
        return False
    others = all(context.root is not None and context.root.search(f"libcudnn.so.{major}") for major in (8, 9))
    return others or context.libraries.get("cuda-driver") is None


def _builds(context: CheckContext, name: str) -> str:
    """The message about a mixed stack."""
    mine, torch = _build_of(context, name), _build_of(context, "torch")
    other = f"this torch ({_spelled(context)}) is " + (f"the {torch}" if torch == "CPU build" else f"for {torch}")
    if mine == "CPU build":
        return f"{name} {context.pins[name].version.public} is the CPU build, {other}"
    return f"{name} {context.pins[name].version.public} was built for {mine}, {other}"


def _spelled(context: CheckContext) -> str:
    """The version of torch as its files spell it: ``nv25.03``, which a version normalises to ``nv25.3``."""
    build = context.build("torch")
    return build.version if build is not None and build.version else context.version("torch")


def _build_of(context: CheckContext, name: str) -> str:
    """The build in words; for a label with a commit only, the CUDA version in the version file."""
    build = context.pins[name].build
    return describe_build(build if isinstance(build, str) else context.label(name))


def _is_settled(context: CheckContext, name: str) -> bool:
    """Whether a package does not compare CUDA versions, so that its libraries show whether it loads."""
    if compares(context, name) is not False:
        return False
    finds_cuda = name == "torchaudio" and (context.label("torch") or "").startswith("cu")
    return finds_cuda or resolved(context, name, whole=True) is True


def compares(context: CheckContext, name: str) -> bool | Unknown:
    """Whether the import of a package refuses a torch for another CUDA version, according to its source.

    Redistributors remove the call at import, or the error of the comparison.
    """
    copy = context.copy(name)
    if copy is None:
        return Unknown(f"{name} was not found")
    texts = []
    for file in cuda_check_of(name):
        try:
            texts.append(files.read(os.path.join(copy.path, *file.split("/")), 1 << 16))
        except OSError:
            continue
    if not texts:
        return Unknown(f"the source of {name} was not read") if cuda_check_of(name) else False
    raised = [b"different CUDA" in text for text in texts if b"def _check_cuda_version" in text]
    return any(map(_CALL.search, texts)) and (not raised or any(raised))


def _says(context: CheckContext, rule: str, name: str) -> str:
    """The error that Python prints, if it is known without looking at the libraries."""
    if rule == "TL201" and name == "torchaudio":
        labels = [context.label("torch") or "", context.label("torchaudio") or ""]
        cuda = [re.sub(r"^CUDA ", "", describe_build(label)) for label in labels if label.startswith("cu")]
        if len(cuda) == 2:
            return (
                "RuntimeError: Detected that PyTorch and TorchAudio were compiled with different CUDA versions. "
                f"PyTorch has CUDA version {cuda[0]} whereas TorchAudio has CUDA version {cuda[1]}."
            )
    if rule == "TL105":
        return "RuntimeError: Numpy is not available"
    return ""


@rule("TL203")
def accelerators(context: CheckContext) -> Iterator[Finding]:
    """Builds for different kinds of accelerators, which no rule on CUDA versions compares.

    A label is a claim. A build that finds all its libraries and symbols in this torch works with it: a note.
    """
    torch = context.label("torch") or ""
    for name in sorted(name for name in FAMILY - {"torch"} if MEMBERS[name].labels):
        mine = (context.label(name) if name in context.pins else None) or ""
        kinds = {kind_of(torch), kind_of(mine)}
        found = mismatch(_plain(context, name), mine, _plain(context, "torch"), torch)
        if found is None or len(kinds) == 1 or None in kinds or kinds == {"cpu", "cuda"}:
            continue
        links = resolved(context, name)
        if links is not True or found.fails:
            yield _mismatched(context, name, found, links)


def _plain(context: CheckContext, name: str) -> str:
    return f"{name} {context.pins[name].version.public}" if name in context.pins else name


def _mismatched(context: CheckContext, name: str, found: Mismatch, links: bool | Unknown) -> Finding:
    rest = f"only their labels say so: {links.because}" if isinstance(links, Unknown) else ""
    if links is True:
        rest = "this one finds all libraries and symbols that it needs in this torch, so that it loads"
    return context.finding(
        "TL203",
        severity_of(fails=found.fails and name in _ERRORS and links is not True, partly=links is not True),
        found.message,
        name,
        "torch",
        path=path_of(context, name),
        because="; ".join(filter(None, (context.matrix.because("TL203"), rest))),
        strength=Strength.MEASURED,
    )


def path_of(context: CheckContext, name: str) -> str:
    """The path of the imported package."""
    copy = context.copy(name)
    return copy.path if copy else ""


def in_words(specifier: str) -> str:
    """A specifier in words: ``2.10.0`` for a pin, ``>=2.11`` for a range."""
    exact = re.fullmatch(r"==([^*,]+)", specifier)
    series = re.fullmatch(r"==([^*,]+)\.\*", specifier)
    return exact[1] if exact else series[1] if series else readable_specifier(specifier)
