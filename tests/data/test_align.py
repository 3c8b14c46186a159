"""New rows are brought to the columns that are known, and told apart from rows of another kind."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest
from tests.data.tables import as_text, houses

from glasshouse.core.errors import DataError
from glasshouse.data.align import align, append
from glasshouse.data.encode import encode_target
from glasshouse.data.infer import infer_schema
from glasshouse.data.read import read

FRAME = read(houses())
SCHEMA = infer_schema(FRAME, "price")


def test_extra_columns_are_dropped_with_a_note_and_order_is_restored() -> None:
    shuffled = (
        houses().select(pl.all().reverse()).with_columns(agent=pl.lit("x")).select(sorted([*houses().columns, "agent"]))
    )
    aligned = align(read(shuffled), SCHEMA)
    assert aligned.table.columns == FRAME.table.columns
    assert aligned.notes[-1] == "not known to the model and left out: agent"


def test_target_and_unused_columns_may_be_absent() -> None:
    schema = infer_schema(read(houses().with_columns(nothing=pl.lit("x"))), "price")
    assert "nothing" not in align(read(houses().drop("price")), schema).table.columns


@pytest.mark.parametrize(
    ("table", "need_target", "problem", "fix"),
    [
        (
            houses().rename({"area": "araea"}),
            False,
            'column "area" is not in table in memory',
            'rename "araea" to "area"',
        ),
        (
            houses().drop("area", "rooms"),
            False,
            'columns "area", "rooms" are not in table in memory',
            "add the columns; leave the cells empty where the value is not known",
        ),
        (
            houses().drop("price"),
            True,
            'column "price" is not in table in memory',
            "add the column; leave the cells empty where the value is not known",
        ),
        (houses().with_columns(area=pl.lit("big")), False, 'column "area" holds "big"', 'mend the column "area"'),
        (
            houses().with_columns(area=pl.lit(date(2020, 1, 1))),
            False,
            'column "area" holds "2020-01-01"',
            'mend the column "area"',
        ),
        (houses().with_columns(sold=pl.lit("soon")), False, 'column "sold" holds "soon"', 'mend the column "sold"'),
        (
            houses().with_columns(area=pl.concat_list("rooms")),
            False,
            'column "area" holds List(Int64)',
            "one value a cell",
        ),
    ],
)
def test_rows_of_another_kind(table: pl.DataFrame, need_target: bool, problem: str, fix: str) -> None:
    with pytest.raises(DataError) as caught:
        align(read(table), SCHEMA, need_target=need_target)
    assert (caught.value.problem, caught.value.fix) == (problem, fix)


def test_column_without_any_value_is_missing_data_not_a_mistake() -> None:
    assert align(read(houses().with_columns(area=pl.lit(None, dtype=pl.String))), SCHEMA).num_rows == 200


@pytest.mark.parametrize("text_first", [True, False])
def test_append_stacks_rows_of_different_types(text_first: bool) -> None:
    tables = (as_text(houses()), houses(50, seed=1)) if text_first else (houses(), as_text(houses(50, seed=1)))
    first, second = read(tables[0]), read(tables[1])
    schema = infer_schema(first, "price")
    both = append(first, second, schema)
    assert both.num_rows == 250
    assert both.source.name == "table in memory + table in memory"
    assert encode_target(both, schema)[-50:].tolist() == houses(50, seed=1)["price"].to_list()
    assert infer_schema(both, "price").columns[0].kind == "number"


def test_append_fills_unused_columns_and_needs_the_target() -> None:
    frame = read(houses().with_columns(nothing=pl.lit("x")))
    schema = infer_schema(frame, "price")
    both = append(frame, read(houses(5)), schema)
    assert both.table["nothing"].null_count() == 5
    with pytest.raises(DataError, match='column "price" is not in'):
        append(frame, read(houses(5).drop("price")), schema)
