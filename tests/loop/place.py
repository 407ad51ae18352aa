"""A place to play an incident in: one service of the shop, its infra repository, and the engine that watches it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import requests
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from gitops_sre import wiring
from gitops_sre.adapters.git import GitRepository
from gitops_sre.adapters.store import SqlStore
from gitops_sre.engine.bot import Bot
from gitops_sre.engine.intake import intake
from gitops_sre.engine.world import World
from gitops_sre.model.incident import Incident, State
from gitops_sre.ports import Store, Transition
from gitops_sre.sandbox.github import GitHub, views_pull
from gitops_sre.sandbox.github.state import CheckRun, Issue, Pull, Repo
from gitops_sre.sandbox.infra import argo, edit, tree
from gitops_sre.sandbox.infra.state import today
from gitops_sre.sandbox.kubernetes.api import KubernetesAPI
from gitops_sre.sandbox.kubernetes.cluster import Cluster
from gitops_sre.sandbox.reconciler.controller import Knobs, Reconciler
from gitops_sre.sandbox.shop import BY_NAME
from gitops_sre.settings import GitHubSettings, Settings
from tests.loop.doubles import Clock, Pager, Signals

LEVEL = """\
apiVersion: gitops-sre.dev/v1
kind: AutonomyLadder
metadata: {{name: ladder}}
spec:
  levels:
    - {{action: rollback_image, environment: "*", level: {level}}}
"""
RULES = """\
apiVersion: gitops-sre.dev/v1
kind: RemediationPolicy
metadata: {name: rules}
spec:
  rules:
    - name: who-may-approve
      ceiling: L4
      approvers: [alice]
"""
LADDER_FILE = ".gitops-sre/policies/ladder.yaml"
RULES_FILE = ".gitops-sre/policies/rules.yaml"
TIMING = {
    "poll": 0.5,
    "rate_window": 5,
    "step": 1,
    "investigate": 30,
    "baseline": 60,
    "change_lookback": 600,
    "clock_skew": 2,
    "group_window": 30,
    "deadline": 20,
    "approval": 60,
    "remind": 30,
    "live": 20,
    "settle": 2,
    "window": 4,
    "cooldown": 600,
}
KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: sandbox
clusters: [{{name: sandbox, cluster: {{server: "{url}"}}}}]
users: [{{name: reader, user: {{token: {token}}}}}]
contexts: [{{name: sandbox, context: {{cluster: sandbox, user: reader}}}}]
"""
TOKEN = "read-only"

Level = Literal["L1", "L2", "L3", "L4"]


class Switchboard:
    """One address for the Kubernetes APIs of all tests: `app` is the present one's."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        await self.app(scope, receive, send)


@dataclass(frozen=True)
class Servers:
    """What all tests share: a GitHub with people and the bot's App, and an address for Kubernetes."""

    github: GitHub
    github_url: str
    settings: GitHubSettings
    tokens: Mapping[str, str]
    clock: Clock
    kubernetes: Switchboard
    kubernetes_url: str
    key_file: Path


