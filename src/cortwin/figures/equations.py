"""A page's equations, typeset from the texts that ran: textbook over rate over spiking."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.textpath import TextToPath

from cortwin.figures.equation_lines import Line, constant_text, pathway_lines, population_lines, textbook_lines
from cortwin.figures.style import DOUBLE, FAINT, INK, SOFT, colour_of, drawing, label_of

TEXTBOOK_FIRST, TEXTBOOK_SECOND = ("recurrence", "step"), ("activation", "output")
ROLE_TITLES = {"recurrence": "as printed", "step": "leaky", "activation": "activation", "output": "readout"}
SIZE_TITLES = {
    "inputs": "each input",
    "units": "each unit",
    "outputs": "each output",
    "slots": "each slot",
    **dict.fromkeys(("neurons", "input_neurons", "output_neurons"), "each neuron"),
}

# Distances in points.
GUTTER, MARGIN, BETWEEN_COLUMNS, BEFORE_REMARK, LEADING = 62.0, 5.0, 26.0, 9.0, 5.5
MANY = 6  # parts of the same text that are shown once
FORMULA_SIZE, TITLE_SIZE, REMARK_SIZE = 9.5, 5.8, 6.2
CONSTANT_SIZE, ROW, APART = 7.5, 12.0, r" \qquad "


@dataclass(frozen=True)
class _Entry:
    """A line or a small title, with its extent in points at full size."""

    text: str
    size: float
    colour: str
    width: float
    ascent: float
    descent: float
    remark: str = ""


@drawing
def typeset_page(page: Mapping[str, Any], writings: Sequence[str] = ("textbook", "rate", "spiking")) -> Figure:
    """Typeset the equations of a page, one writing below the other: on the left the state, on the right what it hears.

    Parameters
    ----------
    page : texts as `page_texts` collects them
    writings : which ones, from top to bottom; one that the page does not have is left out

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        Naming the text that cannot be typeset.
    """
    columns = {name: _columns(name, page[name]) for name in writings if page.get(name)}
    constants = [constant_text(name, value) for name, value in page.get("constants", {}).items()]
    width = 72 * DOUBLE
    left, right = (max((_reach(entry) for pair in columns.values() for entry in pair[k]), default=0.0) for k in (0, 1))
    free = width - GUTTER - 2 * MARGIN - BETWEEN_COLUMNS
    scale = min(1.0, free / max(left + right, 1.0))
    second = GUTTER + MARGIN + scale * left + BETWEEN_COLUMNS + 0.4 * max(free - left - right, 0.0)
    heights = {name: scale * max(_height(part) for part in pair) for name, pair in columns.items()}
    rows = list(_rows(constants, width - GUTTER - 2 * MARGIN))
    gap, footer = 15.0, 6.0 + ROW * len(rows) if rows else 0.0
    total = sum(heights.values()) + gap * max(len(heights), 1) + footer
    figure = Figure(figsize=(DOUBLE, total / 72))

    top = total - gap / 2
    for number, (name, pair) in enumerate(columns.items()):
        if number:
            _rule(figure, width, total, (0, width), (top + gap / 2, top + gap / 2), color=FAINT, linewidth=0.4)
        figure.text(
            2 / width, (top - 1) / total, label_of(name).replace(" ", "\n"),
            color=colour_of(name), fontsize=7.5, fontweight="bold", va="top",
        )  # fmt: skip
        _rule(
            figure,
            width,
            total,
            (GUTTER - 8, GUTTER - 8),
            (top, top - heights[name]),
            color=colour_of(name),
            linewidth=1.4,
        )
        for start, part in zip((GUTTER + MARGIN, second), pair, strict=True):
            _write(figure, part, start / width, top, total, scale, width)
        top -= heights[name] + gap
    if constants:
        _rule(figure, width, total, (0, width), (footer, footer), color=FAINT, linewidth=0.4)
        for number, text in enumerate(rows):
            place = ((GUTTER + MARGIN) / width, (footer - 3 - ROW * (number + 0.5)) / total)
            figure.text(*place, f"${text}$", fontsize=CONSTANT_SIZE, math_fontfamily="stix", color=SOFT, va="center")
        figure.text(2 / width, (footer - 3 - ROW / 2) / total, "constants", color=SOFT, fontsize=6.5, va="center")
    if not columns:
        figure.set_size_inches(DOUBLE, 0.5)
        figure.text(
            0.5, 0.5, "this page has no equations to typeset", color=SOFT, style="italic", ha="center", va="center"
        )
    return figure


def _rows(constants: Sequence[str], width: float) -> Iterator[str]:
    """Yield rows of constants that are no wider than a number of points, where one by itself is not."""
    row: list[str] = []
    for constant in constants:
        longer = APART.join([*row, constant])
        if row and _extent(f"${longer}$", CONSTANT_SIZE)[0] > width:
            yield APART.join(row)
            row = []
        row.append(constant)
    if row:
        yield APART.join(row)


def _columns(name: str, texts: Mapping[str, Any]) -> tuple[list[_Entry], list[_Entry]]:
    """Return what stands on the left and on the right of one writing."""
    if name == "textbook":
        lines = textbook_lines(texts)
        left = [(ROLE_TITLES[role], lines[role]) for role in TEXTBOOK_FIRST if role in lines]
        right = [(ROLE_TITLES[role], lines[role]) for role in TEXTBOOK_SECOND if role in lines]
    else:
        left = [
            (_population_title(label, population), population_lines(population))
            for label, population in _in_order(texts, "populations")
        ]
        right = [
            (f"{label}: {pathway['source']} → {pathway['target']}", pathway_lines(pathway))
            for label, pathway in _in_order(texts, "pathways")
        ]
    return list(_entries(left)), list(_entries(_together(right)))


def _together(parts: list[tuple[str, list[Line]]]) -> list[tuple[str, list[Line]]]:
    """Show what many parts have in common once: a circuit has dozens of pathways of the same text."""
    alike: dict[tuple[Line, ...], list[str]] = {}
    for title, lines in parts:
        alike.setdefault(tuple(lines), []).append(title)
    shown = set()
    found = []
    for title, lines in parts:
        titles = alike[tuple(lines)]
        if len(titles) < MANY:
            found.append((title, lines))
        elif titles[0] not in shown:
            shown.add(titles[0])
            found.append((f"{title}, and {len(titles) - 1} others", lines))
    return found


def _in_order(texts: Mapping[str, Any], kind: str) -> list[tuple[str, Any]]:
    """Return populations or pathways as the page has them; texts without an order keep their own."""
    order = texts.get("order") or list(texts[kind])
    return [(label, texts[kind][label]) for label in order if label in texts[kind]]


def _population_title(name: str, texts: Mapping[str, Any]) -> str:
    each = SIZE_TITLES.get(texts.get("size", ""), "")
    title = f"{name}: {each}" if each and name not in each else name
    sources = sorted({target.partition(".")[0] for target in texts.get("linked", {}).values()})
    return f"{title} hears {', '.join(texts['linked'])} of {', '.join(sources)}" if sources else title


def _entries(parts: list[tuple[str, list[Line]]]) -> Iterator[_Entry]:
    for title, lines in parts:
        if lines:
            yield _Entry(title, TITLE_SIZE, SOFT, *_extent(title, TITLE_SIZE))
        for line in lines:
            yield _Entry(
                f"${line.formula}$", FORMULA_SIZE, INK, *_extent(f"${line.formula}$", FORMULA_SIZE), remark=line.remark
            )


def _extent(text: str, size: float, math: str = "stix") -> tuple[float, float, float]:
    """Return width, ascent and descent of a text in points."""
    font = FontProperties(size=size, math_fontfamily=math)
    width, height, descent = TextToPath().get_text_width_height_descent(text, font, ismath="$" in text)
    return width, height - descent, descent


def _reach(entry: _Entry) -> float:
    return entry.width + (BEFORE_REMARK + _extent(entry.remark, REMARK_SIZE, "dejavusans")[0] if entry.remark else 0.0)


def _height(entries: Sequence[_Entry]) -> float:
    return sum(_step(entry, first=k == 0) for k, entry in enumerate(entries)) - LEADING if entries else 0.0


def _step(entry: _Entry, *, first: bool) -> float:
    above = 4.0 if entry.size == TITLE_SIZE and not first else 0.0
    return above + entry.ascent + entry.descent + LEADING


def _write(
    figure: Figure, entries: Sequence[_Entry], x: float, top: float, total: float, scale: float, width: float
) -> None:
    y = top
    for k, entry in enumerate(entries):
        bottom = y - scale * _step(entry, first=k == 0)
        baseline = (bottom + scale * (entry.descent + LEADING)) / total
        figure.text(
            x,
            baseline,
            entry.text,
            fontsize=scale * entry.size,
            color=entry.colour,
            math_fontfamily="stix",
            va="baseline",
        )
        if entry.remark:
            figure.text(
                x + scale * (entry.width + BEFORE_REMARK) / width, baseline, entry.remark,
                fontsize=scale * REMARK_SIZE, color=SOFT, va="baseline",
            )  # fmt: skip
        y = bottom


def _rule(
    figure: Figure, width: float, total: float, x: tuple[float, float], y: tuple[float, float], **look: Any
) -> None:
    """Draw a straight line between two points, in points from the lower left corner."""
    figure.add_artist(Line2D([k / width for k in x], [k / total for k in y], transform=figure.transFigure, **look))
