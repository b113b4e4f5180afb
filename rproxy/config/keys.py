"""The keys that a configuration may have, read off the models: for suggestions, the documents and their tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from rproxy.config.models import Config


@dataclass(frozen=True, slots=True)
class Key:
    """``path`` is as in ``clusters[].connect_timeout``; ``default`` as a file writes it, ``None`` for none."""

    path: str
    description: str
    default: Any
    is_required: bool
    is_section: bool

    @property
    def parent(self) -> str:
        """The path of the section that it stands in; empty at the top."""
        return self.path.rpartition(".")[0]

    @property
    def name(self) -> str:
        """The key as a file writes it."""
        return self.path.rpartition(".")[2].removesuffix("[]")


@cache
def keys() -> tuple[Key, ...]:
    """Every key, in the order of the models; a section comes before what is in it."""
    return tuple(_keys_of(Config, ""))


def written_default(model: type[BaseModel], name: str) -> Any:
    """The default of the field ``name`` as a file writes it, ``None`` if there is none, or nothing in it."""
    field = model.model_fields[name]
    if field.is_required() or field.default in (None, ()):
        return None
    return model.model_construct(**{name: field.default}).model_dump(mode="json", include={name})[name]


def _keys_of(model: type[BaseModel], prefix: str) -> Iterator[Key]:
    for name, field in model.model_fields.items():
        section = _section_of(field.annotation)
        is_list_of_sections = section is not None and get_origin(field.annotation) is tuple
        path = f"{prefix}{name}{'[]' if is_list_of_sections else ''}"
        yield Key(
            path=path,
            description=field.description or "",
            default=None if section else written_default(model, name),
            is_required=field.is_required(),
            is_section=section is not None,
        )
        if section is not None:
            yield from _keys_of(section, f"{path}.")


def _section_of(annotation: Any) -> type[BaseModel] | None:
    """The model that a field holds: itself, in a list, or optionally."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _section_of(part))), None)
