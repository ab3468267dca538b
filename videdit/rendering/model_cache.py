"""What is loaded once and kept between clips: the networks of a job."""

from __future__ import annotations

import threading
from collections.abc import Callable

from videdit.engine.devices import resolve_device
from videdit.faces.detector import FaceDetector, detector_of
from videdit.faces.parser import CropParser
from videdit.hfgi.inverter import Inverter
from videdit.hfgi.one_crop import OneCropEditor
from videdit.hfgi.profile import load_profile
from videdit.hfgi.student import StudentEditor
from videdit.imaging.pixels import Pixels
from videdit.jobs.render_job import RenderJob
from videdit.restoration.policy import RestorerChoice
from videdit.restoration.restorer import CropRestorer, restorer_of


class ModelCache:
    """The networks that jobs ask for, each loaded when it first is."""

    def __init__(self, pixels_for: Callable[[str, str], Pixels]) -> None:
        """pixels_for: (device, precision) -> where the stages keep their pixels."""
        self._pixels_for = pixels_for
        self._networks: dict[tuple, tuple[Inverter, FaceDetector]] = {}
        self._parsers: dict[tuple, CropParser] = {}
        self._restorers: dict[tuple, CropRestorer | None] = {}
        self._students: dict[tuple, StudentEditor] = {}
        self._editors: dict[tuple, OneCropEditor] = {}
        self._lock = threading.RLock()  # each network is loaded once, however many threads ask

    def inverter(self, job: RenderJob) -> Inverter:
        """HFGI's networks of a job's profile. Raises what loading them raises."""
        return self._of(job)[0]

    def detector(self, job: RenderJob) -> FaceDetector:
        """What finds faces, on the inverter's device; both are loaded together."""
        return self._of(job)[1]

    def parser(self, job: RenderJob, alone: bool = False) -> CropParser:
        """alone: in passes of one crop, for a single frame that somebody waits for."""
        key = (job.profile, job.checkpoint, job.device, job.networks_precision, job.batch, alone)
        with self._lock:
            if key not in self._parsers:
                new = self.parser(job).alone() if alone else CropParser(self.inverter(job).pixels, job.batch)
                self._parsers[key] = new
            return self._parsers[key]

    def student(self, job: RenderJob, alone: bool = False) -> StudentEditor:
        """alone: in passes of one crop, for a single frame that somebody waits for."""
        key = (job.device, job.networks_precision, job.batch, alone)
        with self._lock:
            if key not in self._students:
                new = self.student(job).alone() if alone else StudentEditor(self.inverter(job).pixels, job.batch)
                self._students[key] = new
            return self._students[key]

    def editor(self, job: RenderJob, prealign: str) -> OneCropEditor:
        """HFGI in passes of one crop."""
        key = (job.profile, job.checkpoint, job.device, job.networks_precision, job.batch, prealign)
        with self._lock:
            if key not in self._editors:
                self._editors[key] = OneCropEditor(self.inverter(job), prealign)
            return self._editors[key]

    def restorer(self, choice: RestorerChoice, job: RenderJob) -> CropRestorer | None:
        """None: nothing is restored. Raises WeightsError: what restores is not here."""
        machine = (job.device, job.networks_precision, job.batch)
        key = (choice.kind, choice.file, *machine)
        with self._lock:
            if key not in self._restorers:
                self._restorers[key] = restorer_of(choice, *machine)
            return self._restorers[key]

    def forget(self) -> None:
        """Give back the memory that they take."""
        with self._lock:
            for kept in (self._networks, self._parsers, self._restorers, self._students, self._editors):
                kept.clear()

    def _of(self, job: RenderJob) -> tuple[Inverter, FaceDetector]:
        key = (job.profile, job.checkpoint, job.detector, job.device, job.networks_precision, job.batch)
        with self._lock:
            if key not in self._networks:
                pixels = self._pixels_for(resolve_device(job.device), job.networks_precision)
                inverter = Inverter(load_profile(job.profile, job.checkpoint), pixels, job.batch)
                self._networks[key] = inverter, detector_of(job.detector, inverter.device)
            return self._networks[key]
