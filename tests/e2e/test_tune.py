"""--tune: the generator is tuned to the clip first, and what was tuned is used again."""

from __future__ import annotations

from footage import frames_of, same_planes

from videdit.rendering.tuning_pass import tune


def test_a_tuned_render_is_another_and_tunes_only_once(render, face_clip, tmp_path, monkeypatch):
    monkeypatch.setattr("videdit.paths.cache_dir", lambda: tmp_path / "cache")
    calls = []

    def counted(*args, **words):
        calls.append(args)
        return tune(*args, **words)

    monkeypatch.setattr("videdit.rendering.tuning_pass.tune", counted)
    words = {"edit": "smile=2", "lossless": True, "size": 256, "end": 0.16}
    plain = render(face_clip, tmp_path / "plain.mp4", **words)
    one = render(face_clip, tmp_path / "one.mp4", tune=1, **words)
    two = render(face_clip, tmp_path / "two.mp4", tune=1, **words)
    assert len(calls) == 1
    assert len(list((tmp_path / "cache" / "tuned").iterdir())) == 1
    assert plain.faces == one.faces == two.faces == 4
    pairs = zip(frames_of(plain.output), frames_of(one.output), frames_of(two.output), strict=True)
    for without, tuned, again in pairs:
        assert not same_planes(without, tuned)
        assert same_planes(tuned, again)
