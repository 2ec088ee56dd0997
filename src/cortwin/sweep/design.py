"""Which points a sweep has: a grid, a list, random or Latin-hypercube draws, each with every seed.

A parameter that is swept is a text with its alternatives: ``50,100,200``; alternatives of a parameter that is itself a
list are parted by semicolons, ``1,4;1,4,16``. Random designs also take ranges, ``20ms..200ms``, and ``0.1..10:log``,
which is even on a logarithmic scale.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cortwin.errors import CortwinError
from cortwin.parameters import Declared, nearest

if TYPE_CHECKING:
    import numpy as np

KINDS = ("grid", "list", "random", "lhs")
DRAWN = ("random", "lhs")
LOG = ":log"  # behind a range
# A typing error such as --seeds 10000000 must not fill the memory before anybody can stop it.
MOST_POINTS = 1_000_000
_RANGE = re.compile(r"(?P<low>.+?)\.\.(?P<high>.+?)(?P<log>:log)?")
_NUMBER = re.compile(r"\s*[+-]?[\d.]+(?:[eE][+-]?\d+)?")
_TOML_KEYS = ("experiment", "design", "design_seed", "seeds", "set", "points", "quick", "engine")


@dataclass(frozen=True)
class Design:
    """What a sweep varies.

    Parameters
    ----------
    settings : text of the alternatives by name of parameter, in the order in which they were given
    rows : points one by one, text by name; for ``"list"`` only
    kind : ``"grid"`` (every combination), ``"list"`` (the rows, or the first alternatives together, then the second,
        ...), ``"random"`` or ``"lhs"`` (Latin hypercube)
    draws : points of a random design
    draw_seed : root of the randomness of the design itself
    seeds : of the experiment; every point is run with each
    """

    settings: Mapping[str, str] = field(default_factory=dict)
    rows: Sequence[Mapping[str, str]] = ()
    kind: str = "grid"
    draws: int = 0
    draw_seed: int = 1
    seeds: Sequence[int] = (1,)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise CortwinError(f"there is no design {self.kind!r}{nearest(self.kind, KINDS)}")
        if self.kind in DRAWN and self.draws < 1:
            raise CortwinError(f"the design {self.kind} needs a number of points: write {self.kind}:50")
        if self.kind in DRAWN and not self.settings:
            raise CortwinError(f"the design {self.kind} has nothing to draw: name ranges with --set NAME=LOW..HIGH")
        if self.rows and self.kind != "list":
            raise CortwinError(f"points are given one by one, so the design is 'list', got {self.kind!r}")
        if not self.seeds:
            raise CortwinError("there is no seed: --seeds takes at least 1")

    def to_json(self) -> dict[str, Any]:
        """Return the design as JSON, names and texts as pairs: their order counts, and JSON objects have none."""
        pairs = {"settings": _pairs(self.settings), "rows": [_pairs(row) for row in self.rows]}
        return {**asdict(self), **pairs, "seeds": list(self.seeds)}

    @staticmethod
    def from_json(content: Mapping[str, Any]) -> Design:
        """Read what `to_json` wrote."""
        settings, rows = dict(content["settings"]), [dict(row) for row in content["rows"]]
        return Design(**{**content, "settings": settings, "rows": rows})

    @property
    def swept(self) -> list[str]:
        """Names of the parameters that the design sets, in its order."""
        return list(dict.fromkeys([*self.settings, *(name for row in self.rows for name in row)]))

    def combinations(self, declared: Mapping[str, Declared]) -> list[dict[str, str]]:
        """Return the text of every swept parameter at every point, without the seeds.

        Raises
        ------
        CortwinError
            For an unknown parameter, an empty or unfit list of alternatives, or a value that breaks a rule.
        """
        for name in self.swept:
            if name not in declared:
                raise CortwinError(f"there is no parameter {name!r}{nearest(name, declared)}")
        axes = {name: _axis(declared[name], text, self.kind) for name, text in self.settings.items()}
        choices = {name: axis for name, axis in axes.items() if isinstance(axis, _Choices)}
        if self.kind in DRAWN:
            found = self._draw(axes)
        elif self.kind == "grid":
            self._limit(math.prod(len(axis) for axis in choices.values()))
            found = [dict(zip(choices, values, strict=True)) for values in product(*choices.values())]
        else:
            found = self._listed(choices)
        self._limit(len(found))
        for row in self.rows:
            for name, text in row.items():
                declared[name].read(text)
        return found

    def _listed(self, axes: Mapping[str, _Choices]) -> list[dict[str, str]]:
        if self.rows:
            several = [name for name, axis in axes.items() if len(axis) > 1]
            if several:
                raise CortwinError(f"{several[0]} has {len(axes[several[0]])} values beside a list of points: give one")
            fixed = {name: axis[0] for name, axis in axes.items()}
            return [{**fixed, **row} for row in self.rows]
        length = max((len(axis) for axis in axes.values()), default=1)
        for name, axis in axes.items():
            if len(axis) not in (1, length):
                raise CortwinError(
                    f"{name} has {len(axis)} values, the longest list {length}: a list takes them in step"
                )
        return [{name: axis[0] if len(axis) == 1 else axis[k] for name, axis in axes.items()} for k in range(length)]

    def _draw(self, axes: Mapping[str, _Choices | _Range]) -> list[dict[str, str]]:
        import numpy as np
        from scipy.stats import qmc

        self._limit(self.draws)
        generator = np.random.default_rng(np.random.SeedSequence(self.draw_seed))
        unit: np.ndarray
        if self.kind == "lhs":
            unit = qmc.LatinHypercube(len(axes), rng=generator).random(self.draws)
        else:
            unit = generator.random((self.draws, len(axes)))
        return [{name: axis.at(u) for (name, axis), u in zip(axes.items(), row, strict=True)} for row in unit]

    def _limit(self, combinations: int) -> None:
        if combinations * len(self.seeds) > MOST_POINTS:
            raise CortwinError(
                f"{combinations} points with {len(self.seeds)} seeds are {combinations * len(self.seeds)} runs: "
                f"a sweep takes {MOST_POINTS} at most"
            )


def _pairs(texts: Mapping[str, str]) -> list[list[str]]:
    return [[name, text] for name, text in texts.items()]


class _Choices(list):
    """Alternatives one by one, as text."""

    def at(self, u: float) -> str:
        """Return the alternative at a place between 0 and 1."""
        return self[min(int(u * len(self)), len(self) - 1)]


class _Range:
    """All values between two bounds, in one unit."""

    def __init__(self, declared: Declared, text: str, match: re.Match[str]):
        if declared.many or declared.kind not in ("int", "float", "Quantity"):
            raise CortwinError(f"{declared.name}={text}: a range is for numbers, {declared.name} takes a list or text")
        low, high = (float(declared.read(match[bound])) for bound in ("low", "high"))
        # Drawn values are written in the unit of a bound that is not zero, and of such there is one.
        bound, value = (match["high"], high) if high else (match["low"], low)
        number = _NUMBER.match(bound)
        self._unit = bound[number.end() :].strip() if number else ""
        scale = value / float(number[0]) if number and value else 1.0
        self._whole, self._log = declared.kind == "int", bool(match["log"])
        self._low, self._high = low / scale, high / scale
        if not self._low < self._high:
            raise CortwinError(f"{declared.name}={text}: the lower bound must be below the upper one")
        if self._log and self._low <= 0:
            raise CortwinError(f"{declared.name}={text}: a logarithmic range must begin above 0")

    def at(self, u: float) -> str:
        """Return the value at a place between 0 and 1, to six digits."""
        low, high = (self._low, self._high + 1) if self._whole else (self._low, self._high)
        value = low * (high / low) ** u if self._log else low + (high - low) * u
        if self._whole:
            return str(min(math.floor(value), math.floor(self._high)))
        return f"{min(max(value, self._low), self._high):.6g}{self._unit}"


def _axis(declared: Declared, text: str, kind: str) -> _Choices | _Range:
    match = _RANGE.fullmatch(text.strip())
    if match and declared.kind not in ("str", "Path"):
        if kind not in DRAWN:
            raise CortwinError(
                f"{declared.name}={text} is a range: list its values, or add --design random:50 or lhs:50"
            )
        return _Range(declared, text, match)
    values = _Choices(part.strip() for part in text.split(";" if declared.many else ","))
    if not any(values) and not declared.optional:
        raise CortwinError(f"{declared.name} has no value to sweep over: write --set {declared.name}=A,B,C")
    if values and not values[-1]:
        values.pop()  # a comma at the end
    for value in values:
        declared.read(value)
    return values


def read_seeds(text: str, option: str = "--seeds") -> tuple[int, ...]:
    """Read ``10`` (seeds 1 to 10), ``5..8`` (5 to 8) or ``3,7`` (these two).

    Raises
    ------
    CortwinError
        For anything else, or none at all.
    """
    first, dots, last = text.partition("..")
    words = [first, last] if dots else text.rstrip().removesuffix(",").split(",")
    words = [word.strip() for word in words]
    if not all(word.isascii() and word.isdigit() and len(word) <= 18 for word in words):
        raise CortwinError(f"{option} takes a number of seeds, a range 5..8 or a list 3,7, got {text!r}")
    numbers = [int(word) for word in words]
    if "," in text:
        return tuple(numbers)
    low, high = numbers if dots else (1, numbers[0])
    if not 0 <= high - low < MOST_POINTS:
        raise CortwinError(f"{option} must be at least 1 and at most {MOST_POINTS} seeds, got {text!r}")
    return tuple(range(low, high + 1))


def read_kind(text: str) -> tuple[str, int]:
    """Read ``grid``, ``list``, ``random:50`` or ``lhs:50`` as kind and number of draws."""
    kind, colon, number = text.strip().partition(":")
    if kind in KINDS and (kind in DRAWN) != bool(colon):
        right = f"{kind}:50" if kind in DRAWN else kind
        raise CortwinError(f"--design {text}: write --design {right}")
    if colon and not (number.isascii() and number.isdigit() and len(number) < 18 and int(number) > 0):
        raise CortwinError(f"--design {text}: {number!r} is not a number of points")
    return kind, int(number) if colon else 0


def read_toml(file: Path) -> dict[str, Any]:
    """Read a design from a TOML file.

    ::

        experiment = "reach"
        design = "grid"                # "list", "random:50", "lhs:50"
        seeds = 10                     # or [1, 4, 7]
        [set]
        units = [50, 100, 200]
        tau = "50 ms"
        [[points]]                     # instead, or beside single values: points one by one
        units = 50

    Returns
    -------
    dict
        What the file says, values of parameters as text: ``settings`` and ``rows`` beside the keys above.

    Raises
    ------
    CortwinError
        If the file cannot be read, or says something unknown.
    """
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise CortwinError(f"{file} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise CortwinError(f"{file} is not TOML: {error}") from None
    for key in content:
        if key not in _TOML_KEYS:
            raise CortwinError(f"{file}: there is no key {key!r}{nearest(key, _TOML_KEYS)}")
    settings, rows = content.pop("set", {}), content.pop("points", [])
    if not isinstance(settings, dict) or not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise CortwinError(f"{file}: write [set] once, and [[points]] for each point")
    content["settings"] = {name: _alternatives(value, f"{file}: {name}") for name, value in settings.items()}
    content["rows"] = [{name: _text(value, f"{file}: {name}") for name, value in row.items()} for row in rows]
    seeds = content.get("seeds")
    if isinstance(seeds, list):
        content["seeds"] = ",".join(map(str, seeds)) + ("," if len(seeds) == 1 else "")
    return content


def _alternatives(value: Any, label: str) -> str:
    if not isinstance(value, list):
        return _text(value, label)
    nested = any(isinstance(item, list) for item in value)
    return (";" if nested else ",").join(_text(item, label) for item in value)


def _text(value: Any, label: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float, str)):
        return value if isinstance(value, str) else repr(value)
    if isinstance(value, list):
        return ",".join(_text(item, label) for item in value)
    raise CortwinError(f"{label} must be a number, a text, true, false or a list of them, got {value!r}")
