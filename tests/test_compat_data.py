"""The tables that people write: each lint states one rule about them, and is itself tried on good and bad rows."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from packaging.markers import Marker
from packaging.specifiers import SpecifierSet
from packaging.version import Version

import compile_rules
from compiling.accelerators import driver_statements, read_accelerators
from compiling.builds import read_builds
from compiling.rules import read_rules, read_sources
from compiling.systems import read_systems
from compiling.values import read_toml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "compat_data"

FAMILY = ("torchaudio", "torchvision", "torchtext", "torchcodec")
ENVIRONMENTS = {
    "linux-x86_64": {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64"},
    "linux-aarch64": {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "aarch64"},
    "macos-arm64": {"sys_platform": "darwin", "platform_system": "Darwin", "platform_machine": "arm64"},
    "macos-x86_64": {"sys_platform": "darwin", "platform_system": "Darwin", "platform_machine": "x86_64"},
    "windows-amd64": {"sys_platform": "win32", "platform_system": "Windows", "platform_machine": "AMD64"},
}
# How the platform part of a wheel's tags says which of these it is for.
PLATFORM_TAGS = {
    "linux-x86_64": "*linux*x86_64*",
    "linux-aarch64": "*linux*aarch64*",
    "macos-arm64": "macosx*arm64*",
    "macos-x86_64": "macosx*x86_64*",
    "windows-amd64": "win_amd64",
}


@dataclass
class Wheel:
    """What the lints look at in a wheel: its tags, its build, the torch it declares (None: nothing)."""

    tags: str
    build: str | None = None
    torch: str | None = None


@dataclass
class Tables:
    """The compiled rows, and what the index serves of the packages they name."""

    rules: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, Any] = field(default_factory=dict)
    statements: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    systems: dict[str, Any] = field(default_factory=dict)
    unpartnered: list[dict[str, str]] = field(default_factory=list)
    releases: dict[str, dict[str, list[Wheel]]] = field(default_factory=dict)
    yanked: set[tuple[str, str]] = field(default_factory=set)
    builds: dict[str, Any] = field(default_factory=dict)
    others: list[dict[str, Any]] = field(default_factory=list)
    accelerators: dict[str, Any] = field(default_factory=dict)

    def rows(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every statement, and how to call it in a message."""
        for rows in self.statements.values():
            for row in rows:
                yield f"{row['rule']}: {''.join(row['when'][:2])}", row


@cache
def real() -> Tables:
    """The tables of this checkout."""
    sources = read_sources(DATA / "sources.toml")
    accelerators = read_accelerators(DATA / "builds", sources)
    rules, statements = read_rules(DATA / "rules", sources, {"drivers": driver_statements(accelerators)})
    systems = read_systems(DATA / "systems", sources)
    unpartnered = [
        row for path in sorted((DATA / "rules").glob("*.toml")) for row in read_toml(path).get("unpartnered", [])
    ]
    builds = read_builds(DATA / "builds", sources, DATA / "releases")
    more = [
        *sorted((DATA / "builds").glob("*.toml")),
        DATA / "conda.toml",
        DATA / "libraries.toml",
        DATA / "build_failures.toml",
        DATA / "modules.toml",
        DATA / "names.toml",
        DATA / "python.toml",
        DATA / "stack.toml",
    ]
    others = [row for path in more for row in citing(read_toml(path))]
    tables = Tables(
        rules,
        sources,
        statements,
        systems,
        unpartnered,
        builds=builds,
        others=others,
        accelerators=accelerators,
    )
    names = {"torch"}
    for name, rows in statements.items():
        names |= {
            name,
            *(item[0] for row in rows for key in ("needs", "forbids", "wants") for item in row.get(key, ())),
        }
    for name in sorted(names):
        path = DATA / "releases" / f"{name}.json"
        if path.exists():
            load_releases(tables, name, json.loads(path.read_bytes()))
    return tables


def citing(value: Any) -> Iterator[dict[str, Any]]:
    """Every table inside a value that names sources."""
    if isinstance(value, dict) and "sources" in value:
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from citing(inner)


def load_releases(tables: Tables, name: str, table: dict[str, Any]) -> None:
    """Read one release file as far as the lints need it."""
    torch_of = []
    for indices in table["requires"]:
        wanted = [row for row in (table["requirements"][index] for index in indices) if row[0] == "torch"]
        torch_of.append("".join(wanted[0][1:2]) if wanted else None)
    tables.releases[name] = {}
    for version, record in table["releases"].items():
        wheels = []
        for position, tag in enumerate(record.get("wheels", [])):
            each = {
                key: value[position] if isinstance(value := record.get(key), list) else value
                for key in ("build", "requires")
            }
            torch = None if each["requires"] is None else torch_of[each["requires"]]
            wheels.append(Wheel(table["tags"][tag], each["build"], torch))
        tables.releases[name][version] = wheels
        if "yanked" in record:
            tables.yanked.add((name, version))


