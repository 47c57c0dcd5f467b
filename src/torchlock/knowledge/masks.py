"""Sets of releases, candidates or targets, as the bits of a number: bit 3 is the member with index 3."""

from __future__ import annotations

from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def bits(mask: int) -> Iterator[int]:
    """The members of a mask, lowest first."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def lowest(mask: int) -> int:
    """The lowest member of a mask that is not empty."""
    return (mask & -mask).bit_length() - 1


def full(size: int) -> int:
    """The mask of all members of a list of this size."""
    return (1 << size) - 1
