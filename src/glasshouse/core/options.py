"""From words to settings: `--set KEY=VALUE`, keyword arguments and `run.toml` all end in one checked `Settings`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from glasshouse.core.errors import SettingsError, nearest, one_of
from glasshouse.core.settings import Kind, Settings

FREE = "columns"  # the one section whose keys are the user's own column names


def setting_names() -> list[str]:
    """The dotted name of every setting, `columns.NAME` for the free one.

    Example:
        >>> "training.epochs" in setting_names()
        True
    """
    names: list[str] = []
    for section, kind in get_type_hints(Settings).items():
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            names.extend(f"{section}.{name}" for name in kind.__struct_fields__)
        elif section == FREE:
            names.append(f"{FREE}.NAME")
    return names


def parse_assignments(assignments: Iterable[str]) -> dict[str, Any]:
    """Reads `KEY=VALUE` words; a value is TOML, and plain text where it is not.

    Raises:
        SettingsError: a word without "=", or an unknown key.

    Example:
        >>> parse_assignments(["network.hidden=[64, 32]", "columns.zip=category"])
        {'network.hidden': [64, 32], 'columns.zip': 'category'}
    """
    found: dict[str, Any] = {}
    for word in assignments:
        name, equals, text = word.partition("=")
        name = name.strip()
        if not equals or not name:
            raise SettingsError(
                f"{word!r} is not KEY=VALUE",
                where="--set",
                expected="such as training.epochs=20",
                fix="--set training.epochs=20",
            )
        _check_name(name, "--set")
        if name in found:
            raise SettingsError(
                f"{name} is set twice", where="--set", expected="each setting once", fix=f"--set {name}={text.strip()}"
            )
        found[name] = _value(text.strip())
    return found


def build_settings(values: Mapping[str, Any], where: str = "--set") -> Settings:
    """Settings from dotted names and values; what is not named keeps its default.

    Args:
        values: such as {"source": "a.csv", "target": "price", "training.epochs": 20}.
        where: what to name in an error.

    Raises:
        SettingsError: an unknown name, or a value that the setting cannot have.

    Example:
        >>> build_settings({"source": "a.csv", "target": "price", "run.seed": 3}).run.seed
        3
    """
    nested: dict[str, Any] = {}
    for name, value in values.items():
        section, dot, rest = name.partition(".")
        if dot:
            _check_name(name, where)
            nested.setdefault(section, {})[rest] = value
        else:
            nested[name] = value
    return _convert(nested, where)


def settings_from_toml(text: str, where: str) -> Settings:
    """Reads a `run.toml`.

    Raises:
        SettingsError: it is not TOML, or not the settings of a run.
    """
    try:
        nested = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(
            f"{where} is not TOML: {error}", where=where, expected="a run.toml as glasshouse writes it"
        ) from error
    return _convert(nested, where)


def settings_to_toml(settings: Settings) -> str:
    """Writes a `run.toml`; a setting that is None is left out.

    Example:
        >>> settings = build_settings({"source": "a.csv", "target": "price"})
        >>> settings_from_toml(settings_to_toml(settings), "run.toml") == settings
        True
    """
    import tomli_w

    plain = msgspec.to_builtins(settings)
    nested = {
        section: {name: value for name, value in content.items() if value is not None}
        if isinstance(content, dict)
        else content
        for section, content in plain.items()
    }
    return tomli_w.dumps(nested)


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _check_name(name: str, where: str) -> None:
    names = setting_names()
    if name in names or (name.startswith(f"{FREE}.") and name != f"{FREE}."):
        return
    near = nearest(name, names) or next((known for known in names if known.endswith(f".{name}")), "")
    raise SettingsError(
        f"unknown setting {name!r}", where=where, expected=one_of(names), fix=f"--set {near}=..." if near else ""
    )


def _convert(nested: dict[str, Any], where: str) -> Settings:
    try:
        return msgspec.convert(nested, Settings)
    except msgspec.ValidationError as error:
        if isinstance(error.__cause__, SettingsError):
            raise error.__cause__ from None
        raise _explained(error, nested, where) from None


def _explained(error: msgspec.ValidationError, nested: dict[str, Any], where: str) -> SettingsError:
    """msgspec's message in our words: which setting, what it was given, what it takes."""
    message = str(error)
    unknown = re.search(r"unknown field `([^`]*)`(?: - at `\$\.?([^`]*)`)?", message)
    if unknown:
        name = ".".join(part for part in (unknown[2], unknown[1]) if part)
        near = nearest(name, setting_names())
        return SettingsError(
            f"unknown setting {name!r}",
            where=where,
            expected=one_of(setting_names()),
            fix=f"--set {near}=..." if near else "",
        )
    missing = re.search(r"missing required field `([^`]*)`", message)
    if missing:
        return SettingsError(f"{missing[1]} is not given", where=where, expected=f"a {missing[1]}")
    name = _path(message)
    given: Any = nested
    for part in name.split(".", 1):
        given = given.get(part, given) if isinstance(given, dict) else given
    if name == FREE and isinstance(given, dict):
        name, given = next((f"{FREE}.{key}", kind) for key, kind in given.items() if kind not in get_args(Kind))
    return SettingsError(f"{name} cannot be {given!r}", where=where, expected=_expected(name, message))


def _path(message: str) -> str:
    found = re.search(r"at `(?:key in )?\$\.?([^`]*)`", message)
    return re.sub(r"\[[^\]]*\]", "", found[1]) if found else "settings"


def _expected(name: str, message: str) -> str:
    section, _, field = name.partition(".")
    if section == FREE:
        return one_of(get_args(Kind), 10)
    kinds = get_type_hints(Settings)
    kind = kinds.get(section)
    if field and isinstance(kind, type):
        kind = get_type_hints(kind).get(field)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return f"settings of that section, such as {next(n for n in setting_names() if n.startswith(section + '.'))}"
    return " or ".join(dict.fromkeys(_in_words(kind))) if kind is not None else message


def _in_words(kind: Any) -> list[str]:
    """What a setting takes, in words: one entry a kind of value; None is what it has when nothing is given."""
    plain = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
    if kind in plain:
        return [plain[kind]]
    parts = get_args(kind)
    if get_origin(kind) is Literal:
        return [one_of(parts, 20)]
    if get_origin(kind) is tuple:
        many = {int: "whole numbers", float: "numbers", str: "texts"}
        return ["[low, high]" if parts[-1] is not Ellipsis else f"a list of {many.get(parts[0], 'lists')} in [ ]"]
    return [text for part in parts if part is not type(None) for text in _in_words(part)]