def specifier(row: list[Any]) -> SpecifierSet:
    return SpecifierSet(row[1] if len(row) > 1 else "", prereleases=True)


def holds(row: list[Any], environment: dict[str, str]) -> bool:
    """Whether the marker of a requirement is true there."""
    return len(row) < 3 or not row[2] or Marker(row[2]).evaluate({"extra": "", **environment})


def admits(row: list[Any], versions: dict[str, Any]) -> list[str]:
    return [version for version in versions if specifier(row).contains(version)]


# The lints.


def unknown_versions(tables: Tables) -> Iterator[str]:
    """A version named by == is one that the index serves, so that a slip cannot become a fact."""
    for title, row in tables.rows():
        for item in [row["when"], *row.get("needs", ()), *row.get("forbids", ()), *row.get("wants", ())]:
            if item[0] in tables.releases and "{" not in "".join(item[1:2]):
                for clause in specifier(item):
                    if clause.operator == "==" and not admits([item[0], str(clause)], tables.releases[item[0]]):
                        yield f"{title}: there is no {item[0]}{clause}"


def idle_statements(tables: Tables) -> Iterator[str]:
    """A statement speaks of some release, or of those after the newest; its glob matches some wheel of it."""
    for title, row in tables.rows():
        name = row["when"][0]
        if name not in tables.releases:
            continue
        versions = admits(row["when"], tables.releases[name])
        newest = max(map(Version, tables.releases[name]))
        if not versions and not specifier(row["when"]).contains(f"{newest.major + 1}"):
            yield f"{title}: speaks of no release"
        glob = row.get("wheel")
        wheels = [wheel for version in versions for wheel in tables.releases[name][version]]
        if glob and not any(fnmatchcase(wheel.tags, glob) for wheel in wheels):
            yield f"{title}: no wheel matches {glob!r}"


def contradictions(tables: Tables) -> Iterator[str]:
    """What one rule says of one release can be kept all at once, on every platform."""
    for name, rows in tables.statements.items():
        for version in tables.releases.get(name, {}):
            speaking = [row for row in rows if specifier(row["when"]).contains(version) and "needs" in row]
            for rule in sorted({row["rule"] for row in speaking}):
                for platform, environment in ENVIRONMENTS.items():
                    needs: dict[str, list[list[Any]]] = {}
                    for row in speaking:
                        if row["rule"] == rule and holds(row["when"], environment) and "wheel" not in row:
                            for item in row["needs"]:
                                if item[0] in tables.releases and holds(item, environment):
                                    needs.setdefault(item[0], []).append(item)
                    for other, items in needs.items():
                        known = tables.releases[other]
                        if not set.intersection(*(set(admits(item, known)) for item in items)):
                            yield f"{rule}: {name} {version} on {platform} finds no {other} that keeps them all"


def unread_releases(tables: Tables) -> Iterator[str]:
    """What has no last release names the newest one in a source, so that no new release is covered unread."""
    for title, row in tables.rows():
        others = [item for item in row.get("needs", ()) if item[0] in ("torch", "build-cuda")]
        if row["when"][0] not in FAMILY or not others or not is_open(row["when"]):
            continue
        cited = row.get("sources", tables.rules[row["rule"]]["sources"])
        addresses = " ".join(tables.sources[source].get("address", "") for source in cited)
        for name in (item[0] for item in (row["when"], *others) if is_open(item)):
            newest = max(map(Version, tables.releases.get(name, ())), default=None)
            if newest is not None and str(newest) not in addresses:
                yield f"{title}: no source names {name} {newest}"


def is_open(row: list[Any]) -> bool:
    """Whether a requirement allows every release to come."""
    return "{" not in "".join(row[1:2]) and specifier(row).contains("999")


def lonely_torches(tables: Tables) -> Iterator[str]:
    """Every release of torch has a torchaudio, or the table says that it has none, and why."""
    listed = {row["torch"] for row in tables.unpartnered if row["package"] == "torchaudio"}
    for version in tables.releases.get("torch", {}):
        if ("torch", version) in tables.yanked:
            continue
        partners = [
            other
            for row in tables.statements.get("torchaudio", ())
            for other in admits(row["when"], tables.releases.get("torchaudio", {}))
            if any(item[0] == "torch" and specifier(item).contains(version) for item in row.get("needs", ()))
            and ("torchaudio", other) not in tables.yanked
        ]
        if not partners and version not in listed:
            yield f"torch {version} has no torchaudio, and no [[unpartnered]] says so"
        if partners and version in listed:
            yield f"torch {version} is listed as unpartnered, and has torchaudio {partners[0]}"
    for version in listed - set(tables.releases.get("torch", ())):
        yield f"there is no torch {version}, which is listed as unpartnered"


