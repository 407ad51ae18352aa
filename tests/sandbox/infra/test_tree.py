"""The generated repository is a real one: it renders, with the tags it declares, and is as ugly as it claims."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from gitops_sre.sandbox.infra import edit, tree
from gitops_sre.sandbox.infra.state import today
from gitops_sre.sandbox.reconciler import application, render
from gitops_sre.sandbox.shop import BY_NAME, ENVIRONMENTS, SERVICES

URL = "http://127.0.0.1:1/acme/shop-infra.git"
FILES = tree.files(today(), URL)
PLACES = [(environment, service.name) for environment in ENVIRONMENTS for service in SERVICES]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("checkout")
    for path, content in FILES.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    return root


@pytest.mark.usefixtures("render_tools")
def test_every_application_renders_the_declared_image_and_replicas(checkout: Path) -> None:
    specs = application.specs(checkout)
    assert len(specs) == len(PLACES)
    for spec in specs:
        rendered = render.render(spec.source, checkout, spec.destination)
        deployment = next(manifest for manifest in rendered if manifest["kind"] == "Deployment")
        service = BY_NAME[deployment["metadata"]["name"]]
        place = (spec.destination, service.name)
        assert spec.name == f"{place[0]}-{place[1]}"
        container = deployment["spec"]["template"]["spec"]["containers"][0]
        assert container["image"] == f"{service.image}:{service.version}"
        assert deployment["spec"]["replicas"] == today().replicas[place]
        assert {manifest["metadata"]["namespace"] for manifest in rendered} == {spec.destination}


def test_all_three_ways_to_declare_an_image_are_there(checkout: Path) -> None:
    assert {spec.source.kind for spec in application.specs(checkout)} == {"Kustomize", "Helm", "Directory"}


@pytest.mark.parametrize(("environment", "service"), PLACES)
def test_a_person_changes_a_tag_and_no_other_byte(environment: str, service: str) -> None:
    path, image = tree.image_path(environment, service), BY_NAME[service].image
    before, version = FILES[path], BY_NAME[service].version
    assert edit.tag_in(before, image) == version
    after = edit.with_tag(before, image, "v99.0.0-rc1")
    assert edit.tag_in(after, image) == "v99.0.0-rc1"
    assert before.split(version.encode()) == after.split(b"v99.0.0-rc1")


def test_an_image_that_is_not_there_or_twice_is_refused() -> None:
    content = FILES[tree.image_path("staging", "checkout")]
    with pytest.raises(edit.EditError, match="named 0 times"):
        edit.tag_in(content, "registry.example.com/shop/web")
    with pytest.raises(edit.EditError, match="named 2 times"):
        edit.tag_in(content + b"---\n" + content, BY_NAME["checkout"].image)


def test_the_files_are_as_ugly_as_people_leave_them() -> None:
    text = {path: content.decode() for path, content in FILES.items()}
    assert any("\r\n" in content for content in text.values())
    assert any(not content.endswith("\n") for path, content in text.items() if path.endswith(".yaml"))
    assert any("\n---\n" in content for content in text.values())
    assert any(content.lstrip().startswith("{") for path, content in text.items() if path.endswith(".yaml"))
    assert any("\n\t" in content for path, content in text.items() if path.endswith(".json"))
    for quote in ("newTag: v", 'newTag: "v', "newTag: 'v", "tag: v", 'image: "registry'):
        assert any(quote in content for content in text.values()), quote


def test_the_policies_carry_the_envelope_and_the_levels_of_the_environments() -> None:
    folder = ".gitops-sre/policies/"
    documents = [yaml.safe_load(content) for path, content in FILES.items() if path.startswith(folder)]
    assert {document["kind"] for document in documents} == {"AutonomyLadder", "RemediationPolicy"}
    assert {document["apiVersion"] for document in documents} == {"gitops-sre.dev/v1"}
    ladder = next(document for document in documents if document["kind"] == "AutonomyLadder")
    levels = {entry["environment"]: entry["level"] for entry in ladder["spec"]["levels"]}
    assert levels == {"dev": "L4", "staging": "L4", "production": "L3"}
