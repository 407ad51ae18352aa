"""A commit is undone value by value, also after the files went on; last good values come from the history."""

from __future__ import annotations

from dataclasses import replace

from gitops_sre.gitops import edit, history
from gitops_sre.gitops.history import Scope
from gitops_sre.gitops.locate import GitOpsLocator
from gitops_sre.gitops.target import at_path
from gitops_sre.model.change import Change, Draft
from gitops_sre.model.outcome import Refused
from tests.gitops.commits import History

WEB = "apps/web/deployment.yaml"


def deployment(tag: str, replicas: int = 2, extra: str = "") -> str:
    return f"kind: Deployment\nspec:\n  replicas: {replicas}\n{extra}  image: acme/web:{tag}  # pinned\n"


def kustomization(tag: str, ref: str) -> str:
    return (
        f"resources:\n- https://git.example.com/acme/crds?ref={ref}\n- ns.yaml\n"
        f"images:\n- name: acme/web\n  newTag: {tag}\n"
    )


def undone(made: History, culprit: str, *paths: str, environment: str = "") -> Draft | Refused:
    return history.undo(made.repository(), made.git("rev-parse", "HEAD"), culprit, Scope(paths, environment))


def applied(made: History, draft: Draft | Refused) -> dict[str, str]:
    assert isinstance(draft, Draft), draft
    change = edit.apply(made.repository(), made.git("rev-parse", "HEAD"), draft.edits, ".gitops-sre")
    assert isinstance(change, Change), change
    return {file.path: file.after for file in change.files}


def test_a_commit_is_undone_to_the_byte(made: History) -> None:
    made.commit({WEB: deployment("'1.10'")})
    culprit = made.commit({WEB: deployment('"1.11"', 3)})
    assert applied(made, undone(made, culprit)) == {WEB: deployment("'1.10'")}


def test_lines_that_moved_since_and_neighbours_that_changed_are_no_conflict(made: History) -> None:
    made.commit({WEB: deployment("v1")})
    culprit = made.commit({WEB: deployment("v2")})
    made.commit({WEB: "# header\n" + deployment("v2", 5, "  paused: false\n")})
    assert applied(made, undone(made, culprit)) == {WEB: "# header\n" + deployment("v1", 5, "  paused: false\n")}


def test_a_value_that_was_changed_again_is_left_and_named(made: History) -> None:
    made.commit({WEB: deployment("v1", 1)})
    culprit = made.commit({WEB: deployment("v2", 2)})
    made.commit({WEB: deployment("v3", 2)})
    draft = undone(made, culprit)
    assert applied(made, draft) == {WEB: deployment("v3", 1)}
    assert isinstance(draft, Draft)
    assert [left.reason for left in draft.left] == [f"changed again since {culprit[:12]}: acme/web:v2 -> acme/web:v3"]


def test_when_nothing_can_be_put_back_the_reason_is_said(made: History) -> None:
    made.commit({WEB: deployment("v1")})
    culprit = made.commit({WEB: deployment("v2")})
    made.commit({WEB: deployment("v3")})
    answer = undone(made, culprit)
    assert isinstance(answer, Refused)
    assert "changed again since" in answer.reason


def test_a_file_that_was_renamed_since_is_found_under_its_new_name(made: History) -> None:
    made.commit({WEB: deployment("v1")})
    culprit = made.commit({WEB: deployment("v2")})
    made.commit({WEB: None, "apps/shop/web.yaml": deployment("v2")})
    assert applied(made, undone(made, culprit)) == {"apps/shop/web.yaml": deployment("v1")}


def test_only_the_targets_folder_and_environment_are_touched(made: History) -> None:
    dev, prod, other = "web/overlays/dev/k.yaml", "web/overlays/prod/k.yaml", "api/k.yaml"
    made.commit(dict.fromkeys((dev, prod, other), "tag: v1\n"))
    culprit = made.commit(dict.fromkeys((dev, prod, other), "tag: v2\n"))
    draft = undone(made, culprit, "web", environment="production")
    assert applied(made, draft) == {prod: "tag: v1\n"}
    assert isinstance(draft, Draft)
    assert {left.file: left.reason for left in draft.left} == {
        dev: "environment dev, not production",
        other: "outside web",
    }


def test_added_and_removed_files_are_named(made: History) -> None:
    made.commit({WEB: deployment("v1"), "gone.yaml": "a: 1\n"})
    culprit = made.commit({WEB: deployment("v2"), "gone.yaml": None, "new.yaml": "b: 1\nc: completely different\n"})
    draft = undone(made, culprit)
    assert applied(made, draft) == {WEB: deployment("v1")}
    assert isinstance(draft, Draft)
    assert sorted(left.file for left in draft.left) == ["gone.yaml", "new.yaml"]


