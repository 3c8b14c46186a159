"""One seed a run, and from it an independent one for every purpose."""

from __future__ import annotations

import hashlib

PURPOSES = ("split", "folds", "sample", "initialise", "batches", "dropout", "bootstrap", "probe")


def derive_seed(seed: int, purpose: str) -> int:
    """A 63-bit seed for one purpose, so that drawing more for one never shifts another.

    Example:
        >>> derive_seed(0, "split") == derive_seed(0, "split") != derive_seed(0, "batches")
        True
    """
    digest = hashlib.sha256(f"{seed}:{purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def all_seeds(seed: int) -> dict[str, int]:
    """The root seed and every derived one, as the manifest records them."""
    return {"root": seed, **{purpose: derive_seed(seed, purpose) for purpose in PURPOSES}}
