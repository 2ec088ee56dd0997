"""Parameters of an experiment: declared once in the signature of `compute`, read from text, checked, written down.

An experiment says what it takes as annotated keyword arguments::

    def compute(
        run: Run,
        *,
        units: Annotated[int, Parameter("number of cortical units", quick=30, minimum=1)] = 100,
        tau: Annotated[Quantity, Parameter("time constant of the current", above=0 * ms)] = 100 * ms,
    ) -> Results: ...

Text from the command line becomes values through a fixed table of units and never through `eval`.
"""

from __future__ import annotations

import difflib
import inspect
import math
import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cortwin.errors import CortwinError

# Symbol -> (Brian2's name, dimension in words). Within a dimension the order is the one in which a value is displayed:
# the first unit that brings it between 0.1 and 1000.
UNITS: Mapping[str, tuple[str, str]] = types.MappingProxyType(
    {
        "ms": ("msecond", "time"),
        "s": ("second", "time"),
        "us": ("usecond", "time"),
        "Hz": ("hertz", "frequency"),
        "kHz": ("khertz", "frequency"),
        "mV": ("mvolt", "potential"),
        "V": ("volt", "potential"),
        "uV": ("uvolt", "potential"),
        "pA": ("pamp", "current"),
        "nA": ("namp", "current"),
        "uA": ("uamp", "current"),
        "mA": ("mamp", "current"),
        "A": ("amp", "current"),
        "pF": ("pfarad", "capacitance"),
        "nF": ("nfarad", "capacitance"),
        "uF": ("ufarad", "capacitance"),
        "F": ("farad", "capacitance"),
        "nS": ("nsiemens", "conductance"),
        "uS": ("usiemens", "conductance"),
        "mS": ("msiemens", "conductance"),
        "S": ("siemens", "conductance"),
        "Mohm": ("Mohm", "resistance"),
        "Gohm": ("Gohm", "resistance"),
        "kohm": ("kohm", "resistance"),
        "ohm": ("ohm", "resistance"),
        "um": ("umetre", "length"),
        "mm": ("mmetre", "length"),
        "m": ("metre", "length"),
    }
)
# Options of the command itself; a parameter of the same name could never be given.
RESERVED = frozenset({"seed", "quick", "out", "engine", "jobs", "set", "timeout", "debug", "help", "run"})
_MICRO = str.maketrans({"µ": "u", "μ": "u"})  # the micro sign and the Greek letter
_NUMBER_AND_UNIT = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([A-Za-z]*)", re.ASCII)
_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


class _Missing:
    def __repr__(self) -> str:
        return "the default"


_MISSING = _Missing()


