"""The networks of a profile, made from its weights: what :class:`videdit.hfgi.inverter.Inverter` works with.

The `mobile` profile's are ours and ship. Those of the `hfgi-...` profiles are published ones, in one file or in parts:
which part a file holds is seen from its tensors, and so are the networks' widths.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from videdit import paths, weights
from videdit.errors import WeightsError
from videdit.models import ada_appendix, e4e, encoder, hfgi, hfgi_released, mobile_stylegan, stylegan2
from videdit.models.encoder import Encoder
from videdit.models.passes import WHOLE
from videdit.weights.checkpoint import read_checkpoint
from videdit.weights.module_io import load_weights
from videdit.weights.published import is_installed

if TYPE_CHECKING:  # who trains needs no pydantic
    from videdit.hfgi.profile import Profile

log = logging.getLogger(__name__)

# Of ADA and the consultation encoder: (layer, the name of its first convolution)
FIRST_UNITS = ((1, "0"), (2, "0.res_layer.1"), (3, "0.res_layer.1"), (4, "0.res_layer.1"))
PARTS = ("encoder", "decoder", "grid_align", "residue")  # what a published file calls them


@dataclass(frozen=True)
class Networks:
    """A generator and what inverts pictures into it; images and maps are those of a crop at 256 px."""

    generator: mobile_stylegan.Synthesis | stylegan2.Synthesis
    encoder: nn.Module  # image -> codes [B, L, 512]
    alignment: nn.Module | None = None  # ADA; without it and the next there is no consultation
    consultation: nn.Module | None = None
    rows: tuple[int, int] = WHOLE  # which of the crop's 256 rows show something
    heavy: bool = False  # a pass takes as much memory as a dozen of the mobile profile's, at any size


def load_networks(profile: Profile) -> Networks:
    """Networks with verified weights, ready for inference.

    Raises:
        WeightsError: a file is missing, damaged, or not what it should be.
    """
    found = _mobile(profile) if profile.layout == "mobile" else _published(profile)
    for network in (found.generator, found.encoder, found.alignment, found.consultation):
        if network is not None:
            network.eval().requires_grad_(False)
    return found


def _mobile(profile: Profile) -> Networks:
    assert profile.encoder
    assert profile.hfgi
    generator, inverse = mobile_stylegan.Synthesis(), encoder.Encoder()
    generator.load_state_dict({k: v for name in profile.generator for k, v in weights.load_state(name).items()})
    inverse.load_state_dict(weights.load_state(profile.encoder))
    state = weights.load_state(profile.hfgi)
    alignment, consultation = hfgi.Alignment(), hfgi.Consultation()
    alignment.load_state_dict(_part(state, "alignment"))
    consultation.load_state_dict(_part(state, "consultation"))
    return Networks(generator, inverse, alignment, consultation)


def _published(profile: Profile) -> Networks:
    tensors = _tensors(profile)
    where = f"the weights of profile {profile.name}"
    missing = [part for part in ("encoder", "decoder") if not _part(tensors, part)]
    if missing:
        wanted = " or ".join(" with ".join(names) for names in profile.weights)
        raise WeightsError(f"{where} hold no {' and no '.join(missing)}; wanted is {wanted}")
    try:
        networks = published_networks(tensors, profile.rows)
    except (KeyError, IndexError, RuntimeError) as error:
        detail = " ".join(str(error).split())[:200]
        raise WeightsError(f"{where} are not in the published layout ({type(error).__name__}: {detail})") from None
    if networks.generator.num_layers != profile.layers:
        raise WeightsError(f"{where} are of {networks.generator.num_layers} layers, not {profile.layers}")
    if (heads := int(networks.encoder.get_buffer("mean").shape[0])) < profile.layers:
        raise WeightsError(f"{where} hold an encoder of {heads} layers for a generator of {profile.layers}")
    if networks.consultation is None:
        log.warning("%s hold no consultation encoder: detail comes from the source alone", where)
    return networks


def _tensors(profile: Profile) -> dict[str, Tensor]:
    """All tensors of a profile's files, by the names that they have in a whole published file."""
    if profile.checkpoint:
        return checkpoint_tensors(profile.checkpoint)
    first = profile.weights[0]
    names = next((names for names in profile.weights if all(map(is_installed, names))), first)
    try:
        return _merged([weights.load_state(name) for name in names])
    except WeightsError as error:
        raise WeightsError(f"profile {profile.name}: {error} (or name a file with --checkpoint)") from None


def checkpoint_tensors(files: Sequence[str]) -> dict[str, Tensor]:
    """All tensors of the user's files, by the names that they have in a whole published one.

    Raises:
        WeightsError: a file is missing, damaged, or holds something else.
    """
    return _merged([_flat(read_checkpoint(paths.expanded(path)), path) for path in files])