def unspoken_releases(tables: Tables) -> Iterator[str]:
    """Every compiled release of the family says which torch it goes with."""
    for name in FAMILY:
        for version, wheels in tables.releases.get(name, {}).items():
            compiled = any(not wheel.tags.endswith("-any") for wheel in wheels)
            speaking = [row for row in tables.statements.get(name, ()) if specifier(row["when"]).contains(version)]
            said = any(
                "never" in row or any(item[0] == "torch" for item in row.get("needs", ())) for row in speaking
            )
            if compiled and not said:
                yield f"{name} {version}: no statement says which torch it goes with"


def undeclared_differences(tables: Tables) -> Iterator[str]:
    """Where a statement and the metadata differ on torch, the statement has its own grounds, or was measured."""
    for name in FAMILY:
        releases = tables.releases.get(name, {})
        if not any(wheel.torch is not None for wheels in releases.values() for wheel in wheels):
            continue  # declares it nowhere: the whole table is the difference, and its rule says so
        for version, wheels in releases.items():
            for row in tables.statements.get(name, ()):
                needs = [item for item in row.get("needs", ()) if item[0] == "torch"]
                is_measured = tables.rules[row["rule"]]["kind"] == "measured"
                if not needs or "sources" in row or is_measured or not specifier(row["when"]).contains(version):
                    continue
                for declared in sorted({wheel.torch or "nothing" for wheel in wheels}):
                    if SpecifierSet(re.sub(r"\+\w+", "", declared.replace("nothing", ""))) != specifier(needs[0]):
                        yield (
                            f"{row['rule']}: {name} {version} declares {declared}, the rule says "
                            f"{needs[0][1]}, and the statement names no sources of its own"
                        )


def refused_pairs(tables: Tables) -> Iterator[str]:
    """What metadata pins and the index serves for one platform is not refused for its CUDA version."""
    for name in FAMILY:
        for version, wheels in tables.releases.get(name, {}).items():
            rows = [row for row in tables.statements.get(name, ()) if specifier(row["when"]).contains(version)]
            pins = [item for row in rows for item in row.get("needs", ()) if item[0] == "torch"]
            cuda = [item for row in rows for item in row.get("needs", ()) if item[0] == "build-cuda"]
            if any("never" in row for row in rows) or not pins or not cuda:
                continue
            # Of two wheels with the same tags the first has the higher build number: the other is never chosen.
            chosen = {wheel.tags: wheel for wheel in reversed(wheels)}.values()
            for platform, glob in PLATFORM_TAGS.items():
                here = {w.build for w in chosen if fnmatchcase(platform_part(w), glob) and is_cuda(w.build)}
                there = {
                    wheel.build
                    for other in admits(pins[0], tables.releases.get("torch", {}))
                    for wheel in tables.releases["torch"][other]
                    if fnmatchcase(platform_part(wheel), glob)
                }
                for build in sorted(filter(None, here)):
                    if there and not any(agrees(cuda[0][1], build, other) for other in there):
                        builds = ", ".join(sorted(map(str, there)))
                        yield f"{name} {version} on {platform} is {build}; its torch is {builds}"


def platform_part(wheel: Wheel) -> str:
    return wheel.tags.rsplit("-", 1)[-1]


def is_cuda(build: str | None) -> bool:
    return bool(build and re.fullmatch(r"cu\d+", build))


def agrees(text: str, build: str, torch_build: str | None) -> bool:
    """Whether a torch of that build satisfies the need of a wheel of this build."""
    if torch_build is None:
        return True
    cuda = f"{build[2:-1]}.{build[-1]}"
    text = text.replace("{cuda}", cuda).replace("{cuda_major}", cuda.partition(".")[0])
    return SpecifierSet(text).contains(f"{torch_build[2:-1]}.{torch_build[-1]}" if is_cuda(torch_build) else "0")


def uncited_sources(tables: Tables) -> Iterator[str]:
    """Every source is cited by something, and everything cited is a source."""
    statements = [row for _, row in tables.rows()]
    groups = tables.builds.get("groups", [])
    cited = {
        source
        for row in [*tables.rules.values(), *statements, *tables.systems.values(), *groups, *tables.others]
        for source in row.get("sources", ())
    }
    cited |= tables.accelerators.get("sources", {}).keys()
    yield from (f"source {source} is cited nowhere" for source in sorted(set(tables.sources) - cited))
    yield from (f"source {source} is cited and not there" for source in sorted(cited - set(tables.sources)))


