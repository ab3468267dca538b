"""What a file is, by its content: under any name."""

from __future__ import annotations

import os
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from synthetic import background
from synthetic_clips import Clip, make

from videdit.errors import MediaError, UsageError
from videdit.jobs.plan import make_plan
from videdit.jobs.render_job import RenderJob
from videdit.media.kinds import kind_of, pages
from videdit.media.probe import probe
from videdit.stages.decode import Decode

PICTURES = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "TIFF": ".tif", "BMP": ".bmp"}
PICTURES |= {"GIF": ".gif", "PPM": ".pnm"}
FILMS = {
    "mp4": ("libx264", ".mp4"), "mov": ("libx264", ".mov"), "matroska": ("libx264", ".mkv"),
    "webm": ("libvpx-vp9", ".webm"), "avi": ("mpeg4", ".avi"), "mpegts": ("libx264", ".ts"),
    "mpeg": ("mpeg2video", ".mpg"), "flv": ("libx264", ".flv"), "asf": ("mpeg4", ".asf"), "nut": ("mpeg4", ".nut"),
    "yuv4mpegpipe": ("rawvideo", ".y4m"), "ivf": ("libvpx-vp9", ".ivf"), "h264": ("libx264", ".h264"),
    "hevc": ("libx265", ".h265"), "mpeg2video": ("mpeg2video", ".m2v"), "mxf": ("mpeg2video", ".mxf"),
    "3gp": ("libx264", ".mp4"), "gif": ("gif", ".gif"), "apng": ("apng", ".apng"), "ogg": ("libtheora", ".ogv"),
}  # fmt: skip


def picture(path: Path, form: str, count: int = 1) -> Path:
    pictures = [Image.fromarray(np.roll(background(64, 48), 5 * i, 1)) for i in range(count)]
    more = {"save_all": True, "append_images": pictures[1:]} if count > 1 else {}
    pictures[0].save(path, form, **more)
    return path


def film(path: Path, form: str, codec: str) -> Path:
    if codec not in av.codecs_available:
        pytest.skip(f"this FFmpeg has no {codec}")
    with av.open(str(path), "w", format=form) as out:
        stream = out.add_stream(codec, rate=25)
        stream.width, stream.height = 352, 288
        formats = [f.name for f in stream.codec_context.codec.video_formats or ()]
        stream.pix_fmt = "yuv420p" if not formats or "yuv420p" in formats else formats[0]
        for i in range(3):
            frame = av.VideoFrame.from_ndarray(np.roll(background(352, 288), 9 * i, 1), "rgb24")
            out.mux(stream.encode(frame.reformat(format=stream.pix_fmt)))
        out.mux(stream.encode(None))
    return path


def output_of(path: Path, **words) -> str:
    (clip,) = make_plan([RenderJob.model_validate({"input": str(path), "edit": "smile"} | words)]).clips
    return clip.output.name


@pytest.mark.parametrize("form", PICTURES)
@pytest.mark.parametrize("name", ["photo", "photo.jfif", "photo.mp4", "photo.png", "photo.xyz"])
def test_pictures(tmp_path: Path, form: str, name: str) -> None:
    path = picture(tmp_path / name, form)
    kind = kind_of(path)
    assert kind is not None
    assert (kind.form, kind.suffix) == ("image", PICTURES[form])
    assert probe(path).kind == "image"
    written = {".gif": ".png", ".pnm": ".png"}.get(PICTURES[form], PICTURES[form])
    assert output_of(path) == f"photo_smile{written}"
    assert output_of(path, output=str(tmp_path / "x.jpg")) == "x.jpg"
    with pytest.raises(UsageError, match="cannot write a picture"):
        output_of(path, output=str(tmp_path / "x.mkv"))


@pytest.mark.parametrize("form", FILMS)
@pytest.mark.parametrize("name", ["film", "film.jpg", "film.xyz"])
def test_films(tmp_path: Path, form: str, name: str) -> None:
    codec, suffix = FILMS[form]
    path = film(tmp_path / name, form, codec)
    kind = kind_of(path)
    assert kind is not None
    assert (kind.form, kind.suffix) == ("video", suffix)
    assert probe(path).kind == "video"
    written = suffix if suffix in (".mp4", ".mov", ".mkv", ".webm") else ".mkv"
    assert output_of(path) == f"film_smile{written}"
    assert output_of(path, output=str(tmp_path / "x.mp4")) == "x.mp4"


