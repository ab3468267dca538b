"""Who is in a clip, whom to edit, and what is kept of that for the next time.

:mod:`.appearance` tells how a face looks, :mod:`.identity` who is who from frame to frame, :mod:`.sightings` and
:mod:`.analysis` hold and keep what was seen (:mod:`.cache` says where, and for how long), :mod:`.choice` and
:mod:`.likeness` find the faces that a word or a picture means, :mod:`.edits` says what each of them gets.
"""
