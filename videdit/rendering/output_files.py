"""The files that a render writes: its output, and those beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from videdit.jobs.plan import Clip
from videdit.jobs.render_job import RenderJob
from videdit.jobs.segment_store import Segments
from videdit.media.encode.codecs import EncodeSettings
from videdit.media.info import MediaInfo
from videdit.provenance import c2pa
from videdit.provenance import tags as provenance
from videdit.stages.auxiliary_output import AuxiliaryOutput, BesideOutput
from videdit.stages.compare import doubled
from videdit.stages.debug_overlay import drawable
from videdit.stages.encode import Encode
from videdit.stages.matte import matte_file
from videdit.stages.plain_hfgi import CropFolder


@dataclass(frozen=True)
class OutputFiles:
    """Those beside the output. They take their names together, when the output has its own."""

    crops: CropFolder | None = None
    compare: AuxiliaryOutput | None = None
    debug: AuxiliaryOutput | None = None
    matte: AuxiliaryOutput | None = None

    def __iter__(self) -> Iterator[BesideOutput]:
        """Those that the job asks for, the matte last."""
        return iter(filter(None, (self.crops, self.compare, self.debug, self.matte)))

    @property
    def names(self) -> frozenset[str]:
        """Of those that there are."""
        return frozenset(name for name, file in vars(self).items() if file is not None)

    def join(self) -> None:
        """Put their segments together. Raises MediaError: the disk is full, ..."""
        for file in self:
            file.join()

    def keep(self) -> None:
        """Give them their names, or leave none of them. Raises MediaError: one cannot be written."""
        try:
            for file in self:
                file.keep()
        except BaseException:
            self.drop()
            raise

    def drop(self) -> None:
        """Leave nothing behind."""
        for file in self:
            file.drop()


def output_files(clip: Clip, info: MediaInfo, work: Segments | None = None) -> OutputFiles:
    """The files beside a clip's output. work: where the segments are kept of a clip that is split."""
    job = clip.job
    span: dict[str, Any] = {"start": job.start, "end": job.end, "work": work, "replace": clip.replace}
    tags = provenance.tags(job)
    compare = debug = None
    if clip.compare and job.compare:
        shape = doubled(info) if job.compare == "side" else info
        compare = AuxiliaryOutput("compare", clip.compare, shape, encoding(job), metadata=tags, **span)
    if clip.debug:
        debug = AuxiliaryOutput("debug", clip.debug, drawable(info), metadata=tags, **span)
    matte = matte_file(clip.alpha, info, **span) if clip.alpha else None
    return OutputFiles(CropFolder(clip.crops, clip.replace) if clip.crops else None, compare, debug, matte)


def encoder(clip: Clip, info: MediaInfo, edited: bool, approve: Callable[[], None]) -> Encode:
    """The last stage as the job wants it. edited: the file is tagged and signed as such."""
    job = clip.job
    return Encode(
        clip.output,
        info,
        encoding(job),
        start=job.start,
        end=job.end,
        metadata=provenance.tags(job) if edited else {},
        approve=approve,
        seal=_sealed(clip) if edited else None,
        replace=clip.replace,
    )


def encoding(job: RenderJob) -> EncodeSettings:
    """How the job wants clips encoded."""
    return EncodeSettings(
        job.codec,
        job.crf,
        job.preset,
        job.lossless,
        backend=job.encoder_backend,
        pix_fmt=job.pix_fmt,
        transcode=job.transcode,
    )


def _sealed(clip: Clip) -> Callable[[Path], None] | None:
    """What is done to the finished file before it takes its name."""
    if clip.job.sign is None:
        return None
    return lambda unfinished: c2pa.sign(clip.job, clip.source, clip.output, unfinished)
