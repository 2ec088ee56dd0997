"""The command `cortwin`: run experiments, look at what they left, look after the installation."""

from cortwin.cli.app import app as app
from cortwin.cli.entry import main as main
from cortwin.cli.threads import THREAD_VARIABLES as THREAD_VARIABLES
