"""Reading and encoding a table of mixed types beside pandas and scikit-learn: 1,000,000 rows, 30 columns, one CSV file.

    python benchmarks/bench_read.py [--json] [--rows N] [--repeats N]

`pandas_over_ours` is their seconds over ours, above 1 in our favour; `memory_over_size` is what reading and encoding
add to the memory of a fresh process at its peak, over the file's size. Both sides go from the file to scaled float32
numbers, one-hot flags, integer codes and the target, each in a process of its own, in turns; imports do not count. Our
flags take a byte; scikit-learn puts everything into one float32 array. pandas is told which columns are dates and
scikit-learn which columns are what; ours are told the target alone. That the content is the same is checked: means and
mean sizes of every number and flag to 1e-5, how often each code occurs.

Threads are left as each side sets them: polars takes every core, pandas and scikit-learn mostly one.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
NUMBERS = tuple(f"number{place}" for place in range(10))
WHOLE = tuple(f"whole{place}" for place in range(5))
FEW = tuple(f"few{place}" for place in range(6))
MANY = ("many0", "many1")
YES_NO = tuple(f"yesno{place}" for place in range(4))
DAY, MOMENT, TARGET = "day", "moment", "target"
DAY_PARTS = ("year", "month", "day", "weekday", "days")
MOMENT_PARTS = ("year", "month", "day", "weekday", "hour", "minute", "days")
FEWEST_ROWS = 2_000  # below this a label of the many may be too rare for ours to keep

Summary = dict[str, Any]


def write_table(path: Path, rows: int, seed: int = 0) -> None:
    """The table: numbers of several spreads and precisions, some missing; whole numbers; few and many labels; dates."""
    import numpy as np
    import polars as pl

    random = np.random.default_rng(seed)
    columns: dict[str, Any] = {}
    for place, name in enumerate(NUMBERS):
        values = random.normal(size=rows) * 10.0 ** (place % 4) + place
        if place % 3 == 2:
            values = np.exp(values / 10.0 ** (place % 4))
        columns[name] = np.round(values, 2 + place % 5)
    for place, name in enumerate(WHOLE):
        columns[name] = random.integers(-10 if place == 0 else 0, 10 ** (place + 2), rows)
    for place, name in enumerate(FEW):
        labels = np.array([f"{'abcdef'[place]}-{'label' * (place % 3)}{number}" for number in range(3 + place)])
        columns[name] = labels[np.minimum(random.geometric(0.4, rows) - 1, 2 + place)]
    for name, count in zip(MANY, (50, min(5_000, rows // 20)), strict=True):
        columns[name] = np.array([f"{name[:2]}{number:05d}" for number in range(count)])[
            random.integers(0, count, rows)
        ]
    start = np.datetime64("2015-01-01T00:00")
    minutes = random.integers(0, 8 * 365 * 24 * 60, rows)
    columns[DAY] = (start + minutes.astype("timedelta64[m]")).astype("datetime64[D]").astype(str)
    moments = (start + random.permutation(minutes).astype("timedelta64[m]")).astype("datetime64[us]")
    columns[MOMENT] = pl.Series(moments).dt.strftime("%F %T")
    for name, pair in zip(YES_NO, (("no", "yes"), ("false", "true"), ("0", "1"), ("N", "Y")), strict=True):
        columns[name] = np.array(pair)[(random.random(rows) < 0.3).astype(int)]
    columns[TARGET] = np.round(columns["number0"] + columns["number1"] / 10 + random.normal(size=rows), 3)
    table = pl.DataFrame(columns)
    for place, name in enumerate((*NUMBERS[::3], WHOLE[2], FEW[1], FEW[4])):
        gone = pl.Series(random.random(rows) < 0.02 * (place + 1))
        table = table.with_columns(pl.when(~gone).then(pl.col(name)).alias(name))
    table.write_csv(path)


def ours(path: Path) -> tuple[dict[str, float], int, Summary]:
    """Seconds of each stage, memory in bytes, and a summary of what came out."""
    import numpy as np

    from glasshouse.core.settings import EncodeSettings
    from glasshouse.data import encode, encode_target, fit_encoder, infer_schema, read

    clock = [time.perf_counter()]
    frame = read(path)
    clock.append(time.perf_counter())
    schema = infer_schema(frame, TARGET)
    clock.append(time.perf_counter())
    every = np.arange(frame.num_rows)
    encoder = fit_encoder(frame, schema, every, EncodeSettings(scaling="standard"))
    clock.append(time.perf_counter())
    features, target = encode(frame, schema, encoder), encode_target(frame, schema)
    clock.append(time.perf_counter())
    seconds = dict(zip(("read", "infer", "fit", "encode"), np.diff(clock).tolist(), strict=True))
    memory = grown()
    names = [f"{code.column} {code.part}" for code in encoder.numbers]
    names += [f"{code.column} {code.what} {code.label}".rstrip() for code in encoder.flags]
    columns = [*features.numbers.T, *features.flags.T, target]
    summary = {name: spread(column) for name, column in zip([*names, TARGET], columns, strict=True)}
    for code, column in zip(encoder.categories, features.categories.T, strict=True):
        summary[code.column] = np.sort(np.bincount(column)[1:]).tolist()
    return seconds, memory, summary


def pandas_and_sklearn(path: Path) -> tuple[dict[str, float], int, Summary]:
    """The same with the tools that most people take."""
    import numpy as np
    import pandas as pd
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler

    def parts(dates: pd.DataFrame) -> pd.DataFrame:
        found = {}
        for name, wanted in ((DAY, DAY_PARTS), (MOMENT, MOMENT_PARTS)):
            times = dates[name]
            for part in wanted:
                asked = part.replace("weekday", "day_of_week")
                whole = (times - pd.Timestamp(0)) / pd.Timedelta(days=1) if part == "days" else getattr(times.dt, asked)
                found[f"{name} {part}"] = whole
        return pd.DataFrame(found)

    gaps = SimpleImputer(strategy="constant", fill_value=0.0, add_indicator=True)
    pipeline = ColumnTransformer([
        ("numbers", make_pipeline(StandardScaler(), gaps), [*NUMBERS, *WHOLE]),
        ("dates", make_pipeline(FunctionTransformer(parts), StandardScaler()), [DAY, MOMENT]),
        ("few", OneHotEncoder(sparse_output=False, dtype=np.float32), list(FEW)),
        ("yesno", OneHotEncoder(sparse_output=False, dtype=np.float32, drop="if_binary"), list(YES_NO)),
        ("many", OrdinalEncoder(dtype=np.float32), list(MANY)),
    ])  # fmt: skip
    clock = [time.perf_counter()]
    table = pd.read_csv(path, parse_dates=[DAY, MOMENT])
    clock.append(time.perf_counter())
    target = table.pop(TARGET).to_numpy()
    encoded = pipeline.fit_transform(table).astype(np.float32, copy=False)
    clock.append(time.perf_counter())
    seconds = dict(zip(("read", "encode"), np.diff(clock).tolist(), strict=True))
    memory = grown()
    scaled, few = pipeline.named_transformers_["numbers"], pipeline.named_transformers_["few"]
    numbers = [*NUMBERS, *WHOLE]
    missing = scaled.named_steps["simpleimputer"].indicator_.features_
    names = [f"{name} value" for name in numbers] + [f"{numbers[place]} missing" for place in missing]
    names += [f"{DAY} {part}" for part in DAY_PARTS] + [f"{MOMENT} {part}" for part in MOMENT_PARTS]
    names += [f"{name} is {label}" for name, labels in zip(FEW, few.categories_, strict=True) for label in labels]
    names += [f"{name} yes" for name in YES_NO]
    summary = {name: spread(column) for name, column in zip(names, encoded.T, strict=False)}
    summary |= {TARGET: spread(target)}
    for name, column in zip(MANY, encoded[:, -2:].T, strict=True):
        summary[name] = np.sort(np.bincount(column.astype(np.int64))).tolist()
    for name in YES_NO:  # 0 and 1 here, -1 and 1 with ours
        share = summary[f"{name} yes"][0]
        summary[f"{name} yes"] = [2 * share - 1, 1.0]
    # A missing label is a category of its own here, and no category with ours.
    return seconds, memory, {name: figures for name, figures in summary.items() if not name.endswith(" is nan")}


SIDES = {"ours": ours, "pandas": pandas_and_sklearn}


def spread(column: Any) -> list[float]:
    """The mean, and the mean size."""
    import numpy as np

    values = np.asarray(column, dtype=np.float64)
    return [float(values.mean()), float(np.abs(values).mean())]


def status(name: str) -> int:
    """A figure of /proc/self/status in bytes: VmRSS is the memory held now, VmHWM the most that was."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def grown() -> int:
    """By how much the process was larger at its peak than after its imports."""
    return status("VmHWM") - BEFORE


