"""`cortwin list`: the experiments and the models."""

from __future__ import annotations

from cortwin import catalogue
from cortwin.cli.app import app
from cortwin.cli.output import make_console


@app.command("list")
def _list() -> None:
    """List the experiments and the models."""
    from rich.markup import escape
    from rich.table import Table

    console = make_console()
    for title, package in (("experiments", catalogue.EXPERIMENTS), ("models", catalogue.MODELS)):
        table = Table.grid(padding=(0, 2))
        for entry in catalogue.entries(package).values():
            table.add_row(f"  [bold]{escape(entry.name)}[/bold]", escape(entry.summary))
        console.print(f"{title}:" if table.rows else f"{title}: none")
        console.print(table)
