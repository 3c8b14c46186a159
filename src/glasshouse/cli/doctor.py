"""`glasshouse doctor`: what is installed here, which devices there are, what is missing."""

from __future__ import annotations

import os
import platform
import re
import shutil
from importlib import metadata
from pathlib import Path
from typing import Any

from glasshouse.cli.options import Json

_GIGABYTE = 1_000_000_000


def doctor(as_json: Json = False) -> None:
    """Show what is installed and what is missing.

    Versions, devices, threads, disk space, and the extras that are missing with the command that installs them.
    """
    from glasshouse.cli import console

    found: dict[str, dict[str, Any]] = {
        "versions": _versions(),
        "machine": _machine(),
        "devices": _devices(),
        "disk": _disk(Path.cwd()),
        "missing": missing_packages(),
    }
    if as_json:
        console.show_json(found)
        return
    from rich.markup import escape

    screen = console.output()
    table = console.plain_table()
    table.show_header = False
    for part in ("versions", "machine", "devices", "disk"):
        for position, (name, text) in enumerate(found[part].items()):
            table.add_row(f"[bold]{part if position == 0 else ''}[/]", f"[dim]{escape(name)}[/]", escape(str(text)))
    for position, (extra, missing) in enumerate(found["missing"].items()):
        advice = f"{', '.join(missing['packages'])}: {missing['fix']}"
        table.add_row(f"[bold]{'missing' if position == 0 else ''}[/]", f"[dim]{extra}[/]", escape(advice))
    if not found["missing"]:
        table.add_row("[bold]missing[/]", "", "[green]nothing[/]")
    screen.print(table)


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for name in ("glasshouse", *(name for name, extra in _requirements() if not extra)):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return versions


def _machine() -> dict[str, str]:
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {"system": platform.platform(), "processor": platform.machine(), "threads": str(threads)}


def _devices() -> dict[str, str]:
    """The devices that torch can compute on, with their memory where it is known."""
    import torch

    devices = {"cpu": f"{torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}"}
    for number in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        properties = torch.cuda.get_device_properties(number)
        devices[f"cuda:{number}"] = f"{properties.name}, {properties.total_memory / _GIGABYTE:.0f} GB"
    if torch.backends.mps.is_available():
        devices["mps"] = "Apple GPU"
    return devices


def _disk(folder: Path) -> dict[str, str]:
    space = shutil.disk_usage(folder)
    return {str(folder): f"{space.free / _GIGABYTE:.1f} GB free of {space.total / _GIGABYTE:.1f} GB"}


def missing_packages() -> dict[str, dict[str, Any]]:
    """What is not installed, by extra (`required`: nothing works without it), with the command that installs it."""
    missing: dict[str, dict[str, Any]] = {}
    for name, extra in _requirements():
        try:
            metadata.version(name)
        except metadata.PackageNotFoundError:
            entry = missing.setdefault(extra or "required", {"packages": [], "fix": ""})
            entry["packages"].append(name)
            entry["fix"] = f"pip install 'glasshouse[{extra}]'" if extra else "pip install glasshouse"
    return missing


def _requirements() -> list[tuple[str, str]]:
    """Each package that glasshouse names, and the extra that asks for it ('' where all do)."""
    try:
        lines = metadata.requires("glasshouse") or []
    except metadata.PackageNotFoundError:
        # Run from a checkout that is not installed: what it needs is not on record.
        return [("torch", ""), ("numpy", ""), ("polars", "")]
    named = []
    for line in lines:
        extra = re.search(r"""extra\s*==\s*['"]([^'"]+)['"]""", line)
        name = re.match(r"[A-Za-z0-9._-]+", line)
        if name is not None:
            named.append((name[0], extra[1] if extra else ""))
    return named
