"""What is loaded once and kept between clips: the networks of a job."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from videdit.engine.devices import resolve_device
from videdit.faces.detector import FaceDetector, detector_of
from videdit.faces.parser import CropParser
from videdit.hfgi.inverter import Inverter
from videdit.hfgi.one_crop import OneCropEditor
from videdit.hfgi.profile import load_profile
from videdit.hfgi.student import StudentEditor
from videdit.imaging.pixels import Pixels
from videdit.jobs.network_choice import NetworkChoice
from videdit.restoration.policy import RestorerChoice
from videdit.restoration.restorer import CropRestorer, restorer_of


class ModelCache:
    """The networks that jobs ask for (``RenderJob.networks``), each loaded when it first is."""

    def __init__(self, pixels_for: Callable[[str, str], Pixels]) -> None:
        """pixels_for: (device, precision) -> where the stages keep their pixels."""
        self._pixels_for = pixels_for
        self._networks: dict[NetworkChoice, tuple[Inverter, FaceDetector]] = {}
        self._parsers: dict[tuple, CropParser] = {}
        self._restorers: dict[tuple, CropRestorer | None] = {}
        self._students: dict[tuple, StudentEditor] = {}
        self._editors: dict[tuple, OneCropEditor] = {}
        self._lock = threading.RLock()  # each network is loaded once, however many threads ask

    def inverter(self, choice: NetworkChoice) -> Inverter:
        """HFGI's networks of the profile. Raises what loading them raises."""
        return self._of(choice)[0]

    def detector(self, choice: NetworkChoice) -> FaceDetector:
        """What finds faces, on the inverter's device; both are loaded together."""
        return self._of(choice)[1]

    def parser(self, choice: NetworkChoice, alone: bool = False) -> CropParser:
        """alone: in passes of one crop, for a single frame that somebody waits for."""
        key = (*choice.of_profile, alone)
        with self._lock:
            if key not in self._parsers:
                pixels = self.inverter(choice).pixels
                new = self.parser(choice).alone() if alone else CropParser(pixels, choice.batch)
                self._parsers[key] = new
            return self._parsers[key]

    def student(self, choice: NetworkChoice, alone: bool = False) -> StudentEditor:
        """alone: in passes of one crop, for a single frame that somebody waits for."""
        key = (*choice.machine, alone)
        with self._lock:
            if key not in self._students:
                pixels = self.inverter(choice).pixels
                new = self.student(choice).alone() if alone else StudentEditor(pixels, choice.batch)
                self._students[key] = new
            return self._students[key]

    def editor(self, choice: NetworkChoice, prealign: str) -> OneCropEditor:
        """HFGI in passes of one crop."""
        key = (*choice.of_profile, choice.consultation, prealign)
        with self._lock:
            if key not in self._editors:
                self._editors[key] = OneCropEditor(self.inverter(choice), prealign)
            return self._editors[key]

    def restorer(self, restorer: RestorerChoice, choice: NetworkChoice) -> CropRestorer | None:
        """None: nothing is restored. Raises WeightsError: what restores is not here."""
        key = (restorer.kind, restorer.file, *choice.machine)
        with self._lock:
            if key not in self._restorers:
                self._restorers[key] = restorer_of(restorer, *choice.machine)
            return self._restorers[key]

    def forget(self) -> None:
        """Give back the memory that they take."""
        with self._lock:
            for kept in (self._networks, self._parsers, self._restorers, self._students, self._editors):
                kept.clear()

    def _of(self, choice: NetworkChoice) -> tuple[Inverter, FaceDetector]:
        with self._lock:
            loaded = replace(choice, consultation="auto")  # which changes nothing about what is loaded
            if loaded not in self._networks:
                pixels = self._pixels_for(resolve_device(choice.device), choice.precision)
                inverter = Inverter(load_profile(choice.profile, choice.checkpoint), pixels, choice.batch)
                self._networks[loaded] = inverter, detector_of(choice.detector, inverter.device)
            inverter, detector = self._networks[loaded]
            return inverter.consulting(inverter.profile.consults(choice.consultation)), detector
