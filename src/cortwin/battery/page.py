"""A page examined: every check on every variant, none of which stops at another's failure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType

from cortwin import catalogue
from cortwin.battery.docstring import check_docstring
from cortwin.battery.findings import Finding, Found, Missing
from cortwin.battery.made import (
    check_initial_values,
    check_lacking,
    check_model,
    check_shapes,
    check_shown,
    check_unknown_variant,
)
from cortwin.battery.measured import (
    check_between_writings,
    check_differences,
    check_exact,
    check_printed,
    check_range,
    check_spikes,
    check_spikes_of_compilers,
)
from cortwin.battery.subject import Subject
from cortwin.battery.variants import in_words, variants
from cortwin.brian2_import import import_brian2
from cortwin.errors import CortwinError

Check = Callable[[Subject], Found | Missing]

# Of the page as a whole.
OF_PAGE: dict[str, Check] = {
    "docstring": lambda subject: check_docstring(subject.page, subject.model),
    "unknown variant": check_unknown_variant,
}
# Of every variant. Where one of `NEEDED` fails, those that follow would only fail with it.
OF_VARIANT: dict[str, Check] = {
    "model": check_model,
    "lacking writings": check_lacking,
    "shapes": check_shapes,
    "initial values": check_initial_values,
    "displayed": check_shown,
    "printed form": check_printed,
    "rate text, XLA": partial(check_exact, engine="xla"),
    "rate text, C++": partial(check_exact, engine="cpp"),
    "gradient": check_differences,
    "gradient of rate text": check_between_writings,
    "range": check_range,
    "spikes": check_spikes,
    "spikes, C++ and XLA": check_spikes_of_compilers,
}
NEEDED = ("model", "shapes")
SLOW = ("spikes, C++ and XLA",)


def checks_of(quick: bool = False) -> dict[str, Check]:
    """Return the checks of every variant by name; a quick examination leaves out those in `SLOW`."""
    return {name: check for name, check in OF_VARIANT.items() if not (quick and name in SLOW)}


def load_page(file: Path) -> ModuleType:
    """Import a page from its file, wherever it lies.

    Raises
    ------
    CortwinError
        With its line, when it cannot be imported.
    """
    file = Path(file).expanduser().absolute()
    if not file.is_file():
        raise CortwinError(f"there is no page {str(file)!r}")
    import_brian2()
    try:
        return catalogue.import_script(file)
    except Exception as error:
        raise CortwinError(f"{file.name}{catalogue.line_of(error, file)} cannot be imported: {_said(error)}") from error


def check_page(page: ModuleType, *, quick: bool = False, only: Sequence[str] = ()) -> Iterator[Finding]:
    """Examine a page and yield what each check found, as soon as it is found.

    Parameters
    ----------
    page : module of the page, for instance from `load_page`
    quick : fewer neurons and seeds, and no second program in C++
    only : names of the checks that are wanted, beside those that the others need; all when empty

    Raises
    ------
    CortwinError
        For a name that is no check's.
    """
    known = {**OF_PAGE, **OF_VARIANT}
    for name in only:
        if name not in known:
            raise CortwinError(f"there is no check '{name}'; there are {', '.join(known)}")
    wanted = {name for name in known if not only or name in (*only, *NEEDED)}
    try:
        every = variants(page)
    except CortwinError as error:
        yield Finding("model", "", False, str(error))
        return
    whole = Subject(page, every[0], quick)
    broken = _apply("model", "", check_model, whole).passed is False
    for name, check in OF_PAGE.items():
        if name in wanted and not broken:
            yield _apply(name, "", check, whole)
    for arguments in every:
        subject = Subject(page, arguments, quick)
        for name, check in checks_of(quick).items():
            if name not in wanted:
                continue
            finding = _apply(name, in_words(arguments), check, subject)
            yield finding
            if finding.passed is False and name in NEEDED:
                break


def _apply(name: str, variant: str, check: Check, subject: Subject) -> Finding:
    try:
        found = check(subject)
    except Exception as error:
        said = _said(error)
        line = "" if isinstance(error, CortwinError) else catalogue.line_of(error, subject.file).strip(", ")
        return Finding(name, variant, False, f"{line}: {said}" if line else said)
    if isinstance(found, Missing):
        return Finding(name, variant, None, found.reason)
    return Finding(name, variant, found.passed, found.text, found.measured, found.bar)


def _said(error: BaseException) -> str:
    """Return an error in one line, with what to do where that is known."""
    if isinstance(error, CortwinError):
        return " ".join(str(error).split())
    kind = type(error).__name__
    if kind.startswith("Tracer"):
        return f"{kind}: a textbook function leaves JAX; use jax.numpy in it, and no `if` on numbers"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{kind}: {lines[0]}" if lines else kind
