"""Writes small recorded incidents in the layout of cases, for tests."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from random import Random

START, ALERT, END, ONSET, STEP = 1_700_000_000, 1_700_003_600, 1_700_003_900, 1_700_003_480, 60
SERVICES = ("web", "cart", "db")
EDGES = [["web", "cart"], ["cart", "db"]]
Row = tuple[int, str, str, float]


def rows(culprit: str = "db", *, until: int = END, seed: int = 1) -> list[Row]:
    """Latency and requests of three services; from the onset on, the culprit and all above it are slow."""
    random = Random(seed)
    slow = SERVICES[: SERVICES.index(culprit) + 1] if culprit else ()
    found: list[Row] = []
    for at in range(START, until + 1, STEP):
        for place, service in enumerate(SERVICES):
            late = 0.4 if service in slow and at >= ONSET else 0.0
            value = (0.3 - 0.1 * place) * random.uniform(0.95, 1.05) + late
            found.append((at, "request_duration_seconds", f"service={service};stat=Average", value))
            found.append((at, "request_count", f"service={service};stat=Sum", random.uniform(950, 1050)))
    return found


def metrics(path: Path, samples: Iterable[Row]) -> None:
    """A file of metrics."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", newline="") as text:
        writer = csv.writer(text)
        writer.writerow(["ts", "name", "labels", "value"])
        writer.writerows(samples)


def case(ident: str = "one", file: str = "metrics/a.csv.gz", **more: object) -> dict[str, object]:
    """One line of a file of cases."""
    line: dict[str, object] = {
        "id": ident,
        "metrics": file,
        "start": START,
        "end": END,
        "alert_ts": ALERT,
        "alert_service": "web",
        "edges": EDGES,
    }
    return line | more


def write(folder: Path, *lines: Mapping[str, object]) -> Path:
    """A file of cases in a folder."""
    file = folder / "cases.jsonl"
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return file


def recorded(folder: Path, culprit: str = "db", **more: object) -> Path:
    """A folder with one case; the file of cases in it."""
    metrics(folder / "metrics/a.csv.gz", rows(culprit))
    return write(folder, case() | more)
