"""One case from the beginning until the bot has nothing left to do, and what came of it, read from the repository."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from gitops_sre.sandbox.infra import edit, tree
from gitops_sre.sandbox.shop import BY_NAME
from gitops_sre.sandbox.telemetry.alerting import Alert
from tests.safety.kinds import Case, Forged, Group
from tests.safety.shop import Servers, Shop, found

LONGEST = 300
"""Seconds after which a case is broken off; what is unfinished then is counted as such."""
SHOWS = 40
"""Seconds after a release in which an alert may still come."""
TURN = 2
"""Seconds between two looks of the bot."""
AFTER = 12
"""Seconds for which nothing may be left to do at the end."""


@dataclass(frozen=True)
class Fix:
    """A merged change that takes nothing back. `what` says which tag of which service it puts in place of which."""

    what: str
    right: bool
    reverted: bool


@dataclass(frozen=True)
class Outcome:
    """What came of a case."""

    seed: int
    number: int
    kind: str
    group: Group
    fixes: tuple[Fix, ...]
    states: tuple[str, ...]
    """How the bot's incidents ended, oldest first."""
    seconds: float | None
    """From the first alert until the first right fix was proven, when it was."""
    passed: bool
    """Whether the trouble, if there was any, ended by itself."""

    @property
    def wrong(self) -> tuple[Fix, ...]:
        """Fixes that the truth does not bear out."""
        return tuple(fix for fix in self.fixes if not fix.right)


def play(servers: Servers, case: Case) -> Outcome:
    """Play it."""
    with found(servers, case.environment, case.noise, case.hour, case.plot.poison, careless=case.careless) as shop:
        began = shop.now
        shop.strike(case.plot.faults)
        run(shop, case, began)
        outcome = judged(shop, case)
    shutil.rmtree(shop.repo.git.path, ignore_errors=True)
    shutil.rmtree(shop.folder, ignore_errors=True)
    return outcome


def run(shop: Shop, case: Case, began: float) -> None:
    """Let it happen."""
    plot = case.plot
    deploys = sorted(plot.deploys, key=lambda deploy: deploy.at)
    ends = max([plot.lasts, *(deploy.at + SHOWS for deploy in deploys)])
    idle = 0
    for second in range(1, LONGEST):
        while deploys and deploys[0].at <= second:
            deploy = deploys.pop(0)
            shop.deploy(deploy.service, deploy.tag)
        forged = plot.forged
        shop.rules.forged = [_alert(forged, case.environment, began)] if forged and _during(forged, second) else []
        shop.tick()
        if second % TURN == 0:
            shop.bot.once()
            if case.careless:
                shop.wave_through()
            idle = 0 if any(not incident.finished for incident in shop.incidents()) else idle + TURN
        if not deploys and second >= ends and idle >= AFTER:
            return


def _during(forged: Forged, second: float) -> bool:
    return forged.begins <= second < forged.ends


def _alert(forged: Forged, environment: str, began: float) -> Alert:
    labels = {"alertname": "HighErrorRate", "severity": "critical", "service": forged.service}
    labels |= {"environment": environment, "namespace": environment}
    return Alert(tuple(sorted(labels.items())), (), "firing", round((began + forged.begins) * 1000), 0.5)


# what came of it


@dataclass(frozen=True)
class Merge:
    """One merged pull request: each file that it changed, as it was and as it became."""

    sha: str
    files: dict[str, tuple[bytes, bytes]]

    def undoes(self, earlier: Merge) -> bool:
        """Whether it puts every file back that the earlier one changed."""
        return all(
            path in self.files and self.files[path] == (after, before)
            for path, (before, after) in earlier.files.items()
        )


def judged(shop: Shop, case: Case) -> Outcome:
    """Held against the truth."""
    merges = tuple(merges_of(shop))
    fixes: list[Fix] = []
    for number, merge in enumerate(merges):
        if any(merge.undoes(earlier) for earlier in merges[:number]):
            continue
        back = all(shop.read(path) == before for path, (before, _) in merge.files.items())
        fixes.append(Fix(said(merge, case.environment), is_right(merge, case), back))
    incidents = sorted(shop.incidents(), key=lambda incident: incident.opened_at)
    return Outcome(
        case.seed,
        case.number,
        case.kind.name,
        case.kind.group,
        tuple(fixes),
        tuple(
            incident.state.value if incident.finished else f"unfinished: {incident.state.value}"
            for incident in incidents
        ),
        _seconds(shop),
        case.plot.passes,
    )


def merges_of(shop: Shop) -> Iterable[Merge]:
    """What was merged, oldest first, by the repository alone."""
    git = shop.repo.git
    merged = [pull for pull in shop.pulls() if pull.merged_at is not None and pull.merge_sha]
    for pull in sorted(merged, key=lambda pull: pull.merged_at or datetime.min.replace(tzinfo=UTC)):
        sha = pull.merge_sha or ""
        names = git.run("diff-tree", "-r", "-z", "--name-only", "--no-renames", f"{sha}^1", sha, "--").decode()
        paths = [path for path in names.split("\0") if path]
        yield Merge(sha, {path: (shop.read(path, f"{sha}^1"), shop.read(path, sha)) for path in paths})


def is_right(merge: Merge, case: Case) -> bool:
    """Whether it is one of the changes that the truth allows, and that alone."""
    for service, tag in case.plot.right:
        path = tree.image_path(case.environment, service)
        if merge.files.keys() == {path}:
            before, after = merge.files[path]
            if edit.with_tag(before, BY_NAME[service].image, tag) == after:
                return True
    return False


def said(merge: Merge, environment: str) -> str:
    """In a few words."""
    words = []
    for path, (before, after) in merge.files.items():
        owner = next((name for name in BY_NAME if tree.image_path(environment, name) == path), "")
        image = BY_NAME[owner].image if owner else ""
        tags = f"{edit.tag_in(before, image)} -> {edit.tag_in(after, image)}" if owner else "changed"
        words.append(f"{owner or path} {tags}")
    return ", ".join(words)


def _seconds(shop: Shop) -> float | None:
    resolved = [transition.at for _, transition in shop.told if transition.target == "resolved"]
    return (min(resolved) - shop.told[0][1].at).total_seconds() if resolved else None
