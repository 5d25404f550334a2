"""`python scripts/debug_bundle.py JOB [--output F] [--show-error]`: the same as `isengard debug-bundle`."""

from __future__ import annotations

import sys

from isengard.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["debug-bundle", *sys.argv[1:]]))
