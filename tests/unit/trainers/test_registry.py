"""Finding trainers, and plugins that are broken."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from isengard.core.errors import InvalidInput, TrainerUnavailable
from isengard.core.settings import Settings
from isengard.trainers import registry

PLUGINS = """\
[isengard.trainers]
broken = broken_plugin:Trainer
lacking = lacking_plugin:Lacking
"""
LACKING = """\
from isengard.trainers.base import Availability
from isengard.trainers.host import PythonTrainer

class Lacking(PythonTrainer):
    name, title, description = "lacking", "Lacking", "Lacks something."

    def train(self, run): ...

    def availability(self, settings):
        return Availability(("frobnicator is not installed: pip install frobnicator",))
"""


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed distribution with a plugin that cannot be imported and one that cannot run."""
    info = tmp_path / "plugins-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugins\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(PLUGINS)
    (tmp_path / "broken_plugin.py").write_text("import not_installed_anywhere\n")
    (tmp_path / "lacking_plugin.py").write_text(LACKING)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "lacking_plugin", raising=False)


def test_an_unknown_name_is_refused_with_those_that_exist() -> None:
    with pytest.raises(InvalidInput, match=r"installed are .*mock") as caught:
        registry.load("mokc")

    assert caught.value.field == "trainer"


@pytest.mark.usefixtures("plugins")
def test_a_plugin_that_cannot_be_imported_says_why() -> None:
    with pytest.raises(TrainerUnavailable, match="No module named 'not_installed_anywhere'") as caught:
        registry.load("broken")

    assert caught.value.field == "trainer"


@pytest.mark.usefixtures("plugins")
def test_a_trainer_that_lacks_something_is_listed_and_refused_with_what_it_lacks() -> None:
    assert registry.load("lacking").title == "Lacking"
    with pytest.raises(TrainerUnavailable, match="pip install frobnicator"):
        registry.load_usable("lacking", Settings())

    cards = {card.name: card for card in registry.available(Settings())}
    assert cards["mock"].available
    assert not cards["broken"].available
    assert "not_installed_anywhere" in cards["broken"].missing[0]
    assert cards["lacking"].missing == ("frobnicator is not installed: pip install frobnicator",)
    assert cards["mock"].parameters["properties"]["steps"]["minimum"] == 1


def test_a_misspelt_parameter_is_answered_with_the_right_one() -> None:
    with pytest.raises(InvalidInput, match="did you mean learning_rate"):
        registry.validate_config(registry.load("mock"), {"learning_rat": 1e-4})


def test_a_trainer_that_is_switched_off_is_neither_offered_nor_started(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, trainers="mock, diffusers")

    with pytest.raises(TrainerUnavailable, match="command is switched off here; ISENGARD_TRAINERS allows mock"):
        registry.load_usable("command", settings)
    assert registry.load_usable("mock", settings).name == "mock"
    assert {card.name for card in registry.available(settings)} == {"mock", "diffusers"}
