"""The report of a run: one page that explains itself."""

from glasshouse.report.page import render

__all__ = ["render"]
