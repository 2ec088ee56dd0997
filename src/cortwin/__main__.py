"""`python -m cortwin` is the command."""

from __future__ import annotations

from cortwin.cli import main

if __name__ == "__main__":
    main()
