"""Image updaters are held off in the same commit, as narrowly as can be, and let go by the follow-up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gitops_sre.gitops.target import at_path
from tests.gitops.fights import Ring, ring
from tests.gitops.infra import Infra

IMAGE = "registry.example.com/shop/web"


def release(tag: str = "1.4.2", policy: str = "flux-system:web", name: str = "web") -> str:
    return f"""\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata:
  name: {name}
spec:
  values:
    image:
      repository: {IMAGE}
      tag: {tag} # {{"$imagepolicy": "{policy}:tag"}}
"""


TAG = ("spec", "values", "image", "tag")
POLICY = """\
apiVersion: image.toolkit.fluxcd.io/v1beta2
kind: ImagePolicy
metadata:
  name: web
  namespace: flux-system
spec:
  imageRepositoryRef:
    name: web
  policy:
    semver:
      range: {range}  # stay on one
"""
AUTOMATION = """\
apiVersion: image.toolkit.fluxcd.io/v1beta2
kind: ImageUpdateAutomation
metadata:
  name: {name}
  namespace: flux-system
spec:
  interval: 30m
  update:
    path: {path}
    strategy: Setters
"""


def flux(world: Infra, **files: str) -> Ring:
    named = {name.replace("__", "/") + ".yaml": text for name, text in files.items()}
    return ring(world, named, "apps/production")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("1.x", '"1.x, <=1.4.1"'),
        ("'>=1.0.0 <2.0.0'", "'>=1.0.0 <2.0.0, <=1.4.1'"),
        ('"^1.2 || ^0.9"', '"^1.2, <=1.4.1 || ^0.9, <=1.4.1"'),
        ("~1.4", '"~1.4, <=1.4.1"'),
    ],
)
def test_a_flux_policy_is_narrowed_to_the_restored_version(world: Infra, before: str, after: str) -> None:
    fight = flux(
        world,
        apps__production__web=release(),
        images__policy=POLICY.format(range=before),
        images__automation=AUTOMATION.format(name="all", path="./apps"),
    )
    draft, files = fight.pinned(fight.edit("apps/production/web.yaml", TAG, "1.4.1"))
    assert files["images/policy.yaml"] == POLICY.format(range=after)
    assert "images/automation.yaml" not in files
    assert [edit.part for edit in draft.edits] == ["target", "pin"]
    assert "takes nothing above 1.4.1" in draft.notes[0]
    assert draft.follow_ups[0].reason.startswith("takes off the pin: ImagePolicy web")


def test_a_flux_policy_that_writes_other_files_is_left_and_the_one_automation_rests(world: Infra) -> None:
    fight = flux(
        world,
        apps__production__web=release(),
        apps__staging__web=release(),
        images__policy=POLICY.format(range="1.x"),
        images__automation=AUTOMATION.format(name="all", path="./apps"),
    )
    draft, files = fight.pinned(fight.edit("apps/production/web.yaml", TAG, "1.4.1"))
    assert "images/policy.yaml" not in files
    assert "suspend: true" in files["images/automation.yaml"]
    assert "no image below apps is updated (2 files)" in draft.notes[0]


def test_another_file_that_already_holds_the_restored_version_does_not_widen_the_pin(world: Infra) -> None:
    fight = flux(
        world,
        apps__production__web=release(),
        apps__staging__web=release("1.4.1"),
        images__policy=POLICY.format(range="1.x"),
    )
    _, files = fight.pinned(fight.edit("apps/production/web.yaml", TAG, "1.4.1"))
    assert "<=1.4.1" in files["images/policy.yaml"]


def test_an_automation_that_says_it_is_not_suspended_is_suspended_in_place(world: Infra) -> None:
    text = AUTOMATION.format(name="all", path="./apps") + "  suspend: false # never for long\n"
    fight = flux(world, apps__production__web=release("main-abc-1"), images__automation=text)
    _, files = fight.pinned(fight.edit("apps/production/web.yaml", TAG, "main-abd-0"))
    assert files["images/automation.yaml"] == text.replace("false", "true")


def test_a_policy_that_sorts_by_a_part_of_the_tag_is_narrowed_to_that_part(world: Infra) -> None:
    text = POLICY.format(range="1.x").replace(
        "  policy:", "  filterTags:\n    pattern: ^web-(?P<v>.*)$\n    extract: $v\n  policy:"
    )
    fight = flux(world, apps__production__web=release("web-1.4.2"), images__policy=text)
    _, files = fight.pinned(fight.edit("apps/production/web.yaml", TAG, "web-1.4.1"))
    assert 'range: "1.x, <=1.4.1"' in files["images/policy.yaml"]


BY_TIME = """\
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata:
  name: web
