"""A `.glass` file gives back the model that was put in; one with honest hashes and dishonest content is refused."""

from __future__ import annotations

import builtins
import marshal
import math
import pickle
import struct
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

import glasshouse.model
from glasshouse.core.errors import GlasshouseError, ModelFileError
from glasshouse.core.records import Score
from glasshouse.model import Model, Origin, Uncertainty, load_parts, save_parts, weights_sha256

TASKS = ("regression", "binary", "multiclass")
SOURCE_FOLDER = Path(glasshouse.model.__file__).parent


def refused(path: Path) -> ModelFileError:
    """The error of reading a file; it must name the file, what was expected and what to do."""
    with pytest.raises(ModelFileError) as caught:
        load_parts(path)
    assert str(path) in caught.value.where
    assert caught.value.fix == "copy the file again from where it came, or train the model again"
    return caught.value


def with_tensors(forged: Any, change: Callable[[dict[str, np.ndarray]], object]) -> Any:
    tensors = load_tensors(forged.entries["model.safetensors"])
    change(tensors)
    return forged.put("model.safetensors", save_tensors(tensors))


# --- what is saved comes back -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", TASKS)
def test_parts_come_back_as_they_were(tmp_path: Path, parts_of, task: str) -> None:
    parts = parts_of(task)
    path = tmp_path / "model.glass"
    save_parts(path, parts)
    for found in (load_parts(path), load_parts(tmp_path)):
        assert (found.schema, found.encoder, found.spec) == (parts.schema, parts.encoder, parts.spec)
        assert (found.weights, found.origins, found.uncertainty) == (parts.weights, parts.origins, parts.uncertainty)
        assert found.sections == {"metrics": {"task": task, "rows": [1, 2.5, None]}}
        assert found.tensors.keys() == parts.tensors.keys()
        for name, tensor in parts.tensors.items():
            np.testing.assert_array_equal(found.tensors[name], tensor)
            assert found.tensors[name].dtype == np.float32


def test_the_same_model_gives_the_same_bytes(glass: Path, tmp_path: Path, parts_of) -> None:
    parts = parts_of()
    parts = replace(
        parts, tensors=dict(reversed(parts.tensors.items())), sections=dict(reversed(parts.sections.items()))
    )
    save_parts(tmp_path / "again.glass", parts)
    assert (tmp_path / "again.glass").read_bytes() == glass.read_bytes()
    save_parts(tmp_path / "third.glass", load_parts(glass))
    assert (tmp_path / "third.glass").read_bytes() == glass.read_bytes()


def test_torch_tensors_are_taken(tmp_path: Path, parts_of) -> None:
    import torch

    parts = parts_of()
    of_torch = replace(parts, tensors={name: torch.tensor(array) for name, array in parts.tensors.items()})
    assert weights_sha256(of_torch) == weights_sha256(parts)
    save_parts(tmp_path / "x.glass", of_torch)
    assert weights_sha256(load_parts(tmp_path / "x.glass")) == weights_sha256(parts)


def test_the_hash_of_the_weights_sees_one_bit(parts_of) -> None:
    parts = parts_of()
    name = min(parts.tensors)
    changed = parts.tensors[name].copy()
    changed.flat[0] = np.nextafter(changed.flat[0], np.float32(9))
    assert weights_sha256(replace(parts, tensors={**parts.tensors, name: changed})) != weights_sha256(parts)


def test_a_model_without_calibration_or_sections(tmp_path: Path, parts_of) -> None:
    parts = replace(parts_of(), uncertainty=Uncertainty(), sections={})
    save_parts(tmp_path / "x.glass", parts)
    assert load_parts(tmp_path / "x.glass").uncertainty == Uncertainty()


def test_records_in_sections_become_plain_values(tmp_path: Path, parts_of) -> None:
    sections = {"score": Score(value=1.0, low=0.5, high=math.inf)}
    save_parts(tmp_path / "x.glass", replace(parts_of(), sections=sections))
    assert load_parts(tmp_path / "x.glass").sections == {"score": {"value": 1.0, "low": 0.5, "high": None}}


