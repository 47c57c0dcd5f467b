"""TL907: libraries that an import opens and that were not examined, so it is unknown whether it works."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.answers import Unknown
from torchlock.check.linking import is_ffmpeg, without_ffmpeg
from torchlock.check.log_signatures import HEADLINE
from torchlock.check.mac_libraries import ffmpeg_off_path
from torchlock.check.rules import prereleases, versions
from torchlock.check.rules.audio_backends import (
    built_without_sox,
    ffmpeg_shown,
    lacks_sox,
    may_lack_sox,
    without_sox,
)
from torchlock.check.rules.ffmpeg import (
    cores_of,
    earlier,
    ffmpeg_of_tree,
    is_mac,
    lacking_ffmpeg,
    majors_of,
    off_the_path,
)
from torchlock.check.rules.ffmpeg_loading import of_ffmpeg
from torchlock.check.rules.libsndfile import has_library, why_none, with_wheel, without_libsndfile
from torchlock.check.rules.libsndfile_loading import loaded
from torchlock.check.rules.loading import found_missing
from torchlock.check.rules.unmet_requirements import lacking
from torchlock.check.rules.unseen_libraries import (
    is_below_named,
    is_changed,
    is_expected,
    is_lost,
    is_named,
    of_changed_file,
    opened_in_torch,
    why_unfound,
)
from torchlock.check.system_packages import stated
from torchlock.check.windows_libraries import OPENMP, without_openmp
from torchlock.finding import Remedy, Strength
from torchlock.inspect.loading.imports import choices
from torchlock.inspect.loading.outcome import MissingLibrary
from torchlock.knowledge.registry import group, rule
from torchlock.knowledge.rules import specifier_set
from torchlock.knowledge.severity import severity_of
from torchlock.knowledge.stack import FAMILY, MEMBERS, STACK
from torchlock.records import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log, Signature
    from torchlock.finding import Finding
    from torchlock.inspect.loading.imports import Attempt
    from torchlock.inspect.loading.outcome import NotExamined
    from torchlock.inspect.modules import ModuleCopy

_ON_THE_MACHINE = "Run the check on the machine of this environment, or name its libraries with --system-lib."
# These are listed last: most machines have the Visual C++ runtime.
_COMMON = ("msvcp140", "vcruntime140", "concrt140")


def is_examined(context: CheckContext) -> bool:
    """Whether the environment has a package that this check examines."""
    return bool(context.environment.path) and any(name in context.pins for name in STACK if name != "numpy")


def healthy(context: CheckContext, notes: Sequence[Finding] = (), *, is_open: bool = False) -> str:
    """The sentence if nothing is wrong: which packages load, and what was not examined.

    ``notes`` may say that a library of another package does not load. ``is_open``: a log still shows a failure, so
    that only the files are found to be right.
    """
    names = [name for name in STACK if name in context.pins and name != "numpy"]
    if not context.environment.path:
        return "only the log was read, and nothing of this machine was looked at"
    if not is_examined(context):
        return "torch and torchaudio are not installed in this environment, so nothing was examined"
    unknown = unexamined(context)
    fine = [context.named(name) for name in names if name not in unknown and "torch" not in unknown]
    loads = f": {listed(fine)} {'loads' if len(fine) == 1 else 'load'}" if fine else ""
    early = _early(context) if fine and not unknown else ""
    absent = _absent(names) if context.environment.frozen is None else ""
    missing = early + absent + _others(context, notes) + _in_part(notes)
    if not unknown and not is_open and not prereleases.has_later_numpy(context):
        return f"nothing is wrong{loads}{missing}"
    return f"nothing wrong was found{loads}{unexamined_text(context)}{missing}"


def _early(context: CheckContext) -> str:
    """Text about pre-releases that no rule is about."""
    if prereleases.without_rules(context):
        return "; no rule says whether these pre-releases work together"
    numpy = context.version("numpy") if prereleases.has_later_numpy(context) else ""
    return f"; whether this nightly was built for NumPy {numpy} is unknown" if numpy else ""


def _absent(names: Sequence[str]) -> str:
    """Text about the part of the stack that is not installed."""
    lost = [name for name in ("torch", "torchaudio") if name not in names]
    return f"; {listed(lost)} {'is' if len(lost) == 1 else 'are'} not installed" if lost else ""


def _others(context: CheckContext, notes: Sequence[Finding]) -> str:
    """Text about the packages outside the stack that have a library which does not load."""
    mine = [each.packages[0][0] for each in notes if each.rule in group("loading") and each.packages]
    names = [context.named(name) for name in dict.fromkeys(mine) if name not in STACK]
    return f"; a library of {listed(names)} does not load" if names else ""


def _in_part(notes: Sequence[Finding]) -> str:
    """Text about what works only in part: libraries that a package opens later, or that need a later system."""
    return "".join(f"; {each.message}" for each in notes if each.rule in group("summary"))


def unexamined_text(context: CheckContext) -> str:
    """Text to add to a sentence about what was not examined; "" if everything was."""
    groups = _grouped(unexamined(context)).items()
    return "".join(f"; {_sentence(context, names, why)}" for why, names in groups)


@rule("TL907")
def not_examined(context: CheckContext) -> Iterator[Finding]:
    """A note for all packages that were not examined for the same reason."""
    for why, names in _grouped(unexamined(context)).items():
        copy = context.copy(names[0])
        remedy = None
        if not context.live and context.root is None:
            remedy = _if_it_lacks(context, names, why)
        yield context.finding(
            "TL907",
            "note",
            _sentence(context, names, why),
            *names,
            path=copy.path if copy else "",
            remedy=remedy,
        )


def _if_it_lacks(context: CheckContext, names: Sequence[str], why: str) -> Remedy:
    """What to do if the machine does not have the library that was not examined; else where to run the check."""
    if f" {OPENMP}" in why:
        return _if_without("the OpenMP library of Visual C++", without_openmp(context))
    if "soundfile" in names and isinstance(has_library(context), Unknown):
        return _if_without("libsndfile", with_wheel(context))
    if names[0] == "torchcodec" and cores_of(context) and _needs_ffmpeg_unseen(context):
        return _if_without("shared libraries of FFmpeg", earlier(context, cores_of(context)))
    return Remedy(_ON_THE_MACHINE)


def _if_without(library: str, remedy: Remedy) -> Remedy:
    summary = re.sub(r"^(?=Install )I", "i", remedy.summary)
    return replace(remedy, summary=f"If the machine does not have {library}: {summary}")


def _grouped(unknown: dict[str, Unknown]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for name, why in unknown.items():
        groups.setdefault(str(why), []).append(name)
    return groups


def _sentence(context: CheckContext, names: Sequence[str], why: str) -> str:
    return f"whether {listed([context.named(name) for name in names])} can be imported was not examined: {why}"


def listed(names: Sequence[str]) -> str:
    """``a, b and c``."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def unexamined(context: CheckContext) -> dict[str, Unknown]:
    """The packages of the stack that may not load, each with the reason."""
    names = [
        name
        for name in STACK
        if name in context.pins and name != "numpy" and name not in context.ran | context.refused
    ]
    if context.target is None:
        return dict.fromkeys(names, why) if (why := _without_target(context)) is not None else {}
    found: dict[str, Unknown] = {}
    partial = lacking(context)
    for name in names:
        own = _of_soundfile(context) if name == "soundfile" else _of(context, name)
        if own is None and name in partial:
            own = Unknown(f"it imports {listed(partial[name])}, not found on this path")
        why = found["torch"] if name in FAMILY and "torch" in found else own
        if why is not None:
            found[name] = why
    return found


