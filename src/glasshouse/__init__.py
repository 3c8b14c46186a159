"""Grow neural networks where you can see them: from a raw table to a trained, explained, documented network.

Importing this loads no torch and no polars; the verbs load what they need when they are first used.

Example:
    >>> import glasshouse as gh
    >>> gh.__version__
    '0.1.0'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glasshouse.core.errors import (
    DataError,
    GlasshouseError,
    ModelFileError,
    NetworkError,
    ServingError,
    SettingsError,
    TrainingError,
)

if TYPE_CHECKING:
    from glasshouse.data.read import read
    from glasshouse.model import load
    from glasshouse.runs.train import train

__version__ = "0.1.0"

__all__ = [
    "train",
    "load",
    "read",
    "GlasshouseError",
    "SettingsError",
    "DataError",
    "NetworkError",
    "TrainingError",
    "ModelFileError",
    "ServingError",
    "__version__",
]

# The rooms behind the verbs import torch and polars: seconds that a look at the version need not cost.
_VERBS = {"train": "glasshouse.runs", "load": "glasshouse.model", "read": "glasshouse.data"}


def __getattr__(name: str) -> Any:
    if name not in _VERBS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_VERBS[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_VERBS])
