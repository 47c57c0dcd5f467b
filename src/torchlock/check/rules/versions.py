"""TL1xx and TL2xx: releases and builds that do not stand together, by the judge that audits files, too."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from packaging.version import Version

from torchlock.answers import Unknown
from torchlock.check.context import STACK, told
from torchlock.check.linking import Ruling, resolved, ruling
from torchlock.finding import Strength
from torchlock.inspect.binaries import Binary, read_binary
from torchlock.inspect.library import is_library
from torchlock.knowledge.builds import kind_of
from torchlock.knowledge.judge import violations
from torchlock.knowledge.rules import BUILD_CUDA, HOST_PREFIX, cuda_version, is_virtual
from torchlock.runtime import files
from torchlock.terms import FAMILY, spelled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.check.context import Scene
    from torchlock.finding import Finding
    from torchlock.knowledge.judge import Bare, Violation

# The call at an import that compares versions of CUDA, and is no comment.
_CALL = re.compile(rb"^[^#\n]{0,200}(?<!def )_check_cuda_version\(\)", re.M)
# The files whose import makes it: package → paths.
_COMPARING = {
    "torchaudio": ("_extension/__init__.py", "_extension/utils.py", "_extension.py"),
    "torchvision": ("extension.py",),
}
_CUDA = re.compile(r"(lib)?(cudart|torch_cuda|c10_cuda|cufft|cublas)")
# What breaks torchaudio itself; the rest breaks only who imports it.
_ERRORS = frozenset({"torch", "torchaudio", "torchvision", "torchtext"})


def conflicts(scene: Scene) -> Iterator[Finding]:
    """What the rules say against the releases and builds that are there."""
    if scene.target is None or ("torch" not in scene.pins and "torchaudio" not in scene.pins):
        return
    found = violations(scene.pins, scene.target, scene.matrix, complete=False, used=True)
    found = [each for each in found if not _is_of_builds(each)]
    found += filter(_is_of_builds, violations(_trains(scene), scene.target, scene.matrix, complete=False))
    for violation in found:
        if violation.statement is not None and not _is_elsewhere(violation):
            yield from _told(scene, violation)


def _trains(scene: Scene) -> dict[str, Bare]:
    """The family, each pre-release as the release that it leads to: the imports of both compare the same."""
    pins = {name: pin for name, pin in scene.pins.items() if name in FAMILY}
    return {name: pin._replace(version=Version(pin.version.base_version)) for name, pin in pins.items()}


def _is_of_builds(violation: Violation) -> bool:
    return violation.dependency is not None and violation.dependency.name == BUILD_CUDA


def prereleases(scene: Scene) -> Iterator[Finding]:
    """TL903: nightlies and builds of one's own, to which rules on versions do not apply."""
    if names := unruled(scene):
        told_ = [scene.named(name) for name in names]
        verb = "is a pre-release" if len(told_) == 1 else "are pre-releases"
        message = f"{' and '.join(told_)} {verb}: no rule says which releases go together with {_them(told_)}"
        yield scene.finding("TL903", "note", message, *names, path=path_of(scene, names[0]))


def _them(names: list[str]) -> str:
    return "it" if len(names) == 1 else "them"


def unruled(scene: Scene) -> list[str]:
    """The pre-releases of the family, where they stand beside others of it."""
    mine = [name for name in STACK if name in FAMILY and name in scene.pins]
    early = [name for name in mine if not scene.pins[name].unversioned and scene.pins[name].version.is_prerelease]
    return early if "torch" in mine and len(mine) > 1 else []


def unjudged(scene: Scene, name: str) -> Unknown | None:
    """Why the outcome of an import that compares CUDA versions is unknown; None if it was judged."""
    torch, mine = scene.pins.get("torch"), scene.pins[name]
    builds = {each: cuda_version(pin.build) for each, pin in (("torch", torch), (name, mine)) if pin is not None}
    own = scene.build("torch")
    if isinstance(builds.get("torch"), Unknown) and own is not None and own.cuda == builds[name]:
        return None  # A vendor's label, and a version file that states CUDA.
    if name not in _COMPARING or torch is None or builds[name] == "0" or compares(scene, name) is False:
        return None
    if not any(isinstance(build, Unknown) for build in builds.values()):
        return None
    if scene.target is not None and scene.target.platform.system == "macos":
        return None
    if any(isinstance(pin.build, str) and kind_of(pin.build) in ("rocm", "xpu") for pin in (torch, mine)):
        return None  # reported by TL203
    if isinstance(builds[name], Unknown) and not _links_cuda(scene, name):
        return None
    lost = name if isinstance(builds[name], Unknown) else "torch"
    return Unknown(f"its import compares CUDA versions, and the CUDA version of {scene.named(lost)} is not known")