def _without_target(context: CheckContext) -> Unknown | None:
    """Why libraries cannot be looked up; None for a Python or a platform without wheels, which TL403 reports."""
    if not context.operating_system and not context.environment.interpreter.platform:
        return Unknown("its platform is unknown")
    return None if context.environment.interpreter.version else Unknown("its Python version is unknown")


def _of_soundfile(context: CheckContext) -> Unknown | None:
    answer, attempt = has_library(context), loaded(context)
    if not isinstance(answer, Unknown) and attempt is not None and attempt.outcome.unseen:
        return _common_reason(attempt.outcome.unseen)
    return answer if isinstance(answer, Unknown) else None


def _of(context: CheckContext, name: str) -> Unknown | None:
    """Why it is unknown whether a package loads; None if all that its import opens was examined."""
    copy = context.copy(name)
    if copy is None or copy.kind == "namespace":
        return Unknown(_without_module(context, name))
    if context.environment.frozen is not None and not _is_open(context, copy):
        return Unknown("the modules are in the archive of an application, which was not read")
    mine = [attempt for attempt in context.attempts if attempt.package == name]
    imports = [attempt for attempt in mine if attempt.role == "import"]
    opened = [*imports, *_chosen(context, mine)]
    if not opened:
        return _without_library(context, name)
    if is_refused(context, name):
        return None
    unseen = [each for attempt in opened for each in _unseen(context, attempt)]
    if unseen:
        return _common_reason(unseen)
    unknown = versions.unjudged(context, name)
    return prereleases.unpaired(context, name) if unknown is None else unknown