def last_good(made: History, image: str, path: str, environment: str = "", to: str = "") -> Draft | Refused:
    repository, head = made.repository(), made.git("rev-parse", "HEAD")
    locator, target = GitOpsLocator(repository), at_path(path, environment)
    fields = locator.image_fields(head, target, image)
    assert not isinstance(fields, Refused), fields
    return locator.last_good(head, target, fields, to)


def test_the_last_good_values_come_with_what_changed_together(made: History) -> None:
    made.commit({"web/kustomization.yaml": kustomization("v1", "v1"), "web/ns.yaml": "kind: Namespace\n"})
    made.commit({"web/kustomization.yaml": kustomization("v2", "v2")}, "bump web to v2")
    made.commit({"web/ns.yaml": "kind: Namespace\nmetadata: {name: web}\n"})
    draft = last_good(made, "acme/web", "web")
    assert applied(made, draft) == {"web/kustomization.yaml": kustomization("v1", "v1")}
    assert isinstance(draft, Draft)
    assert [each.part for each in draft.edits] == ["coupled", "target"]
    assert "'bump web to v2'" in draft.notes[0]


def test_a_value_that_never_changed_has_no_last_good_one(made: History) -> None:
    made.commit({"web/kustomization.yaml": kustomization("v1", "v1"), "web/ns.yaml": "kind: Namespace\n"})
    answer = last_good(made, "acme/web", "web")
    assert isinstance(answer, Refused)
    assert "no earlier value" in answer.reason


def test_another_environments_copy_that_moved_in_the_same_commit_stays(made: History) -> None:
    both = ("web/overlays/dev", "web/overlays/prod")
    made.commit({f"{each}/kustomization.yaml": kustomization("v1", "v1") for each in both})
    made.commit({f"{each}/kustomization.yaml": kustomization("v2", "v2") for each in both})
    draft = last_good(made, "acme/web", "web", "prod")
    assert applied(made, draft) == {f"{both[1]}/kustomization.yaml": kustomization("v1", "v1")}


def test_an_earlier_version_is_found_with_what_belonged_to_it(made: History) -> None:
    for version in ("v1", "v2", "v3"):
        made.commit({"web/kustomization.yaml": kustomization(version, version)}, f"bump to {version}")
    draft = last_good(made, "acme/web", "web", to="v1")
    assert applied(made, draft) == {"web/kustomization.yaml": kustomization("v1", "v1")}


def test_what_only_once_shared_a_commit_goes_its_own_way(made: History) -> None:
    web, api = "shop/web/kustomization.yaml", "shop/api/values.yaml"
    made.commit({web: kustomization("v1", "v1"), api: "image: {repository: acme/api, tag: a1}\n"})
    for version in ("v2", "v3", "v4", "v5"):
        made.commit({web: kustomization(version, version)})
    made.commit({web: kustomization("v6", "v6"), api: "image: {repository: acme/api, tag: a2}\n"}, "bump a group")
    draft = last_good(made, "acme/web", "shop")
    assert applied(made, draft) == {web: kustomization("v5", "v5")}
    assert isinstance(draft, Draft)
    assert ["changed together with it in 5 of 5 changes" in each.reason for each in draft.edits] == [True, False]
    assert [left.file for left in draft.left] == [api]
    assert "goes its own way (changed together with it in 1 of 5 changes)" in draft.left[0].reason


def test_entries_that_a_commit_added_or_removed_are_undone_to_the_byte(made: History) -> None:
    before = (
        "spec:\n  replicas: 2\n  # how much it may take\n  resources:\n    limits: {memory: 1Gi}\n"
        "  env:\n  - name: A\n    value: a\n  - name: B  # why\n    value: b\n  - name: C\n    value: c\n"
    )
    after = (
        "spec:\n  replicas: 2\n  paused: true\n  env:\n  - name: A\n    value: a\n  - name: C\n    value: c\n"
        "  - name: D\n    value: d\n"
    )
    made.commit({"app.yaml": before})
    culprit = made.commit({"app.yaml": after})
    assert applied(made, undone(made, culprit)) == {"app.yaml": before}


