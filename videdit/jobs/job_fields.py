"""The fields of a job: their types, their defaults, and what is said of them on the command line and in schemas."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from videdit.jobs.field_types import (
    DETECTOR_PATTERN,
    DEVICE_PATTERN,
    LAYOUT_PATTERN,
    RESTORE_PATTERN,
    STRING,
    STRINGS,
    TRACK_PATTERN,
    Batch,
    Box,
    Bytes,
    EditWords,
    Faces,
    Inputs,
    Option,
    PerFace,
    Rate,
    Scenes,
    Seconds,
    parse_detector,
    parse_inputs,
    parse_layout,
    parse_number,
    parse_restore,
    parse_track,
    schema,
)


class JobFields(BaseModel):
    """What a user can say about one render; :class:`videdit.jobs.render_job.RenderJob` checks what belongs together."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: Annotated[Inputs, Option("what", "INPUT", positional=True)] = Field(
        min_length=1,
        description="Videos, pictures, folders, globs or shot_%04d.png (in a job file: relative to that file).",
    )
    edit: Annotated[EditWords, Option("what", "EDITS", short="-e", repeated=True)] = Field(
        min_length=1,
        description="What to change: smile, or smile=1.5,age=-10; over time smile=0@0s,2@1.5s; repeatable.",
    )
    output: Annotated[str | None, Option("output", "OUT", short="-o")] = Field(
        None,
        description="A file, a folder, or a template with {stem}, {edit}, {strength} and {ext}; default: beside the "
        "input.",
    )
    profile: Annotated[str, Option("how", "NAME")] = Field(
        "mobile",
        pattern=r"^[\w-]+$",
        description="Model profile: mobile (ships), hfgi-ffhq, hfgi-car, or another of configs/profiles.",
    )
    method: Annotated[Literal["auto", "student", "hfgi", "plain"], Option("how", "NAME")] = Field(
        "auto",
        description="How faces are edited: student (one small network), hfgi (inversion, edit and consultation by the "
        "generator), plain (exactly what HFGI's release computes, frame by frame), or auto (what looks best for these "
        "edits).",
    )
    checkpoint: Annotated[
        tuple[str, ...], BeforeValidator(parse_inputs), schema(STRING, STRINGS), Option("how", "FILE", repeated=True)
    ] = Field(
        (), description="File of a network of profile hfgi-ffhq or hfgi-car, repeatable; default: the installed ones."
    )
    box: Annotated[Box, Option("how", "X,Y,W,H")] = Field(
        None, description="With profile hfgi-car: x,y,width,height of the car in pixels; default: all of the picture."
    )
    faces: Annotated[Faces, Option("what", "WHICH")] = Field(
        "largest",
        description="Faces to edit: largest, left (leftmost), all, numbers as `videdit faces` shows (0 or `0,2`), "
        "or the file of a picture of the person.",
    )
    per_face: PerFace = Field(
        {}, description="Edits of their own for some faces, whom `faces` need not mean: {left: smile, 2: age=-10}."
    )
    tune: Annotated[int, Option("how", "STEPS")] = Field(
        0,
        ge=0,
        le=2000,
        description="First tune the generator to each clip, in so many steps, up to 2000; takes minutes (default: 0).",
    )
    size: Annotated[Literal["auto", 256, 512, 1024], BeforeValidator(parse_number), Option("how", "PX")] = Field(
        "auto",
        description="Size of the face crop: 256, 512 or 1024 pixels, or auto (by the size of the face in the picture).",
    )
    quality: Annotated[Literal["draft", "standard", "best"], Option("how", "KIND")] = Field(
        "standard",
        description="With method hfgi: in which frames the networks see a face. best: in every one; standard: at least "
        "eight times a second, and whenever a face changes; draft: half as often. Between, changes move with the face.",
    )
    consultation: Annotated[Literal["auto", "always", "never"], Option("how", "KIND")] = Field(
        "auto",
        description="With method hfgi: whether the generator is told what the code of a face has lost (consultation). "
        "never is twice as fast; auto: where edits look better for it (all but smile, mouth_open and beard).",
    )
    prealign: Annotated[Literal["auto", "landmarks", "flow", "none"], Option("how", "KIND")] = Field(
        "auto",
        description="What carries detail along when a head is turned: landmarks, flow, none, or auto (landmarks for "
        "large turns).",
    )
    detector: Annotated[str, BeforeValidator(parse_detector), Option("how", "KIND")] = Field(
        "mtcnn",
        json_schema_extra={"pattern": DETECTOR_PATTERN},
        description="Face detector: mtcnn (ships), insightface (its pack buffalo_l) or insightface:PACK.",
    )
    restore: Annotated[str, BeforeValidator(parse_restore), Option("how", "KIND")] = Field(
        "auto",
        json_schema_extra={"pattern": RESTORE_PATTERN},
        description="Face restoration before the edit: none, small (ships), gfpgan or realesrgan (a file of yours: "
        "gfpgan:FILE), or auto (small and soft faces only, by gfpgan if it is installed, else by small).",
    )
    restore_strength: Annotated[float, Option("how", "0..1")] = Field(
        1.0, ge=0, le=1, description="How much of the restoration is used: 0 is none, 1 all of it."
    )

    smooth_codes: float = Field(0.07, ge=0, le=0.3, description="Seconds (Gaussian) over which codes are smoothed.")
    smooth_fine: float = Field(0.0, ge=0, le=0.3, description="The same for their fine layers, where it is more.")

    fps: Annotated[Rate, Option("what", "RATE")] = Field(
        None, description="Frames per second of numbered pictures, e.g. 24 or 24000/1001; default: 25."
    )
    video_track: Annotated[str | None, BeforeValidator(parse_track), Option("what", "N|LANG")] = Field(
        None,
        json_schema_extra={"pattern": TRACK_PATTERN},
        description="Video track, where a file has several: number from 1, or language (eng); default: the first.",
    )
    start: Annotated[Seconds, Option("what", "TIME")] = Field(
        None, description="Begin at this time: seconds or h:mm:ss; default: the beginning of the clip."
    )
    end: Annotated[Seconds, Option("what", "TIME")] = Field(
        None, description="Stop before this time: seconds or h:mm:ss; default: the end of the clip."
    )
    scenes: Annotated[Scenes, Option("what", "LIST", repeated=True)] = Field(
        (), description="Edit only these shots, counted from 1: 1-3,5 (--dry-run lists them); default: all."
    )

    codec: Annotated[str | None, Option("output", "NAME")] = Field(
        None,
        description="Video codec: h264, hevc, av1, vp9, prores, ffv1, or an encoder such as hevc_nvenc; default: that "
        "of the source.",
    )
    encoder_backend: Annotated[Literal["pyav", "ffmpeg"], Option("output", "NAME")] = Field(
        "pyav", description="Where encoders come from: pyav (built in) or ffmpeg (an ffmpeg program on this machine)."
    )
    crf: Annotated[float | None, Option("output", "N")] = Field(
        None,
        ge=0,
        le=63,
        description="Encoder quality, 0 to 63: lower is better and larger; default: visually lossless (h264: 16).",
    )
    preset: Annotated[str | None, Option("output", "NAME")] = Field(
        None,
        description="Speed preset in the encoder's own words, e.g. slow; default: fast for h264, medium for hevc, or "
        "the encoder's nearest.",
    )
    lossless: Annotated[bool, Option("output")] = Field(
        False, description="Encode without loss; files become many times larger."
    )
    pix_fmt: Annotated[str | None, BeforeValidator(parse_layout), Option("output", "NAME")] = Field(
        None,
        json_schema_extra={"pattern": LAYOUT_PATTERN},
        description="Pixel format of the output, e.g. yuv420p; default: the source's, or what players need.",
    )
    transcode: Annotated[bool, Option("output")] = Field(
        False,
        description="Re-encode sound and subtitles that the container cannot hold; default: left out with a warning.",
    )

    device: Annotated[str, Option("how", "NAME")] = Field(
        "auto", pattern=DEVICE_PATTERN, description="Where the networks run: auto, cpu, cuda or cuda:N."
    )
    precision: Annotated[Literal["auto", "fp32", "bf16"], Option("how", "KIND")] = Field(
        "auto", description="Number format of the networks: fp32, bf16 or auto (bf16 where it is fast)."
    )
    batch: Annotated[Batch, Option("how", "N")] = Field(
        None, ge=1, le=256, description="Face crops per network pass; default: auto, chosen for the device."
    )
    decoder: Annotated[str, Option("how", "NAME")] = Field(
        "cpu",
        pattern=r"^[a-z0-9]{2,16}$",
        description="Where video is decoded: cpu, auto, cuda, vaapi, videotoolbox or qsv.",
    )
    memory: Annotated[Bytes, Option("how", "SIZE")] = Field(
        None,
        ge=1 << 20,
        description="Most memory for frames on their way through, e.g. 500M or 1G; default: by the device.",
    )

    cache: Annotated[bool, Option("how")] = Field(
        True, description="Keep what is found in a clip, so that its next edit begins at once (default: on)."
    )
    analysis: Annotated[str | None, Option("how", "DIR")] = Field(
        None, description="Folder of what --cache keeps; default: the user's cache."
    )
    overwrite: Annotated[bool, Option("output")] = Field(
        False, description="Replace outputs that exist; default: they are refused."
    )
    resume: Annotated[bool, Option("output")] = Field(
        True, description="Keep finished parts of long clips, and go on from them after a crash (default: on)."
    )
    keep_unedited: Annotated[bool, Option("output")] = Field(
        False, description="Also write clips in which no face was found, unedited."
    )
    alpha_out: Annotated[str | None, Option("output", "OUT")] = Field(
        None, description="Also write the matte of the edit, white where it changed the picture: a file or a folder."
    )
    crops_out: Annotated[str | None, Option("output", "DIR")] = Field(
        None, description="With method plain: also write each crop and its whole result, as PNG, into this folder."
    )
    compare: Annotated[Literal["side", "wipe"] | None, Option("output", "KIND", bare="side")] = Field(
        None,
        description="Also write OUT_compare, source and edit: side (side by side, also without KIND) or wipe (moving).",
    )
    debug_video: Annotated[bool, Option("output")] = Field(
        False, description="Also write OUT_debug: the clip with tracks, landmarks, masks and confidence drawn in."
    )
    mark: Annotated[str | None, Option("output", "WORDS")] = Field(
        None,
        pattern=r"^[ -~]{1,60}$",
        description='Words (ASCII) drawn into the lower right corner of every frame, e.g. "AI-edited".',
    )
    sign: Annotated[str | None, Option("output", "CERTS")] = Field(
        None, description="Sign the output with content credentials (C2PA): PEM file of your certificates."
    )
    sign_key: Annotated[str | None, Option("output", "KEY")] = Field(
        None, description="PEM file of the private key of the first certificate of --sign."
    )
    sidecar: Annotated[bool, Option("output")] = Field(
        False, description="Also write OUT.json, which says what was done to the clip."
    )
