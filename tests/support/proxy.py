"""A real rproxy process under test, and what it says about itself."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from rproxy.demo.ports import free_port
from rproxy.demo.proxy_process import ProxyProcess
from tests.support.client import RawClient


class Metrics:
    """One scrape of ``/metrics``."""

    def __init__(self, exposition: str) -> None:
        families = text_string_to_metric_families(exposition)
        self.samples = [sample for family in families for sample in family.samples]

    def total(self, name: str, **labels: str) -> float:
        """The sum of the samples called ``name`` that carry ``labels``, 0 if there are none."""
        wanted = labels.items()
        return sum(sample.value for sample in self.samples if sample.name == name and wanted <= sample.labels.items())


class Proxy(ProxyProcess):
    """``rproxy serve`` on a free port with an admin server.

    Either ``flags`` of the command line (``--listen`` and ``--admin`` are added), or a ``config`` in which the
    addresses of the first listener and of the admin server are set, or a ``file`` in which they are ``port`` and
    ``admin_port``.
    """

    def __init__(
        self,
        flags: Sequence[str] = (),
        *,
        config: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
        file: Path | None = None,
        port: int | None = None,
        admin_port: int | None = None,
    ) -> None:
        self.port = port or free_port()
        admin_port = admin_port or free_port()
        listen, admin = f"127.0.0.1:{self.port}", f"127.0.0.1:{admin_port}"
        arguments = list(flags)
        if file is not None:
            arguments += ["-c", str(file)]
        elif config is None:
            arguments += ["--listen", listen, "--admin", admin]
        else:
            first, *others = config["listeners"]
            config = {**config, "admin": {"address": admin}, "listeners": [{**first, "address": listen}, *others]}
        super().__init__(arguments, config=config, admin_port=admin_port, environment=environment)

    def client(self) -> RawClient:
        """A new connection to its first listener."""
        return RawClient(self.port)

    def admin(self, path: str) -> tuple[int, str]:
        """Status and body of a GET on the admin server."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.admin_port}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def metrics(self) -> Metrics:
        """A fresh scrape."""
        return Metrics(self.admin("/metrics")[1])

    def clusters(self) -> Any:
        """``/clusters``, decoded."""
        return json.loads(self.admin("/clusters")[1])


def config_of(
    seeds: str,
    *,
    mirrors: Sequence[Mapping[str, Any]] = (),
    settings: Mapping[str, Any] | None = None,
    cluster: Mapping[str, Any] | None = None,
    mirror_address: str | None = None,
) -> dict[str, Any]:
    """A configuration of one listener before the cluster ``main``, and the standalone ``mirror`` if it has an address.

    ``settings`` are the listener's, ``cluster`` further keys of ``main``, ``mirrors`` the route's mirror policies.
    """
    main = {"name": "main", "type": "redis_cluster", "endpoints": seeds.split(","), **(cluster or {})}
    route: dict[str, Any] = {"cluster": "main"}
    if mirrors:
        route["request_mirror_policy"] = [dict(mirror) for mirror in mirrors]
    proxy: dict[str, Any] = {"settings": dict(settings or {}), "prefix_routes": {"catch_all_route": route}}
    clusters: list[dict[str, Any]] = [main]
    if mirror_address:
        clusters.append({"name": "mirror", "type": "standalone", "endpoints": [mirror_address]})
    return {"listeners": [{"name": "redis", "redis_proxy": proxy}], "clusters": clusters}
