"""python -m isoexp."""

import sys

from .cli import main

sys.exit(main())
