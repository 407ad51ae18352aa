"""Bots that propose are noted, bots that merge or promote by themselves cap or are pinned; moving names are named."""

from __future__ import annotations

import pytest

from gitops_sre.gitops.fights.renovate import update_type
from gitops_sre.model.change import Draft
from gitops_sre.model.outcome import Done, Inconclusive
from tests.gitops.fights import Path, Ring, ring
from tests.gitops.infra import DIGEST, OTHER_DIGEST, Infra

IMAGE = "registry.example.com/shop/web"
VALUES = f"image:\n  repository: {IMAGE}\n  tag: 1.4.2\nlevel: info\n"
FILE = "apps/web/values.yaml"
TAG: Path = ("image", "tag")


def plain(world: Infra, files: dict[str, str], values: str = VALUES) -> Ring:
    return ring(world, {FILE: values, **files}, "apps/web")


# -- Renovate and Dependabot ------------------------------------------------------------------------------------------


def renovate(*rules: str, extends: str = "") -> str:
    return f"""\
{{
  // who merges what
  $schema: 'https://docs.renovatebot.com/renovate-schema.json', /* a URL is no comment */
  extends: ["config:recommended", {extends}],
  packageRules: [{", ".join(rules)}],
}}
"""


RULE = "{{automerge: true, {}}}"


@pytest.mark.parametrize(
    ("config", "merges"),
    [
        (renovate(), False),
        (renovate("{automerge: false}"), False),
        (renovate(RULE.format("matchUpdateTypes: ['patch', \"minor\"]")), True),
        (renovate(RULE.format("matchUpdateTypes: ['major']")), False),
        (renovate(RULE.format("matchPackageNames: ['registry.example.com/shop/**']")), True),
        (renovate(RULE.format("matchPackageNames: ['/shop\\\\/w/', '!registry.example.com/shop/web']")), False),
        (renovate(RULE.format("matchPackageNames: ['/shop/w/']")), True),
        (renovate(RULE.format("matchPackageNames: ['other']")), False),
        (renovate(RULE.format("matchPackagePrefixes: ['registry.example.com']")), True),
        (renovate(RULE.format("matchPackagePatterns: ['^other']")), False),
        (renovate(RULE.format("matchDatasources: ['helm']")), False),
        (renovate(RULE.format("matchFileNames: ['apps/**']")), True),
        (renovate(extends="':automergeMinor'"), True),
        (renovate(extends="':automergeDigest'"), False),
        ('{"patch": {"automerge": true}}', True),
        ('{"major": {"automerge": true}}', False),
        ('{"automerge":true}', True),
        ('{"automerge": true, "unreadable": }', True),
    ],
)
def test_renovate_proposes_and_merges_only_where_its_rules_say_so(world: Infra, config: str, merges: bool) -> None:
    fight = plain(world, {"renovate.json5": config})
    edit = fight.edit(FILE, TAG, "1.4.1")
    draft = fight.guard(edit)
    assert isinstance(draft, Draft)
    assert draft.edits == (edit,)
    assert "Renovate will propose 1.4.2 again" in draft.notes[0]
    assert f'"matchPackageNames": ["{IMAGE}"], "allowedVersions": "!/^1\\.4\\.2$/"' in draft.notes[0]
    assert isinstance(fight.unopposed(edit), Inconclusive if merges else Done)
    assert fight.found(fight.edit(FILE, ("level",), "debug")) == []


def test_presets_of_the_repository_are_read_too(world: Infra) -> None:
    files = {".renovaterc.json5": "{}", ".renovate/merge.json5": renovate(RULE.format("matchUpdateTypes: ['patch']"))}
    fight = plain(world, files)
    answer = fight.unopposed(fight.edit(FILE, TAG, "1.4.1"))
    assert isinstance(answer, Inconclusive)
    assert "merge it by itself (.renovate/merge.json5)" in answer.reason


