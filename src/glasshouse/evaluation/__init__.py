"""Judging a model: scores with intervals, baselines, calibration, conformal coverage, slices."""
