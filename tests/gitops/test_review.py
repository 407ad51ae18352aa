"""What somebody's pull request reaches, over real git and the real tools; a fork's is one like any other."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gitops_sre.gitops.review import Place, review
from gitops_sre.model.advice import Advice
from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.target import Target
from tests.gitops.infra import (
    ENVIRONMENTS,
    IMAGE,
    URL,
    Infra,
    application,
    deployment,
    environment_of,
    git,
    overlay,
    target,
    tool,
    workload,
)  # fmt: skip

pytestmark = [tool("kubectl"), tool("helm")]

POLICY = ".gitops-sre/policies"
OVERLAYS = {env: target(f"apps/web/overlays/{env}", environment=env) for env in ENVIRONMENTS}
DEPLOYMENT = "apps/web/base/deployment.yaml"
BASE = {
    "apps/web/base/kustomization.yaml": "resources: [deployment.yaml]\n",
    DEPLOYMENT: deployment("web", f"{IMAGE}:v2.1.0"),
    **{f"{of.source.path}/kustomization.yaml": overlay(env, "") for env, of in OVERLAYS.items()},
}
PRODUCTION = f"{OVERLAYS['production'].source.path}/kustomization.yaml"


def proposed(world: Infra, files: dict[str, str | None], number: int = 7) -> tuple[str, str]:
    """A pull request with these files (None deletes one), as GitHub offers those of forks too."""
    work = world.folder / "work"
    git("checkout", "-q", "-B", "feature", cwd=work)
    for name, text in files.items():
        path = work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink() if text is None else path.write_text(text)
    git("add", "-A", cwd=work)
    git("commit", "-q", "-m", "proposal", cwd=work)
    git("push", "-q", "-f", str(world.folder / "infra.git"), f"HEAD:refs/pull/{number}/head", cwd=work)
    git("checkout", "-q", "-B", "main", "HEAD~1", cwd=work)
    found = world.repository.pull(number)
    assert not isinstance(found, Unavailable), found.reason
    return found


@pytest.fixture
def advised(world: Infra) -> Callable[..., Advice]:
    """Advice on a change of the base files, with what runs everywhere."""

    def advised(files: dict[str, str | None], of: dict[str, Target] = OVERLAYS) -> Advice:
        world.commit(BASE)
        applications = [application(each) for each in of.values()]
        workloads = [workload(each, 3) for each in of.values()]
        place = Place(
            world.repository, world.renderer, world.locator, URL, applications, workloads, environment_of, POLICY
        )
        return review(place, *proposed(world, files))

    return advised


def test_a_change_of_one_overlay_reaches_one_environment_and_nothing_stands_out(advised: Callable[..., Advice]) -> None:
    found = advised({PRODUCTION: overlay("production", f"images:\n- name: {IMAGE}\n  newTag: v2.2.0\n")})
    (one,) = found.objects
    assert (one.name, one.namespace, one.replicas) == ("web", "production", 3)
    assert one.fields == (f"spec.template.spec.containers[1].image: {IMAGE}:v2.1.0 -> {IMAGE}:v2.2.0",)
    assert (found.radius.environments, found.radius.tiers) == (("production",), ("critical",))
    assert found.radius.fleet_share == 1.0
    assert (found.risks, found.unseen) == ((), ())


def test_a_shared_base_is_said_to_reach_all_of_them_first(advised: Callable[..., Advice]) -> None:
    found = advised({DEPLOYMENT: deployment("web", f"{IMAGE}:v2.0.9")})
    assert found.risks[0] == "reaches 3 environments at once: dev, production, staging"
    assert found.risks[1:] == tuple(
        f"Deployment {env}/web: goes back to an older version, from v2.1.0 to v2.0.9" for env in ENVIRONMENTS
    )
    assert found.radius.replicas == 9


@pytest.mark.parametrize(
    ("before", "after", "risk"),
    [
        (f"{IMAGE}:v2.1.0", f"{IMAGE}:latest", f"{IMAGE}:latest names another image tomorrow"),
        (f"{IMAGE}:v2.1.0", IMAGE, f"{IMAGE} names another image tomorrow"),
        ("replicas: 2", "replicas: 0", "replicas from 2 to 0: nothing runs any more"),
        ("replicas: 2", "replicas: 1", "replicas from 2 to 1: half of them or fewer are left"),
        ("matchLabels: {app: web}", "matchLabels: {app: site}", "spec.selector.matchLabels.app cannot change"),
        ("containers:", "containers: {}\n      others:", "spec.template.spec.containers"),
    ],
)
def test_what_deserves_a_second_look_is_named(
    advised: Callable[..., Advice], before: str, after: str, risk: str
) -> None:
    text = BASE[DEPLOYMENT]
    assert before in text
    found = advised({DEPLOYMENT: text.replace(before, after)}, {"dev": OVERLAYS["dev"]})
    assert [each for each in (*found.risks, *found.unseen) if risk in each], found


def room(limit: str, probe: str = "") -> str:
    """The Deployment with a memory limit and perhaps a probe."""
    more = f"        resources: {{limits: {{memory: {limit}, cpu: 500m}}}}\n{probe}"
    return BASE[DEPLOYMENT].rstrip("\n") + "\n" + more


def test_less_room_and_a_lost_probe_are_named_and_more_room_is_not(
    world: Infra, advised: Callable[..., Advice]
) -> None:
    probe = "        readinessProbe: {httpGet: {path: /ready, port: 80}}\n"
    world.commit({**BASE, DEPLOYMENT: room("512Mi", probe)})
    of = {"dev": OVERLAYS["dev"]}
    place = Place(
        world.repository, world.renderer, world.locator, URL, [application(of["dev"])], [], environment_of, POLICY
    )
    less = review(place, *proposed(world, {DEPLOYMENT: room("256Mi")}))
    assert less.risks == (
        "Deployment dev/web: memory limit lowered from 512Mi to 256Mi",
        "Deployment dev/web: the readiness probe is removed",
    )
    more = review(place, *proposed(world, {DEPLOYMENT: room("1Gi", probe)}))
    assert more.risks == ()


def test_an_object_that_goes_is_named_with_the_protection_that_goes_with_it(world: Infra) -> None:
    budget = "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: web}\nspec: {minAvailable: 1}\n"
    base = {**BASE, "apps/web/base/kustomization.yaml": "resources: [deployment.yaml, budget.yaml]\n"}
    world.commit({**base, "apps/web/base/budget.yaml": budget})
    of = OVERLAYS["dev"]
    place = Place(world.repository, world.renderer, world.locator, URL, [application(of)], [], environment_of, POLICY)
    gone: dict[str, str | None] = {
        "apps/web/base/budget.yaml": None,
        **{k: v for k, v in BASE.items() if "base/kust" in k},
    }
    found = review(place, *proposed(world, gone))
    assert found.risks == ("removes PodDisruptionBudget dev/web, and with it a protection",)
    assert [(each.kind, each.fields) for each in found.objects] == [("PodDisruptionBudget", ("(removed)",))]


def test_files_that_say_who_may_do_what_are_named_whatever_renders_them(advised: Callable[..., Advice]) -> None:
    found = advised({".github/workflows/ci.yml": "on: push\n", f"{POLICY}/ladder.yaml": "{}\n", "README.md": "hello\n"})
    assert found.risks == (
        "changes .github/workflows/ci.yml: workflows and settings of the repository",
        f"changes {POLICY}/ladder.yaml: the bot's own policy",
    )
    assert found.unseen == ("no application that the bot knows of reads the changed files",)
    assert found.radius.objects == 0


def test_what_cannot_be_rendered_is_said_and_never_guessed(advised: Callable[..., Advice]) -> None:
    found = advised({PRODUCTION: "resources: [../../base\n"})
    (text,) = found.unseen
    assert text.startswith("argocd/production-web: cannot be rendered as it is after the change")
    assert found.objects == ()


def test_what_the_branch_did_meanwhile_is_not_the_proposals(world: Infra, advised: Callable[..., Advice]) -> None:
    world.commit(BASE)
    files: dict[str, str | None] = {PRODUCTION: overlay("production", f"images:\n- name: {IMAGE}\n  newTag: v3\n")}
    base, head = proposed(world, files)
    world.commit({DEPLOYMENT: deployment("web", f"{IMAGE}:v9", replicas=9)})
    again = world.repository.pull(7)
    assert again == (base, head)


def test_a_pull_request_that_is_not_there_is_unavailable(world: Infra) -> None:
    world.commit(BASE)
    found = world.repository.pull(99)
    assert isinstance(found, Unavailable)
    assert "#99" in found.reason
