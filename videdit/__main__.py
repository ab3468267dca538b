import sys

from videdit.cli import main

sys.exit(main())
