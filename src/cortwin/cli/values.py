"""Words of the command line read as parameters and numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cortwin.errors import CortwinError
from cortwin.parameters import RESERVED, nearest

if TYPE_CHECKING:
    from cortwin.experiment import Experiment


def given_values(settings: list[str], words: list[str], experiment: Experiment) -> dict[str, object]:
    """Read `--set name=value`, `--name value`, `--name=value`, and `--name` or `--no-name` for yes and no."""
    declared = experiment.declared
    options = {f"--{name.replace('_', '-')}" for name in declared} | {f"--{name}" for name in RESERVED - {"run"}}
    given: dict[str, object] = {}

    def put(name: str, value: object) -> None:
        if name in given:
            raise CortwinError(f"the parameter {name} is given twice")
        given[name] = value

    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise CortwinError(f"--set {setting}: write --set NAME=VALUE")
        put(name.strip().replace("-", "_"), value)
    waiting = list(words)
    while waiting:
        word = waiting.pop(0)
        if not word.startswith("--"):
            raise CortwinError(f"{word!r} was not expected: parameters are given as --set NAME=VALUE or --NAME VALUE")
        option, equals, value = word[2:].partition("=")
        name = option.replace("-", "_")
        switch = declared.get(name.removeprefix("no_"))
        if equals:
            put(name, value)
        elif name not in declared and (switch is None or switch.kind != "bool"):
            raise CortwinError(f"{experiment.name} has no option {word}{nearest(word, options)}")
        elif switch is not None and switch.kind == "bool" and (not waiting or waiting[0].startswith("--")):
            put(switch.name, name == switch.name)
        elif not waiting:
            raise CortwinError(f"{word} needs a value")
        else:
            put(name, waiting.pop(0))
    return given


def whole(text: str, option: str, minimum: int) -> int:
    if not text.isascii() or not text.removeprefix("+").isdigit() or len(text) > 18 or int(text) < minimum:
        raise CortwinError(f"{option} takes a whole number, at least {minimum}, got {text!r}")
    return int(text)


def positive(text: str, option: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < 1e9:
        raise CortwinError(f"{option} takes a number of seconds above 0, got {text!r}")
    return value
