"""Applications that the repository declares: sources, templates, generators, patches, parents."""

from __future__ import annotations

import time

import pytest

from gitops_sre.gitops.argocd.applications import applications, parents, read, reading
from gitops_sre.gitops.argocd.troubles import troubles
from gitops_sre.gitops.files import AtCommit
from gitops_sre.yamltext import YamlTextError
from tests.gitops.argocd import URL, Memory, application, application_set, indented
from tests.gitops.infra import Infra

MANIFEST = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"


def test_an_application_says_where_its_manifests_come_from_and_go() -> None:
    files = Memory(
        {
            "argocd/web.yaml": application("web", "path: ./apps/web/\ntargetRevision: main\n"),
            "apps/web/a.yaml": MANIFEST,
        }
    )
    (web,) = applications(files)
    source = web.sources[0].source
    assert (web.key, web.file, source.path, source.revision, web.environment) == (
        "argocd/web", "argocd/web.yaml", "apps/web", "main", "production"
    )  # fmt: skip
    shown = web.as_application()
    assert (shown.key, shown.sync_status, shown.auto_sync, shown.destination_namespace) == (
        "argocd/web", "Unknown", False, "production"
    )  # fmt: skip


def test_an_empty_automated_means_that_it_syncs_by_itself() -> None:
    (web,) = applications(Memory({"a.yaml": application("web", "path: apps\n", more="syncPolicy:\n  automated: {}\n")}))
    assert web.auto_sync
    (off,) = applications(
        Memory({"a.yaml": application("web", "path: apps\n", more="syncPolicy:\n  automated:\n    enabled: false\n")})
    )
    assert not off.auto_sync


def test_value_files_of_a_ref_are_paths_of_the_repository_in_their_order() -> None:
    several = application("web", "path: unused\n").replace(
        f"source:\n    repoURL: {URL}\n    path: unused\n",
        "sources:\n  - repoURL: https://charts.example.com\n    chart: web\n    targetRevision: 1.0.0\n    helm:\n"
        "      valueFiles: [$values/values/web.yaml, $values/values/gone.yaml, $other/x.yaml, https://x.example/v.yaml]\n"
        f"  - repoURL: {URL}\n    ref: values\n",
    )
    (web,) = applications(Memory({"a.yaml": several, "values/web.yaml": "a: 1\n", "x.yaml": "a: 1\n"}), [URL])
    assert [(each.chart, each.local, each.source.value_files) for each in web.sources] == [
        ("web", False, ("values/web.yaml",)),
        ("", True, ()),
    ]


def test_patterns_of_value_files_are_expanded_in_lexical_order() -> None:
    source = "path: charts/web\nhelm:\n  valueFiles: ['../../envs/*.yaml', /last.yaml]\n"
    files = {"a.yaml": application("web", source), "charts/web/Chart.yaml": "name: web\n"}
    files |= dict.fromkeys(("envs/b.yaml", "envs/a.yaml", "last.yaml"), "a: 1\n")
    (web,) = applications(Memory(files))
    assert web.sources[0].source.value_files == ("envs/a.yaml", "envs/b.yaml", "last.yaml")


def test_a_source_of_another_repository_is_not_this_one() -> None:
    files = Memory({"a.yaml": application("web", "path: apps\n"), "apps/x.yaml": MANIFEST})
    (here,) = applications(files, ["git@git.example.com:acme/infra.git"])
    (there,) = applications(files, ["https://git.example.com/acme/other.git"])
    assert (here.sources[0].local, there.sources[0].local) == (True, False)


def test_only_files_that_hold_an_application_are_parsed() -> None:
    broken = "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\n  x: : [\n"
    found = read(Memory({"rollout.yaml": broken, "app.yaml": application("web", "path: apps\n")}))
    assert ([each.name for each in found.applications], found.unread) == (["web"], ())


