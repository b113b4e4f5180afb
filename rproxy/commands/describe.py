"""What COMMAND and its subcommands answer: the commands that rproxy supports, as a Redis 7 server describes its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from rproxy.commands.catalog import Catalog
from rproxy.commands.glob import any_of
from rproxy.commands.info import categories, described, docs_of, info_of, is_supported, shown_name
from rproxy.commands.key_flags import Use, has_keys, uses_of
from rproxy.commands.lookup import CommandError, resolve
from rproxy.commands.spec import CommandSpec
from rproxy.resp import encode
from rproxy.resp.encode import Distinct, Value

Select = Callable[[CommandSpec], bool]


def answer(args: Sequence[bytes], catalog: Catalog) -> Value:
    """The reply to COMMAND or one of its subcommands, whose arity was checked. Raises ``CommandError``."""
    name = args[1].upper() if len(args) > 1 else b""
    return ANSWERS[name](args[2:], catalog)


# -- the subcommands; each takes the arguments behind its name


def _everything(_: Sequence[bytes], catalog: Catalog) -> Value:
    return [info_of(spec, catalog) for spec in described(catalog.specs)]


def _count(_: Sequence[bytes], catalog: Catalog) -> Value:
    return sum(1 for _ in described(catalog.specs))


def _info(names: Sequence[bytes], catalog: Catalog) -> Value:
    if not names:
        return _everything(names, catalog)
    specs = (_find(name, catalog) for name in names)
    return [info_of(spec, catalog) if spec is not None else None for spec in specs]


def _list(options: Sequence[bytes], catalog: Catalog) -> Value:
    specs = [spec for spec in catalog.specs if is_supported(spec)]
    if not options:
        return [shown_name(spec) for spec in specs]
    make = _FILTERS.get(options[1].upper()) if len(options) == 3 and options[0].upper() == b"FILTERBY" else None
    if make is None:
        raise CommandError(encode.error("ERR syntax error"))
    return [shown_name(spec) for spec in filter(make(options[2].lower(), catalog), specs)]


def _get_keys(args: Sequence[bytes], catalog: Catalog) -> Value:
    return [args[position] for position, _ in _uses(args, catalog)]


def _get_keys_and_flags(args: Sequence[bytes], catalog: Catalog) -> Value:
    return [[args[position], Distinct(flags)] for position, flags in _uses(args, catalog)]


def _uses(args: Sequence[bytes], catalog: Catalog) -> list[Use]:
    """The keys of a command line. Raises ``CommandError`` with the server's words."""
    try:
        spec = resolve(catalog.names, args)
    except CommandError:
        raise CommandError(encode.error("ERR Invalid command specified")) from None
    if not has_keys(spec, catalog):
        raise CommandError(encode.error("ERR The command has no key arguments"))
    if not spec.accepts(len(args)):
        raise CommandError(encode.error("ERR Invalid number of arguments specified for command"))
    try:
        return uses_of(spec, args, catalog)
    except ValueError:
        if "no_mandatory_keys" in spec.flags:
            return []
        raise CommandError(encode.error("ERR Invalid arguments specified for command")) from None


ANSWERS: dict[bytes, Callable[[Sequence[bytes], Catalog], Value]] = {
    b"": _everything,
    b"COUNT": _count,
    b"GETKEYS": _get_keys,
    b"GETKEYSANDFLAGS": _get_keys_and_flags,
    b"INFO": _info,
    b"LIST": _list,
}
"""The subcommands answered here, and COMMAND itself."""


def _of_category(wanted: bytes, catalog: Catalog) -> Select:
    category = wanted.decode("latin-1")
    return lambda spec: category in categories(spec)


def _of_module(wanted: bytes, catalog: Catalog) -> Select:
    """By the prefix that a module's commands share by custom: a node does not say whose they are."""
    return lambda spec: catalog.is_learned(spec) and shown_name(spec).partition(b".")[0] == wanted


def _like(wanted: bytes, catalog: Catalog) -> Select:
    pattern = any_of([wanted])
    return lambda spec: pattern.fullmatch(shown_name(spec)) is not None


_FILTERS: dict[bytes, Callable[[bytes, Catalog], Select]] = {
    b"ACLCAT": _of_category,
    b"MODULE": _of_module,
    b"PATTERN": _like,
}
"""What COMMAND LIST selects, given the operand in lower case."""


# -- COMMAND DOCS


def documented(names: Sequence[bytes], catalog: Catalog) -> list[bytes]:
    """Those of ``names`` that are supported, as they are shown; all commands if none are given."""
    found = (_find(name, catalog) for name in names)
    specs: Iterable[CommandSpec] = (spec for spec in found if spec is not None) if names else described(catalog.specs)
    return [shown_name(spec) for spec in specs]


def docs(names: Sequence[bytes], catalog: Catalog) -> Value:
    """COMMAND DOCS in rproxy's words."""
    specs = (_find(name, catalog) for name in names)
    return {shown_name(spec): docs_of(spec) for spec in specs if spec is not None}


def _find(name: bytes, catalog: Catalog) -> CommandSpec | None:
    """The supported command or subcommand (``object|freq``) of this name."""
    try:
        spec = resolve(catalog.names, name.split(b"|", 1))
    except CommandError:
        return None
    return spec if is_supported(spec) else None
