"""Tests against other people's programs. Collected only where the setting that names the program is there."""

from __future__ import annotations

import os

collect_ignore = [] if os.environ.get("ISENGARD_AITOOLKIT_DIR") else ["test_real_aitoolkit.py"]
