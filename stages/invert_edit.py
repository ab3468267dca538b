"""edit: crops -> renderings of HFGI, batched over any frames and faces.

Codes are smoothed over time per track before the edit is added, so the edit itself never trembles; the flow of the
edit is smoothed before the source's detail is carried along it, so what is carried does not flicker.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from videdit.datatypes import LOW, Array, Crop, Flow, Frame
from videdit.edits import Timeline
from videdit.hfgi.inverter import Inverter, LowFidelity
from videdit.hfgi.latent_cache import LatentCache
from videdit.hfgi.prealign import Prealigner
from videdit.imaging.arrays import stack
from videdit.imaging.optical_flow import blend_flows
from videdit.pipeline.windows import FEW, Window, gaussian, groups, weighted_mean, within

CODE_SIGMA = 0.07  # seconds: two frames at 29 fps
FINE = 9  # the first of a code's layers that say only colour and texture: those of 128 px and more
FLOW_SIGMA = 0.05  # seconds: one and a half frames at 30 fps
CODE_REACH, FLOW_REACH = 3.0, 2.5  # sigmas within which neighbours count


@dataclass(frozen=True, slots=True)
class Halfway:
    """A frame between the two halves of the method; low fidelity and flow of each crop that is rendered."""

    frame: Frame
    bases: list[LowFidelity]
    flows: list[Flow]


@dataclass(frozen=True, slots=True)
class Pending:
    """One crop on its way through a batch; the rendering goes to slots[index]."""

    slots: list
    index: int
    base: LowFidelity
    flow: Flow
    strength: float  # see Rendering


class InvertEdit:
    """Encode, smooth codes over time, add the edit, render. Hands on frames with ``renderings``, one a crop.

    Frames out of a ``span`` that was named are not handed on.
    """

    name = "edit"

    def __init__(
        self,
        inverter: Inverter,
        timeline: Timeline,
        code_sigma: float = CODE_SIGMA,
        fine_sigma: float = 0.0,
        flow_sigma: float = FLOW_SIGMA,
        prealign: str = "auto",
        codes: LatentCache | None = None,
        span: tuple[float, float] | None = None,
    ):
        """code_sigma, flow_sigma: seconds; fine_sigma: of the codes' fine layers, where that is more.

        prealign: how distortion maps are brought to where the edited face is, one of videdit.hfgi.prealign.KINDS.
        codes: those of crops in the host's memory that are known already; None: of none.
        span: seconds; frames before and after it are looked at as far as those in it depend on them, and left out.
        """
        self.span = span or (-math.inf, math.inf)
        self.prealigner = Prealigner(inverter.pixels, prealign)
        self.inverter, self.timeline = inverter, timeline
        self.code_sigma, self.flow_sigma = code_sigma, flow_sigma
        self.fine_sigma, self.codes = fine_sigma, codes or LatentCache()

    @property
    def reach(self) -> float:
        """Seconds before and after a frame that its edit depends on: codes are smoothed, then flows."""
        return self.reach_of(self.code_sigma, self.fine_sigma, self.flow_sigma)

    @staticmethod
    def reach_of(code_sigma: float, fine_sigma: float, flow_sigma: float = FLOW_SIGMA) -> float:
        """The same of settings."""
        return CODE_REACH * max(code_sigma, fine_sigma) + FLOW_REACH * flow_sigma

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Frames with one rendering a crop, in the order of their crops, None for those that the networks are not to
        see; crops stay, for the detail that returns."""
        try:
            yield from self._rendered(self._steadied(self._halfway(self._smoothed(self._encoded(frames)))))
        finally:
            self.codes.flush()

    def _encoded(self, frames: Iterator[Frame]) -> Iterator[tuple[Frame, list[Array]]]:
        """Frames with a raw code [18, 512] for each crop that is to be rendered, batched across frames."""
        for group in groups(((frame, _rendered_of(frame)) for frame in frames), self.inverter.batch(256)):
            codes = iter(self._codes([(frame, crop) for frame, crops in group for crop in crops]))
            for frame, own in group:
                yield frame, [next(codes) for _ in own]

    def _codes(self, crops: list[tuple[Frame, Crop]]) -> Sequence[Array]:
        """Raw codes [18, 512] of crops. On a device they are sooner made than looked up."""
        if all(isinstance(crop.seen_low, np.ndarray) for _, crop in crops):
            return self.codes([(frame.pts, crop.seen_low) for frame, crop in crops], self.inverter.encode)
        return self.inverter.encode([crop.seen_low for _, crop in crops])

    def _smoothed(self, encoded: Iterator[tuple[Frame, list[Array]]]) -> Iterator[tuple[Frame, list[Array]]]:
        """Frames with the codes of crops that are to be rendered, smoothed per track, never across a cut."""
        reach = CODE_REACH * max(self.code_sigma, self.fine_sigma)
        window: Window[tuple[Frame, list[Array]]] = Window(
            lambda item: item[0].time, reach, remember=lambda item: (item[0].without_pixels(), item[1])
        )
        for (frame, _), neighbours in window(encoded):
            smooth = []
            for crop in _rendered_of(frame):
                times, codes = [], []
                for other, other_codes in neighbours:
                    if other.scene == frame.scene:
                        for other_crop, code in zip(_rendered_of(other), other_codes, strict=True):
                            if other_crop.track == crop.track:
                                times.append(other.time)
                                codes.append(code)
                away = np.array(times) - frame.time
                code = weighted_mean(codes, gaussian(away, self.code_sigma))
                if self.fine_sigma > self.code_sigma:
                    code[FINE:] = weighted_mean([code[FINE:] for code in codes], gaussian(away, self.fine_sigma))
                smooth.append(code)
            yield frame, smooth

    def _halfway(self, smoothed: Iterator[tuple[Frame, list[Array]]]) -> Iterator[Halfway]:
        """Frames with low fidelity and flow of each crop that is rendered; the edit is added to the codes here.

        Motions are worked out by a thread of their own while the networks go on with the next group.
        """
        with ThreadPoolExecutor(1, thread_name_prefix="videdit-flow") as beside:
            before: list[tuple[Frame, list[LowFidelity]]] = []
            found = self.prealigner.memory()
            flows: list[Future[list[Flow]]] = []
            halfway = (item for item in smoothed if within(self.span, item[0].time, FLOW_REACH * self.flow_sigma))
            for group in groups(halfway, self.inverter.at_once(LOW)):
                bases, after = list[LowFidelity](), list[Future[list[Flow]]]()
                tracks = [crop.track for frame, _ in group for crop in _rendered_of(frame)]
                made = self._bases(group)
                while new := list(islice(made, self.inverter.batch(LOW))):
                    theirs = tracks[len(bases) : len(bases) + len(new)]
                    after.append(beside.submit(found, [base.low for base in new], theirs))
                    bases += new
                yield from _with_flows(before, flows)
                rest = iter(bases)
                before, flows = [(frame, [next(rest) for _ in codes]) for frame, codes in group], after
            yield from _with_flows(before, flows)

    def _bases(self, group: list[tuple[Frame, list[Array]]]) -> Iterator[LowFidelity]:
        """The low fidelity of all crops of a group of frames, in their order."""
        pending = [
            (crop, f.time, code) for f, codes in group for crop, code in zip(_rendered_of(f), codes, strict=True)
        ]
        if not pending:
            return iter(())
        codes = stack([code for *_, code in pending])
        delta = np.stack([self.timeline.delta_for_crop(*one) for one in pending])
        edited = codes + self.inverter.pixels.put(delta)
        crops, sizes = [crop.seen_low for crop, *_ in pending], [crop.size for crop, *_ in pending]
        return self.inverter.each_low_fidelity(crops, codes, edited, sizes)

    def _steadied(self, halfway: Iterator[Halfway]) -> Iterator[Halfway]:
        """The same with flows smoothed per track, never across a cut."""
        window: Window[Halfway] = Window(
            lambda item: item.frame.time,
            FLOW_REACH * self.flow_sigma,
            remember=lambda item: Halfway(item.frame.without_pixels(), [], item.flows),
        )
        for item, neighbours in window(halfway):
            flows = []
            for crop in _rendered_of(item.frame):
                near = [
                    (other.frame.time, flow, other_crop.given)
                    for other in neighbours
                    if other.frame.scene == item.frame.scene
                    for other_crop, flow in zip(_rendered_of(other.frame), other.flows, strict=True)
                    if other_crop.track == crop.track
                ]
                away = np.array([time for time, *_ in near]) - item.frame.time
                weights = gaussian(away, self.flow_sigma)
                # Another strength moves the face elsewhere.
                weights *= [self.timeline.similarity(crop.track, given, crop.given) for *_, given in near]
                flows.append(blend_flows([flow for _, flow, _ in near], weights))
            yield Halfway(item.frame, item.bases, flows)

    def _rendered(self, steadied: Iterator[Halfway]) -> Iterator[Frame]:
        """Frames with their renderings; crops of one size share batches, frames keep their order."""
        waiting: deque[tuple[Frame, list]] = deque()
        todo: dict[int, list[Pending]] = {}
        for item in steadied:
            if not within(self.span, item.frame.time):
                continue
            slots: list = [None] * len(item.bases)
            waiting.append((item.frame, slots))
            for i, crop in enumerate(_rendered_of(item.frame)):
                strength = self.timeline.strongest(crop, item.frame.time)
                todo.setdefault(crop.size, []).append(Pending(slots, i, item.bases[i], item.flows[i], strength))
            # A frame may not wait for long: when many do, batches go out part full.
            for size, pending in todo.items():
                full = self.inverter.at_once(size)
                if len(pending) >= full or len(waiting) > FEW * full:
                    yield from self._run(size, pending, waiting)
            yield from _finished(waiting)
        for size, pending in todo.items():
            yield from self._run(size, pending, waiting)
        yield from _finished(waiting)

    def _run(self, size: int, pending: list[Pending], waiting: deque[tuple[Frame, list]]) -> Iterator[Frame]:
        """Render crops of one size; hands on the frames that are finished by it."""
        bases, flows = [one.base for one in pending], [one.flow for one in pending]
        made = self.inverter.each_high_fidelity(bases, flows, size, self.prealigner.kind != "none") if pending else ()
        for one, rendering in zip(pending, made, strict=True):
            one.slots[one.index] = replace(rendering, strength=one.strength)
            yield from _finished(waiting)
        pending.clear()


def _rendered_of(frame: Frame) -> list[Crop]:
    """The crops that the networks are to see."""
    return [crop for crop in frame.crops if crop.rendered]


def _with_flows(items: list[tuple[Frame, list[LowFidelity]]], flows: Sequence[Future[list[Flow]]]) -> Iterator[Halfway]:
    """Frames with their low fidelity, and the flows of all of them in their order."""
    rest = (flow for some in flows for flow in some.result())
    for frame, bases in items:
        yield Halfway(frame, bases, [next(rest) for _ in bases])


def _finished(waiting: deque[tuple[Frame, list]]) -> Iterator[Frame]:
    while waiting and all(slot is not None for slot in waiting[0][1]):
        frame, slots = waiting.popleft()
        rest = iter(slots)
        yield replace(frame, renderings=tuple(next(rest) if crop.rendered else None for crop in frame.crops))
