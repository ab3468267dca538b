"""Changes on the page: whose edits they are, moments that are left out, undo of everything, clips that go."""

from __future__ import annotations

import itertools
import shutil

import pytest

pytest.importorskip("uvicorn")
pytest.importorskip("httpx")
pytest.importorskip("playwright.sync_api")

import test_studio_page as pages  # noqa: E402
from studio_server import TOKEN, running  # noqa: E402

browser, place, studio, page = pages.browser, pages.place, pages.studio, pages.page


def within(page, words: str):
    """What some JavaScript gives that knows the page's store as `s`."""
    return page.evaluate("async () => { const s = await import('/page/js/store.js'); " + words + " }")


def test_a_face_shows_the_edits_of_a_rule_and_changes_are_its_own(page, place):
    within(page, "s.S.who = 'all'; s.setStrength('smile', 1.5); s.S.who = '0'; s.changed('who');")
    pages.until(page, "document.querySelector('.edit.on.theirs') !== null")
    assert page.input_value("[data-focus='number-smile']") == "1.5"
    assert "edits of “Everyone”" in page.inner_text("#edits")
    within(page, "s.setStrength('age', 10);")
    assert within(page, "return s.S.doc.targets;") == [
        {"who": "all", "edits": {"smile": {"strength": 1.5}}},
        {"who": "0", "edits": {"smile": {"strength": 1.5}, "age": {"strength": 10}}},
    ]
    within(page, "s.removeEdit('age'); s.removeEdit('smile');")
    assert within(page, "return s.shownEdits();") == {"smile": {"strength": 0}}, "off is off, whatever the rule says"
    pages.saved(page)
    page.wait_for_timeout(900)
    assert pages.project(place)["per_face"] == {"0": "smile=0"}


SPANS = [(0.0, 0.08), (0.28, 0.4), (0.0, 0.4), (0.16, 0.16), (0.12, 0.24)]
KEYED = "{ keys: [{ time: 0, strength: 1, easing: 'linear' }, { time: 0.36, strength: 2, easing: 'hold' }] }"


def test_a_moment_is_left_out_wherever_it_lies(page, studio):
    for (first, last), edit in itertools.product(SPANS, ("{ strength: 2 }", KEYED)):
        found = within(
            page,
            f"s.S.doc = {{ targets: [{{ who: 'all', edits: {{ smile: {edit} }} }},"
            " { who: '1', edits: { age: { strength: 5 } } }], settings: {} };"
            f" s.leaveOut(0, {first}, {last}); const at = (t) => s.strengthAt(s.editsFor('0').smile, t);"
            f" return {{ inside: [{first}, ({first} + {last}) / 2, {last}].map(at), before: at({first} - 0.25),"
            f" after: at({last} + 0.25), document: s.document_() }};",
        )
        assert found["inside"] == [0, 0, 0]
        if first > 0.25:
            assert found["before"] > 0
        if last < 0.15:
            assert found["after"] > 0
        targets = {target["who"]: target["edits"] for target in found["document"]["targets"]}
        assert len(targets["all"]["smile"].get("keys", "--")) == 2, "the others go on"
        assert targets["1"] == {"age": {"strength": 5}}
        answer = studio.post("plan", clip="0/person.mp4", document=found["document"])
        assert answer.status_code == 200, answer.text


def test_everything_is_undone_and_done_again(page):
    state = "return JSON.stringify([s.S.doc, s.S.names]);"
    steps = [
        "s.S.who = '0'; s.setStrength('smile', 1);",
        "s.toggleKey('smile');",
        "s.goTo(9); s.setStrength('smile', 2);",
        "s.changeKey('smile', 1, { time: 99, easing: 'hold' });",
        "s.goTo(0); s.toggleKey('smile');",
        "s.leaveOut(0, 0.3, 0.4);",
        "s.removeKey('smile', 0);",
        "s.giveName(0, 'Ada');",
        "s.change('codec', (doc) => { doc.settings.codec = 'hevc'; });",
        "s.change('name', (doc) => { doc.name = 'mine.mp4'; doc.matte = true; });",
        "s.goTo(2); (await import('/page/js/player.js')).setIn();",
        "s.goTo(5); (await import('/page/js/player.js')).setOut();",
        "s.removeEdit('smile');",
        "s.S.who = 'largest'; s.setStrength('age', -5);",
        "s.clear();",
    ]
    seen = [within(page, state)]
    assert seen == ['[{"targets":[],"settings":{}},{}]']
    for step in steps:
        within(page, step)
        seen.append(within(page, state))
        assert seen[-1] != seen[-2], step
    for expected in reversed(seen[:-1]):
        page.keyboard.press("Control+z")
        assert within(page, state) == expected
    assert page.is_disabled("#undo")
    for expected in seen[1:]:
        page.keyboard.press("Control+Shift+z")
        assert within(page, state) == expected
    assert page.is_disabled("#redo")
    within(page, "s.undo(); s.undo(); s.setStrength('smile', 0.25);")
    assert page.is_disabled("#redo"), "a change ends what could be done again"
    within(page, "s.giveName(0, '');")


