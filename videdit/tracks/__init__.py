"""Who is in a clip from frame to frame and shot to shot, and what is kept of that for the next time.

:mod:`.appearance` tells how a face looks, :mod:`.tracker` who is who from frame to frame, :mod:`.track_table` and
:mod:`.analysis_store` hold and keep what was seen (:mod:`.analysis_cache` says where, and for how long),
:mod:`.selection` and :mod:`.reference_match` find the faces that a word or a picture means.
"""
