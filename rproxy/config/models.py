"""The configuration: one model per section of the file, one attribute per key, each with its default and its meaning.

Names, and meanings where a concept is Envoy's, are those of its ``redis_proxy`` filter and ``RedisClusterConfig``. The
docstring of an attribute is the key's description in the JSON Schema and the documents. Instances cannot be changed.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from rproxy.config.converters import Address
from rproxy.config.credentials import EndpointAuthConfig, UserConfig, check_password
from rproxy.config.fields import (
    AnyCase,
    Bound,
    Count,
    Duration,
    EndpointText,
    Flag,
    ListenAddress,
    Name,
    Policy,
    Secret,
    Size,
    TcpAddress,
    Timeout,
    UserName,
)
from rproxy.config.health_sections import HealthChecksConfig, OutlierDetectionConfig
from rproxy.config.routes import PrefixRoutesConfig
from rproxy.config.section import Section
from rproxy.config.tls_sections import ClientTlsConfig, EmptySection, ServerTlsConfig
from rproxy.topology.read_policy import ReadPolicy


class AdminConfig(Section):
    """The HTTP server for operators."""

    address: TcpAddress = Address("127.0.0.1", 9900)
    """Where it listens; loopback unless told otherwise, since it asks nobody who they are."""

    tls: Annotated[ServerTlsConfig | None, EmptySection] = None
    """TLS for operators; without it they speak plain HTTP."""


class SettingsConfig(Section):
    """How a listener's commands are carried out."""

    op_timeout: Timeout = 5.0
    """The time a request may take before the client gets an error."""

    enable_redirection: Flag = True
    """Follow MOVED and ASK; otherwise clients get them."""

    enable_command_stats: Flag = True
    """Count every command with its latency."""

    fan_out_partial: Flag = False
    """Answer reads of all shards (DBSIZE, KEYS, SCAN) by those that are up; otherwise one that is down is an error."""

    keys_reply_limit: Size = 64 * 1024**2
    """Bytes that the keys of one KEYS may have; beyond, the client gets an error and should use SCAN."""

    slowlog_log_slower_than: Duration | None = 0.01
    """The time from which on a command is kept in rproxy's SLOWLOG; 0: every one, null: none."""

    slowlog_max_len: Count = 128
    """Commands that SLOWLOG keeps, for each worker and cluster."""

    read_policy: Policy = ReadPolicy.PRIMARY
    """Which nodes answer reads: primary, prefer_primary, replica, prefer_replica or any. Writes go to primaries."""


