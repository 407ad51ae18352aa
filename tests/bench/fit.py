"""Fit the weights of evidence on labelled incidents: penalised conditional likelihood, drawn towards what was judged.

The posterior over all hypotheses of an incident is a conditional logit in the weights. Its log likelihood, that of the
hypotheses that the label allows taken together, is climbed by gradient; the distance of each weight from its
judgement is penalised, so that few cases move it little. Weights stay at 0 or above: evidence of trouble never speaks
against it. Every set counts the same, however many cases it has.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import yaml
from numpy.typing import NDArray

from gitops_sre.cli.recorded import gathered
from gitops_sre.model.diagnosis import Cause
from gitops_sre.model.findings import Findings
from gitops_sre.perception import presets
from gitops_sre.reasoning.catalogue import Catalogue, load_catalogue
from gitops_sre.reasoning.causes import CAUSES
from gitops_sre.reasoning.diagnose import Trial, prepare
from gitops_sre.reasoning.suspects import Suspect
from gitops_sre.reasoning.weights import load_weights
from gitops_sre.sandbox.incidents import generate
from tests.bench import rcasets
from tests.bench.rcasets import Label, Labelled

Matrix = NDArray[np.float64]
Key = tuple[str, str]
"""(signal, cause, group or `any`); the signal `bias` is the bias."""

ALLOWED: Mapping[str, tuple[Cause, ...]] = {
    "new_deploy": ("new_deploy",),
    "config_change": ("config_change", "flag_flip"),
    "code_defect": ("code_defect",),
    "resource_exhaustion": ("resource_exhaustion",),
    "network_or_dependency": ("network", "dependency_failure", "certificate_expiry"),
    "traffic_spike": ("traffic_spike",),
    "infrastructure": ("infrastructure",),
    "certificate_expiry": ("certificate_expiry",),
    "no_fault": ("no_fault",),
}
"""What each word of the labels may mean. Without a change feed, causes that need one and `code_defect` are one."""
UNSEEN: tuple[Cause, ...] = ("new_deploy", "config_change", "flag_flip", "code_defect", "dependency_failure")
STEPS, RATE = 400, 0.05


@dataclass(frozen=True)
class Case:
    """One labelled incident of a set."""

    set_name: str
    id: str
    findings: Findings
    label: Label


@dataclass(frozen=True, eq=False)
class Prepared:
    """`features[hypothesis, parameter]`, what stands beside them in the log odds, and which hypotheses are right."""

    set_name: str
    features: Matrix
    fixed: Matrix
    right: NDArray[np.bool_]


def keys_of(data: Mapping[str, object]) -> dict[Key, float]:
    """Every weight that the data file names, with its judgement."""
    found: dict[Key, float] = {}
    signals, bias = data["signals"], data["bias"]
    assert isinstance(signals, dict)
    assert isinstance(bias, dict)
    for name, signal in signals.items():
        found |= {(name, cause): float(value) for cause, value in signal["judged"].items()}
    return found | {("bias", cause): float(value) for cause, value in bias["judged"].items()}


def prepare_all(cases: Iterable[Case], catalogue: Catalogue, data: Mapping[str, object]) -> list[Prepared]:
    """Cases as matrices; those whose label no hypothesis allows are left out."""
    keys = list(keys_of(data))
    found = (_prepared(case, catalogue, data, keys) for case in cases)
    return [each for each in found if each is not None]


def _prepared(case: Case, catalogue: Catalogue, data: Mapping[str, object], keys: Sequence[Key]) -> Prepared | None:
    silent = replace(catalogue.weights, weight={}, bias=dict.fromkeys(catalogue.weights.bias, 0.0))
    found = case.findings
    trial = prepare(found, replace(catalogue, weights=silent))
    right = np.array([_fits(suspect, case) for suspect in trial.suspects])
    if not right.any():
        return None
    logs = trial.court.test(trial.suspects)
    _refuse_infinite(logs, trial, case)
    fixed = np.log(np.array(trial.priors)) + logs @ np.array(trial.trusts)
    return Prepared(case.set_name, _features(trial, catalogue, data, keys), fixed, right)


def _refuse_infinite(logs: Matrix, trial: Trial, case: Case) -> None:
    """One finding that is no number would make every weight none. Raises ValueError with the case and the finding."""
    bad = np.flatnonzero(~np.isfinite(logs).all(axis=0))
    if len(bad):
        item = trial.court.evidence[bad[0]]
        raise ValueError(
            f"{case.set_name}, incident {case.id}: {item.id} has the score {item.score}: correct its reader"
        )


def _fits(suspect: Suspect, case: Case) -> bool:
    label = case.label
    if label.cause == "no_fault":
        return suspect.cause == "no_fault"
    causes = ALLOWED[label.cause]
    followed = any(item.signal == "pattern" for item in case.findings.evidence)
    if label.cause == "code_defect" and followed:
        pass  # requests were followed into the code, and the label says that no change is known
    elif not case.findings.rollouts and set(causes) & set(UNSEEN) and label.cause != "network_or_dependency":
        causes = UNSEEN
    if label.meant:
        causes = tuple(cause for cause in CAUSES if cause == label.meant)
    if suspect.service not in (label.service, *label.also) or suspect.cause not in causes:
        return False
    return not label.change or (suspect.rollout is not None and suspect.rollout.after == label.change)


def _features(trial: Trial, catalogue: Catalogue, data: Mapping[str, object], keys: Sequence[Key]) -> Matrix:
    """What each weight is multiplied with in each hypothesis' log odds."""
    place = {key: number for number, key in enumerate(keys)}
    groups = data["groups"]
    assert isinstance(groups, dict)
    rows: dict[str, list[int]] = {}
    for number, suspect in enumerate(trial.suspects):
        rows.setdefault(suspect.service, []).append(number)
    features = np.zeros((len(trial.suspects), len(keys)))
    scored = [item for item in trial.court.evidence if item.score is not None]
    for item in scored:
        strength = catalogue.weights.strength(item.signal, item.score or 0.0)
        for row in rows.get(item.subject, []) if item.subject else range(len(trial.suspects)):
            suspect = trial.suspects[row]
            if item.version and (suspect.rollout is None or suspect.rollout.after != item.version):
                continue
            cause = catalogue.weights.cause(item.signal, suspect.cause, changed=suspect.changed)
            key = _key(item.signal, cause, place, groups)
            if key is not None:
                features[row, place[key]] += strength
    for row, suspect in enumerate(trial.suspects):
        key = _key("bias", suspect.cause, place, groups)
        if key is not None and scored:
            features[row, place[key]] = 1.0
    return features


