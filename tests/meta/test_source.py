"""What every file of the package keeps to, and no linter knows: who prints, our words, what docstrings admit."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
FILES = sorted(REPOSITORY.glob("src/glasshouse/**/*.py"))
OURS = {"SettingsError", "DataError", "NetworkError", "TrainingError", "ModelFileError", "ServingError"}

# One word per idea: each of these has a twin that we use instead.
BANNED = {
    r"preds?|y_pred|y_hat|yhat": "prediction, outputs",
    r"y_true|gt|ground_truth": "actual",
    r"lr|lrs|learn_rate": "learning_rate",
    r"wd": "weight_decay",
    r"val|val_.+|valid_.+|dev_set|eval_set": "validation",
    r"cfg|hparams?|hyperparams?|hyperparameters": "settings",
    r"n_.+|nb_.+|.+_cnt": "num_...",
    r"ckpt|artifact": "model",
    r"feat|feats|col|cols": "feature, column",
    r".*(optimizer|normaliz|initializ|standardiz|regulariz).*": "the spelling with s",
}


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def printing(tree: ast.AST) -> list[int]:
    """Lines that print or take hold of a standard stream."""
    return [
        node.lineno
        for node in ast.walk(tree)
        if (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print")
        or (
            isinstance(node, ast.Attribute)
            and node.attr in ("stdout", "stderr")
            and isinstance(node.value, ast.Name)
            and node.value.id == "sys"
        )
    ]


def defined_names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Names that a file gives: functions, classes, parameters, variables. Names it only uses are others' choice."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id


def banned_names(tree: ast.AST) -> list[str]:
    """Each banned word with its line and the word to use."""
    return [
        f"line {line}: {name} (say {instead})"
        for line, name in defined_names(tree)
        for pattern, instead in BANNED.items()
        if re.fullmatch(pattern, name.strip("_").lower())
    ]


def public_functions(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    """Functions and methods that others may call."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from (
                item for item in node.body if isinstance(item, ast.FunctionDef) and not item.name.startswith("_")
            )


def unadmitted(tree: ast.Module) -> list[str]:
    """Public functions that raise one of our errors, and whose docstring does not say so."""
    missing = []
    for function in public_functions(tree):
        raised = {
            node.exc.func.id
            for node in ast.walk(function)
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name)
        }
        text = ast.get_docstring(function) or ""
        missing += [f"{function.name}: {kind}" for kind in sorted(raised & OURS) if kind not in text]
    return missing


@pytest.mark.parametrize("path", FILES, ids=[path.relative_to(REPOSITORY / "src").as_posix() for path in FILES])
def test_a_file_keeps_to_the_rules(path: Path) -> None:
    tree = parsed(path)
    assert ast.get_docstring(tree), "a file says in its first line what it is for"
    if path.parent.name != "cli":
        assert printing(tree) == []
    assert banned_names(tree) == []
    # A command's docstring is its help text: what it raises is said by the exit status.
    if path.parent.name != "cli":
        assert unadmitted(tree) == []


def test_the_rules_can_be_broken() -> None:
    assert printing(ast.parse("x = 1\nprint(x)\nimport sys\nsys.stderr.write('x')")) == [2, 4]
    assert banned_names(ast.parse("def f(lr):\n    n_rows = model.fit(n_jobs=2, lr=lr)\n    value = 1")) == [
        "line 1: lr (say learning_rate)",
        "line 2: n_rows (say num_...)",
    ]
    assert unadmitted(ast.parse("def f():\n    'Reads.'\n    raise DataError('x')")) == ["f: DataError"]
    assert unadmitted(ast.parse("def f():\n    'Raises:\\n    DataError: x'\n    raise DataError('x')")) == []
    assert unadmitted(ast.parse("def _f():\n    raise DataError('x')")) == []
