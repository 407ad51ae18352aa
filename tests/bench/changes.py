"""How long it takes to say what changed lately, beside one `git log --name-only` of the same window.

    python -m tests.bench.changes [--commits 50000] [--lately 300] [--services 300] [--rounds 15] [--bound 2]
        [--markdown FILE]

The repository has services in three layouts (kustomize overlays, Helm values, plain manifests), each with one
Application an environment. `lately` commits lie in the last 24 hours. Both are measured in turn, `rounds` times, in one
process: git as a child process, and the feed with its diffs, kinds and times of syncs. *Warm* has answered for the same
head before, as an incident that is looked at every few seconds has; *after a commit* sees a head that is new to it;
*cold* has a new repository and a new locator each time. A ratio is that of the two fastest runs, and that of medians.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import IO, cast

from gitops_sre.adapters.git import CommitWriter, LocalRepository
from gitops_sre.gitops.locate import GitOpsLocator
from gitops_sre.model.change import FileEdit
from gitops_sre.model.change_feed import ChangeRecord
from gitops_sre.model.live import Application, Sync
from gitops_sre.model.target import Source, SourceKind
from gitops_sre.perception import changes
from tests.bench.generate import ENV, git
from tests.bench.page import put
from tests.bench.speed import machine

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(hours=24)
ENVIRONMENTS = ("dev", "prod")
_URL = "https://git.example.com/acme/infra"
_COLD = 3
_KUSTOMIZATION = """\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: {environment}
resources:
  - ../../base
images:
  - name: registry.example.com/{name}
    newTag: {tag}
"""
_BASE = """\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - deployment.yaml
"""
_DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
spec:
  replicas: 2
  selector:
    matchLabels:
      app.kubernetes.io/name: {name}
  template:
    metadata:
      labels:
        app.kubernetes.io/name: {name}
    spec:
      containers:
        - name: app
          image: registry.example.com/{name}:{tag}
          env:
            - name: LOG_LEVEL
              value: info
          resources:
            requests:
              cpu: 100m
              memory: 128Mi
"""
_VALUES = """\
image:
  repository: registry.example.com/{name}
  tag: {tag}
replicaCount: 2
env:
  LOG_LEVEL: info
resources:
  requests:
    cpu: 100m
    memory: 128Mi
"""
_CHART = "apiVersion: v2\nname: {name}\nversion: 1.0.0\n"


@dataclass(frozen=True)
class Service:
    """One service; what it is made of goes by its number."""

    number: int

    @cached_property
    def name(self) -> str:
        """Its name."""
        return f"service-{self.number:04d}"

    @cached_property
    def folder(self) -> str:
        """Where its files are."""
        return f"teams/team-{self.number % 20:02d}/{self.name}"

    def fixed(self) -> dict[str, str]:
        """The files that no deploy touches."""
        if self.number % 3 == 0:
            deployment = _DEPLOYMENT.format(name=self.name, tag="v0")
            return {f"{self.folder}/base/kustomization.yaml": _BASE, f"{self.folder}/base/deployment.yaml": deployment}
        if self.number % 3 == 1:
            template = "apiVersion: apps/v1\nkind: Deployment\nspec: {replicas: {{ .Values.replicaCount }}}\n"
            chart = _CHART.format(name=self.name)
            return {f"{self.folder}/Chart.yaml": chart, f"{self.folder}/templates/all.yaml": template}
        return {}

    def deploy(self, environment: str, tag: str) -> tuple[str, str]:
        """The file that a deploy changes, and what is in it then."""
        if self.number % 3 == 0:
            text = _KUSTOMIZATION.format(name=self.name, environment=environment, tag=tag)
            return f"{self.folder}/overlays/{environment}/kustomization.yaml", text
        if self.number % 3 == 1:
            return f"{self.folder}/values-{environment}.yaml", _VALUES.format(name=self.name, tag=tag)
        return f"{self.folder}/{environment}/deployment.yaml", _DEPLOYMENT.format(name=self.name, tag=tag)

    def application(self, environment: str) -> Application:
        """Its Argo CD Application in an environment."""
        path, _ = self.deploy(environment, "")
        if self.number % 3 == 1:
            source = Source(_URL, self.folder, kind="helm", value_files=(path,))
        else:
            kind: SourceKind = "kustomize" if self.number % 3 == 0 else "directory"
            source = Source(_URL, path.rpartition("/")[0], kind=kind)
        image = f"registry.example.com/{self.name}:v1"
        return Application(
            "argocd", f"{environment}-{self.name}", (source,), environment, "Synced", (), "Healthy", NOW, None, True,
            (image,),
        )  # fmt: skip