def test_reading_needs_no_torch(glass: Path) -> None:
    """A server reads models without it; the last line shows that the check can fail."""
    code = (
        "import sys\nfrom glasshouse.model import load_parts\nload_parts(sys.argv[1])\n"
        "assert 'torch' not in sys.modules\n"
        "from glasshouse.model import load\nassert 'torch' in sys.modules"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(glass)], check=True, env={"PYTHONPATH": str(SOURCE_FOLDER.parents[1])}
    )


# --- nothing is executed ----------------------------------------------------------------------------------------------


def test_no_file_of_the_room_can_execute_what_it_reads() -> None:
    for source in SOURCE_FOLDER.glob("*.py"):
        text = source.read_text()
        for word in ("pickle", "marshal", "eval(", "exec(", "torch.load", "joblib", "shelve", "compile("):
            assert word not in text.replace("re.compile(", "").replace(".eval()", ""), f"{word} in {source.name}"


def test_a_model_opens_with_everything_that_executes_blocked(glass: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = weights_sha256(load_parts(glass))

    def forbidden(*arguments: object, **named: object) -> None:
        raise AssertionError("something tried to execute what it read")

    for module, names in ((pickle, ("load", "loads", "Unpickler")), (marshal, ("load", "loads"))):
        for name in names:
            monkeypatch.setattr(module, name, forbidden)
    for name in ("eval", "exec"):
        monkeypatch.setattr(builtins, name, forbidden)
    found = load_parts(glass)
    monkeypatch.undo()
    assert weights_sha256(found) == expected


@pytest.mark.parametrize("pickler", [pickle.dumps, marshal.dumps])
def test_a_pickle_with_our_suffix_is_refused(tmp_path: Path, pickler: Callable[[object], bytes]) -> None:
    path = tmp_path / "model.glass"
    path.write_bytes(pickler({"weights": [1.0]}))
    assert refused_other(path).problem == "this is not a .glass file"


def test_a_torch_file_with_our_suffix_is_refused(tmp_path: Path) -> None:
    import torch

    path = tmp_path / "model.glass"
    torch.save({"w": torch.ones(2)}, path)
    assert refused_other(path).where == str(path)


def refused_other(path: Path) -> ModelFileError:
    with pytest.raises(ModelFileError) as caught:
        load_parts(path)
    assert caught.value.fix
    return caught.value


def test_a_path_that_is_none(tmp_path: Path) -> None:
    assert "there is no file" in refused_other(tmp_path / "a\x00b").problem
    assert "too long" in refused_other(tmp_path / ("n" * 5000)).problem.lower()


# --- honest hashes, dishonest content: config -------------------------------------------------------------------------


def _reading(config: dict[str, Any]) -> dict[str, Any]:
    reading: dict[str, Any] = config["schema"]["columns"][0]["reading"]
    return reading


CONFIG_LIES: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "no schema": (lambda c: c.pop("schema"), "missing required field `schema`"),
    "unknown field": (lambda c: c.update(code="import os"), "unknown field `code`"),
    "schema of another type": (lambda c: c.update(schema=[1]), "Expected `object`"),
    "no target": (lambda c: c["schema"].update(target=None), "names no target"),
    "unknown task": (lambda c: c["schema"]["target"].update(task="execute"), "Invalid enum value 'execute'"),
    "classes of a number": (lambda c: c["schema"]["target"].update(classes=["a", "b"]), "with 2 classes"),
    "one class": (lambda c: c["schema"]["target"].update(task="binary", classes=["a"]), "with 1 classes"),
    "the same class twice": (lambda c: c["schema"]["target"].update(task="binary", classes=["a", "a"]), "2 classes"),
    "more classes than outputs": (
        lambda c: c["schema"]["target"].update(task="multiclass", classes=list("abcd")),
        "1 outputs, multiclass, 4 classes",
    ),
    "target scale 0": (lambda c: c["encoder"].update(target_scale=0.0), "scaled by 0.0"),
    "target scale below 0": (lambda c: c["encoder"].update(target_scale=-2.0), "scaled by -2.0"),
    "terabytes": (lambda c: c["spec"].update(hidden=[10**6, 10**6]), "more than 1,000,000,000 parameters"),
    "beyond integers": (lambda c: c["spec"].update(hidden=[10**30, 10**30]), "more than 1,000,000,000"),
    "a width below 0": (lambda c: c["spec"].update(hidden=[-8, -8]), "cannot be built"),
    "a width of 0": (lambda c: c["spec"].update(hidden=[0, 0]), "cannot be built"),
    "another width": (lambda c: c["spec"].update(hidden=[9, 9]), "is F32 [3, 10, 8]"),
    "deeper than wide": (lambda c: c["spec"].update(depths=[3, 1, 1]), "cannot be built"),
    "depths that rise": (lambda c: c["spec"].update(depths=[1, 1, 2]), "cannot be built"),
    "a depth below 0": (lambda c: c["spec"].update(depths=[2, 1, -1]), "cannot be built"),
    "no members": (lambda c: c["spec"].update(depths=[]), "a pack of 0 members"),
    "a million members": (lambda c: c["spec"].update(depths=[1] * 100_000), "a pack of 100,000 members"),
    "no outputs": (lambda c: c["spec"].update(outputs=0), "0 outputs"),
    "unknown activation": (lambda c: c["spec"].update(activation="os.system"), "Invalid enum value 'os.system'"),
    "other features": (lambda c: c["spec"]["features"].update(num_numbers=3), "disagree on the features"),
    "features below 0": (lambda c: c["spec"]["features"].update(num_numbers=-1), "disagree on the features"),
    "a smaller table": (lambda c: c["spec"]["features"].update(cardinalities=[5]), "disagree on the features"),
    "too few weights": (lambda c: c.update(weights=[1.0]), "1 weights and 3 origins for 3 members"),
    "too few origins": (lambda c: c.update(origins=[]), "3 weights and 0 origins for 3 members"),
    "weights below 0": (lambda c: c.update(weights=[-1.0, 1.0, 1.0]), "the least is -1"),
    "weights that sum to 3": (lambda c: c.update(weights=[1.0, 1.0, 1.0]), "sum to 3"),
    "weights of text": (lambda c: c.update(weights=["1", "0", "0"]), "Expected `float`"),
    "an origin before the start": (lambda c: c["origins"][0].update(epoch=-1), "epoch -1"),
    "temperature 0": (lambda c: c.update(temperature=0.0), "uncertainty.temperature is 0.0"),
    "temperature below 0": (lambda c: c.update(temperature=-1242.0), "uncertainty.temperature is -1242.0"),
    "floor below 0": (lambda c: c.update(floor=-1.0), "uncertainty.floor is -1.0"),
    "more scores than rows": (lambda c: c.update(num_calibration_rows=3), "uncertainty.num_rows is 3"),
    "a column twice": (lambda c: c["schema"]["columns"].append(c["schema"]["columns"][0]), "has a column twice"),
    "a label of a billion digits": (lambda c: _reading(c).update(width=10**9), "is read in a way that does not exist"),
    "a date format that panics": (lambda c: _reading(c).update(format="%3"), "is read in a way that does not exist"),
    "a sign that is a pattern": (lambda c: _reading(c).update(thousands="(.*)*"), "is read in a way"),
    "a scale of 0": (lambda c: c["encoder"]["numbers"][0].update(scale=0.0), "is scaled by 0.0"),
    "no quantiles": (lambda c: c["encoder"].update(scaling="quantile"), "the quantiles of 'area' do not rise"),
    "a label twice": (
        lambda c: c["encoder"]["categories"][0]["labels"].__setitem__(0, c["encoder"]["categories"][0]["labels"][1]),
        "the encoder does not fit the schema",
    ),
    "a column the encoder needs": (lambda c: c["schema"].update(columns=[]), "the encoder does not fit the schema"),
}  # fmt: skip


