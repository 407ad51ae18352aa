"""One scenario through what runs live: triage, evidence, change feed, diagnosis, plan, diff. Nothing is proposed."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from gitops_sre.adapters.cases import CaseError
from gitops_sre.adapters.git import LocalRepository, RepositoryError
from gitops_sre.adapters.git.plumbing import Runner
from gitops_sre.cli.common import Failure
from gitops_sre.cli.evaluation.scenario import Scenario
from gitops_sre.cli.recorded import gathered
from gitops_sre.engine import hands, investigate
from gitops_sre.engine.feed import change_feed
from gitops_sre.engine.inquiry import with_changes
from gitops_sre.engine.room import declared
from gitops_sre.gitops import diff
from gitops_sre.gitops import target as targets
from gitops_sre.gitops.locate import GitOpsLocator
from gitops_sre.model.change_feed import ChangeRecord
from gitops_sre.model.diagnosis import Diagnosis
from gitops_sre.model.findings import Findings
from gitops_sre.model.outcome import Refused, Unavailable
from gitops_sre.model.plan import NeedsHuman, VerificationPlan
from gitops_sre.model.target import NoTarget, Target
from gitops_sre.perception import golden, presets, triage
from gitops_sre.reasoning import capacity, planner
from gitops_sre.reasoning.catalogue import Catalogue
from gitops_sre.reasoning.diagnose import diagnose
from gitops_sre.settings import (
    EnvironmentSettings,
    GitHubSettings,
    PrometheusSettings,
    Settings,
    SigningSettings,
)

GIT_TIMEOUT = 60.0
"""Seconds that one git process may take."""


@dataclass(frozen=True)
class Answer:
    """What the bot would have done: `none`, `escalate` or an action with its diff, and why; how it came to it."""

    action: str
    reason: str
    diff: str = ""
    diagnosis: Diagnosis | None = None
    """None where the alert had cleared before anybody looked."""
    seconds: float = 0.0


def answer(scenario: Scenario, queries: presets.Catalogue, catalogue: Catalogue) -> Answer:
    """Play a scenario. Raises Failure when a file of it cannot be read."""
    began = time.perf_counter()
    try:
        with unpacked(scenario.bundle) as repository:
            found = _Play(scenario, repository, settings_of(scenario), queries, catalogue).answer()
    except (CaseError, RepositoryError) as error:
        raise Failure(f"{scenario.folder}: {error}") from error
    return replace(found, seconds=time.perf_counter() - began)


def settings_of(scenario: Scenario) -> Settings:
    """The settings of a scenario: the defaults, and its environment. Their addresses are never used."""
    told = scenario.told
    return Settings(
        github=GitHubSettings(repository="recorded/infra"),
        prometheus=PrometheusSettings(url="http://recorded.invalid"),
        signing=SigningSettings(key_file=Path("none")),
        environments={told.environment: EnvironmentSettings(tier=told.tier)},
    )


@contextmanager
def unpacked(bundle: Path) -> Iterator[LocalRepository]:
    """The repository in a bundle, unpacked for as long as it is looked at. Raises RepositoryError."""
    with tempfile.TemporaryDirectory(prefix="gitops-sre-eval-") as made:
        folder = Path(made) / "infra.git"
        folder.mkdir()
        git = Runner(folder, GIT_TIMEOUT)
        git.output(["init", "--quiet", "--bare", "--template=", "--initial-branch=main"])
        try:
            said = git.output(["bundle", "unbundle", str(bundle.absolute())]).decode("utf-8", "replace").split()
        except RepositoryError as error:
            raise RepositoryError(f"{bundle}: {error}; make it with `git bundle create infra.bundle BRANCH`") from error
        git.output(["update-ref", "HEAD", said[0]])
        repository = LocalRepository(folder, GIT_TIMEOUT)
        try:
            yield repository
        finally:
            repository.close()


@dataclass(frozen=True)
class _Play:
    """One scenario with everything that is needed to answer it."""

    scenario: Scenario
    repository: LocalRepository
    settings: Settings
    queries: presets.Catalogue
    catalogue: Catalogue

    def answer(self) -> Answer:
        """From the alert to what would be done."""
        alert, asked = self.scenario.alert, self.scenario.told.asked_at
        ready = triage.readiness((alert,), asked, self.settings.timing.investigate_after)
        if isinstance(ready, triage.Cleared):
            return Answer("none", ready.reason)
        diagnosis = self._diagnosis(self._target())
        if investigate.well(diagnosis, self.settings.decision):
            return Answer("none", diagnosis.summary, diagnosis=diagnosis)
        if over := investigate.passed(diagnosis):  # live, it waits until the alert has resolved
            return Answer("none", over, diagnosis=diagnosis)
        return replace(self._act(diagnosis), diagnosis=diagnosis)

    def _target(self) -> Target | NoTarget:
        told, settings = self.scenario.told, self.settings
        return targets.find(
            told.alert.labels,
            settings.labels,
            settings.environments,
            self.scenario.workloads,
            self.scenario.applications,
            told.repository_url,
        )

    def _diagnosis(self, target: Target | NoTarget) -> Diagnosis:
        found = gathered(self.scenario.case, self.queries, target.service, self.scenario.told.environment)
        records = self._changes(found)
        skew = self.settings.timing.clock_skew
        return diagnose(with_changes(found, records, skew), self.catalogue, skew=skew)

    def _changes(self, found: Findings) -> tuple[ChangeRecord, ...] | Unavailable:
        seen = (self.scenario.applications, self.scenario.workloads)
        locator, url = GitOpsLocator(self.repository), self.scenario.told.repository_url
        return change_feed(self.repository, locator, url, seen, self.settings, found.scope.onset)

    def _act(self, diagnosis: Diagnosis) -> Answer:
        scenario, settings = self.scenario, self.settings
        target = targets.for_service(
            diagnosis.top.service,
            scenario.told.environment,
            settings.environments,
            scenario.workloads,
            scenario.applications,
            scenario.told.repository_url,
        )
        slis = golden.slis(target, settings)[0] if isinstance(target, Target) else ()
        timing = settings.timing
        verification = VerificationPlan(slis, timing.settle, timing.window, timing.deadline)
        head = self.repository.head()
        if isinstance(head, Unavailable):
            return Answer("escalate", head.reason)
        locator = GitOpsLocator(self.repository)
        scarce = diagnosis.top.cause in capacity.CAUSES
        room = declared(target, locator, head) if scarce and isinstance(target, Target) else None
        plan = planner.plan(diagnosis, target, settings.decision, verification, room)
        if isinstance(plan, NeedsHuman):
            return Answer("escalate", plan.reason)
        made = hands.make(plan, self.repository, locator, head, settings.policy.path)
        if isinstance(made, Refused):
            return Answer("escalate", f"{plan.action} is refused: {made.reason}")
        return Answer(plan.action, plan.reason, diff.unified(made.bare.files))
