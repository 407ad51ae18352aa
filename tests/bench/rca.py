"""Score the diagnosis on labelled incidents: recorded ones (never part of the project) and generated ones.

    python -m tests.bench.rca DIR [--generated N] [--leave-out] [--markdown FILE] [--picture FILE]

DIR holds sets of recorded incidents (cases.jsonl with labels.jsonl). Besides, N incidents of each generated kind, with
seeds that nothing was fitted on, and quiet stretches of the recorded sets' own fault-free data.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import yaml

from gitops_sre.cli.diagnose import WORDS, one
from gitops_sre.model.diagnosis import Blame, Diagnosis
from gitops_sre.perception import presets
from gitops_sre.reasoning.catalogue import Catalogue, load_catalogue
from gitops_sre.reasoning.diagnose import diagnose
from gitops_sre.reasoning.weights import load_weights
from gitops_sre.sandbox.incidents import KINDS, generate
from tests.bench import fit, rcasets, reliability
from tests.bench.page import put
from tests.bench.rcasets import Label, Labelled
from tests.bench.speed import machine

SEED = 2_026
HORIZONS: Mapping[str, tuple[float | None, ...]] = {"rollouts": (120.0, 960.0), "resources": (60.0,), "quiet": (240.0,)}
"""Seconds after the alert at which generated incidents are asked about; the case's end where nothing is said."""


@dataclass(frozen=True)
class Answer:
    """One case answered. `place` is where the root service stood, 0 where it did not."""

    set_name: str
    id: str
    label: Label
    place: int
    first: Blame
    change: str
    seconds: float

    @property
    def right(self) -> bool:
        """Whether the first place is the truth."""
        return self.place == 1

    @property
    def cause(self) -> str:
        """The cause of the first place, in the labels' words."""
        if self.first.cause == self.label.cause:
            return self.first.cause
        return WORDS.get(self.first.cause, self.first.cause)


def answer(labelled: Labelled, queries: presets.Catalogue, catalogue: Catalogue) -> Answer:
    """Ask the product about one case."""
    found = one(labelled.case, queries, catalogue)
    return graded(labelled.set_name, found.id, labelled.label, found.diagnosis, found.seconds)


def graded(set_name: str, ident: str, label: Label, diagnosis: Diagnosis, seconds: float) -> Answer:
    """A diagnosis beside the truth."""
    ranking = diagnosis.ranking
    first = ranking[0]
    if label.cause == "no_fault":
        place = 1 if first.top.cause == "no_fault" else 0
    else:
        names = [blame.service for blame in ranking]
        place = names.index(label.service) + 1 if label.service in names else 0
        if first.service in label.also and first.top.cause == label.meant:
            place = 1
    return Answer(set_name, ident, label, place, first, first.change, seconds)


def interval(hits: Sequence[bool]) -> tuple[float, float]:
    """95% bootstrap interval of a share."""
    rng = random.Random(0)
    shares = sorted(sum(rng.choices(hits, k=len(hits))) / len(hits) for _ in range(1000))
    return shares[25], shares[974]


def macro_f1(answers: Sequence[Answer]) -> float:
    """Mean F1 of the cause of the first place over the causes that occur."""
    confusion = Counter((each.label.cause, each.cause) for each in answers)
    found = []
    for kind in {each.label.cause for each in answers}:
        hit = confusion[kind, kind]
        said = sum(count for (_, cause), count in confusion.items() if cause == kind)
        true = sum(count for (cause, _), count in confusion.items() if cause == kind)
        found.append(2 * hit / (said + true) if said + true else 0.0)
    return statistics.mean(found)


def calibration(pairs: Sequence[tuple[float, bool]]) -> tuple[float, float, float]:
    """Brier score, the same of a predictor that always says the base rate, and expected calibration error (10 bins)."""
    base = sum(right for _, right in pairs) / len(pairs)
    brier = sum((p - right) ** 2 for p, right in pairs) / len(pairs)
    bins: dict[int, list[tuple[float, bool]]] = defaultdict(list)
    for p, right in pairs:
        bins[min(int(p * 10), 9)].append((p, right))
    error = sum(abs(sum(p for p, _ in each) - sum(right for _, right in each)) for each in bins.values()) / len(pairs)
    return brier, base * (1 - base), error


def row(name: str, answers: Sequence[Answer]) -> str:
    """One line of the table."""
    hits = [each.right for each in answers]
    low, high = interval(hits)
    third = sum(0 < each.place <= 3 for each in answers) / len(answers)
    pairs = [(each.first.posterior, each.right) for each in answers]
    brier, _, error = calibration(pairs)
    seconds = statistics.median(each.seconds for each in answers)
    return (
        f"| {name} | {len(answers)} | {sum(hits) / len(hits):.3f} [{low:.2f}, {high:.2f}] | {third:.3f} | "
        f"{macro_f1(answers):.2f} | {brier:.3f} | {error:.3f} | {seconds:.2f} |"
    )


HEAD = (
    "| set | cases | AC@1 [95%] | AC@3 | cause macro-F1 | Brier | ECE | median s |\n|---|---|---|---|---|---|---|---|"
)


