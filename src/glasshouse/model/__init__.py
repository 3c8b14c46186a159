"""What a user holds: a model that predicts, and the `.glass` file that it is kept in.

`Model` and `load` bring torch with them, so they come when they are first asked for; the file's reader does without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glasshouse.model.file import FILE_NAME, load_parts, save_parts, weights_sha256
from glasshouse.model.parts import ModelParts, Origin
from glasshouse.model.uncertainty import Uncertainty

if TYPE_CHECKING:
    from glasshouse.model.model import Model, Prediction, load

__all__ = [
    "FILE_NAME",
    "Model",
    "ModelParts",
    "Origin",
    "Prediction",
    "Uncertainty",
    "load",
    "load_parts",
    "save_parts",
    "weights_sha256",
]

_WITH_TORCH = ("Model", "Prediction", "load")


def __getattr__(name: str) -> Any:
    if name not in _WITH_TORCH:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from glasshouse.model import model

    return getattr(model, name)
