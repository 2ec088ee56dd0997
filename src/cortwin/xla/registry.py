"""Which function translates which class of Brian2 object, and what a translation is.

A file of this package registers its translators with `translates`; `translator_of` imports every module of the package
first, so that covering one more kind of Brian2 object means adding one file.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from brian2.core.base import BrianObject
from brian2.core.clocks import Clock

from cortwin.errors import CortwinError

if TYPE_CHECKING:
    from cortwin.xla.compiler import Compilation

#: Current values by name, ``"object.variable"``.
Values = Mapping[str, jax.Array]

#: What a spike monitor keeps, after its name: one row a step, one column a neuron
RASTER = "raster"

#: Mark of what an update of neurons wrote, for `jax.checkpoint`
UPDATED = "updated"


@dataclass(frozen=True)
class Operation:
    """What one Brian2 object does when its clock ticks, as pure functions of the values.

    Attributes
    ----------
    name : name of the Brian2 object
    clock : its clock
    writes : names of the values that `step` may return
    step : values -> the values that change
    hidden : initial values of what Brian2 keeps outside its variables (spikes of this step, queues)
    invariants : (values, names that any operation writes) -> arrays that are the same at every step, made once per run
    record : values -> what a monitor keeps at this tick, by name
    """

    name: str
    clock: Clock
    writes: frozenset[str] = frozenset()
    step: Callable[[Values], dict[str, Any]] | None = None
    hidden: Mapping[str, np.ndarray] = field(default_factory=dict)
    invariants: Callable[[Values, frozenset[str]], dict[str, Any]] | None = None
    record: Callable[[Values], dict[str, Any]] | None = None


Translator = Callable[[Any, "Compilation"], "Operation | None"]

_TRANSLATORS: dict[type, Translator] = {}


def translates(*classes: type) -> Callable[[Translator], Translator]:
    """Register a function as the translator of objects of exactly these classes.

    Subclasses are not covered: they may behave differently, and what is not known is refused.
    """

    def register(translator: Translator) -> Translator:
        for cls in classes:
            _TRANSLATORS[cls] = translator
        return translator

    return register


@cache
def _import_translators() -> None:
    import cortwin.xla

    for module in pkgutil.iter_modules(cortwin.xla.__path__):
        importlib.import_module(f"cortwin.xla.{module.name}")


def translator_of(obj: BrianObject) -> Translator:
    """Return the translator of an object's class.

    Raises
    ------
    CortwinError
        If no translator covers the class.
    """
    _import_translators()
    try:
        return _TRANSLATORS[type(obj)]
    except KeyError:
        covered = ", ".join(sorted({cls.__name__ for cls in _TRANSLATORS}))
        code = str(getattr(obj, "abstract_code", "") or "").strip()
        line = f" (its code: '{code.splitlines()[0].strip()}')" if code else ""
        raise CortwinError(
            f"{obj.name}: the XLA compiler does not cover {type(obj).__name__}{line}; it covers {covered}. "
            "Remove the object, or run this network with the C++ compiler"
        ) from None
