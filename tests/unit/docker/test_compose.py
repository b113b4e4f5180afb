"""docker/compose.yaml: services that fit each other, rproxy's configuration and Prometheus's targets."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from rproxy.config.loader import parse

DOCKER = Path(__file__).parents[3] / "docker"
COMPOSE = yaml.safe_load((DOCKER / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
NODES = [f"redis-{number}" for number in range(1, 7)]
CONFIG_TEXT = (DOCKER / "rproxy.yaml").read_text()


def test_has_the_services_of_the_picture() -> None:
    assert set(SERVICES) == {*NODES, "cluster-init", "mirror", "rproxy", "prometheus"}


@pytest.mark.parametrize("name", NODES)
def test_a_node_announces_its_service_name(name: str) -> None:
    service = SERVICES[name]
    assert service["hostname"] == name
    (command,) = service["command"]
    assert "--cluster-enabled yes" in command
    assert '--cluster-announce-hostname "$$(hostname)"' in command
    assert "--cluster-preferred-endpoint-type hostname" in command


def test_every_dependency_is_a_service_that_can_satisfy_it() -> None:
    for name, service in SERVICES.items():
        wanted = service.get("depends_on", {})
        conditions = (
            wanted if isinstance(wanted, dict) else {other: {"condition": "service_started"} for other in wanted}
        )
        for other, how in conditions.items():
            assert other in SERVICES, f"{name} waits for {other}"
            if how["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other], f"{name} waits for the health of {other}"
            if how["condition"] == "service_completed_successfully":
                assert SERVICES[other]["restart"] == "no"


def test_cluster_init_joins_every_node() -> None:
    (script,) = SERVICES["cluster-init"]["command"]
    assert f'names="{" ".join(NODES)}"' in script
    assert set(SERVICES["cluster-init"]["depends_on"]) == set(NODES)


def test_no_single_dollar_reaches_compose() -> None:
    for name, service in SERVICES.items():
        for text in service.get("command", []):
            assert "$" not in text.replace("$$", ""), f"compose would substitute a variable in {name}"


def test_ports_are_published_on_loopback_alone() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_mounted_files_exist() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source, target, mode = volume.split(":")
            assert (DOCKER / source).is_file(), source
            assert target.startswith("/")
            assert mode == "ro"
    build = SERVICES["rproxy"]["build"]
    assert (DOCKER / build["context"] / build["dockerfile"]).is_file()


def test_configuration_names_services_and_published_ports() -> None:
    config = parse(CONFIG_TEXT, "docker/rproxy.yaml")
    plain = yaml.safe_load(CONFIG_TEXT)
    assert [cluster.name for cluster in config.clusters] == ["main", "mirror"]
    hosts = {endpoint.partition(":")[0] for cluster in plain["clusters"] for endpoint in cluster["endpoints"]}
    assert hosts <= set(SERVICES)
    inside = {port.rpartition(":")[2] for port in SERVICES["rproxy"]["ports"]}
    addresses = [plain["admin"]["address"], plain["listeners"][0]["address"]]
    assert {address.rpartition(":")[2] for address in addresses} == inside


def test_grace_period_is_longer_than_the_drain() -> None:
    grace = float(SERVICES["rproxy"]["stop_grace_period"].removesuffix("s"))
    assert grace > parse(CONFIG_TEXT, "docker/rproxy.yaml").drain_timeout


def test_rproxy_has_no_privileges() -> None:
    service = SERVICES["rproxy"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_prometheus_scrapes_the_admin_port() -> None:
    (job,) = yaml.safe_load((DOCKER / "prometheus.yml").read_text())["scrape_configs"]
    assert job["metrics_path"] == "/metrics"
    assert job["static_configs"] == [{"targets": ["rproxy:9900"]}]