@pytest.mark.parametrize("lie", CONFIG_LIES)
def test_a_lying_config_is_refused(glass: Path, forged, lie: str) -> None:
    change, message = CONFIG_LIES[lie]
    assert message in refused(forged.edit("config.json", change).write(glass)).problem


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"null", b"\xff", b"{" * 100_000, b'{"schema": 1, "schema": 2}', b"[NaN]"]
)
def test_a_config_that_is_no_json(glass: Path, forged, text: bytes) -> None:
    error = refused(forged.put("config.json", text).write(glass))
    assert error.where == f"{glass}, config.json"


@pytest.mark.parametrize("text", [b"", b"[" * 100_000, b'{"a": 1, "a": 2}', b"[1e999]", b"\x80\x04."])
def test_a_section_that_is_no_json(glass: Path, forged, text: bytes) -> None:
    error = refused(forged.put("sections/metrics.json", text).write(glass))
    assert error.where == f"{glass}, sections/metrics.json"


# --- honest hashes, dishonest content: tensors ------------------------------------------------------------------------


def _first(tensors: dict[str, np.ndarray]) -> str:
    return min(name for name in tensors if name != "uncertainty.scores")


def _spoil(value: float) -> Callable[[dict[str, np.ndarray]], None]:
    def change(tensors: dict[str, np.ndarray]) -> None:
        tensors[_first(tensors)].flat[0] = value

    return change