@dataclass
class Place:
    """One service under watch. `tick` lets time pass for the reconciler; `turn` also lets the bot look."""

    servers: Servers
    folder: Path
    name: str
    environment: str
    service: str
    clock: Clock
    knobs: Knobs
    cluster: Cluster
    kubernetes: KubernetesAPI
    reconciler: Reconciler
    signals: Signals
    pager: Pager
    settings: Settings
    worlds: list[World] = field(default_factory=list)
    told: list[tuple[Incident, Transition]] = field(default_factory=list)
    when: dict[State, Callable[[], object]] = field(default_factory=dict)
    """What somebody does, once, at the moment at which an incident enters a state."""

    # the shop's people

    @property
    def good(self) -> str:
        """The tag that has always run."""
        return BY_NAME[self.service].version

    @property
    def file(self) -> str:
        """Where the tag stands."""
        return tree.image_path(self.environment, self.service)

    def commit(self, files: Mapping[str, bytes | None], who: str = "bob", branch: str = "main") -> str:
        """A push past any protection."""
        return self.servers.github.commit(self.name, who, files, "A change", self.clock.now(), branch=branch)

    def put_tag(self, tag: str, who: str = "bob", branch: str = "main") -> str:
        """A push of another tag."""
        content = edit.with_tag(self.read(self.file, branch), BY_NAME[self.service].image, tag)
        return self.commit({self.file: content}, who, branch)

    def deploy(self, tag: str = "v9.0.0") -> str:
        """A release that goes live at once; its commit."""
        sha = self.put_tag(tag)
        self.tick()
        return sha

    def deploy_bad(self, tag: str = "v9.0.0") -> str:
        """A release that fails requests wherever it runs."""
        self.signals.bad = lambda _, image: image.endswith(f":{tag}")
        return self.deploy(tag)

    def deploy_beside_a_fault(self, tag: str = "v9.0.0") -> str:
        """A harmless release, just after which something else begins to fail the service."""
        sha, began = self.deploy(tag), self.clock.at
        self.signals.bad = lambda at, _: began <= at
        return sha

    def as_person(self, login: str, method: str, path: str, body: Mapping[str, object]) -> None:
        """A person's own call of GitHub's API."""
        answer = requests.request(
            method,
            f"{self.servers.github_url}/api/v3/repos/{self.name}{path}",
            json=body,
            headers={"Authorization": f"Bearer {self.servers.tokens[login]}"},
            timeout=10,
        )
        assert answer.ok, answer.text

    def review(self, login: str, event: str = "APPROVE") -> None:
        """A review of the one pull request's head."""
        self.servers.github.review(self.name, self.pull().number, login, event)

    def merge_by(self, login: str, number: int) -> None:
        """A person marks a draft ready and merges it."""
        self._mutate(login, "markPullRequestReadyForReview", number)
        self.as_person(login, "PUT", f"/pulls/{number}/merge", {})

    def enqueue_by(self, login: str, number: int) -> None:
        """A person puts a pull request into the merge queue."""
        self._mutate(login, "enqueuePullRequest", number)

    def _mutate(self, login: str, mutation: str, number: int) -> None:
        query = f"mutation($id: ID!) {{ {mutation}(input: {{pullRequestId: $id}}) {{ clientMutationId }} }}"
        answer = requests.post(
            f"{self.servers.github_url}/api/graphql",
            json={"query": query, "variables": {"id": views_pull.node_id(self.repo.pulls[number])}},
            headers={"Authorization": f"Bearer {self.servers.tokens[login]}"},
            timeout=10,
        )
        assert answer.ok, answer.text
        assert "errors" not in answer.json(), answer.text

    def close_by(self, login: str, number: int) -> None:
        """A person closes a pull request."""
        self.as_person(login, "PATCH", f"/pulls/{number}", {"state": "closed"})

    @contextmanager
    def no_cluster(self) -> Iterator[None]:
        """The Kubernetes API answers 503 to everybody."""
        self.servers.kubernetes.app = PlainTextResponse("no backend", status_code=503)
        yield
        self.servers.kubernetes.app = self.kubernetes.app

    # what stands

    @property
    def repo(self) -> Repo:
        """What GitHub holds."""
        return self.servers.github.repository(self.name)

    def read(self, path: str, at: str = "main") -> bytes:
        """A file's bytes."""
        return self.repo.git.run("show", f"{at}:{path}")

    @property
    def tag(self) -> str:
        """The tag that stands on the branch."""
        return edit.tag_in(self.read(self.file), BY_NAME[self.service].image)

    @property
    def running(self) -> str:
        """The tag that runs."""
        return self.cluster.running()[self.environment, self.service].image.rpartition(":")[2]

    @property
    def pulls(self) -> list[Pull]:
        """All pull requests, oldest first."""
        return [pull for _, pull in sorted(self.repo.pulls.items())]

    def pull(self) -> Pull:
        """The only pull request."""
        (pull,) = self.pulls
        return pull

    def state(self, number: int) -> str:
        """open, closed or merged."""
        return "merged" if self.repo.pulls[number].merged_at else self.repo.issues[number].state

    @property
    def states(self) -> list[str]:
        """State of each pull request, oldest first."""
        return [self.state(pull.number) for pull in self.pulls]

    @property
    def merges(self) -> list[str]:
        """Merge commits on the branch, oldest first."""
        return self.repo.git.run("rev-list", "--reverse", "--merges", "--first-parent", "main").decode().split()

    @property
    def branches(self) -> list[str]:
        """The bot's branches that stand now."""
        return list(self.repo.git.refs("refs/heads/gitops-sre/"))

    @property
    def reports(self) -> list[Issue]:
        """Issues that are no pull requests, without the dashboard."""
        return [issue for issue in self._issues() if "gitops-sre/dashboard" not in issue.labels]

    @property
    def dashboard(self) -> Issue:
        """The one issue that always shows what is open."""
        (issue,) = (issue for issue in self._issues() if "gitops-sre/dashboard" in issue.labels)
        return issue

    def _issues(self) -> list[Issue]:
        return [issue for number, issue in sorted(self.repo.issues.items()) if number not in self.repo.pulls]

    def report(self) -> str:
        """Title and body of the only report."""
        (issue,) = self.reports
        return f"{issue.title}\n{issue.body}"

    def outcomes(self, pull: Pull) -> list[str]:
        """Titles of the outcome check runs on a pull request's head."""
        return [check.title or "" for check in self.checks(pull) if "outcome" in check.name]

    def checks(self, pull: Pull) -> list[CheckRun]:
        """Check runs on a pull request's head."""
        return [check for check in self.repo.checks.values() if check.head_sha == pull.head_sha]

    # time and the bot

    def tick(self, seconds: float = 1.0) -> None:
        """Let time pass, a second at a time, for everything but the bot."""
        for _ in range(max(1, round(seconds))):
            self.clock.at += 1.0
            self.reconciler.step()
            self.signals.runs(self.cluster.running()[self.environment, self.service].image)

    def world(self, database: str = "bot.db") -> World:
        """The world as wiring builds it, but for clock, metrics and alerts."""
        url = f"sqlite:///{self.folder / database}"
        engine = self.settings.engine.model_copy(update={"database_url": url})
        built = wiring.build(self.settings.model_copy(update={"engine": engine}), {})
        self.worlds.append(built)
        return replace(built, clock=self.clock, metrics=self.signals, alerts=(self.pager,))

    def bot(self, database: str = "bot.db", wrap: Callable[[Store], Store] = lambda store: store) -> Bot:
        """A process that has just started; those that share a database have the same name, as after a restart."""
        world = self.world(database)
        world = replace(world, store=wrap(world.store))
        return Bot(world, intake(world), f"bot-of-{database}", self._hear)

    def _hear(self, incident: Incident, transition: Transition) -> None:
        self.told.append((incident, transition))
        if transition.source != transition.target:
            self.when.pop(incident.state, lambda: None)()

    def turn(self, bot: Bot, seconds: float = 1.0) -> Incident | None:
        """Time passes and the bot looks once; its newest incident."""
        self.tick(seconds)
        bot.once()
        return newest(bot)

    def until(self, bot: Bot, *states: State, turns: int = 25) -> Incident:
        """Turns of two seconds until the newest incident is in one of the states (finished, when that is an end)."""
        for _ in range(turns):
            incident = self.turn(bot, 2)
            if incident is not None and incident.state in states and (incident.finished or not terminal(incident)):
                return incident
        story = " -> ".join(f"{said.event}:{said.target}" for _, said in self.told)
        raise AssertionError(f"not {states} within {turns} turns but {newest(bot)}\nafter {story}")


def newest(bot: Bot) -> Incident | None:
    """The newest incident that a bot remembers."""
    return next(iter(bot.world.store.recent(1)), None)


def terminal(incident: Incident) -> bool:
    """Whether it has ended."""
    return replace(incident, concluded=True).finished


def files(environment: str, service: str, url: str, level: Level | None) -> dict[str, bytes]:
    """The shop's repository with a single Application and our policy; no policy folder when `level` is None."""
    every = tree.files(today(), url)
    application = f"argocd/{environment}/{service}.yaml"
    assert application in argo.application(environment, BY_NAME[service], url, tree.BRANCH)
    kept = {
        path: content
        for path, content in every.items()
        if not path.startswith((".gitops-sre/", "argocd/")) or path == application
    }
    if level is not None:
        kept[LADDER_FILE] = LEVEL.format(level=level).encode()
        kept[RULES_FILE] = RULES.encode()
    return kept


def end(world: World) -> None:
    """Give back what a process holds open, as its end does."""
    if isinstance(world.store, SqlStore):
        world.store.close()
    if isinstance(world.repository, GitRepository):
        world.repository.close()