def test_what_cannot_be_read_is_named_with_its_reason() -> None:
    found = read(Memory({"app.yaml": application("web", "path: [\n")}))
    assert not found.applications
    assert [each.file for each in found.unread] == ["app.yaml"]
    assert "not valid YAML" in found.unread[0].reason


LIST = "- list:\n    elements:\n    - {env: staging, version: v2}\n    - {env: production, version: v1}\n"


@pytest.mark.parametrize(
    ("go", "name", "path"),
    [
        (False, "'web-{{env}}'", "'apps/{{ env }}'"),
        (True, "'web-{{.env}}'", "'apps/{{- .env | lower -}}'"),
        (False, "web-{{env}}", "apps/{{env}}"),
        (False, "'web-{{env}}'", "{{env}}  # unquoted"),
    ],
)
def test_a_list_makes_one_application_for_each_element(go: bool, name: str, path: str) -> None:
    files = Memory({"set.yaml": application_set(LIST, f"path: {path}\n", name=name, go=go)})
    found = applications(files)
    assert [(each.name, each.sources[0].source.path.removeprefix("apps/"), each.environment) for each in found] == [
        ("web-staging", "staging", "staging"),
        ("web-production", "production", "production"),
    ]
    assert all(each.complete and not each.notes for each in found)


def test_unquoted_templates_are_read_and_the_file_is_locked_against_edits() -> None:
    (web, _) = applications(Memory({"set.yaml": application_set(LIST, "path: apps\n", name="{{env}}")}))
    assert "set.yaml" in web.locked
    (quoted, _) = applications(Memory({"set.yaml": application_set(LIST, "path: 'apps/{{env}}'\n", name="'{{env}}'")}))
    assert not quoted.locked


def test_folders_of_the_repository_make_applications_but_for_excluded_and_hidden_ones() -> None:
    generator = "- git:\n    directories:\n    - path: apps/*\n    - {path: apps/old, exclude: true}\n"
    made = application_set(generator, "path: '{{path}}'\n", name="'{{path.basename}}-{{path[0]}}'")
    files = {f"apps/{name}/x.yaml": MANIFEST for name in ("web", "old", ".hidden", "web/deeper", "mail")}
    found = applications(Memory({"set.yaml": made, **files}))
    assert [(each.name, each.sources[0].source.path) for each in found] == [
        ("mail-apps", "apps/mail"),
        ("web-apps", "apps/web"),
    ]


def test_files_of_the_repository_give_their_keys_and_their_place() -> None:
    generator = "- git:\n    files:\n    - path: 'clusters/**/config.json'\n"
    source = "path: '{{index .path.segments 0}}/{{.path.basename}}'\ntargetRevision: '{{.app.version}}'\n"
    made = application_set(generator, source, name="'{{.app.name}}-{{.path.filename}}'", go=True)
    files = {"clusters/eu/one/config.json": '{"app": {"name": "web", "version": "v3"}}\n'}
    (web,) = applications(Memory({"set.yaml": made, **files}))
    assert (web.name, web.sources[0].source.path, web.sources[0].source.revision) == (
        "web-config.json",
        "clusters/one",
        "v3",
    )
    version = web.parameters["app", "version"].held
    assert version is not None
    assert (version.file, version.scalar.path) == ("clusters/eu/one/config.json", ("app", "version"))


def test_a_matrix_combines_and_its_second_generator_uses_the_first() -> None:
    generator = (
        "- matrix:\n    generators:\n    - list:\n        elements: [{env: staging}, {env: production}]\n"
        "    - git:\n        directories:\n        - path: 'envs/{{env}}/*'\n"
    )
    made = application_set(generator, "path: '{{path}}'\n", name="'{{path.basename}}-{{env}}'")
    files = dict.fromkeys(
        ("envs/staging/web/a.yaml", "envs/production/web/a.yaml", "envs/production/db/a.yaml"), MANIFEST
    )
    found = applications(Memory({"set.yaml": made, **files}))
    assert [each.name for each in found] == ["web-staging", "db-production", "web-production"]


