"""Writes ``web/openapi.json``, which the page's types are made from; ``--check`` only says whether it is up to date."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from isengard.api.openapi import document

TARGET = Path(__file__).resolve().parent.parent / "web" / "openapi.json"


def main() -> int:
    text = json.dumps(document(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    if "--check" in sys.argv[1:]:
        if TARGET.is_file() and TARGET.read_text(encoding="utf-8") == text:
            return 0
        print(f"{TARGET.name} is out of date: run python scripts/openapi.py and commit what it writes", file=sys.stderr)
        return 1
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(text, encoding="utf-8")
    print(f"wrote {TARGET} ({len(text)} bytes)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
