"""Errors that end a command in one clear line."""


class CortwinError(ValueError):
    """Something that a user can mend: the message names the object, the rule, the offending value and what to do."""


class RunFailed(CortwinError):
    """A simulation ended without results that can be believed.

    Parameters
    ----------
    message : one line
    log : the last lines of what the program said
    """

    def __init__(self, message: str, log: str = ""):
        super().__init__(message)
        self.log = log
