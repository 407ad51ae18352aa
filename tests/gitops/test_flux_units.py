"""Which Flux Kustomizations apply a folder, and how patches choose objects."""

from __future__ import annotations

import pytest

from gitops_sre.gitops.flux import kinds
from gitops_sre.gitops.flux.objects import read
from gitops_sre.gitops.flux.patches import selects
from gitops_sre.gitops.flux.units import app_root, kustomizations, units
from tests.gitops.flux_files import Memory, applies, release, repo, source


def folders(files: Memory, scope: str) -> list[str]:
    return [unit.folder for unit in units(files, scope) if unit.kustomization]


def test_an_app_has_the_kustomizations_that_stand_in_its_folder() -> None:
    ks = applies("apps/plex/app", name="plex") + "---\n" + applies("apps/plex/tools", name="plex-tools")
    texts = {"apps/plex/ks.yaml": ks, "apps/plex/app/r.yaml": release(""), "apps/plex/tools/r.yaml": release("")}
    files = repo({**texts, "flux/all.yaml": applies("apps", name="all")})
    assert folders(files, "apps/plex") == ["apps/plex/app", "apps/plex/tools"]
    assert folders(files, "apps/plex/app") == ["apps/plex/app"]


def test_the_nearest_kustomization_around_a_folder_applies_it() -> None:
    texts = {
        "a.yaml": applies("apps", name="all"),
        "b.yaml": applies("apps/eu", name="eu"),
        "apps/eu/web/r.yaml": release(""),
    }
    files = repo(texts)
    assert folders(files, "apps/eu/web") == ["apps/eu"]
    [unit] = [unit for unit in units(files, "apps/eu/web") if unit.objects]
    assert unit.kustomization is not None
    assert unit.kustomization.key == "flux-system/eu"


def test_a_file_leads_to_its_apps_folder() -> None:
    texts = {"apps/plex/ks.yaml": applies("apps/plex/app", name="plex"), "apps/plex/app/r.yaml": release("")}
    files = repo({**texts, "clusters/eu.yaml": applies("eu/web", name="web"), "eu/web/x/r.yaml": release("")})
    assert app_root(files, "apps/plex/app/r.yaml") == "apps/plex"
    assert app_root(files, "eu/web/x/r.yaml") == "eu/web"
    assert app_root(files, "other/r.yaml") == "other/r.yaml"


def test_a_folder_of_another_repository_is_not_this_ones() -> None:
    other = applies("apps/web", name="web").replace("name: flux-system}", "name: other}", 1)
    texts = {
        "k.yaml": other,
        "own.yaml": source("GitRepository", "url: https://git.example.com/infra", "flux-system"),
        "other.yaml": source("GitRepository", "url: https://git.example.com/other", "other"),
        "apps/web/r.yaml": release(""),
    }
    assert [each.key for each in kustomizations(repo({**texts, "k.yaml": applies("apps/web")}), ["apps/web"])] != []
    assert kustomizations(repo(texts), ["apps/web"]) == ()


@pytest.mark.parametrize(
    ("spec", "name"), [("", "shop"), ("targetNamespace: eu", "eu-shop"), ("releaseName: mine", "mine")]
)
def test_a_releases_name_follows_its_target_namespace(spec: str, name: str) -> None:
    [item] = read(repo({"r.yaml": release(spec)}), "r.yaml")
    assert kinds.helm_release(item).release_name == name


@pytest.mark.parametrize(
    ("selector", "fits"),
    [
        ("", True),
        ("app=web", True),
        ("app==web,tier", True),
        ("app!=web", False),
        ("app in (api, web)", True),
        ("app notin (web)", False),
        ("missing notin (true)", True),
        ("!tier", False),
        ("!missing", True),
        ("missing", False),
    ],
)
def test_a_label_selector_chooses_as_kubernetes_does(selector: str, fits: bool) -> None:
    assert selects(selector, {"app": "web", "tier": "front"}) is fits