class RedisProxyConfig(Section):
    """What a listener does with its clients' commands."""

    stat_prefix: Name = "redis"
    """The listener's name in metrics."""

    settings: SettingsConfig = SettingsConfig()
    """How commands are carried out."""

    prefix_routes: PrefixRoutesConfig
    """Which cluster a key belongs to."""

    downstream_auth_username: UserName | None = None
    """Whom clients authenticate as with the passwords below; Redis's default user if there are only passwords."""

    downstream_auth_passwords: tuple[Secret, ...] = ()
    """Passwords of which each lets a client in to do everything. They are never shown."""

    downstream_auth_password_files: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Files with further such passwords, one in each, relative to the configuration file."""

    users: tuple[UserConfig, ...] = ()
    """Users with rules of their own. Where there are users or passwords, the default user is off unless it has some."""

    @property
    def has_common_passwords(self) -> bool:
        """Whether there are passwords that let a client do everything."""
        return bool(self.downstream_auth_passwords or self.downstream_auth_password_files)

    @model_validator(mode="after")
    def _has_each_user_once(self) -> Self:
        names = [user.name for user in self.users]
        if self.has_common_passwords:
            names.append(self.downstream_auth_username or "default")
        elif self.downstream_auth_username is not None:
            raise ValueError("has a downstream_auth_username but no downstream_auth_passwords")
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"defines the user {name!r} more than once")
        return self


class LimitsConfig(Section):
    """What one client, and all clients of a listener, may take."""

    max_clients: Bound = 10_000
    """Clients at a time, per worker; one more gets an error and is closed."""

    max_arguments: Bound = 1_048_576
    """Arguments of one command."""

    max_argument_size: Size = 512 * 1024**2
    """Bytes of one argument."""

    max_command_size: Size = 1024**3
    """Bytes of one command that has to be there whole before it is sent, as several keys or a transaction have to."""

    max_inline_size: Size = 64 * 1024
    """Bytes of one inline command."""

    max_in_flight_per_client: Bound = 1024
    """Unanswered requests of one client; at the bound rproxy stops reading from it until replies have come."""

    output_buffer_limit: Size = 64 * 1024**2
    """Bytes that the replies of one client may take, those to come included; towards the bound its commands wait, then
    the nodes, until it has taken some."""

    slow_client_timeout: Duration = 60.0
    """The time after which a client that has too much to take, and takes nothing, is closed; 0 is never."""

    max_subscriptions_per_client: Bound = 100_000
    """Channels, patterns and sharded channels that one client may be subscribed to."""

    client_idle_timeout: Duration = 0.0
    """The time after which a silent client without subscriptions is closed; 0 is never."""

    half_command_timeout: Duration = 60.0
    """The time after which a client that has fallen silent in the middle of a command is closed; 0 is never."""


class ListenerConfig(Section):
    """A place where clients connect."""

    name: Name
    """The listener's name, unlike any other listener's."""

    address: ListenAddress
    """Where it listens: host:port, [::]:port or unix:/path."""

    tls: Annotated[ServerTlsConfig | None, EmptySection] = None
    """TLS for clients; without it they speak plain Redis."""

    redis_proxy: RedisProxyConfig
    """What it does with commands."""

    limits: LimitsConfig = LimitsConfig()
    """What clients may take."""

    cluster_announce: EndpointText | None = None
    """host:port that cluster-mode clients are told to connect to; without it, the address that the client used."""


class ClusterConfig(Section):
    """A named upstream: a Redis Cluster, or one Redis server."""

    name: Name
    """The name by which routes and mirrors refer to it."""

    type: Literal["redis_cluster", "standalone"] = "redis_cluster"
    """A Redis Cluster, whose topology is discovered, or a standalone server."""

    endpoints: Annotated[tuple[EndpointText, ...], Field(min_length=1)]
    """Seeds of a Redis Cluster, or the one standalone server: host:port, by name or address."""

    tls: Annotated[ClientTlsConfig | None, EmptySection] = None
    """TLS to its nodes; without it they are spoken to in plain Redis."""

    connect_timeout: Timeout = 0.5
    """The time in which a connection must be ready, TLS and authentication included."""

    connections_per_endpoint: Annotated[Bound, Field(le=1024)] = 1
    """Connections of a worker to each endpoint, shared by all clients."""

    connection_rate_limit_per_sec: Annotated[Count, Field(le=1_000_000)] = 0
    """Connections that a worker opens to each endpoint in a second; further ones wait for their turn; 0: no limit."""

    max_in_flight: Bound = 65_536
    """Unanswered requests of one connection; further ones wait."""

    max_parked: Count = 16_384
    """Requests that wait for an endpoint (connecting, failing over) inside their op_timeout; one more gets an error."""

    max_pinned_connections: Bound = 1024
    """Connections of a worker to each endpoint beside the shared ones, each for one client that blocks or watches."""

    mirror_queue_limit: Bound = 16_384
    """Unanswered copies of one connection while the cluster is a mirror; further ones are dropped and counted."""

    cluster_refresh_rate: Timeout = 5.0
    """How often the topology is asked for."""

    cluster_refresh_timeout: Timeout = 3.0
    """The time a node has to answer with the topology; another is asked too after 0.25 s."""

    redirect_refresh_interval: Duration = 5.0
    """The least time between two refreshes that redirections bring about; redirections inside it are not counted."""

    redirect_refresh_threshold: Count = 5
    """Redirections since the last refresh that bring about the next; 0: they never do."""

    failure_refresh_threshold: Count = 1
    """Connections lost, refused or with overdue requests since the last refresh that bring about the next; 0: never."""

    host_degraded_refresh_threshold: Count = 0
    """Endpoints become slow or unhealthy since the last refresh that bring about the next; 0: they never do."""

    outlier_detection: Annotated[OutlierDetectionConfig | None, EmptySection] = None
    """Eject endpoints where requests fail, so that reads go to others; without it none is."""

    health_checks: Annotated[HealthChecksConfig | None, EmptySection] = None
    """Ask every endpoint with PING whether it is well, so that reads go to others if not; without it none is asked."""

    username: Annotated[str, Field(min_length=1)] | None = None
    """The user to authenticate as; Redis's default user if there is only a password."""

    password: Secret | None = None
    """The password to authenticate with. It is never shown."""

    password_file: Annotated[str, Field(min_length=1)] | None = None
    """A file with the password instead, relative to the configuration file; a line break at its end does not count."""

    endpoint_auth: tuple[EndpointAuthConfig, ...] = ()
    """Endpoints that want another user or password than the rest."""

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.type == "standalone" and len(self.endpoints) > 1:
            raise ValueError("a standalone cluster has one endpoint; several are seeds of type: redis_cluster")
        endpoints = [auth.endpoint for auth in self.endpoint_auth]
        for endpoint in endpoints:
            if endpoints.count(endpoint) > 1:
                raise ValueError(f"says twice what to authenticate with at {endpoint}")
        check_password(self)
        return self

    def auth_at(self, endpoint: str) -> ClusterConfig | EndpointAuthConfig:
        """What has the user and the password for ``endpoint``: its own entry, or else the cluster itself."""
        return next((auth for auth in self.endpoint_auth if auth.endpoint == endpoint), self)


class Config(Section):
    """The whole configuration."""

    admin: AdminConfig | None = None
    """The HTTP server for operators; without it there is none."""

    workers: Annotated[Bound, Field(le=256)] = 1
    """Processes that serve every listener together."""

    listeners: Annotated[tuple[ListenerConfig, ...], Field(min_length=1)]
    """Where clients connect."""

    clusters: Annotated[tuple[ClusterConfig, ...], Field(min_length=1)]
    """Where commands go."""

    drain_timeout: Duration = 10.0
    """The time to finish what is in flight on SIGTERM before the process ends."""

    watch_config: Flag = True
    """Apply the configuration file, and those of passwords, when they change; otherwise on SIGHUP alone."""

    log_level: Annotated[Literal["debug", "info", "warning", "error"], AnyCase] = "info"
    """The least weight of a message that is logged."""
