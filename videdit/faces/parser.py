"""Face parsing on crops: the parser that ships, compiled for where the pixels are."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from videdit.datatypes import Array, Crop, Rendering
from videdit.engine.devices import resolve_device
from videdit.engine.recipe import NetworkRecipe
from videdit.errors import WeightsError
from videdit.imaging.arrays import batches, join, single, stack
from videdit.imaging.pixels import Pixels
from videdit.models.sizes import PARSER_INPUT
from videdit.weights import load_state, manifest, verified

if TYPE_CHECKING:
    from torch import nn

    from videdit.models.face_parser import FaceParser

NAME = "parser"  # in the manifest


class CropParser:
    """Says of every pixel of a crop what it belongs to, in fixed batches; arrays are those of its `pixels`."""

    def __init__(self, pixels: Pixels, batch: int | None = None, file: Path | None = None) -> None:
        """file: other weights than those that ship. Raises WeightsError where they are missing or damaged."""
        self.pixels = pixels
        self.batch = batch or (32 if pixels.device.startswith("cuda") else 4)
        self._file = file
        if file is None:
            if NAME not in manifest():
                raise WeightsError(
                    "the face parser's weights (weights/parser.safetensors) do not ship with this version: train them "
                    "with python -m videdit.train parser"
                )
            verified(NAME)
        self._engines: dict[str, Callable[..., tuple[Array, ...]]] = {}
        self._compiling = threading.Lock()

    @classmethod
    def load(
        cls, device: str = "auto", precision: str = "auto", batch: int | None = None, file: Path | None = None
    ) -> CropParser:
        """A parser that takes and gives numpy arrays, wherever it runs. Raises what the class itself raises."""
        from videdit.imaging.host import HostPixels

        return cls(HostPixels(resolve_device(device), precision), batch, file)

    def alone(self) -> CropParser:
        """The same network in passes of one crop, for a single frame that somebody waits for."""
        other = copy.copy(self)
        other.batch, other._engines, other._compiling = 1, {}, threading.Lock()
        return other

    def logits(self, crops: Sequence[Array]) -> Array:
        """Crops [S, S, 3] uint8 RGB of any size -> [N, 19, 256, 256] float32."""
        return self._run("FaceParser", self._net, crops)

    def parts(self, crops: Sequence[Array]) -> Array:
        """Crops [S, S, 3] uint8 RGB of any size -> how likely each of PARTS is, [N, 9, 128, 128] float32 in [0, 1]."""
        return single(self._run("PartParser", self._part_parser, crops))

    def of_edit(self, crop: Crop, rendering: Rendering) -> Rendering:
        """A crop's rendering with its ``parts``, where the edit may have moved the mouth; else the same.

        Crop: its own parts may not be known, then neither are the edit's.
        """
        seen = None if crop.parts is None else self.pixels.edit_to_parse(crop, rendering)
        return rendering if seen is None else replace(rendering, parts=self.parts([seen])[0])

    def _net(self) -> FaceParser:
        from videdit.models.face_parser import FaceParser

        net = FaceParser()
        if self._file is None:
            net.load_state_dict(load_state(NAME))
        else:
            from videdit.weights.module_io import load_weights

            load_weights(net, self._file)
        return net

    def _part_parser(self) -> nn.Module:
        from videdit.models.face_parser import PartParser

        return PartParser(self._net())

    def _run(self, name: str, build: Callable[[], nn.Module], crops: Sequence[Array]) -> Array:
        with self._compiling:
            if name not in self._engines:
                net = build() if self._file else NetworkRecipe(name, (manifest()[NAME].sha256,), build)
                self._engines[name] = self.pixels.compile(net, [(self.batch, 3, PARSER_INPUT, PARSER_INPUT)])
        x = stack([self.pixels.network_input(crop) for crop in crops])
        return join([self._engines[name](part)[0][:used] for part, used in batches(self.batch, x)])
