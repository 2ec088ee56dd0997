"""Why two runs may differ: everything about their origin that is not the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

NOT_RECORDED = "not recorded"
# What comes first is the likelier cause.
_PACKAGES = ("cortwin", "brian2", "numpy", "jax", "jaxlib", "scipy")


@dataclass(frozen=True)
class Cause:
    """One fact that is not the same in two runs.

    Parameters
    ----------
    what : for instance ``"numpy"`` or ``"source of models.elman"``
    first, second : the fact in each run, as text
    """

    what: str
    first: str
    second: str


def causes(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[Cause]:
    """Return the facts in which two manifests differ, the likelier causes of a difference first.

    Parameters
    ----------
    first, second : manifests; facts that an older version did not record are said to be so
    """
    one, other = _facts(first), _facts(second)
    found = []
    for kind in one:
        for what in [*one[kind], *(what for what in other[kind] if what not in one[kind])]:
            facts = one[kind].get(what, NOT_RECORDED), other[kind].get(what, NOT_RECORDED)
            if facts[0] != facts[1]:
                found.append(Cause(what, *facts))
    return found


def _facts(manifest: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return kind -> fact -> text, the kinds that are the likelier causes first."""
    versions = dict(manifest.get("versions", {}))
    main = {name: versions.pop(name) for name in _PACKAGES if name in versions}
    records = {name: value for name, value in manifest.get("records", {}).items() if name != "repeats"}
    return {
        "run": {name: _text(manifest[name]) for name in ("experiment", "seed", "quick", "engine") if name in manifest},
        "inputs": {
            f"content of the file {name}": _short(digest) for name, digest in manifest.get("inputs", {}).items()
        },
        "sources": _sources(manifest),
        "versions": main | ({"python": manifest["python"]} if "python" in manifest else {}),
        "compiler": dict(_flat("compiler", records.pop("compiler", {}))),
        "environment": {f"environment {name}": value for name, value in manifest.get("environment", {}).items()},
        "machine": dict(_flat("machine", manifest.get("machine", {}))),
        "records": dict(_flat("recorded", records)),
        "other versions": versions,
    }


def _sources(manifest: Mapping[str, Any]) -> dict[str, str]:
    script = {"experiment": manifest["script"]["sha256"]} if "script" in manifest else {}
    sources = manifest.get("sources", script)
    facts = {
        f"source of the {word}": _short(sources[name])
        for name, word in (("cortwin", "engine"), ("experiment", "experiment"))
        if name in sources
    }
    facts |= {f"source of {name}": _short(digest) for name, digest in sources.get("imports", {}).items()}
    if git := manifest.get("git"):
        facts["git revision"] = f"{git['revision'][:12]}{' with changes' if git['modified'] else ''}"
    return facts


def _flat(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flat(f"{name} {key}", item)
    else:
        yield name, _text(value)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _short(digest: str) -> str:
    return digest[:12]