def _links_cuda(scene: Scene, name: str) -> bool:
    """Whether the libraries of a package are those of a CUDA build, as far as they can be read."""
    paths = [attempt.path for attempt in scene.attempts if attempt.package == name and attempt.role == "import"]
    found = [read_binary(path) for path in paths]
    return any(_CUDA.match(each.name) for binary in found if isinstance(binary, Binary) for each in binary.needed)


def _is_elsewhere(violation: Violation) -> bool:
    """Whether it is about the machine, which is looked at by itself."""
    dependency = violation.dependency
    return dependency is not None and dependency.name.startswith(HOST_PREFIX)


def _told(scene: Scene, violation: Violation) -> Iterator[Finding]:
    statement, dependency, pinned = violation.statement, violation.dependency, violation.pinned
    assert statement is not None
    if dependency is None:
        message = f"{scene.named(pinned.name)} loads with no release of torch"
        names: tuple[str, ...] = (pinned.name,)
    elif dependency.name == BUILD_CUDA:
        if _is_settled(scene, pinned.name):
            return
        message, names = _builds(scene, pinned.name), (pinned.name, "torch")
    elif pinned.name == BUILD_CUDA or is_virtual(dependency.name):
        return
    elif violation.forbidden:
        wholly = "" if statement.effect == "import" else "wholly "
        message = f"{scene.named(pinned.name)} does not {wholly}work beside {scene.named(dependency.name)}"
        names = (pinned.name, dependency.name)
    else:
        wanted = f"{dependency.name} {in_words(dependency.specifier)}"
        message = f"{scene.named(pinned.name)} needs {wanted}, and {scene.named(dependency.name)} is installed"
        names = (pinned.name, dependency.name)
    rest = _ruling(scene, violation)
    if rest.is_denied:
        return
    idle = _is_idle(scene, statement.rule) or _is_pure(scene, pinned.name)
    yield scene.finding(
        statement.rule,
        "note" if idle else _severity(scene, pinned.name, statement.effect, shown=_is_shown(scene, violation)),
        message,
        *names,
        path=path_of(scene, pinned.name),
        because="; ".join(filter(None, (statement.because, rest.because))),
        strength=rest.strength,
        says=_says(scene, statement.rule, pinned.name),
        sources=statement.sources,
    )


def _ruling(scene: Scene, violation: Violation) -> Ruling:
    """How far a rule applies, if the loader can judge it."""
    statement, wanted, name = violation.statement, violation.dependency, violation.pinned.name
    assert statement is not None
    if violation.forbidden or (wanted is not None and wanted.name != "torch"):
        return Ruling(Strength.MEASURED)
    own = is_vendors(scene, name) or is_vendors(scene, "torch")
    return ruling(scene, name, statement, wanted, own=own)


def _is_shown(scene: Scene, violation: Violation) -> bool:
    """Whether the source of the very package says what the rule says."""
    return _is_of_builds(violation) and compares(scene, violation.pinned.name) is True


def _severity(scene: Scene, name: str, effect: str, *, shown: bool = False) -> str:
    if effect == "use" or name not in _ERRORS:
        return "warning"
    if shown:
        return "error"
    return "note" if is_vendors(scene, name) or is_vendors(scene, "torch") else "error"


def _is_pure(scene: Scene, name: str) -> bool:
    """Whether a torchaudio was installed without its libraries, so that nothing in it is bound to one torch."""
    copy = scene.copy(name)
    if name != "torchaudio" or copy is None or copy.kind != "package":
        return False
    tree = scene.environment.tree
    names = [*tree.names(copy.path), *tree.names(os.path.join(copy.path, "lib"))]
    has_code = "utils.py" in tree.names(os.path.join(copy.path, "_extension"))
    return has_code and not any(map(is_library, names))


def _is_idle(scene: Scene, rule: str) -> bool:
    """Whether cuDNN is not looked for, since there is no GPU, or both of its majors are on this machine."""
    if rule != "TL207" or not scene.live:
        return False
    others = all(scene.root is not None and scene.root.search(f"libcudnn.so.{major}") for major in (8, 9))
    return others or scene.libraries.get("cuda-driver") is None


