"""Asks whether a weakness is known in anything that is pinned: pip-audit for the Python lists, npm audit for the page.

Exit code 1 where one is known. A registry that keeps no advisories, or cannot be reached, is told and fails nothing:
nothing was learned then. Other sources than PyPI: ``PIP_AUDIT_VULNERABILITY_SERVICE=osv``, ``PIP_AUDIT_OSV_URL``.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LISTS = ("installer", "torch", "build", "run", "server", "cluster", "dev", "bench")
"""The first is short: where nothing is known of it, the others are not asked for."""


@dataclass
class Outcome:
    """What was learned.

    Attributes:
        asked: How many packages there was an answer for.
        known: Each weakness, a line each.
        silent: Why nothing, or not everything, was answered.
    """

    asked: int = 0
    known: list[str] = field(default_factory=list)
    silent: str = ""


def audit_python(lists: Sequence[str] = LISTS) -> Outcome:
    """What pip-audit says of the lists."""
    outcome = Outcome()
    for name in lists:
        argv = [sys.executable, "-m", "pip_audit", "--disable-pip", "--no-deps", "--progress-spinner", "off"]
        argv += ["--format", "json", "--requirement", str(ROOT / "requirements" / f"{name}.txt")]
        done = subprocess.run(argv, check=False, capture_output=True, text=True)
        _read_python(outcome, done.stdout, done.stderr)
        if outcome.silent and not outcome.asked:
            break
    outcome.known = sorted(set(outcome.known))
    return outcome


def _read_python(outcome: Outcome, told: str, complaint: str) -> None:
    try:
        found = json.loads(told)["dependencies"]
    except (ValueError, KeyError):
        outcome.silent = complaint.strip().splitlines()[-1] if complaint.strip() else "pip-audit said nothing"
        return
    for each in found:
        if "skip_reason" in each:
            outcome.silent = each["skip_reason"]
            continue
        outcome.asked += 1
        for weakness in each["vulns"]:
            better = ", ".join(weakness["fix_versions"]) or "none"
            outcome.known.append(f"{each['name']} {each['version']}: {weakness['id']} (mended in: {better})")


def audit_page() -> Outcome:
    """What npm audit says of the page's lock file."""
    sys.path.insert(0, str(ROOT / "web"))
    import build

    npm = build.find_npm()
    if npm is None:
        return Outcome(silent="there is no Node to run npm with")
    return _read_npm(npm.ask("audit", "--json", "--loglevel=silent"))


def _read_npm(told: str) -> Outcome:
    try:
        found: dict[str, Any] = json.loads(told)
    except ValueError:
        return Outcome(silent="npm audit said nothing")
    if "vulnerabilities" not in found:
        return Outcome(silent=str(found.get("message") or found.get("error") or "npm audit gave no findings"))
    known = []
    for name, each in found["vulnerabilities"].items():
        titles = "; ".join(str(cause["title"]) for cause in each["via"] if isinstance(cause, dict))
        known.append(f"{name}: {each['severity']}: {titles or 'by what it needs'}")
    return Outcome(asked=found["metadata"]["dependencies"]["total"], known=sorted(known))


def main() -> int:
    broken = False
    for what, outcome in (("python", audit_python()), ("page", audit_page())):
        for line in outcome.known:
            print(f"{what}: {line}", file=sys.stderr)
        if outcome.silent and not outcome.asked:
            print(f"{what}: not audited: no advisories are to be had from this registry ({outcome.silent})")
        else:
            rest = f"; not all were answered for ({outcome.silent})" if outcome.silent else ""
            print(f"{what}: {len(outcome.known)} known weaknesses in {outcome.asked} packages{rest}")
        broken = broken or bool(outcome.known)
    return int(broken)


if __name__ == "__main__":
    sys.exit(main())