spec:
  {filter}policy:
    {sort}:
      order: asc
"""


@pytest.mark.parametrize("sort", ["alphabetical", "numerical"])
def test_a_policy_that_goes_by_time_takes_the_restored_tag_alone(world: Infra, sort: str) -> None:
    pattern = "filterTags:\n    pattern: {}\n    extract: $ts\n  "
    text = BY_TIME.format(sort=sort, filter=pattern.format("'^main-[a-f0-9]+-(?P<ts>[0-9]+)'"))
    fight = flux(world, apps__production__web=release("main-abc-102"), images__policy=text)
    _, files = fight.pinned(fight.edit("apps/production/web.yaml", TAG, "main-abd-101"))
    only = pattern.format(r"'^main-abd-(?P<ts>101)$'")
    assert files["images/policy.yaml"] == BY_TIME.format(sort=sort, filter=only)


def test_a_policy_that_takes_every_tag_takes_the_restored_one_alone(world: Infra) -> None:
    fight = flux(
        world, apps__production__web=release("102"), images__policy=BY_TIME.format(sort="numerical", filter="")
    )
    _, files = fight.pinned(fight.edit("apps/production/web.yaml", TAG, "101"))
    assert 'filterTags:\n    pattern: "^101$"\n' in files["images/policy.yaml"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (BY_TIME.format(sort="numerical", filter="").partition("spec:")[0] + "spec: {}\n", "is set elsewhere"),
        (BY_TIME.format(sort="numerical", filter="filterTags: {pattern: '(a)(b)', extract: $1}\n  "), "by an edit"),
    ],
)
def test_a_policy_that_cannot_be_narrowed_is_refused(world: Infra, text: str, says: str) -> None:
    fight = flux(world, apps__production__web=release("102"), images__policy=text)
    edit = fight.edit("apps/production/web.yaml", TAG, "101")
    reason = fight.refused(edit)
    assert "look at ImagePolicy web in images/policy.yaml" in reason
    assert "0 automations" in reason or says in reason


def test_without_policy_and_automation_here_a_marked_line_is_refused_with_what_to_do(world: Infra) -> None:
    fight = flux(world, apps__production__web=release())
    reason = fight.refused(fight.edit("apps/production/web.yaml", TAG, "1.4.1"))
    assert reason.startswith("apps/production/web.yaml:9: Flux image automation writes this line")
    assert "neither is in this repository for this file" in reason


def test_two_automations_and_two_policies_are_not_chosen_from(world: Infra) -> None:
    fight = flux(
        world,
        apps__production__web=release(),
        a__policy=POLICY.format(range="1.x"),
        b__policy=POLICY.format(range="1.x"),
        a__automation=AUTOMATION.format(name="all", path="./apps"),
        b__automation=AUTOMATION.format(name="more", path="."),
    )
    reason = fight.refused(fight.edit("apps/production/web.yaml", TAG, "1.4.1"))
    assert "2 automations" in reason
    assert "ImageUpdateAutomation more in b/automation.yaml" in reason


def test_an_automation_of_another_path_is_not_suspended(world: Infra) -> None:
    fight = flux(
        world, apps__production__web=release("abc"), b__automation=AUTOMATION.format(name="more", path="./other")
    )
    assert "neither is in this repository for this file" in fight.refused(
        fight.edit("apps/production/web.yaml", TAG, "abd")
    )


def test_a_suspended_automation_and_an_unmarked_line_are_no_fight(world: Infra) -> None:
    rests = AUTOMATION.format(name="all", path="./apps") + "  suspend: true\n"
    fight = flux(world, apps__production__web=release(), images__automation=rests)
    assert fight.found(fight.edit("apps/production/web.yaml", TAG, "1.4.1")) == []
    assert fight.found(fight.edit("apps/production/web.yaml", (*TAG[:-1], "repository"), f"{IMAGE}2")) == []


def test_a_marker_of_the_name_alone_does_not_write_the_tag(world: Infra) -> None:
    fight = flux(world, apps__production__web=release().replace(":tag", ":name"))
    assert fight.found(fight.edit("apps/production/web.yaml", TAG, "1.4.1")) == []


# -- Argo CD Image Updater -----------------------------------------------------------------------------------------

APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: {name}
  namespace: argocd
  annotations:
    # new images by themselves
    argocd-image-updater.argoproj.io/image-list: {images}
    argocd-image-updater.argoproj.io/write-back-method: git
spec:
  source:
    repoURL: https://git.example.com/acme/infra.git
    path: {path}
"""
KUSTOMIZATION = f"resources:\n- web.yaml\nimages:\n- name: {IMAGE}\n  newTag: v1.4.2\n"
NEW_TAG = ("images", 0, "newTag")


