"""The networks that `videdit bench peers` times, ours among them: which passes a face takes in each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

from torch import nn

from videdit.datatypes import LOW
from videdit.engine.recipe import NetworkRecipe, Shape
from videdit.faces.detector import face_mesh
from videdit.faces.parser import NAME as PARSER
from videdit.faces.parser import CropParser
from videdit.hfgi.inverter import SIZES, Inverter
from videdit.hfgi.loader import Networks, load_networks
from videdit.hfgi.profile import load_profile
from videdit.models import mobile_stylegan, peers
from videdit.models.face_parser import FaceParser, PartParser
from videdit.models.passes import ImagePass
from videdit.models.sizes import MESH_INPUT, PARSER_INPUT, W_DIM
from videdit.weights import load_state

OURS = "ours"  # among the names


@dataclass(frozen=True)
class Pass:
    """A network, and what one pass of it takes in."""

    name: str
    build: Callable[[], nn.Module]
    shapes: tuple[Shape, ...]
    faces: int = 1  # a pass
    every: bool = True  # every face takes it, also where the networks of the edit see a share of them alone
    counted: bool = True  # its parameters are no other pass's
    threads: int | None = None  # as of :func:`videdit.engine.compile.compile_module`

    def recipe(self) -> NetworkRecipe:
        """What its graph is kept by while the bench runs."""
        return NetworkRecipe(self.name, (self.shapes,), self.build)


@dataclass(frozen=True)
class Contestant:
    """What one face is edited, or restored, with."""

    name: str  # for --only
    title: str
    size: int  # of the face that comes out, px
    passes: Callable[[], tuple[Pass, ...]]


def of_chance(make: Callable[[], nn.Module]) -> nn.Module:
    """One of the peers, ready to run."""
    return peers.of_chance(make())


def alone(name: str, make: Callable[[], nn.Module], *shapes: Shape) -> tuple[Pass, ...]:
    """The one pass of a network that does all by itself."""
    return (Pass(name, partial(of_chance, make), shapes),)


def ours(size: int, device: str) -> tuple[Pass, ...]:
    """Every pass that a face takes with profile mobile: mesh, parser, encoder, inversion beside edit."""
    inverter = Inverter.load("mobile", device)
    low, high, parsed = inverter.batch(LOW), inverter.batch(size), CropParser.load(device).batch
    codes = (inverter.profile.layers, W_DIM)

    def image_pass(size: int, count: int, counted: bool) -> Pass:
        build = partial(_image, device, size)
        return Pass(f"ImagePass {size}", build, ((count, *codes),), count, every=False, counted=counted)

    return (
        Pass("FaceMesh", face_mesh, ((1, 3, MESH_INPUT, MESH_INPUT),), threads=1),
        Pass("PartParser", _parser, ((parsed, 3, PARSER_INPUT, PARSER_INPUT),), parsed),
        Pass("Encoder", _encoder, ((low, 3, LOW, LOW),), low, every=False),
        image_pass(LOW, low, counted=False),
        image_pass(size, high, counted=True),
    )


def _parser() -> nn.Module:
    net = FaceParser()
    net.load_state_dict(load_state(PARSER))
    return PartParser(net)


@cache
def _networks() -> Networks:
    return load_networks(load_profile("mobile"))


def _encoder() -> nn.Module:
    return _networks().encoder


def _generator(device: str) -> mobile_stylegan.Synthesis:
    generator = _networks().generator
    assert isinstance(generator, mobile_stylegan.Synthesis)
    return mobile_stylegan.grouped(generator) if device == "cpu" else generator


def _image(device: str, size: int) -> nn.Module:
    return ImagePass(_generator(device), size)


def contestants(device: str) -> list[Contestant]:
    """All that there are, ours first at each size."""
    found = [Contestant("hfgi", "HFGI as released", 1024, partial(alone, "hfgi", peers.ReleasedHfgi, (1, 3, LOW, LOW)))]
    for size in SIZES:
        unet = partial(alone, f"fran {size}", peers.ReagingUNet, (1, 3, size, size), (1, 2, 1, 1))
        found.append(Contestant("fran", "U-Net of FRAN's size", size, unet))
    found.append(Contestant("gfpgan", "GFPGAN v1.4", 512, partial(alone, "gfpgan", peers.Gfpgan, (1, 3, 512, 512))))
    for size in SIZES:
        quarter = (1, 3, size // 4, size // 4)
        enlarger = partial(alone, f"realesrgan {size}", peers.RealEsrgan, quarter)
        found.append(Contestant("realesrgan", "Real-ESRGAN x4plus", size, enlarger))
    found += [Contestant(OURS, "videdit", size, partial(ours, size, device)) for size in SIZES]
    return sorted(found, key=lambda one: (one.size, one.name != OURS))
