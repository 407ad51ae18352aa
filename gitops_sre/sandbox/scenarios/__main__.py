"""`python -m gitops_sre.sandbox.scenarios OUT --seed 1`"""

from __future__ import annotations

import argparse
from pathlib import Path

from gitops_sre.sandbox.scenarios import generate
from gitops_sre.sandbox.scenarios.plots import ALL


def main() -> None:
    parser = argparse.ArgumentParser(prog="scenarios", description="Write scenarios for `gitops-sre eval`.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=len(ALL), help="only the first so many")
    parser.add_argument("--rounds", type=int, default=1, help="play them again with so many seeds")
    given = parser.parse_args()
    generate(given.out, given.seed, ALL[: given.count], given.rounds)


if __name__ == "__main__":
    main()