def test_merge_lays_later_elements_over_those_with_the_same_key() -> None:
    generator = (
        "- merge:\n    mergeKeys: [name]\n    generators:\n"
        "    - list:\n        elements: [{name: web, tag: v1}, {name: db, tag: v1}]\n"
        "    - list:\n        elements: [{name: db, tag: v2}, {name: gone, tag: v9}]\n"
    )
    found = applications(
        Memory({"s.yaml": application_set(generator, "path: '{{name}}/{{tag}}'\n", name="'{{name}}'")})
    )
    assert [each.sources[0].source.path for each in found] == ["web/v1", "db/v2"]


def test_a_clusters_generator_says_what_it_does_not_know() -> None:
    made = application_set("- clusters: {}\n", "path: 'apps/{{name}}'\n", name="'web-{{name}}'")
    (web,) = applications(Memory({"set.yaml": made}))
    assert (web.name, web.complete) == ("web-{{name}}", False)
    assert "registered" in web.notes[0]


def test_values_of_a_clusters_generator_and_what_is_merged_over_it_are_known() -> None:
    generator = (
        "- merge:\n    mergeKeys: [nameNormalized]\n    generators:\n"
        "    - clusters:\n        values: {env: staging, dir: ''}\n"
        "    - list:\n        elements: [{nameNormalized: eu-1, values.dir: eu}]\n"
    )
    made = application_set(generator, "path: 'apps/{{values.env}}/{{values.dir}}'\n", name="'web-{{nameNormalized}}'")
    found = applications(Memory({"set.yaml": made}))
    assert [(each.name, each.sources[0].source.path) for each in found] == [
        ("web-{{nameNormalized}}", "apps/staging"),
        ("web-eu-1", "apps/staging/eu"),
    ]


@pytest.mark.parametrize("generator", ["scmProvider", "pullRequest", "plugin"])
def test_what_only_the_forge_knows_is_said_and_not_guessed(generator: str) -> None:
    made = application_set(f"- {generator}:\n    x: y\n", "path: '{{path}}'\n", name="'{{repository}}'")
    (any_one,) = applications(Memory({"set.yaml": made}))
    assert generator in any_one.notes[0]
    assert not any_one.complete


def test_a_selector_leaves_elements_out() -> None:
    chosen = LIST + "  selector:\n    matchLabels: {env: production}\n"
    found = applications(Memory({"s.yaml": application_set(chosen, "path: 'apps/{{env}}'\n", name="'{{env}}'")}))
    assert [each.name for each in found] == ["production"]


def test_a_set_that_makes_too_many_applications_is_unread() -> None:
    elements = "".join(f"    - {{n: '{number}'}}\n" for number in range(60))
    inner = f"    - list:\n        elements:\n{indented(elements, 4)}"
    square = f"- matrix:\n    generators:\n{inner}{inner}"
    found = read(Memory({"set.yaml": application_set(square, "path: apps\n", name="'{{n}}'")}))
    assert not found.applications
    assert "more than" in found.unread[0].reason


def test_an_overlay_patches_what_its_base_declares() -> None:
    files = {
        "base/kustomization.yaml": "resources: [web.yaml]\n",
        "base/web.yaml": application("web", "path: apps/staging\n", namespace="web"),
        "overlays/production/kustomization.yaml": (
            "resources: [../../base]\npatches:\n- target: {kind: Application, name: web}\n  patch: |-\n"
            "    - op: replace\n      path: /spec/source/path\n      value: apps/production\n"
        ),
        "overlays/dev/kustomization.yaml": "resources: [../../base]\npatches:\n- path: web.yaml\n",
        "overlays/dev/web.yaml": (
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata:\n  name: web\n"
            "spec:\n  source:\n    path: apps/dev\n"
        ),
    }
    found = applications(Memory(files))
    assert {(each.sources[0].source.path, each.environment) for each in found} == {
        ("apps/production", "production"),
        ("apps/dev", "dev"),
    }


