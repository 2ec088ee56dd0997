"""Write a figure to disk, the same bytes each time."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

PNG_DPI = 200
RASTER_DPI = 300  # of the parts of an SVG that are pictures, for instance the dots of a raster


def save(figure: Figure, folder: Path, name: str) -> tuple[Path, Path]:
    """Write ``folder/name.svg`` and ``folder/name.png``.

    Text in the SVG is drawn as outlines, so that it needs no font.

    Parameters
    ----------
    figure : what is written
    folder : an existing folder
    name : file name without ending

    Returns
    -------
    tuple of Path
        The SVG and the PNG.
    """
    svg, png = folder / f"{name}.svg", folder / f"{name}.png"
    # Matplotlib names the parts of an SVG at random unless it is given a salt, and stamps files with date and version.
    with mpl.rc_context({"svg.hashsalt": name, "svg.fonttype": "path"}):
        figure.savefig(svg, dpi=RASTER_DPI, metadata={"Date": None, "Creator": None})
        figure.savefig(png, dpi=PNG_DPI, metadata={"Software": None})
    return svg, png
