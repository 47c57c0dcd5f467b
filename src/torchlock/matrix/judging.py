"""Decide whether one build of a companion loads with one build of torch: by a proof, else by the rules."""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from packaging.version import Version

from torchlock.answers import Unknown
from torchlock.knowledge.build_labels import describe_build, needs_same_build
from torchlock.knowledge.build_pairs import mismatch
from torchlock.knowledge.judge import NamedVersion, violations
from torchlock.knowledge.rules import BUILD_CUDA, specifier_set
from torchlock.knowledge.stack import MEMBERS
from torchlock.matrix.values import FAILS, LOADS, MEASURED, UNKNOWN, Judgement, sentence
from torchlock.target import LAST_PATCH, PYTHONS, PythonVersion, Target

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torchlock.knowledge.judge import Violation
    from torchlock.knowledge.proofs import Cell, Proofs
    from torchlock.knowledge.rules import Matrix, Statement
    from torchlock.target import Platform

# The rule that compares the builds of a companion and of torch by their labels.
BUILDS = "TL203"


class Pair(NamedTuple):
    """A build of a companion beside one of torch, "" if not known. ``public``: the public index serves both."""

    package: str
    version: str
    build: str
    torch: str
    torch_build: str
    public: bool


class PairJudge:
    """Judges pairs by the proofs from their wheels; without a proof, by the rules (``knowledge/judge.py``).

    ``unproven`` says for releases of an update, by package, version and platform ("": every one), why it is not
    known what they work with.
    """

    def __init__(
        self, matrix: Matrix, proven: Proofs, unproven: Mapping[str, Mapping[str, Mapping[str, str]]] | None = None
    ) -> None:
        self._matrix = matrix
        self._proven = proven
        self._unproven = unproven or {}
        self._varying: dict[tuple[str, str, Platform], bool] = {}
        self._proofs: dict[tuple[str, str], dict[tuple[object, ...], list[Cell]]] = {}

    def judge(self, pair: Pair, target: Target) -> Judgement:
        """The judgement of a pair on a Python and a platform. Without a proof or a statement, it is unknown.

        Where the symbols do not decide, a rule decides for "loads" that was measured, but not a range that is only
        declared. A rule that says which torch is needed does not decide for "fails": the wheels show that nothing
        is missing. The pair is then unknown, and documented as failing.
        """
        proof = self._proof(pair, target)
        if proof is not None and proof.verdict != UNKNOWN:
            return _proven(proof)
        found = self._by_rules(pair, target)
        if proof is None or (found.verdict, found.kind) == (LOADS, MEASURED):
            return found
        return _documented(_proven(proof), found) if found.verdict == FAILS else _proven(proof)

    def varies(self, name: str, version: str, platform: Platform) -> bool:
        """Whether the wheels of a release for different Pythons are made for different releases of torch.

        Then a proof counts only if it says which Pythons it is about.
        """
        key = name, version, platform
        if key not in self._varying:
            pinned = NamedVersion(name, parsed(version), build=Unknown("any"))
            targets = (Target(PythonVersion(3, minor, LAST_PATCH[minor]), platform) for minor in PYTHONS)
            found = {tuple(filter(_is_about_pairs, self._matrix.about_release(pinned, each))) for each in targets}
            self._varying[key] = len(found) > 1
        return self._varying[key]

    def depends_on_python(self, pair: Pair, platform: Platform) -> bool:
        """Whether the judgement of a pair may differ by Python: its statements do, or its proofs name Pythons."""
        proofs = self._proofs_of(pair, platform)
        return self.varies(pair.package, pair.version, platform) or any(cell.pythons for cell in proofs)

    def _proof(self, pair: Pair, target: Target) -> Cell | None:
        """The proof for exactly these two builds, on the Python of the target."""
        python = str(target.python)
        varies = self.varies(pair.package, pair.version, target.platform)
        about = (cell for cell in self._proofs_of(pair, target.platform) if cell.is_about(python))
        return next((cell for cell in about if cell.pythons or not varies), None)

    def _proofs_of(self, pair: Pair, platform: Platform) -> Sequence[Cell]:
        """The proofs for exactly these two builds."""
        key = pair.package, str(platform)
        if key not in self._proofs:
            found = self._proofs[key] = defaultdict(list)
            for cell in self._proven.cells(pair.package, platform=key[1]):
                found[cell.version, cell.build, cell.torch, cell.torch_build].append(cell)
        builds = (parsed(pair.version), pair.build, parsed(pair.torch), pair.torch_build)
        return self._proofs[key].get(builds, ())

    def _by_rules(self, pair: Pair, target: Target) -> Judgement:
        """The judgement of the rules; a release that no rule was written for does not load because of a range."""
        found = self._by_statements(pair, target)
        for name, version in (("torch", pair.torch), (pair.package, pair.version)):
            reasons = self._unproven.get(name, {}).get(version, {})
            because = reasons.get("") or reasons.get(str(target.platform))
            if because and found.verdict == LOADS:
                return Judgement(UNKNOWN, "", f"{name} {version} is unproven: {because}.")
        return found

    def _by_statements(self, pair: Pair, target: Target) -> Judgement:
        broken = self._violation(pair, target)
        if broken is not None:
            return _failure(pair, broken)
        if not pair.build or not pair.torch_build:
            which = f"{pair.package} {pair.version}" if not pair.build else f"torch {pair.torch}"
            return Judgement(UNKNOWN, "", f"The build of {which} is not known.")
        positive = self._positive(pair, target)
        if positive is None:
            return Judgement(
                UNKNOWN, "", f"No rule is about {pair.package} {pair.version} and torch {pair.torch}."
            )
        return self._by_labels(pair) or _success(pair, positive)

    def _violation(self, pair: Pair, target: Target) -> Violation | None:
        """The first violation that is about these two builds alone; those that a library may settle come last."""
        companion = NamedVersion(pair.package, parsed(pair.version), build=pair.build or Unknown("not recorded"))
        torch = NamedVersion("torch", parsed(pair.torch), build=pair.torch_build or Unknown("not recorded"))
        found = violations({"torch": torch, pair.package: companion}, target, self._matrix, complete=False)
        about = [
            each
            for each in found
            if each.pinned.name == pair.package
            and each.statement is not None
            and (each.dependency is None or each.dependency.name in ("torch", BUILD_CUDA))
        ]
        return min(about, key=_needs_library, default=None)

    def _positive(self, pair: Pair, target: Target) -> Statement | None:
        """The statement of the companion's pair rule that this torch satisfies; the one about fewest builds."""
        companion = NamedVersion(pair.package, parsed(pair.version), build=pair.build)
        fitting = [
            statement
            for statement in self._matrix.statements_for(companion, target)
            if statement.rule == MEMBERS[pair.package].rule
            and any(
                need.name == "torch" and specifier_set(need.specifier).contains(parsed(pair.torch))
                for need in statement.needs
            )
        ]
        return max(fitting, key=lambda each: bool(each.build), default=None)

    def _by_labels(self, pair: Pair) -> Judgement | None:
        """A failure, or an unknown, that follows from the labels of both builds."""
        subject, torch = f"{pair.package} {pair.version}", f"torch {pair.torch}"
        if not MEMBERS[pair.package].labels:
            return None
        found = mismatch(subject, pair.build, torch, pair.torch_build)
        if found is not None and found.fails:
            reason = f"{found.message}; {self._matrix.because(BUILDS)}."
            kind, sources = self._matrix.kind(BUILDS), self._matrix.sources_of(BUILDS)
            return Judgement(FAILS, kind, reason, BUILDS, sources=sources)
        if found is not None and not pair.public and (pair.build == "cpu" or needs_same_build(pair.torch_build)):
            build, other = describe_build(pair.build), describe_build(pair.torch_build)
            return Judgement(UNKNOWN, "", f"No source covers the {build} of {subject} beside {torch} for {other}.")
        return None


