"""`make injection`: every text of the archives, in every place."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

from tests.injection.corpora import texts
from tests.injection.play import PLACES, broken


def main() -> int:
    """Play them; exit status 1 when one of them breaks a promise."""
    parser = argparse.ArgumentParser(prog="python -m tests.injection", description=__doc__)
    parser.add_argument("archives", type=Path, nargs="+", help="wheels and tarballs")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only each N-th text")
    options = parser.parse_args()
    attacks = texts(options.archives)[:: options.every]
    found: Counter[str] = Counter()
    for number, attack in enumerate(attacks, 1):
        for place in PLACES:
            if why := broken(attack, place):
                found[why] += 1
                print(f"broken: {why}: {attack[:200]!r} in {place}", file=sys.stderr)
        if number % 1000 == 0:
            print(f"{number} of {len(attacks)}", file=sys.stderr, flush=True)
    names = ", ".join(sorted(path.name for path in options.archives))
    print(f"{len(attacks)} texts of {names}, each in {len(PLACES)} places: {len(attacks) * len(PLACES)} consultations")
    print(f"promises broken: {found.total()}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
