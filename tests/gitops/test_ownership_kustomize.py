"""Who owns `replicas` in layered kustomizations of any shape: what kustomize builds says whether it is true."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from random import Random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gitops_sre.adapters.render import ToolRenderer
from gitops_sre.gitops.files import AtCommit
from gitops_sre.gitops.ownership import owners
from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.target import ObjectField, Source, WorkloadRef
from tests.gitops import infra
from tests.gitops.infra import Infra, deployment, target, tool

pytestmark = tool("kubectl")

STRATEGIC = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\nspec:\n  replicas: {count}\n"
POINTED = "- op: replace\n  path: /spec/replicas\n  value: {count}\n"


@dataclass
class Layout:
    """Files of layers with patches, transformers and components; each place says a number of its own."""

    random: Random
    files: dict[str, str] = field(default_factory=dict)
    count: int = 2

    def layer(self, folder: str, *resources: str, component: bool = False) -> None:
        """Write a kustomization and, now and then, what it can set replicas by."""
        text = "kind: Component\napiVersion: kustomize.config.k8s.io/v1alpha1\n" if component else ""
        text += _list("resources", [f"- {each}\n" for each in resources])
        if not component:
            text += "namePrefix: p-\n" if self.perhaps(3) else ""
            inner = [self.component() for _ in range(self.random.choice([0, 0, 1, 2]))]
            text += _list("components", [f"- ../{each}\n" for each in inner])
        text += _list("patches", [self.patch(folder) for _ in range(self.random.choice([0, 0, 1, 2]))])
        if self.perhaps(5):
            path = self.file(folder, STRATEGIC, "web")
            text += f"patchesStrategicMerge: [{path}]\n"
        if self.perhaps(4):
            text += f"replicas:\n- name: web\n  count: {self.next()}\n"
        self.files[f"{folder}/kustomization.yaml"] = text

    def component(self) -> str:
        """A component beside the layers."""
        name = f"component-{self.next()}"
        self.layer(name, component=True)
        return name

    def patch(self, folder: str) -> str:
        """An entry of `patches:`, of one of the ways to write it."""
        ways: list[Callable[[], str]] = [
            lambda: f"- path: {self.file(folder, STRATEGIC, 'web')}\n",
            lambda: f"- path: {self.file(folder, STRATEGIC, 'any')}\n  target: {{kind: Deploy.*}}\n",
            lambda: f"- path: {self.file(folder, POINTED)}\n  target: {{kind: Deployment}}\n",
            lambda: f"- patch: |-\n{_indented(STRATEGIC.format(name='web', count=self.next()))}",
            lambda: f"- target: {{kind: Deployment}}\n  patch: |\n{_indented(POINTED.format(count=self.next()))}",
            lambda: f"- path: {self.file(folder, STRATEGIC, 'web')}\n  target: {{kind: Service}}\n",
        ]
        return self.random.choice(ways)()

    def file(self, folder: str, text: str, name: str = "") -> str:
        """A patch in a file of its own."""
        path = f"patch-{self.next()}.yaml"
        self.files[f"{folder}/{path}"] = text.format(name=name, count=self.count)
        return path

    def next(self) -> int:
        """A number that stands nowhere yet."""
        self.count += 1
        return self.count

    def perhaps(self, one_in: int) -> bool:
        """True once in so many times."""
        return self.random.randrange(one_in) == 0


def _list(key: str, entries: list[str]) -> str:
    return f"{key}:\n{''.join(entries)}" if entries else ""


def _indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Infra]:
    """One repository for all layouts: each replaces the files of the one before."""
    made = infra.create(tmp_path_factory.mktemp("layouts"))
    yield made
    made.repository.close()


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32), st.booleans())
def test_the_owner_holds_the_number_that_is_built(shared: Infra, seed: int, layered: bool) -> None:
    layout = Layout(Random(seed))
    layout.files["base/web.yaml"] = deployment("web", "registry.example.com/shop/web:v1")
    layout.layer("base", "web.yaml")
    if layered:
        layout.layer("middle", "../base")
    layout.layer("top", "../middle" if layered else "../base")
    work = shared.folder / "work"
    for path in work.iterdir():
        if path.name != ".git":
            shutil.rmtree(path)
    commit = shared.commit(layout.files)
    objects = ToolRenderer().render(work, Source("", "top", kind="kustomize"))
    assume(not isinstance(objects, Unavailable))  # a prefix may hide the name from a patch, which kustomize refuses
    assert not isinstance(objects, Unavailable)
    (built,) = objects
    name = built["metadata"]["name"]
    where = replace(target("top"), workload=WorkloadRef("Deployment", "", name))
    at = ObjectField("Deployment", "", name, ("spec", "replicas"))
    ((owner, *more),) = owners(AtCommit(shared.repository, commit), where, at)
    assert not more
    assert owner.value == str(built["spec"]["replicas"])
