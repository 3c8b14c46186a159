"""Small tables that several tests share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from glasshouse.data.frame import Frame
from glasshouse.data.infer import infer_schema
from glasshouse.data.read import read
from glasshouse.data.schema import Schema


def houses(num_rows: int = 200, seed: int = 0) -> pl.DataFrame:
    """A typed table with a gap, a flag, two categories and a date; the price depends on area and quarter."""
    random = np.random.default_rng(seed)
    area = random.normal(100, 30, num_rows).round(2)
    quarter = random.choice(["north", "south", "east"], num_rows)
    street = random.choice([f"street {place}" for place in range(12)], num_rows)
    days = random.integers(0, 1000, num_rows)
    return pl.DataFrame(
        {
            "area": pl.Series(area).set(pl.Series(random.random(num_rows) < 0.1), None),
            "rooms": random.integers(1, 9, num_rows),
            "garden": random.choice(["yes", "no"], num_rows),
            "quarter": quarter,
            "street": street,
            "sold": pl.Series(15_000 + days).cast(pl.Int32).cast(pl.Date),
            "price": (area * 3 + (quarter == "north") * 50 + random.normal(0, 5, num_rows)).round(2),
        }
    )


def as_text(table: pl.DataFrame) -> pl.DataFrame:
    """The table as a CSV file would bring it."""
    return table.select(pl.all().cast(pl.String).fill_null(""))


def known(columns: Mapping[str, Sequence[object]], target: str | None, **kinds: str) -> tuple[Frame, Schema]:
    """A frame of a mapping, and its schema."""
    frame = read(columns)
    return frame, infer_schema(frame, target, kinds)  # type: ignore[arg-type]
