"""Studies: data sets x models x seeds, compared on held-out rows, in a folder that resumes."""

from ..analysis.compare import Comparison as Comparison
from ..analysis.compare import compare as compare
from .report import report as report
from .result import StudyResult as StudyResult
from .runner import Event as Event
from .runner import run_study as run_study
