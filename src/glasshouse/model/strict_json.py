"""JSON from a stranger: bounded, without duplicate keys, and without numbers that are none."""

from __future__ import annotations

import json
import math
import re
from typing import Any, TypeVar

import msgspec
import numpy as np

MOST_DEPTH = 64  # levels of brackets
MOST_VALUES = 2_000_000  # a small text of empty brackets would otherwise become gigabytes of objects

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_MARK = re.compile(rb"[\[\]{},]")

T = TypeVar("T")


def encode(value: Any) -> bytes:
    """Writes a value as JSON, the same bytes for the same value; a number that is not finite becomes null.

    Args:
        value: plain values, records, NumPy numbers and arrays.
    """
    return msgspec.json.encode(value, order="deterministic", enc_hook=_plain)


def decode(data: bytes) -> Any:
    """Reads JSON that may have been made to harm.

    Raises:
        ValueError: the text is not JSON, has a key twice, a number that is not finite, or is nested or split beyond
            all need; the message says which.
    """
    _bound(data)
    try:
        return json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_no_number,
            parse_float=_finite,
        )
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start} is not UTF-8") from error


def decode_as(data: bytes, kind: type[T]) -> T:
    """Reads JSON as a record, after every check of `decode`.

    Raises:
        ValueError: as `decode`, or a field is unknown, missing or of another type.
    """
    decode(data)
    # msgspec.ValidationError is a ValueError; its text names the field.
    return msgspec.json.decode(data, type=kind)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def _bound(data: bytes) -> None:
    """Counts brackets and commas outside strings before anything is built from them."""
    depth = 0
    for count, match in enumerate(_MARK.finditer(_STRING.sub(b"", data))):
        mark = match.group()
        if mark in b"[{":
            depth += 1
        elif mark in b"]}":
            depth -= 1
        if depth > MOST_DEPTH:
            raise ValueError(f"brackets are nested more than {MOST_DEPTH} deep")
        if count > MOST_VALUES:
            raise ValueError(f"it holds more than {MOST_VALUES:,} values")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f'the key "{key[:80]}" is there twice')
        found[key] = value
    return found


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is not a JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text[:40]} is too large")
    return number
