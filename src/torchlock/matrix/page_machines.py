"""GPUs and drivers for the page: which build of torch has code for which GPU, and which driver runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torchlock.answers import Unknown
from torchlock.knowledge.accelerator_table import accelerator_table
from torchlock.knowledge.accelerators import serves
from torchlock.knowledge.build_labels import parse_label
from torchlock.knowledge.drivers import driver_floor
from torchlock.knowledge.gpus import Gpu, gpu_row, title_of
from torchlock.matrix.page_facts import Pool

if TYPE_CHECKING:
    from torchlock.matrix.table import Table

_ANSWERS = {True: 1, False: 0}
_UNKNOWN = 2


def machine_data(table: Table) -> dict[str, Any]:
    """Labels, GPUs, the answer of each row of code for each GPU, and the floors of drivers."""
    labels = accelerator_table()["labels"]
    gpus = [*dict.fromkeys(str(row["arch"]) for row in accelerator_table()["gpus"])]
    texts, answers = Pool(), Pool()
    return {
        "labels": labels,
        "gpus": [_gpu(arch) for arch in gpus],
        "code": _code(table, gpus, texts, answers),
        "answers": answers.items,
        "texts": texts.items,
        "drivers": {label: _floors(label) for label in labels if label.startswith("cu")},
    }


def _gpu(arch: str) -> list[Any]:
    """Architecture, title, kind of build, first and last branch of the driver, and some names."""
    row = gpu_row(arch)
    tegra = bool(row.get("tegra")) and "first" not in row
    names = [name for each in accelerator_table()["gpus"] if each["arch"] == arch for name in each["names"]]
    return [
        arch, title_of(arch), Gpu(arch, arch).kind, row.get("first"), row.get("last"), tegra, names,
    ]  # fmt: skip


def _code(table: Table, gpus: list[str], texts: Pool, answers: Pool) -> dict[str, int]:
    """For each release, platform and build of torch the place of its answers, one for each GPU."""
    torch, found = table.stack.packages["torch"], {}
    for release, version in enumerate(torch.versions):
        for number, platform in enumerate(table.stack.platforms):
            if not torch.cells[release] & table.stack.on_platform(number):
                continue
            for label in table.builds_of("torch", release, "all", number):
                if label and label != "cpu":
                    found[f"{version} {number} {label}"] = answers.add(
                        _answers(version, label, platform, gpus, texts)
                    )
    return found


def _answers(version: str, label: str, platform: str, gpus: list[str], texts: Pool) -> list[int]:
    """Pairs of numbers in a row: the answer and the place of the reason for each GPU of the same kind of build."""
    row: list[int] = []
    for arch in gpus:
        gpu = Gpu(arch, arch)
        build = parse_label(label)
        if build is None or build.kind != gpu.kind:
            continue
        served = serves("torch", version, label, platform, gpu)
        answer = _UNKNOWN if isinstance(served.answer, Unknown) else _ANSWERS[served.answer]
        row += [answer, texts.add(served.because)]
    return row


def _floors(label: str) -> dict[str, str]:
    """The oldest driver for a build on each system, and the version from which sources disagree."""
    from torchlock.knowledge.rules import specifier_set

    found: dict[str, str] = {}
    build = parse_label(label)
    for system in ("linux", "windows"):
        floor = driver_floor(label, system)
        if not isinstance(floor, Unknown):
            found[system] = floor
        for row in accelerator_table()["drivers"] if build is not None else ():
            if build is not None and specifier_set(row["cuda"]).contains(build.dotted):
                if f"{system}_below" in row:
                    found[f"{system}_below"] = row[f"{system}_below"]
                break
    return found
