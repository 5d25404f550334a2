"""The memory that a training will need stands beside the GPU's, follows the form, and says what would make it fit."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from browser.look import axe_violations, bring_axe
from standins import nvidia_driver
from standins.site import Site, Watch, site


@pytest.fixture(scope="module")
def with_gpu(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server that sees the stand-in's GPUs and asks no hub for a model."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("LD_LIBRARY_PATH", str(nvidia_driver.build(tmp_path_factory.mktemp("driver"))))
        environment.setenv("HF_HUB_OFFLINE", "1")
        with site(tmp_path_factory.mktemp("gpu") / "data", worker=None) as made:
            yield made


@pytest.fixture
def form(with_gpu: Site, page: Page) -> Page:
    bring_axe(page)
    page.goto(f"{with_gpu.url}/new")
    page.get_by_label("Trainer").select_option("diffusers")
    return page


def field(page: Page, name: str) -> Locator:
    if not page.locator(f"[data-field='{name}']").count():
        page.get_by_role("button", name="more settings").click()
    return page.locator(f"[data-field='{name}']").locator("input, select").first


def needed(page: Page) -> float:
    return float(page.locator("[data-memory]").get_attribute("data-memory") or "nan")


def test_the_figure_follows_the_form_and_its_remedy_fits(form: Page, watch: Watch) -> None:
    watch.expect("400|422")
    field(form, "base_model").fill("stabilityai/stable-diffusion-xl-base-1.0")
    field(form, "resolution").fill("1024")
    figure = form.locator("[data-memory]")
    expect(figure).to_contain_text("on the largest GPU")
    before = needed(form)
    field(form, "batch_size").fill("64")
    expect(figure).not_to_have_attribute("data-memory", str(int(before)))
    expect(figure).to_have_attribute("data-fits", "false")
    assert needed(form) > before
    expect(form.locator("[data-remedy]")).to_contain_text("batch size")
    assert axe_violations(form) == []
    form.get_by_role("button", name="Use these settings").click()
    expect(figure).to_have_attribute("data-fits", "true")
    expect(figure).to_contain_text("Fits.")
    assert int(field(form, "batch_size").input_value()) < 64


def test_an_unknown_model_and_a_trainer_without_one_have_no_figure(form: Page) -> None:
    field(form, "base_model").fill("stabilityai/stable-diffusion-xl-base-1.0")
    expect(form.locator("[data-memory]")).to_be_visible()
    form.get_by_label("Trainer").select_option("mock")
    expect(form.locator("[data-memory]")).to_have_count(0)
