"""Packs on a graphics card against the same networks one after the other on it.

    python benchmarks/bench_card.py [--json] [--repeats N] [--epochs N]

- `textbook64_over_pack64`: 64 runs of the textbook's loop, each batch moved to the card as the textbooks do, over one
  pack of 64 of its network (10-64-32-1, batches of 32).
- `ours64_over_pack64`: the same beside 64 of our own runs of one network.
- `textbook64_over_wide64`: with 128 units in both layers, 8,192 rows and batches of 256.
- `loop_over_recorded`: the pack of 64 step by step as the loop is written down, over the recorded step.
- `pack64_on_processor`: the pack of 64 on the processor of the same machine, over the card.
- `large_pack_share_of_peak`: the arithmetic of a large dense pack over what the card does in plain matrix products of
  the same precision (float32 with TF32 allowed, as "bfloat16" means on a card); of the epochs after the tenth.

One run of the textbook's loop is timed and counted 64 times. The card is waited for at the end of each run.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from unittest import mock


def measure(repeats: int, epochs: int) -> dict[str, Any]:
    """Seconds of each contender, the ratios, and where it was measured."""
    import torch
    from benchmarks.textbook import machine, ours, peak_gigaflops, table, textbook, timed

    from glasshouse.core.settings import RunSettings
    from glasshouse.training import fit
    from glasshouse.training.devices import computing

    if not torch.cuda.is_available():
        sys.exit("there is no CUDA device here")
    small_x, small_y = table(1000, 10)
    wide_x, wide_y = table(8192, 32)
    large_x, large_y = table(65_536, 256)

    def by_the_loop() -> list[float]:
        """Ours without the recording."""
        with mock.patch.object(fit, "CapturedStep", lambda *_: None):
            return ours(*small, epochs, members=64, device="cuda")

    small, wide, large = (small_x, small_y, (64, 32), 32), (wide_x, wide_y, (128, 128), 256), (large_x, large_y)
    few = max(1, epochs // 5)
    contenders = {
        "textbook": lambda: textbook(*small, epochs, device="cuda"),
        "one": lambda: ours(*small, epochs, device="cuda"),
        "pack64": lambda: ours(*small, epochs, members=64, device="cuda"),
        "pack64_loop": by_the_loop,
        "pack64_processor": lambda: ours(*small, epochs, members=64),
        "textbook_wide": lambda: textbook(*wide, few, device="cuda"),
        "wide64": lambda: ours(*wide, few, members=64, device="cuda"),
        "large": lambda: ours(*large, (2048, 2048), 4096, 10, members=8, device="cuda"),
        "large_longer": lambda: ours(*large, (2048, 2048), 4096, 30, members=8, device="cuda"),
    }
    seconds, results = timed(contenders, repeats)
    weights, first = 256 * 2048 + 2048 * 2048 + 2048, 256 * 2048
    operations = 8 * 65_536 * 20 * (6.0 * weights - 2.0 * first)
    with computing(torch.device("cuda"), RunSettings(precision="bfloat16")):
        peak = peak_gigaflops(8192, "cuda") / 1e3
    return {
        "textbook64_over_pack64": 64.0 * seconds["textbook"] / seconds["pack64"],
        "ours64_over_pack64": 64.0 * seconds["one"] / seconds["pack64"],
        "textbook64_over_wide64": 64.0 * seconds["textbook_wide"] / seconds["wide64"],
        "loop_over_recorded": seconds["pack64_loop"] / seconds["pack64"],
        "pack64_on_processor": seconds["pack64_processor"] / seconds["pack64"],
        "large_pack_share_of_peak": operations / (seconds["large_longer"] - seconds["large"]) / 1e12 / peak,
        "peak_teraflops": peak,
        "last_losses": {name: losses[-1] for name, losses in results.items()},
        "seconds": seconds,
        "epochs": epochs,
        "card": torch.cuda.get_device_name(),
        **machine(),
    }


if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[1] / "src")]
    from benchmarks.textbook import tell

    tell(measure, __doc__, repeats=3, epochs=50)
