"""Checkpoints as others publish them -> safetensors, once. A pickle may run code when it is loaded: these may not."""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from videdit.errors import WeightsError

if TYPE_CHECKING:
    from torch import Tensor

MAX_UNPACKED = 2 << 30  # bytes of an archive's members together
DIRECTION = "direction"  # what a tensor is called that lies in its file alone


def convert(source: Path, temporary: Path, take: tuple[str, ...], holds: Mapping[str, tuple[int, ...]]) -> None:
    """Write the tensors of a checkpoint as safetensors.

    take: the keys of the checkpoint that are kept; the first must be there. A dict of tensors among them gives its
    tensors under their own names, a tensor goes by its key, and one that is all of a file is called "direction".
    holds: tensors that must be among them, with their shapes.

    Raises:
        WeightsError: it is no checkpoint, not of tensors only, or not of that kind.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    tensors = _taken(source, read_checkpoint(source), take)
    for key, shape in holds.items():
        have = tuple(tensors[key].shape) if key in tensors else None
        if have != tuple(shape):
            found = f"it is {list(have)}" if have else "it is not there"
            raise WeightsError(f"{source} is not the file that is wanted: {key} should be {list(shape)}, and {found}")
    try:
        save_file(_apart(tensors), temporary)
    except SafetensorError as error:
        raise WeightsError(f"cannot write {temporary.parent}: {' '.join(str(error).split())}") from None


def read_checkpoint(path: Path) -> Any:
    """What torch.save or safetensors wrote: tensors in dicts, beside numbers and strings, on the CPU.

    Raises:
        WeightsError: the file is damaged, something else, or asks to run code.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if path.suffix.lower() == ".safetensors":
            return load_file(path)
        with warnings.catch_warnings(action="ignore"):  # of pickles newer than torch writes them
            mapped = zipfile.is_zipfile(path)  # a gigabyte need not be in memory twice; old files cannot be mapped
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped or None)
    except FileNotFoundError:
        raise WeightsError(f"there is no file {path}") from None
    except OSError as error:
        raise WeightsError(f"cannot read {path}: {error.strerror or error}") from None
    except SafetensorError as error:
        raise WeightsError(f"{path} is not a file of tensors ({' '.join(str(error).split())})") from None
    except Exception as error:  # pickle, zip and torch have many ways to refuse
        if asked := _asked_for(str(error)):
            raise WeightsError(
                f"{path} is refused: it holds more than tensors (it asks for {asked}), and could run its maker's code"
            ) from None
        detail = " ".join(str(error).split())[:120]
        raise WeightsError(f"{path} is damaged, or no file of tensors ({type(error).__name__}: {detail})") from None


def unpack(source: Path, folder: Path) -> list[Path]:
    """Unpack the .onnx files of a zip into a folder, without the folders that they lie in there -> their paths.

    Raises:
        WeightsError: it is no zip, damaged, too large, or without such files.
    """
    try:
        with zipfile.ZipFile(source) as archive:
            members = [info for info in archive.infolist() if info.filename.lower().endswith(".onnx")]
            names = [Path(info.filename.replace("\\", "/")).name for info in members]
            if not members or len(set(names)) < len(names):
                raise WeightsError(f"{source} is not the archive that is wanted: it holds {len(members)} .onnx files")
            if sum(info.file_size for info in members) > MAX_UNPACKED:
                raise WeightsError(f"{source} would unpack to more than {MAX_UNPACKED >> 30} GiB")
            for info, name in zip(members, names, strict=True):
                with archive.open(info) as packed, (folder / name).open("wb") as file:
                    while chunk := packed.read(1 << 20):
                        file.write(chunk)
    except FileNotFoundError:
        raise WeightsError(f"there is no file {source}") from None
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise WeightsError(f"{source} is not a zip that can be read ({' '.join(str(error).split())})") from None
    return [folder / name for name in names]


def _taken(source: Path, loaded: Any, take: tuple[str, ...]) -> dict[str, Tensor]:
    import torch

    if isinstance(loaded, torch.Tensor):
        loaded = {DIRECTION: loaded}
    if not isinstance(loaded, dict):
        raise WeightsError(f"{source} holds a {type(loaded).__name__}, not tensors by their names")
    if source.suffix.lower() == ".safetensors":
        return loaded  # flat already: taken as it is
    if take[0] not in loaded:
        has = ", ".join(map(str, list(loaded)[:8]))
        raise WeightsError(f"{source} is not the file that is wanted: it has no {take[0]!r}, but {has}")
    tensors: dict[str, Any] = {}
    for key in take:
        value = loaded.get(key)
        tensors |= {str(k): v for k, v in value.items()} if isinstance(value, dict) else {key: value}
    return {key: value for key, value in tensors.items() if isinstance(value, torch.Tensor)}


def _apart(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors, copied where one is a view or shares its memory, which safetensors refuses."""
    import torch

    seen: set[int] = set()
    apart = {}
    for key, tensor in tensors.items():
        storage = tensor.untyped_storage()
        whole = storage.nbytes() == tensor.nbytes and tensor.is_contiguous() and storage.data_ptr() not in seen
        apart[key] = tensor.detach() if whole else tensor.detach().clone(memory_format=torch.contiguous_format)
        seen.add(storage.data_ptr())
    return apart


def _asked_for(words: str) -> str | None:
    """The class or function for which torch refuses a pickle."""
    match = re.search(r"GLOBAL ([\w.]+)", words) or re.search(r"(?:function|class|type) ([\w.]+\.\w+)", words)
    return match[1] if match else ("what no tensor needs" if "weights_only" in words else None)
