"""The studio's page without a mouse and without eyes: names, roles, what is said aloud, and every control by keys."""

from __future__ import annotations

import pytest

pytest.importorskip("uvicorn")
pytest.importorskip("httpx")
pytest.importorskip("playwright.sync_api")

import test_studio_page as pages  # noqa: E402
from studio_server import TOKEN, running  # noqa: E402

browser, place, studio, page = pages.browser, pages.place, pages.studio, pages.page
TABS = ("clips", "people", "review", "edits", "render", "queue")
INTERACTIVE = {"button", "slider", "textbox", "spinbutton", "combobox", "checkbox", "radio", "tab", "link"}


def tree(page) -> list[dict]:
    """What Chromium tells assistive programs: role, name and properties of each node."""
    session = page.context.new_cdp_session(page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    session.detach()
    return [
        {
            "role": node.get("role", {}).get("value", ""),
            "name": node.get("name", {}).get("value", "").strip(),
            "value": node.get("value", {}).get("value", ""),
            "description": node.get("description", {}).get("value", ""),
            **{one["name"]: one["value"].get("value") for one in node.get("properties", [])},
        }
        for node in nodes
        if not node["ignored"]
    ]


def press(page, where, key="Enter"):
    """A key on what has the focus there."""
    page.focus(where)
    page.keyboard.press(key)


def test_everything_has_a_role_and_a_name(page):
    page.click(".person .entry")
    page.click("[data-focus='key-smile']")
    page.click("[data-focus='name-smile']")
    for tab in TABS:
        page.click(f"#tab-{tab}")
        nodes = tree(page)
        used = [node for node in nodes if node["role"] in INTERACTIVE]
        assert len(used) > 20
        assert [node for node in used if not node["name"]] == [], tab
        assert [node for node in used if not node.get("focusable") and not node.get("disabled")] == [], tab
        regions = {node["name"] for node in nodes if node["role"] == "region"}
        assert {"Clips and people", "Picture", "Edits and renders", "Timeline"} <= regions
        chosen = [node["name"] for node in nodes if node["role"] == "tab" and node.get("selected")]
        assert len(chosen) == 2
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((one) => one.id)")
    assert len(ids) == len(set(ids))
    (playhead,) = [node for node in tree(page) if node["name"] == "Playhead"]
    assert (playhead["role"], playhead["value"]) == ("slider", 0)
    assert page.get_attribute("[data-focus='playhead']", "aria-valuetext") == "0:00.000, frame 0"


CONTRAST = """() => {
  const linear = (v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => [r, g, b].map((v) => linear(v / 255)).reduce(
    (sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const parse = (words) => words.match(/[\\d.]+/g).map(Number);
  const under = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const [r, g, b, a = 1] = parse(getComputedStyle(at).backgroundColor);
      if (a > 0.5) return [r, g, b];
    }
    return [0, 0, 0];
  };
  const found = [];
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.checkVisibility() || element.closest(':disabled, .unseen, #stage')) continue;
    const [a, b] = [light(parse(getComputedStyle(element).color)), light(under(element))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) found.push([element.outerHTML.slice(0, 90), Math.round(ratio * 100) / 100]);
  }
  return found;
}"""


def test_words_stand_out_from_what_is_behind_them(page):
    page.click(".person .entry")
    page.click("[data-focus='dot-smile']")
    page.click("[data-focus='name-smile']")
    for tab in TABS:
        page.click(f"#tab-{tab}")
        page.mouse.move(640, 5)
        assert page.evaluate(CONTRAST) == [], tab


def test_tab_reaches_all_controls_in_the_order_of_the_page(page):
    page.click(".person .entry")
    page.evaluate("document.activeElement.blur()")
    wanted = page.evaluate(
        "[...document.querySelectorAll('button, input, select, [tabindex=\"0\"]')].filter((e) => e.checkVisibility()"
        " && !e.disabled && e.tabIndex >= 0).map((e, i) => { e.dataset.order = i; return i; })"
    )
    reached = []
    for _ in range(len(wanted) + 5):
        page.keyboard.press("Tab")
        order = page.evaluate("document.activeElement.dataset?.order ?? null")
        if order is not None:
            reached.append(int(order))
            seen = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert seen != "none", "the focus cannot be seen"
    first = reached.index(0)
    assert reached[first : first + len(wanted)] == wanted[: len(reached) - first]


def test_a_face_is_edited_keyed_and_compared_by_keys_alone(page, place):
    press(page, "#tab-clips", "ArrowRight")
    assert page.evaluate("document.activeElement.id") == "tab-people"
    press(page, "[data-focus='who-0']")
    page.focus("[data-focus='slider-smile']")
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    assert float(page.input_value("[data-focus='number-smile']")) == pytest.approx(0.5)
    smile = next(node for node in tree(page) if node["role"] == "slider" and node["name"].startswith("smile"))
    assert smile["valuetext"].strip() == "0.5"
    press(page, "[data-focus='key-smile']")
    page.focus("[data-focus='playhead']")
    for key, frame in {"PageUp": "9", "PageDown": "0", "End": "9", "Home": "0", "ArrowRight": "1"}.items():
        page.keyboard.press(key)
        assert page.input_value("#frame") == frame, key
    page.keyboard.press("Shift+ArrowRight")
    page.focus("[data-focus='number-smile']")
    page.keyboard.type("2")
    page.keyboard.press("Enter")
    pages.until(page, "document.querySelectorAll('.diamond').length === 2")
    page.focus("[data-focus='diamond-smile-1']")
    page.keyboard.press("Alt+ArrowLeft")
    pages.saved(page)
    pages.until(page, "document.getElementById('saved').textContent === 'saved'")
    page.wait_for_timeout(900)
    assert pages.project(place)["edit"] == "smile=0.5@0s,2@0.32s"
    press(page, "[data-focus='diamond-smile-1']", "Delete")
    pages.until(page, "document.querySelectorAll('.diamond').length === 1")
    press(page, "#view [aria-checked=true]", "ArrowRight")
    assert page.evaluate("document.activeElement.dataset.mode") == "before"
    assert page.get_attribute("#view [data-mode=before]", "aria-checked") == "true"
    page.keyboard.press("ArrowLeft")
    page.focus("#hold")
    page.keyboard.down("Enter")
    assert page.get_attribute("#hold", "aria-pressed") == "true"
    page.keyboard.up("Enter")
    assert page.get_attribute("#hold", "aria-pressed") == "false"


HEAR = (
    "() => { window.heard = []; for (const id of ['said', 'alarm']) new MutationObserver(() => heard.push("
    "document.getElementById(id).textContent)).observe(document.getElementById(id), { childList: true }); }"
)


def test_what_matters_is_said_aloud_and_drafts_are_not(page):
    page.click(".person .entry")
    page.evaluate(HEAR)
    pages.drag(page, "smile", 0.72)
    pages.exact(page)
    pages.until(page, "heard.includes('The exact frame is shown.')")
    assert not [words for words in page.evaluate("heard") if "draft" in words]
    page.fill("#time", "nonsense")
    page.press("#time", "Enter")
    pages.until(page, "heard.some((words) => words.startsWith('A time is written'))")


def test_the_focus_stays_where_it_was_when_a_part_is_drawn_anew(page):
    page.click("#tab-render")
    page.focus("#set-codec")
    page.select_option("#set-codec", "hevc")
    page.wait_for_timeout(700)
    assert page.evaluate("document.activeElement.id") == "set-codec"
    page.click("#tab-edits")
    page.click("[data-focus='key-smile']")
    page.click("[data-focus='name-smile']")
    page.focus("[aria-label='Take keyframe 1 away']")
    page.keyboard.press("Enter")  # it goes with what it was for
    assert page.evaluate("document.activeElement.closest('#edits') !== null")


def focused(page) -> str:
    """What has the focus, by its id or its name for being found again."""
    return page.evaluate("document.activeElement.id || document.activeElement.dataset.focus || ''")


def test_values_are_told_in_words_with_their_unit(page):
    page.click(".person .entry")
    sliders = {
        node["name"].split(":")[0]: node for node in tree(page) if node["role"] == "slider" and ":" in node["name"]
    }
    assert len(sliders) >= 8
    assert {name: node["value"] for name, node in sliders.items()} == dict.fromkeys(sliders, 0)  # not 4e-16
    assert page.get_attribute("[data-focus='slider-age']", "aria-valuetext") == "off"
    assert sliders["age"]["description"].startswith("in years, recommended -8 to 15, usual")
    assert sliders["smile"]["description"].startswith("recommended")
    for strength, words in {"1": "1 year", "-3": "-3 years"}.items():
        page.fill("[data-focus='number-age']", strength)
        page.press("[data-focus='number-age']", "Enter")
        assert page.get_attribute("[data-focus='slider-age']", "aria-valuetext") == words
    assert page.get_attribute("[data-focus='dot-age']", "aria-pressed") == "true"
    assert page.get_attribute("[data-focus='dot-age']", "aria-label") == "Edit age"
    page.keyboard.press("3")
    assert page.get_attribute("#wipe", "aria-valuetext") == "50 % of the width is the source"


def test_the_focus_is_never_lost(page):
    page.click(".person .entry")
    for opener, close in {"#help": "Escape", "[data-focus='slider-smile']": "Enter"}.items():
        page.focus(opener)
        before = focused(page)
        page.keyboard.press("?")
        assert page.evaluate("document.activeElement.closest('dialog') !== null")
        page.keyboard.press(close)  # Enter is for the button that closes
        assert focused(page) == before
    page.focus("[data-focus='number-smile']")
    page.keyboard.type("1")
    page.keyboard.press("Enter")
    assert focused(page) == "row-smile"
    page.keyboard.press("ArrowRight")  # keys are the editor's again, and Tab goes on from there
    assert page.input_value("#frame") == "1"
    page.keyboard.press("Tab")
    assert focused(page) == "dot-smile"
    page.focus("#frame")
    page.keyboard.type("4")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.className") == "time"
    press(page, "[data-focus='name-of-0']")
    page.keyboard.type("Ada")
    page.keyboard.press("Enter")
    assert (focused(page), page.get_attribute("[data-focus='name-of-0']", "aria-label")) == ("name-of-0", "Name Ada")
    page.keyboard.press("Control+z")


def test_a_result_is_rendered_and_played_by_keys_alone_and_told(page, place):
    page.evaluate(HEAR)
    press(page, "[data-focus='who-0']")
    page.focus("[data-focus='number-smile']")
    page.keyboard.type("1.5")
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("o")
    pages.saved(page)
    press(page, "#tab-edits", "ArrowRight")
    page.wait_for_selector("#set-name")
    pages.until(page, "document.getElementById('set-name').value.includes('smile')")
    press(page, "#tab-render", "ArrowRight")
    press(page, "[data-focus='pause']")
    page.wait_for_selector("[data-focus='pause'][aria-pressed=true]")
    press(page, "#tab-queue", "ArrowLeft")
    press(page, "[data-focus='render']")
    page.wait_for_selector(".job[data-state=waiting]")
    offered = page.evaluate(
        "[...document.querySelectorAll('.job[data-state=waiting] button')].map((e) => e.textContent)"
    )
    assert offered == ["↑", "↓", "Stop"]  # nothing that would be refused
    press(page, "[data-focus='pause']")
    page.wait_for_selector(".job[data-state=done]")
    pages.until(page, "heard.some((words) => words.endsWith('is ready, beside its source.'))")
    press(page, ".job[data-state=done] button")
    pages.until(page, "heard.includes('The result plays beside its source.')")
    pages.until(page, "document.getElementById('player2').hidden")
    press(page, ".job[data-state=done] [data-focus^=remove]")
    pages.until(page, "!document.querySelector('.job')")
    assert page.evaluate("document.activeElement.id") == "queue"


def test_without_a_clip_nothing_is_offered_that_needs_one(browser, place, render):
    (place / "clips" / "damaged.mp4").write_bytes((place / "clips" / "person.mp4").read_bytes()[:2000])
    with running(place / "clips", place / "other state", render.session) as studio:
        page = browser.new_page(viewport=pages.SIZE, reduced_motion="reduce")
        page.goto(f"{studio.address}/?token={TOKEN}")
        page.wait_for_selector(".entry:has-text('damaged.mp4'):has-text('cannot be read')")
        on = (
            "[...document.querySelectorAll('#view button, footer button, footer input')]"
            ".filter((one) => !one.disabled).length"
        )
        assert page.evaluate(on) == 0
        pages.shot(page, "empty")
        assert page.evaluate(CONTRAST) == []
        page.click("[title='damaged.mp4']")
        page.wait_for_selector(".toast.bad")
        pages.shot(page, "error")
        assert page.evaluate("getComputedStyle(document.querySelector('.toast')).animationName") == "none"
        page.click("[title='person.mp4']")
        page.wait_for_selector(".person")
        assert page.evaluate(on) > 20
        page.close()
    (place / "clips" / "damaged.mp4").unlink()
