"""``python -m videdit.train``: the name under which trainings are started (:mod:`videdit.cli.train`)."""

import sys

from videdit.cli.train import main

if __name__ == "__main__":
    sys.exit(main())
