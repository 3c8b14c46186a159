"""Packs against the same networks one after the other, and one larger network against the textbook's loop.

    python benchmarks/bench_packs.py [--json] [--repeats N] [--epochs N]

- `pack32_in_textbook_runs`: a pack of 32 of the textbook's network, in textbook runs; below 2 is the aim.
- `textbook_over_pack32`: 32 textbook runs of width 128 with batches of 256, over one pack of 32.
- `mnist_textbook_over_ours`: 784-128-10 with batches of 64 on 6,000 rows, the textbook over ours.
- `large_pack_share_of_peak`: the arithmetic of a large dense pack over what the machine does in plain matrix products,
  both in float32 with the same threads. (The other packs run in the precision that the run chooses.)
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any


def measure(repeats: int, epochs: int) -> dict[str, Any]:
    """Seconds of each contender, the ratios, and where it was measured."""
    from benchmarks.textbook import machine, ours, peak_gigaflops, table, textbook, timed

    small_x, small_y = table(1000, 10)
    wide_x, wide_y = table(8192, 32)
    digits_x, digits_y = table(6000, 784, classes=10)
    large_x, large_y = table(4096, 256)
    few = max(1, epochs // 10)
    contenders = {
        "textbook": lambda: textbook(small_x, small_y, (64, 32), 32, epochs),
        "pack32": lambda: ours(small_x, small_y, (64, 32), 32, epochs, members=32),
        "textbook_128": lambda: textbook(wide_x, wide_y, (128, 128), 256, few),
        "pack32_128": lambda: ours(wide_x, wide_y, (128, 128), 256, few, members=32),
        "mnist_textbook": lambda: textbook(digits_x, digits_y, (128,), 64, few),
        "mnist_ours": lambda: ours(digits_x, digits_y, (128,), 64, few),
        "large_pack": lambda: ours(large_x, large_y, (512, 512), 512, few, members=8, **{"run.precision": "float32"}),
    }
    seconds, _ = timed(contenders, repeats)
    # Forward, and back to the weights and to the rows: three products of two operations a weight and row; the first
    # layer sends nothing back to the rows.
    weights, first = 256 * 512 + 512 * 512 + 512, 256 * 512
    operations = 8 * 4096 * few * (6.0 * weights - 2.0 * first)
    peak = peak_gigaflops(1024)
    return {
        "pack32_in_textbook_runs": seconds["pack32"] / seconds["textbook"],
        "textbook_over_pack32": 32.0 * seconds["textbook_128"] / seconds["pack32_128"],
        "mnist_textbook_over_ours": seconds["mnist_textbook"] / seconds["mnist_ours"],
        "large_pack_share_of_peak": operations / seconds["large_pack"] / 1e9 / peak,
        "peak_gigaflops": peak,
        "seconds": seconds,
        "epochs": epochs,
        **machine(),
    }


if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[1] / "src")]
    from benchmarks.textbook import tell

    tell(measure, __doc__, repeats=3, epochs=50)
