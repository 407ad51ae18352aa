"""From plan to proof over real git and the real tools: what a rollback does, and exactly what it touches."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import replace

from gitops_sre import yamltext
from gitops_sre.adapters.kubernetes import application as from_cluster
from gitops_sre.gitops import edit
from gitops_sre.gitops.proof import prove
from gitops_sre.model.change import Change, Field, FieldEdit, FileEdit, Proof
from gitops_sre.model.image import Image
from gitops_sre.model.live import Application, Workload
from gitops_sre.model.outcome import Done, Inconclusive, Outcome, Refused, Unavailable
from gitops_sre.model.target import Target
from tests.gitops.infra import (
    CHART,
    DIGEST,
    ENVIRONMENTS,
    IMAGE,
    OTHER_DIGEST,
    URL,
    Infra,
    application,
    deployment,
    environment_of,
    overlay,
    target,
    tool,
    workload,
)  # fmt: skip

pytestmark = [tool("kubectl"), tool("helm")]

BASE = {
    "apps/web/base/kustomization.yaml": "resources: [deployment.yaml]\n",
    "apps/web/base/deployment.yaml": deployment("web", f"{IMAGE}:v2"),
}
OVERLAYS = {env: target(f"apps/web/overlays/{env}", environment=env) for env in ENVIRONMENTS}


def images(tag: str, end: str = "\n") -> dict[str, str]:
    return {
        f"{of.source.path}/kustomization.yaml": overlay(env, f"images:\n- name: {IMAGE}\n  newTag: {tag} # keep{end}")
        for env, of in OVERLAYS.items()
    }


def change(world: Infra, base: str, of: Target, to: str) -> Change:
    """Put a version where the repository decides the image, as an action would."""
    fields = world.locator.image_fields(base, of, IMAGE)
    assert not isinstance(fields, Refused), fields.reason
    return made(world, base, *(written(field, to) for field in fields))


def written(field: Field, to: str) -> FieldEdit:
    """An edit that puts a version into a tag, a digest or a whole reference."""
    version = Image.read_version(to)
    after = {"tag": version.tag, "digest": version.digest}.get(field.role) or f"{Image.read(field.value).name}:{to}"
    raw = yamltext.quoted_like(field.raw, after)
    return FieldEdit(field.file, field.document, field.path, field.value, after, field.raw, raw)


def made(world: Infra, base: str, *edits: FieldEdit) -> Change:
    """The edits, applied."""
    found = edit.apply(world.repository, base, edits, ".gitops-sre/policies")
    assert isinstance(found, Change), found.reason
    return found


def proven(
    world: Infra, it: Change, of: Target, applications: Sequence[Application] = (), workloads: Sequence[Workload] = ()
) -> Proof:
    return prove(
        repository=world.repository,
        renderer=world.renderer,
        locator=world.locator,
        change=it,
        target=of,
        applications=applications,
        workloads=workloads,
        environment_of=environment_of,
    )


def outcome(proof: Proof, name: str) -> Outcome:
    return next(check.outcome for check in proof.checks if check.name == name)


def all_done(proof: Proof) -> None:
    assert [check for check in proof.checks if not isinstance(check.outcome, Done)] == []


def test_an_overlay_rollback_reaches_one_environment_and_restores_byte_for_byte(world: Infra) -> None:
    base = world.commit({**BASE, **{path: text.replace("\n", "\r\n") for path, text in images("v2", end="").items()}})
    of = OVERLAYS["production"]
    running = [workload(each, 3) for each in OVERLAYS.values()]
    other = workload(target("x", name="other"), 9)
    it = change(world, base, of, "v1")
    proof = proven(world, it, of, [application(each) for each in OVERLAYS.values()], [*running, other])
    all_done(proof)
    assert [(each.name, each.namespace, each.application, each.fields, each.replicas) for each in proof.objects] == [
        ("web", "production", "argocd/production-web",
         (f"spec.template.spec.containers[1].image: {IMAGE}:v2 -> {IMAGE}:v1",), 3),
    ]  # fmt: skip
    assert proof.objects[0].origin == "apps/web/base/deployment.yaml"
    radius = proof.radius
    assert (radius.objects, radius.replicas, radius.files, radius.lines) == (1, 3, 1, 1)
    assert (radius.namespaces, radius.environments, radius.tiers) == (("production",), ("production",), ("critical",))
    assert radius.fleet_share == 3 / 12
    path = f"{of.source.path}/kustomization.yaml"
    assert proof.diff == (
        f"diff --git a/{path} b/{path}\n"
        f"--- a/{path}\n+++ b/{path}\n@@ -4,4 +4,4 @@\n - ../../base\r\n images:\r\n - name: {IMAGE}\r\n"
        "-  newTag: v2 # keep\n\\ No newline at end of file\n+  newTag: v1 # keep\n\\ No newline at end of file\n"
    )
    after = world.commit({file.path: file.after for file in it.files})
    back = edit.apply(world.repository, after, it.inverse, ".gitops-sre/policies")
    assert isinstance(back, Change)
    assert back.files[0].after.encode() == world.repository.read(base, path)
    all_done(proven(world, back, of))


def test_a_step_is_the_larger_by_the_smaller_value_whichever_way_it_goes(world: Infra) -> None:
    more = "spec: {replicas: 2, template: {spec: {containers: [{name: web, resources: {limits: {memory: 256Mi}}}]}}}"
    of = OVERLAYS["staging"]
    path = f"{of.source.path}/kustomization.yaml"
    patched = f"{{kind: Deployment, metadata: {{name: web}}, {more}}}"
    patch = f"patches:\n- target: {{kind: Deployment}}\n  patch: |-\n    {patched}\n"
    base = world.commit({**BASE, path: overlay("staging", patch)})
    for before, after, name, factor in (
        ("256Mi", "512Mi", "memory", 2.0),
        ("256Mi", "128Mi", "memory", 2.0),
        ("replicas: 2", "replicas: 3", "replicas", 1.5),
        ("replicas: 2", "replicas: 0", "replicas", None),
        ("limits: {memory: 256Mi}", "limits: {}", "memory", None),
    ):
        old = (world.repository.read(base, path) or b"").decode()
        file = FileEdit(path, old, old.replace(before, after))
        proof = proven(world, Change(base, (), (file,)), of)
        assert dict(proof.radius.steps or ()) == {"cpu": 1.0, "memory": 1.0, "replicas": 1.0} | {name: factor}


def test_the_share_of_a_service_counts_its_other_workloads_in_the_environment(world: Infra) -> None:
    base = world.commit({**BASE, **images("v2")})
    of = OVERLAYS["production"]
    canary = replace(workload(target("x", name="web-canary", environment="production"), 1), labels=(("app", "web"),))
    elsewhere = workload(OVERLAYS["staging"], 5)
    it = change(world, base, of, "v1")
    assert proven(world, it, of, workloads=[workload(of, 3), canary, elsewhere]).radius.service_share == 3 / 4
    assert proven(world, it, of, workloads=[elsewhere]).radius.service_share is None


def test_a_shared_base_shows_every_environment_that_it_reaches(world: Infra) -> None:
    base = world.commit(
        {**BASE, **{f"{of.source.path}/kustomization.yaml": overlay(env, "") for env, of in OVERLAYS.items()}}
    )
    of = OVERLAYS["staging"]
    proof = proven(world, change(world, base, of, "v1"), of, [application(each) for each in OVERLAYS.values()])
    crossed = outcome(proof, "stays-in-environment")
    assert isinstance(crossed, Inconclusive)
    others = "dev (Deployment dev/web); production (Deployment production/web)"
    assert crossed.reason == f"the files are shared: {others} would change with staging"
    assert [each.name for each in proof.checks if not isinstance(each.outcome, Done)] == ["stays-in-environment"]
    assert [each.namespace for each in proof.objects] == list(ENVIRONMENTS)
    assert proof.radius.environments == tuple(sorted(ENVIRONMENTS))
    assert proof.radius.tiers == ("critical", "standard")
    assert proof.radius.replicas == 6  # what the manifests ask for, since nothing is known to run
    assert proof.radius.fleet_share == 1.0


def test_digest_and_tag_move_together(world: Infra) -> None:
    text = overlay("production", f"images:\n- name: {IMAGE}\n  newTag: v2\n  digest: {DIGEST}\n")
    base = world.commit({**BASE, "apps/web/overlays/production/kustomization.yaml": text})
    proof = proven(world, change(world, base, OVERLAYS["production"], f"v1@{OTHER_DIGEST}"), OVERLAYS["production"])
    all_done(proof)
    assert proof.objects[0].fields == (
        f"spec.template.spec.containers[1].image: {IMAGE}:v2@{DIGEST} -> {IMAGE}:v1@{OTHER_DIGEST}",
    )


def test_helm_values_reach_only_the_release_that_reads_them(world: Infra) -> None:
    values = {env: f"values/{env}.yaml" for env in ENVIRONMENTS}
    files = dict.fromkeys(values.values(), f"image:\n    repository: {IMAGE}\n    tag: 'v2'")
    base = world.commit({**CHART, **files})
    targets = {env: target("charts/app", environment=env, kind="helm", values=(path,)) for env, path in values.items()}
    it = change(world, base, targets["dev"], "1.10")
    assert it.files[0].after.endswith("tag: '1.10'")
    proof = proven(world, it, targets["dev"], [application(each) for each in targets.values()])
    all_done(proof)
    assert [each.application for each in proof.objects] == ["argocd/dev-web"]


def test_a_chart_default_reaches_every_release_without_a_value_of_its_own(world: Infra) -> None:
    chart = CHART | {"charts/app/values.yaml": f"replicas: 1\nimage: {{repository: {IMAGE}, tag: v2}}\n"}
    base = world.commit({**chart, "values/own.yaml": "image: {tag: v7}\n"})
    one = target("charts/app", environment="dev", kind="helm")
    two = target("charts/app", environment="staging", kind="helm")
    own = target("charts/app", environment="production", kind="helm", values=("values/own.yaml",))
    proof = proven(world, change(world, base, one, "v1"), one, [application(each) for each in (one, two, own)])
    assert [each.name for each in proof.checks if not isinstance(each.outcome, Done)] == ["stays-in-environment"]
    assert [each.namespace for each in proof.objects] == ["dev", "staging"]


def test_of_16_manifests_with_one_image_only_the_targets_changes(world: Infra) -> None:
    files = {f"m/{n}/web.yaml": deployment("web", f"{IMAGE}:v2", namespace=f"team-{n}") for n in range(16)}
    base = world.commit(files)
    targets = [target(f"m/{n}", environment=f"team-{n}") for n in range(16)]
    it = change(world, base, targets[5], "v1")
    assert [file.path for file in it.files] == ["m/5/web.yaml"]
    proof = proven(world, it, targets[5], [application(each) for each in targets])
    all_done(proof)
    assert [each.namespace for each in proof.objects] == ["team-5"]


def test_an_edit_that_something_overrides_is_refused(world: Infra) -> None:
    base = world.commit({**BASE, **images("v5")})
    of = OVERLAYS["production"]
    path = "apps/web/base/deployment.yaml"
    at = ("spec", "template", "spec", "containers", 1, "image")
    field = dataclasses.replace(change(world, base, of, "v1").edits[0], file=path, path=at,
                                before=f"{IMAGE}:v2", after=f"{IMAGE}:v1", after_raw=f"{IMAGE}:v1")  # fmt: skip
    it = edit.apply(world.repository, base, [field], "")
    assert isinstance(it, Change), it
    reached = outcome(proven(world, it, of), "reaches-target")
    assert isinstance(reached, Refused)
    assert "does not reach Deployment production/web" in reached.reason


def test_a_remote_base_is_left_out_and_said_and_the_rest_is_rendered(world: Infra) -> None:
    remote = overlay("production", "- https://example.com/x.yaml\n" + f"images: [{{name: {IMAGE}, newTag: v2}}]\n")
    base = world.commit({**BASE, **images("v2"), "apps/web/overlays/production/kustomization.yaml": remote})
    of = OVERLAYS["production"]
    proof = proven(world, change(world, base, of, "v1"), of)
    partly = outcome(proof, "renders")
    assert isinstance(partly, Inconclusive)
    assert partly.reason == (
        "argocd/production-web: https://example.com/x.yaml (apps/web/overlays/production/kustomization.yaml) "
        "is not in the repository; the rest was rendered"
    )
    assert isinstance(outcome(proof, "reaches-target"), Done)


def test_what_cannot_be_rendered_is_said_and_never_counts_as_done(world: Infra) -> None:
    broken = overlay("production", f"- nowhere.yaml\nimages: [{{name: {IMAGE}, newTag: v2}}]\n")
    base = world.commit({**BASE, **images("v2"), "apps/web/overlays/production/kustomization.yaml": broken})
    of = OVERLAYS["production"]
    proof = proven(world, change(world, base, of, "v1"), of)
    assert isinstance(outcome(proof, "renders"), Unavailable)
    reached = outcome(proof, "reaches-target")
    assert isinstance(reached, Unavailable)
    assert reached.reason == (
        "apps/web/overlays/production cannot be rendered: "
        "apps/web/overlays/production/kustomization.yaml: nowhere.yaml is not in the repository"
    )
    assert isinstance(outcome(proof, "schema-valid"), Inconclusive)
    assert isinstance(outcome(proof, "only-expected-fields"), Inconclusive)


def test_fields_that_do_not_follow_from_the_edit_are_named(world: Infra) -> None:
    chart = CHART | {
        "charts/app/templates/config.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c\n"
        "data:\n  sum: {{ .Values.image.tag | sha256sum }}\n  version: {{ .Values.image.tag }}\n"
    }
    base = world.commit({**chart, "v.yaml": f"image: {{repository: {IMAGE}, tag: v2}}\n"})
    of = target("charts/app", kind="helm", values=("v.yaml",))
    proof = proven(world, change(world, base, of, "v1"), of)
    strange = outcome(proof, "only-expected-fields")
    assert isinstance(strange, Inconclusive)
    assert strange.reason == "1 fields do not follow from the edit: ConfigMap production/c data.sum"
    assert isinstance(outcome(proof, "reaches-target"), Done)
    assert proof.radius.objects == 2


def test_an_unknown_kind_is_inconclusive_and_an_object_made_invalid_is_refused(world: Infra) -> None:
    rollout = (
        deployment("web", f"{IMAGE}:v2")
        .replace("kind: Deployment", "kind: Rollout")
        .replace("apps/v1", "argoproj.io/v1alpha1")
    )
    base = world.commit({"m/web.yaml": rollout, "n/web.yaml": deployment("web", f"{IMAGE}:v2")})
    of = target("m")
    of = dataclasses.replace(of, workload=dataclasses.replace(of.workload, kind="Rollout"))
    proof = proven(world, change(world, base, of, "v1"), of)
    unknown = outcome(proof, "schema-valid")
    assert isinstance(unknown, Inconclusive)
    assert "no schema is known for argoproj.io/v1alpha1" in unknown.reason
    assert isinstance(outcome(proof, "reaches-target"), Done)
    good = change(world, base, target("n"), "v1")
    number = dataclasses.replace(good.edits[0], path=("spec", "replicas"), before="2", after="two", after_raw="two")
    it = edit.apply(world.repository, base, [number], "")
    assert isinstance(it, Change)
    invalid = outcome(proven(world, it, target("n")), "schema-valid")
    assert isinstance(invalid, Refused)
    assert "spec.replicas: 'two' is not of type" in invalid.reason


def test_a_change_that_is_not_its_edits_is_refused(world: Infra) -> None:
    base = world.commit({**BASE, **images("v2")})
    of = OVERLAYS["dev"]
    it = change(world, base, of, "v1")
    stray = dataclasses.replace(it.files[0], after=it.files[0].after + "# more\n")
    assert isinstance(
        outcome(proven(world, dataclasses.replace(it, files=(stray,)), of), "intended-bytes-only"), Refused
    )
    moved = dataclasses.replace(it.files[0], before="x")
    assert isinstance(
        outcome(proven(world, dataclasses.replace(it, files=(moved,)), of), "intended-bytes-only"), Refused
    )


def test_a_line_that_an_automation_keeps_is_named(world: Infra) -> None:
    text = overlay("dev", f'images:\n- name: {IMAGE}\n  newTag: v2 # {{"$imagepolicy": "flux-system:web:tag"}}\n')
    base = world.commit({**BASE, "apps/web/overlays/dev/kustomization.yaml": text})
    kept = outcome(proven(world, change(world, base, OVERLAYS["dev"], "v1"), OVERLAYS["dev"]), "unopposed")
    assert isinstance(kept, Refused)
    assert "kustomization.yaml:7" in kept.reason


def test_sources_of_other_repositories_and_pinned_ones_are_not_touched(world: Infra) -> None:
    base = world.commit(
        {**BASE, **{f"{of.source.path}/kustomization.yaml": overlay(env, "") for env, of in OVERLAYS.items()}}
    )
    of = OVERLAYS["dev"]
    elsewhere = application(OVERLAYS["staging"])
    elsewhere = dataclasses.replace(
        elsewhere, sources=(dataclasses.replace(OVERLAYS["staging"].source, repo_url="https://x/y"),)
    )
    pinned = application(OVERLAYS["production"])
    pinned = dataclasses.replace(
        pinned, sources=(dataclasses.replace(OVERLAYS["production"].source, revision="f" * 40),)
    )
    ssh = dataclasses.replace(of.source, repo_url=URL.replace("https://", "ssh://git@").removesuffix(".git"))
    mine = dataclasses.replace(application(of), sources=(ssh,))
    proof = proven(world, change(world, base, of, "v1"), of, [elsewhere, pinned, mine])
    assert [each.application for each in proof.objects] == ["argocd/dev-web"]


def test_values_of_secrets_are_not_shown(world: Infra) -> None:
    chart = CHART | {
        "charts/app/templates/s.yaml": "apiVersion: v1\nkind: Secret\nmetadata:\n  name: s\n"
        "stringData:\n  version: canary-{{ .Values.image.tag }}\n"
    }
    base = world.commit({**chart, "v.yaml": f"image: {{repository: {IMAGE}, tag: v2}}\n"})
    of = target("charts/app", kind="helm", values=("v.yaml",))
    proof = proven(world, change(world, base, of, "v1"), of)
    assert "canary" not in repr(proof.objects)
    assert ("stringData.version: (hidden) -> (hidden)",) in [each.fields for each in proof.objects]


def test_what_a_live_application_sets_over_the_files_is_said_to_be_missing(world: Infra) -> None:
    base = world.commit({**BASE, **images("v2")})
    of = OVERLAYS["dev"]
    mine = application(dataclasses.replace(of, source=dataclasses.replace(of.source, overrides=("kustomize.images",))))
    partly = outcome(proven(world, change(world, base, of, "v1"), of, [mine]), "renders")
    assert isinstance(partly, Inconclusive)
    assert partly.reason == "argocd/dev-web: what the Application sets in kustomize.images was not rendered"


def live(of: Target, **said: object) -> Application:
    """The Application of a target as the cluster holds it."""
    namespace, _, name = of.application.rpartition("/")
    source = {"repoURL": URL, "path": of.source.path, "targetRevision": "main", **said}
    found = from_cluster({
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"source": source, "destination": {"namespace": of.environment}},
    })  # fmt: skip
    assert found is not None
    return found


def test_what_a_live_application_sets_over_the_files_is_rendered(world: Infra) -> None:
    base = world.commit({**BASE, **images("v2")})
    of = OVERLAYS["dev"]
    sidecar = live(of, kustomize={"images": ["registry.example.com/platform/proxy:v8"], "namePrefix": "eu-"})
    prefixed = dataclasses.replace(of, workload=dataclasses.replace(of.workload, name="eu-web"))
    proof = proven(world, change(world, base, of, "v1"), prefixed, [sidecar])
    all_done(proof)
    assert [(each.name, each.fields) for each in proof.objects] == [
        ("eu-web", (f"spec.template.spec.containers[1].image: {IMAGE}:v2 -> {IMAGE}:v1",))
    ]
    pinned = live(of, kustomize={"images": [f"{IMAGE}:v7"]})
    beaten = proven(world, change(world, base, of, "v1"), of, [pinned])
    assert beaten.objects == ()
    assert isinstance(outcome(beaten, "reaches-target"), Refused)


def test_an_override_file_of_argo_is_said_not_to_be_rendered(world: Infra) -> None:
    of = OVERLAYS["dev"]
    file = f"{of.source.path}/.argocd-source.yaml"
    base = world.commit({**BASE, **images("v2"), file: f"kustomize: {{images: ['{IMAGE}:v7']}}\n"})
    at = FieldEdit(f"{of.source.path}/kustomization.yaml", 0, ("images", 0, "newTag"), "v2", "v1", "v2", "v1")
    renders = outcome(proven(world, made(world, base, at), of, [live(of)]), "renders")
    assert isinstance(renders, Inconclusive)
    assert f"what {file} sets" in renders.reason


def test_values_and_parameters_of_a_live_application_are_rendered(world: Infra) -> None:
    base = world.commit({**CHART, "v.yaml": f"replicas: 3\nimage: {{repository: {IMAGE}, tag: v2}}\n"})
    of = target("charts/app", name="web", kind="helm", values=("v.yaml",))
    it = change(world, base, of, "v1")
    helm = {"valueFiles": ["/v.yaml", "/gone.yaml"], "ignoreMissingValueFiles": True, "releaseName": "web"}
    harmless = live(of, helm={**helm, "values": "replicas: 5\n", "parameters": [{"name": "x.list[0]", "value": "1"}]})
    proof = proven(world, it, of, [harmless])
    all_done(proof)
    assert [each.replicas for each in proof.objects if each.kind == "Deployment"] == [5]
    beats = live(of, helm={**helm, "parameters": [{"name": "image.tag", "value": "7", "forceString": True}]})
    assert isinstance(outcome(proven(world, it, of, [beats]), "reaches-target"), Refused)
    outside = live(of, helm={**helm, "valueFiles": ["/v.yaml", "../../../../etc/hostname"]})
    failed = outcome(proven(world, it, of, [outside]), "renders")
    assert isinstance(failed, Unavailable)
    assert "../../etc/hostname leads out of the repository" in failed.reason
    partly = live(of, helm={**helm, "valueFiles": ["/v.yaml", "$theirs/w.yaml"]})
    renders = outcome(proven(world, it, of, [partly]), "renders")
    assert isinstance(renders, Inconclusive)
    assert "the value file $theirs/w.yaml is not in the repository" in renders.reason


def test_a_live_directory_is_read_as_deep_as_its_application_says(world: Infra) -> None:
    base = world.commit({"m/web.yaml": deployment("web", "x:1"), "m/deep/other.yaml": deployment("other", "x:1")})
    of = target("m", name="other")
    it = made(world, base, FieldEdit("m/deep/other.yaml", 0, ("spec", "replicas"), "2", "3", "2", "3"))
    flat, whole = (live(of, directory={"recurse": recurse}) for recurse in (False, True))
    shown = [[each.name for each in proven(world, it, of, [app]).objects] for app in (flat, whole)]
    assert shown == [[], ["other"]]
