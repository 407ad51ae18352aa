"""Labelled sets of incidents for scoring and fitting: `cases.jsonl` through the product, `labels.jsonl` beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gitops_sre.adapters.cases import Case, read_cases


@dataclass(frozen=True)
class Label:
    """What a labelled incident really was. `service` is empty without a fault; `change` is the version that a rollout
    brought, if one did."""

    service: str
    cause: str
    raw: str
    change: str = ""
    also: tuple[str, ...] = ()
    """Services that are as right, if the cause is: nobody could tell which of them it is."""
    meant: str = ""
    """The product's own word for the cause, where the label has one."""


@dataclass(frozen=True)
class Labelled:
    """One case with its label; the product is only ever given the case."""

    set_name: str
    case: Case
    label: Label


def sets_in(folder: Path) -> list[Path]:
    """The folders below one, itself included, that hold cases with labels."""
    return sorted(file.parent for file in folder.rglob("labels.jsonl") if (file.parent / "cases.jsonl").exists())


def read(folder: Path, name: str = "", horizon: float | None = None) -> Iterator[Labelled]:
    """The cases of one set."""
    labels = {raw["id"]: raw for raw in map(json.loads, (folder / "labels.jsonl").read_text().splitlines())}
    for header in read_cases(folder / "cases.jsonl"):
        raw = labels[header.id]
        version = (raw.get("change") or {}).get("to_version", "")
        also, meant = tuple(raw.get("also", ())), raw.get("cause", "")
        label = Label(raw.get("root_service", ""), raw["cause_type"], raw.get("raw_type", ""), version, also, meant)
        if label.cause == "no_fault":
            label = Label("", "no_fault", label.raw)
        yield Labelled(name or folder.name, Case(header, folder, horizon), label)


QUIET_LENGTH, QUIET_AFTER = 1500.0, 24 * 3600.0


def quiet(folder: Path, count: int, name: str) -> Iterator[Labelled]:
    """Fault-free stretches of a set's own data, where it has fault-free baselines: alerts without a fault."""
    headers = read_cases(folder / "cases.jsonl")
    for baseline in sorted({header.baseline for header in headers if header.baseline}):
        like = next(header for header in headers if header.baseline == baseline)
        whole = Case(like.model_copy(update={"metrics": baseline, "baseline": ""}), folder)
        first, last = whole.reach
        for number in range(count):
            start = first + QUIET_AFTER + number * (last - first - QUIET_AFTER - QUIET_LENGTH) / count
            update = {
                "id": f"{name}-{Path(baseline).stem}-{number}",
                "metrics": baseline,
                "baseline": "",
                "start": start,
                "end": start + QUIET_LENGTH,
                "alert_ts": start + QUIET_LENGTH / 2,
            }
            yield Labelled(name, Case(like.model_copy(update=update), folder, None), Label("", "no_fault", "none"))
