"""A session: previews in two tiers, renders beside them, pictures in memory, and what is known of a clip."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from footage import frames_of, same_planes
from synthetic import ROOT, background, with_face, write_clip

import videdit
from videdit.cli.preview import sweeps
from videdit.errors import Cancelled, NoFaceError, SettingsError, Superseded, UsageError
from videdit.hfgi.student import StudentEditor
from videdit.jobs.plan import make_plan
from videdit.models.student import Student
from videdit.provenance.tags import is_edited
from videdit.rendering.estimate import describe
from videdit.rendering.frames import displayed
from videdit.rendering.job_clips import clip_of
from videdit.rendering.pace import Pace
from videdit.rendering.session import Session


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory, people) -> Path:
    """Sixteen frames, 10 a second: longer than what a frame depends on. A face drifts over a background."""
    pictures = [with_face(background(320, 240), people[0], (150 + 2 * i, 120 + i), 200) for i in range(16)]
    return write_clip(tmp_path_factory.mktemp("clips") / "long.mp4", pictures, fps=10)


@pytest.fixture
def untrained(render, monkeypatch):
    """A student that ships nowhere, but changes pictures: what its weights are does not matter here."""
    import torch

    torch.manual_seed(1)
    net = Student()
    with torch.no_grad():
        for parameter in net.parameters():
            if parameter.dim() > 1 and not parameter.any():
                parameter.normal_(0, 0.05)
    pixels = render.session._models.inverter(job_of("x.mp4").networks).pixels
    known = {
        (job.device, job.precision, job.batch, False): StudentEditor(pixels, None, net) for job in [job_of("x.mp4")]
    }
    monkeypatch.setattr(render.session._models, "_students", known)


def job_of(path: Path | str, **words):
    return clip_of({"input": str(path), "edit": "smile=2"} | words).job


def test_the_package_offers_it_and_stays_light():
    assert videdit.Session is Session


@pytest.mark.parametrize(
    ("method", "edit"), [("hfgi", "smile=2,age=20"), ("student", "smile=2"), ("student", "age=20")]
)
def test_an_exact_preview_is_the_rendered_frame(render, request, face_clip, tmp_path, method, edit):
    if method == "student":
        request.getfixturevalue("untrained")
    render(face_clip, tmp_path / "out.mp4", edit=edit, lossless=True, method=method)
    sources, edited = frames_of(face_clip), frames_of(tmp_path / "out.mp4")
    session = render.session
    session.forget()
    session.frames(clip_of(job_of(face_clip, edit="smile=0.5", method=method)), 3 / 25)  # what it leaves is of use
    for index in (3, 4, 0):  # the second finds most of what it needs
        clip = clip_of(job_of(face_clip, edit=edit, method=method))
        before, after = session.frames(clip, index / 25)
        assert same_planes(before, sources[index])
        assert not same_planes(after, before)
        assert same_planes(after, edited[index]), f"frame {index}"


@pytest.mark.parametrize("method", ["hfgi", "student", "plain"])
def test_stages_look_as_far_as_the_nodes_say(render, untrained, face_clip, method):
    clip = clip_of(job_of(face_clip, edit="age=20", method=method))
    info = render.session.source(clip).info
    with render.renderer.analyse(clip, info) as analysis:
        chain = render.renderer.chain(clip, info, analysis)
    looked = sum(getattr(stage, "reach", 0.0) for stage in chain.graph.part())
    assert looked == pytest.approx(chain.reach)
    assert (looked > 0) == (method != "plain")


def test_what_waits_in_a_render_is_known_and_gone_at_the_end(render, face_clip, tmp_path):
    clip = clip_of(job_of(face_clip, edit="age=20", method="hfgi", memory="2M", lossless=True))
    clip = replace(clip, output=tmp_path / "out.mp4")
    info = render.session.source(clip).info
    with render.renderer.analyse(clip, info) as analysis:
        chain = render.renderer.chain(clip, info, analysis)
        pipeline = chain.pipeline()
        pipeline.run()
    store = chain.graph.context.store
    assert (pipeline.waiting.bytes, len(store)) == (0, 0)
    frame = 1.5 * info.width * info.height
    assert pipeline.waiting.most >= 4 * frame  # what the averages of eight frames look at
    usual = render(face_clip, tmp_path / "usual.mp4", edit="age=20", method="hfgi", lossless=True)
    for one, other in zip(frames_of(clip.output), frames_of(usual.output), strict=True):
        assert same_planes(one, other)


def test_a_frame_after_its_neighbour_is_as_it_is_alone(render, long_clip):
    clip = clip_of(job_of(long_clip))
    render.session.forget()
    render.session.frames(clip, 0.8)
    _, after = render.session.frames(clip, 0.9)  # of which most is known
    render.session.forget()
    assert same_planes(after, render.session.frames(clip, 0.9)[1])


def test_what_lies_farther_away_hardly_counts(render, long_clip, tmp_path):
    render(long_clip, tmp_path / "out.mp4", edit="smile=2", lossless=True)
    before, after = render.session.frames(clip_of(job_of(long_clip)), 0.8)
    rendered = displayed(frames_of(tmp_path / "out.mp4")[8]).astype(int)
    apart, change = (np.abs(displayed(after) - other).mean() for other in (rendered, displayed(before).astype(int)))
    assert change > 0.3
    assert apart < 0.1 * change


@pytest.mark.parametrize("method", ["hfgi", "student"])
def test_a_draft_is_nearly_the_exact_frame_and_follows_the_strength(render, request, face_clip, method):
    if method == "student":
        request.getfixturevalue("untrained")
    render.session.forget()

    def changed(strength: float, tier: str) -> np.ndarray:
        job = job_of(face_clip, edit=f"smile={strength}", method=method)
        found = render.session.preview(job, 0.12, tier=tier)
        assert found.tier == tier
        assert found.time == pytest.approx(0.12)
        assert len(found.faces) == 1
        return found.after.astype(int) - found.before

    weak, strong = changed(0.5, "draft"), changed(2, "draft")
    exact = changed(2, "exact")
    after = changed(2, "draft")  # with what the exact tier has found
    assert np.abs(weak - strong).mean() > 0.1 * np.abs(strong).mean()
    if method == "hfgi":  # an untrained network knows no more or less
        assert np.abs(weak).mean() < 0.6 * np.abs(strong).mean()
    for draft in (strong, after):
        assert np.abs(draft - exact).mean() < 0.5 * np.abs(exact).mean()


def test_a_draft_of_the_first_frame_whose_time_stamp_is_nothing(render, face_clip):
    session = render.session
    session.forget()
    session.look(face_clip)  # its neighbours are known
    before, after = session.frames(clip_of(job_of(face_clip)), 0.0, "draft")
    assert before.pts == 0
    assert not same_planes(before, after)


def test_strengths_over_time_and_shots_are_those_of_the_moment(render, face_clip):
    job = job_of(face_clip, edit="smile=0@2f,2@4f")
    for tier in ("draft", "exact"):
        still, moved = (render.session.preview(job, index / 25, tier=tier) for index in (1, 6))
        assert not still.faces
        assert np.array_equal(still.before, still.after)
        assert moved.faces
        assert not np.array_equal(moved.before, moved.after)
    assert not render.session.preview(job_of(face_clip, scenes="2"), 0.1, tier="draft").faces, "there is one shot"


def test_previews_go_on_beside_a_render_and_change_nothing_of_it(render, face_clip, tmp_path):
    render(face_clip, tmp_path / "alone.mp4", edit="smile=2", lossless=True)
    phases, done, failures = [], threading.Event(), []

    def ask() -> None:
        number = 0
        try:
            while not done.is_set():
                render.session.preview(job_of(face_clip, edit=f"smile={1 + number % 3}"), 0.12, tier="draft")
                number += 1
        except Exception as error:
            failures.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        job = job_of(face_clip, output=str(tmp_path / "beside.mp4"), lossless=True)
        result = render.session.render(job, progress=lambda moment: phases.append((moment.phase, moment.done)))
    finally:
        done.set()
        asking.join(60)
    assert not failures
    assert result.frames == 8
    assert phases[0] == ("look", 0)
    assert phases[-1] == ("render", 8)
    pairs = zip(frames_of(tmp_path / "alone.mp4"), frames_of(tmp_path / "beside.mp4"), strict=True)
    assert all(same_planes(*pair) for pair in pairs)


def test_the_newest_of_a_viewer_wins(render, face_clip):
    turn, answers = render.session._turns, {}

    def ask(number: int) -> None:
        try:
            answers[number] = render.session.preview(job_of(face_clip), 0.12, tier="draft", viewer="me")
        except Superseded as error:
            answers[number] = error

    with turn.turn("somebody else"):
        threads = []
        for number in range(3):
            before = turn.newest("me")
            threads.append(threading.Thread(target=ask, args=(number,)))
            threads[-1].start()
            while turn.newest("me") == before:  # so that they ask in this order
                time.sleep(0.005)
    for thread in threads:
        thread.join(60)
    assert [isinstance(answers[number], Superseded) for number in range(3)] == [True, True, False]


def test_a_look_says_who_is_there_when(render, face_clip):
    moments = []
    look = render.session.look(face_clip, progress=moments.append)
    assert (look.width, look.height, look.fps, look.frames) == (320, 240, 25.0, 8)
    (face,) = look.faces
    assert (face.track, face.shot, face.frames) == (0, 1, 8)
    assert face.spans == ((pytest.approx(0.0), pytest.approx(0.28)),)
    assert face.portrait.shape == (128, 128, 3)
    assert moments[0].done == 0
    assert {moment.phase for moment in moments} == {"look"}
    assert render.session.preview(job_of(face_clip, faces="0"), 0.1, tier="draft").faces[0].track == 0


def test_a_picture_goes_in_and_comes_out(render, people):
    picture = with_face(background(320, 240), people[0], (160, 120), 200)
    edited = render.session.edit_picture(picture, edit="smile=2")
    assert edited.shape == picture.shape
    assert edited.dtype == np.uint8
    assert np.abs(edited.astype(int) - picture).mean() > 0.3
    assert np.array_equal(edited[:10], picture[:10]), "only the face is changed"
    with pytest.raises(NoFaceError, match="no face"):
        render.session.edit_picture(background(320, 240), edit="smile")
    with pytest.raises(UsageError, match="uint8 RGB"):
        render.session.edit_picture(picture / 255, edit="smile")


def test_mistakes_are_said(render, face_clip, tmp_path):
    with pytest.raises(UsageError, match="draft or exact"):
        render.session.preview(job_of(face_clip), 0, tier="fast")
    with pytest.raises(SettingsError, match="no frame at 5 s"):
        render.session.preview(job_of(face_clip), 5.0, tier="draft")
    with pytest.raises(UsageError, match="unknown setting"):
        render.session.preview({"input": str(face_clip), "edit": "smile", "sise": 256})
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        render.session.preview(job_of(face_clip), 0, cancel=cancel)


def test_what_is_kept_stays_within_the_budget_and_a_changed_file_is_another(people, render, tmp_path):
    path = tmp_path / "in.mp4"
    write_clip(path, [with_face(background(320, 240), people[0], (150, 120), 200)] * 3)
    with Session(memory=3 << 20) as session:
        session._models = session._previews.models = render.session._models
        first = session.preview(job_of(path), 0.04, tier="draft")
        assert 0 < session.nbytes <= 3 << 20
        write_clip(path, [with_face(background(320, 240), people[1], (150, 120), 200)] * 3)
        second = session.preview(job_of(path), 0.04, tier="draft")
        assert not np.array_equal(first.before, second.before)
        picture = session.picture(first.before)
        assert picture.is_file()
        session._models = type(session._models)(None)  # the tests' own go on
    assert session.nbytes == 0
    assert not picture.exists()


def test_a_sweep_is_one_sheet_that_says_that_it_is_edited(render, face_clip, tmp_path):
    job = job_of(face_clip, edit="smile=1", output=str(tmp_path / "look.mp4"), overwrite=True)
    (path,) = sweeps(make_plan([job]), [0.12], "age", [-15.0, 15.0], False, render.session)
    assert path == tmp_path / "look_at_0-00-00.120_age-15to+15.png"
    assert is_edited(path)
    sheet = cv2.imread(str(path)).astype(int)
    source, younger, older = np.hsplit(sheet, 3)
    assert np.abs(younger - source)[40:].mean() > 0.5
    assert np.abs(older - younger)[40:].mean() > 0.5
    with pytest.raises(UsageError, match="exists already"):
        next(sweeps(make_plan([job]), [0.12], "age", [-15.0, 15.0], False, render.session))
    with pytest.raises(UsageError, match="leave it out of --edit"):
        next(sweeps(make_plan([job]), [0.12], "smile", [0.0, 1.0], True, render.session))


def test_an_estimate_measures_a_face_once_and_counts_those_of_a_kept_analysis(face_clip, tmp_path, monkeypatch):
    monkeypatch.setattr("videdit.paths.cache_dir", lambda: tmp_path)
    measured = []
    real = Pace._measured
    monkeypatch.setattr(Pace, "_measured", lambda *words: measured.append(words[1:]) or real(*words))
    plan = make_plan([job_of(face_clip, output=str(tmp_path / "out.mp4"), method="hfgi", size=256)])
    first, second = list(describe(plan)), list(describe(plan))
    assert first == second
    assert "8 frames, 1.0 faces a frame at 256 px in 4 samples" in first[0]
    assert len(measured) == 1
    with Session() as session:
        session.look(face_clip)
    assert "8 frames, 1.0 faces a frame at 256 px in 8 samples" in next(describe(plan))
    assert len(measured) == 1


def test_with_graphs_at_hand_a_draft_imports_neither_torch_nor_scipy(render, face_clip):
    render.session.preview(job_of(face_clip, method="hfgi"), 0.12, tier="draft")  # so that they are
    code = (
        "import sys; from videdit import Session\n"
        "words = {'input': sys.argv[1], 'edit': 'smile=2', 'method': 'hfgi'}\n"
        "assert Session().preview(words, 0.12, tier='draft').faces\n"
        "heavy = {'torch', 'scipy'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(face_clip)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
