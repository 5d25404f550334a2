"""What is in deploy/, held to what each format allows and to what exists."""

from __future__ import annotations

import copy
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import compose_spec
import kubernetes_validate
import pytest
import yaml

from isengard.api.readings import Readings
from isengard.api.request_metrics import Figures
from isengard.core.settings import Settings
from isengard.jobs.models import JobStatus
from standins.compose_file import DEPLOY, Missing, compose_file, image_environment, needed_variables

_GIVEN = dict.fromkeys(needed_variables(), "x1")
_SETTINGS = {f"ISENGARD_{name.upper()}" for name in Settings.model_fields}


def test_the_compose_file_is_one_and_its_checker_checks() -> None:
    whole = compose_file(_GIVEN)
    compose_spec.PyCompose.from_yaml(yaml.safe_dump(whole))

    def broken(change: Callable[[dict[str, Any]], object]) -> str:
        spoilt = copy.deepcopy(whole)
        change(spoilt["services"])
        return yaml.safe_dump(spoilt)

    for change in (
        lambda services: services["api"].update(depends_on={"postgres": {"condition": "service_happy"}}),
        lambda services: services["api"].update(ports=["a:b:c:d"]),
        lambda services: services["redis"]["healthcheck"].update(interval="5 parsecs"),
    ):
        with pytest.raises(ValueError, match="services"):
            compose_spec.PyCompose.from_yaml(broken(change))


@pytest.mark.parametrize("name", sorted(needed_variables()))
def test_no_secret_of_the_compose_file_has_a_default(name: str) -> None:
    with pytest.raises(Missing, match=name):
        compose_file({**_GIVEN, name: ""})
    assert f"{name}=\n" in (DEPLOY / "example.env").read_text()


def test_what_the_compose_file_refers_to_exists() -> None:
    whole = compose_file(_GIVEN)
    for service in whole["services"].values():
        assert set(service.get("depends_on", {})) <= set(whole["services"])
        named = [volume.partition(":")[0] for volume in service.get("volumes", [])]
        assert set(named) <= set(whole["volumes"])
        assert {config["source"] for config in service.get("configs", [])} <= set(whole["configs"])
    json.loads(whole["configs"]["s3"]["content"])
    assert (DEPLOY / whole["configs"]["caddy"]["file"]).exists()


def test_every_setting_that_is_set_anywhere_exists() -> None:
    known = _SETTINGS | {"ISENGARD_LOG_STDOUT"}
    for path in DEPLOY.rglob("*"):
        if path.is_file():
            named = set(re.findall(r"ISENGARD_[A-Z_]*[A-Z](?![A-Z_])", path.read_text()))
            assert named <= known, path
    assert {name for name in image_environment() if name.startswith("ISENGARD")} <= _SETTINGS


def test_the_dockerfile_passes_its_linter_which_finds_what_is_wrong(tmp_path: Path) -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    lint = subprocess.run([hadolint, DEPLOY / "Dockerfile"], check=False, capture_output=True, text=True)
    assert lint.returncode == 0, lint.stdout
    (tmp_path / "Dockerfile").write_text("FROM python:latest\nRUN cd /x && sudo true\n")
    lint = subprocess.run([hadolint, tmp_path / "Dockerfile"], check=False, capture_output=True, text=True)
    assert {"DL3007", "DL3004"} <= set(re.findall(r"DL\d+", lint.stdout))


def test_the_image_copies_what_exists_and_runs_as_nobody_special() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    root = DEPLOY.parent
    for sources in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE):
        for source in sources.split():
            assert (root / source).exists(), source
            kept = (root / ".dockerignore").read_text().splitlines()
            assert f"!{source.partition('/')[0]}" in kept, source
    assert re.search(r"^USER 10001:10001$", text, re.MULTILINE)
    assert 'ENTRYPOINT ["tini", "--", "isengard"]' in text
    builds = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert all("/" not in image and not image.endswith(":latest") for image in builds)