@dataclass(frozen=True)
class Parameter:
    """What a parameter means and which values it takes; the type and the default stand in the signature.

    Parameters
    ----------
    meaning : one line, shown by `--help` and in the report
    quick : value under `--quick`; the default where none is given
    minimum, maximum : inclusive bounds, of the parameter's own unit
    above : exclusive lower bound
    choices : the only values allowed
    """

    meaning: str
    quick: Any = _MISSING
    minimum: Any = None
    maximum: Any = None
    above: Any = None
    choices: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Declared:
    """One parameter as an experiment declares it.

    Parameters
    ----------
    name : its name in the signature
    kind : ``"int"``, ``"float"``, ``"bool"``, ``"str"``, ``"Path"`` or ``"Quantity"``, of each item where `many`
    many : whether the value is a tuple
    optional : whether None is a value
    default, quick : checked values
    parameter : the annotation
    """

    name: str
    kind: str
    many: bool
    optional: bool
    default: Any
    quick: Any
    parameter: Parameter

    @property
    def unit(self) -> str | None:
        """Symbol of the unit in which the default is displayed, None for a plain number."""
        if self.kind != "Quantity" or self.default is None:
            return None
        example = self.default[0] if self.many else self.default
        return _symbol_for(example)

    def read(self, value: object) -> Any:
        """Make a value of this parameter from text or from a Python object, and check it.

        Raises
        ------
        CortwinError
            Naming the parameter, the rule and the offending text.
        """
        if isinstance(value, str):
            value = value.strip()
        if value is None or (self.optional and isinstance(value, str) and value.lower() in ("", "none")):
            if not self.optional:
                raise CortwinError(f"{self.name} needs a value: {self._expected()}")
            return None
        if not self.many:
            return self._check(self._item(value))
        items = [part for part in value.split(",") if part.strip()] if isinstance(value, str) else value
        if not isinstance(items, Iterable) or isinstance(items, bytes):
            raise self._refuse(value)
        read = tuple(self._check(self._item(item)) for item in items)
        if not read:
            raise CortwinError(f"{self.name} is empty: give at least one value, separated by commas")
        return read

    def display(self, value: Any) -> str:
        """Text of a value that `read` understands."""
        if value is None:
            return "none"
        if self.many:
            return ",".join(self._display_item(item) for item in value)
        return self._display_item(value)

    def to_json(self, value: Any) -> Any:
        """The value as JSON, quantities in SI units."""
        if self.many and value is not None:
            return [self._item_to_json(item) for item in value]
        return self._item_to_json(value)

    def from_json(self, value: Any, text: str) -> Any:
        """Make a value again from what `to_json` and `display` gave, to the last bit, and check it.

        Raises
        ------
        CortwinError
            If it breaks a rule that the parameter has today.
        """
        if self.kind != "Quantity" or value is None:
            return self.read(value)
        from brian2 import Quantity

        # The number is exact and its unit is SI; the text is rounded and says which unit.
        texts = text.split(",") if self.many else [text]
        numbers = value if self.many else [value]
        units = [_unit(self._split(part.strip())[1], self.name) for part in texts]
        quantities = [Quantity(number, dim=unit.dim) for number, unit in zip(numbers, units, strict=True)]
        return self.read(quantities if self.many else quantities[0])

    def _item(self, value: object) -> Any:
        reader: Callable[[object], Any] = getattr(self, f"_read_{self.kind.lower()}")
        return reader(value.strip() if isinstance(value, str) else value)

    def _read_int(self, value: object) -> int:
        if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,18}", value):
            return int(value)
        if isinstance(value, bool) or not hasattr(value, "__index__"):
            raise self._refuse(value)
        return int(value.__index__())  # type: ignore[union-attr]

    def _read_float(self, value: object) -> float:
        if isinstance(value, str):
            number, unit = self._split(value)
            if unit:
                raise CortwinError(f"{self.name} is a plain number without a unit, got {value!r}: leave out {unit!r}")
            return number
        if isinstance(value, bool) or not isinstance(value, typing.SupportsFloat) or hasattr(value, "dim"):
            raise self._refuse(value)
        return self._finite(float(value), value)

    def _read_bool(self, value: object) -> bool:
        if isinstance(value, str) and value.lower() in _WORDS:
            return _WORDS[value.lower()]
        if not isinstance(value, bool):
            raise self._refuse(value)
        return value

    def _read_str(self, value: object) -> str:
        if not isinstance(value, str):
            raise self._refuse(value)
        return value

    def _read_path(self, value: object) -> Path:
        if not isinstance(value, (str, Path)) or not str(value) or "\0" in str(value):
            raise self._refuse(value)
        path = Path(value).expanduser().absolute()
        if not path.exists():
            raise CortwinError(f"{self.name}: there is no file {str(value)!r}")
        return path

    def _read_quantity(self, value: object) -> Any:
        from brian2 import Quantity, have_same_dimensions

        if isinstance(value, str):
            number, symbol = self._split(value)
            if not symbol:
                example = f"{self.name}={value}{self.unit or 'ms'}"
                raise CortwinError(f"{self.name} needs a unit ({self._units_of_dimension()}): for instance {example}")
            value = number * _unit(symbol, self.name)
        else:
            symbol = _symbol_for(value) if isinstance(value, Quantity) else "no unit"
        wanted = self._reference()
        if wanted is None:
            return value
        if not have_same_dimensions(value, wanted):
            raise CortwinError(
                f"{self.name} is a {UNITS[_symbol_for(wanted)][1]} ({self._units_of_dimension()}), got {symbol}"
                + (f", a {UNITS[symbol][1]}" if symbol in UNITS else "")
            )
        self._finite(float(value), value)  # type: ignore[arg-type]
        return value

    def _reference(self) -> Any:
        """Any value that is known to have the right dimension."""
        bounds = (self.parameter.above, self.parameter.minimum, self.parameter.maximum)
        default = self.default[0] if self.many and self.default else self.default
        return next((value for value in (default, *bounds) if value is not None), None)

    def _units_of_dimension(self) -> str:
        wanted = self._reference()
        dimension = UNITS[_symbol_for(wanted)][1] if wanted is not None else None
        return ", ".join(symbol for symbol, (_, word) in UNITS.items() if dimension in (word, None))

    def _split(self, text: str) -> tuple[float, str]:
        match = _NUMBER_AND_UNIT.fullmatch(text.translate(_MICRO))
        if match is None:
            raise self._refuse(text)
        return self._finite(float(match[1]), text), match[2]

    def _finite(self, number: float, given: object) -> float:
        if not math.isfinite(number):
            raise CortwinError(f"{self.name} must be finite, got {given}")
        return number

    def _check(self, value: Any) -> Any:
        rule = self.parameter
        if rule.choices and value not in rule.choices:
            names = ", ".join(self._display_item(choice) for choice in rule.choices)
            raise CortwinError(f"{self.name} must be one of {names}, got {self._display_item(value)!r}")
        if rule.above is not None and not value > rule.above:
            raise CortwinError(
                f"{self.name} must be above {self.display_bound(rule.above)}, got {self._display_item(value)}"
            )
        if rule.minimum is not None and value < rule.minimum:
            raise CortwinError(
                f"{self.name} must be at least {self.display_bound(rule.minimum)}, got {self._display_item(value)}"
            )
        if rule.maximum is not None and value > rule.maximum:
            raise CortwinError(
                f"{self.name} must be at most {self.display_bound(rule.maximum)}, got {self._display_item(value)}"
            )
        return value

    def display_bound(self, bound: Any) -> str:
        """Text of a bound; zero needs no unit."""
        return "0" if float(bound) == 0 else self._display_item(bound)

    def _refuse(self, value: object) -> CortwinError:
        return CortwinError(f"{self.name}={value} is not {self._expected()}")

    def _expected(self) -> str:
        words = {
            "int": "a whole number",
            "float": "a number",
            "bool": "true or false",
            "str": "text",
            "Path": "the path of a file",
            "Quantity": f"a number with a unit such as {'5ms' if self.default is None else self.display(self.default)}",
        }[self.kind]
        return f"{words}, or several separated by commas" if self.many else words

    def _display_item(self, value: Any) -> str:
        if self.kind == "Quantity":
            symbol = _symbol_for(value)
            return f"{float(value) / float(_unit(symbol, self.name)):.12g} {symbol}"
        if self.kind == "bool":
            return "true" if value else "false"
        if self.kind == "float":
            return f"{value:.12g}"
        return str(value)

    def _item_to_json(self, value: Any) -> Any:
        if self.kind == "Quantity" and value is not None:
            return float(value)
        return str(value) if isinstance(value, Path) else value


