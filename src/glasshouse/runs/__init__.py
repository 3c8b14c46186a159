"""Runs: the verbs over run folders. Here the rooms meet; each verb is a few stages that hand values on."""

from __future__ import annotations

from glasshouse.runs.compare import Comparison, compare
from glasshouse.runs.evaluate import Evaluation, evaluate, predict
from glasshouse.runs.folder import Run, open_run, report
from glasshouse.runs.prepare import CheckResult, check
from glasshouse.runs.reproduce import Reproduction, reproduce
from glasshouse.runs.train import train

__all__ = [
    "CheckResult",
    "Comparison",
    "Evaluation",
    "Reproduction",
    "Run",
    "check",
    "compare",
    "evaluate",
    "open_run",
    "predict",
    "report",
    "reproduce",
    "train",
]
