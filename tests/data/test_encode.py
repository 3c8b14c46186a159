"""Features: fitted on training rows alone, equal for a row however and with whom it comes."""

from __future__ import annotations

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.tables import as_text, houses, known

from glasshouse.core.errors import DataError, SettingsError
from glasshouse.core.settings import EncodeSettings
from glasshouse.data.encode import Encoder, Features, _quantiles, encode, encode_target, fit_encoder
from glasshouse.data.infer import infer_schema
from glasshouse.data.read import read
from glasshouse.data.schema import Schema

FRAME = read(houses())
SCHEMA = infer_schema(FRAME, "price")
ROWS = np.arange(0, 200, 2)
ENCODER = fit_encoder(FRAME, SCHEMA, ROWS, EncodeSettings())


def assert_equal_features(a: Features, b: Features) -> None:
    np.testing.assert_array_equal(a.numbers, b.numbers)
    np.testing.assert_array_equal(a.flags, b.flags)
    np.testing.assert_array_equal(a.categories, b.categories)


def one_column(
    values: list[object], train: list[int] | None = None, kind: str | None = None, **settings: object
) -> tuple[Encoder, Features]:
    kinds = {"c": kind} if kind else {}
    frame, schema = known({"c": values, "y": [i + 0.5 for i in range(len(values))]}, "y", **kinds)
    rows = np.arange(len(values)) if train is None else np.array(train)
    encoder = fit_encoder(frame, schema, rows, EncodeSettings(**settings))  # type: ignore[arg-type]
    return encoder, encode(frame, schema, encoder)


def test_equal_features_helper_sees_a_difference() -> None:
    features = encode(FRAME, SCHEMA, ENCODER)
    with pytest.raises(AssertionError):
        assert_equal_features(features, Features(features.numbers + 1e-6, features.flags, features.categories))


def test_shapes_types_and_names() -> None:
    features = encode(FRAME, SCHEMA, ENCODER)
    assert (features.numbers.dtype, features.flags.dtype, features.categories.dtype) == (np.float32, np.int8, np.int64)
    assert features.numbers.shape == (200, ENCODER.num_numbers)
    assert features.flags.shape == (200, ENCODER.num_flags)
    assert features.categories.shape == (200, 1)
    assert ENCODER.cardinalities == (13,)
    assert features.num_rows == 200
    assert ENCODER.feature_names == ("area", "rooms", *["sold"] * 5, "area", "garden", *["quarter"] * 3, "street")
    assert_equal_features(features.take(np.array([3, 1])), encode(FRAME.take([3, 1]), SCHEMA, ENCODER))


def test_encoder_survives_json() -> None:
    assert msgspec.json.decode(msgspec.json.encode(ENCODER), type=Encoder) == ENCODER


def test_only_training_rows_are_fitted_on() -> None:
    table = houses()
    strange = table.with_columns(
        area=pl.when(pl.int_range(200) % 2 == 1).then(1e9).otherwise(pl.col("area")),
        street=pl.when(pl.int_range(200) % 2 == 1).then(pl.lit("moon")).otherwise(pl.col("street")),
    )
    assert fit_encoder(read(strange), SCHEMA, ROWS, EncodeSettings()) == ENCODER


def test_every_container_gives_the_same_features(tmp_path) -> None:
    pandas = pytest.importorskip("pandas")
    expected = encode(FRAME, SCHEMA, ENCODER)
    table = houses()
    table.write_csv(tmp_path / "t.csv")
    table.write_csv(tmp_path / "t.tsv", separator="\t", datetime_format=None)
    table.write_ndjson(tmp_path / "t.jsonl")
    in_pandas = pandas.DataFrame({name: table[name].to_list() for name in table.columns})
    files = [tmp_path / name for name in ("t.csv", "t.tsv", "t.jsonl")]
    sources = (
        *files,
        in_pandas,
        pandas.read_csv(tmp_path / "t.csv"),
        as_text(table),
        table.to_dicts(),
        table.lazy(),
        table.to_dict(as_series=False),
    )
    for source in sources:
        assert_equal_features(encode(read(source), SCHEMA, ENCODER), expected)


def test_the_schema_of_any_container_gives_the_same_features(tmp_path) -> None:
    houses().write_csv(tmp_path / "t.csv")
    expected = encode(FRAME, SCHEMA, ENCODER)
    frame = read(tmp_path / "t.csv")
    schema = infer_schema(frame, "price")
    encoder = fit_encoder(frame, schema, ROWS, EncodeSettings())
    assert encoder == ENCODER
    assert_equal_features(encode(frame, schema, encoder), expected)
    assert_equal_features(encode(FRAME, schema, encoder), expected)


