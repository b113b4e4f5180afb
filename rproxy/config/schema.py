"""The JSON Schema of the configuration, for editors.

``python -m rproxy.config.schema > config/rproxy.schema.json`` writes it anew after a change of the models.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from rproxy.config.keys import written_default
from rproxy.config.models import Config

_TITLE = "Configuration of rproxy"


class _Generator(GenerateJsonSchema):
    """Leaves out titles that only repeat the key, and writes defaults as a file would, none for ``None``."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        described = super().model_schema(schema)
        for name, key in described["properties"].items():
            default = written_default(schema["cls"], name)
            key.pop("default", None)
            if default is not None:
                key["default"] = default
        return described


def schema() -> dict[str, Any]:
    """The JSON Schema, draft 2020-12."""
    generated = Config.model_json_schema(schema_generator=_Generator)
    return {"$schema": _Generator.schema_dialect, **generated, "title": _TITLE}


def schema_text() -> str:
    """The content of ``config/rproxy.schema.json``."""
    return f"{json.dumps(schema(), indent=2, ensure_ascii=False)}\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text())
