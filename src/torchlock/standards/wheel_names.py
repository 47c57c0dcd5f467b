"""File names of wheels: the project, version and build that they claim."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.version import Version

# A name with "a.b-c.d-e.f" stands for eight tags. The longest real ones stand for some hundred.
_MOST_TAGS = 2000


def parsed_wheel_name(filename: str) -> tuple[str, Version, tuple[int, str] | tuple[()]]:
    """The normalised project, the version, and the build number if there is one.

    Raises:
        ValueError: no wheel has such a name.
    """
    from packaging.utils import parse_wheel_filename

    parts = filename.split("-")[-3:]
    if math.prod(part.count(".") + 1 for part in parts) > _MOST_TAGS:
        raise ValueError("the name stands for too many tags")
    name, version, build, _ = parse_wheel_filename(filename)
    return str(name), version, build
