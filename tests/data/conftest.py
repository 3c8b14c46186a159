"""Room-wide set-up."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True, scope="session")
def scikit_learn_loaded() -> None:
    """Importing scikit-learn sets two environment variables for good; no single test is to blame for it."""
    import sklearn.datasets
    import sklearn.tree  # noqa: F401
