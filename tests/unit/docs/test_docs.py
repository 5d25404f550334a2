"""Holds the docs to the code: what exists is described, what is described exists."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tomllib
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from isengard.api.openapi import document
from isengard.core.settings import Settings
from isengard.events.models import EventName, TrainingStage

ROOT = Path(__file__).resolve().parents[3]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "requirements").glob("*.md")])


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", ROOT / "scripts" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def test_settings_and_commands_pages_are_what_the_code_says(reference: ModuleType) -> None:
    assert text("docs/settings.md") == reference.settings_page(), "run: make docs"
    assert text("docs/cli.md") == reference.cli_page(), "run: make docs"


def test_every_variable_named_in_the_docs_is_a_setting() -> None:
    known = {f"ISENGARD_{name.upper()}" for name in Settings.model_fields}
    known |= {"ISENGARD_CORRELATION_ID", "ISENGARD_REPORTS", "ISENGARD_REQUESTS", "ISENGARD_RUN", "ISENGARD_DEV_API"}
    named = {
        (page.name, word)
        for page in PAGES
        for word in re.findall(r"ISENGARD_[A-Z_]*[A-Z](?![A-Z_*])", page.read_text())
    }
    assert {(page, word) for page, word in named if word not in known} == set()


def _routes() -> set[tuple[str, str]]:
    paths: dict[str, Any] = document()["paths"]
    return {(method.upper(), path) for path, verbs in paths.items() for method in verbs if method != "parameters"}


def _routes_in_contract() -> set[tuple[str, str]]:
    found = set()
    for row in re.findall(r"^\| ((?:GET|POST|PUT|PATCH|DELETE)[^|]*) \|", text("docs/contract.md"), re.MULTILINE):
        methods = re.findall(r"\b(GET|POST|PUT|PATCH|DELETE)\b", row)
        paths = [path.split("?")[0] for path in re.findall(r"`(/[^`]*)`", row)]
        found |= {(method, path) for method in methods for path in paths}
    return found


def test_the_contract_lists_exactly_the_routes_there_are() -> None:
    described, existing = _routes_in_contract(), _routes()
    assert existing - described == set(), "not in docs/contract.md"
    assert described - existing == set(), "only in docs/contract.md"


def test_every_event_and_stage_is_in_the_journal_page() -> None:
    page = text("docs/journal.md")
    table = page.split("## Events")[1].split("## Promises")[0]
    described = set(re.findall(r"`((?:job|training|subprocess|gpu)\.[a-z]+|log)`", table))
    assert described == {str(event) for event in EventName}
    assert all(f"`{stage}`" in page for stage in TrainingStage)


def test_every_trainer_is_in_the_trainers_page() -> None:
    page = text("docs/trainers.md")
    for point in entry_points(group="isengard.trainers"):
        if point.value.startswith("isengard."):
            assert f"| `{point.name}` |" in page


def test_the_layers_named_in_the_docs_are_those_the_linter_holds() -> None:
    config = tomllib.loads(text("pyproject.toml"))
    layers = config["tool"]["importlinter"]["contracts"][0]["layers"]
    written = " → ".join(layer.removeprefix("isengard.") for layer in reversed(layers))
    assert written in text("docs/architecture.md")
    assert written in text("CONTRIBUTING.md")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_make_targets_named_in_the_docs_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", text("Makefile"), re.MULTILINE))
    named = {
        word
        for page in PAGES
        for code in re.findall(r"`([^`\n]+)`|^(make .*)$", page.read_text(), re.MULTILINE)
        for word in re.findall(r"^make ([a-z-]+)", code[0] or code[1])
    }
    assert named - targets == set()


def test_commands_shown_in_the_docs_are_commands() -> None:
    known = set(re.findall(r"^## isengard ([a-z-]+)", text("docs/cli.md"), re.MULTILINE))
    shown = set()
    for page in PAGES:
        for block in re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL):
            shown |= set(re.findall(r"(?:^|· +|/)isengard ([a-z-]+)", block, re.MULTILINE))
    assert shown - known == set()
    assert {"up", "jobs", "logs", "trace", "doctor", "debug-bundle"} <= shown


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, isengard, isengard.events; print([name for name in sys.argv[1:] if name in sys.modules])"
    heavy = ["torch", "numpy", "sqlalchemy", "fastapi", "redis", "PIL", "pydantic"]
    answer = subprocess.run([sys.executable, "-c", code, *heavy], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
