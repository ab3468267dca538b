"""`python -m videdit`: the command."""

import sys

from videdit.cli.main import main

sys.exit(main())
