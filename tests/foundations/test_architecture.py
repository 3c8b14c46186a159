from __future__ import annotations

import pytest

from glasshouse.foundations.architecture import count_parameters, layer_shapes


@pytest.mark.parametrize(
    ("sizes", "total"),
    [
        ((4, 8, 4, 1), 81), ((10, 5), 55), ((10, 20, 10, 1), 441), ((784, 256, 128, 10), 235_146),
        ((784, 1024, 10), 814_090), ((784, 128, 64, 32, 16, 10), 111_514), ((784, *[64] * 6, 10), 71_690),
    ],
)  # fmt: skip
def test_the_textbooks_counts(sizes: tuple[int, ...], total: int) -> None:
    assert sum(count_parameters(sizes)) == total
    assert len(layer_shapes(sizes)) == len(sizes) - 1


def test_a_network_of_one_size_has_no_layer() -> None:
    assert layer_shapes([3]) == []
    assert count_parameters([3]) == (0, 0)


def test_try_this_one_wide_layer_against_five_narrow_ones() -> None:
    assert sum(count_parameters([784, 1024, 10])) == 814_090
    assert sum(count_parameters([784, 64, 64, 64, 64, 64, 10])) == 67_530