def missed(answers: Iterable[Answer]) -> list[str]:
    """What went wrong, by kind of fault: how many, and what was blamed instead."""
    kinds: dict[tuple[str, str], list[Answer]] = defaultdict(list)
    for each in answers:
        kinds[each.set_name, each.label.cause].append(each)
    lines = ["| set | true cause | missed | at place 2 or 3 | called instead |", "|---|---|---|---|---|"]
    for (name, cause), members in sorted(kinds.items()):
        wrong = [each for each in members if not each.right]
        if wrong:
            instead = ", ".join(f"{what} {count}" for what, count in Counter(e.cause for e in wrong).most_common(3))
            near = sum(each.place in (2, 3) for each in wrong)
            lines.append(f"| {name} | {cause} | {len(wrong)} of {len(members)} | {near} | {instead} |")
    return lines


def recorded(folder: Path, queries: presets.Catalogue, catalogue: Catalogue) -> dict[str, list[Answer]]:
    """Every recorded set, and their quiet stretches."""
    found: dict[str, list[Answer]] = {}
    quiet: list[Answer] = []
    for each in rcasets.sets_in(folder):
        found[each.name] = [answer(case, queries, catalogue) for case in rcasets.read(each)]
        quiet += [answer(case, queries, catalogue) for case in rcasets.quiet(each, 20, "quiet stretches")]
        print(f"{each.name} done", file=sys.stderr)
    return found | ({"quiet stretches": quiet} if quiet else {})


def generated(count: int, queries: presets.Catalogue, catalogue: Catalogue) -> dict[str, list[Answer]]:
    """Every generated kind, with a seed of its own."""
    found: dict[str, list[Answer]] = {}
    with TemporaryDirectory() as folder:
        for kind in KINDS:
            place = Path(folder) / kind
            generate(place, kind, count, SEED)
            for horizon in HORIZONS.get(kind, (None,)):
                name = f"generated {kind}" + (f", alert + {horizon:g} s" if horizon is not None else "")
                cases = rcasets.read(place, name, horizon)
                found[name] = [answer(case, queries, catalogue) for case in cases]
            print(f"generated {kind} done", file=sys.stderr)
    return found


def left_out(folder: Path, queries: presets.Catalogue) -> dict[str, list[Answer]]:
    """Each recorded set, with weights fitted on everything but it (and its quiet stretches)."""
    text = resources.files("gitops_sre.reasoning").joinpath("weights.yaml").read_text(encoding="utf-8")
    data = yaml.safe_load(text)
    keys = fit.keys_of(data)
    judged = load_catalogue(weights=load_weights(fitted=False))
    with TemporaryDirectory() as simulated:
        sets = fit.gather_all(folder, Path(simulated), queries)
    prepared = {name: fit.prepare_all(cases, judged, data) for name, cases in sets.items()}
    free = np.array([signal != "bias" for signal, _ in keys])
    found = {}
    for name in (each.name for each in rcasets.sets_in(folder)):
        others = [case for other, cases in prepared.items() if other not in (name, "quiet-stretches") for case in cases]
        weights = fit.fit(others, np.array(list(keys.values())), free, fit.PENALTY, fit.SHARES)
        catalogue = load_catalogue(weights=load_weights(fit.written(text, list(keys), weights)))
        found[f"{name}, left out"] = [
            graded(name, each.id, each.label, diagnose(each.findings, catalogue), 0.0) for each in sets[name]
        ]
    return found


def said(sets: Mapping[str, Sequence[Answer]]) -> list[tuple[float, bool]]:
    """The posterior of every first place, and whether it was right."""
    return [(each.first.posterior, each.right) for answers in sets.values() for each in answers]


def page(sets: Mapping[str, Sequence[Answer]], out: Mapping[str, Sequence[Answer]]) -> str:
    """Everything as Markdown."""
    everything = [each for answers in sets.values() for each in answers]
    pairs = said(sets)
    brier, base, error = calibration(pairs)
    lines = [HEAD, *(row(name, answers) for name, answers in sets.items()), ""]
    if out:
        lines += ["Fitted without the set (nor any quiet stretch):", "", HEAD]
        lines += [*(row(name, answers) for name, answers in out.items()), ""]
    lines += [
        f"All {len(everything)} cases together: Brier {brier:.3f} (always saying the base rate: {base:.3f}), expected "
        f"calibration error {error:.3f}. {datetime.now(UTC):%Y-%m-%d}, {machine()}.",
        "",
        *reliability.table(reliability.bins(pairs)),
        "",
        "What was missed:",
        "",
        *missed(everything),
    ]
    return "\n".join(lines)


def main() -> None:
    """Score, print, and put it into a page."""
    parser = argparse.ArgumentParser(prog="rca", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", help="a folder of recorded sets")
    parser.add_argument("--generated", type=int, default=20, help="incidents of each generated kind")
    parser.add_argument("--leave-out", action="store_true", help="also with weights fitted without each set (minutes)")
    parser.add_argument("--markdown", type=Path, help="a page in which to put the tables between its markers")
    parser.add_argument("--picture", type=Path, help="where to draw what was said against what was so, as SVG")
    given = parser.parse_args()
    queries, catalogue = presets.load(), load_catalogue()
    sets = recorded(given.folder, queries, catalogue) if given.folder else {}
    sets |= generated(given.generated, queries, catalogue) if given.generated else {}
    out = left_out(given.folder, queries) if given.leave_out and given.folder else {}
    text = page(sets, out)
    print(text)
    if given.markdown is not None:
        put(given.markdown, "rca", text)
    if given.picture is not None:
        given.picture.write_text(reliability.picture(reliability.bins(said(sets))), encoding="utf-8")


if __name__ == "__main__":
    main()
