"""`python -m lab`: the lab without Django."""

import sys

from lab.cli import main

sys.exit(main())
