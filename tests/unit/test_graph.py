"""The order in which stages run: laid out once, for renders and previews alike, whatever a job asks for."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videdit.hfgi.profile import load_profile
from videdit.jobs.render_job import RenderJob
from videdit.pipeline.graph import Compose, Graph, Layout, Node
from videdit.rendering.preview_request import Request
from videdit.rendering.resolved_job import ResolvedJob, resolve
from videdit.rendering.stage_graph import LAYOUT, Shape, names_of, reach_of

# What has to be so, whoever lays it out: pairs of nodes, the first before the second where both are there.
ORDER = [
    *("store parse", "align store", "place store", "fetch hair", "hair_mean fetch", "plain fetch", "fetch paste"),
    *(
        "store split",
        "split fetch",
        "steady fetch",
        "fetch matte",
        "decode recall",
        "recall found",
        "found track",
        "found schedule",
        "recall track",
        "track schedule",
    ),
    *("schedule size", "size align", "align parse", "parse restore", "decode place", "place restore"),
    *("parse split", "place split", "split restore", "restore change", "restore plain", "restore edit", "edit detail"),
    *("detail steady", "steady hair", "change hair", "hair matte", "steady matte", "plain matte", "matte paste"),
    *("paste mark", "mark compare", "compare debug", "paste compare", "mark debug", "debug release", "paste release"),
    *("release encode", "decode encode", "split encode"),
]
FILES = ("matte", "compare", "debug", "crops")


class Named:
    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, packets):
        return (f"{packet}>{self.name}" for packet in packets)


@cache
def resolved(profile: str, method: str, edit: str, mark: str | None, restore: str) -> ResolvedJob:
    words = {"method": method, "edit": edit, "mark": mark, "restore": restore}
    found = resolve(RenderJob.model_validate({"input": "a.mp4"} | words))
    if profile == "mobile":
        return found
    other = load_profile(profile)  # whatever edits there are for it
    return replace(found, profile=other, hair=found.hair and other.subject == "face")


@st.composite
def shapes(draw) -> Shape:
    profile = draw(st.sampled_from(["mobile", "hfgi-ffhq", "hfgi-car"]))
    method = draw(st.sampled_from(["student", "hfgi", "plain"] if profile == "mobile" else ["hfgi", "plain"]))
    edit = draw(st.sampled_from(["smile", "age=20", "smile,age=-10", "smile=0@0s,1@1s"]))
    mark, restore = draw(st.sampled_from([None, "AI"])), draw(st.sampled_from(["none", "auto"]))
    return Shape(
        resolved(profile, method, edit, mark, restore),
        frozenset(draw(st.sets(st.sampled_from(FILES)))),
        segments=draw(st.booleans()),
        joins=draw(st.integers(0, 9)) == 0,
        edits=draw(st.integers(0, 9)) > 0,
    )


@settings(max_examples=150, deadline=None)
@given(shapes())
def test_the_order_holds_for_all_that_a_job_may_ask_for(shape: Shape) -> None:
    order = LAYOUT.order(names_of(shape))  # raises where the layout leaves it open
    places = {name: place for place, name in enumerate(order)}
    for first, second in map(str.split, ORDER):
        if first in places and second in places:
            assert places[first] < places[second], f"{first} before {second} in {order}"
    assert order[-1] == "encode"
    if shape.joins:
        assert order == ["encode"]
        return
    assert order[0] == "decode"
    assert ("split" in order) == shape.segments
    if not shape.edits:
        assert order == (["decode", "split", "encode"] if shape.segments else ["decode", "encode"])
        return
    assert {name for name in ("matte", "compare", "debug") if name in order} == shape.files - {"crops"}
    assert ("mark" in order) == bool(shape.job.job.mark)
    assert order[-2] == "release"
    assert ("track" in order) == ("parse" in order) == (shape.job.faces and shape.job.method != "plain")
    assert len({"change", "plain", "edit"} & set(order)) == 1
    # What begins anew with each segment is what follows the split; threads are of nodes in a row.
    threads = [LAYOUT.nodes[name].thread or name for name in order]
    assert len([one for one, other in zip(threads, threads[1:], strict=False) if one != other]) == len(set(threads)) - 1


@settings(max_examples=50, deadline=None)
@given(shapes())
def test_a_previews_nodes_are_the_renders(shape: Shape) -> None:
    job = shape.job
    known = SimpleNamespace(info=None, analysis=None)
    preview = Request(known, job, known, None, None, None, lambda: None).graph()  # type: ignore[arg-type]
    render = LAYOUT.order(names_of(Shape(job, shape.files, segments=shape.segments)))
    assert preview.names == [name for name in render if name not in ("found", "split", "matte", "compare", "debug")]
    assert preview.layout is LAYOUT


def test_how_far_is_looked_is_told_by_the_nodes_that_there_are() -> None:
    plain = resolved("mobile", "plain", "smile", None, "none")
    student, hfgi = (resolved("mobile", method, "smile", None, "none") for method in ("student", "hfgi"))
    assert reach_of(plain) == 0
    assert 0 < reach_of(student) < reach_of(hfgi)
    assert reach_of(student, first="split") == 0
    assert reach_of(hfgi, first="split") == pytest.approx(reach_of(hfgi) - reach_of(student))
    hair = resolved("mobile", "student", "age=20", None, "none")
    assert reach_of(hair, first="split") > 0
    slow = resolve(hfgi.job.model_copy(update={"smooth_codes": 0.3}))
    assert reach_of(slow) > reach_of(hfgi)


def layout(*nodes: tuple[str, tuple[str, ...]]) -> Layout[list[str]]:
    """Nodes that write down when they are made."""

    def maker(name: str):
        return lambda made: made.append(name) or Named(name)

    return Layout(Node(name, maker(name), after) for name, after in nodes)


def test_what_is_not_there_is_passed_over_and_the_order_stays() -> None:
    line = layout(("d", ("c",)), ("b", ("a",)), ("a", ()), ("c", ("b",)))
    assert line.order({"d", "a"}) == ["a", "d"]
    assert line.order({"a", "b", "c", "d"}) == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        ([("a", ()), ("a", ())], "two nodes are named a"),
        ([("a", ("b",))], "a comes after b, which is no node"),
        ([("a", ("b",)), ("b", ("a",))], "a circle"),
        ([("a", ("a",))], "a circle"),
    ],
)
def test_a_layout_that_cannot_be_is_refused(nodes, said) -> None:
    with pytest.raises(ValueError, match=said):
        layout(*nodes)


def test_an_order_that_nobody_laid_out_is_refused() -> None:
    fork = layout(("a", ()), ("b", ("a",)), ("c", ("a",)), ("d", ("b", "c")))
    assert fork.order({"a", "b", "d"}) == ["a", "b", "d"]
    with pytest.raises(ValueError, match="nothing says whether b comes before c"):
        fork.order({"a", "b", "c", "d"})
    with pytest.raises(ValueError, match="x is no node"):
        fork.order({"a", "x"})


def test_stages_are_made_when_they_are_asked_for_and_once() -> None:
    made: list[str] = []
    graph = Graph(layout(("a", ()), ("b", ("a",)), ("c", ("b",)), ("d", ("c",))), {"a", "b", "d"}, made)
    assert [stage.name for stage in graph.part("b", "c")] == ["b"]
    assert made == ["b"]
    assert graph.part("b")[0] is graph.stage("b")
    assert made == ["b", "d"]
    with pytest.raises(KeyError):
        graph.stage("c")
    assert isinstance(graph.find(Named), Named)
    assert graph.find(Compose) is None


def test_nodes_that_share_a_thread_run_as_one_stage() -> None:
    nodes = [
        Node(name, lambda _, name=name: Named(name), after, thread)
        for name, after, thread in (("a", (), None), ("b", ("a",), "b"), ("c", ("b",), "b"), ("d", ("c",), None))
    ]
    graph = Graph(Layout(nodes), "abcd", None)
    stages = graph.stages()
    assert [stage.name for stage in stages] == ["a", "b", "d"]
    assert list(Compose(*stages)("x")) == ["x>a>b>c>d"]
