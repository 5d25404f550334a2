"""From images on a disk to a LoRA on a disk, through the page alone."""

from __future__ import annotations

import base64
import io
import json
import re
import struct
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import FilePayload, Page, Route, expect

from standins.pictures import encode, scene
from standins.site import Site, Watch
from standins.workbench import eventually

DROP = """(place, files) => {
  const dataTransfer = new DataTransfer();
  for (const [name, type, text] of files) {
    const bytes = Uint8Array.from(atob(text), (each) => each.charCodeAt(0));
    dataTransfer.items.add(new File([bytes], name, { type }));
  }
  place.dispatchEvent(new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true }));
}"""


ONE, TWO = (encode(scene(seed=seed)) for seed in (1, 2))
NEARLY_ONE = encode(scene((192, 128), seed=1))


def file(name: str, body: bytes) -> FilePayload:
    return {"name": name, "mimeType": "image/png", "buffer": body}


def zip_of(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, body in members.items():
            archive.writestr(name.replace("__", "."), body)
    return buffer.getvalue()


def drop(page: Page, *files: FilePayload) -> None:
    texts = [[each["name"], each["mimeType"], base64.b64encode(each["buffer"]).decode()] for each in files]
    page.locator("label", has_text="Drop images or a zip here").evaluate(DROP, texts)


def hold_uploads(page: Page) -> list[Route]:
    """Uploads wait until they are let go on."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        if route.request.method == "POST":
            held.append(route)
        else:
            route.continue_()

    page.route("**/images", hold)
    return held


def header_of(lora: Path) -> dict[str, str]:
    body = lora.read_bytes()
    (length,) = struct.unpack("<Q", body[:8])
    metadata: dict[str, str] = json.loads(body[8 : 8 + length])["__metadata__"]
    return metadata


def give_images(page: Page) -> None:
    # Images dropped: one is none, one comes twice, one nearly so. How far it is is said meanwhile.
    held = hold_uploads(page)
    drop(page, file("one.png", ONE), file("same.png", ONE), file("again.png", NEARLY_ONE), file("broken.png", b"no"))
    expect(page.get_by_role("progressbar", name="Taking the files in…")).to_be_visible()
    eventually(lambda: page.evaluate("true") and held, "the upload on its way")
    held[0].continue_()
    page.unroute_all()
    expect(page.get_by_text("2 images added.")).to_be_visible()
    expect(page.locator("[data-rejected] li")).to_have_text(
        [re.compile("broken.png – .+"), re.compile("same.png – .+")]
    )
    # A zip by the file dialog, with a caption in it.
    archive = zip_of(two__png=TWO, two__txt=b"mizu on a navy background")
    page.locator("input[type=file]").set_input_files(
        {"name": "more.zip", "mimeType": "application/zip", "buffer": archive}
    )
    expect(page.get_by_text("1 image added.")).to_be_visible()
    expect(page.get_by_label("Caption of two.png")).to_have_value("mizu on a navy background")

    # The check speaks of what is there: a double, captions that are missing.
    findings = page.locator("[data-findings]").first
    expect(findings).to_contain_text("again.png")
    expect(page.get_by_label("Only without caption (2)")).to_be_visible()
    page.get_by_role("button", name="Remove again.png").click()
    expect(findings).not_to_contain_text("again.png")
    # What cannot be a caption is refused where it stands, and stays to be mended.
    caption = page.get_by_label("Caption of one.png")
    caption.fill("mizu " * 3000)
    caption.blur()
    expect(page.get_by_text("Not saved")).to_be_visible()
    expect(caption).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Messages")).to_contain_text("at most 10000 characters")
    expect(page.get_by_label("Messages")).to_contain_text("Correlation web-")
    caption.fill("mizu on teal")
    caption.blur()
    expect(page.get_by_text("Not saved")).to_have_count(0)
    expect(page.get_by_label("Only without caption (1)")).to_have_count(0)


def choose_settings(page: Page) -> None:
    # The form is the trainer's own; an error stands at its field.
    page.get_by_label("Trainer").select_option(label="Mock")
    steps = page.locator("[data-field=steps]")
    before = steps.get_by_role("textbox").input_value()
    page.get_by_role("button", name="Quick look").click()
    expect(steps.get_by_role("textbox")).not_to_have_value(before)
    steps.get_by_role("textbox").fill("0")
    expect(steps.get_by_role("alert")).to_have_text("At least 1.")
    expect(steps.get_by_role("textbox")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_role("button", name="Start the training")).to_be_disabled()
    steps.get_by_role("textbox").fill("24")
    page.locator("[data-field=sample_every_n_steps]").get_by_role("textbox").fill("8")
    page.get_by_label("Sample prompts").fill("mizu in the rain")
    # The rest is folded, and can be searched.
    seed = page.locator("[data-field=seed]")
    expect(seed).to_have_count(0)
    page.get_by_role("button", name=re.compile(r"\d+ more settings")).click()
    page.get_by_label("Search in the settings").fill("seed")
    expect(seed).to_be_visible()
    expect(page.locator("[data-field=gpus]")).to_have_count(0)
    seed.get_by_role("textbox").fill("77")


def test_a_new_user_gets_from_images_to_a_lora(place: Site, page: Page, watch: Watch) -> None:
    watch.expect("^422 PUT .*/caption", "status of 422")
    page.goto(f"{place.url}/new")
    start = page.get_by_role("button", name="Start the training")
    expect(page.get_by_text("Choose or make a character first.")).to_be_visible()
    page.get_by_role("button", name="New character").click()
    page.get_by_label("Name").fill("Mizu")
    page.get_by_label("Trigger word").fill("mizu")
    page.get_by_role("button", name="Make the character").click()
    expect(page.get_by_text("Add at least one image.")).to_be_visible()
    expect(start).to_be_disabled()

    give_images(page)

    choose_settings(page)
    steps = page.locator("[data-field=steps]")
    expect(page.get_by_text("Ready to start.")).to_be_visible()
    with page.expect_request(lambda sent: (sent.method, sent.url) == ("POST", f"{place.url}/api/training")) as asked:
        start.click()
    page.wait_for_url("**/jobs/train-*")
    born = json.loads(page.request.get(f"{place.url}/api{urlsplit(page.url).path}/logs").text().splitlines()[0])
    trace = asked.value.all_headers()["traceparent"].split("-")[1]
    assert born["fields"]["traceparent"].split("-")[1] == trace, "the job is another trace than the click that made it"

    # Watched to its end; samples come by themselves.
    page.get_by_role("tab", name="Samples").click()
    expect(page.get_by_role("button", name="Open: mizu in the rain, step 24").first).to_be_visible()
    page.get_by_role("tab", name="Overview").click()
    outcome = page.locator("[data-outcome]")
    expect(outcome).to_contain_text("Training completed in")
    expect(page).to_have_title("✓ Mizu · Isengard")
    with page.expect_download() as download:
        outcome.get_by_role("link", name="Download the LoRA").click()
    told = header_of(Path(download.value.path()))
    assert (told["modelspec.trigger_phrase"], told["step"]) == ("mizu", "24")

    # The story of the click reaches from the request to the trainer.
    page.get_by_role("tab", name="Trace").click()
    story = page.get_by_role("dialog").get_by_role("list")
    for where in ("api", "worker", "runner"):
        expect(story.get_by_text(where, exact=True).first).to_be_visible()
    page.get_by_role("tab", name="Overview").click()

    # "Same as job …" takes the settings over, from the job and on the form.
    job_id = re.findall(r"train-\w+", page.url)[0]
    outcome.get_by_role("button", name="New training like this").click()
    expect(steps.get_by_role("textbox")).to_have_value("24")
    expect(page.get_by_label("Trainer")).to_have_value("mock")
    steps.get_by_role("textbox").fill("5")
    page.goto(f"{place.url}/new")
    page.get_by_label("Same as job …").select_option(value=job_id)
    expect(steps.get_by_role("textbox")).to_have_value("24")
    expect(page.get_by_label("Sample prompts")).to_have_value("mizu in the rain")


def test_what_the_server_refuses_stands_at_its_field(place: Site, page: Page) -> None:
    page.goto(f"{place.url}/new?character={place.bench.character.id}")
    page.get_by_label("Trainer").select_option(label="Diffusers")
    field = page.locator("[data-field=base_model]")
    usable = field.get_by_role("textbox").input_value()
    field.get_by_role("textbox").fill("/nowhere/model")
    expect(field.get_by_role("alert")).to_contain_text("/nowhere/model")
    expect(page.get_by_role("button", name="Start the training")).to_be_disabled()
    field.get_by_role("textbox").fill(usable)
    expect(field.get_by_role("alert")).to_have_count(0)
