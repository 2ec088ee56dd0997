"""What Brian2 asks for, and what a fast path answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Request:
    """A code object that Brian2 asks for.

    Parameters
    ----------
    device : which device
    owner : the Brian2 object that it belongs to
    abstract_code : its statements, or a dict of them
    variables : Brian2 variable by name
    template : name of Brian2's template
    indices : name of the index of each variable
    keywords : what Brian2 tells the template
    """

    device: Any
    owner: Any
    abstract_code: Any
    variables: Mapping[str, Any]
    template: str
    indices: Mapping[str, str]
    keywords: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Choice:
    """A template of ours, and what it is told besides what Brian2 tells every template.

    Parameters
    ----------
    template : its name
    keywords : what it is told
    variables : Brian2 variables that take the place of others in the translation of the statements, by name
    headers : what its files include, as it stands behind ``#include``
    abstract_code : statements that take the place of Brian2's; None for its own
    flags : compiler flags besides those of the profile; `cortwin.cpp.units.SETUP` for what runs once
    """

    template: str
    keywords: Mapping[str, Any] = field(default_factory=dict)
    variables: Mapping[str, Any] = field(default_factory=dict)
    headers: tuple[str, ...] = ()
    abstract_code: Any = None
    flags: tuple[str, ...] = ()