def argo(
    world: Infra, images: str, name: str = "production-web", path: str = "apps/production", more: str = ""
) -> Ring:
    text = APPLICATION.format(name=name, images=images, path=path).replace("spec:\n", f"{more}spec:\n", 1)
    return ring(
        world, {"apps/production/kustomization.yaml": KUSTOMIZATION, "argocd/web.yaml": text}, "apps/production"
    )


@pytest.mark.parametrize(("name", "path"), [("production-web", "elsewhere"), ("other", "apps/production/")])
def test_the_image_updater_may_take_the_restored_tag_alone(world: Infra, name: str, path: str) -> None:
    fight = argo(world, f"db=db.example.com/x, web={IMAGE}:1.x", name, path)
    draft, files = fight.pinned(fight.edit("apps/production/kustomization.yaml", NEW_TAG, "v1.4.1"))
    pin = 'argocd-image-updater.argoproj.io/web.allow-tags: "regexp:^v1\\\\.4\\\\.1$"'
    assert pin in files["argocd/web.yaml"]
    assert "git write-back" in draft.notes[0]


def test_an_allow_list_that_stands_is_replaced_and_put_back(world: Infra) -> None:
    allow = "    argocd-image-updater.argoproj.io/web.allow-tags: 'regexp:^v1\\.' # one\n"
    fight = argo(world, f"web={IMAGE}", more=allow)
    _, files = fight.pinned(fight.edit("apps/production/kustomization.yaml", NEW_TAG, "v1.4.1"))
    assert "web.allow-tags: 'regexp:^v1\\.4\\.1$' # one\n" in files["argocd/web.yaml"]


@pytest.mark.parametrize("listed", [IMAGE, f"db.example.com/x:1,{IMAGE}:~1.4"])
def test_an_image_without_alias_is_constrained_to_the_restored_version(world: Infra, listed: str) -> None:
    fight = argo(world, listed)
    _, files = fight.pinned(fight.edit("apps/production/kustomization.yaml", NEW_TAG, "v1.4.1"))
    pinned = listed.removesuffix(":~1.4") + ":v1.4.1"
    assert f"image-list: {pinned}\n" in files["argocd/web.yaml"].replace('"', "")


