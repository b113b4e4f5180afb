"""Reading a configuration file, and writing the effective configuration back."""

from __future__ import annotations

from pathlib import Path

import yaml

from rproxy.config.document import Document, DocumentError, read_document
from rproxy.config.models import Config
from rproxy.config.passwords import masked, with_passwords
from rproxy.config.problems import InvalidConfigError, Problem, path_of
from rproxy.config.tls import with_tls_files
from rproxy.config.validation import validate
from rproxy.errors import ConfigError


def load(path: str | Path) -> Config:
    """The configuration in the file ``path``. Raises ``ConfigError``."""
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8 text") from None
    return parse(text, str(path))


def parse(text: str, name: str) -> Config:
    """The configuration in ``text``, the content of the file ``name``.

    Raises ``ConfigError`` with a line ``FILE:LINE: PATH: MESSAGE`` for everything that is wrong, in the order of lines.
    """
    try:
        document = read_document(text)
    except DocumentError as error:
        raise ConfigError(f"{name}:{error.line}: {error}") from None
    if document.data is None:
        raise ConfigError(f"{name}: is empty")
    problems = document.problems
    try:
        directory = Path(name).parent
        config = with_tls_files(with_passwords(validate(document.data), directory), directory)
    except InvalidConfigError as error:
        problems = problems + error.problems
    if problems:
        raise ConfigError(_listing(problems, document, name))
    return config


def effective(config: Config) -> str:
    """``masked`` as YAML."""
    return yaml.safe_dump(masked(config), sort_keys=False, allow_unicode=True)


def _listing(problems: list[Problem], document: Document, name: str) -> str:
    placed = sorted((document.line_of(problem.loc), path_of(problem.loc), problem.message) for problem in problems)
    return "\n".join(f"{name}:{line}: {f'{path}: ' if path else ''}{message}" for line, path, message in placed)
