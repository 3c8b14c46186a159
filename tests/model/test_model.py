"""What a user holds: the same row gives the same answer alone, in a table, in another process, and layer by layer."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest
import torch

import glasshouse.model
from glasshouse.core.errors import DataError, ModelFileError, SettingsError
from glasshouse.data import align, encode, read
from glasshouse.model import Model, Origin, Prediction, Uncertainty, load
from glasshouse.model import model as model_module
from glasshouse.network.pack import build

TASKS = ("regression", "binary", "multiclass")


@pytest.fixture(params=TASKS)
def model(request: pytest.FixtureRequest, parts_of) -> Model:
    return Model(parts_of(request.param))


def by_hand(model: Model, table: pl.DataFrame) -> Prediction:
    """The oracle: every member alone in float64, then NumPy for the ensemble and the temperature."""
    parts = model.parts
    features = encode(align(read(table), parts.schema), parts.schema, parts.encoder)
    pack = build(parts.spec)
    pack.load_tensors({name: torch.tensor(array) for name, array in parts.tensors.items()})
    pack = pack.double().eval()
    with torch.no_grad():
        raw = pack.predict(
            torch.tensor(features.numbers).double(),
            torch.tensor(features.flags).double(),
            torch.tensor(features.categories),
        ).numpy()
    weights = np.asarray(parts.weights)
    if model.task == "regression":
        values = raw[..., 0] * parts.encoder.target_scale + parts.encoder.target_center
        mean = np.average(values, axis=0, weights=weights)
        spread = np.sqrt(np.average((values - mean) ** 2, axis=0, weights=weights))
        return Prediction(outputs=mean, spread=spread)
    if raw.shape[-1] == 1:
        raw = np.concatenate([np.zeros_like(raw), raw], axis=-1)
    likely = np.exp(raw) / np.exp(raw).sum(axis=-1, keepdims=True)
    powers = np.average(likely, axis=0, weights=weights) ** (1 / parts.uncertainty.temperature)
    return Prediction(outputs=powers / powers.sum(axis=1, keepdims=True), spread=np.zeros(len(powers)))


def test_the_spread_of_folds_is_that_within_each(parts_of, houses: pl.DataFrame) -> None:
    parts = replace(parts_of("regression"), weights=(0.25, 0.25, 0.5))
    apart = replace(parts, origins=tuple(Origin(member=n, epoch=5) for n in range(3)))
    # The first two are one member's networks of two folds; the third is another's of the first fold.
    folds = replace(parts, origins=(Origin(member=0, epoch=5),) * 2 + (Origin(member=1, epoch=5),))
    by_fold = [replace(parts, weights=weights) for weights in ((1 / 3, 0.0, 2 / 3), (0.0, 1.0, 0.0))]
    first, second = (Model(replace(one, origins=apart.origins)).outputs(houses).spread for one in by_fold)
    found = Model(folds).outputs(houses)
    np.testing.assert_allclose(found.spread, np.sqrt(0.75 * first**2 + 0.25 * second**2), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.outputs, Model(apart).outputs(houses).outputs, rtol=1e-12)
    assert (found.spread < Model(apart).outputs(houses).spread).mean() > 0.9


def test_predictions_are_those_computed_by_hand(model: Model, houses: pl.DataFrame) -> None:
    expected, found = by_hand(model, houses), model.outputs(houses)
    np.testing.assert_allclose(found.outputs, expected.outputs, rtol=1e-9)
    np.testing.assert_allclose(found.spread, expected.spread, rtol=1e-9, atol=1e-12)
    assert found.outputs.dtype == found.spread.dtype == np.float64


def test_binary_with_two_outputs_uses_softmax(houses: pl.DataFrame, parts_of) -> None:
    model = Model(parts_of("binary", outputs=2))
    np.testing.assert_allclose(model.predict_probabilities(houses), by_hand(model, houses).outputs, rtol=1e-9)


def test_shapes_and_kinds(model: Model, houses: pl.DataFrame) -> None:
    predicted = model.predict(houses)
    assert predicted.shape == (30,)
    ranges = model.predict_interval(houses, confidence=0.8)
    if model.task == "regression":
        assert predicted.dtype == np.float64
        assert ranges.shape == (30, 2)
        assert (ranges[:, 0] < predicted).all()
        assert (predicted < ranges[:, 1]).all()
        return
    probabilities = model.predict_probabilities(houses)
    assert probabilities.shape == ranges.shape == (30, len(model.classes))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-12)
    assert predicted.tolist() == [model.classes[place] for place in probabilities.argmax(axis=1)]
    assert ranges[np.arange(30), probabilities.argmax(axis=1)].all()


def test_higher_confidence_is_never_narrower(model: Model, houses: pl.DataFrame) -> None:
    narrow, wide = model.predict_interval(houses, 0.5), model.predict_interval(houses, 0.95)
    if model.task == "regression":
        assert (np.diff(wide) > np.diff(narrow)).all()
    else:
        assert (wide >= narrow).all()


def test_one_row_and_a_batch_agree(model: Model, houses: pl.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = model.outputs(houses)
    for row in (0, 7, 29):
        alone = model.outputs(houses[row : row + 1])
        np.testing.assert_allclose(alone.outputs[0], whole.outputs[row], rtol=0, atol=1e-9)
        np.testing.assert_allclose(alone.spread[0], whole.spread[row], rtol=0, atol=1e-9)
    backwards = model.outputs(houses.reverse()).outputs[::-1]
    np.testing.assert_allclose(backwards, whole.outputs, rtol=0, atol=1e-9)
    monkeypatch.setattr(model_module, "_CHUNK_ROWS", (7, 7))  # 30 rows end in a piece of 2
    np.testing.assert_allclose(model.outputs(houses).outputs, whole.outputs, rtol=0, atol=1e-9)


def test_the_same_in_a_fresh_process(model: Model, houses: pl.DataFrame, tmp_path: Path) -> None:
    model.save(tmp_path / "model.glass")
    houses.write_csv(tmp_path / "rows.csv")
    code = (
        "import sys, json, glasshouse.model as m\n"
        "print(json.dumps(m.load(sys.argv[1]).outputs(sys.argv[2]).outputs.tolist()))"
    )
    source = Path(glasshouse.model.__file__).parents[2]
    told = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), str(tmp_path / "rows.csv")],
        check=True, capture_output=True, env={"PYTHONPATH": str(source), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    np.testing.assert_allclose(json.loads(told.stdout), model.outputs(houses).outputs, rtol=0, atol=1e-6)


def test_rows_may_come_in_any_form(model: Model, houses: pl.DataFrame, tmp_path: Path) -> None:
    expected = model.predict(houses).tolist()
    houses.write_csv(tmp_path / "rows.csv")
    shuffled = houses.select(sorted(houses.columns, reverse=True))
    for data in (
        tmp_path / "rows.csv",
        str(tmp_path / "rows.csv"),
        read(houses),
        houses.to_dict(as_series=False),
        shuffled,
    ):
        assert model.predict(data).tolist() == expected


def test_unseen_and_missing_values_are_answered(model: Model, houses: pl.DataFrame) -> None:
    odd = houses.with_columns(street=pl.lit("never seen"), garden=pl.lit(None, dtype=pl.Float64))
    assert np.isfinite(model.outputs(odd).outputs).all()


def test_a_missing_column_is_named(model: Model, houses: pl.DataFrame) -> None:
    with pytest.raises(DataError, match="area") as caught:
        model.predict(houses.drop("area"))
    assert caught.value.fix


def test_members_are_ordinary_layers(model: Model) -> None:
    for position in range(model.num_members):
        member = model.member(position)
        assert type(member) is torch.nn.Sequential
        linear = [layer for layer in member.modules() if isinstance(layer, torch.nn.Linear)]
        assert linear[-1].out_features == model.parts.spec.outputs
        assert all(parameter.dtype == torch.float32 for parameter in member.parameters())
    for position in (-1, model.num_members):
        with pytest.raises(SettingsError, match=f"there is no member {position}") as caught:
            model.member(position)
        assert caught.value.fix == "model.member(0)"


def test_members_together_are_the_model(parts_of, houses: pl.DataFrame) -> None:
    model = Model(parts_of())
    encoder = model.parts.encoder
    features = encode(align(read(houses), model.schema), model.schema, encoder)
    rows = torch.tensor(np.hstack([features.numbers, features.flags, features.categories]), dtype=torch.float32)
    with torch.no_grad():
        answers = [model.member(position)(rows)[:, 0].numpy() for position in range(model.num_members)]
    together = np.average(answers, axis=0, weights=model.parts.weights) * encoder.target_scale + encoder.target_center
    np.testing.assert_allclose(together, model.predict(houses), rtol=1e-5)


def test_a_member_is_a_copy(model: Model, houses: pl.DataFrame) -> None:
    before = model.outputs(houses).outputs
    for parameter in model.member(0).parameters():
        parameter.data.fill_(9.0)
    np.testing.assert_array_equal(model.outputs(houses).outputs, before)


def test_the_weights_decide_who_is_heard(houses: pl.DataFrame, parts_of) -> None:
    parts = parts_of()
    alone = Model(replace(parts, weights=(0.0, 0.0, 1.0)))
    assert alone.outputs(houses).spread.max() < 1e-9
    assert not np.allclose(alone.predict(houses), Model(parts).predict(houses))


def test_temperature_changes_probabilities_and_never_labels(houses: pl.DataFrame, parts_of) -> None:
    parts = parts_of("multiclass")
    plain, soft = (Model(replace(parts, uncertainty=Uncertainty(temperature=t))) for t in (1.0, 3.0))
    assert plain.predict(houses).tolist() == soft.predict(houses).tolist()
    assert (soft.predict_probabilities(houses).max(axis=1) < plain.predict_probabilities(houses).max(axis=1)).all()


def test_save_and_load_give_the_same_model(model: Model, houses: pl.DataFrame, tmp_path: Path) -> None:
    model.save(tmp_path / "model.glass")
    for place in (tmp_path, tmp_path / "model.glass", str(tmp_path / "model.glass")):
        again = load(place)
        np.testing.assert_array_equal(again.outputs(houses).outputs, model.outputs(houses).outputs)
        assert (again.task, again.classes, again.num_members) == (model.task, model.classes, 3)
        assert again.sections == model.sections
        assert again.summary() == model.summary()


def test_torch_is_left_as_it_was(parts_of, houses: pl.DataFrame) -> None:
    state = torch.get_rng_state()
    with torch.enable_grad():
        model = Model(parts_of())
        model.predict(houses)
        model.member(0)
        assert torch.is_grad_enabled()
        assert not torch.is_inference_mode_enabled()
        with pytest.raises(DataError):
            model.predict(houses.drop("area"))
        assert torch.is_grad_enabled()
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_default_dtype() == torch.float32


def test_the_default_type_of_the_user_does_not_matter(parts_of, houses: pl.DataFrame) -> None:
    expected = Model(parts_of()).predict(houses)
    torch.set_default_dtype(torch.float64)
    try:
        model = Model(parts_of())
        found = model.predict(houses)
        assert next(model.member(0).parameters()).dtype == torch.float32
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


def test_probabilities_of_a_number_are_refused(parts_of, houses: pl.DataFrame) -> None:
    with pytest.raises(SettingsError, match='"price" is a number') as caught:
        Model(parts_of()).predict_probabilities(houses)
    assert caught.value.fix == "model.predict_interval(data)"


@pytest.mark.parametrize("confidence", [0.0, 1.0, -0.5, 90.0, float("nan")])
def test_a_confidence_that_is_no_fraction_is_refused(model: Model, houses: pl.DataFrame, confidence: float) -> None:
    with pytest.raises(SettingsError, match=f"{confidence:g}") as caught:
        model.predict_interval(houses, confidence)
    assert caught.value.fix


def test_an_uncalibrated_model_promises_nothing(parts_of, houses: pl.DataFrame) -> None:
    with pytest.raises(SettingsError, match="no calibration scores") as caught:
        Model(replace(parts_of(), uncertainty=Uncertainty())).predict_interval(houses)
    assert caught.value.fix == "train with --set split.calibration=0.1"


def test_parts_that_do_not_fit_make_no_model(parts_of) -> None:
    with pytest.raises(ModelFileError, match="sum to 2") as caught:
        Model(replace(parts_of(), weights=(1.0, 0.5, 0.5)))
    assert caught.value.where.startswith("model in memory")


def test_answers_that_are_not_finite_are_refused(parts_of, houses: pl.DataFrame) -> None:
    """A hostile file may hold weights and scales that are finite each and overflow together."""
    parts = parts_of()
    encoder = msgspec.structs.replace(parts.encoder, target_scale=1e308)
    tensors = {name: np.full_like(array, 1e9) for name, array in parts.tensors.items()}
    model = Model(replace(parts, encoder=encoder, tensors=tensors))
    with pytest.raises(ModelFileError, match="not finite numbers") as caught:
        model.predict(houses)
    assert caught.value.fix


def test_the_summary_names_what_matters(model: Model) -> None:
    text = model.summary()
    for word in (model.task, model.parts.target.name, "area", "8, 8", "networks:     3", "50 rows", *model.classes):
        assert word in text


def test_a_code_beyond_its_table_is_refused(parts_of, houses: pl.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Model(parts_of())

    def lying(*arguments: object) -> object:
        features = encode(*arguments)  # type: ignore[arg-type]
        return replace(features, categories=features.categories + 10_000)

    monkeypatch.setattr(model_module, "encode", lying)
    with pytest.raises(ModelFileError, match="category code 10"):
        model.predict(houses)


def test_no_rows_give_no_predictions(parts_of, houses: pl.DataFrame) -> None:
    frame = read(houses)
    empty = replace(frame, table=frame.table.head(0))
    assert Model(parts_of()).predict(empty).shape == (0,)
    assert Model(parts_of("multiclass")).predict_probabilities(empty).shape == (0, 3)