@pytest.mark.parametrize(
    ("good", "bad", "kind"),
    [
        ("1.4.1", "1.4.2", "patch"),
        ("v1.3.9", "v1.4.2", "minor"),
        ("x/y:0.9", "x/y:1.0", "major"),
        (f"1.4@{DIGEST}", f"1.4@{OTHER_DIGEST}", "digest"),
        (f"1.3@{DIGEST}", f"1.4@{OTHER_DIGEST}", "minor"),
        ("aaa", "bbb", "digest"),
    ],
)
def test_update_types_are_named_as_renovate_names_them(good: str, bad: str, kind: str) -> None:
    assert update_type(good, bad) == kind


def test_dependabot_proposes(world: Infra) -> None:
    fight = plain(world, {".github/dependabot.yml": "version: 2\nupdates: [{package-ecosystem: docker}]\n"})
    draft = fight.guard(fight.edit(FILE, TAG, "1.4.1"))
    assert isinstance(draft, Draft)
    assert "Dependabot will propose 1.4.2 again" in draft.notes[0]
    fight = plain(world, {".github/dependabot.yml": "version: 2\nupdates: [{package-ecosystem: github-actions}]\n"})
    assert fight.found(fight.edit(FILE, TAG, "1.4.1")) == []


# -- Lines and names --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("comment", "kinds"),
    [
        ("# x-release-please-version", ["release-please"]),
        ("# x-acme-managed", ["managed-line"]),
        ("# renovate: datasource=docker", []),
        ("# managed with care", []),
    ],
)
def test_comments_that_name_a_writer_are_seen(world: Infra, comment: str, kinds: list[str]) -> None:
    fight = plain(world, {}, VALUES.replace("1.4.2", f"1.4.2 {comment}"))
    assert [each.kind for each in fight.found(fight.edit(FILE, TAG, "1.4.1"))] == kinds


def test_a_block_that_release_please_writes_ends_where_it_says(world: Infra) -> None:
    text = "# x-release-please-start-version\ntag: 1.4.2\n# x-release-please-end\nother: {tag: 1.4.2}\n"
    fight = plain(world, {}, text)
    assert [each.kind for each in fight.found(fight.edit(FILE, ("tag",), "1.4.1"))] == ["release-please"]
    assert fight.found(fight.edit(FILE, ("other", "tag"), "1.4.1")) == []


@pytest.mark.parametrize(
    ("to", "moves"),
    [("latest", True), ("main", True), ("1.4.1", False), (f"main@{DIGEST}", False), ("main-abc", False)],
)
def test_a_tag_that_is_set_again_and_again_caps(world: Infra, to: str, moves: bool) -> None:
    fight = plain(world, {})
    answer = fight.unopposed(fight.edit(FILE, TAG, to))
    assert isinstance(answer, Inconclusive if moves else Done)


def test_a_moving_tag_that_comes_with_its_digest_is_no_fight(world: Infra) -> None:
    fight = plain(world, {}, VALUES.replace("  tag:", f"  digest: {OTHER_DIGEST}\n  tag:"))
    edits = [fight.edit(FILE, TAG, "main"), fight.edit(FILE, ("image", "digest"), DIGEST)]
    assert fight.found(*edits) == []


# -- Kargo ------------------------------------------------------------------------------------------------------------

STAGE = """\
apiVersion: kargo.akuity.io/v1alpha1
kind: Stage
metadata: {{name: production, namespace: shop}}
spec:
  promotionTemplate:
    spec:
      steps:
      - uses: git-clone
      - uses: yaml-update
        config:
          path: {path}
          updates: [{{key: image.tag, value: "${{{{ imageFrom('x').Tag }}}}"}}]
      - uses: git-commit
        config: {{path: ./src, message: ${{{{ outputs.x }}}}}}
"""
PROJECT = """\
apiVersion: kargo.akuity.io/v1alpha1
kind: ProjectConfig
metadata: {{name: shop, namespace: shop}}
spec:
  promotionPolicies:
  - stageSelector: {{name: staging}}
    autoPromotionEnabled: true
  - stageSelector: {{{selector}}}
    autoPromotionEnabled: {on} # by itself
"""
PATH = "./src/apps/web/values.yaml"


