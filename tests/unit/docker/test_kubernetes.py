"""docker/kubernetes: objects that fit each other, and configurations that rproxy accepts."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from rproxy.config.loader import parse

FOLDER = Path(__file__).parents[3] / "docker/kubernetes"
Manifest = dict[str, Any]
FILES = {path.name: list(yaml.safe_load_all(path.read_text())) for path in sorted(FOLDER.glob("*.yaml"))}
OBJECTS: list[Manifest] = [found for name, all_of in FILES.items() if name != "kustomization.yaml" for found in all_of]
WORKLOADS = [found for found in OBJECTS if found["kind"] in ("Deployment", "StatefulSet", "Job")]
CONFIGS = {
    found["metadata"]["name"]: found["data"]["rproxy.yaml"]
    for found in OBJECTS
    if found["kind"] == "ConfigMap" and "rproxy.yaml" in found["data"]
}
SCRIPTS = [
    (found["metadata"]["name"], name)
    for found in OBJECTS
    if found["kind"] == "ConfigMap"
    for name in found["data"]
    if name.endswith(".sh")
]


def get(kind: str, name: str) -> Manifest:
    (found,) = [one for one in OBJECTS if one["kind"] == kind and one["metadata"]["name"] == name]
    return found


def pod(workload: Manifest) -> Manifest:
    template: Manifest = workload["spec"]["template"]
    return template


def containers(workload: Manifest) -> list[Manifest]:
    spec = pod(workload)["spec"]
    found: list[Manifest] = spec.get("initContainers", []) + spec["containers"]
    return found


def proxies() -> list[tuple[Manifest, Manifest]]:
    """Every workload with an rproxy container, and that container."""
    return [(one, box) for one in WORKLOADS for box in containers(one) if box["name"] == "rproxy"]


def ident(manifest: Manifest) -> str:
    return f"{manifest['kind']}/{manifest['metadata']['name']}"


@pytest.mark.parametrize("manifest", OBJECTS, ids=ident)
def test_an_object_says_what_it_is(manifest: Manifest) -> None:
    assert manifest["apiVersion"]
    assert manifest["metadata"]["name"]
    assert "spec" in manifest or "data" in manifest


def test_names_are_unique_by_kind() -> None:
    names = [ident(one) for one in OBJECTS]
    assert len(names) == len(set(names))


def test_kustomization_lists_every_file_that_needs_no_operator() -> None:
    (kustomization,) = FILES["kustomization.yaml"]
    optional = {"kustomization.yaml", "rproxy-servicemonitor.yaml"}
    assert set(kustomization["resources"]) == set(FILES) - optional


@pytest.mark.parametrize("name", CONFIGS)
def test_an_embedded_configuration_is_accepted(name: str) -> None:
    config = parse(CONFIGS[name], name)
    assert config.clusters[0].name == "main"


def test_there_is_a_configuration_for_each_way_to_run() -> None:
    assert set(CONFIGS) == {"rproxy", "rproxy-sidecar"}


@pytest.mark.parametrize("manifest", WORKLOADS, ids=ident)
def test_selectors_match_the_pods(manifest: Manifest) -> None:
    if manifest["kind"] != "Job":
        wanted = manifest["spec"]["selector"]["matchLabels"]
        assert wanted.items() <= pod(manifest)["metadata"]["labels"].items()


def test_services_and_budgets_select_existing_pods() -> None:
    labels = [pod(one)["metadata"]["labels"] for one in WORKLOADS if one["kind"] != "Job"]
    for one in OBJECTS:
        if one["kind"] == "Service":
            wanted = one["spec"]["selector"]
        elif one["kind"] == "PodDisruptionBudget":
            wanted = one["spec"]["selector"]["matchLabels"]
        else:
            continue
        assert any(wanted.items() <= found.items() for found in labels), ident(one)


@pytest.mark.parametrize("manifest", WORKLOADS, ids=ident)
def test_pods_run_without_privileges_and_within_bounds(manifest: Manifest) -> None:
    assert pod(manifest)["spec"]["securityContext"]["runAsNonRoot"] is True
    for box in containers(manifest):
        context = box["securityContext"]
        assert context["readOnlyRootFilesystem"] is True
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert {"cpu", "memory"} <= box["resources"]["requests"].keys()
        assert "memory" in box["resources"]["limits"]


@pytest.mark.parametrize("manifest", WORKLOADS, ids=ident)
def test_mounted_volumes_and_config_maps_exist(manifest: Manifest) -> None:
    spec = pod(manifest)["spec"]
    volumes = {volume["name"] for volume in spec.get("volumes", [])}
    volumes |= {claim["metadata"]["name"] for claim in manifest["spec"].get("volumeClaimTemplates", [])}
    for box in containers(manifest):
        assert {mount["name"] for mount in box.get("volumeMounts", [])} <= volumes
    for volume in spec.get("volumes", []):
        if "configMap" in volume:
            get("ConfigMap", volume["configMap"]["name"])


def test_rproxy_runs_as_a_deployment_and_as_a_sidecar() -> None:
    assert [ident(one) for one, _ in proxies()] == ["Deployment/rproxy", "Deployment/redis-client"]


@pytest.mark.parametrize(("manifest", "box"), proxies(), ids=["deployment", "sidecar"])
class TestProxyContainer:
    """What holds for rproxy in either place."""

    def config_text(self, manifest: Manifest) -> str:
        (volume,) = [one for one in pod(manifest)["spec"]["volumes"] if "configMap" in one]
        return CONFIGS[volume["configMap"]["name"]]

    def test_probes_ask_the_admin_port(self, manifest: Manifest, box: Manifest) -> None:
        admin = yaml.safe_load(self.config_text(manifest))["admin"]["address"]
        ports = {port["name"]: port["containerPort"] for port in box["ports"]}
        assert admin == f"0.0.0.0:{ports['admin']}", "probes come from outside the pod"
        assert box["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "admin"}
        assert box["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "admin"}

    def test_annotations_lead_prometheus_to_the_admin_port(self, manifest: Manifest, box: Manifest) -> None:
        annotations = pod(manifest)["metadata"]["annotations"]
        ports = {port["name"]: port["containerPort"] for port in box["ports"]}
        assert annotations["prometheus.io/scrape"] == "true"
        assert annotations["prometheus.io/port"] == str(ports["admin"])
        assert annotations["prometheus.io/path"] == "/metrics"

    def test_grace_period_covers_the_pause_and_the_drain(self, manifest: Manifest, box: Manifest) -> None:
        pause = float(box.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", ["", "0"])[1])
        drain = parse(self.config_text(manifest), "config").drain_timeout
        assert pod(manifest)["spec"]["terminationGracePeriodSeconds"] > pause + drain

    def test_mounts_the_configuration_where_the_image_reads_it(self, manifest: Manifest, box: Manifest) -> None:
        (mount,) = box["volumeMounts"]
        assert mount["mountPath"] == "/etc/rproxy"
        assert '"/etc/rproxy/rproxy.yaml"' in (FOLDER.parent / "Dockerfile").read_text()

    def test_runs_as_the_user_of_the_image(self, manifest: Manifest, box: Manifest) -> None:
        user = {**pod(manifest)["spec"]["securityContext"], **box["securityContext"]}
        assert f"USER {user['runAsUser']}:{user['runAsGroup']}\n" in (FOLDER.parent / "Dockerfile").read_text()

    def test_seeds_are_names_of_services_in_this_folder(self, manifest: Manifest, box: Manifest) -> None:
        services = {one["metadata"]["name"] for one in OBJECTS if one["kind"] == "Service"}
        for cluster in yaml.safe_load(self.config_text(manifest))["clusters"]:
            for endpoint in cluster["endpoints"]:
                assert endpoint.partition(":")[0].rpartition(".")[2] in services


def test_the_sidecar_listens_on_loopback_and_outlives_its_client() -> None:
    spec = pod(get("Deployment", "redis-client"))["spec"]
    (sidecar,) = spec["initContainers"]
    assert sidecar["restartPolicy"] == "Always"
    assert yaml.safe_load(CONFIGS["rproxy-sidecar"])["listeners"][0]["address"].startswith("127.0.0.1:")


def test_the_service_reaches_the_listener() -> None:
    (port,) = get("Service", "rproxy")["spec"]["ports"]
    (box,) = containers(get("Deployment", "rproxy"))
    target = {one["name"]: one["containerPort"] for one in box["ports"]}[port["targetPort"]]
    address = yaml.safe_load(CONFIGS["rproxy"])["listeners"][0]["address"]
    assert address.rpartition(":")[2] == str(target)


def test_a_deployment_never_goes_below_its_size_or_its_budget() -> None:
    spec = get("Deployment", "rproxy")["spec"]
    assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert get("PodDisruptionBudget", "rproxy")["spec"]["minAvailable"] < spec["replicas"]


def test_cluster_nodes_announce_names_behind_a_headless_service() -> None:
    service = get("Service", "redis-cluster")["spec"]
    assert service["clusterIP"] == "None"
    assert service["publishNotReadyAddresses"] is True
    stateful = get("StatefulSet", "redis-cluster")
    assert stateful["spec"]["serviceName"] == "redis-cluster"
    data = get("ConfigMap", "redis-cluster")["data"]
    assert "cluster-preferred-endpoint-type hostname" in data["redis.conf"]
    assert '--cluster-announce-hostname "$POD_NAME.$DOMAIN"' in data["start.sh"]


@pytest.mark.parametrize("kind", ["StatefulSet/redis-cluster", "Job/redis-cluster-create"])
def test_the_scripts_know_every_pod(kind: str) -> None:
    pods = [f"redis-cluster-{number}" for number in range(get("StatefulSet", "redis-cluster")["spec"]["replicas"])]
    (box,) = containers(get(*kind.split("/")))
    environment = {one["name"]: one.get("value") for one in box["env"]}
    assert environment["PEERS"].split() == pods
    assert environment["DOMAIN"].startswith("redis-cluster.")


@pytest.mark.parametrize(("config_map", "script"), SCRIPTS)
def test_a_script_is_valid_shell(config_map: str, script: str) -> None:
    shell = shutil.which("sh")
    assert shell is not None
    text = get("ConfigMap", config_map)["data"][script]
    checked = subprocess.run([shell, "-n"], input=text, text=True, capture_output=True)
    assert checked.returncode == 0, checked.stderr


def test_service_monitor_selects_the_admin_service() -> None:
    spec = get("ServiceMonitor", "rproxy")["spec"]
    service = get("Service", "rproxy-admin")
    assert spec["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert [one["port"] for one in spec["endpoints"]] == [port["name"] for port in service["spec"]["ports"]]