@given(rows=st.lists(st.integers(0, 199), min_size=1, max_size=8))
def test_a_row_is_the_same_alone_and_in_company(rows: list[int]) -> None:
    expected = encode(FRAME, SCHEMA, ENCODER)
    assert_equal_features(encode(FRAME.take(rows), SCHEMA, ENCODER), expected.take(np.array(rows)))


def test_robust_scaling_by_hand() -> None:
    encoder, features = one_column([1.5, 2.5, 3.5, 4.5, 105.5], scaling="robust")
    code = encoder.numbers[0]
    assert (code.center, code.scale) == (3.5, 2.0)
    scaled = (np.array([1.5, 2.5, 3.5, 4.5, 105.5]) - 3.5) / 2
    np.testing.assert_allclose(features.numbers[:, 0], scaled / np.sqrt(1 + (scaled / 3) ** 2), rtol=1e-6)


def test_robust_scaling_where_the_quartiles_meet() -> None:
    encoder, _ = one_column([0.0] * 20 + [8.0, 1.5, 2.5], scaling="robust")
    assert (encoder.numbers[0].center, encoder.numbers[0].scale) == (0.0, 4.0)


def test_equal_numbers_take_the_middle_of_their_ranks() -> None:
    from scipy.stats import norm, rankdata

    values = np.random.default_rng(0).integers(0, 20, 300) + 0.5
    ranks = np.clip((rankdata(values, "average") - 1) / 299, 1e-7, 1 - 1e-7)
    _, features = one_column(values.tolist(), scaling="quantile")
    np.testing.assert_allclose(features.numbers[:, 0], norm.ppf(ranks), atol=2e-5)


@pytest.mark.parametrize(("scaling", "oracle"), [("standard", "StandardScaler"), ("quantile", "QuantileTransformer")])
def test_scaling_agrees_with_scikit_learn(scaling: str, oracle: str) -> None:
    from sklearn import preprocessing

    values = np.random.default_rng(0).lognormal(size=300)
    options = (
        {"n_quantiles": 300, "output_distribution": "normal", "subsample": None}
        if oracle == "QuantileTransformer"
        else {}
    )
    expected = getattr(preprocessing, oracle)(**options).fit_transform(values[:, None])[:, 0]
    _, features = one_column(values.tolist(), scaling=scaling)
    np.testing.assert_allclose(features.numbers[:, 0], expected, atol=2e-5 if scaling == "quantile" else 1e-5)


def test_default_scaling_is_robust() -> None:
    values = [1.5, 2.5, 9.5, 4.5]
    assert one_column(values)[0].scaling == "robust"
    assert one_column(values)[0] == one_column(values, scaling="robust")[0]


def test_missing_numbers_are_zero_with_a_flag_only_where_training_had_some() -> None:
    encoder, features = one_column([1.5, None, 2.5, 4.5, None])
    assert [flag.what for flag in encoder.flags] == ["missing"]
    assert features.flags[:, 0].tolist() == [0, 1, 0, 0, 1]
    assert features.numbers[[1, 4], 0].tolist() == [0, 0]
    encoder, features = one_column([1.5, None, 2.5, 4.5, float("inf")], train=[0, 2, 3])
    assert encoder.flags == ()
    assert features.numbers[[1, 4], 0].tolist() == [0, 0]


@pytest.mark.parametrize("scaling", ["robust", "standard", "quantile"])
def test_extreme_numbers_stay_finite(scaling: str) -> None:
    _, features = one_column([1.5, 2.5, 3.5, 1e308, -1e308, 1e-308], scaling=scaling)
    assert np.isfinite(features.numbers).all()
    _, features = one_column([1.5, 2.5, 3.5, 1e308, -1e308, 4.5], train=[0, 1, 2], scaling=scaling)
    assert np.isfinite(features.numbers).all()


def test_yes_no_is_plus_minus_one() -> None:
    _, features = one_column(["yes", "no", "", "Yes"])
    assert features.flags[:, 0].tolist() == [1, -1, 0, 1]
    _, features = one_column(["male", "female", "male", ""], kind="yesno")
    assert features.flags[:, 0].tolist() == [1, -1, 1, 0]


