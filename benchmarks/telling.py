"""How a bench tells what it found; apart from the others, because not every bench may load torch."""

from __future__ import annotations

import json
from typing import Any


def show(found: dict[str, Any], *, as_json: bool) -> None:
    """Prints one JSON object, or a line a figure."""
    if as_json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:26} {value:.3g}" if isinstance(value, float) else f"{name:26} {value}")
