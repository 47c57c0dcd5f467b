"""Choose the build for a machine: the newest one in which every requested member runs there.

The answer has a frontier: for each build of the maker of the GPU, newest first, what forbids it, or that it works.
What the driver, the GPU or the table of builds forbids is not solved.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from torchlock.answers import Unknown
from torchlock.errors import InputError, UnknownPackage
from torchlock.knowledge.accelerators import absence_of, build_serves, candidates_for, labels, series_of, serves
from torchlock.knowledge.build_labels import kind_of, parse_label
from torchlock.knowledge.drivers import driver_floor, driver_refuses, driver_runs, supporting_branch
from torchlock.knowledge.gpus import title_of
from torchlock.lock.model import Lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from torchlock.errors import TorchlockError
    from torchlock.knowledge.builds import Builds
    from torchlock.knowledge.gpus import Gpu
    from torchlock.lock.build_machine import BuildMachine
    from torchlock.lock.model import Conflict
    from torchlock.target import Target

# What is known about a build of the frontier.
WORKS, FORBIDDEN, DOUBTFUL, UNTRIED = "works", "forbidden", "doubtful", "untried"
# How much of the frontier is looked at: what is needed; also what the tables say of all others; everything.
NEEDED, TABLES, WHOLE = range(3)


class Verdict(NamedTuple):
    """One build of the frontier. ``state`` is one of the words above, ``because`` a clause.

    ``by_machine``: the driver or the GPU forbids it. ``failure``: a line of the input cannot be used with it.
    """

    label: str
    state: str
    because: str = ""
    by_machine: bool = False
    failure: TorchlockError | None = None

    def __str__(self) -> str:
        return f"{self.label}: {self.because}"


class Choice(NamedTuple):
    """The build that was taken, with its lock. ``doubt`` says why it may not run on the machine, or is ""."""

    label: str
    lock: Lock
    frontier: tuple[Verdict, ...] = ()
    doubt: str = ""

    @property
    def held_back(self) -> tuple[Verdict, ...]:
        """The newer builds that the driver or the GPU forbids."""
        newer = [verdict for verdict in self.frontier if _version(verdict.label) > _version(self.label)]
        return tuple(verdict for verdict in newer if verdict.by_machine)


class Refusal(NamedTuple):
    """No build was taken. ``nearest`` is the build that works and is nearest to what was asked, or "".

    ``conflict`` is why the one build that the user named has no lock; None if nothing was solved for it.
    """

    because: str
    frontier: tuple[Verdict, ...] = ()
    nearest: str = ""
    advice: str = ""
    conflict: Conflict | None = None


class Question(NamedTuple):
    """What is asked: the target, the machine, the members of the stack that are requested.

    ``attempt`` locks for one build, and ``explain`` says in sentences why a lock failed. ``depth`` is one of the
    numbers above. ``unread`` says whether a lock failed although the requirements of some wheels are unknown.
    """

    target: Target
    machine: BuildMachine
    members: tuple[str, ...]
    builds: Builds
    attempt: Callable[[str], Lock | Conflict]
    explain: Callable[[Conflict], Sequence[str]]
    unread: Callable[[Conflict], bool]
    depth: int = NEEDED


def choose(question: Question) -> Choice | Refusal:
    """The newest build for the machine of the question, or why there is none.

    Raises:
        InputError, UnknownPackage: a line of the input cannot be used with any build.
    """
    gpus = question.machine.gpus or ()
    if not gpus:
        verdict, found = _tried("cpu", question)
        _raise_failure([verdict])
        if isinstance(found, Lock):
            return Choice("cpu", found, (verdict,))
        return Refusal("the CPU builds do not work for these requirements", (verdict,), conflict=found)
    return _refused_machine(gpus, question) or _newest(candidates_for(gpus[0]), question)


def judge_label(label: str, question: Question) -> Choice | Refusal:
    """The lock for the one build that the user names; or what forbids it, and the nearest build that works.

    Raises:
        InputError, UnknownPackage: a line of the input cannot be used with this build.
    """
    verdict, found = _tried(label, question)
    _raise_failure([verdict])
    if isinstance(found, Lock):
        others = _others(label, question) if question.depth > NEEDED else []
        seen = [_seen(each, question, label) for each in others]
        doubt = verdict.because if verdict.state == DOUBTFUL else ""
        return Choice(label, found, _in_order([verdict, *seen]), doubt)
    verdicts, nearest = [verdict], ""
    for each in sorted(_others(label, question), key=lambda other: _distance(label, other)):
        if nearest:
            verdicts.append(_seen(each, question, nearest))
            continue
        tried, lock = _tried(each, question)
        verdicts.append(tried)
        nearest = each if isinstance(lock, Lock) and tried.state == WORKS else ""
    advice = "" if nearest else _unread(verdicts)
    nearest = nearest or _cpu(question, verdicts)
    return Refusal(str(verdict), _in_order(verdicts), nearest, advice, found)


def _newest(candidates: Sequence[str], question: Question) -> Choice | Refusal:
    verdicts: list[Verdict] = []
    taken: Choice | None = None
    doubtful = ""
    for label in candidates:
        if taken is not None:
            if question.depth > NEEDED:
                verdicts.append(_seen(label, question, taken.label))
            continue
        verdict, found = _tried(label, question)
        verdicts.append(verdict)
        if isinstance(found, Lock) and verdict.state == WORKS:
            taken = Choice(label, found)
        elif isinstance(found, Lock):
            doubtful = doubtful or label
    if taken is not None:
        return taken._replace(frontier=tuple(verdicts))
    _raise_failure([verdict for verdict in verdicts if not verdict.by_machine])
    because = f"no build is known to work on this machine ({question.machine})"
    advice = f"{doubtful} may work: to try it, use --accelerator {doubtful}" if doubtful else _unread(verdicts)
    nearest = _cpu(question, verdicts)
    return Refusal(because, tuple(verdicts), nearest, advice)


def _raise_failure(verdicts: Sequence[Verdict]) -> None:
    """Raise the failure of the first verdict, if all of them are failures of the input."""
    failures = [verdict.failure for verdict in verdicts]
    first = next(iter(failures), None)
    if first is not None and all(failures):
        raise first


def _unread(verdicts: Sequence[Verdict]) -> str:
    """How to learn more about builds whose lock failed because requirements are unknown; "" if there are none."""
    named = [verdict.label for verdict in verdicts if verdict.state == DOUBTFUL]
    if not named:
        return ""
    return f"the requirements of some wheels of {', '.join(named)} are unknown: run without --offline to read them"


def _refused_machine(gpus: tuple[Gpu, ...], question: Question) -> Refusal | None:
    """A machine for which there can be no build: two makers, or a driver without support for a GPU."""
    machine = question.machine
    if len(machine.vendors) > 1:
        because = f"no build supports GPUs of different makers ({' and '.join(map(str, gpus))})"
        return Refusal(because, nearest=_cpu(question, []), advice="name the GPU that torch must use with --gpu")
    for gpu in gpus:
        if said := driver_refuses(gpu, machine.driver):
            branch = supporting_branch(gpu, machine.driver)
            advice = f"with a driver of branch {branch}, there are CUDA builds for {title_of(gpu.arch)}"
            return Refusal(said, nearest=_cpu(question, []), advice=advice)
    return None


def _cpu(question: Question, verdicts: list[Verdict]) -> str:
    """``cpu``, if its builds work. The verdict is added."""
    if any(verdict.label == "cpu" for verdict in verdicts):
        return ""
    verdict, found = _tried("cpu", question)
    verdicts.append(verdict)
    return "cpu" if isinstance(found, Lock) else ""


def _seen(label: str, question: Question, working: str) -> Verdict:
    """A build that is not needed, because another one works."""
    if question.depth == WHOLE:
        return _tried(label, question)[0]
    return _ruled_out(label, question) or Verdict(label, UNTRIED, f"not tried, because {working} works")


def _tried(label: str, question: Question) -> tuple[Verdict, Lock | Conflict | None]:
    """What is known about a build, and what locking for it gave; None if it was ruled out before."""
    ruled_out = _ruled_out(label, question)
    if ruled_out is not None and ruled_out.state == FORBIDDEN:
        return ruled_out, None
    try:
        found = question.attempt(label)
    except (InputError, UnknownPackage) as error:
        return Verdict(label, FORBIDDEN, str(error), failure=error), None
    if not isinstance(found, Lock):
        state = DOUBTFUL if question.unread(found) else FORBIDDEN
        return Verdict(label, state, "; ".join(step.rstrip(".") for step in question.explain(found))), found
    return ruled_out or _of_lock(label, found, question), found


def _of_lock(label: str, lock: Lock, question: Question) -> Verdict:
    """Whether the torch of a lock is known to run on the GPUs."""
    pins = {pin.name: pin.version.partition("+")[0] for pin in lock.pins if pin.version}
    said = ", ".join(
        f"{name} {pins[name]}" for name in dict.fromkeys(("torch", *question.members)) if name in pins
    )
    for gpu in (question.machine.gpus or ()) if "torch" in pins else ():
        service = serves("torch", pins["torch"], label, str(question.target.platform), gpu)
        if isinstance(service.answer, Unknown):
            return Verdict(label, DOUBTFUL, f"it has {said}, but {service.because}", by_machine=True)
    return Verdict(label, WORKS, f"it works: {said}" if said else "it works")


def _ruled_out(label: str, question: Question) -> Verdict | None:
    """What forbids a build before its releases are looked at, or makes it doubtful; None if nothing does."""
    doubt: Verdict | None = None
    for answer, because in _by_machine(label, question):
        if answer is False:
            return Verdict(label, FORBIDDEN, because, by_machine=True)
        doubt = doubt or Verdict(label, DOUBTFUL, because, by_machine=True)
    if absent := absence_of(label, str(question.target.platform)):
        return Verdict(label, FORBIDDEN, absent.because)
    for name in dict.fromkeys(("torch", *question.members)):
        if _never(name, label, question):
            where = f"Python {question.target.python} on {question.target.platform}"
            return Verdict(label, FORBIDDEN, f"the PyTorch index never had a {name} of it for {where}")
    return doubt


def _by_machine(label: str, question: Question) -> Iterator[tuple[bool | Unknown, str]]:
    """What the driver and the GPUs say against a build: no, or unknown, each with its reason."""
    machine, platform = question.machine, question.target.platform
    if machine.driver and kind_of(label) == "cuda":
        runs = driver_runs(label, platform.system, machine.driver)
        if runs is False:
            floor = driver_floor(label, platform.system)
            yield False, f"driver {machine.driver} is older than {floor}, the oldest that runs it"
        elif isinstance(runs, Unknown):
            yield runs, runs.because
    for gpu in machine.gpus or ():
        if label != "cpu" and (said := driver_refuses(gpu, machine.driver)):
            yield False, said
        service = build_serves(label, str(platform), gpu)
        if service.answer is not True:
            yield service.answer, service.because


def _never(name: str, label: str, question: Question) -> bool:
    """Whether the table of builds denies that the index ever had a member of this build for the target.

    It does not cover each release of the time of torch 1: where the build did not exist yet, they do not count.
    Nor does it cover macOS, whose wheels have no label.
    """
    builds, python = question.builds, str(question.target.python)
    if label == "cpu" or label not in labels() or question.target.platform.system == "macos":
        return False
    since_1 = any(
        _is_old("torch", each) and builds.published("torch", each, label) is True
        for each in builds.releases("torch")
    )
    versions = [each for each in builds.releases(name) if since_1 or not _is_old(name, each)]
    platform = str(question.target.platform)
    return bool(versions) and all(
        builds.published(name, each, label, platform, python) is False for each in versions
    )


def _is_old(name: str, version: str) -> bool:
    """Whether a release belongs to torch 1 or older."""
    if name == "torchcodec":
        return False
    return not (series_of(name, version) or "").startswith("2.")


def _others(label: str, question: Question) -> list[str]:
    """The builds that may be taken instead of one: of its kind, or of the kind that the GPU needs."""
    gpus = question.machine.gpus
    kind = kind_of(label)
    if gpus and kind != gpus[0].kind:
        return list(candidates_for(gpus[0]))
    return [each for each in labels() if each != label and kind_of(each) == kind]


def _distance(label: str, other: str) -> tuple[int, bool]:
    """How far apart two builds are among those of their kind; of two equally far ones the newer is nearer."""
    if kind_of(label) != kind_of(other):
        return labels().index(other), False
    versions = sorted({label, *(each for each in labels() if kind_of(each) == kind_of(label))}, key=_version)
    apart = versions.index(other) - versions.index(label)
    return abs(apart), apart < 0


def _version(label: str) -> tuple[int, ...]:
    build = parse_label(label)
    return build.version if build is not None else ()


def _in_order(verdicts: Iterable[Verdict]) -> tuple[Verdict, ...]:
    """The newest build first, CPU last."""
    return tuple(sorted(verdicts, key=lambda verdict: _version(verdict.label), reverse=True))
