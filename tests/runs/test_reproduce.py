"""A run is run again, and what differs is named."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from glasshouse.core.errors import DataError, SettingsError
from glasshouse.runs import Run, reproduce

from .conftest import Make, people


def test_everything_matches(iris: Run, diabetes: Run, buyers: Run) -> None:
    for run in (iris, diabetes, buyers):
        result = reproduce(run.folder)
        assert result.everything, [row for row in result.rows if not row.matches]
        names = [row.what for row in result.rows]
        assert {"data", "train rows", "test rows", "weights", *run.metrics.ensemble} <= set(names)
        assert all(row.was == row.now and row.was for row in result.rows)


@pytest.fixture
def edited(small: Make, tmp_path: Path) -> Run:
    """A run whose table has one cell changed afterwards."""
    people().write_csv(tmp_path / "people.csv")
    run = small(tmp_path / "people.csv", "income")
    changed = people().with_columns(pl.when(pl.int_range(pl.len()) == 17).then(99.9).otherwise("age").alias("age"))
    changed.write_csv(tmp_path / "people.csv")
    return run


def test_an_edited_cell_is_named(edited: Run, tmp_path: Path) -> None:
    result = reproduce(edited.folder)
    wrong = {row.what for row in result.rows if not row.matches}
    assert not result.everything and "data" in wrong
    assert wrong & {"train rows", "validation rows", "calibration rows", "test rows"}
    people().write_csv(tmp_path / "the table as it was.csv")
    restored = reproduce(edited.folder, source=tmp_path / "the table as it was.csv")
    assert restored.everything, [row for row in restored.rows if not row.matches]


def test_a_planted_change_of_the_weights_is_named(iris: Run, tmp_path: Path, small: Make) -> None:
    run = small("example:iris", "species")
    manifest = run.folder / "manifest.json"
    text = manifest.read_text().replace(run.manifest.weights_sha256, "0" * 64)
    manifest.write_text(text.replace('"torch": "', '"torch": "0.'))
    result = reproduce(run.folder)
    assert {row.what for row in result.rows if not row.matches} == {"weights", "torch"}


def test_a_table_in_memory_has_to_be_brought_again(small: Make) -> None:
    run = small(people(), "income")
    with pytest.raises(DataError, match="a table in memory, which is gone") as caught:
        reproduce(run.folder)
    assert (
        caught.value.fix == "glasshouse.runs.reproduce(folder, source=table)" and caught.value.expected == "the table"
    )
    assert reproduce(run.folder, source=people()).everything


@pytest.mark.parametrize(("name", "told"), [("nowhere", "is not there"), (".", "is not the folder of a finished run")])
def test_what_is_not_a_run(tmp_path: Path, name: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told) as caught:
        reproduce(tmp_path / name)
    assert caught.value.fix == "glasshouse train makes one" and caught.value.where == "RUN"


@pytest.mark.parametrize("name", ["run.toml", "manifest.json", "metrics.json"])
@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"[]", None])
def test_a_broken_file_is_named(small: Make, name: str, content: bytes | None) -> None:
    run = small("example:iris", "species", settings={"training.epochs": 1})
    path = run.folder / name
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        reproduce(run.folder)
    told = str(caught.value)
    assert name in told, told