@pytest.mark.parametrize("path", [PATH, "src/apps/${{ vars.app }}/values.yaml", "src/apps/web"])
def test_automatic_promotions_of_a_stage_that_writes_the_file_are_switched_off(world: Infra, path: str) -> None:
    project = PROJECT.format(selector="name: production", on="true")
    fight = plain(world, {"kargo/stage.yaml": STAGE.format(path=path), "kargo/project.yaml": project})
    draft, files = fight.pinned(fight.edit(FILE, TAG, "1.4.1"))
    assert files["kargo/project.yaml"] == PROJECT.format(selector="name: production", on="false")
    assert "auto-promotion of Kargo stage shop:production is off" in draft.notes[0]


@pytest.mark.parametrize("selector", ["name: 'glob:prod*'", "name: 'regex:.*'", "matchLabels: {a: b}"])
def test_a_policy_for_several_stages_is_not_pinned(world: Infra, selector: str) -> None:
    project = PROJECT.format(selector=selector, on="true")
    fight = plain(world, {"kargo/stage.yaml": STAGE.format(path=PATH), "kargo/project.yaml": project})
    assert "the policy is for several stages" in fight.refused(fight.edit(FILE, TAG, "1.4.1"))


@pytest.mark.parametrize(
    ("project", "path", "severities"),
    [
        ("a: 1\n", PATH, ["proposes"]),
        (PROJECT.format(selector="name: production", on="false"), PATH, ["proposes"]),
        (PROJECT.format(selector="name: production", on="true"), "src/apps/other/values.yaml", []),
        (PROJECT.format(selector="name: production", on="true"), "src/apps/web/values-eu.yaml", []),
        (PROJECT.format(selector="name: production", on="true"), "src/apps/${{ ctx.stage }}/values.yaml", []),
        (PROJECT.format(selector="name: production", on="true"), "out/apps/web/values.yaml", []),
    ],
)
def test_promotions_by_hand_are_noted_and_those_of_other_files_are_no_fight(
    world: Infra, project: str, path: str, severities: list[str]
) -> None:
    fight = plain(world, {"kargo/stage.yaml": STAGE.format(path=path), "kargo/project.yaml": project})
    assert [each.severity for each in fight.found(fight.edit(FILE, TAG, "1.4.1"))] == severities
    assert fight.found(fight.edit(FILE, ("level",), "debug")) == []


TASK = """\
apiVersion: kargo.akuity.io/v1alpha1
kind: PromotionTask
metadata: {name: promote, namespace: shop}
spec:
  steps:
  - uses: kustomize-set-image
    config: {path: "./src/env/${{ ctx.stage }}"}
  - uses: git-commit
    config: {path: ./src}
"""


@pytest.mark.parametrize(("environment", "count"), [("production", 1), ("staging", 0)])
def test_the_steps_of_a_task_are_those_of_its_stage(world: Infra, environment: str, count: int) -> None:
    stage = STAGE.format(path="x").partition("      - uses")[0] + "      - task: {name: promote}\n"
    file = f"env/{environment}/kustomization.yaml"
    files = {file: f"images:\n- name: {IMAGE}\n  newTag: v2\n", "kargo/stage.yaml": stage, "kargo/task.yaml": TASK}
    fight = ring(world, files, f"env/{environment}")
    assert len(fight.found(fight.edit(file, ("images", 0, "newTag"), "v1"))) == count


def test_a_stage_that_the_application_lets_write_is_seen_without_its_file(world: Infra) -> None:
    application = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: production-web
  annotations: {kargo.akuity.io/authorized-stage: shop:production}
spec: {source: {path: x}}
"""
    fight = plain(world, {"argocd/web.yaml": application})
    assert "shop:production writes apps/web/values.yaml" in fight.found(fight.edit(FILE, TAG, "1.4.1"))[0].reason
