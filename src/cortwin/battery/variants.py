"""The variants of a page: every combination of the arguments of its ``model()``."""

from __future__ import annotations

import inspect
from itertools import product
from types import ModuleType
from typing import Any

from cortwin.errors import CortwinError


def variants(page: ModuleType) -> list[dict[str, Any]]:
    """Return the arguments of every model of a page.

    An argument ``activation`` takes each of the page's ``ACTIVATIONS``, and so on; one without such a list takes its
    default.

    Raises
    ------
    CortwinError
        For a page without ``model()``, or an argument with neither.
    """
    if not callable(getattr(page, "model", None)):
        raise CortwinError("it has no function model()")
    choices: dict[str, tuple[Any, ...]] = {}
    for name, argument in inspect.signature(page.model).parameters.items():
        listed = getattr(page, f"{name.upper()}S", None)
        if listed is not None:
            choices[name] = tuple(listed)
        elif argument.default is inspect.Parameter.empty:
            raise CortwinError(f"model() takes '{name}', and the page lists no {name.upper()}S = (...) that it can be")
    return [dict(zip(choices, chosen, strict=True)) for chosen in product(*choices.values())]


def in_words(arguments: dict[str, Any]) -> str:
    """Return the arguments of a variant as text, ``"activation=tanh"``."""
    return ", ".join(f"{name}={value}" for name, value in arguments.items())
