"""Play the suite: see the package's words."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.bench.page import put
from tests.safety.play import Outcome
from tests.safety.report import broken, table, words
from tests.safety.workers import played


def main(arguments: Sequence[str] | None = None) -> int:
    """Play, print, and say by the exit status whether every promise was kept."""
    options = _options(arguments)
    numbers = [options.case] if options.case is not None else list(range(options.cases))
    began = time.monotonic()
    outcomes: list[Outcome] = []
    for outcome in played(options.seed, numbers, options.jobs, careless=options.careless):
        outcomes.append(outcome)
        print(_progress(outcome, len(outcomes), len(numbers), time.monotonic() - began), file=sys.stderr, flush=True)
    outcomes.sort(key=lambda outcome: outcome.number)
    said = f"{table(outcomes)}\n\n{words(outcomes)}"
    print(said)
    if options.markdown is not None:
        put(
            options.markdown,
            "careless" if options.careless else "safety",
            f"{len(outcomes)} cases, seed {options.seed}.\n\n{said}",
        )
    return _complain(options, numbers, outcomes)


def _complain(options: argparse.Namespace, numbers: Sequence[int], outcomes: Sequence[Outcome]) -> int:
    lost = set(numbers) - {outcome.number for outcome in outcomes}
    again = f"make safety{' CARELESS=1' if options.careless else ''} SEED={options.seed} CASE="
    for number in sorted(lost):
        print(f"case {number} was not played to its end: {again}{number}", file=sys.stderr)
    found = broken(outcomes, careless=options.careless)
    for each in found:
        where = f" ({again}{each.number})" if each.number >= 0 else ""
        print(f"broken: {each.what}{where}", file=sys.stderr)
    return 1 if found or lost else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.safety", description="Play the safety suite.")
    parser.add_argument("--cases", type=int, default=12, metavar="N", help="cases 0 to N-1 (12)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="what the cases are drawn with (1)")
    parser.add_argument("--case", type=int, metavar="K", help="this one case alone")
    parser.add_argument(
        "--careless", action="store_true", help="act on little and approve everything: are wrong fixes taken back?"
    )
    parser.add_argument("--jobs", type=int, default=2, help="processes (2)")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="put the table into this page")
    return parser.parse_args(arguments)


def _progress(outcome: Outcome, done: int, of: int, seconds: float) -> str:
    fixes = ", ".join(
        f"{fix.what}{'' if fix.right else ' WRONG'}{' (reverted)' if fix.reverted else ''}" for fix in outcome.fixes
    )
    ends = ", ".join(outcome.states) or "no incident"
    return f"[{done}/{of} {seconds:.0f} s] case {outcome.number}: {outcome.kind}: {fixes or 'no fix'}; {ends}"


if __name__ == "__main__":
    sys.exit(main())