def settled(context: CheckContext, found: Sequence[Finding]) -> list[Finding]:
    """The findings without the doubt about packages of which another finding shows that they do not load."""
    shown = {each.packages[0][0] for each in found if each.rule in group("loading") and each.packages}
    shown &= {name for each in found if each.rule == "TL907" for name, _ in each.packages}
    if not shown:
        return list(found)
    context.refused |= shown
    return [*(each for each in found if each.rule != "TL907"), *not_examined(context)]


def is_refused(context: CheckContext, name: str) -> bool:
    """Whether the loader refuses a library that the import of a package needs, as another finding says."""
    mine = [attempt for attempt in context.attempts if attempt.package == name]
    if stated(context, "ffmpeg")[0]:
        mine = [without_ffmpeg(attempt) for attempt in mine]
    groups = choices(mine).values()
    refused = [attempt for attempt in mine if attempt.role == "import" and not attempt.outcome.loads]
    return bool(refused) or (bool(groups) and not any(all(each.outcome.loads for each in one) for one in groups))


def _is_open(context: CheckContext, copy: ModuleCopy) -> bool:
    """Whether the modules of a package are files in its folder."""
    return any(each.startswith("__init__.") for each in context.environment.tree.names(copy.path))


def _chosen(context: CheckContext, mine: Iterable[Attempt]) -> list[Attempt]:
    """The best of the libraries for one FFmpeg each: examined and working, else not refuted."""
    groups = list(choices(mine).values())
    loading = [group for group in groups if all(attempt.outcome.loads for attempt in group)]
    whole = [group for group in loading if not any(_unseen(context, attempt) for attempt in group)]
    # A library whose FFmpeg is there says more than those for others.
    likely = [group for group in loading[::-1] if not _lacks_ffmpeg(group)]
    return next(iter([*whole, *likely, *loading[::-1], *groups]), [])


def _lacks_ffmpeg(attempts: Sequence[Attempt]) -> bool:
    """Whether libraries of torchcodec need parts of FFmpeg that were not seen."""
    return any(is_ffmpeg(each.name) for attempt in attempts for each in attempt.outcome.unseen)


def _unseen(context: CheckContext, attempt: Attempt) -> list[NotExamined]:
    is_stated, version = stated(context, "ffmpeg")
    return [each for each in attempt.outcome.unseen if not (is_stated and version and is_ffmpeg(each.name))]


