"""How long a work takes, here and in other libraries, each in processes of its own that take turns."""

from __future__ import annotations

from cortwin.speed.case import Case as Case
from cortwin.speed.race import COMMAND as COMMAND
from cortwin.speed.race import CONTESTANTS as CONTESTANTS
from cortwin.speed.race import Contestant as Contestant
from cortwin.speed.race import Race as Race
from cortwin.speed.race import installed as installed
from cortwin.speed.race import trainers as trainers
