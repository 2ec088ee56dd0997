"""What an examination leaves: a table of its checks, and the page's equations as they are typeset."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import ModuleType

from cortwin import figures
from cortwin.battery.findings import Finding
from cortwin.battery.subject import Subject
from cortwin.battery.variants import in_words, variants
from cortwin.comparison import Page
from cortwin.results import Drawing, Section, Table


def battery_page(page: ModuleType, findings: Sequence[Finding], *, quick: bool) -> Page:
    """Put what was found on one page.

    Parameters
    ----------
    page : the module that was examined
    findings : of `cortwin.battery.check_page`
    quick : whether sizes were small
    """
    name = Path(str(page.__file__)).stem
    failed = sum(finding.passed is False for finding in findings)
    rows = [
        {**asdict(one), "passed": one.mark, "measured": "" if one.measured is None else one.measured, "bar": one.bar}
        for one in findings
    ]
    shown = [
        {"check": one.check, "variant": one.variant, "": one.mark, "numbers": one.numbers, "text": one.text}
        for one in findings
    ]
    drawings = []
    # A page that cannot be made has a finding that says so.
    with contextlib.suppress(Exception):
        for number, arguments in enumerate(variants(page)):
            texts = figures.page_texts(Subject(page, arguments).model)
            title = in_words(arguments) or name
            drawings.append(
                Drawing(f"page_{number}", figures.typeset_page(texts), title, "Typeset from what the page runs.")
            )
    words = "all hold" if not failed else f"{failed} do not hold"
    return Page(
        kind="check",
        experiment=name,
        title=f"{name}: what a page promises",
        made=f"{len(findings)} checks, {words}",
        quick=quick,
        tables={"checks": rows},
        drawings=drawings,
        sections=[
            Section(
                "Checks",
                "Each line a promise that every page of cortwin keeps; a dash where there is nothing to measure.",
                tables=[
                    Table(
                        "Measured, and the bar.",
                        {"check": "check", "variant": "variant", "": "", "numbers": "measured", "text": "what"},
                        records="shown",
                    )
                ],
            ),
            Section("Equations", drawings=[drawing.name for drawing in drawings]),
        ],
        shown={"shown": shown},
    )
