"""The graph of stages that renders a clip, networks loaded."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from videdit.engine.devices import resolve_precision
from videdit.errors import NoFaceError, UsageError
from videdit.hfgi.inverter import Inverter
from videdit.imaging.host import HostPixels
from videdit.jobs.plan import Clip
from videdit.jobs.result import count
from videdit.jobs.segment_store import Segments
from videdit.media.frame_times import clock
from videdit.media.info import MediaInfo
from videdit.pipeline.executor import Pipeline, Stage
from videdit.pipeline.graph import Compose, Graph
from videdit.rendering.assignments import people_of
from videdit.rendering.model_cache import ModelCache
from videdit.rendering.other_tracks import elsewhere
from videdit.rendering.output_files import OutputFiles, encoder, output_files
from videdit.rendering.resolved_job import resolve
from videdit.rendering.stage_graph import Shape, Workshop, graph_of, reach_of
from videdit.restoration.policy import RestorerChoice
from videdit.stages.choose_passes import ChoosePasses
from videdit.stages.crop_faces import CropFaces
from videdit.stages.parse_faces import ParseFaces
from videdit.stages.paste import Release
from videdit.stages.restore import Restore
from videdit.stages.select_active import SelectActive
from videdit.stages.track_faces import TrackFaces
from videdit.tracks import account
from videdit.tracks.account import Account
from videdit.tracks.analysis_store import Analysis
from videdit.tracks.tracker import SPARSE

# Bytes that frames in the queues between stages may hold, and that may wait in all, unless the job says otherwise. A
# GPU hands on bursts of whole batches, which must find room or it waits.
MEMORY = {"cpu": (128 << 20, 512 << 20), "cuda": (1 << 30, 4 << 30)}


@dataclass(frozen=True)
class Chain:
    """The graph of one render, and what is asked of it afterwards."""

    graph: Graph[Workshop]
    stages: list[Stage]  # of the pipeline that it runs in
    files: OutputFiles = field(default_factory=OutputFiles)  # that are written beside the output
    account: Account = field(default_factory=Account)
    scenes_known: bool = False  # and what is wrong with the chosen ones was said before
    reach: float = 0.0  # seconds before and after a frame that its pictures depend on
    method: str = ""  # how faces are edited: "student", "hfgi" or "plain"
    notes: tuple[str, ...] = ()  # who gets less than was asked for, and why
    consulted: bool = False  # whether ADA and the consultation encoder had their say
    unclear: Sequence[tuple[float, float]] = ()  # when faces are left out, for which way up they are cannot be told

    @property
    def faces(self) -> int:
        """How many faces were edited so far, summed over frames."""
        release = self.graph.find(Release)
        return release.faces if release else 0

    @property
    def rendered(self) -> float | None:
        """How many of the faces the networks saw, 0..1; None where that is not for this method to choose."""
        passes = self.graph.find(ChoosePasses)
        return passes.share if passes else None

    @property
    def restoration(self) -> str:
        """What was restored, in words."""
        return (self.graph.find(Restore) or Restore()).words()

    def pipeline(self) -> Pipeline:
        """What runs the stages, within the memory that the job allows."""
        shop, memory = self.graph.context, self.graph.context.job.job.memory
        between, waiting = (memory, memory) if memory else MEMORY[shop.inverter.device.split(":")[0]]
        return Pipeline(
            self.stages,
            budget=waiting,
            queue=between // max(1, len(self.stages) - 1),
            order=lambda frame: frame.index,
            beside=lambda: shop.store.nbytes,
        )

    def ask_first(self, objection: Callable[[], None]) -> None:
        """Call this too when the last frame is there; what it raises leaves no file."""
        encode = self.graph.context.encode
        assert encode is not None
        approve = encode.approve

        def both() -> None:
            objection()
            approve()

        encode.approve = both

    def warnings(self) -> list[str]:
        """What was odd, in words, for the user to hear after the last frame."""
        shop, schedule = self.graph.context, self.graph.find(SelectActive)
        scheduled = schedule.words() if schedule and not self.scenes_known else []
        return [*shop.decode.warnings, *scheduled, *(shop.encode.warnings if shop.encode else [])]


def assemble(
    clip: Clip,
    info: MediaInfo,
    loaded: ModelCache,
    analysis: Analysis | None,
    work: Segments | None = None,
    first_scene: int = 0,
    cancel: threading.Event | None = None,
) -> Chain:
    """The stages for one clip, networks loaded. With `work` it is rendered in segments that are kept there.

    analysis: of the clip; None where no face is looked for. first_scene: shots before its start, which
    count where some are chosen. Raises NoFaceError where the job's words for faces mean nobody in it.
    """
    job = resolve(clip.job)
    people = people_of(clip.job, analysis, clock(info), job.profile.layers, loaded.detector(clip.job.networks).aligned)
    place, span = (work.next, work.span) if work else (None, None)
    shop = Workshop(
        job=job,
        info=info,
        models=loaded,
        people=people,
        inverter=loaded.inverter(clip.job.networks),
        analysis=analysis,
        account=Account(job.whole and job.faces, job.profile.subject),
        cut=(clip.job.start, clip.job.end),
        first=span.first if span else place.scene_pts if place else None,
        first_scene=place.scene if place else first_scene,
        work=work,
        files=output_files(clip, info, work),
    )
    if clip.job.tune and analysis:
        shop.inverter = tuned(clip, shop, cancel)
    unclear = analysis.unclear_between(clip.job.start, clip.job.end) if analysis else []

    def approve() -> None:
        if not chain.faces and not (work and work.faces):
            why = no_face(clip.source, graph, unclear)
            raise NoFaceError(why + elsewhere(info, loaded.detector(clip.job.networks)))
        shop.files.join()

    shop.encode = encoder(clip, info, edited=True, approve=approve)
    joins = work is not None and work.complete
    graph = graph_of(Shape(job, shop.files.names, segments=work is not None, joins=joins), shop)
    chain = Chain(
        graph,
        graph.stages(),
        shop.files,
        shop.account or Account(),
        analysis is not None,
        reach_of(job),
        job.method,
        people.notes,
        consulted=job.consulted,
        unclear=unclear,
    )
    return chain


def unedited(clip: Clip, info: MediaInfo, loaded: ModelCache, work: Segments | None = None) -> Chain:
    """The stages that only write a clip again, without saying that it was edited; `work` as of :func:`assemble`."""
    job = resolve(clip.job)
    shop = Workshop(
        job=job,
        info=info,
        models=loaded,
        people=people_of(clip.job, None, clock(info), job.profile.layers),
        inverter=loaded.inverter(clip.job.networks),
        cut=(clip.job.start, clip.job.end),
        first=work.next.pts if work and work.next else None,
        work=work,
        encode=encoder(clip, info, edited=False, approve=lambda: None),
    )
    joins = work is not None and work.complete
    graph = graph_of(Shape(job, segments=work is not None, joins=joins, edits=False), shop)
    return Chain(graph, graph.stages())


def tuned(clip: Clip, shop: Workshop, cancel: threading.Event | None) -> Inverter:
    """The networks with a generator that was tuned to this clip, now or before."""
    from videdit.models.mobile_stylegan import Synthesis
    from videdit.rendering.tuning_pass import examples_of, load_tuned, representatives, tune, tuned_path

    job, generator = clip.job, shop.inverter.generator
    if not isinstance(generator, Synthesis):
        raise UsageError(f"--tune is for profile mobile; leave it out with {job.profile}")
    path = tuned_path(job, clip.source)
    state = load_tuned(path)
    if state is None:
        # In the host's memory, of faces that are edited, and no part of the account of the render.
        edited = replace(shop.job, restorer=RestorerChoice("none"))
        looking = Workshop(edited, shop.info, shop.models, shop.people, shop.inverter, shop.analysis, cut=shop.cut)
        find = Compose(*graph_of(Shape(edited), looking).stages(last="size"), CropFaces(HostPixels(), shop.job.size))
        chosen = shop.restore(HostPixels())(iter(representatives(find(iter(())))))
        examples = examples_of(shop.inverter, chosen, shop.people.timeline, shop.regions[0])
        bf16 = resolve_precision(job.precision, shop.inverter.device) == "bf16"
        state = tune(generator, examples, job.tune, path, bf16, cancel)
    return shop.inverter.with_generator(state)


def no_face(source: Path, graph: Graph[Workshop], unclear: Sequence[tuple[float, float]] = ()) -> str:
    """Why nothing was edited, in words."""
    schedule, track, parse = graph.find(SelectActive), graph.find(TrackFaces), graph.find(ParseFaces)
    unfit = sum((stage.unfit for stage in (track, parse) if stage), Counter[str]())
    if schedule and schedule.passed:
        faces = count(schedule.passed, "face")
        return "; ".join([f"nothing to edit in {source}: {faces} in other scenes or at strength 0", *schedule.words()])
    if unfit:
        reason, times = unfit.most_common(1)[0]
        return f"no face to edit in {source}: every face is {reason} ({times} times); nothing was written"
    if unclear:
        when = f"the one at {unclear[0][0]:.2f} s"
        return f"no face to edit in {source}: which way up {when} is cannot be told; nothing was written"
    return f"no face found in {source}; nothing was written (--keep-unedited writes it as it is)"


def told_of(chain: Chain, info: MediaInfo) -> tuple[list[dict[str, Any]], list[str]]:
    """After a chain has run: who was edited when (:meth:`Account.faces`), and in words what is to be said of it."""
    still = info.kind == "image"
    step = 1.0 if still else float(info.frame_step * info.time_base)
    # The step is a mean, of a timelapse maybe a long one; how long other clips are some containers only guess.
    people = chain.account.faces(step, info.duration if step > SPARSE and not still else math.inf)
    lines = [*chain.notes, *account.lines(people, still), *account.unclear_lines(chain.unclear, still)]
    if still:  # which has no times
        times = ("seconds", "from", "to")
        people = [{key: value for key, value in face.items() if key not in times} for face in people]
    return people, lines
