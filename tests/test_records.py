"""Records are values like those of the library: what workers send to each other comes back equal."""

from __future__ import annotations

import copy
from multiprocessing.reduction import ForkingPickler

from torchlock.location import Edit, Span


def test_a_named_tuple_survives_pickling_and_copying() -> None:
    edit = Edit(Span(1, 2), "torch")
    for again in (ForkingPickler.loads(ForkingPickler.dumps(edit)), copy.copy(edit), copy.deepcopy(edit)):
        assert again == edit
        assert type(again) is Edit
