"""`python -m gitops_sre.sandbox.incidents OUT --kind rollouts --count 50 --seed 1`"""

from __future__ import annotations

import argparse
from pathlib import Path

from gitops_sre.sandbox.incidents import KINDS, generate


def main() -> None:
    parser = argparse.ArgumentParser(prog="incidents", description="Write labelled incident cases.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--kind", choices=sorted(KINDS), default="rollouts")
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    generate(given.out, given.kind, given.count, given.seed)


if __name__ == "__main__":
    main()
