"""The ``rproxy`` command.

Each subcommand imports what it needs when it runs, so that the small ones are quick. Exit status: 0 for success, 1 for
what failed on the way, 2 for wrong usage or configuration, 130 after Ctrl-C.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from rproxy import __version__
from rproxy.errors import ConfigError, RproxyError

if TYPE_CHECKING:
    from rproxy.config.models import Config

_FAILED = 1
_MISUSED = 2
_INTERRUPTED = 130


class _Program(click.Group):
    """Shows rproxy's own errors as lines on stderr, and nothing on Ctrl-C."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; turn what it raises into lines and a status."""
        try:
            return super().invoke(ctx)
        except RproxyError as error:
            for line in str(error).splitlines():
                click.echo(f"rproxy: {line}", err=True)
            ctx.exit(_MISUSED if isinstance(error, ConfigError) else _FAILED)
        except KeyboardInterrupt:
            ctx.exit(_INTERRUPTED)


def _show_version(ctx: click.Context, _: click.Parameter, is_wanted: bool) -> None:
    if is_wanted and not ctx.resilient_parsing:
        from rproxy.form import running_form

        click.echo(f"rproxy {__version__} ({running_form()})")
        ctx.exit()


@click.group(cls=_Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and whether the compiled form runs.",
)
def main() -> None:
    """A Redis Cluster proxy that clients see as one Redis server."""


@main.command()
@click.option("-c", "--config", "path", metavar="FILE", help="The configuration file; excludes the other options.")
@click.option("--listen", metavar="ADDRESS", help="Where clients connect: host:port, [::1]:port or unix:/path.")
@click.option("--seed", "seeds", metavar="HOST:PORT[,...]", multiple=True, help="A node of the cluster; repeatable.")
@click.option("--read-policy", metavar="POLICY", help="primary, prefer_primary, replica, prefer_replica or any.")
@click.option("--mirror", "mirrors", metavar="HOST:PORT", multiple=True, help="A Redis that gets a copy of each write.")
@click.option("--admin", metavar="ADDRESS", help="Where metrics and health are served: host:port.")
@click.option("--workers", type=int, metavar="N", help="Processes on the same port.")
def serve(path: str | None, **flags: Any) -> None:
    """Run the proxy until SIGTERM or Ctrl-C. SIGHUP, or a change of FILE, has it read again; SIGUSR2 has the
    program on disk take over, with all clients.

    Without a file, --seed is needed; --listen is 127.0.0.1:6380 unless given.
    """
    config = _config(path, {name: value for name, value in flags.items() if value not in (None, ())})
    from rproxy.config.source import ConfigFile
    from rproxy.server.run import run

    click.get_current_context().exit(run(config, ConfigFile(path) if path is not None else None))


@main.command()
@click.option("-c", "--config", "path", metavar="FILE", required=True, help="The configuration file.")
def check(path: str) -> None:
    """Print the effective configuration, or every error with its line."""
    from rproxy.config.loader import effective, load

    try:
        click.echo(effective(load(path)), nl=False)
    except ConfigError as error:
        click.echo(error, err=True)
        click.get_current_context().exit(_MISUSED)


@main.command()
@click.argument("keys", metavar="KEY...", nargs=-1, required=True)
def keyslot(keys: tuple[str, ...]) -> None:
    """Print the hash slot of each KEY."""
    from rproxy.topology.slots import hash_slot

    for key in map(os.fsencode, keys):
        click.echo(b"%d %b" % (hash_slot(key), key))


@main.command()
def demo() -> None:
    """Start an embedded Redis Cluster with rproxy before it, and tour it."""
    try:
        from rproxy.demo import tour
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("rproxy"):
            raise
        raise RproxyError(f"the demo needs {error.name}: pip install 'rproxy[demo]'") from None
    click.get_current_context().exit(tour.main())


def _config(path: str | None, flags: dict[str, Any]) -> Config:
    """The configuration of the file, or else of the flags that were given."""
    if path is not None:
        if flags:
            raise click.UsageError("give either -c FILE or the other options, not both")
        from rproxy.config.loader import load

        return load(path)
    if "seeds" not in flags:
        raise click.UsageError("give -c FILE, or at least one --seed HOST:PORT")
    from rproxy.config.flags import config_from_flags

    return config_from_flags(**flags)