def test_a_charts_template_is_filled_in_from_its_values() -> None:
    files = {
        "root/Chart.yaml": "name: root\nversion: 1.0.0\n",
        "root/values.yaml": "web: {revision: v4}\n",
        "root/templates/web.yaml": application("web", "path: apps/web\ntargetRevision: {{ .Values.web.revision }}\n"),
    }
    (web,) = applications(Memory(files))
    assert web.sources[0].source.revision == "v4"
    held = web.parameters["Values", "web", "revision"].held
    assert held is not None
    assert held.file == "root/values.yaml"


def test_parents_and_readers_are_found_by_what_their_sources_hold() -> None:
    files = {
        "root.yaml": application("root", "path: applications\n"),
        "applications/web.yaml": application("web", "path: apps/web\n"),
        "apps/web/a.yaml": MANIFEST,
    }
    found = applications(Memory(files))
    by_name = {each.name: each for each in found}
    assert parents(found)[by_name["web"]] == (by_name["root"],)
    assert parents(found)[by_name["root"]] == ()
    assert reading(found, "apps/web/a.yaml") == (by_name["web"],)


def test_troubles_say_what_keeps_a_commit_from_having_an_effect() -> None:
    more = "ignoreDifferences:\n- kind: Deployment\n  jsonPointers: [/spec/replicas]\n"
    files = {
        "a.yaml": application("web", "path: apps/web\ntargetRevision: v1.2.0\n", more=more),
        "apps/web/a.yaml": MANIFEST,
    }
    (web,) = applications(Memory(files))
    found = {each.kind: each for each in troubles(web, ["main"])}
    assert set(found) == {"auto-sync-off", "pinned-revision", "ignored-difference"}
    assert found["ignored-difference"].path == ("spec", "ignoreDifferences", 0, "jsonPointers", 0)
    assert found["pinned-revision"].path == ("spec", "source", "targetRevision")
    files["a.yaml"] = application(
        "web", "path: apps/web\ntargetRevision: next\n", more="syncPolicy:\n  automated: {}\n"
    )
    (web,) = applications(Memory(files))
    assert [each.kind for each in troubles(web, ["main"])] == ["other-branch"]
    assert troubles(web, ["next"]) == ()


def test_the_application_of_a_set_is_said_to_be_written_anew() -> None:
    (web, _) = applications(Memory({"s.yaml": application_set(LIST, "path: apps\n", name="'{{env}}'")}))
    assert "generated" in {each.kind for each in troubles(web)}


def test_a_scope_leaves_out_files_that_have_nothing_to_do_with_it(world: Infra) -> None:
    files = {
        "argocd/web.yaml": application("web", "path: apps/web/overlays/production\n"),
        "argocd/db.yaml": application("db", "path: platform/db\n"),
        "argocd/all.yaml": application("all", "path: apps\n"),
        "apps/web/overlays/production/a.yaml": MANIFEST,
    }
    at = AtCommit(world.repository, world.commit(files))
    found = applications(at, scope="apps/web/overlays/production")
    assert [each.name for each in found] == ["all", "web"]
    assert applications(at, scope="apps/web/overlays/production") is found


@pytest.mark.parametrize(
    "text", ["kind: Application\n\x00", "apiVersion: argoproj.io/v1\nkind: Application\n---\n- 1\n"]
)
def test_hostile_files_break_nothing(text: str) -> None:
    try:
        read(Memory({"a.yaml": f"# argoproj.io/\n{text}"}))
    except YamlTextError as error:
        pytest.fail(f"a broken file must be reported, not raised: {error}")


