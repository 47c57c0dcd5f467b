"""The releases of one build: the torch family from one folder of the PyTorch index, and from nowhere else.

The bundled table of the folder is asked first. Its live page is asked if the table is older than a day, as for the
public catalogue.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from packaging.version import Version

from torchlock.answers import Unknown
from torchlock.errors import InputError, NetworkError, UnknownPackage
from torchlock.index.build_releases import DeclaredRelease, TableRelease
from torchlock.knowledge import tables
from torchlock.knowledge.build_files import build_catalogue, evidence_of, folders, triton_catalogue
from torchlock.knowledge.build_labels import is_from_index, kind_of
from torchlock.knowledge.releases import Catalogue, Provenance
from torchlock.knowledge.stack import FAMILY
from torchlock.standards import filenames
from torchlock.standards.filenames import cell_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from torchlock.finding import Evidence
    from torchlock.index import Index
    from torchlock.index.build_releases import FolderRelease
    from torchlock.index.folder_page import Contradiction, FolderPages
    from torchlock.knowledge.builds import Builds
    from torchlock.knowledge.releases import CatalogueRelease, Release
    from torchlock.standards.index_file import File
# What the grades of the rows of a table mean, where they are weak.
_WEAK = {
    "excerpt": "its hash is from a public text, and no lock file confirms it; if it is wrong, installers refuse "
    "the file (source: {source})",
    "name": "only its name is known (source: {source})",
}


class BuildSource:
    """Answers for the projects that a build takes from the PyTorch index.

    ``label`` is the build, ``root`` the address of the index or of a mirror of it; as an attribute it has no
    credentials. ``opened`` opens the index at an address. ``offline`` asks nothing, ``refresh`` asks for
    everything; else the page is asked if ``day`` is later than the date of the table.
    """

    def __init__(
        self,
        label: str,
        root: str,
        *,
        opened: Callable[[str], Index],
        offline: bool,
        refresh: bool,
        day: Callable[[], str],
    ) -> None:
        from torchlock.index.addresses import redact

        self.label = label
        self._asked_root = root.rstrip("/")
        self.root = redact(self._asked_root)
        self._opened = opened
        self._offline = offline
        self._refresh = refresh
        self._day = day
        self._table = build_catalogue(label) if label in folders() else None
        self._added: set[str] = set()
        self._notes: list[str] = []
        self._answers: dict[str, Sequence[Release]] = {}
        self._today: dict[str, Sequence[FolderRelease] | Unknown] = {}
        self._silent = False

    @property
    def title(self) -> str:
        """The folder in a sentence."""
        return f"the {self.label} folder of the PyTorch index"

    def page_of(self, name: str) -> str:
        """The address of the page with the files of a project; the root lists what builds share."""
        return f"{self.root}/{self.label}" if name in FAMILY else self.root

    def owns(self, name: str) -> bool:
        """Whether a project is taken from the PyTorch index alone."""
        return is_from_index(name, self.label)

    def holds(self, file: File) -> bool:
        """Whether a file is one that this source answers with."""
        parsed = filenames.parse(file.filename)
        return file.url in self._added or (parsed is not None and self.owns(parsed[0]))

    def beside(self, name: str, public: Sequence[Release]) -> Sequence[Release]:
        """The releases of the public index, and those of the root's table for machines that it does not serve.

        CUDA builds of torch 2.7 and 2.8 for aarch64 require a triton that only the root page has for aarch64. The
        page is asked only if such a file is locked (``contradiction``).
        """
        if name != "triton" or kind_of(self.label) != "cuda":
            return public
        served: dict[str, set[tuple[str, str]]] = {}
        for release in public:
            served.setdefault(release.version, set()).update(map(cell_of, release.tags))
        added: list[Release] = []
        for row in self._rows(name):
            hidden = served.get(row.version, set())
            if {*map(cell_of, row.tags)} - hidden:
                added.append(self._of_table(row, hidden))
                self._added.update(file.url for file in added[-1].files())
        return sorted([*public, *added], key=lambda each: Version(each.version)) if added else public

    def releases(self, name: str) -> Sequence[Release]:
        """The releases of a project, oldest first; none if the folder does not have it.

        Raises:
            NetworkError: ``refresh`` is set, and the index failed.
        """
        if name not in self._answers:
            bundled = () if self._refresh else self._bundled(name)
            today = self._asked(name) if self._is_aged(name) else Unknown("not asked")
            self._answers[name] = bundled if isinstance(today, Unknown) else today
        return self._answers[name]

    def _is_aged(self, name: str) -> bool:
        """Whether the page has to be asked, because the table alone does not decide."""
        return self._refresh or (not self._offline and self._day() > self._as_of(name))

    def is_local(self, name: str) -> bool:
        """Whether the releases of a project are known without asking the index."""
        return name in self._answers or not self._refresh

    def renew(self, names: Iterable[str]) -> bool:
        """Ask the page for those projects that are known from the table only; whether that changed them."""
        changed = False
        for name in () if self._offline else sorted(set(names) & self._answers.keys() - self._today.keys()):
            today = self._asked(name)
            if not isinstance(today, Unknown):
                changed |= [each.version for each in today] != [each.version for each in self._answers[name]]
                self._answers[name] = today
        return changed

    def provenance(self, name: str) -> Provenance:
        """Where the releases of a project were looked up."""
        place = self.title if name in FAMILY else "the PyTorch index"
        as_of = self._as_of(name) or triton_catalogue().date  # of the data as a whole, which lack the folder
        return Provenance(place, as_of="" if name in self._answered else as_of, folder=place)

    def contradiction(self, file: File) -> Contradiction | None:
        """The two hashes of a file, if the page and the table disagree on it.

        Raises:
            NetworkError: ``refresh`` is set, and the index failed.
        """
        name = file.filename.partition("-")[0]
        if file.url in self._added and self._is_aged(name):
            self._asked(name)
        return next(
            (known for pages in self._opened_pages if (known := pages.contradictions.get(file.filename))), None
        )

    def sha256(self, file: File) -> str | Unknown:
        """The hash of a file that the tables lack, as its page states it today.

        Raises:
            NetworkError: ``refresh`` is set, and the index failed.
        """
        parsed = filenames.parse(file.filename)
        today = Unknown("offline") if self._offline or parsed is None else self._asked(parsed[0])
        for release in () if isinstance(today, Unknown) else today:
            for listed in release.files():
                if listed.filename == file.filename and "sha256" in listed.hashes:
                    return listed.hashes["sha256"]
        return Unknown("the PyTorch index states no hash of it")

    def remark(self, name: str, file: File) -> str:
        """What is weak about the evidence for a file; "" if several locks or a page of today agree on it."""
        if name in self._answered:
            return ""
        evidence = evidence_of(self.label if name in FAMILY else "root", file.filename)
        if evidence is None or evidence.grade not in _WEAK:
            return ""
        return _WEAK[evidence.grade].format(source=", ".join(evidence.sources[:1]).removeprefix("excerpt: "))

    @property
    def used(self) -> list[str]:
        """The tables and the addresses of the pages that answered, without credentials."""
        asked = self._answered
        places = [
            self.page_of(name) if name in asked else f"{self.title} (bundled table)" for name in self._answers
        ]
        return list(dict.fromkeys(places))

    @property
    def notes(self) -> list[str]:
        """Remarks from asking the pages."""
        return [*self._notes, *(note for pages in self._opened_pages for note in pages.notes)]

    @property
    def _answered(self) -> set[str]:
        """The projects whose page was read."""
        return {name for name, found in self._today.items() if not isinstance(found, Unknown)}

    @property
    def _opened_pages(self) -> list[FolderPages]:
        return [vars(self)[name] for name in ("_folder_pages", "_root_pages") if name in vars(self)]

    @cached_property
    def _public(self) -> Catalogue:
        """The catalogue of the public index: which releases there are, in any build."""
        return Catalogue(tables.ROOT / "releases")

    @cached_property
    def _folder_pages(self) -> FolderPages:
        from torchlock.index.folder_page import FolderPages

        return FolderPages(self.label, self._asked_root, self._opened)

    @cached_property
    def _root_pages(self) -> FolderPages:
        from torchlock.index.folder_page import FolderPages

        return FolderPages("", self._asked_root, self._opened)

    def _rows(self, name: str) -> list[CatalogueRelease]:
        """What the tables know of a project, oldest first; the root's table has what builds share."""
        own = (self._table.releases(name) if self._table is not None else None) or []
        if name in FAMILY:
            return own
        shared = triton_catalogue().releases(name) or []
        known = {row.version for row in shared}
        added = [row for row in own if row.version not in known]
        return sorted([*shared, *added], key=lambda row: Version(row.version)) if added else shared

    def _as_of(self, name: str) -> str:
        table = self._table if name in FAMILY else triton_catalogue()
        return "" if table is None else table.date

    def _of_table(self, row: CatalogueRelease, hidden: Collection[tuple[str, str]] = ()) -> TableRelease:
        served = None if self._offline else self._served
        return TableRelease(row, self.label, f"{self.root}/", served, hidden)

    def _bundled(self, name: str) -> Sequence[Release]:
        rows = self._rows(name)
        found: list[Release] = [self._of_table(row) for row in rows]
        declared = list(self._declared(name, rows)) if name in FAMILY else []
        return sorted([*found, *declared], key=lambda each: Version(each.version)) if declared else found

    def _declared(self, name: str, rows: Sequence[CatalogueRelease]) -> Iterator[DeclaredRelease]:
        """The releases of which documents say that the build exists, for targets without a file in the table."""
        from torchlock.knowledge.builds import build_table

        builds = build_table()
        known = {(row.version.partition("+")[0], *cell_of(tags)) for row in rows for tags in row.tags}
        for release in self._public.releases(name) or ():
            version = release.version
            labels = builds.labels(name, version)
            if isinstance(labels, Unknown) or self.label not in labels:
                continue

            def exists(system: str, python: str, version: str = version) -> Unknown | None:
                if (version, system, python) in known:
                    return None
                return _declaration(builds, (name, version, self.label), system, python)

            yield DeclaredRelease(release, self.label, exists)

    def _served(self, name: str, version: str) -> FolderRelease | Unknown:
        """A release as its page lists it today."""
        found = self._asked(name)
        if isinstance(found, Unknown):
            return found
        release = next((each for each in found if each.version == version), None)
        return release or Unknown(f"{self.page_of(name)} no longer lists {name} {version}")

    def _asked(self, name: str) -> Sequence[FolderRelease] | Unknown:
        """Today's releases on the page, asked once; unknown if it cannot be asked.

        Raises:
            NetworkError: ``refresh`` is set, and the index failed.
        """
        if name not in self._today:
            self._today[name] = Unknown("the index could not be asked") if self._silent else self._read(name)
        return self._today[name]

    def _read(self, name: str) -> Sequence[FolderRelease] | Unknown:
        pages = self._folder_pages if name in FAMILY else self._root_pages
        try:
            covered = {release.version for release in self._public.releases(name) or ()}
            return pages.releases(name, self.label, self._rows(name), self._as_of(name), covered)
        except UnknownPackage as error:
            if self._refresh or not self._rows(name):
                return ()
            said = f"{error.message}; its releases are"
        except (NetworkError, InputError) as error:  # of the index, or of the settings that name it
            if self._refresh:
                raise
            self._silent = True
            said = f"the PyTorch index could not be asked ({error}); releases of {self.label} are"
        self._notes.append(f"{said} as of {self._as_of(name)}" if self._as_of(name) else f"{said} unknown")
        return Unknown(said.partition(";")[0])


def _declaration(builds: Builds, asked: tuple[str, str, str], system: str, python: str) -> Unknown | None:
    """Why a build (name, version, label) is thought to exist without a file; None if it is not."""
    if builds.published(*asked, system) is not True or builds.published(*asked, system, python) is False:
        return None
    told = _according_to(builds.source_of(*asked, system))
    missing = f"no file of it for {system}{f' and Python {python}' if python else ''} is known"
    return Unknown(f"it exists for {system}{told}; {missing}")


def _according_to(sources: Sequence[Evidence]) -> str:
    """Which document says so; without one, which kind of fact it is."""
    documents = [source.address for source in sources if source.address.startswith("https://")]
    return (
        f" according to {documents[0]}"
        if documents
        else "".join(f" according to the table of builds ({source.kind} {source.date})" for source in sources[:1])
    )
