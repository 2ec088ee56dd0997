"""`cortwin cache` and `cortwin doctor`: what is installed and built."""

from __future__ import annotations

from typing import Annotated

import typer

from cortwin.cli.app import FAILURE, app
from cortwin.cli.output import say, say_error


@app.command("cache")
def _cache(clear: Annotated[bool, typer.Option("--clear", help="Remove all builds.")] = False) -> None:
    """Show or clear the cache of compiled models."""
    from cortwin.brian2_import import import_brian2

    import_brian2()
    from cortwin.cpp import cache

    if clear:
        entries, size = cache.clear()
        say(f"removed {entries} builds, {size / 2**20:.1f} MiB")
    else:
        path, entries, size = cache.summary()
        say(f"{path}: {entries} builds, {size / 2**20:.1f} MiB")


@app.command("doctor")
def _doctor() -> None:
    """Check the installation, and say what to do."""
    from cortwin.doctor import examine

    broken = []
    for finding in examine():
        mark = "ok" if finding.ok else "BROKEN" if finding.essential else "missing"
        say(f"{mark:8}{finding.what:18}{finding.found}")
        if not finding.ok:
            say(f"{'':8}{'':18}-> {finding.advice}")
            broken += [finding.what] if finding.essential else []
    if broken:
        say_error(f"cortwin cannot run: {', '.join(broken)}")
        raise typer.Exit(FAILURE)
    say("cortwin is ready")