TENSOR_LIES: dict[str, tuple[Callable[[dict[str, np.ndarray]], object], str]] = {
    "one is missing": (lambda t: t.pop(_first(t)), "is missing"),
    "one too many": (lambda t: t.update(more=np.zeros(1, np.float32)), "'more' is not part of the network"),
    "half precision": (lambda t: t.update({_first(t): t[_first(t)].astype(np.float16)}), "is F16"),
    "integers": (lambda t: t.update({_first(t): t[_first(t)].astype(np.int32)}), "is I32"),
    "another shape": (lambda t: t.update({_first(t): t[_first(t)][..., None]}), "is F32"),
    "another size": (lambda t: t.update({_first(t): np.zeros((99, 9), np.float32)}), "[99, 9]"),
    "nan": (_spoil(math.nan), "not a finite number"),
    "infinity": (_spoil(-math.inf), "not a finite number"),
    "no scores but rows": (lambda t: t.pop("uncertainty.scores"), "uncertainty.num_rows is 50"),
    "scores of float32": (lambda t: t.update({"uncertainty.scores": np.zeros(50, np.float32)}), "F64"),
    "scores in a square": (lambda t: t.update({"uncertainty.scores": np.zeros((5, 5))}), "uncertainty.scores"),
    "scores that fall": (lambda t: t.update({"uncertainty.scores": np.arange(50.0)[::-1].copy()}), "not a rising list"),
    "scores of nan": (lambda t: t.update({"uncertainty.scores": np.full(50, math.nan)}), "not a rising list"),
    "too many scores": (lambda t: t.update({"uncertainty.scores": np.zeros(10_001)}), "uncertainty.scores"),
    "more scores than rows": (lambda t: t.update({"uncertainty.scores": np.zeros(51)}), "uncertainty.num_rows is 50"),
}


@pytest.mark.parametrize("lie", TENSOR_LIES)
def test_lying_tensors_are_refused(glass: Path, forged, lie: str) -> None:
    change, message = TENSOR_LIES[lie]
    error = refused(with_tensors(forged, change).write(glass))
    assert message in f"{error.problem} {error.expected}"


def _header(length: int, header: bytes, rest: bytes = b"") -> bytes:
    return struct.pack("<Q", length) + header + rest


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "header"),
        (b"1234", "header"),
        (_header(2**63, b"{}"), "claims 9,223,372,036,854,775,808 bytes"),
        (_header(100, b"{}"), "claims 100 bytes"),
        (_header(5 * 2**20, b" " * 5 * 2**20), "claims 5,242,880 bytes"),
        (_header(2, b"{}"), "is missing"),
        (_header(2, b"[]"), "not an object"),
        (_header(4, b"null"), "not an object"),
        (_header(3, b"{{{"), "cannot be read"),
        (_header(80_000, b"[" * 80_000), "64 deep"),
        (_header(17, b'{"a": 1, "a": 2} '), "twice"),
        (_header(0, b""), "cannot be read"),
    ],
)
def test_lying_tensor_headers_are_refused(glass: Path, forged, data: bytes, message: str) -> None:
    error = refused(forged.put("model.safetensors", data).write(glass))
    assert error.where == f"{glass}, model.safetensors"
    assert message in error.problem


