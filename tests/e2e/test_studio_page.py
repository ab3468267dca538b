"""The studio's page in a real Chromium, as a person uses it.

$VIDEDIT_SCREENSHOTS names a folder for pictures of what was seen.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from pathlib import Path

import pytest
import yaml
from footage import frames_of, same_planes
from synthetic import ROOT, background, with_face, write_clip

pytest.importorskip("uvicorn")
pytest.importorskip("httpx")
playwright = pytest.importorskip("playwright.sync_api")

from studio_server import TOKEN, running  # noqa: E402

SLOW = 240_000  # ms; no test asserts speed
SIZE = {"width": 1280, "height": 720}


@pytest.fixture(scope="module")
def browser():
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("no Chromium: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def place(tmp_path_factory, people) -> Path:
    folder = tmp_path_factory.mktemp("page")
    (folder / "clips").mkdir()
    pictures = [with_face(background(320, 240), people[0], (150 + 2 * i, 120 + i), 200) for i in range(10)]
    write_clip(folder / "clips" / "person.mp4", pictures, options={"crf": "10"})
    return folder


@pytest.fixture(scope="module")
def studio(place, render):
    with running(place / "clips", place / "state", render.session, place / "clips" / "person.mp4") as found:
        yield found


@pytest.fixture
def page(browser, studio, place):
    """A window of a person who was shown the address. What goes wrong in it fails the test."""
    (place / "clips" / "person.mp4.videdit.yaml").unlink(missing_ok=True)
    context = browser.new_context(viewport=SIZE)
    context.set_default_timeout(SLOW)
    wrong: list[str] = []
    page = watched(context, wrong)
    page.goto(f"{studio.address}/?token={TOKEN}")
    page.wait_for_selector("#clipname:has-text('person.mp4')")
    page.wait_for_selector(".person")
    yield page
    if page.url.startswith(studio.address):  # what it saves late would be the next test's project
        until(page, "async () => !(await import('/page/js/store.js')).isUnsaved()")
    context.close()
    assert wrong == []


def watched(context, wrong: list[str]):
    """A new page whose mistakes are collected."""
    page = context.new_page()
    page.on("pageerror", lambda error: wrong.append(str(error)))

    def hear(said) -> None:
        # Browsers tell of requests that fail or are refused as errors of the page; the tests ask for some.
        if said.type == "error" and not re.search(r"net::|status of 4\d\d", said.text):
            wrong.append(said.text)

    page.on("console", hear)
    return page


def shot(page, name: str) -> None:
    if folder := os.environ.get("VIDEDIT_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png")


def project(place: Path) -> dict:
    return yaml.safe_load((place / "clips" / "person.mp4.videdit.yaml").read_text())


def until(page, condition: str) -> None:
    """Wait for a condition in the page's words; Playwright's own way is refused by the page's security policy."""
    limit = time.monotonic() + SLOW / 1000
    while not page.evaluate(condition):
        assert time.monotonic() < limit, condition
        page.wait_for_timeout(50)


def saved(page) -> None:
    until(page, "document.getElementById('saved').textContent === 'saved'")


