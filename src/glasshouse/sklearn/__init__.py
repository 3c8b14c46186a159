"""The pack as scikit-learn's estimators, for pipelines, searches and cross-validation."""

from __future__ import annotations

from glasshouse.sklearn.estimators import PackClassifier, PackRegressor

__all__ = ["PackClassifier", "PackRegressor"]
