"""From a prepared table to a calibrated model: what `train` and the estimators have in common."""

from __future__ import annotations

import copy
import dataclasses
import time

import numpy as np
import torch
from numpy.typing import NDArray

from glasshouse.core.seeds import derive_seed
from glasshouse.core.settings import Settings
from glasshouse.data import Features, Frame
from glasshouse.evaluation.conformal import fit_uncertainty
from glasshouse.model import Model, ModelParts, Origin
from glasshouse.model.model import Prediction
from glasshouse.network.spec import FeatureSpec
from glasshouse.runs.prepare import Prepared, ignore, prepare
from glasshouse.training.fit import Ensemble, Trained, TrainingData, fit
from glasshouse.training.plan import Plan, make_plan

MOST_TO_CALIBRATE = 5_000  # rows; more make no interval better that can be seen


def learn(frame: Frame, settings: Settings, weights: NDArray[np.float64] | None = None) -> Model:
    """Trains a pack on a table without a run folder, a report or rows to judge on: that is the caller's business.

    Args:
        frame: all rows are learnt from, chosen by or calibrated on.
        settings: with the target's column.
        weights: (rows,) how much each row counts; None counts all the same.

    Raises:
        DataError: the table cannot answer the question.
        SettingsError: settings that contradict each other or the table.
        TrainingError: no network could be trained.
    """
    prepared = prepare(frame, settings, ignore, judged=False, weights=weights)
    seconds = prepared.settings.run.seconds
    data = data_for(prepared)
    events = fit(plan_for(prepared, data), data, _deadline(seconds), watched=False)
    while True:
        try:
            next(events)
        except StopIteration as end:
            parts, _ = calibrated(prepared, end.value)
            return Model(parts)


def _deadline(seconds: float | None) -> float | None:
    return None if seconds is None else time.perf_counter() + 0.95 * seconds  # the rest is for calibration


def plan_for(prepared: Prepared, data: TrainingData) -> Plan:
    """All that is decided before training on `data_for(prepared)`."""
    target, encoder = prepared.schema.target, prepared.encoder
    assert target is not None, "a run has a target"
    features = FeatureSpec(
        num_numbers=encoder.num_numbers, num_flags=encoder.num_flags, cardinalities=tuple(encoder.cardinalities)
    )
    return make_plan(prepared.settings, target.task, len(target.classes), features, data.train.numbers)


def data_for(prepared: Prepared) -> TrainingData:
    """The rows to learn from and to choose by."""
    weights = prepared.weights
    split, features, target = prepared.split, prepared.features, prepared.scaled_target

    def part(rows: NDArray[np.int64]) -> tuple[Features, NDArray[np.generic], NDArray[np.float32] | None]:
        return features.take(rows), target[rows], None if weights is None else weights[rows].astype(np.float32)

    train = part(split.train if prepared.folds is None else split.known)
    validation = part(split.validation) if prepared.folds is None else train
    return TrainingData(*train[:2], *validation[:2], prepared.folds, train[2], validation[2])


def parts_of(prepared: Prepared, ensemble: Ensemble) -> ModelParts:
    """What a model is made from, not yet calibrated."""
    return ModelParts(
        schema=prepared.schema, encoder=prepared.encoder, spec=ensemble.pack.spec, weights=ensemble.weights,
        tensors={name: tensor.numpy() for name, tensor in ensemble.pack.tensors().items()},
        origins=tuple(Origin(member=member, epoch=epoch) for member, epoch in ensemble.origins),
    )  # fmt: skip


def calibrated(prepared: Prepared, trained: Trained) -> tuple[ModelParts, Model]:
    """The model's parts with what the calibration rows taught, and the model without it."""
    parts = parts_of(prepared, trained.ensemble)
    model, rows = Model(parts), prepared.split.calibration
    if len(rows):
        said = model.outputs(prepared.frame.take(rows))
    elif prepared.folds is not None:
        rows, said = _unseen(prepared, trained.ensemble)
    else:
        return parts, model
    seed = derive_seed(prepared.settings.run.seed, "bootstrap")
    uncertainty = fit_uncertainty(model.task, prepared.target[rows], said.outputs, said.spread, seed)
    return dataclasses.replace(parts, uncertainty=uncertainty), model


def _unseen(prepared: Prepared, ensemble: Ensemble) -> tuple[NDArray[np.int64], Prediction]:
    """Known rows, all or enough of them, and of each what the networks say that were trained without it.

    How far they are apart is theirs too: networks that have seen a row lie near its truth, so that the distance to
    those that have not would tell the error that it is to be compared with.

    Source:
        Vovk 2015, "Cross-conformal predictors"; Barber et al. 2021, "Predictive inference with the jackknife+" (CV+).
    """
    folds, known = prepared.folds, prepared.split.known
    assert folds is not None, "the caller has looked"
    chosen = np.arange(len(known))
    if len(chosen) > MOST_TO_CALIBRATE:
        random = np.random.default_rng(derive_seed(prepared.settings.run.seed, "calibrate"))
        chosen = np.sort(random.choice(chosen, MOST_TO_CALIBRATE, replace=False))
    num_folds = int(folds.max()) + 1
    rows, outputs, spread = [], [], []
    for fold in range(num_folds):
        # The ensemble holds its snapshots one after the other, each with a network for every fold in their order.
        places = range(fold, len(ensemble.weights), num_folds)
        pack = copy.deepcopy(ensemble.pack)
        pack.keep(torch.tensor(places))
        weights = tuple(num_folds * ensemble.weights[place] for place in places)
        own = Ensemble(pack, weights, tuple(ensemble.origins[place] for place in places))
        rows.append(known[chosen[folds[chosen] == fold]])
        said = Model(parts_of(prepared, own)).outputs(prepared.frame.take(rows[-1]))
        outputs.append(said.outputs)
        spread.append(said.spread)
    return np.concatenate(rows), Prediction(np.concatenate(outputs), np.concatenate(spread))