def _merged(files: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for file in files:
        alone = "input.input" in file  # a generator alone, whose names have no prefix
        tensors |= {f"decoder.{k}" if alone and k != "latent_avg" else k: v.float() for k, v in file.items()}
    return tensors


def _flat(loaded: object, path: str) -> dict[str, Tensor]:
    """The tensors of a checkpoint that was read: of a training's state, or of a generator's running average."""
    if not isinstance(loaded, dict):
        raise WeightsError(f"{path} holds a {type(loaded).__name__}, not tensors by their names")
    inner = loaded.get("state_dict") or loaded.get("g_ema") or loaded
    mean = {"latent_avg": loaded["latent_avg"]} if "latent_avg" in loaded else {}
    return {str(k): v for k, v in (inner | mean).items() if isinstance(v, Tensor)}


def published_networks(tensors: Mapping[str, Tensor], rows: tuple[int, int] = WHOLE) -> Networks:
    """Networks from the tensors of a published file, or of several: encoder and decoder, grid_align and residue.

    Raises:
        KeyError, RuntimeError: a tensor is missing, or has an odd shape.
    """
    parts = {name: _part(tensors, name) for name in PARTS}
    decoder = parts["decoder"]
    with torch.device("meta"):  # no memory and no chance: every tensor is in the file
        generator = stylegan2.Synthesis(stylegan2.channels_of(decoder))
        inverse = _heads(parts["encoder"], generator.num_layers)
        reader = e4e.E4eEncoder(rows=rows, **_widths(inverse))
        alignment, consultation = _released(parts["grid_align"], parts["residue"])
    generator.load_state_dict(stylegan2.converted(decoder), assign=True)
    # What the encoder says is relative to the generator's mean code, for all layers one or each its own.
    mean = tensors["latent_avg"].reshape(-1, stylegan2.W_DIM)[: reader.num_layers]
    mean = mean.expand(reader.num_layers, -1).clone()
    reader.load_state_dict(inverse | {"mean": mean}, assign=True)
    if alignment and consultation:
        alignment.load_state_dict(parts["grid_align"], assign=True)
        consultation.load_state_dict(parts["residue"], assign=True)
    return Networks(generator, reader, alignment, consultation, rows, heavy=True)


def _heads(encoder: Mapping[str, Tensor], layers: int) -> dict[str, Tensor]:
    """An encoder's tensors without the heads of layers that the generator does not have.

    e4e and HFGI let encoders of cars say 18 layers, as those of faces do, and cut their codes to the 16 that a
    generator of 512 px takes (`codes[:, :16]` in their inference); no head depends on those after it.
    """
    return {key: x for key, x in encoder.items() if not key.startswith("styles.") or int(key.split(".")[1]) < layers}


def _widths(state: Mapping[str, Tensor]) -> dict:
    """What the encoder of these tensors is made with."""
    groups = (0, 3, 7, 21)  # the first unit of each group of one width
    widths = [len(state["input_layer.0.weight"]), *(len(state[f"body.{i}.res_layer.1.weight"]) for i in groups)]
    return {
        "num_layers": len({key.split(".")[1] for key in state if key.startswith("styles.")}),
        "widths": widths,
        "hidden": len(state["styles.0.convs.0.weight"]),
        "squeeze": widths[-1] // len(state["body.23.res_layer.5.fc1.weight"]),
    }


def _released(
    align: Mapping[str, Tensor], residue: Mapping[str, Tensor]
) -> tuple[nn.Module | None, hfgi_released.Consultation | None]:
    if not align or not residue:
        return None, None
    heads = [len(residue[f"condition_scale3.{i}.weight"]) for i in (0, 2)]
    if "layers.0.0.weight" in align:  # trained here, with ADA as the paper's appendix has it
        return ada_appendix.Alignment(), hfgi_released.Consultation(channels=heads[1])
    ada = [len(align[f"conv_layer{i}.{unit}.weight"]) for i, unit in FIRST_UNITS]
    consult = [len(residue[f"conv_layer{i}.{unit}.weight"]) for i, unit in FIRST_UNITS[:3]]
    return hfgi_released.Alignment(ada), hfgi_released.Consultation(consult, *heads)


def _part(state: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key.removeprefix(f"{name}."): value for key, value in state.items() if key.startswith(f"{name}.")}


def load_generator(device: str | torch.device = "cpu") -> tuple[mobile_stylegan.Mapping, mobile_stylegan.Synthesis]:
    """The embedded generator, frozen, in eval mode, float32, channels last."""
    folder = paths.weights_dir()
    mapping, synthesis = mobile_stylegan.Mapping(), mobile_stylegan.Synthesis()
    load_weights(mapping, folder / "generator_mapping.safetensors")
    for part in ("low", "high", "head256"):
        path = folder / f"generator_{part}.safetensors"
        if path.exists() or part != "head256":  # the head is trained from here
            load_weights(synthesis, path, strict=False)
    synthesis = synthesis.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # twice as fast on a CPU
    return mapping.eval().requires_grad_(False).to(device), synthesis.eval().requires_grad_(False).to(device)


def load_encoder(path: Path, device: str | torch.device = "cpu") -> Encoder:
    """E0 with the weights of a file, frozen, in eval mode, float32, channels last."""
    encoder = Encoder()
    load_weights(encoder, path)
    encoder = encoder.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return encoder.to(device)