def test_an_image_without_alias_that_does_not_go_by_version_is_refused(world: Infra) -> None:
    fight = argo(world, IMAGE, more="    argocd-image-updater.argoproj.io/update-strategy: newest-build\n")
    reason = fight.refused(fight.edit("apps/production/kustomization.yaml", NEW_TAG, "v1.4.1"))
    assert f"give {IMAGE} an alias in image-list" in reason


def test_other_images_and_other_applications_are_no_fight(world: Infra) -> None:
    fight = argo(world, "web=registry.example.com/shop/web2")
    assert fight.found(fight.edit("apps/production/kustomization.yaml", NEW_TAG, "v1.4.1")) == []
    fight = argo(world, f"web={IMAGE}", "staging-web", "apps/staging")
    assert fight.found(fight.edit("apps/production/kustomization.yaml", NEW_TAG, "v1.4.1")) == []


UPDATER = """\
apiVersion: argocd-image-updater.argoproj.io/v1alpha1
kind: ImageUpdater
metadata:
  name: images
  namespace: argocd
spec:
  applicationRefs:
  - namePattern: "{pattern}"
    images:
    - alias: web
      imageName: {image}:1.x
      commonUpdateSettings:
        updateStrategy: newest-build
"""


def by_resource(world: Infra, pattern: str) -> Ring:
    files = {
        "apps/production/kustomization.yaml": KUSTOMIZATION,
        "argocd/updater.yaml": UPDATER.format(pattern=pattern, image=IMAGE),
    }
    return ring(world, files, "apps/production")


def test_an_image_updater_resource_is_pinned_for_its_one_application(world: Infra) -> None:
    fight = by_resource(world, "production-web")
    _, files = fight.pinned(fight.edit("apps/production/kustomization.yaml", NEW_TAG, "v1.4.1"))
    assert files["argocd/updater.yaml"].endswith('        allowTags: "regexp:^v1\\\\.4\\\\.1$"\n')


def test_an_image_updater_resource_of_many_applications_is_not_pinned(world: Infra) -> None:
    fight = by_resource(world, "production-*")
    reason = fight.refused(fight.edit("apps/production/kustomization.yaml", NEW_TAG, "v1.4.1"))
    assert "it covers all applications like production-*" in reason
    fight = by_resource(world, "staging-*")
    assert fight.found(fight.edit("apps/production/kustomization.yaml", NEW_TAG, "v1.4.1")) == []


def test_an_image_updater_resource_without_settings_gets_them_and_loses_them_again(world: Infra) -> None:
    text = UPDATER.format(pattern="production-web", image=IMAGE).partition("      commonUpdateSettings")[0]
    files = {"apps/production/kustomization.yaml": KUSTOMIZATION, "argocd/updater.yaml": text}
    fight = ring(world, files, "apps/production")
    _, files = fight.pinned(fight.edit("apps/production/kustomization.yaml", NEW_TAG, "v1.4.1"))
    settings = '      commonUpdateSettings:\n        allowTags: "regexp:^v1\\\\.4\\\\.1$"\n'
    assert files["argocd/updater.yaml"].replace("'", '"').replace("\\\\", "\\") == (text + settings).replace(
        "\\\\", "\\"
    )


def test_without_any_application_an_image_updater_resource_may_mean_it(world: Infra) -> None:
    files = {
        "apps/production/kustomization.yaml": KUSTOMIZATION,
        "argocd/updater.yaml": UPDATER.format(pattern="*-web", image=IMAGE),
    }
    known = ring(world, files, "apps/production")
    unknown = replace(known, target=at_path("apps/production"))
    edit = known.edit("apps/production/kustomization.yaml", NEW_TAG, "v1.4.1")
    assert [each.severity for each in unknown.found(edit)] == ["may-undo"]
    application = APPLICATION.format(name="staging", images="x", path="apps/production")
    named = replace(ring(world, {"argocd/app.yaml": application}, "apps/production"), target=unknown.target)
    assert named.found(edit) == []