def _common_reason(unseen: Sequence[NotExamined]) -> Unknown:
    """The reason for the first library, with all libraries that have the same reason."""
    first = min(unseen, key=lambda each: each.name.lower().startswith(_COMMON))
    names = list(dict.fromkeys(each.name for each in sorted(unseen, key=_common) if each.why == first.why))
    shown = listed([*names[:3], *([f"{len(names) - 3} more"] if len(names) > 3 else [])])
    by = os.path.basename(first.wanted_by)
    what = shown if names == [by] else f"{by} needs {shown}"
    return Unknown(f"{what}: {first.why}")


def _common(unseen: NotExamined) -> bool:
    return unseen.name.lower().startswith(_COMMON)


def _without_module(context: CheckContext, name: str) -> str:
    record = next((each for each in context.installed.distributions if each.name == name), None)
    if record is not None and record.kind == "egg" and not os.path.isdir(record.path):
        return f"{os.path.basename(record.path)} is an archive, and its files were not examined"
    return f"no module {name} was found beside its metadata"


def _without_library(context: CheckContext, name: str) -> Unknown | None:
    """Why no library was opened; None if the package has none, or if a finding reports it."""
    copy, record, target = context.copy(name), context.record(name), context.target
    assert copy is not None and target is not None
    bare = MEMBERS[name].bare
    pin = context.pins[name]
    tags = record.tags if record is not None else ()
    is_pure = bool(tags) and all(tag.endswith("-none-any") for tag in tags)
    if name not in ("torch", "torchcodec") and is_pure:
        return None
    if specifier_set(bare.get("all") or bare.get(target.platform.system, "<0")).contains(pin.version):
        return None
    if name != "torch" and any(attempt.package == "torch" for attempt in context.attempts):
        torch = [
            attempt for attempt in context.attempts if attempt.package == "torch" and attempt.role == "import"
        ]
        if torch and not all(attempt.outcome.loads for attempt in torch):
            return None
    what = "the extension module torch._C" if name == "torch" else "a library that its import opens"
    return Unknown(f"{what} was not found in {copy.path}")


