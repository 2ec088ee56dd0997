"""Checks of a page as it is made, before anything runs."""

from __future__ import annotations

import numpy as np

from cortwin.battery.findings import Found, Missing
from cortwin.battery.subject import SIZES, Subject
from cortwin.battery.variants import variants
from cortwin.equations import definitions
from cortwin.errors import CortwinError
from cortwin.figures import page_texts, typeset_page
from cortwin.model import WRITINGS, Lacking, Model, Writing, check_array
from cortwin.training.checks import trained_names


def check_unknown_variant(subject: Subject) -> Found | Missing:
    """Ask for a variant that does not exist: the answer names those that do."""
    names = variants(subject.page)[0]
    if not names:
        return Missing("model() takes no argument")
    for name in names:
        try:
            subject.page.model(**{name: "no such"})
        except ValueError as error:
            if f"{name} is 'no such', expected one of " not in str(error):
                raise CortwinError(f"model({name}='no such') is refused with '{error}', not with the known") from None
        else:
            raise CortwinError(f"model({name}='no such') is not refused")
    return Found(f"an unknown {' or '.join(names)} is refused with the known ones")


def check_model(subject: Subject) -> Found:
    """Make the model: names, units, shapes and symbols were checked by `Model`; and twice the same."""
    made, again = subject.model, subject.page.model(**subject.arguments)
    if made.name != subject.file.stem:
        raise CortwinError(f"the model is called '{made.name}', the file {subject.file.name}")
    if any(getattr(made, name) != getattr(again, name) for name in (*WRITINGS, "shapes")):
        raise CortwinError("two calls of model() differ: something of the first is kept")
    if subject.has_both and "tau" not in made.constants:
        raise CortwinError("the constants have no tau: alpha = dt / tau joins textbook and rate writing")
    lines = sum(len(definitions(population.equations, made.name)) for population in populations(made))
    return Found(f"{lines} lines of equations, whose symbols and units fit")


def populations(made: Model) -> list:
    """Return the populations of all biological writings."""
    writings = [getattr(made, name) for name in WRITINGS]
    return [one for writing in writings if isinstance(writing, Writing) for one in writing.populations.values()]


def check_lacking(subject: Subject) -> Found | Missing:
    """Every writing that is lacking says why, and is refused with that reason."""
    made = subject.model
    lacking = [name for name in ("textbook", *WRITINGS) if isinstance(getattr(made, name), Lacking)]
    for name in lacking:
        reason = getattr(made, name).reason
        if len(reason.split()) < 4:
            raise CortwinError(f"the {name} writing is lacking because '{reason}': say why in a few words")
        try:
            made.recurrence() if name == "textbook" else made.writing(name)
        except CortwinError as error:
            if reason not in str(error):
                raise
    if not lacking:
        return Found("none is lacking")
    return Missing("; ".join(f"no {name} writing: {getattr(made, name).reason}" for name in lacking))


def check_shown(subject: Subject) -> Found:
    """What is displayed is what runs: the texts that figures typeset are those of the model."""
    made = subject.model
    texts = page_texts(made)
    for name in WRITINGS:
        writing = getattr(made, name)
        if isinstance(writing, Lacking):
            _require(name not in texts, f"a {name} writing is displayed, which is lacking")
            continue
        for kind in ("populations", "pathways"):
            for label, part in getattr(writing, kind).items():
                for field in ("equations", "threshold", "reset", "on_pre"):
                    same = texts[name][kind][label].get(field) == getattr(part, field, None)
                    _require(same, f"{name} writing, {label}: the {field} that is displayed is not what runs")
    for role, source in texts["textbook"].items():
        function = getattr(made.textbook, role)
        own = getattr(getattr(function, "func", function), "__name__", "")
        _require(own in source or "lambda" in source, f"the source of {role} is not found")
    _require(set(texts["constants"]) == set(made.constants), "not all constants are displayed")
    return Found(f"{len(typeset_page(texts).texts)} lines typeset from what runs")


def check_shapes(subject: Subject) -> Found:
    """Initial values have the names and shapes that the model states, and are finite and float64."""
    made = subject.model
    drawn = made.initial(np.random.default_rng(1), **subject.sizes)
    names = set(trained_names(made))
    if set(getattr(drawn, "_fields", ())) != names:
        raise CortwinError(f"initial() must return a {made.trained.__name__}: {', '.join(trained_names(made))}")
    for name, array in drawn._asdict().items():
        if name not in made.shapes:
            raise CortwinError(f"initial values: {name} has no shape in the model")
        if np.asarray(array).dtype != np.float64:
            raise CortwinError(f"initial values: {name} is {np.asarray(array).dtype}, expected float64")
        check_array(name, array, made.shapes[name], {**made.sizes(drawn._asdict()), **SIZES, "neurons": 0})
    return Found(f"{len(names)} arrays of the stated shapes, finite")


def check_initial_values(subject: Subject) -> Found | Missing:
    """One seed gives one set of bytes, another seed another; NumPy's global state is left alone."""
    made = subject.model
    before = _global_state()
    drawn = [made.initial(np.random.default_rng(seed), **subject.sizes)._asdict() for seed in (1, 1, 2)]
    if _global_state() != before:
        raise CortwinError("initial() draws from NumPy's global state: draw from the generator that it is given")
    if not drawn[0]:
        return Missing("the page has no arrays of its own: its network is drawn from rules")
    random = 0
    for name, array in drawn[0].items():
        first, again, other = (np.asarray(one[name]).tobytes() for one in drawn)
        if first != again:
            raise CortwinError(f"{name} differs between two calls with the same seed: draw from the generator alone")
        varied = np.size(array) > 0 and np.ptp(np.asarray(array)) > 0
        random += first != other and varied
    if not random:
        raise CortwinError("another seed gives the same initial values: nothing is drawn")
    return Found(f"the same bytes from one seed; {random} arrays are random")


def _global_state() -> tuple[bytes, str]:
    """Return NumPy's global state: its numbers, and how far they are used up."""
    _, numbers, *place = np.random.get_state()  # type: ignore[misc]  # noqa: NPY002
    return np.asarray(numbers).tobytes(), repr(place)


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise CortwinError(otherwise)
