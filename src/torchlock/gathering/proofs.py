"""Prove the new releases of an update: read their wheels, and draft the statements that these show."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

from torchlock.errors import BrokenFile, MetadataError
from torchlock.gathering.wheel_evidence import WheelReader, used_on, wheel_of
from torchlock.knowledge import tables
from torchlock.proving.choosing import COMPANIONS, PLATFORMS, Chosen, chosen
from torchlock.proving.drafting import Draft, Drafter
from torchlock.proving.evidence import TorchWheel
from torchlock.proving.reading import UnreadableWheel
from torchlock.proving.rendering import Facts
from torchlock.proving.tables import Store, read_store
from torchlock.standards.filenames import platform_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from torchlock.gathering.asking import Asker
    from torchlock.gathering.storage import Cache
    from torchlock.knowledge.releases import Catalogue
    from torchlock.knowledge.rules import Matrix
    from torchlock.proving.evidence import CompanionWheel
    from torchlock.standards.index_file import File

_NOT_READ = "its wheels for this platform are not of a kind that is read"


class Proved(NamedTuple):
    """The statements about new releases, by the package that they are about; and why there are none, by release.

    ``bundled`` is the bundled evidence; ``store`` has that of the new wheels, too.
    """

    rows: dict[str, list[dict[str, Any]]]
    unproven: dict[str, dict[str, dict[str, str]]]
    bundled: Store
    store: Store


class Prover:
    """Reads wheels that the evidence lacks. What each showed is kept in the cache by its hash.

    ``catalogue`` has the new releases; ``listed`` are the files of the index by their SHA-256. The evidence gets
    the date of ``day``.
    """

    def __init__(
        self,
        asker: Asker,
        cache: Cache,
        catalogue: Catalogue,
        listed: Mapping[str, File],
        *,
        day: str,
        jobs: int,
    ) -> None:
        self._asker = asker
        self._cache = cache
        self._catalogue = catalogue
        self._day = day
        self._jobs = jobs
        self._listed = listed
        self._why: dict[tuple[str, str, str], str] = {}
        self._fresh: set[str] = set()

    def prove(self, new: Sequence[tuple[str, str]], matrix: Matrix, source: str) -> Proved:
        """The statements about these new releases of the torch family (project, version).

        Raises:
            NetworkError: the index fails.
            DataError: the bundled evidence is damaged.
        """
        store = read_store(tables.ROOT / "proofs")
        bundled = store.copy()
        companions = [each for each in new if each[0] in COMPANIONS]
        self._read(store, [each for name, version in companions for each in self._chosen(name, version)])
        torches = [each for name, version in new if name == "torch" for each in self._chosen(name, version)]
        self._read(store, torches + self._torches_to_ask(store, companions))
        facts = Facts(self._catalogue, store, matrix)
        drafter = Drafter(store, facts, matrix, source, self._day, self._fresh)
        rows: dict[str, list[dict[str, Any]]] = {}
        unproven: dict[str, dict[str, dict[str, str]]] = {}
        for name, version in new:
            draft = drafter.of_torch(version) if name == "torch" else drafter.of_companion(name, version)
            for package, row in draft.rows:
                rows.setdefault(package, []).append(row)
            if lacks := self._lacks(name, version, draft):
                unproven.setdefault(name, {})[version] = lacks
        return Proved(rows, unproven, bundled, store)

    def _torches_to_ask(self, store: Store, companions: Sequence[tuple[str, str]]) -> list[Chosen]:
        """The wheels of torch that new wheels pin, if these use a symbol that the evidence does not cover."""
        found = {}
        for each in (each for name, version in companions for each in self._chosen(name, version)):
            read = store.companions.get((each.package, each.platform), ())
            mine = next((wheel for wheel in read if wheel.wheel.sha256 == each.sha256), None)
            if mine is not None and store.unread(mine) and (pin := re.fullmatch(r"==([\d.]+)", each.torch)):
                same = (torch for torch in self._chosen("torch", pin[1]) if torch.platform == each.platform)
                found.update({torch.sha256: torch for torch in same})
        return list(found.values())

    def _chosen(self, name: str, version: str) -> list[Chosen]:
        """One wheel of each platform: those for other Pythons are assumed to show the same."""
        return [first for first, *_ in chosen(self._catalogue, name, version)]

    def _lacks(self, name: str, version: str, draft: Draft) -> dict[str, str]:
        """Why a release is unproven, for each platform for which it has wheels."""
        release = next(each for each in self._catalogue.releases(name) or () if each.version == version)
        chosen_here = {each.platform for each in self._chosen(name, version)}
        found = {}
        for place in sorted({platform_in(tags) for tags in release.tags if not tags.endswith("-any")}):
            why = self._why.get((name, version, place)) or draft.lacks.get(place)
            if why is None and place not in chosen_here:
                why = _NOT_READ
            if why is not None:
                found[place] = why
        return found

    def _read(self, store: Store, wanted: Iterable[Chosen]) -> None:
        """Read these wheels into the store; why one cannot be read is noted."""
        todo = list(wanted)
        readers = {place: WheelReader(self._cache, used_on(store, place)) for place in PLATFORMS}
        with ThreadPoolExecutor(self._jobs) as pool:
            answers = pool.map(lambda each: self._evidence(each, readers[each.platform]), todo)
            for each, found in zip(todo, answers, strict=True):
                if isinstance(found, str):
                    self._why[each.package, each.version, each.platform] = found
                elif isinstance(found, TorchWheel):
                    rows = store.torches.setdefault(each.platform, [])
                    rows[:] = [*(row for row in rows if row.wheel.sha256 != each.sha256), found]
                    self._fresh.add(each.sha256)
                else:
                    store.companions.setdefault((each.package, each.platform), []).append(found)

    def _evidence(self, each: Chosen, reader: WheelReader) -> TorchWheel | CompanionWheel | str:
        """What a wheel shows, or why it shows nothing."""
        wheel = wheel_of(each, self._day)
        found = reader.known(wheel)
        if found is None:
            file = self._listed.get(each.sha256)
            if file is None:
                return "the index no longer has the wheel of the data"
            self._asker.count()
            try:
                found = reader.read(wheel, file, self._asker.index)
            except (UnreadableWheel, MetadataError, BrokenFile) as error:
                return f"its wheel could not be read ({error.message})"
        return found
