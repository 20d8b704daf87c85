from ipaddress import ip_address, ip_network
from pathlib import Path

import kubernetes_validate
import pytest

from fleet.egress import is_public
from fleet.queues import BATCHES_QUEUE, SHARED_QUEUES
from fleet.settings import Settings
from tests.kubernetes import (
    FOLDER,
    Object,
    container,
    environment,
    kustomization,
    named,
    objects,
    of_kind,
    pod,
    title,
    workloads,
)

_DOCS = (Path(__file__).parents[2] / "docs/kubernetes.md").read_text()
# What clusters run today, and the newest whose schemas there are.
_VERSIONS = ("1.34", kubernetes_validate.latest_version())
_OWN = [one for one in objects() if "keda.sh" not in one["apiVersion"]]
_PROGRAMS = [one for one in workloads() if one["metadata"]["name"] != "redis"]
_MARGIN_SECONDS = 10
_ADDRESSES = (
    *("10.1.2.3", "172.20.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "127.0.0.1", "0.0.0.0", "224.0.0.1"),
    *("198.18.0.1", "255.255.255.255", "::1", "::", "fd00::1", "fe80::1", "ff02::1", "::ffff:10.0.0.1"),
    *("93.184.215.14", "8.8.8.8", "2606:4700::1111"),
)


@pytest.mark.parametrize("version", _VERSIONS)
@pytest.mark.parametrize("one", _OWN, ids=title)
def test_kubernetes_knows_every_field(one: Object, version: str) -> None:
    kubernetes_validate.validate(one, version, strict=True)


@pytest.mark.parametrize("part", ["base", "trial"])
def test_every_file_is_a_resource(part: str) -> None:
    files = {path.name for path in (FOLDER / part).iterdir()} - {"kustomization.yaml"}
    listed = {name for name in kustomization(part)["resources"] if not name.startswith("..")}
    assert listed == files


@pytest.mark.parametrize("one", objects(), ids=title)
def test_everything_is_in_the_namespace_of_its_own(one: Object) -> None:
    namespace = one["metadata"]["name"] if one["kind"] == "Namespace" else one["metadata"]["namespace"]
    assert namespace == kustomization("base")["namespace"] == kustomization("trial")["namespace"]


@pytest.mark.parametrize("workload", workloads(), ids=title)
def test_a_workload_selects_its_own_pods(workload: Object) -> None:
    assert _selects(workload["spec"]["selector"]["matchLabels"], workload)


@pytest.mark.parametrize("one", of_kind("Service", "PodDisruptionBudget", "NetworkPolicy"), ids=title)
def test_what_selects_pods_finds_those_of_its_name(one: Object) -> None:
    found = {workload["metadata"]["name"] for workload in workloads() if _selects(_selector(one), workload)}
    everything = {"api", "worker", "redis"}
    assert found == (everything if one["metadata"]["name"] in {"nothing", "dns"} else {one["metadata"]["name"]})


def _selector(one: Object) -> dict[str, str]:
    spec = one["spec"]
    if one["kind"] == "Service":
        return dict(spec["selector"])
    return dict((spec.get("selector") or spec["podSelector"]).get("matchLabels", {}))


def _selects(labels: dict[str, str], workload: Object) -> bool:
    of_pods: dict[str, str] = pod(workload)["metadata"]["labels"]
    return labels.items() <= of_pods.items()


@pytest.mark.parametrize("workload", workloads(), ids=title)
def test_probes_and_services_name_ports_that_there_are(workload: Object) -> None:
    ports = {port["name"] for port in container(workload)["ports"]}
    probes = [probe for name, probe in container(workload).items() if name.endswith("Probe")]
    asked = {probe["httpGet"]["port"] for probe in probes if "httpGet" in probe}
    services = [one for one in of_kind("Service") if one["metadata"]["name"] == workload["metadata"]["name"]]
    asked |= {port["targetPort"] for service in services for port in service["spec"]["ports"]}
    assert asked <= ports


@pytest.mark.parametrize(("workload", "setting"), [("api", "FLEET_BIND"), ("worker", "FLEET_METRICS_BIND")])
def test_programs_listen_where_the_network_lets_others_in(workload: str, setting: str) -> None:
    deployment = named("Deployment", workload)
    listens = int(environment(deployment)[setting].rpartition(":")[2])
    (ingress,) = named("NetworkPolicy", workload)["spec"]["ingress"]
    assert [port["containerPort"] for port in container(deployment)["ports"]] == [listens]
    assert [port["port"] for port in ingress["ports"]] == [listens]


@pytest.mark.parametrize("workload", _PROGRAMS, ids=title)
def test_settings_are_those_of_the_fleet(workload: Object) -> None:
    known = {f"FLEET_{name.upper()}" for name in Settings.model_fields}
    assert set(environment(workload)) <= known


@pytest.mark.parametrize("workload", _PROGRAMS, ids=title)
def test_settings_have_values_that_the_fleet_takes(workload: Object, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment(workload).items():
        monkeypatch.setenv(name, value)
    Settings()


def test_a_worker_has_the_memory_that_it_reckons_with() -> None:
    worker = named("Deployment", "worker")
    resources = container(worker)["resources"]
    assert resources["limits"]["memory"] == resources["requests"]["memory"] == "1Gi"
    assert environment(worker)["FLEET_MEMORY_LIMIT_MB"] == "1024"


@pytest.mark.parametrize("workload", _PROGRAMS, ids=title)
def test_a_pod_has_the_time_that_its_end_takes(workload: Object) -> None:
    before = int(container(workload)["lifecycle"]["preStop"]["exec"]["command"][-1])
    grace = int(environment(workload)["FLEET_SHUTDOWN_GRACE"])
    assert pod(workload)["spec"]["terminationGracePeriodSeconds"] >= before + grace + _MARGIN_SECONDS


@pytest.mark.parametrize("workload", workloads(), ids=title)
def test_a_container_may_do_nothing_that_it_need_not(workload: Object) -> None:
    of_pod, of_container = pod(workload)["spec"]["securityContext"], container(workload)["securityContext"]
    assert of_pod["runAsNonRoot"] is True
    assert of_pod["runAsUser"] > 0
    assert of_pod["seccompProfile"]["type"] in {"RuntimeDefault", "Localhost"}
    assert of_container == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod(workload)["spec"]["automountServiceAccountToken"] is False


@pytest.mark.parametrize("workload", workloads(), ids=title)
def test_what_is_mounted_is_there(workload: Object) -> None:
    volumes = {volume["name"] for volume in pod(workload)["spec"].get("volumes", [])}
    volumes |= {claim["metadata"]["name"] for claim in workload["spec"].get("volumeClaimTemplates", [])}
    assert {mount["name"] for mount in container(workload)["volumeMounts"]} == volumes


@pytest.mark.parametrize("workload", _PROGRAMS, ids=title)
def test_artifacts_lie_on_the_volume_that_both_share(workload: Object) -> None:
    (claimed,) = [one for one in pod(workload)["spec"]["volumes"] if "persistentVolumeClaim" in one]
    assert claimed["persistentVolumeClaim"]["claimName"] == of_kind("PersistentVolumeClaim")[0]["metadata"]["name"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container(workload)["volumeMounts"]}
    assert environment(workload)["FLEET_ARTIFACTS_URL"] == f"file:{mounts[claimed['name']]}"


def test_a_worker_is_told_neither_keys_nor_secrets_of_the_api() -> None:
    secrets = {
        name: {source["secretRef"]["name"] for source in container(named("Deployment", name))["envFrom"]}
        for name in ("api", "worker")
    }
    assert secrets["worker"] < secrets["api"]


def test_every_secret_is_explained() -> None:
    names = {source["secretRef"]["name"] for one in _PROGRAMS for source in container(one)["envFrom"]}
    names |= {ref["name"] for one in of_kind("TriggerAuthentication") for ref in one["spec"]["secretTargetRef"]}
    assert {name for name in names if f"secret generic {name} " not in _DOCS} == set()


def test_keda_looks_at_the_queues_that_all_workers_pull() -> None:
    triggers = named("ScaledObject", "worker")["spec"]["triggers"]
    lists = {trigger["metadata"]["listName"] for trigger in triggers if trigger["type"] == "redis"}
    # Batches are fed as many captures as there are workers for: their queue stays short.
    assert lists == set(SHARED_QUEUES) - {BATCHES_QUEUE}


def test_keda_scales_what_there_is_with_secrets_that_there_are() -> None:
    spec = named("ScaledObject", "worker")["spec"]
    assert "replicas" not in named("Deployment", spec["scaleTargetRef"]["name"])["spec"]
    asked = {trigger["authenticationRef"]["name"] for trigger in spec["triggers"]}
    assert asked == {one["metadata"]["name"] for one in of_kind("TriggerAuthentication")}
    assert 1 <= spec["minReplicaCount"] < spec["maxReplicaCount"]


@pytest.mark.parametrize("address", _ADDRESSES)
def test_a_worker_reaches_the_same_addresses_as_its_egress_policy(address: str) -> None:
    blocks = [
        to["ipBlock"]
        for rule in named("NetworkPolicy", "worker")["spec"]["egress"]
        for to in rule["to"]
        if "ipBlock" in to
    ]
    ip = ip_address(address)
    reached = any(
        ip in ip_network(block["cidr"]) and not any(ip in ip_network(one) for one in block["except"])
        for block in blocks
    )
    assert reached == is_public(ip)


def test_a_worker_reaches_nothing_of_the_cluster_but_redis_and_dns() -> None:
    rules = [rule for name in ("worker", "dns") for rule in named("NetworkPolicy", name)["spec"]["egress"]]
    pods = [
        tuple(to["podSelector"]["matchLabels"].values()) for rule in rules for to in rule["to"] if "podSelector" in to
    ]
    assert pods == [("redis",), ("kube-dns",)]