@rule("TL610", "TL304", "TL303", "TL302", "TL301", on="log")
def shown_by(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """The libraries that a log shows to be missing on a machine that was not examined."""
    first = log.first
    if first is None:
        return
    if "TL610" in first.rules and (asked := _asked(context, first) or opened_in_torch(context, first)):
        attempt, lost = min(asked, key=lambda each: (_common(each[1]), not is_expected(context, log, each[1])))
        missing = MissingLibrary(lost.name, lost.wanted_by)
        why, remedy = why_unfound(context, lost.name)
        if is_changed(context, lost.wanted_by):
            why, remedy = of_changed_file(context, lost)
        finding = found_missing(context, attempt, missing, why, remedy)
        # Windows names the DLL that was opened, and not what it needs: then it is the likeliest of those not seen.
        is_named_itself = first.library.lower() == lost.name.lower()
        finding.strength = Strength.RAN if is_named_itself else Strength.MEASURED
        if context.operating_system == "windows":
            finding.expected_error = first.text
        if not is_lost(found, lost.name, finding):
            yield finding
        return
    bad = {each.packages[0][0] for each in found if each.severity != "note" and each.packages}
    hides_reason = first.rules[:1] == ("TL305",) and "torchcodec" in context.pins and "torchcodec" not in bad
    if (first.rules[:1] == ("TL304",) or hides_reason) and "TL304" not in {each.rule for each in found}:
        yield from _ffmpeg_shown(context, _NO_REASON if hides_reason else _reason_in(first))
    if "TL301" in first.rules and "soundfile" in context.pins and isinstance(has_library(context), Unknown):
        yield from _libsndfile_shown(context, log, first)
    of_torchaudio = first.rules[:2] == ("TL304", "TL303") and "torchcodec" not in context.pins
    if (first.rules[:1] == ("TL303",) or of_torchaudio) and "TL303" not in {each.rule for each in found}:
        yield from ffmpeg_shown(context, log)
    if "TL302" in first.rules[:2] and lacks_sox(context):
        yield built_without_sox(context, first.text)
    elif "TL302" in first.rules[:2] and may_lack_sox(context) and "TL302" not in {each.rule for each in found}:
        finding = without_sox(context)
        finding.severity = severity_of(fails=False)
        yield finding


def _asked(context: CheckContext, first: Signature) -> list[tuple[Attempt, NotExamined]]:
    """The libraries that a line may be about and that were not seen; those further below its own come last."""
    # What is known to be missing is what the log shows.
    mine = [each for each in context.attempts if each.role == "import" and each.outcome.loads]
    pairs = [(attempt, unseen) for attempt in mine for unseen in attempt.outcome.unseen]
    direct = [pair for pair in pairs if is_named(pair[1], pair[0], first)]
    return direct + [pair for pair in pairs if is_below_named(context, pair[1], first)]


def _libsndfile_shown(context: CheckContext, log: Log, first: Signature) -> Iterator[Finding]:
    """A soundfile that finds no library, on the system of the environment, or else in the log."""
    from torchlock.check.log_machine import system_of

    system = context.operating_system or system_of(log.text)
    if system:
        otherwise = "the log shows that it finds none"
        yield without_libsndfile(context, why_none(context, otherwise), system)
        return
    finding = without_libsndfile(context, "the log shows that it finds none; on which system is unknown")
    finding.expected_error = first.text
    yield finding


# What programs print whenever torchcodec cannot be imported, whether it is installed or not.
_NO_REASON = "the log, which asks for the torchcodec that is installed, fits a machine that has none"


def _reason_in(first: Signature) -> str:
    """What a line of torchcodec shows of FFmpeg."""
    if first.weight > HEADLINE:
        return "the log shows that none is found"
    return "the log, which shows no more than the headline, fits a machine that has none"


def _ffmpeg_shown(context: CheckContext, shown: str) -> Iterator[Finding]:
    """The FFmpeg that a log shows not to be found: on a Mac it may be there, in a folder that is not searched.

    Nothing is said if the loader finds one: then the failure has another reason, such as symbols that torch does
    not have. The headline alone shows only that no library loads.
    """
    cores, majors = cores_of(context), majors_of(context)
    is_found = not isinstance(majors, Unknown) and bool(set(majors) & set(cores))
    if is_found or any(each.outcome.undefined for each in context.attempts if each.package == "torchcodec"):
        return
    off_path = ffmpeg_off_path(context, cores) if is_mac(context) else None
    if off_path is not None and "torchcodec" in context.pins:
        yield off_the_path(context, off_path)
    elif _needs_ffmpeg_unseen(context):
        there = ffmpeg_of_tree(context)
        yield lacking_ffmpeg(context, there or shown, any_there=bool(there))
    elif lost := _below_ffmpeg(context):
        finding = of_ffmpeg(context, lost, "warning")
        finding.strength = Strength.MEASURED
        yield finding


def _below_ffmpeg(context: CheckContext) -> Attempt | None:
    """The library of an FFmpeg that is there, whose needs were not seen; None if there is no such FFmpeg."""
    groups = choices(context.attempts).values()
    whole = (group for group in groups if all(each.outcome.loads for each in group) and not _lacks_ffmpeg(group))
    pairs = [(each, unseen) for group in whole for each in group for unseen in each.outcome.unseen]
    mine = [pair for pair in pairs if is_ffmpeg(os.path.basename(pair[1].wanted_by))]
    if not mine:
        return None
    attempt, unseen = min(mine, key=lambda pair: _common(pair[1]))
    missing = (MissingLibrary(unseen.name, unseen.wanted_by),)
    return attempt._replace(path=unseen.wanted_by, outcome=attempt.outcome._replace(missing=missing))


def _needs_ffmpeg_unseen(context: CheckContext) -> bool:
    """Whether each library of torchcodec needs an FFmpeg of a machine that was not examined."""
    groups = choices(context.attempts).values()
    lost = [_lacks_ffmpeg(group) for group in groups]
    return bool(lost) and all(lost) and not stated(context, "ffmpeg")[0]