def test_metadata_and_offsets_are_not_believed(glass: Path, forged) -> None:
    whole = forged.entries["model.safetensors"]
    length = struct.unpack("<Q", whole[:8])[0]
    header = msgspec.json.decode(whole[8 : 8 + length])

    def put(changed: dict[str, Any], rest: bytes) -> None:
        text = msgspec.json.encode(changed)
        forged.put("model.safetensors", _header(len(text), text, rest)).write(glass)

    rest = whole[8 + length :]
    put(header, rest)
    load_parts(glass)  # the forge itself makes sound files
    put({**header, "__metadata__": {"format": "pt"}}, rest)
    assert "'__metadata__' is not part of the network" in refused(glass).problem
    put(header, rest + b"hidden bytes")
    assert "the tensors take" in refused(glass).problem
    put(header, rest[:-4])
    assert "the tensors take" in refused(glass).problem
    name = min(header)
    begin, end = header[name]["data_offsets"]
    for offsets in ([begin + 4, end + 4], [begin, end - 4], [end, begin], [-4, end], [0, 2**62], ["0", "4"], None):
        put({**header, name: {**header[name], "data_offsets": offsets}}, rest)
        assert "the tensors cannot be read" in refused(glass).problem


def test_tensors_of_another_model_are_refused(glass: Path, forged, parts_of, tmp_path: Path) -> None:
    """The swap recomputes every hash, so shapes and names have to tell."""
    save_parts(tmp_path / "other.glass", parts_of("multiclass"))
    with zipfile.ZipFile(tmp_path / "other.glass") as archive:
        refused(forged.put("model.safetensors", archive.read("model.safetensors")).write(glass))


# --- what cannot be read is not written -------------------------------------------------------------------------------


def test_parts_that_do_not_fit_are_not_written(tmp_path: Path, parts_of) -> None:
    parts = parts_of()
    name = min(parts.tensors)
    path = tmp_path / "x.glass"
    for changed, problem in [
        (replace(parts, weights=(0.5, 0.5)), "2 weights and 3 origins"),
        (replace(parts, origins=(Origin(member=-1, epoch=0),) * 3), "member -1"),
        (
            replace(parts, tensors={**parts.tensors, name: np.full(parts.tensors[name].shape, np.nan, np.float32)}),
            "finite",
        ),
        (replace(parts, tensors={**parts.tensors, name: parts.tensors[name].astype(np.float64)}), "is float64"),
        (replace(parts, tensors={}), "is missing"),
        (replace(parts, sections={"../metrics": 1}), "a section cannot be called '../metrics'"),
        (replace(parts, sections={f"s{number}": 1 for number in range(62)}), "62 sections"),
        (replace(parts, sections={"deep": _nested(100)}), "64 deep"),
    ]:
        with pytest.raises(ModelFileError) as caught:
            save_parts(path, changed)
        assert problem in caught.value.problem
        assert caught.value.fix
    assert list(tmp_path.iterdir()) == []


def _nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def test_an_old_model_survives_a_failed_save(glass: Path, parts_of) -> None:
    before = glass.read_bytes()
    with pytest.raises(ModelFileError):
        save_parts(glass, replace(parts_of(), weights=(2.0, 0.0, -1.0)))
    assert glass.read_bytes() == before


# --- one change anywhere ----------------------------------------------------------------------------------------------

ODD_VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1, 2, 10**9, 2**63, 2**200, 0.5, -0.0, 1e308, 5e-324, "", "x", "\x00", "%", "%Q", "../../x", "[",
    "a" * 10_000, [], {}, [[]], ["x"] * 1000, [1.5] * 1000, {"a": {}},
)  # fmt: skip


def _places(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path to every value inside a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place, *(found for key, item in inner for found in _places(item, (*place, key)))]


def _changed(value: Any, place: tuple[Any, ...], new: Any) -> Any:
    if not place:
        return new
    changed = value.copy()
    changed[place[0]] = _changed(value[place[0]], place[1:], new)
    return changed


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_changed_value_is_refused_or_harmless(
    glass: Path, forged, houses: pl.DataFrame, data: st.DataObject
) -> None:
    """Hashes honest, one value of the config replaced: no error but ours, when it is read and when it predicts."""
    config = msgspec.json.decode(forged.entries["config.json"])
    place = data.draw(st.sampled_from(_places(config)))
    changed = _changed(config, place, data.draw(st.sampled_from(ODD_VALUES)))
    path = forged.put("config.json", msgspec.json.encode(changed)).write(glass.parent / "changed.glass")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a senseless scale may overflow on the way to its refusal
            Model(load_parts(path)).predict_interval(houses)
    except GlasshouseError as error:
        assert error.fix or error.expected