def _key(signal: str, cause: Cause, place: Mapping[Key, int], groups: Mapping[str, Sequence[str]]) -> Key | None:
    names = [cause, *(name for name, members in groups.items() if cause in members)]
    names += ["any"] if cause != "no_fault" else []
    return next(((signal, name) for name in names if (signal, name) in place), None)


def fit(
    prepared: Sequence[Prepared],
    judged: Matrix,
    free: NDArray[np.bool_],
    penalty: float,
    shares: Mapping[str, float] | None = None,
) -> Matrix:
    """The weights that maximise the penalised likelihood; those that are not `free` may be negative (biases)."""
    sizes = {name: sum(each.set_name == name for each in prepared) for name in {each.set_name for each in prepared}}
    weights, momentum, scale = judged.copy(), np.zeros_like(judged), np.zeros_like(judged)
    for step in range(1, STEPS + 1):
        gradient = 2 * penalty * (judged - weights)
        for each in prepared:
            share = (shares or {}).get(each.set_name, 1.0)
            gradient += share * _slope(each, weights) * len(prepared) / (len(sizes) * sizes[each.set_name])
        # Adam (Kingma and Ba, 2015): the features differ in scale by orders of magnitude
        momentum = 0.9 * momentum + 0.1 * gradient
        scale = 0.999 * scale + 0.001 * gradient**2
        move = (momentum / (1 - 0.9**step)) / (np.sqrt(scale / (1 - 0.999**step)) + 1e-8)
        weights += RATE * move * (1 - step / (STEPS + 1))
        weights = np.where(free, np.maximum(weights, 0.0), weights)
    return weights


def _slope(each: Prepared, weights: Matrix) -> Matrix:
    scores = each.fixed + each.features @ weights
    shares = np.exp(scores - scores.max())
    shares /= shares.sum()
    right = np.where(each.right, shares, 0.0)
    right /= max(float(right.sum()), 1e-300)
    return np.asarray((right - shares) @ each.features)


def likelihood(each: Prepared, weights: Matrix) -> float:
    """log P(the label's hypotheses)."""
    scores = each.fixed + each.features @ weights
    shares = np.exp(scores - scores.max())
    return math.log(max(float(shares[each.right].sum() / shares.sum()), 1e-300))


