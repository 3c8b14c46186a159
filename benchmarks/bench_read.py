"""Reading and encoding a large table of mixed types, beside pandas with scikit-learn's ColumnTransformer.

    python benchmarks/bench_read.py [--json] [--rows N] [--repeats N]

`pandas_over_ours`: the seconds of `pandas.read_csv` and a ColumnTransformer (numbers: median imputed and standardised;
words: the commonest imputed, one-hot up to 8 values, else ordinal codes), over those of ours from the same file to the
same content: read, infer the schema, fit the encoder, encode. `memory_over_size` is how much our process grows at most,
over the size of the file. Each run is a process of its own, in turns; imports are not timed; both use every core. The
encoded numbers of both are compared before anything is said.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
NUMBERS, WHOLE, FEW, MANY, TRUTHS, DATES = 12, 6, 5, 3, 2, 2  # columns of each kind: 30 together
CHUNK = 100_000


def write_table(path: Path, rows: int, seed: int = 0) -> None:
    """A file of 30 columns: numbers (some missing), whole numbers, words of few and of many values, yes/no, dates."""
    import pandas as pd

    random = np.random.default_rng(seed)
    for first in range(0, rows, CHUNK):
        count = min(CHUNK, rows - first)
        columns: dict[str, Any] = {}
        for place in range(NUMBERS):
            values = np.round(random.normal(50.0, 20.0, count), 3)
            columns[f"number_{place}"] = np.where(random.random(count) < 0.05 * (place % 3), np.nan, values)
        for place in range(WHOLE):
            columns[f"whole_{place}"] = random.integers(0, 10 ** (place + 2), count)
        for place in range(FEW):
            columns[f"few_{place}"] = random.choice([f"value {k}" for k in range(3 + place)], count)
        for place in range(MANY):
            columns[f"many_{place}"] = random.choice([f"town {k}" for k in range(50 * 4**place)], count)
        for place in range(TRUTHS):
            columns[f"truth_{place}"] = random.choice(["yes", "no"], count)
        for place in range(DATES):
            days = np.datetime64("2015-01-01") + random.integers(0, 3650, count).astype("timedelta64[D]")
            columns[f"date_{place}"] = days.astype(str)
        pd.DataFrame(columns).to_csv(path, mode="a", header=first == 0, index=False)


def ours(path: Path) -> tuple[dict[str, float], Any]:
    """Seconds of each stage, and the encoded numbers (rows, columns)."""
    from glasshouse.core.settings import EncodeSettings
    from glasshouse.data import encode, fit_encoder, infer_schema, read

    stages, mark = {}, time.perf_counter()
    frame = read(path)
    stages["read"], mark = time.perf_counter() - mark, time.perf_counter()
    schema = infer_schema(frame, None)
    stages["infer"], mark = time.perf_counter() - mark, time.perf_counter()
    encoder = fit_encoder(frame, schema, np.arange(frame.num_rows), EncodeSettings(scaling="standard"))
    stages["fit"], mark = time.perf_counter() - mark, time.perf_counter()
    features = encode(frame, schema, encoder)
    stages["encode"] = time.perf_counter() - mark
    places = [place for place, code in enumerate(encoder.numbers) if code.column.startswith(("number", "whole"))]
    return stages, features.numbers[:, places]


def pandas_and_sklearn(path: Path) -> tuple[dict[str, float], Any]:
    """The same by what most people write."""
    import pandas as pd
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

    stages, mark = {}, time.perf_counter()
    frame = pd.read_csv(path, parse_dates=[f"date_{place}" for place in range(DATES)])
    stages["read"], mark = time.perf_counter() - mark, time.perf_counter()
    for name in [f"date_{place}" for place in range(DATES)]:
        times = frame.pop(name)
        parts = {"year": times.dt.year, "month": times.dt.month, "day": times.dt.day, "weekday": times.dt.day_of_week}
        for part, values in parts.items():
            frame[f"{name}_{part}"] = values.astype(np.float32)
    numbers = frame.select_dtypes("number").columns.tolist()
    words = [name for name in frame.columns if name not in numbers]
    few = [name for name in words if frame[name].nunique() <= 8]
    many = [name for name in words if name not in few]
    encoder = ColumnTransformer([
        ("numbers", make_pipeline(StandardScaler(), SimpleImputer(strategy="constant", fill_value=0.0)), numbers),
        ("few", OneHotEncoder(sparse_output=False, dtype=np.float32), few),
        ("many", OrdinalEncoder(dtype=np.float32), many),
    ])  # fmt: skip
    encoded = encoder.fit_transform(frame).astype(np.float32)
    stages["encode"] = time.perf_counter() - mark
    own = [numbers.index(name) for name in numbers if name.startswith(("number", "whole"))]
    return stages, encoded[:, own]


def one_run(which: str, path: Path) -> dict[str, Any]:
    """What one process prints: its stages, how it grew, and the mean and the spread of what it encoded."""
    if which == "ours":
        import sklearn.base
    else:
        import sklearn.compose  # noqa: F401
    Path("/proc/self/clear_refs").write_text("5")  # the highest so far is forgotten: imports, and who started us
    before = _highest()
    start = time.perf_counter()
    stages, numbers = (ours if which == "ours" else pandas_and_sklearn)(path)
    seconds = time.perf_counter() - start
    grown = _highest() - before
    sample = numbers[:: max(1, len(numbers) // 1000)]
    return {"seconds": seconds, "stages": stages, "grown": grown, "sample": sample.astype(float).tolist()}


def _highest() -> int:
    """The most memory that this process has held, in bytes (Linux)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return 1024 * int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])


def measure(rows: int, repeats: int) -> dict[str, Any]:
    """Both in turns, each in a fresh process; medians."""
    from benchmarks.textbook import machine

    found: dict[str, list[dict[str, Any]]] = {"ours": [], "pandas": []}
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}"}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        write_table(path, rows)
        size = path.stat().st_size
        for _ in range(repeats):
            for which, runs in found.items():
                command = [sys.executable, __file__, "--one", which, "--path", str(path)]
                finished = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
                runs.append(json.loads(finished.stdout))
    np.testing.assert_allclose(found["ours"][0]["sample"], found["pandas"][0]["sample"], atol=1e-4)
    seconds = {which: statistics.median(run["seconds"] for run in runs) for which, runs in found.items()}
    return {
        "pandas_over_ours": seconds["pandas"] / seconds["ours"],
        "memory_over_size": statistics.median(run["grown"] for run in found["ours"]) / size,
        "pandas_memory_over_size": statistics.median(run["grown"] for run in found["pandas"]) / size,
        "seconds": seconds,
        "stages": {which: runs[-1]["stages"] for which, runs in found.items()},
        "rows": rows,
        "megabytes": size / 1e6,
        **machine(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--path", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(one_run(arguments.one, arguments.path)))
        return
    found = measure(arguments.rows, arguments.repeats)
    if arguments.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:24} {value:.3g}" if isinstance(value, float) else f"{name:24} {value}")


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT), str(ROOT / "src")]
    main()
