"""A workload is found in the repository by what declares it, or the candidates are named."""

from __future__ import annotations

import json

import pytest

from gitops_sre.cli.main import main
from gitops_sre.gitops import whereabouts
from gitops_sre.gitops.files import AtCommit
from gitops_sre.gitops.whereabouts import Whereabouts
from gitops_sre.model.outcome import Refused
from gitops_sre.model.target import WorkloadRef
from tests.gitops.commits import History
from tests.gitops.infra import deployment

WEB = WorkloadRef("Deployment", "production", "web")


def overlays(made: History, *environments: str) -> None:
    base = {
        "apps/web/base/d.yaml": deployment("web", "acme/web"),
        "apps/web/base/kustomization.yaml": "resources: [d.yaml]\n",
    }
    for each in environments:
        text = f"namespace: {each}\nresources: [../../base]\nimages:\n- name: acme/web\n  newTag: {each}-1\n"
        base[f"apps/web/overlays/{each}/kustomization.yaml"] = text
    made.commit(base)


def find(made: History, ref: WorkloadRef, environment: str = "", under: str = "") -> Whereabouts | Refused:
    return whereabouts.find(AtCommit(made.repository(), made.git("rev-parse", "HEAD")), ref, environment, under)


def test_the_overlay_of_its_namespace_applies_a_workload(made: History) -> None:
    overlays(made, "staging", "production")
    found = find(made, WEB)
    assert isinstance(found, Whereabouts), found
    assert found.folder == "apps/web/overlays/production"
    assert found.images == ("registry.example.com/platform/proxy", "acme/web")


def test_without_a_namespace_the_environment_decides_or_the_folders_are_named(made: History) -> None:
    overlays(made, "staging", "production")
    anywhere = WorkloadRef("Deployment", "", "web")
    answer = find(made, anywhere)
    assert isinstance(answer, Refused)
    assert "apps/web/overlays/production, apps/web/overlays/staging" in answer.reason
    found = find(made, anywhere, "staging")
    assert isinstance(found, Whereabouts)
    assert found.folder == "apps/web/overlays/staging"


def test_a_release_of_that_name_counts_where_no_manifest_does(made: History) -> None:
    release = (
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: web, namespace: production}\n"
        "spec:\n  values:\n    image: {repository: acme/web, tag: v1}\n"
    )
    made.commit({"apps/web/release.yaml": release})
    found = find(made, WEB)
    assert isinstance(found, Whereabouts), found
    assert found.images == ("acme/web",)
    assert found.reason.startswith("HelmRelease web stands in apps/web/release.yaml")
    assert isinstance(find(made, WorkloadRef("Deployment", "staging", "web")), Refused)


def test_a_workload_that_nothing_declares_is_refused(made: History) -> None:
    made.commit({"apps/web/d.yaml": deployment("other", "acme/web:v1")})
    answer = find(made, WEB)
    assert isinstance(answer, Refused)
    assert "name the app's folder" in answer.reason


def test_locate_answers_for_a_workload_alone(made: History, capsys: pytest.CaptureFixture[str]) -> None:
    overlays(made, "staging", "production")
    assert main(["locate", "--repo", str(made.folder), "--workload", "production/Deployment/web", "--json"]) == 0
    fields = json.loads(capsys.readouterr().out)["fields"]
    assert {(each["file"], each["where"], each["value"]) for each in fields} == {
        ("apps/web/base/d.yaml", "spec.template.spec.containers[0].image", "registry.example.com/platform/proxy:v9"),
        ("apps/web/overlays/production/kustomization.yaml", "images[0].newTag", "production-1"),
    }


def test_a_folder_that_is_named_is_where_the_answer_must_lie(made: History) -> None:
    overlays(made, "staging", "production")
    found = find(made, WorkloadRef("Deployment", "", "web"), under="apps/web/overlays/staging")
    assert isinstance(found, Whereabouts), found
    assert (found.folder, found.images[1]) == ("apps/web/overlays/staging", "acme/web")
    assert isinstance(find(made, WEB, under="apps/other"), Refused)


def test_a_chart_in_the_repository_needs_no_manifest_of_that_name_when_its_folder_is_named(
    made: History, capsys: pytest.CaptureFixture[str]
) -> None:
    template = deployment("{{ .Release.Name }}", "acme/web:v1").replace(
        "replicas: 2", "replicas: {{ .Values.replicaCount }}"
    )
    made.commit(
        {
            "charts/web/Chart.yaml": "apiVersion: v2\nname: web\nversion: 0.1.0\n",
            "charts/web/values.yaml": "replicaCount: 2\n",
            "charts/web/templates/d.yaml": template,
        }
    )
    asked = ["--path", "charts/web", "--workload", "production/Deployment/web", "--to", "3", "--no-proof"]
    assert main(["propose", "scale", "--repo", str(made.folder), *asked]) == 0
    assert "+replicaCount: 3" in capsys.readouterr().out
