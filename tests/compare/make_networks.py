"""Run every Brian2 network of the tests in XLA and in C++, and write the table of what agrees beside this file.

``python tests/compare/make_networks.py`` takes some minutes.
"""

from __future__ import annotations

import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from brian2_networks import NETWORKS  # noqa: E402
from network_equality import RELATIVE, Row, compared, in_cpp  # noqa: E402

HEAD = f"""# Networks of plain Brian2 in XLA and in C++

Written by `python tests/compare/make_networks.py`. The networks stand in `tests/brian2_networks.py`; both compilers get
the random numbers that Brian2's generator draws in C++. Difference: the largest of any recorded value, relative to the
largest value of its variable. A network parts where an event differs or a value by more than {RELATIVE:g}.

"""


def line(name: str, row: Row) -> str:
    """Return a network's line of the table."""
    events = f"{row.equal} of {row.spikes}" + (f", {row.extra} more" if row.extra else "") if row.spikes else ""
    parts = f"step {row.parts[0]}, {row.parts[1]}" if row.parts else ""
    difference = f"{row.difference:.0e}" if row.values else ""
    recorded = ", ".join(f"`{one}`" for one in dict.fromkeys(row.recorded))
    return f"| `{name}` | {row.objects} | {recorded} | {row.values or ''} | {difference} | {events} | {parts} |"


def main() -> None:
    """Compile, run, compare, write."""
    with tempfile.TemporaryDirectory() as folder:
        found = in_cpp(tuple(NETWORKS), Path(folder))
    rows = {name: compared(name, "cpp", expected) for name, expected in found.items()}
    versions = ", ".join(f"{package} {version(package)}" for package in ("brian2", "numpy", "jax"))
    lines = [
        "| network | objects | recorded | values | difference | equal spikes | parts at |",
        "|---|---|---|---|---|---|---|",
        *(line(name, row) for name, row in rows.items()),
        "",
        f"{sum(row.agrees for row in rows.values())} of {len(rows)} networks agree throughout; {versions}.",
    ]
    (HERE / "networks.md").write_text(HEAD + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