def test_entries_are_undone_where_they_stand_today(made: History) -> None:
    made.commit({"app.yaml": "env:\n- {name: A, value: a}\n- {name: B, value: b}\n- {name: C, value: c}\n"})
    culprit = made.commit({"app.yaml": "env:\n- {name: A, value: a}\n- {name: C, value: c}\n- {name: D, value: d}\n"})
    made.commit(
        {
            "app.yaml": "x: 1\nenv:\n- {name: Z, value: z}\n- {name: A, value: a}\n- {name: C, value: c}\n"
            "- {name: D, value: d}\n"
        }
    )
    assert applied(made, undone(made, culprit)) == {
        "app.yaml": "x: 1\nenv:\n- {name: Z, value: z}\n- {name: A, value: a}\n- {name: B, value: b}\n"
        "- {name: C, value: c}\n"
    }


def test_an_entry_that_was_changed_since_is_left(made: History) -> None:
    made.commit({"app.yaml": "a: 1\nb: 1\n"})
    culprit = made.commit({"app.yaml": "a: 2\nb: 1\nnew: {x: 1}\n"})
    made.commit({"app.yaml": "a: 2\nb: 1\nnew: {x: 2}\n"})
    draft = undone(made, culprit)
    assert applied(made, draft) == {"app.yaml": "a: 1\nb: 1\nnew: {x: 2}\n"}
    assert isinstance(draft, Draft)
    assert [left.reason for left in draft.left] == [f"{culprit[:12]} added it, and it was changed since"]


def release(tag: str) -> str:
    return f"kind: HelmRelease\nspec:\n  values:\n    image: acme/web:{tag}\n"


def rolled_back(made: History, image: str, path: str) -> Draft | Refused:
    repository, head = made.repository(), made.git("rev-parse", "HEAD")
    return GitOpsLocator(repository).last_good_image(head, at_path(path), image)


def test_of_a_value_for_all_and_one_for_an_environment_the_one_that_changed_last_is_rolled_back(made: History) -> None:
    made.commit({"web/web.yaml": release("v1"), "web/test.yaml": release("pr-7")})
    made.commit({"web/web.yaml": release("v2")})
    assert applied(made, rolled_back(made, "acme/web", "web")) == {"web/web.yaml": release("v1")}


def test_when_the_environments_own_value_changed_last_nothing_is_guessed(made: History) -> None:
    made.commit({"web/web.yaml": release("v1"), "web/test.yaml": release("pr-7")})
    made.commit({"web/web.yaml": release("v2")})
    made.commit({"web/test.yaml": release("pr-8")})
    answer = rolled_back(made, "acme/web", "web")
    assert isinstance(answer, Refused)
    assert "say which environment: test" in answer.reason


def test_an_image_that_was_replaced_comes_back(made: History) -> None:
    values = "image:\n  repository: {}\n  tag: {}\n"
    made.commit({"web/values.yaml": values.format("acme/web", "v1")})
    made.commit({"web/values.yaml": values.format("upstream/web", "2.0")}, "switch to upstream")
    made.commit({"web/values.yaml": "# a note\n" + values.format("upstream/web", "2.0")})
    draft = rolled_back(made, "acme/web", "web")
    assert applied(made, draft) == {"web/values.yaml": "# a note\n" + values.format("acme/web", "v1")}
    assert isinstance(draft, Draft)
    assert "'switch to upstream') replaced it" in draft.notes[0]


def test_the_values_of_a_commit_that_was_live_and_good_come_back(made: History) -> None:
    shas = [made.commit({"web/kustomization.yaml": kustomization(v, v)}) for v in ("v1", "v2", "v3", "v4")]
    repository, head, target = made.repository(), shas[-1], at_path("web")
    fields = GitOpsLocator(repository).image_fields(head, target, "acme/web")
    assert not isinstance(fields, Refused)
    draft = GitOpsLocator(repository).last_good(head, target, fields, good=shas[1])
    assert applied(made, draft) == {"web/kustomization.yaml": kustomization("v2", "v2")}
    assert isinstance(GitOpsLocator(repository).last_good(head, target, fields, good=head), Refused)


def test_a_hidden_folder_is_a_folder_like_any_other() -> None:
    assert Scope.of(at_path("./.apps/web/")).paths == (".apps/web",)
    assert Scope.of(at_path(".")).paths == ()
    assert not Scope((".apps",)).excludes(".apps/web/k.yaml")
    assert Scope((".apps",)).excludes("apps/web/k.yaml")


def test_value_files_are_a_targets_own_wherever_they_lie() -> None:
    target = at_path("charts/web")
    scope = Scope.of(replace(target, source=replace(target.source, value_files=("values/staging/web.yaml",))))
    assert not scope.excludes("values/staging/web.yaml")
    assert scope.excludes("values/staging/cart.yaml")
