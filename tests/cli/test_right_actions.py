"""Where the culprit is known, planner and hands come to the very diff that the generator knows to be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitops_sre.cli.evaluation import run, scenario
from gitops_sre.cli.evaluation.score import changed
from gitops_sre.engine import hands
from gitops_sre.engine.feed import change_feed
from gitops_sre.engine.room import declared
from gitops_sre.gitops import diff
from gitops_sre.gitops import target as targets
from gitops_sre.gitops.locate import GitOpsLocator
from gitops_sre.model.diagnosis import Diagnosis, Hypothesis
from gitops_sre.model.plan import Declared, Plan, Sli, VerificationPlan
from gitops_sre.model.target import Target
from gitops_sre.reasoning.planner import plan
from gitops_sre.sandbox.scenarios import generate
from gitops_sre.sandbox.scenarios.plots import Plot
from gitops_sre.sandbox.shop import BY_NAME, replicas
from gitops_sre.settings import DecisionSettings

VERIFICATION = VerificationPlan((Sli("errors", "up", 0.02),), 1, 5, 30)
PLOTS = (
    Plot("new_deploy", "staging", "web"),
    Plot("new_deploy", "production", "search"),
    Plot("new_deploy", "production", "recommendations", "one commit, two services", "search"),
    Plot("config_change", "production", "mobile-api"),
    Plot("config_change", "staging", "catalog"),
    Plot("config_change", "production", "inventory"),
    Plot("flag_flip", "staging", "orders"),
    Plot("flag_flip", "production", "recommendations"),
    Plot("flag_flip", "staging", "payments"),
    Plot("config_change", "production", "catalog", moves="memory limit", raw="memory"),
    Plot("config_change", "production", "inventory", moves="memory limit", raw="memory"),
    Plot("new_deploy", "staging", "cart", moves="image and setting"),
    Plot("new_deploy", "production", "payments", moves="image and setting"),
    Plot("new_deploy", "production", "catalog", moves="image and setting"),
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("actions") / "scenarios"
    generate(out, 11, PLOTS)
    return out


NAMES = [f"scenario-{number:02d}" for number in range(1, len(PLOTS) + 1)]
IDS = [f"{plot.moves or plot.cause} of {plot.service} in {BY_NAME[plot.service].layout}" for plot in PLOTS]


@pytest.mark.parametrize("name", NAMES, ids=IDS)
def test_a_known_culprit_is_taken_back_exactly(made: Path, name: str) -> None:
    told = scenario.read(made / name)
    expected, settings = told.told.expected, run.settings_of(told)
    with run.unpacked(told.bundle) as repository:
        locator, url = GitOpsLocator(repository), told.told.repository_url
        seen = (told.applications, told.workloads)
        records = change_feed(repository, locator, url, seen, settings, told.alert.starts_at)
        assert isinstance(records, tuple)
        (culprit,) = (r for r in records if r.commit.sha == expected.change and r.service in expected.services)
        target = targets.for_service(
            culprit.service, told.told.environment, settings.environments, told.workloads, told.applications, url
        )
        assert isinstance(target, Target)
        diagnosis = Diagnosis((Hypothesis(expected.cause, culprit.service, 0.9, 0.1, change=culprit),), ())
        planned = plan(diagnosis, target, DecisionSettings(), VERIFICATION)
        assert isinstance(planned, Plan), planned
        assert planned.action == expected.action
        head = repository.head()
        assert isinstance(head, str)
        done = hands.make(planned, repository, locator, head, settings.policy.path)
        assert isinstance(done, hands.Made), done
        assert changed(diff.unified(done.bare.files)) == changed(expected.diff)


@pytest.mark.parametrize(("name", "plot"), list(zip(NAMES, PLOTS, strict=True)), ids=IDS)
def test_what_git_gives_is_read_and_one_step_more_is_one_number(made: Path, name: str, plot: Plot) -> None:
    told = scenario.read(made / name)
    settings, service = run.settings_of(told), BY_NAME[plot.service]
    with run.unpacked(told.bundle) as repository:
        locator, head = GitOpsLocator(repository), repository.head()
        target = targets.for_service(
            service.name,
            told.told.environment,
            settings.environments,
            told.workloads,
            told.applications,
            told.told.repository_url,
        )
        assert isinstance(target, Target)
        assert isinstance(head, str)
        found = declared(target, locator, head)
        count = replicas(service, plot.environment)
        memory = service.memory_mib + 8 if plot.moves == "memory limit" else 2 * service.memory_mib
        assert found == Declared(count, "", service.name, {"memory": f"{memory}Mi"})
        for action, parameters, now, then in (
            ("scale", {"replicas": str(count + 1)}, f"{count}", f"{count + 1}"),
            ("set_resources", {"container": service.name, "memory_limit": "700Mi"}, f"{memory}Mi", "700Mi"),
        ):
            planned = Plan(action, target, parameters, "", "", 0.9, "", VERIFICATION)
            done = hands.make(planned, repository, locator, head, settings.policy.path)
            assert isinstance(done, hands.Made), done
            lines = changed(diff.unified(done.bare.files))
            ((gone, come),) = (sorted(lines, key=lambda line: line[1][0] == "+"),)
            assert come[1][1:] == gone[1][1:].replace(now, then)
