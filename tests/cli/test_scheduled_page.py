"""What docs/scheduled-job.md shows can be applied as it stands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml

from gitops_sre.cli.main import cli
from gitops_sre.settings import KubernetesSettings
from gitops_sre.verification.announced import ARGOCD

PAGE = (Path(__file__).parents[2] / "docs" / "scheduled-job.md").read_text()


def shown(kind: str) -> dict[str, Any]:
    """The object of a kind among the page's examples."""
    blocks = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (found,) = (each for block in blocks for each in yaml.safe_load_all(block) if each.get("kind") == kind)
    return dict(found)


def test_the_cron_job_satisfies_the_kubernetes_api_and_calls_a_command_that_there_is() -> None:
    job = shown("CronJob")
    kubernetes_validate.validate(job, kubernetes_validate.latest_version(), strict=True)
    (container,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    program, command, *options = container["command"]
    assert program == "gitops-sre"
    known = {name for each in cli.commands[command].params for name in each.opts}
    assert {option for option in options if option.startswith("--")} <= known


def test_argo_cds_notifications_post_the_contexts_that_count() -> None:
    data = shown("ConfigMap")["data"]
    sent = {
        name for key, text in data.items() if key.startswith("trigger.") for name in yaml.safe_load(text)[0]["send"]
    }
    templates = {
        key.removeprefix("template."): yaml.safe_load(text) for key, text in data.items() if "template." in key
    }
    assert sent == set(templates)
    assert {each["github"]["status"]["label"] for each in templates.values()} == {f"{ARGOCD}{{{{.app.metadata.name}}}}"}
    triggers = {key.removeprefix("trigger.") for key in data if key.startswith("trigger.")}
    assert set(yaml.safe_load(data["subscriptions"])[0]["triggers"]) == triggers


def test_fluxs_alert_goes_to_the_provider_that_is_shown() -> None:
    provider, alert = shown("Provider"), shown("Alert")
    assert alert["spec"]["providerRef"]["name"] == provider["metadata"]["name"]
    assert [each["kind"] for each in alert["spec"]["eventSources"]] == ["Kustomization"]


def test_the_setting_that_the_page_names_is_one() -> None:
    assert "kubernetes: {enabled: false}" in PAGE
    assert "enabled" in KubernetesSettings.model_fields