def is_vendors(scene: Scene, name: str) -> bool:
    """Whether somebody else than PyTorch built it, so that the rules need not hold: the libraries tell."""
    pin = scene.pins.get(name)
    if pin is None or pin.unversioned:
        return True
    copy = scene.copy(name)
    if copy is not None and copy.kind == "editable":
        return True
    return bool(pin.version.local and kind_of(pin.version.local) is None) or pin.version.is_prerelease


def _builds(scene: Scene, name: str) -> str:
    """The headline of a mixed stack, as its reader would say it."""
    mine, torch = _build_of(scene, name), _build_of(scene, "torch")
    other = f"this torch ({scene.version('torch')}) is " + (
        f"the {torch}" if torch == "CPU build" else f"for {torch}"
    )
    if mine == "CPU build":
        return f"{name} {scene.pins[name].version.public} is the CPU build, {other}"
    return f"{name} {scene.pins[name].version.public} was built for {mine}, {other}"


def _build_of(scene: Scene, name: str) -> str:
    """The build in words: for somebody's own label the CUDA version that its version file says besides."""
    build = scene.pins[name].build
    return told(build if isinstance(build, str) else scene.label(name))


def _is_settled(scene: Scene, name: str) -> bool:
    """Whether a package does not compare versions of CUDA, so that its libraries tell whether it loads."""
    if compares(scene, name) is not False:
        return False
    finds_cuda = name == "torchaudio" and (scene.label("torch") or "").startswith("cu")
    return finds_cuda or resolved(scene, name, whole=True) is True


def compares(scene: Scene, name: str) -> bool | Unknown:
    """Whether the import of a package refuses a torch of another CUDA version, by its source.

    Who packages it anew takes out the call at its import, or what the comparison raises.
    """
    copy = scene.copy(name)
    if copy is None:
        return Unknown(f"{name} was not found")
    texts = []
    for file in _COMPARING.get(name, ()):
        try:
            texts.append(files.read(os.path.join(copy.path, *file.split("/")), 1 << 16))
        except OSError:
            continue
    if not texts:
        return Unknown(f"the source of {name} was not read") if name in _COMPARING else False
    raised = [b"different CUDA" in text for text in texts if b"def _check_cuda_version" in text]
    return any(map(_CALL.search, texts)) and (not raised or any(raised))


def _says(scene: Scene, rule: str, name: str) -> str:
    """What Python prints, where that is known without a look at the libraries."""
    if rule == "TL201" and name == "torchaudio":
        labels = [scene.label("torch") or "", scene.label("torchaudio") or ""]
        cuda = [re.sub(r"^CUDA ", "", told(label)) for label in labels if label.startswith("cu")]
        if len(cuda) == 2:
            return (
                "RuntimeError: Detected that PyTorch and TorchAudio were compiled with different CUDA versions. "
                f"PyTorch has CUDA version {cuda[0]} whereas TorchAudio has CUDA version {cuda[1]}."
            )
    if rule == "TL105":
        return "RuntimeError: Numpy is not available"
    return ""


def flavours(scene: Scene) -> Iterator[Finding]:
    """TL203: kinds of builds that were not made for each other, where no rule on CUDA speaks of them.

    A label says what a build is called; one that finds all its libraries and symbols in this torch goes with it.
    """
    torch = scene.label("torch")
    for name in FAMILY - {"torch", "torchtext"}:
        mine = scene.label(name) if name in scene.pins else None
        kinds = {kind_of(torch or ""), kind_of(mine or "")}
        if mine and torch and len(kinds) == 2 and None not in kinds and kinds != {"cpu", "cuda"}:
            if (links := resolved(scene, name)) is True:
                continue
            rest = f"only their labels say so: {links.because}" if isinstance(links, Unknown) else ""
            severity = "error" if name in _ERRORS else "warning"
            message = (
                f"{scene.named(name)} was built for {told(mine)}, {scene.named('torch')} is for {told(torch)}"
            )
            because = "; ".join(filter(None, (scene.matrix.because("TL203"), rest)))
            yield scene.finding(
                "TL203",
                severity,
                message,
                name,
                "torch",
                path=path_of(scene, name),
                because=because,
                strength=Strength.MEASURED,
            )


def path_of(scene: Scene, name: str) -> str:
    """Where the package lies that is imported."""
    copy = scene.copy(name)
    return copy.path if copy else ""


def in_words(specifier: str) -> str:
    """``2.10.0`` for a pin, ``>=2.11`` for a range."""
    exact = re.fullmatch(r"==([^*,]+)", specifier)
    series = re.fullmatch(r"==([^*,]+)\.\*", specifier)
    return exact[1] if exact else series[1] if series else spelled(specifier)
