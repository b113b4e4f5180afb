"""A YAML text as plain data that remember their lines, so that errors can name them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml

from rproxy.config.problems import Loc, Problem

_MAP_TAG = "tag:yaml.org,2002:map"
_LIST_TAG = "tag:yaml.org,2002:seq"
_MERGE_TAG = "tag:yaml.org,2002:merge"

_WORDING = (
    ("found character '\\t'", "a tab; YAML is indented with spaces"),
    ("found undefined alias", "an alias without its anchor; text that begins with * needs quotes"),
    ("could not determine a constructor", "an unknown tag; text that begins with ! needs quotes"),
    ("but found another document", "a second document; a configuration is one"),
    ("mapping values are not allowed here", "a colon in the wrong place; text with ': ' in it needs quotes"),
)
"""What PyYAML's problems contain, and words for who writes a configuration. Others are shown as PyYAML has them."""
_BRACKETS = 'an IPv6 address needs quotes, as in "[::1]:6380"'


class DocumentError(Exception):
    """The text is no YAML. ``line`` counts from 1; ``str()`` says what is wrong."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass(slots=True)
class Document:
    """``data`` are maps, lists and scalars; ``problems`` leave the text readable; ``lines`` count from 1."""

    data: Any = None
    problems: list[Problem] = field(default_factory=list)
    lines: dict[Loc, int] = field(default_factory=dict)

    def line_of(self, loc: Loc) -> int:
        """The line of ``loc``, or of the nearest place above it that the text has."""
        while loc and loc not in self.lines:
            loc = loc[:-1]
        return self.lines.get(loc, 1)


def read_document(text: str) -> Document:
    """The document of ``text``; its data are ``None`` where it is empty. Raises ``DocumentError``."""
    document = Document()
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is not None:
            document.data = _Reader(loader, document).value(node, ())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise DocumentError(line, _wording(str(error.problem), text.splitlines()[line - 1 : line])) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise DocumentError(line, f"a character that YAML does not allow (#x{error.character:04x})") from None
    except RecursionError:
        raise DocumentError(1, "nested too deeply") from None
    return document


class _Reader:
    """Makes data of nodes as ``yaml.SafeLoader`` does, notes where each began, and finds repeated keys."""

    def __init__(self, loader: yaml.SafeLoader, document: Document) -> None:
        self._loader = loader
        self._document = document

    def value(self, node: yaml.Node, loc: Loc) -> Any:
        """The data of ``node``, which stands at ``loc``."""
        self._document.lines.setdefault(loc, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            _expect_tag(node, _MAP_TAG)
            return self._map(node, loc)
        if isinstance(node, yaml.SequenceNode):
            _expect_tag(node, _LIST_TAG)
            return [self.value(element, (*loc, index)) for index, element in enumerate(node.value)]
        try:
            return self._loader.construct_object(node)
        except ValueError:
            raise _refusal(node, "text that looks like a number or a date and is none; it needs quotes") from None

    def _map(self, node: yaml.MappingNode, loc: Loc) -> dict[str, Any]:
        self._note_keys(node, loc)
        self._loader.flatten_mapping(node)
        return {_key(key): self.value(value, (*loc, _key(key))) for key, value in node.value}

    def _note_keys(self, node: yaml.MappingNode, loc: Loc) -> None:
        """Note the lines of the map's own keys, before others are merged into it."""
        own: dict[str, int] = {}
        for key_node, _ in node.value:
            if key_node.tag == _MERGE_TAG:
                continue
            key, line = _key(key_node), key_node.start_mark.line + 1
            if key in own:
                self._document.problems.append(Problem((*loc, key), f"is there twice, first on line {own[key]}"))
            own[key] = line
            self._document.lines[*loc, key] = line


def _key(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise _refusal(node, "a key that is no text")
    return str(node.value)


def _expect_tag(node: yaml.Node, tag: str) -> None:
    if node.tag != tag:
        raise _refusal(node, "could not determine a constructor")


def _refusal(node: yaml.Node, problem: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)


def _wording(problem: str, lines: list[str]) -> str:
    if any(": [" in line and "]:" in line for line in lines):
        return _BRACKETS
    return next((words for part, words in _WORDING if part in problem), problem)
