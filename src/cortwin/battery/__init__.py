"""The battery: what every page of a network promises, ours and a user's own, each promise measured against its bar."""

from __future__ import annotations

from cortwin.battery.findings import Finding as Finding
from cortwin.battery.findings import Found as Found
from cortwin.battery.findings import Missing as Missing
from cortwin.battery.page import check_page as check_page
from cortwin.battery.page import checks_of as checks_of
from cortwin.battery.page import load_page as load_page
from cortwin.battery.subject import Subject as Subject
from cortwin.battery.template import new_page as new_page
from cortwin.battery.trained import Trained as Trained
from cortwin.battery.trained import measure_trained as measure_trained
from cortwin.battery.variants import variants as variants
