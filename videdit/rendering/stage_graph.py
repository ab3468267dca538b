"""The nodes of a clip's graph: which stages there are, after which others each comes, and when it is there.

Renders and previews of single frames take their stages from this one list.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from videdit.hfgi.hair_map import HairPainter
from videdit.hfgi.inverter import Inverter
from videdit.hfgi.latent_cache import LatentCache, codes_for
from videdit.imaging.pixels import Pixels
from videdit.jobs.segment_store import Segments
from videdit.media.info import MediaInfo
from videdit.pipeline.executor import Stage
from videdit.pipeline.graph import Compose, Graph, Layout, Node
from videdit.pipeline.parallel import InOrder
from videdit.rendering.assignments import People
from videdit.rendering.model_cache import ModelCache
from videdit.rendering.output_files import OutputFiles
from videdit.rendering.resolved_job import ResolvedJob, regions_of
from videdit.stages.assign_faces import AssignFaces, TablePass
from videdit.stages.average_changes import AverageChanges
from videdit.stages.choose_passes import ChoosePasses
from videdit.stages.compare import Compare
from videdit.stages.crop_box import CropBox
from videdit.stages.crop_faces import ChooseSize, CropFaces
from videdit.stages.debug_overlay import DebugOverlay, KeepDetections
from videdit.stages.decode import Decode
from videdit.stages.encode import Encode
from videdit.stages.encode_segments import EncodeOneSegment, EncodeSegments
from videdit.stages.invert_edit import InvertEdit
from videdit.stages.matte import Matte
from videdit.stages.paint_hair import MeanHair, PaintHair
from videdit.stages.parse_faces import ParseFaces
from videdit.stages.paste import Paste, Release
from videdit.stages.plain_hfgi import PlainHfgi
from videdit.stages.read_span import ReadSpan
from videdit.stages.restore import Restore
from videdit.stages.select_active import SelectActive
from videdit.stages.split_segments import OnlyFirst, RestartPerSegment, SplitSegments
from videdit.stages.store_pictures import FetchPictures, PictureStore, StorePictures
from videdit.stages.student_change import StudentChange
from videdit.stages.track_faces import TrackFaces
from videdit.stages.transfer_detail import TransferDetail
from videdit.stages.watermark import Watermark
from videdit.threads import workers
from videdit.tracks.account import Account
from videdit.tracks.analysis_store import Analysis


@dataclass(frozen=True)
class Shape:
    """What decides which nodes there are."""

    job: ResolvedJob
    files: frozenset[str] = frozenset()  # that are written beside the output: "compare", "debug", "matte", "crops"
    segments: bool = False  # the clip is rendered in segments
    joins: bool = False  # all segments are there: they are only joined
    edits: bool = True  # False: the clip is only written again


@dataclass
class Workshop:
    """What the stages of a graph are made of."""

    job: ResolvedJob
    info: MediaInfo
    models: ModelCache
    people: People
    inverter: Inverter  # of the job's profile, or tuned to the clip
    analysis: Analysis | None = None  # None: no face is looked for
    account: Account | None = None
    cut: tuple[float | None, float | None] = (None, None)  # seconds that are decoded
    first: int | None = None  # the pts that decoding begins at; None: with the cut
    first_scene: int = 0  # shots before the first frame
    work: Segments | None = None  # where segments are kept
    files: OutputFiles = field(default_factory=OutputFiles)
    encode: Encode | None = None
    alone: bool = False  # networks in passes of one crop, for a single frame that somebody waits for
    codes: LatentCache | None = None  # of crops that are known; None: those of the analysis
    span: tuple[float, float] | None = None  # seconds that edits are wanted of; None: all
    store: PictureStore = field(default_factory=PictureStore)  # where pictures wait

    @cached_property
    def regions(self) -> tuple[frozenset[str], Mapping[int, frozenset[str]]]:
        """Where edits may show: of everybody, and by track of those with their own."""
        profile = self.job.profile
        own = {track: regions_of(edits, profile) for track, edits in self.people.own.items()}
        return regions_of(self.people.timeline.edits, profile), own

    @cached_property
    def decode(self) -> Decode:
        """The stage that reads the clip, also where only a stretch of it is read."""
        return Decode(self.info, *self.cut, first=self.first, decoder=self.job.job.decoder)

    def restore(self, pixels: Pixels | None = None) -> Restore:
        """pixels: in place of the inverter's."""
        restorer = self.models.restorer(self.job.restorer, self.job.networks)
        strength, timeline = self.job.job.restore_strength, self.people.timeline
        return Restore(self.job.restorer, strength, restorer, pixels or self.inverter.pixels, timeline)


