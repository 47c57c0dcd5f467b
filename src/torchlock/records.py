"""``NamedTuple`` and ``dataclass`` whose code is made with the first value, and not when a module is imported.

The library compiles a constructor and reads the type of every field for each class. A lock imports ninety such
classes and makes values of thirty. With the library they cost a tenth of its instructions (callgrind), and
``dataclasses`` imports ``inspect`` and ``ast``. Type checkers see the library's own names.
"""

from __future__ import annotations

from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
    from dataclasses import field as field
    from dataclasses import replace as replace
    from typing import NamedTuple as NamedTuple
else:
    from collections import _tuplegetter

    # The argument that stands for a default that is made anew.
    _FRESH = object()

    def _named(namespace):
        """The fields that a class body declares, with their defaults."""
        fields = tuple(namespace.get("__annotations__", ()))
        return fields, {name: namespace[name] for name in fields if name in namespace}

    class _Maker(type):
        """Turns the body of a class into a subclass of ``tuple``."""

        def __new__(cls, name, bases, namespace):
            if not bases:
                return super().__new__(cls, name, bases, namespace)
            fields, defaults = _named(namespace)
            namespace |= {field: _tuplegetter(index, None) for index, field in enumerate(fields)}
            shared = {key: value for key, value in _SHARED.items() if key not in namespace}
            namespace |= {**shared, "_fields": fields, "_field_defaults": defaults, "__slots__": ()}
            namespace["__match_args__"] = fields
            return type(name, (tuple,), namespace)

    class NamedTuple(metaclass=_Maker):
        """Like ``typing.NamedTuple``."""

    # How many values a class makes before a constructor is compiled for it: with all fields in place, and else.
    _MANY, _FEW = 32, 8
    _calls = {}

    def _new(_cls, /, *args, **named):
        calls = _calls[_cls] = _calls.get(_cls, 0) + 1
        if not named and len(args) == len(_cls._fields) and calls <= _MANY:
            return tuple.__new__(_cls, args)
        if calls <= _FEW and (values := _filled(_cls._fields, _cls._field_defaults, args, named)) is not None:
            return tuple.__new__(_cls, values)
        made = next((base for base in _cls.__mro__ if base.__dict__.get("__new__") is _SHARED["__new__"]), None)
        if made is None:  # another thread has made it meanwhile
            return _cls.__new__(_cls, *args, **named)
        parameters = ", ".join(made._fields)
        code = f"lambda _cls, {parameters}: _new(_cls, ({parameters},))"
        new = eval(code, {"_new": tuple.__new__, "__builtins__": {}})  # noqa: S307 (only names of fields)
        new.__defaults__ = tuple(made._field_defaults.values())
        new.__name__, new.__qualname__ = "__new__", f"{made.__qualname__}.__new__"
        made.__new__ = new
        return new(_cls, *args, **named)

    def _filled(fields, defaults, args, named):
        """The values of the fields in their order; None if the arguments are wrong."""
        given = len(args)
        if given > len(fields) or any(name in fields[:given] or name not in fields for name in named):
            return None
        values = [*args]
        for name in fields[given:]:
            if name in named:
                values.append(named[name])
            elif name in defaults:
                value = _value_of(defaults[name])
                values.append(value() if isinstance(defaults[name], _Factory) else value)
            else:
                return None
        return values

    def _make(cls, iterable):
        made = tuple.__new__(cls, iterable)
        if len(made) != len(cls._fields):
            raise TypeError(f"Expected {len(cls._fields)} arguments, got {len(made)}")
        return made

    def _replace(self, /, **named):
        made = tuple.__new__(type(self), map(named.pop, self._fields, self))
        if named:
            raise TypeError(f"Got unexpected field names: {list(named)!r}")
        return made

    def _text(self):
        """The text of a value, in the form of its constructor."""
        names = getattr(self, "_fields", None) or [name for name in self._record[0] if name not in self._unshown]
        inner = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{type(self).__qualname__}({inner})"

    _SHARED = {
        "__new__": staticmethod(_new),
        "_make": classmethod(_make),
        "_replace": _replace,
        "__replace__": _replace,
        "_asdict": lambda self: dict(zip(self._fields, self, strict=True)),
        "__getnewargs__": lambda self: tuple(self),
        "__repr__": _text,
    }

    class _Factory:
        """A default that is made anew for each value."""

        def __init__(self, make):
            self.make = make

    class _Aside:
        """A default of a field that is not compared, or not shown."""

        def __init__(self, default, compare, repr):
            self.default, self.compare, self.repr = default, compare, repr

    def field(*, default_factory=None, default=None, compare=True, repr=True):
        """Like ``dataclasses.field`` with a ``default_factory``, or with a ``default``."""
        return _Aside(default, compare, repr) if default_factory is None else _Factory(default_factory)

    class _Fields:
        """``__dataclass_fields__``, made with the library when something asks for it first."""

        def __get__(self, value, cls):
            import dataclasses

            fields, defaults = cls._record
            plain = type(cls.__name__, (), {"__annotations__": dict.fromkeys(fields, "object")})
            for name, default in defaults.items():
                if isinstance(default, _Aside):
                    made = dataclasses.field(**vars(default))
                elif isinstance(default, _Factory):
                    made = dataclasses.field(default_factory=default.make)
                else:
                    made = dataclasses.field(default=default)
                setattr(plain, name, made)
            found = cls.__dataclass_fields__ = dataclasses.dataclass(plain).__dataclass_fields__
            return found

    def dataclass(*, frozen=False, slots=False, eq=True):
        """Like ``dataclasses.dataclass``, with these options only."""

        def made(cls):
            fields, defaults = record = _named(cls.__dict__)
            aside = {name: default for name, default in defaults.items() if isinstance(default, _Aside)}
            for name, default in defaults.items():
                if slots or isinstance(default, _Factory):
                    delattr(cls, name)
                elif name in aside:
                    setattr(cls, name, default.default)
            if slots:
                cls = _with_slots(cls, fields)
            cls._record, cls.__match_args__ = record, fields
            cls._uncompared = frozenset(name for name, default in aside.items() if not default.compare)
            cls._unshown = frozenset(name for name, default in aside.items() if not default.repr)
            given = {**_OF_ALL, **(_OF_FROZEN if frozen else _OF_OTHERS)}
            for name, value in given.items():
                if not eq and name in ("__eq__", "__hash__"):
                    continue
                if name not in cls.__dict__ or name == "__hash__":
                    setattr(cls, name, value)
            if cls.__dict__["__init__"] is _init:
                cls._constructor = None
            return cls

        return made

    def _with_slots(cls, fields):
        """The same class with a slot for each field."""
        namespace = {key: value for key, value in cls.__dict__.items() if key not in ("__dict__", "__weakref__")}
        again = type(cls)(cls.__name__, cls.__bases__, {**namespace, "__slots__": fields})
        again.__qualname__ = cls.__qualname__
        return again

    def _init(self, /, *args, **named):
        made = next(base for base in type(self).__mro__ if "_constructor" in base.__dict__)
        calls = _calls[made] = _calls.get(made, 0) + 1
        if calls <= _FEW and (values := _filled(*made._record, args, named)) is not None:
            if "__slots__" in made.__dict__:
                for name, value in zip(made._record[0], values, strict=True):
                    setattr(self, name, value)
            else:
                self.__dict__.update(zip(made._record[0], values, strict=True))
            return
        constructor = made._constructor = made._constructor or _constructor_of(made)
        if made.__dict__["__init__"] is _init:  # not one that a test has put there
            made.__init__ = constructor
        constructor(self, *args, **named)

    def _constructor_of(made):
        """The constructor of a class, from its fields."""
        fields, defaults = made._record
        known = {
            "_fresh": _FRESH,
            **{f"_{name}": _value_of(value) for name, value in defaults.items()},
        }
        parameters, lines = [], []
        slotted = "__slots__" in made.__dict__
        for name in fields:
            fresh = isinstance(defaults.get(name), _Factory)
            value = f"_{name}() if {name} is _fresh else {name}" if fresh else name
            default = "" if name not in defaults else "=_fresh" if fresh else f"=_{name}"
            parameters.append(name + default)
            lines.append(f"    self.{name} = {value}" if slotted else f"    values[{name!r}] = {value}")
        head = f"def __init__(self, {', '.join(parameters)}):\n"
        head += "" if slotted else "    values = self.__dict__\n"
        exec(head + "\n".join(lines), known)  # noqa: S102 (only names of fields)
        known["__init__"].__qualname__ = f"{made.__qualname__}.__init__"
        return known["__init__"]

    def _values(value):
        return [getattr(value, name) for name in type(value)._record[0]]

    def _value_of(default):
        """What a constructor takes for a default: the value, or what makes it."""
        if isinstance(default, _Factory):
            return default.make
        return default.default if isinstance(default, _Aside) else default

    def _equal(self, other):
        if other.__class__ is not self.__class__:
            return NotImplemented
        left_out = self._uncompared
        if not left_out:
            return _values(self) == _values(other)
        names = [name for name in self._record[0] if name not in left_out]
        return all(getattr(self, name) == getattr(other, name) for name in names)

    def _refuse(self, name, value=None):
        from dataclasses import FrozenInstanceError

        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def replace(value, /, **changes):
        """Like ``dataclasses.replace``, for these classes and for the library's."""
        cls = type(value)
        if not hasattr(cls, "_record"):
            import dataclasses

            return dataclasses.replace(value, **changes)
        return cls(**{**dict(zip(cls._record[0], _values(value), strict=True)), **changes})

    _OF_ALL = {"__dataclass_fields__": _Fields(), "__init__": _init, "__repr__": _text, "__eq__": _equal}
    _OF_FROZEN = {
        "__hash__": lambda self: hash(tuple(_values(self))),
        "__setattr__": _refuse,
        "__delattr__": _refuse,
    }
    _OF_OTHERS = {"__hash__": None}
