"""Writes what Isengard is made of as CycloneDX files: ``python scripts/sbom.py [FOLDER]`` (default ``build/sbom``).

One file for each pinned Python list (``run.cdx.json`` …, torch with those that need it) and one for the page. They come
from the lists, not from what happens to be installed; addresses of registries are left out, hashes are kept.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

ROOT = Path(__file__).resolve().parent.parent
LISTS = {"run": True, "server": False, "cluster": True, "dev": True, "build": False}
"""The lists, and whether torch, which is pinned by itself, goes with them."""
_VERSIONS = {"1.5": SchemaVersion.V1_5, "1.6": SchemaVersion.V1_6}


def of_list(name: str) -> dict[str, Any]:
    """The document of ``requirements/NAME.txt``."""
    argv = [sys.executable, "-m", "cyclonedx_py", "requirements", "-", "--output-format", "JSON"]
    lines = "\n".join(path.read_text(encoding="utf-8") for path in _files(name))
    done = subprocess.run(argv, input=lines, check=True, stdout=subprocess.PIPE, text=True)
    document: dict[str, Any] = json.loads(done.stdout)
    for component in document["components"]:
        places = component.pop("externalReferences", [])
        component.pop("description", None)  # the line of the list, hashes and all
        if hashes := [each for place in places for each in place.get("hashes", [])]:
            component["hashes"] = hashes
    for tool in document["metadata"]["tools"]["components"]:
        tool.pop("externalReferences", None)
    return document


def of_page() -> dict[str, Any]:
    """The document of ``web/package-lock.json``; raises RuntimeError without Node."""
    sys.path.insert(0, str(ROOT / "web"))
    import build

    npm = build.find_npm()
    if npm is None:
        raise RuntimeError("there is no Node to run npm with")
    document: dict[str, Any] = json.loads(npm.ask("sbom", "--sbom-format", "cyclonedx", "--package-lock-only"))
    for component in (document["metadata"]["component"], *document["components"]):
        component.pop("externalReferences", None)
    return document


def pins(name: str) -> set[tuple[str, str]]:
    """Name and version of everything that the list, or for ``page`` the lock file, holds."""
    if name == "page":
        locked = json.loads((ROOT / "web" / "package-lock.json").read_text(encoding="utf-8"))["packages"]
        return {(path.rpartition("node_modules/")[2], each["version"]) for path, each in locked.items() if path}
    text = "".join(path.read_text(encoding="utf-8") for path in _files(name))
    return set(re.findall(r"^([a-zA-Z0-9][\w.-]*)==([^\s;]+)", text, re.MULTILINE))


def _files(name: str) -> list[Path]:
    return [ROOT / "requirements" / f"{each}.txt" for each in (name, *(["torch"] if LISTS[name] else []))]


def check(name: str, document: dict[str, Any]) -> str:
    """The document as text; raises ValueError if it is not as CycloneDX wants it, or leaves something out."""
    text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    fault = JsonStrictValidator(_VERSIONS[document["specVersion"]]).validate_str(text)
    if fault is not None:
        raise ValueError(f"{name}: not valid: {fault}")
    held = {(each["name"], each["version"]) for each in document["components"]}
    if held != pins(name):
        raise ValueError(f"{name}: not complete: {sorted(held ^ pins(name))}")
    return text


def main() -> int:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "sbom"
    folder.mkdir(parents=True, exist_ok=True)
    for name, document in {**{name: of_list(name) for name in LISTS}, "page": of_page()}.items():
        target = folder / f"{name}.cdx.json"
        target.write_text(check(name, document), encoding="utf-8")
        print(f"{target}: {len(document['components'])} components")
    return 0


if __name__ == "__main__":
    sys.exit(main())
