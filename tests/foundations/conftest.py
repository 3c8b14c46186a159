"""Each test draws the same numbers, whichever run before it."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def same_numbers(request: pytest.FixtureRequest) -> None:
    """Sets a module's shared generator back to its start."""
    shared = getattr(request.module, "RANDOM", None)
    if shared is not None:
        shared.bit_generator.state = np.random.default_rng(0).bit_generator.state
