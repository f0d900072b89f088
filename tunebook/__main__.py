"""`python -m tunebook`: the command line."""

import sys

from tunebook.cli import main

sys.exit(main())