def unfounded_kinds(tables: Tables) -> Iterator[str]:
    """What calls itself measured cites a measurement; likewise declared and reported."""
    for title, row in tables.rows():
        rule = tables.rules[row["rule"]]
        kind = row.get("kind", rule["kind"])
        kinds = {tables.sources[source]["kind"] for source in row.get("sources", rule["sources"])}
        if kind not in kinds:
            yield f"{title}: is {kind}, and cites only what is {' or '.join(sorted(kinds))}"


def build_labels(tables: Tables, name: str, version: str, *, whole: bool = False) -> set[str]:
    """The labels of one release in the table of builds; ``whole``: only from sources that list all of them."""
    return {
        build
        for group, _, _, builds in tables.builds["packages"].get(name, {}).get(version, ())
        for build in builds
        if build[0] not in "!p" and (not whole or tables.builds["groups"][group].get("complete") is True)
    }


def builds_without_a_torch(tables: Tables) -> Iterator[str]:
    """No release has a build that the torch it was compiled against lacks: what Builds concludes from."""
    for name, pairs in tables.builds["partners"].items():
        for version, torch in pairs.items():
            known = build_labels(tables, "torch", torch, whole=True)
            strange = build_labels(tables, name, version) - known if known else set()
            yield from (f"{name} {version}+{label}, but no torch {torch}+{label}" for label in sorted(strange))


def contradicted_lists(tables: Tables) -> Iterator[str]:
    """What one source lists of a release is in every list of it that is whole."""
    for name, releases in tables.builds["packages"].items():
        for version in releases:
            whole = build_labels(tables, name, version, whole=True)
            if whole and build_labels(tables, name, version) != whole:
                yield f"{name} {version} has builds that are not in the list that is whole"


def labelled_macs(tables: Tables) -> Iterator[str]:
    """A macOS wheel has no label, and Windows has no label that Linux lacks."""
    for name, releases in tables.builds["packages"].items():
        for version, rows in releases.items():
            of = {
                platform: {
                    build
                    for _, platforms, _, builds in rows
                    if platform in platforms
                    for build in builds
                    if build[0] != "!"
                }
                for platform in ("linux-x86_64", "windows-amd64", "macos-arm64", "macos-x86_64")
            }
            labels = {build for build in of["macos-arm64"] | of["macos-x86_64"] if not build.startswith("plain")}
            if labels:
                yield f"{name} {version}: macOS with {', '.join(sorted(labels))}"
            if of["linux-x86_64"] and not of["windows-amd64"] <= of["linux-x86_64"]:
                yield f"{name} {version}: Windows has what Linux lacks"


def unfounded_builds(tables: Tables) -> Iterator[str]:
    """A group of builds cites a source of its own kind, and calls nothing complete on a document's word."""
    for group in [*tables.builds["groups"], *(row for row in tables.others if "requires" in row)]:
        kinds = {tables.sources[source]["kind"] for source in group["sources"]}
        if group["kind"] not in kinds:
            yield f"builds from {', '.join(group['sources'])}: {group['kind']}, and cites {', '.join(kinds)}"
        if "complete" in group and group["kind"] == "declared":
            yield f"builds from {', '.join(group['sources'])}: complete, though only documented"


def clumsy_clauses(tables: Tables) -> Iterator[str]:
    """A because completes "…, because …": it begins in lower case, runs on one line and has no full stop."""
    rows = [(rule, row) for rule, row in tables.rules.items()] + list(tables.rows())
    for title, row in rows:
        because = row.get("because", "its")
        if not because[0].islower() or because.endswith(".") or "  " in because or because.startswith("because"):
            yield f"{title}: {because!r} does not complete a sentence"


def mild_demands(tables: Tables) -> Iterator[str]:
    """A rule of effect "use" demands nothing that keeps a set of versions from being chosen."""
    for title, row in tables.rows():
        rule = tables.rules[row["rule"]]
        if rule.get("effect") == "use" and not rule.get("refuse") and ("needs" in row or "never" in row):
            yield f"{title}: only some calls fail, and yet it is refused"


def shapeless_bundles(tables: Tables) -> Iterator[str]:
    """A bundle is the name of a library and its version."""
    for title, row in tables.rows():
        for bundle in row.get("bundles", ()):
            if not re.fullmatch(r"[a-z0-9-]+ \d+(\.\d+)*", bundle):
                yield f"{title}: {bundle!r} is not like 'libsox 14.4.2'"


