#!/usr/bin/env python3
"""Edit the face in a clip: `python run_video.py in.mp4 --edit smile`. See --help, or the README."""

import sys

from videdit.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
