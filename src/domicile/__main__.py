"""`python -m domicile` is the command `domicile`."""

import sys

from domicile.cli.main import main

sys.exit(main())