# Where sources may lie: documentation and source code, never a package registry, whose address would send
# people past their own index.
HOSTS = {
    "github.com",
    "gcc.gnu.org",
    "gist.github.com",
    "docs.pytorch.org",
    "docs.astral.sh",
    "python-poetry.org",
    "download.pytorch.org",
    "docs.nvidia.com",
    "developer.nvidia.com",
    "dgpu-docs.intel.com",
    "docs.habana.ai",
    "llvm.org",
    "setuptools.pypa.io",
    "pip.pypa.io",
    "packaging.python.org",
    "peps.python.org",
    "docs.python.org",
    "man7.org",
    "learn.microsoft.com",
    "triton-inference-server.github.io",
    "gabi.xinuos.com",
    "onnxruntime.ai",
}


def registry_hosts(text: str) -> Iterator[str]:
    """Tables name only hosts that are known to be no package registries."""
    found = re.findall(r"\w+://([A-Za-z0-9.-]+)", text)
    yield from sorted({host.lower() for host in found if host.lower() not in HOSTS})


LINTS: list[Callable[[Tables], Iterator[str]]] = [
    unknown_versions,
    idle_statements,
    contradictions,
    unread_releases,
    lonely_torches,
    unspoken_releases,
    undeclared_differences,
    refused_pairs,
    uncited_sources,
    unfounded_kinds,
    clumsy_clauses,
    shapeless_bundles,
    mild_demands,
    builds_without_a_torch,
    contradicted_lists,
    labelled_macs,
    unfounded_builds,
]


# The lints on what is here.


@pytest.mark.parametrize("lint", LINTS, ids=lambda lint: str(lint.__name__))
def test_tables(lint: Callable[[Tables], Iterator[str]]) -> None:
    if "torch" not in real().releases:
        pytest.skip("compat_data/releases/ is not there")
    assert list(lint(real())) == []


@pytest.mark.parametrize(
    "path", sorted(path for path in DATA.rglob("*") if path.is_file()), ids=lambda path: path.name
)
def test_no_table_names_a_registry(path: Path) -> None:
    assert list(registry_hosts(path.read_text(encoding="utf-8"))) == []


def test_compiled_tables_are_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    assert compile_rules.main(["--check"]) == 0, capsys.readouterr().err


# The lints themselves: left alone first, then caught.


def tables(*rows: dict[str, Any], **fields: Any) -> Tables:
    """Tables of these statements, each under the name of its ``when``."""
    made = Tables(rules={"TL101": {"kind": "declared", "sources": ["s"], "because": "it is so"}}, **fields)
    made.sources = made.sources or {"s": {"kind": "declared"}, "m": {"kind": "measured"}}
    for row in rows:
        made.statements.setdefault(row["when"][0], []).append({"rule": "TL101", **row})
    return made


def served(**packages: list[str] | dict[str, list[Wheel]]) -> dict[str, dict[str, list[Wheel]]]:
    """Releases, each of one Linux wheel unless the wheels are given."""
    return {
        name: given
        if isinstance(given, dict)
        else {version: [Wheel("cp312-cp312-manylinux_2_28_x86_64")] for version in given}
        for name, given in packages.items()
    }


PAIR = {"when": ["torchaudio", "==2.8.0"], "needs": [["torch", "==2.8.0"]]}
FROM = {"when": ["torchaudio", ">=2.11"], "needs": [["torch", ">=2.11"]]}
BOTH = served(torch=["2.8.0", "2.11.0"], torchaudio=["2.8.0", "2.11.0"])
NEWER_AUDIO = served(torch=["2.8.0", "2.11.0"], torchaudio=["2.11.0", "2.12.0"])
NEWER_TORCH = served(torch=["2.11.0", "2.12.0"], torchaudio=["2.8.0", "2.11.0"])


def x86(build: str | None = None, torch: str | None = None) -> list[Wheel]:
    return [Wheel("cp312-cp312-manylinux_2_28_x86_64", build, torch)]


@pytest.mark.parametrize(
    "good",
    [
        pytest.param(tables(PAIR, releases=BOTH), id="both are served"),
        pytest.param(tables({"when": ["torchaudio", "==2.8.*"]}, releases=BOTH), id="a series with a release"),
        pytest.param(tables({"when": ["other", "==1.0"]}, releases=BOTH), id="a package that is not bundled"),
        pytest.param(
            tables({"when": ["torchaudio"], "needs": [["build-cuda", "=={cuda}"]]}, releases=BOTH), id="braces"
        ),
    ],
)
def test_known_versions_pass(good: Tables) -> None:
    assert list(unknown_versions(good)) == []


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(tables({"when": ["torchaudio", "==2.80"]}, releases=BOTH), id="in when"),
        pytest.param(tables({**PAIR, "needs": [["torch", "==2.8.1"]]}, releases=BOTH), id="in needs"),
        pytest.param(tables({**PAIR, "forbids": [["torch", "==9.*"]]}, releases=BOTH), id="a series without one"),
    ],
)
def test_unknown_versions_are_caught(bad: Tables) -> None:
    assert len(list(unknown_versions(bad))) == 1


