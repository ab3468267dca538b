"""What is done to pixels, on the host (NumPy, OpenCV) and on a device (torch).

:mod:`.pixels` is the interface, :mod:`.host` and :mod:`.device` are its two sides; ``twins`` holds the device's
form of the host's formulas.
"""
