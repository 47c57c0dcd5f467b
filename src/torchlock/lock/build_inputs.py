"""What the user's lines mean for one build: labels, addresses and indexes that name a build have to agree with it.

The build decides where the torch family comes from. A line that asks for another build is refused. An index that a
file names for the family is left out, with a note: it is a setting, and the build was chosen for this run.
"""

from __future__ import annotations

from fnmatch import filter as filter_names

from torchlock.errors import InputError
from torchlock.knowledge.build_files import index_address
from torchlock.knowledge.build_labels import is_from_index
from torchlock.knowledge.indexes import BUILDS, channel_of, classify_index
from torchlock.knowledge.stack import FAMILY
from torchlock.patterns import pattern
from torchlock.records import replace
from torchlock.redaction import redact
from torchlock.standards import filenames
from torchlock.standards.names import normalise
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torchlock.target import Target
    from torchlock.terms import Inputs, ParsedRequirement

# The beginnings of the names of packages of which a build of torch requires one exact release each.
_OF_ACCELERATORS = ("nvidia-", "cuda-", "triton", "pytorch-triton")
_HASH = pattern(r"[#&](sha256|sha384|sha512)=([0-9a-fA-F]+)")


def for_build(inputs: Inputs, target: Target, root: str) -> Inputs:
    """The inputs for the build of the target, whose index has the address ``root``; unchanged for public builds.

    Raises:
        InputError: a line asks for another build, or no index may be asked.
    """
    label = target.accelerator
    if label == "pypi":
        return inputs
    if inputs.no_index:
        raise InputError(
            f"--no-index of the input forbids indexes, and --accelerator {label} means one",
            hint="leave one of them out",
        )
    overridden = {normalise(each.requirement.name) for each in inputs.overrides if each.requirement is not None}

    def fit(written: ParsedRequirement) -> ParsedRequirement:
        requirement = written.requirement
        replaced = requirement is not None and written.url is None and normalise(requirement.name) in overridden
        return written if replaced and not written.is_upgrade else _fitted(written, target, root)

    fitted = replace(
        inputs,
        requirements=[*map(fit, inputs.requirements)],
        constraints=[*map(fit, inputs.constraints)],
        overrides=[_fitted(written, target, root) for written in inputs.overrides],
        notes=[*inputs.notes],
    )
    return _without_indexes(fitted, label, root)


def refuse_mixed(inputs: Inputs) -> None:
    """Refuse lines that pin the torch family to different builds, of which no build satisfies all.

    Raises:
        InputError: they do.
    """
    first: tuple[str, ParsedRequirement] | None = None
    for written in (*inputs.requirements, *inputs.constraints):
        requirement = written.requirement
        if requirement is None or normalise(requirement.name) not in FAMILY or requirement.marker is not None:
            continue
        for clause in requirement.specifier:
            label = clause.version.partition("+")[2] if clause.operator in ("==", "===") else ""
            if label and first is not None and first[0] != label:
                other, (path, line, text) = first[1].origin.text.strip(), written.origin
                raise InputError(
                    f"{text.strip()}: the line asks for the build +{label}, and {other} for +{first[0]}",
                    path=path,
                    line=line,
                    hint="use one build for the torch family; or name the versions only",
                )
            if label and first is None:
                first = label, written


def pins_for(pins: Mapping[str, str], label: str, recorded: str) -> dict[str, str]:
    """The pins of an existing lock that shall be kept in a lock for the build ``label``.

    ``recorded`` is the build of the existing lock ("pypi" for the public builds). For another build, releases of
    the torch family are kept whatever build they were, and what torch requires for its accelerator is not.
    """
    if label == recorded == "pypi":
        return dict(pins)
    following = label != recorded
    return {
        name: version.partition("+")[0] if is_from_index(name, label) else version
        for name, version in pins.items()
        if not (following and name.startswith(_OF_ACCELERATORS))
    }


def _without_builds(addresses: list[str], label: str, root: str) -> tuple[list[str], list[str]]:
    """The addresses that are not pages of the PyTorch index, and notes on those that name another build."""
    kept: list[str] = []
    notes: list[str] = []
    for address in addresses:
        found = build_of_page(address, root)
        if found is None:
            kept.append(address)
        elif found != label and (found or channel_of(official_address(address, root))):
            notes.append(f"the index {address} is ignored, because the lock is for {label}")
    return kept, notes


