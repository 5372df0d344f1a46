"""The files of deploy/: they parse, what they name exists, and their settings are settings."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

REPO = Path(__file__).resolve().parents[2]
DEPLOY = REPO / "deploy"


class Loader(yaml.SafeLoader):
    """CloudFormation's short forms (!Ref, !Sub, …) as what they stand beside."""


Loader.add_multi_constructor("!", lambda loader, suffix, node: loader.construct_object(
    type(node)(node.tag and f"tag:yaml.org,2002:{ {'scalar': 'str', 'sequence': 'seq', 'mapping': 'map'}[node.id] }", node.value)))


def documents(path):
    return [d for d in yaml.load_all(path.read_text(), Loader) if d]


@pytest.mark.parametrize("path", sorted(DEPLOY.rglob("*.yaml")), ids=lambda p: p.name)
def test_yaml_parses(path):
    assert documents(path)


def test_settings_are_known(program):
    known = set(re.findall(r"^\| `([a-z_.]+)` \|", (REPO / "docs/options.md").read_text(), re.M))
    used = {s for path in DEPLOY.rglob("*") if path.is_file()
            for s in re.findall(r"\b((?:serve|infer|predictions)\.[a-z_]+)(?==)", path.read_text())}
    assert used and not used - known, used - known


def test_lambda_template():
    (template,) = documents(DEPLOY / "lambda/template.yaml")
    function = template["Resources"]["Function"]["Properties"]
    assert (function["Runtime"], function["Handler"]) == ("provided.al2023", "bootstrap")
    assert (DEPLOY / "lambda" / function["CodeUri"]).resolve() == REPO / "build/lambda/fakenews-lambda.zip"
    assert function["Timeout"] < 29


def test_probes_are_routes_and_times_fit():
    routes = (REPO / "src/serve/routes.c").read_text()
    for path in (DEPLOY / "kubernetes/deployment.yaml", DEPLOY / "cloudrun/service.yaml"):
        (service,) = documents(path)
        spec = service["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        for probe in ("startupProbe", "livenessProbe"):
            assert f'"{container[probe]["httpGet"]["path"]}"' in routes
        settings = dict(a.split("=") for a in container["args"][1:])
        limit = spec.get("terminationGracePeriodSeconds", 10)
        assert int(settings.get("serve.drain_delay_s", 0)) < int(settings["serve.shutdown_timeout_s"]) < limit


def test_dockerfile():
    """Paths are those of the installation, libraries those that the program loads or links."""
    text = (DEPLOY / "container/Dockerfile").read_text()
    for copied in re.findall(r"^COPY (?!--from)(\S+)", text, re.M):
        assert (REPO / copied).exists()
    final = text.split("FROM debian:bookworm-slim\n")[1]
    named = subprocess.run(["grep", "-rhoE", r'"lib(microhttpd12|pq5|sqlite3-0)"', REPO / "src"], capture_output=True, text=True)
    for package in {json.loads(line) for line in named.stdout.splitlines()}:
        assert f" {package} " in final, package
    assert re.search(r"^USER [1-9]\d+:[1-9]\d+$", final, re.M) and "HEALTHCHECK" in final
