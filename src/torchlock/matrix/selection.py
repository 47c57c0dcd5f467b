"""What is asked of the matrix: releases, targets, builds, and kinds of evidence."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from torchlock.knowledge.stack import MEMBERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torchlock.knowledge.gpus import Gpu

# The projects without new releases: their columns are the last ones, which a phone does not show.
_ENDED = ("torchtext",)
# The packages that are compiled against one torch, in the order of the columns.
COMPANIONS = tuple(
    sorted(
        (name for name, each in MEMBERS.items() if each.rule and each.role != "support"), key=_ENDED.__contains__
    )
)
# The builds that the public index serves; all known builds.
PUBLIC, EVERY = "pypi", "all"


@dataclass(frozen=True)
class Selection:
    """The filters of one request.

    ``ranges`` maps a package to a specifier set ("" for all of its releases); if it names companions, only these
    are shown. ``platforms`` are names like linux-x86_64. ``python`` is a minor release of Python 3, or
    None for all. ``build`` is ``pypi``, ``all`` or a label. Empty ``kinds`` and ``verdicts`` mean all of them.
    """

    ranges: Mapping[str, str] = field(default_factory=dict)
    platforms: tuple[str, ...] = ("linux-x86_64",)
    python: int | None = None
    build: str = PUBLIC
    kinds: tuple[str, ...] = ()
    verdicts: tuple[str, ...] = ()
    gpu: Gpu | None = None
    driver: str = ""

    @property
    def companions(self) -> tuple[str, ...]:
        """The columns."""
        named = tuple(name for name in COMPANIONS if name in self.ranges)
        return named or COMPANIONS

    def on_one_platform(self) -> Selection:
        """The rows that the page shows first: all companions on the first platform, from torch 2.0 on."""
        build = PUBLIC if self.build == EVERY else self.build
        first = Selection({"torch": ">=2.0"}, self.platforms[:1], self.python, build, gpu=self.gpu)
        return replace(first, driver=self.driver)