def seen(page) -> list[int]:
    """What is on the stage, 128 pixels wide and 80 high."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return page.evaluate(
        "() => { const own = new OffscreenCanvas(128, 80), context = own.getContext('2d');"
        " context.drawImage(document.getElementById('picture'), 0, 0, 128, 80);"
        " return [...context.getImageData(0, 0, 128, 80).data]; }"
    )


def apart(one: list[int], other: list[int]) -> float:
    return sum(abs(a - b) for a, b in zip(one, other, strict=True)) / len(one)


def drag(page, name: str, share: float) -> None:
    """Move a slider to a part of its way, in steps, as a hand does."""
    box = page.locator(f"input[type=range][aria-label^='{name}:']").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + box["height"] / 2)
    page.mouse.down()
    for i in range(5):
        page.mouse.move(box["x"] + box["width"] * (0.4 + (share - 0.4) * (i + 1) / 5), box["y"] + box["height"] / 2)
    page.mouse.up()


def exact(page) -> None:
    """Wait for the exact frame."""
    page.wait_for_selector("#badge.sharp")


def test_a_person_chooses_a_face_and_sees_it_smile(page, place):
    shot(page, "choosing")
    page.click("#faces button")
    assert page.get_attribute("#faces button", "aria-pressed") == "true"
    assert "Face 0" in page.inner_text("#edits .who")
    source = seen(page)
    drag(page, "smile", 0.72)
    exact(page)
    shot(page, "edited")
    smiling = seen(page)
    assert apart(source, smiling) > 0.05
    page.keyboard.down("b")  # held: the source
    assert apart(seen(page), source) < 0.05
    page.keyboard.up("b")
    assert apart(seen(page), smiling) == 0
    for mode, key in {"before": "2", "wipe": "3", "side": "4", "change": "5", "after": "1"}.items():
        page.keyboard.press(key)
        assert page.get_attribute(f"#view [data-mode={mode}]", "aria-checked") == "true"
        assert (apart(seen(page), smiling) == 0) == (mode == "after")
        shot(page, mode)
    page.keyboard.press("z")
    assert page.inner_text("#zoom") == "100 %"
    page.keyboard.press("0")
    saved(page)
    words = project(place)
    assert words["faces"] == 0
    strength = float(words["edit"].removeprefix("smile="))
    assert 1 < strength < 2.6
    page.locator("input[type=range][aria-label^='smile:']").dblclick()
    assert page.locator(".edit.on").count() == 0
    page.keyboard.press("Control+z")
    assert page.locator(".edit.on").count() == 1


def test_strengths_over_time_are_set_dragged_undone_and_kept(page, place):
    page.click(".person .entry")
    page.fill("input[aria-label='Strength of smile']", "0")
    page.press("input[aria-label='Strength of smile']", "Enter")
    page.click("[data-focus='key-smile']")
    page.fill("#frame", "8")
    page.press("#frame", "Enter")
    assert page.input_value("#time") == "0:00.320"
    page.fill("input[aria-label='Strength of smile']", "2")
    page.press("input[aria-label='Strength of smile']", "Enter")
    saved(page)
    assert project(place)["edit"] == "smile=0@0s,2@0.32s"
    page.keyboard.press("[")
    assert page.input_value("#frame") == "0"
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    assert page.input_value("#frame") == "4"
    assert float(page.input_value("input[aria-label='Strength of smile']")) == pytest.approx(1)  # half-way
    shot(page, "keyframes")
    mark = page.locator(".diamond").nth(1).bounding_box()
    lane = page.locator(".ruler .track").bounding_box()
    page.mouse.move(mark["x"] + mark["width"] / 2, mark["y"] + mark["height"] / 2)
    page.mouse.down()
    page.mouse.move(lane["x"] + lane["width"] * 0.65, mark["y"] + 5, steps=4)
    page.mouse.up()
    saved(page)
    page.wait_for_timeout(1000)
    assert project(place)["edit"] == "smile=0@0s,2@0.24s"
    page.keyboard.press("Control+z")
    page.keyboard.press("i")  # the render begins at frame 4
    page.wait_for_timeout(1000)
    saved(page)
    assert project(place)["edit"] == "smile=0@0s,2@0.32s"
    assert project(place)["start"] == 0.16
    page.reload()
    page.wait_for_selector(".diamond")
    assert page.locator(".diamond").count() == 2
    assert "0:00.160" in page.inner_text("#range")


def test_a_render_outlives_the_page(page, place, render):
    page.click(".person .entry")
    drag(page, "smile", 0.8)
    saved(page)
    page.click("#tab-render")
    page.get_by_label("Lossless", exact=True).check()
    page.wait_for_selector("#set-name")
    until(page, "document.getElementById('set-name').value.includes('smile')")
    shot(page, "render")
    page.click("text=Add to the queue")
    page.wait_for_selector(".job")
    shot(page, "queue")
    page.reload()
    page.click("#tab-queue")
    page.wait_for_selector(".job[data-state=done]")
    shot(page, "done")
    name = page.inner_text(".job h3")
    saved_job = project(place)
    assert saved_job["lossless"]
    render(place / "clips" / "person.mp4", place / "own.mp4", edit=saved_job["edit"], faces=0, lossless=True)
    mine, theirs = frames_of(place / "clips" / name), frames_of(place / "own.mp4")
    assert len(mine) == 10
    assert all(same_planes(a, b) for a, b in zip(mine, theirs, strict=True))
    page.click("text=Play beside the source")
    until(page, "!document.getElementById('player2').hidden")
    until(page, "document.getElementById('player2').hidden")  # it ends with the clip
    assert page.input_value("#frame") == "9"


def test_playing_shows_the_frames_in_their_time(page):
    page.keyboard.press(" ")
    until(page, "document.getElementById('frame').value === '9'")
    until(page, "document.getElementById('player').hidden")
    page.keyboard.press("Home")
    assert page.input_value("#frame") == "0"


@pytest.mark.skipif("VIDEDIT_SCREENSHOTS" not in os.environ, reason="VIDEDIT_SCREENSHOTS names no folder")
def test_the_picture_of_the_readme(browser, render, tmp_path):
    (tmp_path / "clips").mkdir()
    shutil.copy(ROOT / "examples" / "portrait.mp4", tmp_path / "clips")
    edit = "smile=1.5@0s:ease-in-out,2@1.6s:ease-in-out,0@3.6s,age=-10"
    words = {"input": "portrait.mp4", "edit": edit, "faces": 0, "size": 256}
    (tmp_path / "clips" / "portrait.mp4.videdit.yaml").write_text(yaml.safe_dump(words))
    clip = tmp_path / "clips" / "portrait.mp4"
    with running(tmp_path / "clips", tmp_path / "state", render.session, clip) as studio:
        page = browser.new_page(viewport=SIZE)
        page.set_default_timeout(2 * SLOW)
        page.goto(f"{studio.address}/?token={TOKEN}")
        page.wait_for_selector(".person")
        page.click(".person .entry")
        page.fill("#frame", "40")
        page.press("#frame", "Enter")
        exact(page)
        page.keyboard.press("3")
        page.focus("#wipe")
        for _ in range(2):
            page.keyboard.press("ArrowLeft")
        page.evaluate("document.activeElement.blur()")
        page.wait_for_timeout(500)
        shot(page, "studio")
        page.close()


def test_two_windows_see_each_other(page, studio, place):
    other = page.context.new_page()
    other.goto(studio.address)
    other.wait_for_selector(".person")
    page.click(".person .entry")
    page.fill("input[aria-label='Strength of age']", "10")
    page.press("input[aria-label='Strength of age']", "Enter")
    other.wait_for_selector(".toast:has-text('Another window changed this project')")
    other.click(".person .entry")
    assert other.input_value("input[aria-label='Strength of age']") == "10"


def test_names_are_given_and_keys_are_explained(page, studio):
    page.click("[aria-label='Name Face 0']")
    page.fill("input[aria-label='Name']", "Ada")
    page.press("input[aria-label='Name']", "Enter")
    page.wait_for_selector("#faces button:has-text('Ada')")
    assert studio.get("people", clip="0/person.mp4").json()["names"] == {"0": "Ada"}
    page.keyboard.press("Control+z")
    page.wait_for_selector("#faces button:has-text('Face 0')")
    page.keyboard.press("?")
    assert "undo" in page.inner_text("dialog")
    shot(page, "keys")
    page.click("dialog button")


def test_everything_that_can_be_used_has_a_name(page):
    """As a screen reader finds it: no button, field or slider without words."""
    for tab in ("clips", "review", "people", "render", "queue", "edits"):
        page.click(f"#tab-{tab}")
        nameless = page.evaluate(
            "() => [...document.querySelectorAll('button, input, select, [role=slider]')]"
            ".filter((e) => e.offsetParent && !(e.textContent.trim() || e.getAttribute('aria-label') || e.title"
            " || e.labels?.length)).map((e) => e.outerHTML.slice(0, 120))"
        )
        assert nameless == [], tab


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080)])
def test_nothing_is_cut_off(page, size):
    page.set_viewport_size({"width": size[0], "height": size[1]})
    for tab in ("render", "queue", "edits"):
        page.click(f"#tab-{tab}")
        wide = page.evaluate(
            "() => ['left', 'middle', 'right', 'transport', 'view', 'bar'].filter((id) => {"
            " const e = document.getElementById(id); return e.scrollWidth > e.clientWidth + 1; })"
        )
        assert wide == [], tab
        assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")
    shot(page, f"size-{size[1]}")


def test_a_lost_studio_is_told(page):
    page.context.set_offline(True)
    page.click("#tab-clips")
    page.click("[aria-label='Read the folder anew']")
    words = page.wait_for_selector(".toast.bad").inner_text()
    assert re.search("does not answer", words)
    page.context.set_offline(False)
