"""One identity of a source: what lies at a path, by stat where that is enough, by its bytes wherever it lies."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

import videdit
from videdit.errors import MediaError
from videdit.media import source_identity
from videdit.media.source_identity import SourceIdentity, content_hash


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"some frames")
    return path


def numbered(folder: Path, count: int = 3) -> Path:
    for i in range(count):
        (folder / f"shot_{i:04}.png").write_bytes(b"picture %d" % i)
    return folder / "shot_%04d.png"


def test_the_same_file_is_the_same_by_any_path(clip, tmp_path):
    (tmp_path / "link.mp4").symlink_to(clip)
    here = SourceIdentity.of(clip)
    assert here == SourceIdentity.of(tmp_path / "link.mp4") == SourceIdentity.of(tmp_path / "." / "clip.mp4")
    assert len({here, SourceIdentity.of(tmp_path / "link.mp4")}) == 1


@pytest.mark.parametrize("how", ["longer", "later", "earlier"])
def test_what_was_written_anew_is_another(clip, how):
    before = SourceIdentity.of(clip)
    state = clip.stat()
    if how == "longer":
        clip.write_bytes(b"some more frames")
        os.utime(clip, ns=(state.st_atime_ns, state.st_mtime_ns))
    else:
        step = 1 if how == "later" else -1
        os.utime(clip, ns=(state.st_atime_ns, state.st_mtime_ns + step))
    assert SourceIdentity.of(clip) != before


def test_any_picture_of_a_sequence_counts(tmp_path):
    pattern = numbered(tmp_path)
    before = SourceIdentity.of(pattern)
    assert before == SourceIdentity.of(pattern)
    assert before.size == sum(len(b"picture %d" % i) for i in range(3))
    newest = (tmp_path / "shot_0002.png").stat().st_mtime_ns + 10**9
    os.utime(tmp_path / "shot_0002.png", ns=(newest, newest))
    os.utime(tmp_path / "shot_0000.png", ns=(newest, newest))
    now = SourceIdentity.of(pattern)
    assert now != before
    assert now.modified == newest
    # A middle picture that is older than the newest one, and of the same size as before, is another sequence too.
    os.utime(tmp_path / "shot_0001.png", ns=(1, 1))
    assert SourceIdentity.of(pattern) != now
    assert (SourceIdentity.of(pattern).size, SourceIdentity.of(pattern).modified) == (now.size, now.modified)


def test_a_copy_has_the_same_content_and_another_identity(clip, tmp_path):
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(clip.read_bytes())
    one, other = SourceIdentity.of(clip), SourceIdentity.of(copy)
    assert one != other
    assert one.content() == other.content() == content_hash(clip) == hashlib.sha256(b"some frames").hexdigest()


def test_all_bytes_are_looked_at_once_as_long_as_nobody_writes(clip, monkeypatch):
    looked: list[Path] = []
    monkeypatch.setattr(source_identity, "sha256", lambda path: looked.append(path) or str(len(looked)))
    os.utime(clip, ns=(10**18, 10**18))
    assert SourceIdentity.of(clip).content() == SourceIdentity.of(clip).content() == "1"
    assert SourceIdentity.of(clip).content(fresh=True) == "2"
    clip.write_bytes(b"other frames")
    assert SourceIdentity.of(clip).content() == "3"
    # A file that was written right now may be written again at the same time, as its file system tells times.
    assert SourceIdentity.of(clip).content() == "4"


def test_what_is_not_there_is_said_in_one_line(tmp_path):
    for path in (tmp_path / "no.mp4", tmp_path / "no" / "shot_%04d.png", tmp_path / "shot_%04d.png"):
        assert SourceIdentity.known(path) is None
        with pytest.raises(MediaError, match="cannot read|no file is named like") as said:
            SourceIdentity.of(path)
        assert "\n" not in str(said.value)


def test_nobody_else_asks_when_a_source_was_written():
    """Times of change are asked for here, and of files that are no sources: directions, weights, our own."""
    own = {"media/source_identity.py", "media/encode/target.py", "edits/direction_files.py", "edits/pca_components.py"}
    own |= {"edits/published_edits.py", "weights/published.py", "weights/install.py", "tracks/analysis_cache.py"}
    own |= {"edits/catalogue.py", "weights/shipped.py"}
    own |= {"farm/admin.py", "farm/staging.py", "studio/clips.py"}  # logs and leftovers by their age; lists for people
    top = Path(videdit.__file__).parent
    assert {file.relative_to(top).as_posix() for file in top.rglob("*.py") if "st_mtime" in file.read_text()} == own
