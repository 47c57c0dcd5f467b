"""Records behave as those of the library."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import re
import typing
from multiprocessing.reduction import ForkingPickler

import pytest

from torchlock.location import Edit, Span
from torchlock.patterns import pattern
from torchlock.records import NamedTuple, dataclass, field, replace


class Pair(NamedTuple):
    """Two fields, one with a default."""

    first: int
    second: str = "b"

    @property
    def both(self) -> str:
        return f"{self.first}{self.second}"


class Known(typing.NamedTuple):
    first: int
    second: str = "b"


@dataclass(frozen=True)
class Frozen:
    name: str
    words: dict[str, str] = field(default_factory=dict)
    size: int = 3


@dataclass()
class Open:
    names: list[str] = field(default_factory=list)
    size: int = 0


@pytest.mark.parametrize("arguments", [(), (1, 2, 3)])
def test_wrong_arguments_are_refused(arguments: tuple[int, ...]) -> None:
    with pytest.raises(TypeError):
        Pair(*arguments)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Pair(1, third=2)  # type: ignore[call-arg]


def test_a_named_tuple_is_like_the_librarys() -> None:
    for made in (
        Pair(1),
        Pair(1, "b"),
        Pair(second="b", first=1),
        Pair._make([1, "b"]),
        Pair(2)._replace(first=1),
    ):
        assert made == Known(1) == (1, "b")
        assert (made.first, made.second, made.both) == (1, "b", "1b")
        assert repr(made) == "Pair(first=1, second='b')"
        assert made._asdict() == Known(1)._asdict()
        assert _through_pickle(made) == copy.copy(made) == made
        assert type(_through_pickle(made)) is Pair
    assert (Pair._fields, Pair._field_defaults, Pair.__match_args__) == (
        Known._fields,
        Known._field_defaults,
        Known.__match_args__,
    )
    with pytest.raises(AttributeError):
        Pair(1).first = 2  # type: ignore[misc]
    with pytest.raises(TypeError):
        Pair(1)._replace(third=2)  # type: ignore[call-arg]


def _through_pickle(value: object) -> object:
    return pickle.loads(pickle.dumps(value))  # noqa: S301 (its own text)


def test_many_values_are_made_alike() -> None:
    made = [Pair(number, "x") for number in range(100)]
    assert [each.first for each in made] == list(range(100))
    assert {type(each) for each in made} == {Pair}


def test_a_frozen_value() -> None:
    one, other = Frozen("a"), Frozen("a", {}, size=3)
    assert one == other
    assert one != Frozen("b")
    assert one.words is not other.words
    assert repr(one) == "Frozen(name='a', words={}, size=3)"
    assert replace(one, size=4) == dataclasses.replace(one, size=4) == Frozen("a", size=4)
    assert [each.name for each in dataclasses.fields(Frozen)] == ["name", "words", "size"]
    assert _through_pickle(one) == one
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.size = 5  # type: ignore[misc]
    with pytest.raises(TypeError):
        Frozen()  # type: ignore[call-arg]


def test_a_value_that_may_change() -> None:
    one = Open()
    one.names.append("a")
    one.size = 2
    assert one == Open(["a"], 2)
    assert Open() == Open()
    with pytest.raises(TypeError):
        hash(one)


def test_a_pattern_is_compiled_at_its_first_use(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[object] = []
    real = re.compile
    monkeypatch.setattr(re, "compile", lambda *given: compiled.append(given) or real(*given))
    found = pattern(r"(\d+)b", re.IGNORECASE)
    assert not compiled
    match = found.fullmatch("12B")
    assert match is not None
    assert match[1] == "12"
    assert (found.pattern, found.flags & re.IGNORECASE) == (r"(\d+)b", re.IGNORECASE)
    assert compiled
    with pytest.raises(re.error):
        pattern("(").match("")


def test_what_workers_send_to_each_other_comes_back_equal() -> None:
    edit = Edit(Span(1, 2), "torch")
    for again in (ForkingPickler.loads(ForkingPickler.dumps(edit)), copy.copy(edit), copy.deepcopy(edit)):
        assert again == edit
        assert type(again) is Edit
