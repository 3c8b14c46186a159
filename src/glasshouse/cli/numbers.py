"""How the numbers of a lesson are shown: names with their values, and tables of what belongs together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

MOST_ROWS = 24
_SPACE = 3  # between columns

Columns = dict[str, list[Any]]


def show_numbers(numbers: dict[str, Any], screen: Console) -> None:
    """Prints a lesson's numbers: first what stands alone, then the tables.

    Args:
        numbers: as a lesson returns them.
        screen: where to; no line is wider.
    """
    from glasshouse.cli.console import plain_table

    single = plain_table()
    single.show_header = False
    for name, value in alone(numbers).items():
        single.add_row(f"[dim]{name}[/]", value)
    begun = bool(single.row_count)
    if begun:
        screen.print(single)
    for title, columns in tables(numbers):
        for part in fitting(columns, screen.width):
            if begun:
                screen.print()
            begun = True
            if title:
                screen.print(title, style="bold", markup=False)
            table = plain_table()
            table.show_header = any(name.strip() for name in part)
            for name in part:
                table.add_column(name, no_wrap=True, justify="left" if isinstance(part[name][0], str) else "right")
            rows = len(next(iter(part.values())))
            chosen = thinned(rows)
            for row in chosen:
                table.add_row(*(shown(values[row]) for values in part.values()))
            screen.print(table)
            if len(chosen) < rows:
                screen.print(f"... {rows - len(chosen)} rows are left out here; --json has them all", style="dim")


def alone(numbers: dict[str, Any]) -> dict[str, str]:
    """What is shown as a name and a value: single numbers, and lists that no other list has the length of."""
    lengths = [len(value) for value in numbers.values() if _is_column(value)]
    leading = {_leading(numbers, value) for value in numbers.values() if isinstance(value, dict)}
    found = {}
    for name, value in numbers.items():
        if not isinstance(value, list | dict):
            found[name] = shown(value)
        elif _is_column(value) and lengths.count(len(value)) == 1 and name not in leading:
            found[name] = ", ".join(map(shown, value))
    return found


def tables(numbers: dict[str, Any]) -> Iterator[tuple[str, Columns]]:
    """(title, columns) of each table: lists of one length together, then every dict, then every list of rows."""
    single = alone(numbers)
    led = {_leading(numbers, value) for value in numbers.values() if isinstance(value, dict)}
    groups: dict[int, Columns] = {}
    for name, value in numbers.items():
        if _is_column(value) and name not in single:
            groups.setdefault(len(value), {})[name] = value
    for group in groups.values():
        if not (len(group) == 1 and set(group) <= led):
            yield "", group
    for name, value in numbers.items():
        if isinstance(value, dict):
            if isinstance(next(iter(value.values())), list):
                first = _leading(numbers, value)
                yield name, {**({first: numbers[first]} if first else {}), **value}
            else:
                yield name, {"": list(value), " ": list(value.values())}
        elif isinstance(value, list) and not _is_column(value):
            yield name, {str(place): list(column) for place, column in enumerate(zip(*value, strict=True))}


def _is_column(value: Any) -> bool:
    return isinstance(value, list) and not isinstance(value[0], list)


def _leading(numbers: dict[str, Any], value: dict[str, Any]) -> str:
    """The list that stands first in the table of a dict of lists: the first of its length, if there is one."""
    one = next(iter(value.values()))
    names = [name for name, other in numbers.items() if _is_column(other) and isinstance(one, list)]
    return next((name for name in names if len(numbers[name]) == len(one)), "")


def fitting(columns: Columns, width: int) -> Iterator[Columns]:
    """The columns in parts that fit the width; each part begins with the first column."""
    first, *others = columns
    sizes = {name: max(len(name), *(len(shown(value)) for value in values)) for name, values in columns.items()}
    part: Columns = {first: columns[first]}
    used = sizes[first]
    for name in others:
        if len(part) > 1 and used + _SPACE + sizes[name] > width:
            yield part
            part, used = {first: columns[first]}, sizes[first]
        part[name] = columns[name]
        used += _SPACE + sizes[name]
    yield part


def thinned(rows: int) -> Sequence[int]:
    """Which rows of a long table are shown: evenly spread, the first and the last among them."""
    if rows <= MOST_ROWS:
        return range(rows)
    return sorted({round(place * (rows - 1) / (MOST_ROWS - 4)) for place in range(MOST_ROWS - 3)})


def shown(value: Any) -> str:
    """A value as it is printed: four digits that count, whole numbers whole, nothing for what there is none of.

    Example:
        >>> [shown(value) for value in (0.123456, 1e-7, 235146, 2.0, True, None, "AND")]
        ['0.1235', '1e-07', '235,146', '2', 'yes', '-', 'AND']
    """
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    # From 9,999.5 on four digits would round to 1e+04.
    return f"{value:,.4g}" if abs(value) < 9999.5 else f"{value:.4g}" if abs(value) >= 1e7 else f"{value:,.0f}"