@pytest.mark.parametrize(
    "good",
    [
        pytest.param(tables(PAIR, releases=BOTH), id="speaks of a release"),
        pytest.param(tables({"when": ["torchaudio", ">=2.12"]}, releases=BOTH), id="speaks of the future"),
        pytest.param(
            tables({"when": ["torchaudio"], "wheel": "*-manylinux*"}, releases=BOTH), id="a glob that fits"
        ),
    ],
)
def test_statements_that_speak_pass(good: Tables) -> None:
    assert list(idle_statements(good)) == []


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(tables({"when": ["torchaudio", ">2.8,<2.9"]}, releases=BOTH), id="between two releases"),
        pytest.param(
            tables({"when": ["torchaudio"], "wheel": "*-win*"}, releases=BOTH), id="a glob that fits none"
        ),
    ],
)
def test_idle_statements_are_caught(bad: Tables) -> None:
    assert len(list(idle_statements(bad))) == 1


@pytest.mark.parametrize(
    "good",
    [
        pytest.param(tables(PAIR, FROM, releases=BOTH), id="of two releases"),
        pytest.param(tables(FROM, {**FROM, "needs": [["torch", "<3"]]}, releases=BOTH), id="ranges that overlap"),
        pytest.param(
            tables(
                {**PAIR, "when": ["torchaudio", "==2.8.0", 'sys_platform == "linux"']},
                {"when": ["torchaudio", "==2.8.0", 'sys_platform == "win32"'], "needs": [["torch", "==2.11.0"]]},
                releases=BOTH,
            ),
            id="on two platforms",
        ),
    ],
)
def test_statements_that_agree_pass(good: Tables) -> None:
    assert list(contradictions(good)) == []


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(tables(PAIR, {**PAIR, "needs": [["torch", "==2.11.0"]]}, releases=BOTH), id="two exact pins"),
        pytest.param(
            tables(PAIR, {"when": ["torchaudio"], "needs": [["torch", ">=2.11"]]}, releases=BOTH), id="a range"
        ),
    ],
)
def test_contradictions_are_caught(bad: Tables) -> None:
    assert any("torchaudio 2.8.0 on linux-x86_64" in message for message in contradictions(bad))


LISTED = [{"torch": "2.9.0", "package": "torchaudio", "because": "nobody built one"}]


@pytest.mark.parametrize(
    "good",
    [
        pytest.param(tables(PAIR, FROM, releases=BOTH), id="each has one"),
        pytest.param(
            tables(PAIR, releases=served(torch=["2.8.0", "2.9.0"], torchaudio=["2.8.0"]), unpartnered=LISTED),
            id="listed as having none",
        ),
        pytest.param(
            tables(
                PAIR, releases=served(torch=["2.8.0", "2.9.0"], torchaudio=["2.8.0"]), yanked={("torch", "2.9.0")}
            ),
            id="yanked",
        ),
    ],
)
def test_partnered_torches_pass(good: Tables) -> None:
    assert list(lonely_torches(good)) == []


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(tables(PAIR, releases=BOTH), id="without one"),
        pytest.param(tables(PAIR, FROM, releases=BOTH, yanked={("torchaudio", "2.8.0")}), id="only a yanked one"),
        pytest.param(tables(PAIR, FROM, releases=BOTH, unpartnered=LISTED), id="a release that is not there"),
        pytest.param(
            tables(PAIR, FROM, releases=BOTH, unpartnered=[{**LISTED[0], "torch": "2.8.0"}]), id="listed in vain"
        ),
    ],
)
def test_lonely_torches_are_caught(bad: Tables) -> None:
    assert len(list(lonely_torches(bad))) == 1


STABLE = {"when": ["torchaudio", ">=2.11"], "needs": [["torch", ">=2.11"]], "sources": ["m"]}
READ = {"m": {"kind": "measured", "address": "wheels: torchaudio 2.11.0 beside torch 2.8.0 to 2.11.0"}}


@pytest.mark.parametrize(
    "good",
    [
        pytest.param(tables(STABLE, releases=BOTH, sources=READ), id="both ends were read"),
        pytest.param(tables(PAIR, releases=BOTH), id="it has a last release"),
        pytest.param(
            tables({**STABLE, "needs": [["torch", "==2.11.*"]]}, releases=NEWER_TORCH, sources=READ),
            id="one series of torch",
        ),
        pytest.param(tables({**STABLE, "needs": [["numpy", ">=1"]]}, sources=READ), id="about no torch"),
    ],
)
def test_releases_that_were_read_pass(good: Tables) -> None:
    assert list(unread_releases(good)) == []


