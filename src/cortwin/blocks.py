"""Blocks: the synapses of one trial, which a compiled program repeats for all trials of a batch.

Trials share their weights. So a pathway needs one set of synapses whatever the number of trials, as long as nothing of
a synapse changes while the network runs; and where everything is connected to everything, to itself or to what it
belongs to, source and target of a synapse are arithmetic and need no array.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from cortwin.equations import definitions, statements
from cortwin.model import Writing

ALL_TO_ALL, ONE_TO_ONE, CONVERGENT = KINDS = ("all_to_all", "one_to_one", "convergent")
# What a synapse's text can say of its place in the network: it would be another one in another trial.
PLACES = re.compile(r"\b(i|j|N|i_pre|i_post|N_pre|N_post|N_incoming|N_outgoing)\b")


@dataclass(frozen=True)
class Block:
    """Synapses numbered by source, then target, within each of several trials that share them.

    Parameters
    ----------
    connect : one of `KINDS`
    trials : how often sources and targets are repeated, trial after trial
    sources, targets : elements of one trial
    """

    connect: str
    trials: int
    sources: int
    targets: int

    @property
    def size(self) -> int:
        """Number of synapses."""
        return self.sources * self.targets if self.connect == ALL_TO_ALL else self.sources

    @property
    def fan(self) -> int:
        """Sources that converge on a target."""
        return self.size // self.targets


def mark(synapses: Any, block: Block) -> None:
    """Mark Brian2 Synapses as a block."""
    synapses.add_attribute("block_of_trials")
    synapses.block_of_trials = block


def marked(synapses: Any) -> Block | None:
    """Return the block that some Brian2 object was marked as."""
    found = getattr(synapses, "block_of_trials", None)
    return found if isinstance(found, Block) else None


def shareable(text: Writing, name: str) -> bool:
    """Tell whether one set of synapses can serve every trial of a pathway.

    Parameters
    ----------
    text : the writing
    name : of the pathway
    """
    pathway = text.pathways[name]
    if pathway.connect not in KINDS or pathway.random or PLACES.search(f"{pathway.equations}\n{pathway.on_pre or ''}"):
        return False
    own = definitions("\n".join(line for line in pathway.equations.splitlines() if "(summed)" not in line), name)
    written = {statement.name for statement in statements(pathway.on_pre or "", name)}
    fixed = all(item.kind == "subexpression" or "constant" in item.flags for item in own)
    return fixed and all(variable.endswith("_post") for variable in written)


def shared(text: Writing) -> tuple[str, ...]:
    """Return the names of the pathways of a writing whose synapses serve every trial."""
    return tuple(name for name in text.pathways if shareable(text, name))
