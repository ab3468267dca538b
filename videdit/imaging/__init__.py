"""What is done to pixels, on the host (NumPy, OpenCV) and on a device (torch).

:mod:`.pixels` is what the stages call, :mod:`.host` and :mod:`.device` are its two kinds. A formula is written once, in
a module of its own, over the operations of :mod:`.primitives`.
"""
