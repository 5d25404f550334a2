"""Parameters of a training as a person writes them: ``--set KEY=VALUE`` and a file of JSON or YAML.

A value is read as what the parameter takes. Where that is a text it is taken as it stands: ``{trigger_word}`` is no
mapping and ``no`` no truth value there. Anything else is read as YAML: numbers and lists are what they look like.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from isengard.core.errors import InvalidInput, IsengardError

_EXPONENTIAL = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+")


def typed(items: Iterable[str], trainer: str) -> dict[str, Any]:
    """``KEY=VALUE`` texts as parameters of `trainer`, the last of a name; raises `InvalidInput` for what is none."""
    pairs = [_split(item) for item in items]
    schema = _schema(trainer) if pairs else {}
    known, parts = schema.get("properties", {}), schema.get("$defs", {})
    return {name: _value(text, known.get(name, {}), parts) for name, text in pairs}


def from_file(path: Path) -> dict[str, Any]:
    """The parameters in a file; raises `InvalidInput`."""
    import yaml

    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))  # JSON is YAML
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}", field="config") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        words = " ".join(str(error).split())
        raise InvalidInput(f"{path} is neither JSON nor YAML: {words}", field="config") from error
    if not isinstance(value, dict):
        raise InvalidInput(f"{path} must hold parameters by name", field="config")
    return {str(name): _number(each) for name, each in value.items()}


def _split(item: str) -> tuple[str, str]:
    name, sign, text = item.partition("=")
    if not sign or not name.strip():
        raise InvalidInput(f"--set takes KEY=VALUE, not {item!r}")
    return name.strip(), text


def _schema(trainer: str) -> dict[str, Any]:
    """The JSON Schema of its parameters; empty for a trainer that there is not, which is told later."""
    from isengard.trainers import registry

    try:
        return registry.load(trainer).parameters.model_json_schema()
    except IsengardError:
        return {}


def _value(text: str, schema: Mapping[str, Any], parts: Mapping[str, Any]) -> Any:
    import yaml

    kinds = [_resolved(each, parts) for each in schema.get("anyOf", [schema])]
    if any(kind.get("type") == "null" for kind in kinds) and text in ("null", "~", ""):
        return None
    wanted = [kind for kind in kinds if kind.get("type") != "null"]
    if all(kind.get("type") == "string" for kind in wanted):
        return text
    texts = all(_holds_texts(kind, parts) for kind in wanted)
    try:
        # BaseLoader makes texts, lists and mappings and nothing else.
        value = yaml.load(text, Loader=yaml.BaseLoader if texts else yaml.SafeLoader)  # noqa: S506 - both are safe
    except yaml.YAMLError:
        value = text
    return _number(value)


def _holds_texts(kind: Mapping[str, Any], parts: Mapping[str, Any]) -> bool:
    """Whether it is a list or a mapping of texts."""
    inner = kind.get("items") or kind.get("additionalProperties")
    return isinstance(inner, dict) and _resolved(inner, parts).get("type") == "string"


def _resolved(schema: Mapping[str, Any], parts: Mapping[str, Any]) -> Mapping[str, Any]:
    """`schema`, or the part of the whole that it refers to."""
    reference = str(schema.get("$ref", ""))
    found: Mapping[str, Any] = parts.get(reference.rpartition("/")[2], schema) if reference else schema
    return found


def _number(value: Any) -> Any:
    """YAML 1.1 takes ``1e-4`` for a text; people who set a learning rate do not."""
    is_number = isinstance(value, str) and _EXPONENTIAL.fullmatch(value)
    return float(value) if is_number else value