def _without_indexes(inputs: Inputs, label: str, root: str) -> Inputs:
    """Without the pages of the PyTorch index, and without the indexes that are named for the family."""
    notes = inputs.notes
    inputs.extra_index_urls, unused = _without_builds(inputs.extra_index_urls, label, root)
    inputs.find_links, more = _without_builds(inputs.find_links, label, root)
    notes += [*unused, *more]
    if inputs.index_url and build_of_page(inputs.index_url, root) is not None:
        notes.append(
            f"the index {inputs.index_url} is ignored: a lock for {label} takes the torch family from the folder "
            f"{label} of the PyTorch index, and all other packages from the public index"
        )
        inputs.index_url = None
    if inputs.find_links:
        notes.append(
            f"the find-links locations are not used for the torch family, because the lock is for {label}"
        )
    inputs.routes = dict(inputs.routes)
    for names, url in [*inputs.routes.items()]:
        build, members = build_of_page(url, root), filter_names(FAMILY, names)
        is_own = build == label and (members or is_from_index(names, label))
        if not is_own and (members or build is not None):
            notes.append(f"the index {url} that the input names for {names} is ignored: the lock is for {label}")
        if build is not None:
            del inputs.routes[names]
    return inputs


def build_of_page(address: str, root: str) -> str | None:
    """The build of a page of the PyTorch index, or of its mirror ``root``; None for another index.

    "" stands for all builds, and for those that are not releases (nightlies).
    """
    official = official_address(address, root)
    found = classify_index(official)
    return found.label if found.kind == BUILDS else "" if channel_of(official) else None


def official_address(address: str, root: str) -> str:
    """The address that a page of the mirror ``root`` has on the PyTorch index; others are unchanged."""
    address, root = redact(address), redact(root).rstrip("/")
    if address.rstrip("/") != root and not address.startswith(f"{root}/"):
        return address
    return f"{index_address()}{address.removeprefix(root)}"


def _fitted(written: ParsedRequirement, target: Target, root: str) -> ParsedRequirement:
    """The line without the label that the build implies."""
    requirement, label = written.requirement, target.accelerator
    name = normalise(requirement.name) if requirement is not None else name_of(written.url or "")
    marker = written.marker if requirement is None else str(requirement.marker or "")
    if not is_from_index(name, label) or not target.holds(marker):
        return written
    if written.url is not None:
        return _by_version(written, name, target, root)
    if requirement is None or "+" not in str(requirement.specifier):
        return written
    return _unlabelled(written, label)


def name_of(address: str) -> str:
    """The project in the name of a file at an address; "" if the name has none."""
    parsed = filenames.parse(filenames.file_name(address))
    return parsed[0] if parsed else ""


def _by_version(written: ParsedRequirement, name: str, target: Target, root: str) -> ParsedRequirement:
    """A line that names a file of the build's folder, as a pin of its release.

    Raises:
        InputError: the file is not known to be one of that build, or does not install on the target.
    """
    from packaging.requirements import Requirement

    label = target.accelerator
    address = (written.url or "").partition("#")[0]
    parsed = filenames.parse(filenames.file_name(address))
    found = build_of_page(address.rpartition("/")[0], root)
    if parsed is None or (parsed[1].local or label) != label or found not in (label, ""):
        raise _refusal(written, label, f"this file is not known to be one of the {label} folder")
    if target.rank(filenames.tags_of(filenames.file_name(address))) is None:
        path, line, text = written.origin
        raise InputError(
            f"{text.strip()}: this wheel does not install on {target}",
            path=path,
            line=line,
            hint="use a wheel for the target, or name the version only",
        )
    extras = f"[{','.join(sorted(written.requirement.extras))}]" if written.requirement is not None else ""
    marker = written.marker if written.requirement is None else str(written.requirement.marker or "")
    text = f"{name}{extras.replace('[]', '')}=={parsed[1].public}" + (f" ; {marker}" if marker else "")
    hashes = (*written.hashes, *(f"{name}:{digest}" for name, digest in _HASH.findall(written.url or "")))
    return written._replace(requirement=Requirement(text), url=None, marker="", hashes=hashes)


def _unlabelled(written: ParsedRequirement, label: str) -> ParsedRequirement:
    """The line with versions alone.

    Raises:
        InputError: one of its labels is of another build.
    """
    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet

    requirement = Requirement(str(written.requirement))
    clauses = []
    for clause in requirement.specifier:
        version, _, named = clause.version.partition("+")
        if named and named != label and clause.operator != "!=":
            raise _refusal(written, label, f"the line asks for the build +{named}")
        operator = "==" if named == label and clause.operator == "===" else clause.operator
        clauses.append(f"{operator}{version if named == label else clause.version}")
    requirement.specifier = SpecifierSet(",".join(clauses))
    return written._replace(requirement=requirement)


def _refusal(written: ParsedRequirement, label: str, what: str) -> InputError:
    path, line, text = written.origin
    message = f"{text.strip()}: {what}, and the lock is for {label}"
    hint = f"name the version only, or use another --accelerator than {label}"
    return InputError(message, path=path, line=line, hint=hint)
