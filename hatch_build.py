"""Build hook: the wheel and an editable install contain the page, built from ``web/`` when it is missing or stale.

Where there is no ``web/`` there is nothing to do. Node is taken from PATH; without one new enough, the build asks for
it as one more build dependency, so that `pip install .` needs Python only. `HATCH_BUILD_NO_HOOKS=true` leaves it out.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PageBuildHook(BuildHookInterface):
    """Runs ``web/build.py``."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Node as a package, if the page has to be built and there is none."""
        page = _page_builder(Path(self.root))
        if page is None or page.page_is_current() or page.find_npm() is not None:
            return []
        return [page.NODE_WHEEL]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the page before the files are collected."""
        page = _page_builder(Path(self.root))
        if page is not None:
            page.build()


def _page_builder(root: Path) -> ModuleType | None:
    source = root / "web" / "build.py"
    if not (root / "web" / "package.json").exists() or not source.exists():
        return None
    spec = importlib.util.spec_from_file_location("isengard_page_build", source)
    if spec is None or spec.loader is None:
        return None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module