def _is_about_pairs(statement: Statement) -> bool:
    return statement.never or any(need.name in ("torch", BUILD_CUDA) for need in statement.needs)


@lru_cache(maxsize=1 << 12)
def parsed(version: str) -> Version:
    """The version, parsed once."""
    return Version(version)


def requirement_in_words(name: str, specifier: str) -> str:
    """What is needed: ``torch==2.8.*``, ``a torch that is built for CUDA 13.0``."""
    if name != BUILD_CUDA:
        return f"{name}{specifier}"
    exact = specifier.removeprefix("==")
    return f"a torch that is built for CUDA {exact.removesuffix('.*')}"


def _proven(cell: Cell) -> Judgement:
    return Judgement(
        cell.verdict,
        cell.kind,
        sentence(cell.reason),
        symbol=cell.symbol or "",
        sources=cell.sources,
        evidence=cell.evidence,
    )


def _documented(proof: Judgement, found: Judgement) -> Judgement:
    """The judgement of a pair whose wheels do not decide, and of which a rule says that it fails."""
    reason = f"{proof.reason.removesuffix('.')}. It is documented as failing: {found.reason}"
    sources = tuple(dict.fromkeys((*proof.sources, *found.sources)))
    return proof._replace(reason=reason, rule=found.rule, sources=sources)


def _needs_library(violation: Violation) -> bool:
    """Whether it is only that the release does not load without a library, which a machine may have."""
    return violation.statement is not None and bool(violation.statement.without)


def _failure(pair: Pair, broken: Violation) -> Judgement:
    statement = broken.statement
    assert statement is not None
    subject = f"{pair.package} {pair.version}"
    if broken.dependency is None:
        said = f"{subject} {statement.does_not_load}" + ("" if statement.without else " with any torch")
    else:
        said = f"{subject} needs " + requirement_in_words(broken.dependency.name, broken.dependency.specifier)
    return Judgement(
        UNKNOWN if _needs_library(broken) else FAILS,
        statement.kind,
        f"{said}, because {statement.because}.",
        statement.rule,
        sources=statement.sources,
    )


def _success(pair: Pair, statement: Statement) -> Judgement:
    need = next(need for need in statement.needs if need.name == "torch")
    return Judgement(
        LOADS,
        statement.kind,
        f"{pair.package} {pair.version} needs torch{need.specifier}, because {statement.because}; "
        f"torch {pair.torch} is such a release.",
        statement.rule,
        sources=statement.sources,
    )
