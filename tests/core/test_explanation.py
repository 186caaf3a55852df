"""schemas/explanation.json describes what `mailfold explain --json` prints, field by field."""

import json
from pathlib import Path
from typing import Any

import msgspec

from pipeline.explanation import Explanation

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "explanation.json").read_text())


def without_words(schema: Any) -> Any:
    """Return a JSON Schema without what is for people, and without the form of times, which msgspec leaves out."""
    if isinstance(schema, dict):
        words = {"description", "title", "$schema", "format"}
        return {
            key: without_words(value) for key, value in schema.items() if not (key in words and isinstance(value, str))
        }
    return [without_words(item) for item in schema] if isinstance(schema, list) else schema


def test_the_schema_describes_every_field_of_the_json() -> None:
    """schemas/explanation.json has the structure of the type, and a description of each field."""
    assert without_words(SCHEMA) == without_words(json.loads(msgspec.json.encode(msgspec.json.schema(Explanation))))
    objects = [definition for definition in SCHEMA["$defs"].values() if definition.get("type") == "object"]
    assert [name for one in objects for name, field in one["properties"].items() if not field.get("description")] == []
