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
    one, other = dict(_facts(first)), dict(_facts(second))
    return [
        Cause(what, one.get(what, NOT_RECORDED), other.get(what, NOT_RECORDED))
        for what in [*one, *(what for what in other if what not in one)]
        if one.get(what) != other.get(what)
    ]


def _facts(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in ("experiment", "seed", "quick", "engine"):
        if name in manifest:
            yield name, _text(manifest[name])
    for name, digest in manifest.get("inputs", {}).items():
        yield f"content of the file {name}", _short(digest)
    script = {"experiment": manifest["script"]["sha256"]} if "script" in manifest else {}
    sources = manifest.get("sources", script)
    for name in ("cortwin", "experiment"):
        if name in sources:
            yield f"source of {'the engine' if name == 'cortwin' else 'the experiment'}", _short(sources[name])
    for name, digest in sources.get("imports", {}).items():
        yield f"source of {name}", _short(digest)
    if git := manifest.get("git"):
        yield "git revision", f"{git['revision'][:12]}{' with changes' if git['modified'] else ''}"
    versions = dict(manifest.get("versions", {}))
    for name in _PACKAGES:
        if name in versions:
            yield name, versions.pop(name)
    if "python" in manifest:
        yield "python", manifest["python"]
    for name, value in manifest.get("records", {}).items():
        if name != "repeats":
            yield from _flat(name, value)
    for name, value in manifest.get("environment", {}).items():
        yield f"environment {name}", value
    yield from _flat("machine", manifest.get("machine", {}))
    yield from versions.items()


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
