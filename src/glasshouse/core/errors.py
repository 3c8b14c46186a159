"""The errors a user meets: one problem, where it is, what was expected, how to fix it.

Every kind is also a built-in exception, so that plain `except ValueError` works.
The four fields make the command line's text, the JSON body and the report's card alike.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class GlasshouseError(Exception):
    """A problem that the user can mend; never a defect of ours.

    Args:
        problem: one line that shows the offending value.
        where: the file and line, column, option or field.
        expected: what would have been accepted.
        fix: something that can be pasted or done.

    Example:
        >>> print(DataError('column "pirce" is not in houses.csv', where="--target", fix="--target price"))
        column "pirce" is not in houses.csv
          where:    --target
          fix:      --target price
    """

    def __init__(self, problem: str, *, where: str = "", expected: str = "", fix: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.where = where
        self.expected = expected
        self.fix = fix

    def fields(self) -> dict[str, str]:
        """The kind and the filled fields, for JSON."""
        named = {"problem": self.problem, "where": self.where, "expected": self.expected, "fix": self.fix}
        return {"error": type(self).__name__, **{name: text for name, text in named.items() if text}}

    def __str__(self) -> str:
        lines = [self.problem]
        for name in ("where", "expected", "fix"):
            text = getattr(self, name)
            if text:
                lines.append(f"  {name + ':':<9} {text}")
        return "\n".join(lines)


class SettingsError(GlasshouseError, ValueError):
    """An option or a setting is unknown, out of range or contradicts another."""


class DataError(GlasshouseError, ValueError):
    """The table cannot be read or cannot answer the question asked of it."""


class NetworkError(GlasshouseError, ValueError):
    """A network specification cannot be built."""


class TrainingError(GlasshouseError, RuntimeError):
    """Training cannot go on: a loss that is not finite, a device that is not there."""


class ModelFileError(GlasshouseError, ValueError):
    """A `.glass` file is broken, truncated, tampered with or too new."""


class ServingError(GlasshouseError, RuntimeError):
    """The service cannot start or cannot answer."""


def one_of(options: Iterable[str], most: int = 5) -> str:
    """Lists what would have been accepted, at most `most` of them.

    Example:
        >>> one_of(["a", "b", "c"], most=2)
        'one of a, b (and 1 more)'
    """
    names = [str(option) for option in options]
    rest = f" (and {len(names) - most} more)" if len(names) > most else ""
    return f"one of {', '.join(names[:most])}{rest}" if names else "nothing: there is none"


def nearest(name: str, options: Iterable[str]) -> str:
    """The option most like a misspelt name, or an empty string.

    Example:
        >>> nearest("pirce", ["area", "price"])
        'price'
    """
    names = [str(option) for option in options]
    folded = {option.casefold(): option for option in names}
    found = difflib.get_close_matches(name.casefold(), list(folded), n=1, cutoff=0.6)
    return folded[found[0]] if found else ""