def declare(compute: Callable[..., Any]) -> Mapping[str, Declared]:
    """Read the parameters of an experiment from the signature of its `compute`.

    Raises
    ------
    CortwinError
        If a parameter lacks its annotation or its default, has a type outside the table, a name that the command uses,
        or a default or quick value that breaks its own rule.
    """
    hints = typing.get_type_hints(compute, include_extras=True)
    declared = {}
    arguments = list(inspect.signature(compute).parameters.values())
    if not arguments or arguments[0].kind is inspect.Parameter.KEYWORD_ONLY:
        raise CortwinError("compute must take the run as its first argument: def compute(run, *, ...)")
    for argument in arguments[1:]:
        declared[argument.name] = _declare_one(argument, hints.get(argument.name))
    return types.MappingProxyType(declared)


def resolve(declared: Mapping[str, Declared], given: Mapping[str, object], *, quick: bool) -> Mapping[str, Any]:
    """Complete and check the values of all parameters.

    Parameters
    ----------
    declared : what the experiment takes
    given : name -> text or value
    quick : whether parameters that are not given take their quick values

    Raises
    ------
    CortwinError
        For a name that does not exist (with the nearest that does) or a value that breaks a rule.
    """
    for name in given:
        if name not in declared:
            raise CortwinError(f"there is no parameter {name!r}{nearest(name, declared)}")
    values = {name: one.quick if quick else one.default for name, one in declared.items()}
    values.update({name: declared[name].read(value) for name, value in given.items()})
    return types.MappingProxyType(values)