@pytest.mark.parametrize("unit", sorted(path.name for path in (DEPLOY / "systemd").glob("*.service")))
def test_units_are_understood_and_shut_in(unit: str, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed")
    text = (DEPLOY / "systemd" / unit).read_text()
    placed = tmp_path / unit
    placed.write_text(text.replace("/opt/isengard/bin/isengard", sys.executable))  # which exists here

    def analyse(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["systemd-analyze", *arguments], check=False, capture_output=True, text=True, timeout=120)

    verified = analyse("verify", "--man=no", placed)
    about_it = [line for line in verified.stderr.splitlines() if unit in line]
    assert (about_it, verified.returncode) == ([], 0)
    placed.write_text(placed.read_text().replace("[Service]", "[Service]\nKillMood=process"))
    assert "KillMood" in analyse("verify", "--man=no", placed).stderr
    judged = analyse("security", "--no-pager", "--offline=true", "--threshold=25", placed)
    assert judged.returncode == 0, judged.stdout


def test_a_restart_of_the_workers_unit_leaves_its_trainings() -> None:
    text = (DEPLOY / "systemd" / "isengard-worker.service").read_text()
    assert "\nKillMode=process\n" in text
    assert "PrivateTmp" not in text  # it would go with the worker, under the trainings


def _documents() -> list[tuple[str, dict[str, Any]]]:
    files = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    return [(path.name, each) for path in files for each in yaml.safe_load_all(path.read_text())]


def _check(resource: dict[str, Any]) -> None:
    # An own copy without the file's anchors: the same object at two places is two values.
    kubernetes_validate.validate(json.loads(json.dumps(resource)), kubernetes_validate.latest_version(), strict=True)


def test_manifests_are_what_kubernetes_takes() -> None:
    checked = []
    for name, resource in _documents():
        if resource["apiVersion"].startswith(("kustomize", "ray.io")):
            continue
        _check(resource)
        checked.append(name)
    assert set(checked) == {"namespace.yaml", "site.yaml", "hosts.yaml", "raycluster.yaml"}
    spoilt = copy.deepcopy(next(each for _, each in _documents() if each["kind"] == "StatefulSet"))
    spoilt["spec"]["template"]["spec"]["containers"][0]["imagee"] = "x"
    with pytest.raises(kubernetes_validate.ValidationError):
        _check(spoilt)


def test_the_pods_of_the_ray_cluster_are_what_kubernetes_takes() -> None:
    (cluster,) = [each for _, each in _documents() if each["kind"] == "RayCluster"]
    groups = [cluster["spec"]["headGroupSpec"], *cluster["spec"]["workerGroupSpecs"]]
    for group in groups:
        _check({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "ray"}, "spec": group["template"]["spec"]})
        node = group["template"]["spec"]["containers"][0]
        port = group["rayStartParams"].get("node-manager-port", "6379")
        for probe in ("livenessProbe", "readinessProbe"):
            assert str(node[probe]["tcpSocket"]["port"]) == port, "KubeRay's own asks the dashboard's agent"
    assert cluster["spec"]["headGroupSpec"]["rayStartParams"]["include-dashboard"] == "false"


def test_kustomize_renders_what_its_file_lists() -> None:
    listed = yaml.safe_load((DEPLOY / "kubernetes" / "kustomization.yaml").read_text())["resources"]
    assert all((DEPLOY / "kubernetes" / name).exists() for name in listed)
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    command = ["kubectl", "kustomize", DEPLOY / "kubernetes"]
    rendered = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout
    kinds = [each["kind"] for each in yaml.safe_load_all(rendered)]
    assert kinds.count("StatefulSet") == 2


def test_every_query_of_the_dashboard_asks_for_a_figure_there_is() -> None:
    figures = Figures(lambda: Readings(dict.fromkeys(JobStatus, 0), 0, 1, 2.5, 10, {"otlp-logs": 7}))
    figures.observe("GET", "/health", 200, 0.01)
    exposed = {line.partition("{")[0].partition(" ")[0] for line in figures.text().decode().splitlines()}
    dashboard = json.loads((DEPLOY / "grafana" / "isengard.json").read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    asked += [each["query"] for each in dashboard["templating"]["list"] if each["type"] == "query"]
    assert len(asked) > 12
    for query in asked:
        names = re.findall(r"\b(?:isengard|process|python)_[a-z_]+\b", query)
        assert names, query
        assert set(names) <= exposed, query


def test_the_public_workflow_does_what_ours_does_with_actions_pinned_by_commit() -> None:
    workflow = yaml.safe_load((DEPLOY.parent / ".github" / "workflows" / "ci.yml").read_text())
    steps = workflow["jobs"]["ci"]["steps"]
    assert [step["run"] for step in steps if "run" in step] == ["bash .ci/run"]
    assert all(re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", step["uses"]) for step in steps if "uses" in step)
    assert workflow["permissions"] == {"contents": "read"}
