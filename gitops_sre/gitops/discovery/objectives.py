"""Objectives that a repository declares for Sloth, Pyrra or OpenSLO, in the terms of the settings.

Taken over are availability objectives (99.9 % -> at most 0.1 % of requests fail) and latency objectives of at least
99 % below a threshold, of which it follows that the 99th percentile lies below it. Everything else is left, with the
reason. Sources: the specifications `prometheus/v1` of Sloth, `pyrra.dev/v1alpha1`, `openslo/v1` and `v1alpha`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from gitops_sre.gitops import environments
from gitops_sre.gitops.discovery.nouns import Objective
from gitops_sre.gitops.files import MANIFESTS, AtCommit, documents
from gitops_sre.gitops.flux.objects import Held, Tree, held_in, mentioning, under
from gitops_sre.yamltext import YamlTextError

_LABELS = ("service", "app", "job", "deployment")
"""Labels that name a service, in the order of the settings."""
_PERCENTILE = 0.99
_BOUND = re.compile(r"""\ble\s*=~?\s*["']([0-9.]+)(?:\|[^"']*)?["']""")
_REQUESTS = re.compile(r"request|response|http|rpc|handled|calls|latency|duration", re.I)
"""What the metrics of requests are called."""
_SECONDS = re.compile(r"([0-9.]+)\s*(ms|s|m)?")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, None: 1.0}


@dataclass(frozen=True)
class _Aim:
    """One objective as it is written: the share of good events, and seconds for one of latency (None: of errors)."""

    service: str
    share: float
    seconds: float | None
    at: Held
    why_not: str = ""


def objectives(files: AtCommit, named: Collection[str] = ()) -> tuple[tuple[Objective, ...], tuple[str, ...]]:
    """Objectives by service and environment, and what could not be carried over, each with its place. `named` are the
    environments that there are: a folder that only sounds like one is none."""
    aims: list[_Aim] = []
    left: list[str] = []
    for path in sorted({path for word in _READERS for path in mentioning(files, word)}):
        if not path.endswith(MANIFESTS):
            continue
        try:
            parts = [held_in(path, document) for document in documents(files, path)]
        except YamlTextError as error:
            left.append(str(error))
            continue
        aims += [aim for tree in parts for aim in _aims(tree)]
    for aim in aims:
        if aim.why_not:
            left.append(f"{aim.at.file}:{aim.at.scalar.line}: the objective of {aim.service}: {aim.why_not}")
    return _joined([aim for aim in aims if not aim.why_not], named), tuple(left)


def _joined(aims: list[_Aim], named: Collection[str]) -> tuple[Objective, ...]:
    """One objective for each service and environment: of several aims of a kind the strictest."""
    groups: dict[tuple[str, str], list[_Aim]] = {}
    for aim in aims:
        where = environments.of(aim.at.file)
        groups.setdefault((aim.service, where if where in named else ""), []).append(aim)
    found = []
    for (service, environment), group in groups.items():
        errors = [1 - aim.share for aim in group if aim.seconds is None]
        latency = [aim.seconds for aim in group if aim.seconds is not None]
        by = tuple(dict.fromkeys(f"{aim.at.file}:{aim.at.scalar.line}" for aim in group))
        ratio = round(min(errors), 9) if errors else None
        found.append(Objective(service, environment, ratio, min(latency, default=None), by))
    return tuple(sorted(found, key=lambda each: (each.service, not each.environment, each.environment)))


def _aims(tree: Tree) -> Iterator[_Aim]:
    version = _text(tree, "apiVersion") or _text(tree, "version")
    reader = next((read for word, read in _READERS.items() if version.startswith(word)), None)
    if reader is not None:
        yield from (aim if aim.why_not else _checked(aim) for aim in reader(tree))


def _checked(aim: _Aim) -> _Aim:
    if not 0 < aim.share < 1:
        return _refused(aim, "its target is not a share between 0 and 1")
    if aim.seconds is not None and aim.share < _PERCENTILE - 1e-9:
        return _refused(aim, f"{aim.share:.4g} of requests below {aim.seconds:g} s says nothing of the 99th percentile")
    return aim


def _refused(aim: _Aim, why: str) -> _Aim:
    return _Aim(aim.service, aim.share, aim.seconds, aim.at, why)


def _sloth(tree: Tree) -> Iterator[_Aim]:
    """Both forms: the plain file, and the PrometheusServiceLevel that holds the same below `spec`."""
    spec = under(tree, ("spec",)) or tree
    service = _text(spec, "service")
    for at in _positions(spec, "slos"):
        one = under(spec, ("slos", at))
        target = one.get(("objective",))
        if target is None or not service:
            continue
        query = " ".join(held.value for path, held in one.items() if path[:1] == ("sli",))
        yield _by_query(service, _number(target.value) / 100, query, target)


def _by_query(service: str, share: float, query: str, at: Held) -> _Aim:
    """An aim by what its query counts: a bucket is one of latency, and what is no request is none of ours."""
    bound = _BOUND.findall(query)
    if "_bucket" not in query:
        why = "" if _REQUESTS.search(query) else "nothing in its query says that it counts requests"
        return _Aim(service, share, None, at, why)
    if not bound:
        return _Aim(service, share, None, at, "it counts buckets, and which ones cannot be told")
    return _Aim(service, share, max(_number(each) for each in bound), at)


def _pyrra(tree: Tree) -> Iterator[_Aim]:
    target = tree.get(("spec", "target"))
    if target is None:
        return
    indicator = under(tree, ("spec", "indicator"))
    kind = next((str(path[0]) for path in indicator), "")
    queries = " ".join(held.value for held in indicator.values())
    service, share = _labelled(queries) or _text(tree, "metadata", "name"), _number(target.value) / 100
    if kind == "ratio":
        yield _by_query(service, share, queries, target)
    elif kind == "latency":
        yield _by_query(service, share, _text(indicator, "latency", "success", "metric"), target)
    elif kind == "latencyNative":
        yield _Aim(service, share, _seconds(_text(indicator, "latencyNative", "latency")), target)
    else:
        yield _Aim(service, share, None, target, f"an indicator `{kind}` is not about requests")


def _openslo(tree: Tree) -> Iterator[_Aim]:
    if _text(tree, "kind") != "SLO":
        return
    spec = under(tree, ("spec",))
    service = _text(spec, "service") or _text(tree, "metadata", "name")
    for at in _positions(spec, "objectives"):
        one = under(spec, ("objectives", at))
        target = one.get(("target",)) or one.get(("targetPercent",))
        if target is None:
            continue
        share = _number(target.value) / (1 if ("target",) in one else 100)
        if any("threshold" in str(part) for path in spec for part in path) or ("value",) in one:
            yield _Aim(service, share, None, target, "it compares a threshold whose unit is not written down")
        elif any("ratioMetric" in str(part) for path in spec for part in path):
            yield _by_query(service, share, " ".join(held.value for held in spec.values()), target)
        else:
            yield _Aim(service, share, None, target, "its indicator is defined elsewhere")


_READERS: Mapping[str, Callable[[Tree], Iterator[_Aim]]] = {
    "sloth.slok.dev/": _sloth,
    "prometheus/v1": _sloth,
    "pyrra.dev/": _pyrra,
    "openslo/": _openslo,
}


def _labelled(queries: str) -> str:
    """The service that a query's label names."""
    for label in _LABELS:
        if (found := re.search(rf"""\b{label}\s*=\s*["']([^"']+)["']""", queries)) is not None:
            return found[1]
    return ""


def _positions(tree: Tree, name: str) -> tuple[int, ...]:
    found = (path[1] for path in tree if path[:1] == (name,) and len(path) > 1)
    return tuple(dict.fromkeys(at for at in found if isinstance(at, int)))


def _text(tree: Tree, *path: str | int) -> str:
    held = tree.get(path)
    return held.value if held else ""


def _number(text: str) -> float:
    """A number; NaN, which no bound holds for, where it is none."""
    try:
        return float(text.strip().rstrip("%"))
    except ValueError:
        return float("nan")


def _seconds(text: str) -> float:
    found = _SECONDS.fullmatch(text.strip())
    return _number(found[1]) * _UNITS[found[2]] if found else float("nan")
