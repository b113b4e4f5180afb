"""What COMMAND and its subcommands answer: the commands that rproxy supports, as a Redis 7 server describes its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase

from rproxy.commands.catalog import Catalog
from rproxy.commands.info import categories, described, docs_of, info_of, is_supported, shown_name
from rproxy.commands.key_flags import Use, has_keys, uses_of
from rproxy.commands.lookup import CommandError, resolve
from rproxy.commands.spec import CommandSpec
from rproxy.resp import encode
from rproxy.resp.encode import Distinct, Value


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


def _docs(names: Sequence[bytes], catalog: Catalog) -> Value:
    found = (_find(name, catalog) for name in names)
    specs: Iterable[CommandSpec] = [spec for spec in found if spec is not None] if names else described(catalog.specs)
    return {shown_name(spec): docs_of(spec) for spec in specs}


def _list(options: Sequence[bytes], catalog: Catalog) -> Value:
    specs = [spec for spec in catalog.specs if is_supported(spec)]
    if not options:
        return [shown_name(spec) for spec in specs]
    select = _FILTERS.get(options[1].upper()) if len(options) == 3 and options[0].upper() == b"FILTERBY" else None
    if select is None:
        raise CommandError(encode.error("ERR syntax error"))
    wanted = options[2].decode(errors="replace").lower()
    return [shown_name(spec) for spec in specs if select(spec, wanted, catalog)]


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
    b"DOCS": _docs,
    b"GETKEYS": _get_keys,
    b"GETKEYSANDFLAGS": _get_keys_and_flags,
    b"INFO": _info,
    b"LIST": _list,
}
"""The subcommands answered here, and COMMAND itself."""


def _is_like(spec: CommandSpec, pattern: str, catalog: Catalog) -> bool:
    return fnmatchcase(spec.name.decode().lower(), pattern.replace("[^", "[!"))


def _is_of_module(spec: CommandSpec, module: str, catalog: Catalog) -> bool:
    """By the prefix that a module's commands share by custom: a node does not say whose they are."""
    return catalog.is_learned(spec) and spec.name.decode().lower().partition(".")[0] == module


_FILTERS: dict[bytes, Callable[[CommandSpec, str, Catalog], bool]] = {
    b"ACLCAT": lambda spec, wanted, catalog: wanted in categories(spec),
    b"MODULE": _is_of_module,
    b"PATTERN": _is_like,
}


def _find(name: bytes, catalog: Catalog) -> CommandSpec | None:
    """The supported command or subcommand (``object|freq``) of this name."""
    try:
        spec = resolve(catalog.names, name.split(b"|", 1))
    except CommandError:
        return None
    return spec if is_supported(spec) else None
