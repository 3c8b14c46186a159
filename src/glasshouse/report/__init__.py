"""The report of a run, one page that explains itself; and the picture of a lesson."""

from glasshouse.report.lines import lines_page
from glasshouse.report.page import render

__all__ = ["lines_page", "render"]
