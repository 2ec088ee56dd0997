"""`cortwin explain`: which templates a model's code is made from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cortwin.cli.app import app
from cortwin.cli.output import make_console

if TYPE_CHECKING:
    from cortwin.cpp.explanation import Line


@app.command("explain")
def _explain(
    page: Annotated[str, typer.Argument(metavar="MODEL", help="Name of a page, or a file ./my_page.py.")],
    profile: Annotated[str, typer.Option(metavar="PROFILE", help="release, strict or stock.")] = "release",
) -> None:
    """Say which code objects of a model take a fast path, and why the others take Brian2's own."""
    from cortwin.brian2_import import import_brian2

    import_brian2()
    from cortwin import catalogue
    from cortwin.battery import load_page, variants
    from cortwin.cpp.explanation import explain

    module = load_page(Path(page)) if page.endswith(".py") else catalogue.page_module(page)
    model = module.model(**variants(module)[0])
    lines, lacking = explain(model, profile)
    console = make_console()
    for writing in dict.fromkeys(line.writing for line in lines):
        own = [line for line in lines if line.writing == writing]
        fast = sum(line.used != line.stock for line in own)
        console.print(f"{model.name}, {writing}: {fast} of {len(own)} code objects from templates of cortwin")
        console.print(_table(own))
    for writing, reason in lacking.items():
        console.print(f"{model.name} has no {writing} writing: {reason}")


def _table(lines: list[Line]) -> Any:
    from rich.markup import escape
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    common = tuple(flag for flag in lines[0].flags if all(flag in line.flags for line in lines))
    table.add_row("  [bold]code object[/bold]", "[bold]template[/bold]", "[bold]flags[/bold]", "[bold]why[/bold]")
    for line in lines:
        own = " ".join(flag for flag in line.flags if flag not in common) or "-"
        words = "a fast path" if line.used != line.stock else line.reason or "there is no fast path for it"
        name = line.code_object.removesuffix("_codeobject")
        table.add_row(f"  {escape(name)}", escape(line.used), own, escape(words))
    table.add_row("  all", "", "", escape(" ".join(common)))
    return table
