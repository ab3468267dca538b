"""A source that is written to, replaced or deleted while it is rendered."""

from __future__ import annotations

import os
import shutil

import pytest

from videdit.errors import MediaError


def rendered(render, source, output, phase, act, **words):
    """Render, and do something to the source in the middle of a phase."""
    said = []

    def tell(moment):
        said.append(moment.phase)
        if said.count(phase) == (2 if phase == "look" else 1):  # the first word of the look comes before it begins
            act()

    job = {"input": str(source), "output": str(output), "edit": "smile"} | words
    return render.session.render(job, progress=tell)


def grown(source):
    with source.open("ab") as file:
        file.write(bytes(1000))


def replaced(source):
    other = source.with_name("other.mp4")
    shutil.copy(source, other)
    os.utime(other, (1e9, 1e9))
    other.replace(source)


@pytest.mark.parametrize("phase", ["look", "render"])
@pytest.mark.parametrize("act", [grown, replaced])
def test_nothing_is_written_of_a_source_that_became_another(render, face_clip, tmp_path, phase, act):
    source = tmp_path / "in.mp4"
    shutil.copy(face_clip, source)
    folder = tmp_path / "known"
    words = {"analysis": str(folder)}
    with pytest.raises(MediaError, match=r"in\.mp4 was changed while it was rendered"):
        rendered(render, source, tmp_path / "out.mp4", phase, lambda: act(source), alpha_out=str(tmp_path), **words)
    assert not [path.name for path in tmp_path.iterdir() if "out" in path.name]
    if phase == "look":  # what was seen is of neither
        assert list(folder.iterdir()) == []


def test_a_source_that_is_deleted_while_it_is_read_is_read_to_its_end(render, face_clip, tmp_path):
    source = tmp_path / "in.mp4"
    shutil.copy(face_clip, source)
    result = rendered(render, source, tmp_path / "out.mp4", "render", source.unlink)
    assert result.frames
    assert (tmp_path / "out.mp4").is_file()