@pytest.mark.parametrize(
    ("bad", "unread"),
    [
        pytest.param(tables(STABLE, releases=NEWER_AUDIO, sources=READ), "torchaudio 2.12.0", id="a companion"),
        pytest.param(tables(STABLE, releases=NEWER_TORCH, sources=READ), "torch 2.12.0", id="a torch"),
    ],
)
def test_unread_releases_are_caught(bad: Tables, unread: str) -> None:
    assert list(unread_releases(bad)) == [f"TL101: torchaudio>=2.11: no source names {unread}"]


def test_releases_that_are_spoken_of_pass() -> None:
    pure = {"0.2.0": [Wheel("py3-none-any")]}
    assert list(unspoken_releases(tables(PAIR, FROM, releases={**BOTH, "torchtext": pure}))) == []
    assert (
        list(unspoken_releases(tables({"when": ["torchcodec"], "never": True}, releases=served(torchcodec=["1"]))))
        == []
    )


def test_unspoken_releases_are_caught() -> None:
    assert list(unspoken_releases(tables(PAIR, releases=BOTH))) == [
        "torchaudio 2.11.0: no statement says which torch it goes with"
    ]


@pytest.mark.parametrize(
    ("declared", "sources"),
    [
        pytest.param(["==2.8.0"], None, id="they agree"),
        pytest.param(["==2.8.0+cu128"], None, id="but for a local label"),
        pytest.param(["==2.8.0", ""], ["s"], id="some wheels declare less, and the statement says where"),
        pytest.param([None], None, id="no release declares anything"),
    ],
)
def test_agreement_with_metadata_passes(declared: list[str | None], sources: list[str] | None) -> None:
    row = {**PAIR, **({"sources": sources} if sources else {})}
    wheels = [Wheel("cp312-cp312-manylinux_2_28_x86_64", torch=text) for text in declared]
    assert list(undeclared_differences(tables(row, releases=served(torchaudio={"2.8.0": wheels})))) == []


@pytest.mark.parametrize(
    "declared",
    [
        pytest.param(["==2.7.1"], id="another release"),
        pytest.param(["==2.8.0", ""], id="some wheels declare less"),
        pytest.param(["==2.8.0", None], id="some wheels declare nothing"),
    ],
)
def test_undeclared_differences_are_caught(declared: list[str | None]) -> None:
    wheels = [Wheel("cp312-cp312-manylinux_2_28_x86_64", torch=text) for text in declared]
    assert len(list(undeclared_differences(tables(PAIR, releases=served(torchaudio={"2.8.0": wheels}))))) == 1


CUDA = {"when": ["torchaudio"], "build": "cuda", "needs": [["build-cuda", "=={cuda}"]]}
MAJOR = {**CUDA, "needs": [["build-cuda", "=={cuda_major}.*"]]}


@pytest.mark.parametrize(
    ("statement", "here", "there"),
    [
        pytest.param(CUDA, "cu128", "cu128", id="one version"),
        pytest.param(MAJOR, "cu130", "cu132", id="one major version"),
        pytest.param(CUDA, "cpu", "cu128", id="a CPU build"),
        pytest.param(CUDA, "cu128", None, id="unknown"),
    ],
)
def test_pairs_that_agree_pass(statement: dict[str, Any], here: str, there: str | None) -> None:
    releases = served(torch={"2.8.0": x86(there)}, torchaudio={"2.8.0": x86(here)})
    assert list(refused_pairs(tables(PAIR, statement, releases=releases))) == []


@pytest.mark.parametrize(
    ("statement", "here", "there"),
    [
        pytest.param(CUDA, "cu130", "cu132", id="another minor version"),
        pytest.param(MAJOR, "cu128", "cu130", id="another major version"),
        pytest.param(MAJOR, "cu128", "cpu", id="a CPU torch"),
    ],
)
def test_refused_pairs_are_caught(statement: dict[str, Any], here: str, there: str) -> None:
    releases = served(torch={"2.8.0": x86(there)}, torchaudio={"2.8.0": x86(here)})
    assert len(list(refused_pairs(tables(PAIR, statement, releases=releases)))) == 1


def test_cited_sources_pass() -> None:
    assert list(uncited_sources(tables({**PAIR, "sources": ["m"]}))) == []
    assert list(uncited_sources(tables(PAIR, systems={"debian-12": {"sources": ["m"]}}))) == []


def test_uncited_sources_are_caught() -> None:
    assert list(uncited_sources(tables(PAIR))) == ["source m is cited nowhere"]
    assert list(uncited_sources(tables({**PAIR, "sources": ["m", "x"]}))) == ["source x is cited and not there"]