BEFORE = 0


def run_here(side: str, path: Path) -> None:
    """One side, in this process; its seconds, its memory and its summary as JSON."""
    global BEFORE
    import numpy  # noqa: F401

    if side == "ours":
        import glasshouse.data  # noqa: F401
    else:
        import pandas  # noqa: F401
        import sklearn.compose
        import sklearn.pipeline
        import sklearn.preprocessing  # noqa: F401
    BEFORE = status("VmRSS")
    print(json.dumps(SIDES[side](path)))


def run_apart(side: str, path: Path) -> tuple[dict[str, float], int, Summary]:
    """One side, in a fresh process."""
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, str(Path(__file__).resolve()), "--side", side, "--file", str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": paths})
    seconds, memory, summary = json.loads(done.stdout)
    return seconds, memory, summary


def same(first: Summary, second: Summary) -> list[str]:
    """The names of the columns whose content differs."""

    def close(a: list[float], b: list[float]) -> bool:
        return len(a) == len(b) and all(abs(x - y) <= 1e-5 * max(1.0, abs(y)) for x, y in zip(a, b, strict=True))

    return sorted(name for name in first.keys() | second.keys() if not close(first.get(name, []), second.get(name, [])))


def measure(rows: int, repeats: int) -> dict[str, Any]:
    """Seconds and memory of both sides, the ratios, and where it was measured."""
    taken: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
    memory: dict[str, list[int]] = {side: [] for side in SIDES}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        write_table(path, rows)
        size = path.stat().st_size
        for _ in range(repeats):
            said = {}
            for side in SIDES:
                seconds, grew, said[side] = run_apart(side, path)
                taken[side].append(seconds)
                memory[side].append(grew)
            if other := same(said["ours"], said["pandas"]):
                raise SystemExit(f"the two sides did not do the same work: {', '.join(other)}")
    stages = {
        side: {stage: statistics.median(run[stage] for run in runs) for stage in runs[0]}
        for side, runs in taken.items()
    }
    totals = {side: statistics.median(sum(run.values()) for run in runs) for side, runs in taken.items()}
    return {
        "pandas_over_ours": totals["pandas"] / totals["ours"],
        "memory_over_size": statistics.median(memory["ours"]) / size,
        "pandas_memory_over_size": statistics.median(memory["pandas"]) / size,
        "seconds": totals,
        "stages": stages,
        "rows": rows,
        "file_megabytes": size / 1e6,
        "repeats": repeats,
        "processor": platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "threads": {name: os.environ.get(name, "all") for name in ("POLARS_MAX_THREADS", "OMP_NUM_THREADS")},
        **{name: importlib.metadata.version(name) for name in ("polars", "pandas", "pyarrow", "scikit-learn", "numpy")},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--side", choices=sorted(SIDES), help="run one side in this process")
    parser.add_argument("--file", type=Path, help="of that side")
    arguments = parser.parse_args()
    if arguments.side:
        run_here(arguments.side, arguments.file)
        return
    if arguments.rows < FEWEST_ROWS:
        parser.error(f"--rows: at least {FEWEST_ROWS:,}, so that no label is rare")
    from benchmarks.telling import show

    show(measure(arguments.rows, arguments.repeats), as_json=arguments.json)


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT), str(ROOT / "src")]
    main()
