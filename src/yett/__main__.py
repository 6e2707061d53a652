# SPDX-License-Identifier: Apache-2.0
"""`python -m yett` is the command line."""

import sys

from yett.cli import main

sys.exit(main())
