"""The proof by the repository alone, over real git and the real tools: what Flux, Argo CD or nothing declares."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from gitops_sre import yamltext
from gitops_sre.gitops.proof import prove_offline
from gitops_sre.model.change import Change, FieldEdit, FileEdit, Proof
from gitops_sre.model.outcome import Done, Inconclusive, Outcome, Refused, Unavailable
from gitops_sre.model.target import Source, Target, WorkloadRef
from gitops_sre.ports import Manifest
from gitops_sre.yamltext import Path as Place
from tests.gitops.infra import CHART, IMAGE, Infra, deployment, overlay, tool

pytestmark = [tool("kubectl"), tool("helm")]

BASE = {
    "apps/web/base/kustomization.yaml": "resources: [deployment.yaml]\n",
    "apps/web/base/deployment.yaml": deployment("web", f"{IMAGE}:v2"),
}
TAG: Place = ("images", 0, "newTag")


def over(environment: str) -> dict[str, str]:
    text = overlay(environment, f"images:\n- name: {IMAGE}\n  newTag: v2\n")
    return {f"apps/web/overlays/{environment}/kustomization.yaml": text}


def set_to(world: Infra, base: str, file: str, path: Place, value: str | None, before: str | None = "?") -> Change:
    """One value of a file, changed; None inserts or removes it."""
    text = (world.repository.read(base, file) or b"").decode()
    now = yamltext.get(text, 0, path) if before == "?" else before
    made = yamltext.rewrite(text, [FieldEdit(file, 0, path, now, value, "", "")])
    return Change(base, made.edits, (FileEdit(file, text, made.text),))


def proven(world: Infra, change: Change, *, workload: str = "Deployment//web", path: str = "", env: str = "") -> Proof:
    kind, namespace, name = workload.split("/")
    of = Target("", env, "", WorkloadRef(kind, namespace, name), "", Source("", path))
    return prove_offline(
        repository=world.repository, renderer=world.renderer, locator=world.locator, change=change, target=of
    )


def outcome(proof: Proof, name: str) -> Outcome:
    return next(check.outcome for check in proof.checks if check.name == name)


def why(proof: Proof, name: str) -> str:
    found = outcome(proof, name)
    return getattr(found, "reason", "") or getattr(found, "note", "")


def undone(proof: Proof) -> list[str]:
    return [check.name for check in proof.checks if not isinstance(check.outcome, Done)]


def flux(name: str, path: str, more: str = "", kind: str = "GitRepository") -> str:
    return (
        f"apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {{name: {name}, "
        f"namespace: flux-system}}\nspec:\n  path: {path}\n  prune: true\n"
        f"  sourceRef: {{kind: {kind}, name: flux-system}}\n{textwrap.indent(textwrap.dedent(more), '  ')}"
    )


def test_without_any_declaration_the_outermost_kustomizations_are_rendered(world: Infra) -> None:
    base = world.commit({**BASE, **over("dev"), **over("prod")})
    proof = proven(world, set_to(world, base, "apps/web/overlays/prod/kustomization.yaml", TAG, "v1"))
    assert undone(proof) == []
    assert [(each.namespace, each.application) for each in proof.objects] == [("prod", "apps/web/overlays/prod")]
    assert (proof.radius.environments, proof.radius.replicas) == (("production",), 2)
    assert why(proof, "reaches-target") == (
        f"Deployment prod/web spec.template.spec.containers[1].image: {IMAGE}:v2 -> {IMAGE}:v1, "
        "from apps/web/base/deployment.yaml"
    )


def test_a_base_reaches_every_environment_that_includes_it_and_that_is_said(world: Infra) -> None:
    base = world.commit({**BASE, **over("dev"), **over("prod")})
    path = ("spec", "replicas")
    proof = proven(
        world, set_to(world, base, "apps/web/base/deployment.yaml", path, "5"), path="apps/web/overlays/prod"
    )
    assert undone(proof) == ["stays-in-environment"]
    assert (
        why(proof, "stays-in-environment")
        == "the files are shared: dev (Deployment dev/web) would change with production"
    )
    assert proof.radius.environments == ("dev", "production")
    assert proof.radius.replicas == 10


def test_flux_renders_a_plain_folder_with_variables_and_namespace(world: Infra) -> None:
    web = deployment("web", IMAGE + ":${tag}").replace("replicas: 2", "replicas: ${count:=3}")
    files = {
        "apps/web/web.yaml": web,
        "apps/web/deep/more.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: more}\n",
        "apps/web/inner/kustomization.yaml": "resources: [../../other/x.yaml]\n",
        "apps/other/x.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {tag: '${tag}'}\n",
        "clusters/prod/web.yaml": flux("web", "./apps/web", """\
            targetNamespace: shop
            postBuild:
              substitute: {tag: v2}
              substituteFrom: [{kind: ConfigMap, name: vars}]
            """),
        "clusters/prod/vars.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: vars}\ndata: {count: '4'}\n",
        "clusters/dev/vars.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: vars}\ndata: {count: '1'}\n",
    }  # fmt: skip
    base = world.commit(files)
    path: Place = ("spec", "postBuild", "substitute", "tag")
    proof = proven(world, set_to(world, base, "clusters/prod/web.yaml", path, "v1"))
    shown = {(each.kind, each.namespace, each.name): each for each in proof.objects}
    assert shown["Deployment", "shop", "web"].fields == (
        f"spec.template.spec.containers[1].image: {IMAGE}:v2 -> {IMAGE}:v1",
    )
    assert shown["Deployment", "shop", "web"].replicas == 4
    assert shown["ConfigMap", "shop", "x"].fields == ("data.tag: v2 -> v1",)
    assert shown["Kustomization", "flux-system", "web"].fields == ("spec.postBuild.substitute.tag: v2 -> v1",)
    assert isinstance(outcome(proof, "renders"), Done), why(proof, "renders")
    assert isinstance(outcome(proof, "reaches-target"), Done)
    assert isinstance(outcome(proof, "only-expected-fields"), Done)
    assert proof.radius.environments == ("production",)
    counted = proven(world, set_to(world, base, "clusters/prod/vars.yaml", ("data", "count"), "6"))
    assert ("spec.replicas: 4 -> 6",) in [each.fields for each in counted.objects]


def test_a_folder_of_an_artifact_is_that_of_the_repository(world: Infra) -> None:
    put_together = textwrap.dedent("""\
        apiVersion: source.extensions.fluxcd.io/v1beta1
        kind: ArtifactGenerator
        metadata: {name: parts, namespace: flux-system}
        spec:
          sources: [{alias: git, kind: GitRepository, name: flux-system}]
          artifacts:
          - name: apps
            copy: [{from: "@git/apps/**", to: "@artifact/"}]
        """)
    of_artifact = flux("web", "./web", "postBuild: {substitute: {tag: v2}}\n", kind="ExternalArtifact")
    files = {
        "apps/web/web.yaml": deployment("web", IMAGE + ":${tag}", namespace="shop"),
        "clusters/prod/parts.yaml": put_together,
        "clusters/prod/web.yaml": of_artifact.replace(
            "ExternalArtifact, name: flux-system", "ExternalArtifact, name: apps"
        ),
    }
    base = world.commit(files)
    proof = proven(world, set_to(world, base, "apps/web/web.yaml", ("spec", "replicas"), "3"))
    assert [(each.application, each.fields) for each in proof.objects] == [
        ("flux-system/web", ("spec.replicas: 2 -> 3",))
    ]
    assert undone(proof) == []


def test_a_variable_without_a_value_stays_and_is_named(world: Infra) -> None:
    files = {
        "apps/web/web.yaml": deployment("web", f"{IMAGE}:v2", namespace="'${REGION}'"),
        "clusters/prod/web.yaml": flux("web", "./apps/web", "postBuild: {substituteFrom: [{kind: Secret, name: s}]}\n"),
    }  # fmt: skip
    base = world.commit(files)
    image: Place = ("spec", "template", "spec", "containers", 1, "image")
    proof = proven(world, set_to(world, base, "apps/web/web.yaml", image, f"{IMAGE}:v1"))
    assert isinstance(outcome(proof, "renders"), Inconclusive)
    assert "the variables REGION have no value in the repository" in why(proof, "renders")
    assert isinstance(outcome(proof, "reaches-target"), Done)


def release(chart: str, kind: str, values: str) -> str:
    return (
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: web, namespace: shop}\nspec:\n"
        f"  chart:\n    spec:\n      chart: {chart}\n      sourceRef: {{kind: {kind}, name: x}}\n"
        f"  values:\n    image:\n      repository: {IMAGE}\n      tag: {values}\n"
    )


IN_RELEASE: Place = ("spec", "values", "image", "tag")


def test_a_release_of_a_chart_of_the_repository_is_rendered_with_its_values(world: Infra) -> None:
    patch = "resources: [release.yaml]\npatches:\n- patch: |\n    apiVersion: helm.toolkit.fluxcd.io/v2\n    kind: HelmRelease\n    metadata: {name: web, namespace: shop}\n    spec: {values: {replicas: 3}}\n"  # noqa: E501
    files = {
        **CHART,
        "apps/release.yaml": release("./charts/app", "GitRepository", "v2"),
        "apps/kustomization.yaml": patch,
    }
    proof = proven(world, set_to(world, world.commit(files), "apps/release.yaml", IN_RELEASE, "v1"))
    assert {(each.kind, each.fields) for each in proof.objects} == {
        ("HelmRelease", ("spec.values.image.tag: v2 -> v1",)),
        ("Deployment", (f"spec.template.spec.containers[0].image: {IMAGE}:v2 -> {IMAGE}:v1",)),
    }
    assert proof.radius.replicas == 3
    assert undone(proof) == ["schema-valid"]  # no schema of a HelmRelease is known


def test_a_release_of_a_remote_chart_shows_its_values_and_is_not_done(world: Infra) -> None:
    base = world.commit({"apps/release.yaml": release("web", "HelmRepository", "v2")})
    proof = proven(world, set_to(world, base, "apps/release.yaml", IN_RELEASE, "v1"))
    assert [each.fields for each in proof.objects] == [("spec.values.image.tag: v2 -> v1",)]
    assert why(proof, "renders") == "HelmRelease shop/web: the chart is not in this repository; rendered values only"
    reached = outcome(proof, "reaches-target")
    assert isinstance(reached, Inconclusive)
    assert "what comes of that is not in this repository" in reached.reason


def argo(name: str, source: str, namespace: str = "prod") -> str:
    return (
        f"apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: {name}, namespace: argocd}}\nspec:\n"
        f"  destination: {{namespace: {namespace}}}\n  source:\n    repoURL: https://git.example.com/acme/infra\n"
        f"{textwrap.indent(textwrap.dedent(source), '    ')}"
    )


def test_inline_values_and_parameters_of_an_application_are_rendered_as_they_change(world: Infra) -> None:
    source = f"""\
        path: charts/app
        helm:
          valueFiles: [../../values/prod.yaml, /values/gone.yaml]
          ignoreMissingValueFiles: true
          values: "replicas: 7  # valuesObject replaces it"
          valuesObject: {{replicas: 4, image: {{repository: {IMAGE}, tag: v0}}}}
          parameters: [{{name: image.tag, value: v2}}]
        """
    base = world.commit({**CHART, "values/prod.yaml": "replicas: 9\n", "argocd/web.yaml": argo("web", source)})
    path: Place = ("spec", "source", "helm", "parameters", 0, "value")
    proof = proven(world, set_to(world, base, "argocd/web.yaml", path, "v1"))
    web = next(each for each in proof.objects if each.kind == "Deployment")
    assert (web.namespace, web.application, web.replicas) == ("prod", "argocd/web", 4)
    assert web.fields == (f"spec.template.spec.containers[0].image: {IMAGE}:v2 -> {IMAGE}:v1",)
    assert isinstance(outcome(proof, "renders"), Done), why(proof, "renders")
    overridden = proven(world, set_to(world, base, "values/prod.yaml", ("replicas",), "8"))
    assert isinstance(outcome(overridden, "reaches-target"), Refused)  # the inline values beat the file


def test_a_directory_holds_what_its_application_takes(world: Infra) -> None:
    source = "path: m\ndirectory: {include: '*.yaml', exclude: '{skipped.yaml,old*}'}\n"
    names = ("a.yaml", "skipped.yaml", "old-a.yaml", "sub/deep.yaml")
    files = {f"m/{name}": deployment(name[:3], f"{IMAGE}:v2", namespace="prod") for name in names}
    base = world.commit({**files, "argocd/web.yaml": argo("web", source)})
    image: Place = ("spec", "template", "spec", "containers", 1, "image")
    assert [each.name for each in proven(world, set_to(world, base, "m/a.yaml", image, "x:1")).objects] == ["a.y"]
    for name in names[1:]:
        proof = proven(world, set_to(world, base, f"m/{name}", image, "x:1"), workload="//")
        assert proof.objects == (), name
        assert isinstance(outcome(proof, "reaches-target"), Refused), name


def test_applications_that_a_set_makes_are_rendered(world: Infra) -> None:
    made = textwrap.dedent("""\
        apiVersion: argoproj.io/v1alpha1
        kind: ApplicationSet
        metadata: {name: web, namespace: argocd}
        spec:
          generators:
          - list: {elements: [{env: dev}, {env: prod}]}
          template:
            metadata: {name: 'web-{{env}}'}
            spec:
              destination: {namespace: '{{env}}'}
              source:
                repoURL: https://git.example.com/acme/infra
                path: charts/app
                helm: {valueFiles: ['/values/{{env}}.yaml']}
        """)
    values = {f"values/{env}.yaml": f"image: {{repository: {IMAGE}, tag: v2}}\n" for env in ("dev", "prod")}
    base = world.commit({**CHART, **values, "argocd/web.yaml": made})
    proof = proven(
        world, set_to(world, base, "values/prod.yaml", ("image", "tag"), "v1"), workload="Deployment//web-prod"
    )
    assert [(each.application, each.namespace) for each in proof.objects] == [("argocd/web-prod", "prod")]
    assert undone(proof) == []


@pytest.mark.parametrize(
    ("images", "path", "before", "after", "line"),
    [
        (f"images: [{{name: {IMAGE}}}]\n", TAG, None, "v1", f"{IMAGE}:v2 -> {IMAGE}:v1"),
        (f"images:\n- name: {IMAGE}\n  newTag: v9\n", TAG, "v9", None, f"{IMAGE}:v9 -> {IMAGE}:v2"),
        (f"images:\n- name: {IMAGE}\n  newTag: v9\n", ("images", 0, "digest"), None, f"sha256:{'a' * 64}",
         f"{IMAGE}:v9 -> {IMAGE}:v9@sha256:{'a' * 64}"),
    ],
)  # fmt: skip
def test_an_override_that_comes_or_goes_is_accounted_for(
    world: Infra, images: str, path: Place, before: str | None, after: str | None, line: str
) -> None:
    base = world.commit({**BASE, "prod/kustomization.yaml": overlay("prod", images, "../apps/web/base")})
    proof = proven(world, set_to(world, base, "prod/kustomization.yaml", path, after, before))
    assert undone(proof) == []
    assert [each.fields for each in proof.objects] == [(f"spec.template.spec.containers[1].image: {line}",)]


def test_an_annotation_that_comes_is_accounted_for(world: Infra) -> None:
    base = world.commit({**BASE, **over("prod")})
    path: Place = ("spec", "template", "metadata", "annotations", "kubectl.kubernetes.io/restartedAt")
    file = "apps/web/base/deployment.yaml"
    proof = proven(world, set_to(world, base, file, path, "2026-11-23T05:00:00Z", None))
    assert undone(proof) == []
    assert [each.fields for each in proof.objects] == [
        ("spec.template.metadata.annotations.kubectl.kubernetes.io/restartedAt: (none) -> 2026-11-23T05:00:00Z",)
    ]


def test_a_resource_that_the_edit_takes_out_is_pruned_on_purpose(world: Infra) -> None:
    text = "resources:\n- deployment.yaml\n- more.yaml\n"
    more = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: conf}\n"
    base = world.commit({**BASE, "apps/web/base/kustomization.yaml": text, "apps/web/base/more.yaml": more})
    change = set_to(world, base, "apps/web/base/kustomization.yaml", ("resources", 1), None)
    proof = proven(world, change, workload="//")
    assert [(each.kind, each.fields) for each in proof.objects] == [("ConfigMap", ("(removed)",))]
    assert isinstance(outcome(proof, "nothing-pruned"), Done)
    assert isinstance(outcome(proof, "only-expected-fields"), Done)


@pytest.mark.parametrize(
    ("kustomization", "says"),
    [
        ("resources: [../base, 'https://github.com/acme/x//y?ref=v1']\n", "https://github.com/acme/x//y?ref=v1"),
        ("resources: [../base]\nhelmCharts: [{name: redis, repo: 'https://x'}]\n", "inflates Helm charts (redis)"),
    ],
)  # fmt: skip
def test_what_lies_elsewhere_is_left_out_on_both_sides_and_named(world: Infra, kustomization: str, says: str) -> None:
    base = world.commit({
        "b/kustomization.yaml": "resources: [../base]\n", "base/kustomization.yaml": "resources: [d.yaml]\n",
        "base/d.yaml": deployment("web", f"{IMAGE}:v2"), "prod/kustomization.yaml": kustomization,
    })  # fmt: skip
    proof = proven(world, set_to(world, base, "base/d.yaml", ("spec", "replicas"), "3"))
    assert isinstance(outcome(proof, "renders"), Inconclusive)
    assert says in why(proof, "renders")
    assert isinstance(outcome(proof, "reaches-target"), Done)
    assert [each.application for each in proof.objects] == ["b", "prod"]


def test_a_hashed_config_map_is_one_object_with_a_new_name_everywhere(world: Infra) -> None:
    web = deployment("web", f"{IMAGE}:v2") + "        envFrom: [{configMapRef: {name: conf}}]\n"
    text = "resources: [web.yaml]\nconfigMapGenerator:\n- name: conf\n  literals: [level=info]\n"
    base = world.commit({"prod/kustomization.yaml": text, "prod/web.yaml": web})
    path: Place = ("configMapGenerator", 0, "literals", 0)
    proof = proven(world, set_to(world, base, "prod/kustomization.yaml", path, "level=debug"))
    assert undone(proof) == []
    assert sorted(each.kind for each in proof.objects) == ["ConfigMap", "Deployment"]
    assert [each for each in proof.objects if "(removed)" in each.fields or "(added)" in each.fields] == []


def test_a_change_that_restarts_nothing_still_reaches_what_reads_it(world: Infra) -> None:
    web = deployment("web", f"{IMAGE}:v2") + "        envFrom: [{configMapRef: {name: conf}}]\n"
    config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {level: info}\n"
    base = world.commit({"prod/kustomization.yaml": "resources: [web.yaml, c.yaml, o.yaml]\n", "prod/web.yaml": web,
                         "prod/c.yaml": config % "conf", "prod/o.yaml": config % "other"})  # fmt: skip
    mine = proven(world, set_to(world, base, "prod/c.yaml", ("data", "level"), "debug"))
    assert why(mine, "reaches-target") == "ConfigMap conf data.level: info -> debug, from prod/c.yaml"
    other = proven(world, set_to(world, base, "prod/o.yaml", ("data", "level"), "debug"))
    assert isinstance(outcome(other, "reaches-target"), Refused)


@pytest.mark.parametrize(
    ("kind", "path", "value", "refused"),
    [
        ("Deployment", ("spec", "selector", "matchLabels", "app"), "x", "spec.selector.matchLabels.app"),
        ("Job", ("spec", "template", "spec", "containers", 0, "image"), "x", "spec.template.spec.containers[0].image"),
        ("StatefulSet", ("spec", "template", "spec", "containers", 0, "image"), "x", ""),
        ("StatefulSet", ("spec", "serviceName"), "x", "spec.serviceName"),
    ],
)  # fmt: skip
def test_fields_that_the_api_server_holds_fast_are_refused(
    world: Infra, kind: str, path: Place, value: str, refused: str
) -> None:
    text = deployment("web", f"{IMAGE}:v2", namespace="prod").replace("kind: Deployment", f"kind: {kind}")
    base = world.commit({"m/web.yaml": text.replace("spec:\n  replicas", "spec:\n  serviceName: web\n  replicas", 1)})
    found = outcome(proven(world, set_to(world, base, "m/web.yaml", path, value), workload="//web"), "applies")
    if refused:
        assert isinstance(found, Refused)
        assert found.reason == f"{kind} prod/web {refused} cannot change on an object that exists; the apply would fail"
    else:
        assert isinstance(found, Done)


def test_a_new_name_prunes_the_old_object_and_is_refused(world: Infra) -> None:
    base = world.commit({"m/web.yaml": deployment("web", f"{IMAGE}:v2", namespace="prod")})
    proof = proven(world, set_to(world, base, "m/web.yaml", ("metadata", "name"), "web2"), workload="//")
    pruned = outcome(proof, "nothing-pruned")
    assert isinstance(pruned, Refused)
    assert pruned.reason == "1 objects would be deleted: Deployment prod/web"
    assert isinstance(outcome(proof, "only-expected-fields"), Inconclusive)


def test_the_same_object_twice_is_refused_when_the_edit_makes_it(world: Infra) -> None:
    config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Values.%s }}}\n"
    chart = CHART | {f"charts/app/templates/{key}.yaml": config % key for key in ("a", "b")}
    base = world.commit({**chart, "charts/app/values.yaml": "a: one\nb: two\nimage: {}\n"})
    proof = proven(world, set_to(world, base, "charts/app/values.yaml", ("b",), "one"), workload="//")
    twice = outcome(proof, "no-object-twice")
    assert isinstance(twice, Refused)
    assert twice.reason == "ConfigMap one would come twice in one build"


def test_what_is_another_at_each_rendering_is_left_out_and_said(world: Infra) -> None:
    chart = CHART | {"charts/app/templates/s.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: r}\n"
                     "data: {tag: {{ .Values.image.tag }}, made: {{ randAlphaNum 30 }}}\n"}  # fmt: skip
    base = world.commit({**chart, "charts/app/values.yaml": f"replicas: 1\nimage: {{repository: {IMAGE}, tag: v2}}\n"})
    proof = proven(
        world, set_to(world, base, "charts/app/values.yaml", ("image", "tag"), "v1"), workload="Deployment//app"
    )
    assert ("data.tag: v2 -> v1",) in [each.fields for each in proof.objects]
    assert why(proof, "renders") == "charts/app: ConfigMap r data.made is another at each rendering; left out"
    assert isinstance(outcome(proof, "only-expected-fields"), Done)


def test_a_chart_whose_parts_are_not_there_is_unavailable_and_a_local_one_is_put_in(world: Infra) -> None:
    chart = "apiVersion: v2\nname: top\nversion: 1.0.0\ndependencies: [{name: app, version: 1.0.0, repository: '%s'}]\n"
    values = f"app: {{replicas: 1, image: {{repository: {IMAGE}, tag: v2}}}}\n"
    local = {"top/Chart.yaml": chart % "file://../charts/app", "top/values.yaml": values}
    remote = {"far/Chart.yaml": chart % "https://charts.example.com", "far/values.yaml": values}
    base = world.commit({**CHART, **local, **remote})
    tag: Place = ("app", "image", "tag")
    near = proven(world, set_to(world, base, "top/values.yaml", tag, "v1"), workload="Deployment//top")
    assert undone(near) == []
    far = outcome(proven(world, set_to(world, base, "far/values.yaml", tag, "v1")), "renders")
    assert isinstance(far, Unavailable)
    assert "far cannot be rendered: helm failed" in far.reason
    assert "/tmp" not in far.reason


def test_a_plain_config_map_reaches_the_workload_beside_it_that_mounts_it(world: Infra) -> None:
    mounted = "      volumes: [{name: flags, configMap: {name: flags}}]\n"
    config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {level: info}\n"
    base = world.commit({
        "m/web.yaml": deployment("web", f"{IMAGE}:v2") + mounted,
        "m/config/flags.yaml": config % "flags",
        "m/config/other.yaml": config % "other",
        "m/broken.yaml": "{{ this is no YAML }}\n---\n{",
    })  # fmt: skip
    path: Place = ("data", "level")
    mine = proven(world, set_to(world, base, "m/config/flags.yaml", path, "debug"), path="m")
    assert why(mine, "reaches-target") == "ConfigMap flags data.level: info -> debug"
    assert undone(mine) == []
    assert [each.name for each in mine.objects] == ["flags"]
    other = proven(world, set_to(world, base, "m/config/other.yaml", path, "debug"), path="m")
    assert isinstance(outcome(other, "reaches-target"), Refused)


def test_a_file_that_nothing_renders_is_not_proven(world: Infra) -> None:
    base = world.commit({"values/prod.yaml": "image: {tag: v2}\n"})
    proof = proven(world, set_to(world, base, "values/prod.yaml", ("image", "tag"), "v1"))
    assert why(proof, "renders") == "nothing in the repository is known to render values/prod.yaml"
    assert isinstance(outcome(proof, "reaches-target"), Inconclusive)


def test_only_kustomizations_that_read_the_file_are_rendered(world: Infra, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {f"apps/a{n}/prod/kustomization.yaml": "resources: [web.yaml]\n" for n in range(60)}
    files |= {f"apps/a{n}/prod/web.yaml": deployment(f"a{n}", f"{IMAGE}:v2") for n in range(60)}
    base = world.commit(files)
    rendered: list[Source] = []
    real = world.renderer.render

    def counted(tree: Path, source: Source) -> tuple[Manifest, ...] | Unavailable:
        rendered.append(source)
        return real(tree, source)

    monkeypatch.setattr(world.renderer, "render", counted)
    proof = proven(world, set_to(world, base, "apps/a7/prod/web.yaml", ("spec", "replicas"), "5"), workload="//a7")
    assert undone(proof) == []
    assert len(rendered) == 2  # one source, before and after
