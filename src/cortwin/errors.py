"""Errors that end a command in one clear line."""


class CortwinError(ValueError):
    """Something that a user can mend: the message names the object, the rule, the offending value and what to do."""


class RunFailed(CortwinError):
    """A simulation ended without results that can be believed."""
