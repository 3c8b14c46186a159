"""The changelog speaks of this version."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import glasshouse

REPOSITORY = Path(__file__).resolve().parents[2]
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_newest_version_is_the_package_s() -> None:
    text = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## \[(.+?)\]", text, flags=re.MULTILINE)
    assert versions[0] == glasshouse.__version__
    assert len(versions) == len(set(versions))


def test_its_sections_are_those_of_keep_a_changelog() -> None:
    text = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^### (.+)", text, flags=re.MULTILINE)) <= KINDS


def test_every_requirement_has_its_version_in_the_constraints() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    names = {re.split(r"[<>=!~\[;]", line)[0].lower() for line in asked}
    lines = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert names <= pinned.keys()