def test_right_names_stay_as_they_are(tmp_path: Path) -> None:
    for name, form in (("a.JPEG", "JPEG"), ("b.TIFF", "TIFF"), ("c.Png", "PNG")):
        picture(tmp_path / name, form)
        assert output_of(tmp_path / name) == f"{name[0]}_smile{name[1:]}"
    for name, form in (("d.m4v", "mp4"), ("e.MOV", "mov"), ("f.mp4", "mov"), ("g.mkv", "matroska")):
        film(tmp_path / name, form, "libx264")
        assert output_of(tmp_path / name) == f"{name[0]}_smile{name[1:]}"


def test_an_animated_png_is_a_film(tmp_path: Path) -> None:
    path = picture(tmp_path / "anim.png", "PNG", 3)
    info = probe(path)
    assert (info.kind, info.container) == ("video", "apng")
    assert output_of(path) == "anim_smile.mkv"
    with pytest.raises(UsageError, match=r"anim.png holds a video: apng"):
        output_of(path, output=str(tmp_path / "x.png"))


def test_what_is_not_read_is_named(tmp_path: Path) -> None:
    path = picture(tmp_path / "anim.webp", "WEBP", 3)
    with pytest.raises(MediaError, match="animated WebP"):
        probe(path)
    (tmp_path / "x.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))
    with pytest.raises(MediaError, match="HEIF"):
        probe(tmp_path / "x.heic")
    with pytest.raises(MediaError, match="camera's raw file"):
        probe(picture(tmp_path / "x.nef", "TIFF"))


@pytest.mark.parametrize("form, suffix", [("TIFF", ".tif"), ("MPO", ".jpg")])
@pytest.mark.parametrize("count", [1, 3])
def test_more_than_one_picture_is_said(tmp_path: Path, form: str, suffix: str, count: int) -> None:
    path = picture(tmp_path / f"pages{suffix}", form, count)
    assert pages(path) == count
    decode = Decode(probe(path))
    assert len(list(decode(iter(())))) == 1
    assert bool(decode.warnings) == (count > 1)
    assert count == 1 or f"holds {count} pictures; only the first" in decode.warnings[0]


def test_damaged_heads_pass(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    whole = {form: picture(tmp_path / f"x{i}", form, 1).read_bytes() for i, form in enumerate(PICTURES)}
    for data in whole.values():
        for length in (0, 1, 3, 12, 20, 40):
            (tmp_path / "cut").write_bytes(data[:length])
            kind_of(tmp_path / "cut")
            pages(tmp_path / "cut")
        broken = bytearray(data)
        for at in rng.integers(4, len(data), 30):
            broken[at] = rng.integers(256)
        (tmp_path / "cut").write_bytes(broken)
        kind_of(tmp_path / "cut")
        pages(tmp_path / "cut")
    os.mkfifo(tmp_path / "pipe")
    assert kind_of(tmp_path / "pipe") is None


def test_a_folder_is_asked_for_its_content(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    film(folder / "a.y4m", "yuv4mpegpipe", "rawvideo")
    film(folder / "b", "h264", "libx264")
    film(folder / "c.3g2", "3gp", "libx264")
    picture(folder / "d.jfif", "JPEG")
    picture(folder / "e.png", "PNG", 2)
    picture(folder / "f.webp", "WEBP", 2)
    make(folder / "g.mp4", Clip())
    (folder / "g.mp4.json").write_text("{}")
    (folder / "notes.txt").write_text("hello")
    (folder / "song.mp3").write_bytes(b"ID3" + bytes(100))
    plan = make_plan(
        [RenderJob.model_validate({"input": str(folder), "output": str(tmp_path / "out"), "edit": "smile"})]
    )
    assert [clip.source.name for clip in plan.clips] == ["a.y4m", "b", "c.3g2", "d.jfif", "e.png", "g.mp4"]
    assert plan.left_out is not None
    assert "2 files are no video or picture: notes.txt, song.mp3" in plan.left_out
    assert "animated WebP" in plan.left_out


def test_sound_is_not_called_a_video(tmp_path: Path) -> None:
    """Wherever it should go."""
    (tmp_path / "a.wav").write_bytes(b"RIFF\x24\0\0\0WAVEfmt " + bytes(64))
    for name in ("o.wav", "o.mp3"):
        job = RenderJob(input=str(tmp_path / "a.wav"), edit="smile", output=str(tmp_path / name))
        with pytest.raises(MediaError, match="a.wav is sound without a picture"):
            make_plan([job])