def generate(path: Path, commits: int, lately: int, services: Sequence[Service]) -> None:
    """A bare repository whose last commits, `lately` of them, lie evenly in the last 24 hours."""
    git(path.parent, "init", "-q", "--bare", "-b", "main", str(path))
    with subprocess.Popen(["git", "fast-import", "--quiet"], cwd=path, env=ENV, stdin=subprocess.PIPE) as process:
        stdin = cast("IO[bytes]", process.stdin)
        stdin.writelines(_stream(commits, lately, services))
    if process.returncode:
        raise SystemExit("git fast-import failed")
    git(path, "repack", "-adq", "--depth=10", "--window=5")


def _stream(commits: int, lately: int, services: Sequence[Service]) -> Iterator[bytes]:
    chance = random.Random(1)
    tree = {path: text for service in services for path, text in service.fixed().items()}
    tree |= dict(service.deploy(environment, "v0") for service in services for environment in ENVIRONMENTS)
    yield _commit(_when(0, commits, lately), "Everything", tree.items())
    for number in range(1, commits):
        some = chance.sample(services, chance.choice((1, 1, 1, 2, 5)))
        environment = chance.choice(ENVIRONMENTS)
        files = [service.deploy(environment, f"v{number}") for service in some]
        yield _commit(_when(number, commits, lately), f"Deploy {some[0].name} to {environment}", files)


def _when(number: int, commits: int, lately: int) -> int:
    """The last day's commits lie evenly in it; those before, ten minutes apart."""
    left = commits - number
    if left <= lately:
        return int((NOW - DAY * (left - 0.5) / lately).timestamp())
    return int((NOW - DAY).timestamp()) - 600 * (left - lately)


def _commit(at: int, subject: str, files: Iterable[tuple[str, str]]) -> bytes:
    parts = [f"commit refs/heads/main\ncommitter Bench <bench@example.com> {at} +0000\n".encode(), _data(subject)]
    parts += [f"M 100644 inline {path}\n".encode() + _data(text) for path, text in files]
    return b"".join(parts)


def _data(text: str) -> bytes:
    data = text.encode()
    return b"data %d\n%s\n" % (len(data), data)