def test_few_labels_are_one_hot() -> None:
    values = ["b", "a", "b", "a", "c", "", "b", "a"]
    encoder, features = one_column(values, train=[0, 1, 2, 3, 6, 7], rare=1)
    assert [flag.label for flag in encoder.flags] == ["a", "b"]
    assert features.flags.tolist() == [[float(v == "a"), float(v == "b")] for v in values]


def test_many_labels_are_embedded_commonest_first() -> None:
    values = [f"label {i % 10}" for i in range(55)] + ["rare"] * 2
    encoder, features = one_column(values)
    category = encoder.categories[0]
    assert category.labels == tuple(f"label {i}" for i in range(10))
    assert encoder.cardinalities == (11,)
    assert features.categories[:, 0].tolist() == [i % 10 + 1 for i in range(55)] + [0, 0]


def test_one_hot_and_rare_settings_move_the_border() -> None:
    values = [f"label {i % 10}" for i in range(55)] + ["rare"] * 2
    assert len(one_column(values, one_hot=10)[0].flags) == 10
    assert one_column(values, rare=2)[0].cardinalities == (12,)


def test_dates_become_the_parts_that_vary() -> None:
    encoder, features = one_column(["2020-01-05 10:00", "2020-02-06 10:00", "2020-03-07 11:00", ""])
    assert [code.part for code in encoder.numbers] == ["month", "day", "weekday", "hour", "days"]
    assert [flag.what for flag in encoder.flags] == ["missing"]
    assert features.numbers[3].tolist() == [0] * 5


@pytest.mark.parametrize("rows", [1, 2, 3, 7, 100, 1003])
def test_quantiles_of_counted_values_are_those_of_the_rows(rows: int) -> None:
    random = np.random.default_rng(rows)
    values = np.unique(random.normal(size=9).round(1)) * 1e3
    cells = random.choice(values, rows)
    different, counts = np.unique(cells, return_counts=True)
    for shares in (np.array([0.25, 0.5, 0.75]), np.linspace(0, 1, 1000)):
        assert np.array_equal(_quantiles(different, counts, shares), np.quantile(cells, shares))


def test_padded_codes_and_numbers_meet() -> None:
    frame, schema = known({"c": ["020", "060", "020", "060", "085", "085"], "y": [0.5, 1.5, 2.5, 3.5, 4.5, 5.5]}, "y")
    encoder = fit_encoder(frame, schema, np.arange(6), EncodeSettings(rare=1))
    expected = encode(frame, schema, encoder)
    for values in ([20, 60, 20, 60, 85, 85], [20.0, 60.0, 20.0, 60.0, 85.0, 85.0]):
        assert_equal_features(encode(read({"c": values}), schema, encoder), expected)


def test_target_scale_is_of_training_rows() -> None:
    prices = houses()["price"].to_numpy()[ROWS]
    assert (ENCODER.target_center, ENCODER.target_scale) == pytest.approx((prices.mean(), prices.std()))
    schema = infer_schema(FRAME, "quarter")
    encoder = fit_encoder(FRAME, schema, ROWS, EncodeSettings())
    assert (encoder.target_center, encoder.target_scale) == (0.0, 1.0)


def test_refusals() -> None:
    frame, schema = known({"c": ["a", "b"] * 3, "y": [0.5, 1.5, 2.5, 3.5, 4.5, 5.5]}, "y")
    with pytest.raises(DataError, match="no column varies over the training rows") as nothing:
        fit_encoder(frame, schema, np.array([0]), EncodeSettings())
    assert "--set encode.rare=1" in nothing.value.fix
    with pytest.raises(SettingsError, match='"robsut" is not a scaling') as scaling:
        fit_encoder(frame, schema, np.arange(6), EncodeSettings(scaling="robsut"))  # type: ignore[arg-type]
    assert scaling.value.fix == "--set encode.scaling=robust"
    with pytest.raises(DataError, match="the schema has no target") as target:
        encode_target(frame, Schema(columns=schema.columns))
    assert target.value.fix == "name the target"
    frame, schema = known({"x": [1.5, 2.5, 3.5], "y": [0.5, 1.5, 2.5]}, "y")
    with pytest.raises(DataError, match='target "y" has no values in the training rows') as empty:
        strange = read({"x": [1.5, 2.5, 3.5], "y": [None, None, 0.5]})
        fit_encoder(strange, schema, np.array([0, 1]), EncodeSettings())
    assert empty.value.fix == "more rows with a target"