def _decode(shop: Workshop) -> Stage:
    span = shop.work.span if shop.work else None
    return ReadSpan(shop.decode, span.last) if span else shop.decode


def _recall(shop: Workshop) -> Stage:
    assert shop.analysis is not None
    return AssignFaces(shop.analysis, shop.people.chosen, steady=shop.job.follows)


def _schedule(shop: Workshop) -> Stage:
    return SelectActive(shop.people.timeline, shop.job.job.scenes, shop.first_scene, shop.job.at_rest)


def _align(shop: Workshop) -> Stage:
    return _shared(CropFaces(shop.inverter.pixels, shop.job.size), shop)


def _paste(shop: Workshop) -> Stage:
    return _shared(Paste(shop.inverter.pixels), shop)


def _shared(stage: Stage, shop: Workshop) -> Stage:
    """A stage in which no frame depends on another, by several threads where there are cores for them.

    What a GPU works on is given to it from one thread, and a single frame has nothing to share.
    """
    count = 1 if shop.alone or shop.inverter.pixels.ahead else workers()
    return InOrder(stage, count) if count > 1 else stage


def _place(shop: Workshop) -> Stage:
    return CropBox(shop.inverter.pixels, shop.job.profile.sizes, shop.job.job.box, shop.job.size)


def _parse(shop: Workshop) -> Stage:
    every = shop.job.job.quality == "best"
    return ParseFaces(shop.models.parser(shop.job.networks, shop.alone), shop.account, every)


def _split(shop: Workshop) -> Stage:
    assert shop.work is not None
    reach = reach_of(shop.job, first="split")
    split = SplitSegments(
        shop.work.next, reach=reach, crops=shop.work.crops, frames=shop.work.frames_most, store=shop.store
    )
    return OnlyFirst(split) if shop.work.span else split


def _change(shop: Workshop) -> Stage:
    return StudentChange(shop.models.student(shop.job.networks, shop.alone), shop.people.timeline, *shop.regions)


def _passes(shop: Workshop) -> Stage:
    return ChoosePasses(shop.inverter.pixels, shop.people.timeline, shop.job.job.quality, shop.account)


def _edit(shop: Workshop) -> Stage:
    job = shop.job.job
    codes = shop.codes or codes_for(shop.inverter, shop.analysis, keep=job.cache)
    smoothing = job.smooth_codes, job.smooth_fine
    prealign = shop.job.prealign
    return InvertEdit(shop.inverter, shop.people.timeline, *smoothing, prealign=prealign, codes=codes, span=shop.span)


def _detail(shop: Workshop) -> Stage:
    parser = shop.models.parser(shop.job.networks, alone=True) if shop.job.follows else None
    detector = shop.models.detector(shop.job.networks) if shop.job.follows else None
    return TransferDetail(shop.inverter.pixels, *shop.regions, parser, detector)


def _steady(shop: Workshop) -> Stage:
    return AverageChanges(shop.inverter.pixels, shop.people.timeline, shop.job.restorer.at_rest, shop.span)


def _hair(shop: Workshop) -> Stage:
    return PaintHair(HairPainter(shop.inverter.pixels, shop.models.parser(shop.job.networks, shop.alone)))


def _matte(shop: Workshop) -> Stage:
    assert shop.files.matte is not None
    return Matte(shop.files.matte, shop.inverter.pixels)


def _mark(shop: Workshop) -> Stage:
    assert shop.job.job.mark is not None
    return Watermark(shop.job.job.mark, shop.info.rotation, shop.info.mirrored)


def _compare(shop: Workshop) -> Stage:
    assert shop.files.compare is not None
    assert shop.job.job.compare is not None
    return Compare(shop.job.job.compare, shop.files.compare)


def _debug(shop: Workshop) -> Stage:
    assert shop.files.debug is not None
    return DebugOverlay(shop.files.debug, shop.inverter.pixels, shop.people.timeline)


def _encode(shop: Workshop) -> Stage:
    assert shop.encode is not None
    if shop.work is None:
        return shop.encode
    return (EncodeOneSegment if shop.work.span else EncodeSegments)(shop.encode, shop.work)


