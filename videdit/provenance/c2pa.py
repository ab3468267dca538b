"""Content credentials (C2PA): a signed manifest in the output that says what it was made of, with what, and how.

Needs the extra ``pip install videdit[c2pa]`` and a certificate of the user's. Nothing goes over the network.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Protocol

from videdit import paths, weights
from videdit._version import __version__
from videdit.errors import MediaError, UsageError
from videdit.media.image_sequence import is_sequence
from videdit.media.kinds import kind_of
from videdit.media.stills.xmp import SOURCE_TYPE
from videdit.shutdown import half_written
from videdit.storage import hashes

FORMATS = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
}
_SOURCES = FORMATS | {".avi": "video/avi"}
_INGREDIENT = "source"
_OFFLINE = {"verify": {"remote_manifest_fetch": False, "ocsp_fetch": False}}
_ALGORITHMS = ("ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "ED25519")


class Signed(Protocol):
    """What of a job is signed, and with what: a RenderJob is one."""

    @property
    def edit(self) -> str:
        """The edits, as the user wrote them."""

    @property
    def profile(self) -> str:
        """The name of the networks' profile."""

    @property
    def sign(self) -> str | None:
        """A file of PEM certificates, the signer's first; None: nothing is signed."""

    @property
    def sign_key(self) -> str | None:
        """The PEM file of its private key; None with `sign`."""


def check(job: Signed, output: Path) -> None:
    """Refuse a job whose output cannot be signed as it asks, before any time is spent; one that does not ask passes.

    Raises:
        UsageError: the extra is not installed, the container holds no manifest, or certificate and key do not fit.
    """
    if job.sign is None:
        return
    if output.suffix.lower() not in FORMATS:
        raise UsageError(f"{output.suffix} files hold no C2PA manifest: write to .mp4 or .mov, or leave out --sign")
    _signer(job)


def sign(job: Signed, source: Path, output: Path, unfinished: Path) -> None:
    """Put a signed manifest into the file that is to become `output`, made of `source`.

    Raises:
        MediaError: it cannot be signed.
    """
    import c2pa

    signed = unfinished.with_name(f"{unfinished.stem}-signed{unfinished.suffix}")
    half_written(signed)
    try:
        builder = _builder(manifest(job, source, output))
        if kind := _readable(source):
            ingredient = {"title": source.name, "relationship": "parentOf", "label": _INGREDIENT}
            with source.open("rb") as file:
                builder.add_ingredient(ingredient, kind, file)
        with unfinished.open("rb") as before, signed.open("w+b") as after:
            builder.sign(_signer(job), FORMATS[output.suffix.lower()], before, after)
        os.replace(signed, unfinished)
    except (c2pa.C2paError, OSError) as error:
        raise MediaError(f"{output} could not be signed: {' '.join(str(error).split())}") from None
    finally:
        signed.unlink(missing_ok=True)


def manifest(job: Signed, source: Path, output: Path) -> dict[str, Any]:
    """What the manifest says: opened (with the source as ingredient, where C2PA can read it), then edited, and how."""
    tool = {"name": "videdit", "version": __version__}
    first: dict[str, Any] = {"action": "c2pa.opened", "parameters": {"ingredientIds": [_INGREDIENT]}}
    if not _readable(source):  # its origin cannot be vouched for: the file begins here, made of footage
        first = {"action": "c2pa.created", "digitalSourceType": SOURCE_TYPE, "description": f"from {source.name}"}
    edited = {
        "action": "c2pa.edited",
        "softwareAgent": tool,
        "digitalSourceType": SOURCE_TYPE,
        "parameters": {
            "edits": job.edit,
            "profile": job.profile,
            "weights": hashes.sha256(paths.weights_dir() / weights.MANIFEST),
        },
    }
    return {
        "claim_generator_info": [tool],
        "title": output.name,
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [first, edited]}}],
    }


def _builder(what: dict[str, Any]) -> Any:
    """What writes a manifest; a source may say where on the network its own manifest lies, and nobody asks there."""
    import c2pa

    if hasattr(c2pa, "Context"):
        return c2pa.Builder(what, c2pa.Context(c2pa.Settings.from_dict(_OFFLINE)))
    c2pa.load_settings(_OFFLINE)  # of this thread, in versions before 0.31
    return c2pa.Builder(what)


def _readable(source: Path) -> str | None:
    """The kind of a source that C2PA can look into."""
    if is_sequence(source):
        return None
    kind = kind_of(source)
    return _SOURCES.get(source.suffix.lower() if kind is None or kind.fits(source.suffix) else kind.suffix)


def _signer(job: Signed) -> Any:
    try:
        import c2pa
    except ImportError:
        raise UsageError("--sign needs the extra: pip install videdit[c2pa]") from None
    words = {}
    for name, path in (("--sign", job.sign), ("--sign-key", job.sign_key)):
        try:
            words[name] = paths.expanded(path or "").read_bytes()
        except OSError as error:
            raise UsageError(f"{name} {path} cannot be read: {error.strerror}") from None
    reason = ""
    for algorithm in _ALGORITHMS:  # the key knows which it is for, but only the signer can read it
        kind = getattr(c2pa.C2paSigningAlg, algorithm)
        try:
            return c2pa.Signer.from_info(c2pa.C2paSignerInfo(kind, words["--sign"], words["--sign-key"], None))
        except c2pa.C2paError as error:
            reason = reason or " ".join(str(error).split())
    raise UsageError(f"certificate {job.sign} and key {job.sign_key} cannot sign: {reason}")
