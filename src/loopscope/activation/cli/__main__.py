"""`python -m loopscope.activation.cli`."""

import sys

from loopscope.activation.cli import main

sys.exit(main())