def nearest(name: str, names: Iterable[str]) -> str:
    """Say which of the names comes nearest, or all of them when none does."""
    names = sorted(names)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f": did you mean {close[0]!r}?"
    return f": there are {', '.join(names)}" if names else ": there are none"


def _declare_one(argument: inspect.Parameter, hint: Any) -> Declared:
    name = argument.name
    annotations = [extra for extra in getattr(hint, "__metadata__", ()) if isinstance(extra, Parameter)]
    if argument.kind is not inspect.Parameter.KEYWORD_ONLY or len(annotations) != 1:
        raise CortwinError(f"compute: write {name} after the * as Annotated[type, Parameter('what it means')]")
    if argument.default is inspect.Parameter.empty:
        raise CortwinError(f"compute: {name} needs a default")
    if name in RESERVED:
        raise CortwinError(f"compute: {name} is an option of the command; give the parameter another name")
    kind, many, optional = _kind(name, typing.get_args(hint)[0])
    parameter = annotations[0]
    raw = Declared(name, kind, many, optional, argument.default, argument.default, parameter)
    try:
        default = raw.read(argument.default)
        quick = default if parameter.quick is _MISSING else raw.read(parameter.quick)
    except CortwinError as error:
        raise CortwinError(f"compute: the default or quick value of {name}: {error}") from error
    return Declared(name, kind, many, optional, default, quick, parameter)


def _kind(name: str, annotation: Any) -> tuple[str, bool, bool]:
    optional = many = False
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        inner = [part for part in typing.get_args(annotation) if part is not type(None)]
        optional = len(inner) < len(typing.get_args(annotation))
        annotation = inner[0] if len(inner) == 1 else annotation
    if typing.get_origin(annotation) is tuple:
        parts = typing.get_args(annotation)
        many = len(parts) == 2 and parts[1] is Ellipsis
        annotation = parts[0] if many else annotation
    kind = getattr(annotation, "__name__", str(annotation))
    if kind not in ("int", "float", "bool", "str", "Path", "Quantity"):
        raise CortwinError(
            f"compute: {name} is a {annotation}; a parameter is an int, float, bool, str, Path or Quantity, "
            "a tuple[..., ...] of one of them, or None besides"
        )
    return kind, many, optional


def _unit(symbol: str, name: str) -> Any:
    import brian2

    if symbol not in UNITS:
        raise CortwinError(f"{name}: there is no unit {symbol!r}{nearest(symbol, UNITS)}")
    return getattr(brian2, UNITS[symbol][0])


def _symbol_for(quantity: Any) -> str:
    from brian2 import have_same_dimensions

    symbols = [symbol for symbol in UNITS if have_same_dimensions(quantity, _unit(symbol, ""))]
    if not symbols:
        raise CortwinError(f"{quantity} has a unit outside the table: {', '.join(UNITS)}")
    for symbol in symbols:
        # A little slack: 0.1 ms in ms must count as 0.1 whichever way it was rounded.
        if 0.1 * (1 - 1e-9) <= abs(float(quantity) / float(_unit(symbol, ""))) < 1000:
            return symbol
    return symbols[0]
