"""The manifest: what a run was made of, enough to say what differs when it is repeated."""

from __future__ import annotations

import platform
import shlex
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import msgspec
import torch

from glasshouse import __version__
from glasshouse.core.records import Manifest
from glasshouse.core.seeds import all_seeds
from glasshouse.core.settings import Settings
from glasshouse.model import ModelParts, weights_sha256
from glasshouse.runs.prepare import MEMORY, Prepared

PACKAGES = ("torch", "numpy", "polars", "scikit-learn", "msgspec", "safetensors", "plotly")
FLAGS = {"run.effort": "--effort", "run.seconds": "--seconds", "run.seed": "--seed", "split.test": "--test",
         "split.group": "--group", "split.time": "--time"}  # fmt: skip


def make_manifest(prepared: Prepared, asked: Settings, settings: Settings, parts: ModelParts) -> Manifest:
    """Puts down everything that decided the run.

    Args:
        prepared: the data.
        asked: the settings before anything was decided; the command shows those.
        settings: as resolved.
        parts: of the finished model.
    """
    frame, schema = prepared.frame, prepared.schema
    columns = [*schema.columns, schema.target]
    return Manifest(
        glasshouse=__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        command=command_of(asked),
        source=frame.source,
        split_sha256=prepared.split.hashes,
        weights_sha256=weights_sha256(parts),
        seeds=all_seeds(settings.run.seed),
        versions={"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}},
        machine={
            "os": f"{platform.system()} {platform.release()}", "processor": _processor(), "device": settings.run.device,
            "threads": str(settings.run.threads), "precision": settings.run.precision, **_card(settings.run.device),
        },
        commit=_commit(),
        columns=tuple(msgspec.to_builtins(column) for column in columns if column is not None),
        findings=tuple(msgspec.to_builtins(finding) for finding in prepared.findings),
    )  # fmt: skip


def command_of(settings: Settings) -> str:
    """The command that asks for these settings.

    Example:
        >>> from glasshouse.core.options import build_settings
        >>> command_of(build_settings({"source": "a.csv", "target": "y", "run.seed": 3, "network.skip": True}))
        'glasshouse train a.csv --target y --seed 3 --set network.skip=true'
    """
    source = settings.source if settings.source != MEMORY else "TABLE"
    flags: list[str] = []
    sets: list[str] = []
    default = Settings(source="", target="")
    for section in settings.__struct_fields__[2:]:
        given, usual = getattr(settings, section), getattr(default, section)
        names = given if isinstance(given, dict) else given.__struct_fields__
        for name in names:
            value = given[name] if isinstance(given, dict) else getattr(given, name)
            if isinstance(given, dict) or value != getattr(usual, name):
                words = _words(f"{section}.{name}", value)
                (sets if words[0] == "--set" else flags).extend(words)
    return shlex.join(["glasshouse", "train", source, "--target", settings.target, *flags, *sets])


def _words(name: str, value: Any) -> list[str]:
    if name in FLAGS:
        return [FLAGS[name], str(value)]
    text = msgspec.json.encode(value).decode() if not isinstance(value, str) else value
    return ["--set", f"{name}={text}"]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    """The processor's name; Linux keeps it in a file, elsewhere Python knows it."""
    listing = Path("/proc/cpuinfo")
    if listing.is_file():
        for line in listing.read_text("utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _card(device: str) -> dict[str, str]:
    """The graphics card's name, where the run was on one."""
    return {"card": torch.cuda.get_device_name(device)} if device.startswith("cuda") else {}


def _commit() -> str:
    """The git commit of the folder that the run was started in, with "+" where it has changes; empty outside of git."""
    try:
        said = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--abbrev=40", "--exclude=*"],
            capture_output=True, text=True, timeout=5, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return said.stdout.strip() if said.returncode == 0 else ""