def build_tables(complete: Any, *rows: list[Any], **fields: Any) -> Tables:
    """Tables of builds alone: torch 2.5.1 with these rows, from one source of its kind."""
    group = {"kind": "measured", "sources": ["m"], **({"complete": complete} if complete else {})}
    packages = {"torch": {"2.5.1": [[0, *row] for row in rows]}, **fields}
    builds = {"groups": [group], "packages": packages, "partners": {"torchaudio": {"2.5.1": "2.5.1"}}}
    return Tables(sources={"m": {"kind": "measured"}}, builds=builds)


LINUX = [["linux-x86_64"], [], ["cpu", "cu124"]]


def test_sound_builds_pass() -> None:
    sound = build_tables(True, LINUX, [["windows-amd64"], [], ["cpu"]], torchaudio={"2.5.1": [[0, *LINUX]]})
    for lint in (builds_without_a_torch, contradicted_lists, labelled_macs, unfounded_builds):
        assert list(lint(sound)) == []


def test_unsound_builds_are_caught() -> None:
    other = {"2.5.1": [[0, ["linux-x86_64"], [], ["cu126"]]]}
    assert list(builds_without_a_torch(build_tables(True, LINUX, torchaudio=other))) == [
        "torchaudio 2.5.1+cu126, but no torch 2.5.1+cu126"
    ]
    assert list(builds_without_a_torch(build_tables(None, LINUX, torchaudio=other))) == []
    assert len(list(labelled_macs(build_tables(True, [["macos-arm64"], [], ["cpu"]])))) == 1
    assert len(list(labelled_macs(build_tables(True, LINUX, [["windows-amd64"], [], ["cu126"]])))) == 1
    lists = build_tables(True, LINUX)
    lists.builds["groups"].append({"kind": "declared", "sources": ["m"]})
    lists.builds["packages"]["torch"]["2.5.1"].append([1, ["linux-x86_64"], [], ["cu126"]])
    assert len(list(contradicted_lists(lists))) == 1
    assert len(list(unfounded_builds(lists))) == 1
    lists.builds["groups"][1] = {"kind": "declared", "sources": ["m"], "complete": True}
    assert len(list(unfounded_builds(lists))) == 2


def test_founded_kinds_pass() -> None:
    assert list(unfounded_kinds(tables(PAIR, {**PAIR, "kind": "measured", "sources": ["s", "m"]}))) == []


def test_unfounded_kinds_are_caught() -> None:
    assert list(unfounded_kinds(tables({**PAIR, "kind": "measured"}))) == [
        "TL101: torchaudio==2.8.0: is measured, and cites only what is declared"
    ]


@pytest.mark.parametrize("because", ["its library needs it", "torch 2.4 removed it"])
def test_clauses_pass(because: str) -> None:
    assert list(clumsy_clauses(tables({**PAIR, "because": because}))) == []


@pytest.mark.parametrize("because", ["Its library needs it", "it is so.", "it is  so", "because it is so"])
def test_clumsy_clauses_are_caught(because: str) -> None:
    assert len(list(clumsy_clauses(tables({**PAIR, "because": because})))) == 1


def test_mild_demands_pass() -> None:
    mild = tables({"when": ["silero-vad"], "forbids": [["torchaudio", ">=2.9"]]})
    mild.rules["TL101"]["effect"] = "use"
    assert list(mild_demands(mild)) == []
    assert list(mild_demands(tables(PAIR))) == []


def test_mild_demands_are_caught() -> None:
    demanding = tables(PAIR)
    demanding.rules["TL101"]["effect"] = "use"
    assert len(list(mild_demands(demanding))) == 1


def test_bundles_pass() -> None:
    assert list(shapeless_bundles(tables({**PAIR, "bundles": ["libsox 14.4.2"]}))) == []


@pytest.mark.parametrize("bundle", ["libsox", "libsox-14.4.2", "libsox >=14"])
def test_shapeless_bundles_are_caught(bundle: str) -> None:
    assert len(list(shapeless_bundles(tables({**PAIR, "bundles": [bundle]})))) == 1


@pytest.mark.parametrize(
    "text",
    ["https://github.com/pytorch/audio/issues/3176", "https://docs.pytorch.org/audio/", "does not exist on pypi"],
)
def test_other_addresses_pass(text: str) -> None:
    assert list(registry_hosts(text)) == []


@pytest.mark.parametrize(
    "host", ["https://index.example.org/simple", "http://files.example.org/a", "ftp://Example.org/whl/cu130"]
)
def test_registry_hosts_are_caught(host: str) -> None:
    assert len(list(registry_hosts(host))) == 1
