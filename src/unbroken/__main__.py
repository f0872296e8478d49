"""``python -m unbroken``: the command, where its script is not on the path."""

import sys

from unbroken.cli import main

sys.exit(main())