def test_a_loop_of_a_charts_template_makes_an_application_for_each_of_its_values() -> None:
    looped = application("{{ .name }}", "path: {{ .path }}\ntargetRevision: {{ $.Values.revision }}\n")
    named = application("{{ $name }}", "path: apps/{{ $app.folder }}\n")
    apps = "apps:\n- {name: web, path: apps/web}\n- {name: db, path: apps/db}\n"
    values = f"revision: v4\n{apps}more:\n  mail: {{folder: post}}\n"
    files = {
        "root/Chart.yaml": "name: root\nversion: 1.0.0\n",
        "root/values.yaml": values,
        "root/templates/apps.yaml": f"{{{{- range .Values.apps }}}}\n---\n{looped}{{{{- end }}}}\n",
        "root/templates/more.yaml": f"{{{{- range $name, $app := .Values.more }}}}\n---\n{named}{{{{ end }}}}\n",
        "root/templates/if.yaml": f"{{{{- if .Values.on }}}}\n{application('on', 'path: x' + chr(10))}{{{{- end }}}}\n",
    }
    found = applications(Memory(files))
    assert [(each.name, each.sources[0].source.path, each.sources[0].source.revision) for each in found] == [
        ("web", "apps/web", "v4"),
        ("db", "apps/db", "v4"),
        ("on", "x", "HEAD"),
        ("mail", "apps/post", "HEAD"),
    ]
    assert all("conditions" in each.notes[-1] for each in found)


def test_a_loop_that_cannot_be_followed_is_said() -> None:
    looped = application("{{ .name }}", "path: apps\n")
    files = {
        "root/Chart.yaml": "name: root\nversion: 1.0.0\n",
        "root/templates/apps.yaml": f"{{{{- range (list 1 2) }}}}\n---\n{looped}{{{{- end }}}}\n",
    }
    (one,) = applications(Memory(files))
    assert "not followed" in one.notes[0]
    assert one.name == "{{ .name }}"


def test_variables_and_inclusions_of_a_charts_template() -> None:
    source = (
        "path: {{ .path | default .name | quote }}\nrepoURL2: {{ $config.url }}\n"
        "targetRevision: {{ $config.revision }}\n{{- with .tool }}\n{{- . | toYaml | nindent 4 }}\n{{- end }}\n"
    )
    looped = application('{{ printf "example.%s" .name | quote }}', source)
    head = "{{- range .Values.apps }}\n{{- $config := $.Values.config -}}\n"
    files = {
        "root/Chart.yaml": "name: root\n",
        "root/values.yaml": "config: {revision: v7}\napps:\n- name: web\n",
        "root/templates/apps.yaml": f"{head}{looped}---\n{{{{ end -}}}}\n",
    }
    (web,) = applications(Memory(files))
    assert (web.name, web.sources[0].source.path, web.sources[0].source.revision) == ("example.web", "web", "v7")
    held = web.parameters["$config", "revision"].held
    assert held is not None
    assert held.scalar.path == ("config", "revision")


@pytest.mark.parametrize("piece", ["{{", "{{\n", "{{- $a := ", "{{ range ", "{{ if x }}", "{{ end }}", "{{   "])
def test_hostile_templates_take_time_by_their_length(piece: str) -> None:
    text = application("web", "path: apps\n") + "#" + piece * (100_000 // len(piece)) + "\n"
    files = {"c/Chart.yaml": "name: c\n", "c/templates/a.yaml": text, "b.yaml": text}
    began = time.perf_counter()
    read(Memory(files))
    assert time.perf_counter() - began < 20


def test_a_merge_of_too_many_combinations_ends() -> None:
    ten = "        - list:\n            elements:\n" + "".join(f"            - {{n: '{at}'}}\n" for at in range(10))
    merge = f"- merge:\n    mergeKeys: [n]\n    generators:\n    - matrix:\n        generators:\n{ten * 9}"
    found = read(Memory({"set.yaml": application_set(merge, "path: apps\n", name="'{{n}}'")}))
    assert "more than" in found.unread[0].reason