def written(text: str, keys: Sequence[Key], weights: Matrix) -> str:
    """The data file's text with the fitted weights below the judged ones; nothing else in it changes."""
    found: dict[str, dict[str, float]] = {}
    for (signal, cause), value in zip(keys, weights, strict=True):
        found.setdefault(signal, {})[cause] = round(float(value), 2)
    lines: list[str] = []
    name = ""
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("fitted:"):
            continue
        if line.startswith("bias:"):
            name = "bias"
        elif line.startswith("  ") and not line.startswith("   ") and stripped.endswith(":"):
            name = stripped.removesuffix(":")
        lines.append(line)
        if stripped.startswith("judged:"):
            indent = line[: len(line) - len(line.lstrip())]
            inner = ", ".join(f"{cause}: {value:g}" for cause, value in found[name].items())
            lines.append(f"{indent}fitted: {{{inner}}}")
    return "\n".join(lines) + "\n"


SIMULATED = {
    "rollouts": 70,
    "resources": 40,
    "shop": 40,
    "network": 30,
    "code": 25,
    "config": 25,
    "traffic": 20,
    "external": 15,
    "infrastructure": 15,
    "certificate": 15,
    "traced": 60,
    "quiet": 60,
}
"""Generated incidents beside the recorded ones: what those do not show (rollouts, quiet windows)."""
HORIZONS: Mapping[str, float | None] = {
    "resources": 240,
    "infrastructure": 240,
    "certificate": 240,
    "traffic": 240,
    "quiet": 240,
}
EARLY = {"rollouts": 120, "resources": 60, "shop": 60}
"""Seconds after the alert at which these are asked a second time."""
SHARES = {"petshop": 4.0, "nezha-ob": 4.0, "nezha-tt": 4.0, "quiet-stretches": 6.0, "quiet": 4.0}
"""How many times a set counts: real ones more than generated ones."""
PENALTY, SEED, QUIET_EACH = 2.0, 11, 25


def gather_all(recorded: Path, simulated: Path, catalogue_of_queries: presets.Catalogue) -> dict[str, list[Case]]:
    """All that is fitted on: recorded sets, their quiet stretches, generated sets (some twice, late and early)."""
    sets: list[tuple[str, Iterable[Labelled]]] = []
    for folder in rcasets.sets_in(recorded):
        sets.append((folder.name, rcasets.read(folder)))
        sets.append(("quiet-stretches", rcasets.quiet(folder, QUIET_EACH, "quiet-stretches")))
    for kind, count in SIMULATED.items():
        generate(simulated / kind, kind, count, SEED)
        sets.append((kind, rcasets.read(simulated / kind, horizon=HORIZONS.get(kind))))
    for kind, horizon in EARLY.items():
        sets.append((f"{kind}-early", rcasets.read(simulated / kind, f"{kind}-early", horizon=horizon)))
    found: dict[str, list[Case]] = {}
    for name, cases in sets:
        for each in cases:
            findings = gathered(each.case, catalogue_of_queries)
            found.setdefault(name, []).append(Case(name, each.case.header.id, findings, each.label))
        print(f"{name}: {len(found.get(name, []))} incidents", file=sys.stderr)
    return found


def main() -> None:
    """Fit, and write the weights into the data file."""
    parser = argparse.ArgumentParser(prog="fit", description=__doc__)
    parser.add_argument("recorded", type=Path, help="a folder of recorded sets (cases.jsonl with labels.jsonl)")
    given = parser.parse_args()
    file = Path(str(resources.files("gitops_sre.reasoning").joinpath("weights.yaml")))
    text = file.read_text(encoding="utf-8")
    data = yaml.safe_load(text)
    keys = keys_of(data)
    catalogue = load_catalogue(weights=load_weights(fitted=False))
    with TemporaryDirectory() as folder:
        sets = gather_all(given.recorded, Path(folder), presets.load())
    prepared = [each for cases in sets.values() for each in prepare_all(cases, catalogue, data)]
    free = np.array([signal != "bias" for signal, _ in keys])
    weights = fit(prepared, np.array(list(keys.values())), free, PENALTY, SHARES)
    file.write_text(written(text, list(keys), weights), encoding="utf-8")
    print(
        f"{len(prepared)} incidents in {len(sets)} sets; mean log likelihood of the truth: "
        f"{np.mean([likelihood(each, np.array(list(keys.values()))) for each in prepared]):.3f} as judged, "
        f"{np.mean([likelihood(each, weights) for each in prepared]):.3f} as fitted"
    )


if __name__ == "__main__":
    main()