# In the thread of "recall" run those that look at no picture: over the table of a clip's analysis, ahead of its frames.
LAYOUT: Layout[Workshop] = Layout(
    [
        Node("decode", _decode),
        Node("recall", _recall, after=("decode",), thread="recall"),
        Node("found", lambda shop: KeepDetections(), after=("recall",), thread="recall"),
        Node("track", lambda shop: TrackFaces(shop.account), after=("found",), thread="recall"),
        Node("schedule", _schedule, after=("track",), thread="recall"),
        Node("size", lambda shop: ChooseSize(shop.job.size), after=("schedule",), thread="recall"),
        Node("align", _align, after=("size",), thread="align"),
        Node("place", _place, after=("decode",)),
        Node("store", lambda shop: StorePictures(shop.store), after=("align", "place"), thread="align"),
        Node("parse", _parse, after=("store",)),
        Node("split", _split, after=("parse",)),
        Node("restore", lambda shop: shop.restore(), after=("split",)),
        Node("change", _change, after=("restore",)),
        Node(
            "plain", lambda shop: PlainHfgi(shop.inverter, shop.people.timeline, shop.files.crops), after=("restore",)
        ),
        Node("passes", _passes, after=("restore",)),
        Node("edit", _edit, after=("passes",)),
        Node("detail", _detail, after=("edit",)),
        Node("steady", _steady, after=("detail",)),
        Node("hair_mean", lambda shop: MeanHair(), after=("change", "steady")),
        Node("fetch", lambda shop: FetchPictures(shop.store), after=("hair_mean", "plain")),
        Node("hair", _hair, after=("fetch",)),
        Node("matte", _matte, after=("hair",)),
        Node("paste", _paste, after=("matte",), thread="paste"),
        Node("mark", _mark, after=("paste",), thread="paste"),
        Node("compare", _compare, after=("mark",), thread="paste"),
        Node("debug", _debug, after=("compare",), thread="paste"),
        Node("release", lambda shop: Release(shop.account), after=("debug",), thread="paste"),
        Node("encode", _encode, after=("release",)),
    ]
)

_METHODS = {"student": {"change"}, "hfgi": {"passes", "edit", "detail", "steady"}, "plain": {"plain"}}

# Seconds before and after a frame that nodes look at.
_REACH: dict[str, Callable[[ResolvedJob], float]] = {
    "track": lambda job: TrackFaces.reach,
    "parse": lambda job: ParseFaces.reach,
    "passes": lambda job: ChoosePasses.reach_of(job.job.quality),
    "edit": lambda job: InvertEdit.reach_of(job.job.smooth_codes, job.job.smooth_fine),
    "steady": lambda job: AverageChanges.reach,
    "hair_mean": lambda job: MeanHair.reach,
}


def names_of(shape: Shape) -> set[str]:
    """Which nodes a graph has."""
    job = shape.job
    if shape.joins:
        return {"encode"}
    wanted = {"decode": True, "split": shape.segments, "encode": True}
    if shape.edits:
        wanted |= dict.fromkeys(("recall", "schedule", "size", "align"), job.faces)
        wanted |= dict.fromkeys(("track", "parse"), job.follows)
        wanted |= dict.fromkeys(("store", "restore", *_METHODS[job.method], "fetch", "paste", "release"), True)
        wanted |= {name: name in shape.files for name in ("matte", "compare", "debug")}
        wanted |= {"found": job.faces and "debug" in shape.files, "place": not job.faces}
        wanted |= {"hair_mean": job.hair, "hair": job.hair, "mark": bool(job.job.mark)}
    return {name for name, there in wanted.items() if there}


def graph_of(shape: Shape, shop: Workshop) -> Graph[Workshop]:
    """The graph of a clip."""
    return Graph(LAYOUT, names_of(shape), shop, _joined)


def _joined(thread: str, stages: Sequence[Stage], shop: Workshop) -> Stage:
    """One stage of those that share a thread, as it is to run in a pipeline."""
    stage = stages[0] if len(stages) == 1 else Compose(*stages)
    if thread == "recall":
        assert shop.analysis is not None
        shot = shop.work.next.scene_pts if shop.work and shop.work.span and shop.work.next else None
        return TablePass(shop.analysis.table, Compose(*stages), end=shop.cut[1], first=shot)
    each = shop.work is not None and LAYOUT.between(thread, "restore", "release")
    return RestartPerSegment(stage) if each else stage


def reach_of(job: ResolvedJob, first: str | None = None) -> float:
    """How many seconds before and after a frame its pictures depend on: what the nodes from one on declare together."""
    names = LAYOUT.order(names_of(Shape(job)))
    return sum(_REACH[name](job) for name in names if name in _REACH and LAYOUT.between(name, first, None))