def test_a_clip_that_goes_while_it_is_open_is_told_and_found_again(page, place):
    clip = place / "clips" / "person.mp4"
    shutil.move(clip, place / "away.mp4")
    try:
        page.keyboard.press("ArrowRight")
        page.wait_for_selector("#badge.bad")
        assert "person.mp4" in page.inner_text("#badge") or "no such file" in page.inner_text("#badge")
        within(page, "s.S.who = '0'; s.setStrength('smile', 1);")
        pages.until(page, "document.getElementById('saved').textContent === 'not saved'")
        assert page.locator(".toast.bad").count() <= 2, "the same is not told twice"
    finally:
        shutil.move(place / "away.mp4", clip)
    page.keyboard.press("ArrowRight")
    pages.until(page, "!document.getElementById('badge').classList.contains('bad')")
    within(page, "s.setStrength('smile', 1.25);")
    pages.until(page, "document.getElementById('saved').textContent === 'saved'")


@pytest.mark.parametrize("words", ["%E0%A4%A", "0%2Fgone%2Faway.mp4", "7%2Fx.mp4", "0%2F..%2F..%2Fx"])
def test_an_address_that_leads_nowhere_shows_the_clips(browser, studio, words):
    context = browser.new_context(viewport=pages.SIZE)
    page = context.new_page()
    page.goto(f"{studio.address}/?token={TOKEN}")
    page.goto(f"{studio.address}/#{words}")
    page.reload()
    page.wait_for_selector(".entry:has-text('person.mp4')", state="attached")
    context.close()


def test_a_strip_of_five_strengths_stays_while_one_of_them_is_tried(page):
    page.click(".person .entry")
    page.click("[data-focus='name-smile']")
    page.click("text=Five strengths of this face")
    page.wait_for_selector(".strip figure")
    assert page.locator(".strip figure").count() == 5
    most = page.locator(".strip figcaption").nth(4).inner_text()
    page.click(".strip figure >> nth=4 >> button")
    assert page.input_value("[data-focus='number-smile']") == most
    page.wait_for_timeout(300)
    assert page.locator(".strip figure").count() == 5, "it is of all strengths of this edit"
    page.keyboard.press("ArrowRight")
    within(page, "s.setStrength('age', 5);")
    pages.until(page, "document.querySelector('.strip') === null")  # that was another frame, and another face now


def test_a_slider_that_comes_back_to_where_it_was_held_is_let_go(page, place):
    """Browsers tell of no change then; the project is saved and the exact frame comes as after any drag."""
    page.click(".person .entry")
    pages.drag(page, "smile", 0.72)
    pages.exact(page)
    before = page.input_value("[data-focus='number-smile']")
    box = page.locator("[data-focus='slider-smile']").bounding_box()
    x, y = box["x"] + box["width"] * 0.72, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 60, y, steps=3)
    page.mouse.move(x, y, steps=3)
    page.mouse.up()
    assert page.input_value("[data-focus='number-smile']") == before
    pages.until(page, "async () => !(await import('/page/js/store.js')).isUnsaved()")
    pages.exact(page)
    assert within(page, "return s.S.moving;") is False


def test_a_studio_that_is_started_again_makes_the_preview_that_failed(browser, place, render):
    clip = place / "clips" / "person.mp4"
    words = (place / "clips", place / "third state", render.session, clip)
    context = browser.new_context(viewport=pages.SIZE)
    page = context.new_page()
    with running(*words) as studio:
        port = studio.port
        page.goto(f"{studio.address}/?token={TOKEN}")
        page.click(".person .entry")
    pages.until(page, "document.getElementById('saved').textContent === 'the studio does not answer'")
    pages.drag(page, "smile", 0.72)
    page.wait_for_selector("#badge.bad")
    pages.shot(page, "away")
    with running(*words, port=port):
        pages.exact(page)
        pages.saved(page)
        assert pages.project(place)["edit"].startswith("smile=")
        context.close()
