"""Where two runs differ, and why they may: files byte by byte, values place by place, and what each came from."""

from cortwin.provenance.causes import Cause as Cause
from cortwin.provenance.causes import causes as causes
from cortwin.provenance.files import CLOCKED as CLOCKED
from cortwin.provenance.files import FileComparison as FileComparison
from cortwin.provenance.files import compare_files as compare_files
from cortwin.provenance.metrics import MetricDifference as MetricDifference
from cortwin.provenance.metrics import MetricsComparison as MetricsComparison
from cortwin.provenance.metrics import compare_metrics as compare_metrics
from cortwin.provenance.metrics import compare_parameters as compare_parameters
from cortwin.provenance.page import difference_page as difference_page
from cortwin.provenance.page import metrics_in_words as metrics_in_words
from cortwin.provenance.repetition import Repetition as Repetition
from cortwin.provenance.repetition import repetition as repetition