def synced(applications: Sequence[Application], commits: Sequence[tuple[str, datetime]]) -> tuple[Application, ...]:
    """The same Applications with ten syncs each, as Argo CD keeps them, every one a minute after some commit."""
    found = []
    for number, application in enumerate(applications):
        some = sorted({(number * 7 + step * len(commits) // 10) % len(commits) for step in range(10)}, reverse=True)
        minute = timedelta(minutes=1)
        syncs = (Sync((sha,), at + minute, at + 2 * minute) for sha, at in (commits[place] for place in some))
        found.append(replace(application, syncs=tuple(syncs)))
    return tuple(found)


def lately(path: Path) -> list[tuple[str, datetime]]:
    """Commits of the last 24 hours, newest first."""
    said = git(path, "log", "--format=%H %ct", f"--since=@{int((NOW - DAY).timestamp())}").splitlines()
    return [(line.split()[0], datetime.fromtimestamp(int(line.split()[1]), UTC)) for line in said]


def log(path: Path, what: str) -> None:
    """What the feed is measured against; what it finds goes beyond both `--name-only` and `--patch`."""
    since = f"--since=@{int((NOW - DAY).timestamp())}"
    subprocess.run(["git", "log", what, since], cwd=path, env=ENV, check=True, stdout=subprocess.PIPE)


def feed(
    repository: LocalRepository, locator: GitOpsLocator, applications: Sequence[Application]
) -> tuple[ChangeRecord, ...]:
    """What is measured: from the question what the head is to the changes of workloads."""
    found = changes.feed(
        repository=repository,
        inputs=locator.inputs,
        commit=str(repository.head()),
        applications=applications,
        environment_of=lambda namespace: namespace,
        onset=NOW,
        lookback=DAY,
        skew=timedelta(minutes=1),
    )
    if not isinstance(found, tuple):
        raise SystemExit(found.reason)
    return found


@dataclass
class Times:
    """Seconds of each measured thing, and what the feed told in the end."""

    seconds: dict[str, list[float]]
    records: tuple[ChangeRecord, ...] = ()

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """Note how long a block takes."""
        start = time.perf_counter()
        yield
        self.seconds.setdefault(name, []).append(time.perf_counter() - start)

    def ratio(self, name: str) -> tuple[float, float]:
        """How many times what git takes: the fastest run beside its fastest, the median beside its median."""
        mine, other = self.seconds[name], self.seconds[GIT]
        return min(mine) / min(other), median(mine) / median(other)


GIT, PATCH = "`git log --name-only`", "`git log --patch`"
WARM, AFTER, COLD = "change feed, warm", "change feed, after a commit", "change feed, cold"


def measure(path: Path, services: Sequence[Service], rounds: int) -> Times:
    """Everything, in turn, so that whatever else the machine does weighs on all alike."""
    times = Times({})
    bare = [service.application(environment) for service in services for environment in ENVIRONMENTS]
    applications = synced(bare, lately(path))
    for _ in range(_COLD):
        with times.of(COLD), closing(LocalRepository(path)) as repository:
            feed(repository, GitOpsLocator(repository), applications)
    with closing(LocalRepository(path)) as repository, closing(CommitWriter(path)) as writer:
        locator = GitOpsLocator(repository)
        feed(repository, locator, applications)
        for number in range(rounds):
            with times.of(GIT):
                log(path, "--name-only")
            with times.of(PATCH):
                log(path, "--patch")
            with times.of(WARM):
                times.records = feed(repository, locator, applications)
            _deploy(path, repository, writer, services[number % len(services)], number)
            with times.of(AFTER):
                feed(repository, locator, applications)
    return times


def _deploy(path: Path, repository: LocalRepository, writer: CommitWriter, service: Service, number: int) -> None:
    """One commit more."""
    head = str(repository.head())
    file, text = service.deploy("prod", f"w{number}")
    before = (repository.read(head, file) or b"").decode()
    git(path, "update-ref", "refs/heads/main",
        writer.write(head, [FileEdit(file, before, text)], "Deploy", "Bench <bench@example.com>", NOW))  # fmt: skip


def row(times: Times, commits: int) -> str:
    """The measurements as a Markdown table."""
    lines = [
        f"| {commits:,} commits, {len(times.records)} changes of workloads in 24 h | fastest | median | beside git |",
        "|---|---:|---:|---:|",
    ]
    for name in (GIT, PATCH, WARM, AFTER, COLD):
        fastest, middle = min(times.seconds[name]), median(times.seconds[name])
        beside = "" if name == GIT else "{:.2f} x, {:.2f} x".format(*times.ratio(name))
        lines.append(f"| {name} | {1000 * fastest:.1f} ms | {1000 * middle:.1f} ms | {beside} |")
    return "\n".join(lines)


def main() -> None:
    """Generate, measure, print the table; fail where the feed takes longer than it may."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--commits", type=int, default=50_000)
    options.add_argument("--lately", type=int, default=300, help="of them, in the last 24 hours")
    options.add_argument("--services", type=int, default=300, help="each has an Application in two environments")
    options.add_argument("--rounds", type=int, default=15)
    bound = "exit with 1 where, warm or after a commit, the fastest run takes over so many times git's (0: no bound)"
    options.add_argument("--bound", type=float, default=0, help=bound)
    options.add_argument("--markdown", type=Path, help="a page in which to put the table between its markers")
    chosen = options.parse_args()
    services = [Service(number) for number in range(chosen.services)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "infra.git")
        generate(path, chosen.commits, chosen.lately, services)
        times = measure(path, services, chosen.rounds)
    text = f"{row(times, chosen.commits)}\n\nMeasured {datetime.now(UTC):%Y-%m-%d} on {machine()}.\n"
    sys.stdout.write(text)
    if chosen.markdown is not None:
        put(chosen.markdown, "changes", text)
    slow = [name for name in (WARM, AFTER) if times.ratio(name)[0] > chosen.bound > 0]
    if slow:
        raise SystemExit(f"the change feed is too slow ({', '.join(slow)}): more than {chosen.bound:g} x `git log`")


if __name__ == "__main__":
    main()
