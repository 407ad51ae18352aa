"""How long a verdict takes under many rules, beside what only the conditions of those rules cost.

python -m tests.bench.policy [--rules N] [--plans N] [--markdown FILE]
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from gitops_sre.policy.cel import compiled
from gitops_sre.policy.documents import Policies, read
from gitops_sre.policy.gate import judge
from gitops_sre.policy.match import View
from gitops_sre.policy.schema import Input
from gitops_sre.policy.situation import Situation, example
from tests import builders as b
from tests.bench.page import put
from tests.policy.cases import FOLDER, Tree, document

SERVICES = tuple(f"service-{number}" for number in range(40))
ENVIRONMENTS = ("dev", "staging", "production")
_SELECTORS: Sequence[Callable[[random.Random], str]] = (
    lambda draw: f"environments: [{draw.choice(ENVIRONMENTS)}]",
    lambda draw: f'services: ["service-{draw.randrange(4)}*"]',
    lambda draw: f"owners: [team-{draw.randrange(10)}]",
    lambda draw: 'hours: ["20:00-08:00"], timezone: Europe/Berlin',
    lambda draw: "causes: [new_deploy, config_change]",
    lambda draw: "tiers: [critical, standard]",
)
_CONDITIONS: Sequence[Callable[[random.Random], str]] = (
    lambda draw: f"objects > {draw.randrange(2, 9)} && confidence < 0.9{draw.randrange(10)}",
    lambda draw: f"hour_utc < {draw.randrange(6, 9)} || weekday >= 5",
    lambda draw: f'environment == "production" && replicas > {draw.randrange(5, 50)}',
    lambda draw: f'"team" in labels && labels.team == "team-{draw.randrange(10)}"',
    lambda draw: f'owner == "team-{draw.randrange(10)}" && tier == "critical"',
    lambda draw: f"memory_step > {draw.randrange(1, 4)}.5",
)
_LIMITS = "limits: {objects: 20, replicas: 60, fleetShare: 0.5, confidence: 0.5, step: {memory: 4.0}}"


def written(rules: int, draw: random.Random, *, conditions: float) -> Policies:
    """Documents of a large team: each rule with a selector, limits and, in this share of them, a condition of its own;
    ten owners, twenty freeze windows and a ladder of thirty entries."""
    texts = [
        document("RemediationPolicy", "  rules:\n" + "\n".join(_rule(n, draw, conditions) for n in range(rules))),
        document("AutonomyLadder", "  levels:\n" + "\n".join(map(_opened, range(30)))),
        document("FreezeWindow", "  windows:\n" + "\n".join(map(_window, range(20)))),
        document("Ownership", "  teams:\n" + "\n".join(map(_team, range(10)))),
    ]
    return read(Tree({f"{FOLDER}/{n}.yaml": text.encode() for n, text in enumerate(texts)}), b.SHA, FOLDER)


def _rule(number: int, draw: random.Random, conditions: float) -> str:
    when = f"\n      when: {_CONDITIONS[number % len(_CONDITIONS)](draw)!r}" if draw.random() < conditions else ""
    match = _SELECTORS[draw.randrange(len(_SELECTORS))](draw)
    return f"    - name: rule-{number}\n      match: {{{match}}}{when}\n      ceiling: L3\n      {_LIMITS}"


def _opened(number: int) -> str:
    environment = ENVIRONMENTS[number % 3]
    return f'    - {{action: "*", environment: {environment}, service: "service-{number}*", level: L4}}'


def _window(number: int) -> str:
    begin = b.NOW + timedelta(days=7 * number - 70)
    until = begin + timedelta(days=1)
    times = f'from: "{begin:%Y-%m-%dT%H:%M:%SZ}", until: "{until:%Y-%m-%dT%H:%M:%SZ}"'
    return f"    - {{name: window-{number}, {times}, reason: release day}}"


def _team(number: int) -> str:
    return f'    - {{name: team-{number}, services: ["service-{number}*"], sources: [alertmanager]}}'


def situations(count: int, draw: random.Random) -> tuple[Situation, ...]:
    """Plans of a fleet: some touch one object, some every environment."""
    return tuple(_situation(draw) for _ in range(count))


def _situation(draw: random.Random) -> Situation:
    given: Mapping[str, object] = {
        "action": draw.choice(("rollback_image", "scale", "set_resources")),
        "service": draw.choice(SERVICES),
        "environment": draw.choice(ENVIRONMENTS),
        "environments": draw.sample(ENVIRONMENTS, draw.randrange(4)),
        "tier": draw.choice(("standard", "critical")),
        "services": draw.sample(SERVICES, draw.randrange(6)),
        "objects": draw.randrange(1, 12),
        "replicas": draw.randrange(1, 80),
        "confidence": draw.uniform(0.5, 1.0),
        "cause": "new_deploy",
        "labels": {"team": f"team-{draw.randrange(10)}"},
        "step": {"memory": 2.0},
    }
    return example(Input.model_validate(given, strict=False))


def micros(what: Callable[[Situation], object], asked: Sequence[Situation]) -> list[float]:
    """Microseconds of each call, sorted."""
    took = []
    for one in asked:
        began = time.perf_counter()
        what(one)
        took.append((time.perf_counter() - began) * 1e6)
    return sorted(took)


def judged(policies: Policies) -> Callable[[Situation], object]:
    """Judging under these policies."""
    return lambda one: judge(one, policies)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rules", type=int, default=200)
    parser.add_argument("--plans", type=int, default=2_000)
    parser.add_argument("--markdown", type=Path, help="a page to put the table into")
    arguments = parser.parse_args()
    draw = random.Random(1)
    asked = situations(arguments.plans, draw)
    held = {share: written(arguments.rules, draw, conditions=share) for share in (1.0, 0.5, 0.0)}
    conditions = [compiled(placed.entry.when) for placed in held[1.0].rules]

    def floor(one: Situation) -> None:
        view = View(one, held[1.0])
        for condition in conditions:
            for facts in view.facts(condition):
                condition.holds(facts)

    rows = [("the conditions of all rules alone, by the CEL library", micros(floor, asked))]
    for share, policies in held.items():
        rows.append((f"a verdict, {share:.0%} of the rules with a condition", micros(judged(policies), asked)))
    least = statistics.median(rows[0][1])
    table = [
        f"| {arguments.rules} rules, {len(asked):,} plans | median | 99 of 100 | beside the first |",
        "|---|--:|--:|--:|",
    ]
    for what, took in rows:
        middle, most = statistics.median(took), took[int(len(took) * 0.99)]
        table.append(f"| {what} | {middle / 1000:.2f} ms | {most / 1000:.2f} ms | {middle / least:.2f} |")
    print("\n".join(table))
    if arguments.markdown:
        put(arguments.markdown, "policy", "\n".join(table))


if __name__ == "__main__":
    main()
