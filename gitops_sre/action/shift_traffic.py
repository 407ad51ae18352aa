"""Change how much of a route's traffic goes to which backend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gitops_sre.action import fields
from gitops_sre.action.fields import Found
from gitops_sre.model.change import Draft, Field, FieldEdit, Left
from gitops_sre.model.outcome import Refused
from gitops_sre.model.plan import ActionSpec, Parameter, Plan
from gitops_sre.model.target import ObjectField
from gitops_sre.ports import Locator
from gitops_sre.yamltext import Path, YamlTextError

_NAME = r"[a-z0-9](?:[a-z0-9./-]{0,251}[a-z0-9])?"
_SHARE = rf"{_NAME}:(?:100|[0-9]{{1,2}})"
_ALL = 100

SPEC = ActionSpec(
    name="shift_traffic",
    summary="Set the shares of traffic that a Gateway API route or an Istio VirtualService gives to its backends",
    parameters=(
        Parameter(
            "route",
            "HTTPRoute/name, GRPCRoute/name or VirtualService/name, or Kind/namespace/name",
            pattern=r"(?:HTTPRoute|GRPCRoute|VirtualService)(?:/[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?){1,2}",
        ),
        Parameter(
            "weights",
            "every backend with its share in percent, such as stable:100,canary:0; a subset stands for its host",
            unit="percent, 100 together",
            pattern=rf"{_SHARE}(?:,{_SHARE})+",
        ),
    ),
    powers=("contents:write", "pull_requests:write"),
    reversible=True,
    inverse="restores the weights that stood before, byte for byte",
    not_for=(
        "routes whose weights Argo Rollouts or Flagger writes: go back with rollback_image",
        "backends that cannot carry the traffic",
    ),
)


@dataclass(frozen=True)
class _Kind:
    """Where a kind of route keeps its shares: the list of rules, that of the backends of a rule, their names."""

    rules: str
    backends: str
    names: tuple[tuple[str, ...], ...]


_GATEWAY = _Kind("rules", "backendRefs", (("name",),))
_KINDS = {
    "HTTPRoute": _GATEWAY,
    "GRPCRoute": _GATEWAY,
    "VirtualService": _Kind("http", "route", (("destination", "host"), ("destination", "subset"))),
}


@dataclass(frozen=True)
class _Split:
    """One rule's backends: name, and the field of its weight."""

    shares: tuple[tuple[str, Field], ...]

    @property
    def names(self) -> list[str]:
        """The backends, as written."""
        return [name for name, _ in self.shares]


def draft(plan: Plan, locator: Locator, commit: str) -> Draft | Refused:
    """The edits that give each backend its share, in every rule that splits between exactly these backends.

    Refused when the shares are not 100 together, when a rule has one of the backends and not all, when a controller
    writes the weights itself, and when nothing would change.
    """
    if problem := SPEC.problem(plan.parameters):
        return Refused(problem)
    shares = [share.rpartition(":") for share in plan.parameters["weights"].split(",")]
    weights = {name: weight for name, _, weight in shares}
    if len(weights) < len(shares) or sum(map(int, weights.values())) != _ALL:
        return Refused(f"shift_traffic: name each backend once and let the shares be {_ALL} together")
    if driven := _driven(plan, locator, commit):
        return driven
    splits = _splits(plan, locator, commit)
    if isinstance(splits, Refused):
        return splits
    try:
        return _shifted(plan.parameters["route"], splits, weights)
    except YamlTextError as error:
        return Refused(str(error))


def _driven(plan: Plan, locator: Locator, commit: str) -> Refused | None:
    """Whether a controller of progressive delivery writes the weights while it runs."""
    ref, path = plan.target.workload, ("spec", "strategy", "canary", "trafficRouting")
    for kind, where in (("Rollout", path), ("Canary", ("spec", "analysis"))):
        if ref.name and (ref.kind in ("", kind) or kind == "Canary"):
            found = locator.object_fields(commit, plan.target, ObjectField(kind, ref.namespace, ref.name, where))
            if isinstance(found, Refused):
                return found
            if found and found[0].present:
                return Refused(
                    f"{found[0].file}: a {kind} moves the traffic of {ref.name} itself and would write over the"
                    " weights; go back with rollback_image"
                )
    return None


def _splits(plan: Plan, locator: Locator, commit: str) -> list[_Split] | Refused:
    """The rules of the route, each with its backends."""
    route = plan.parameters["route"]
    kind = _KINDS[route.partition("/")[0]]
    weights = _ask(plan, locator, commit, kind, ("weight",))
    if isinstance(weights, Refused):
        return weights
    named: dict[Path, str] = {}
    for keys in kind.names:
        found = _ask(plan, locator, commit, kind, keys)
        if isinstance(found, Refused):
            return found
        # The last key that stands is the most exact name: a subset before its host.
        named |= {field.path[: -len(keys)]: field.value for field in found if field.present}
    if not weights or not named:
        return Refused(f"no place in {plan.target.source.path} makes {route} with backends; name its folder")
    rules: dict[Path, list[tuple[str, Field]]] = {}
    for field in weights:
        rules.setdefault(field.path[:-2], []).append((named.get(field.path[:-1], ""), field))
    return [_Split(tuple(shares)) for shares in rules.values()]


def _ask(plan: Plan, locator: Locator, commit: str, kind: _Kind, keys: tuple[str, ...]) -> Found:
    name, *rest = plan.parameters["route"].split("/")
    path = ("spec", kind.rules, "[]", kind.backends, "[]", *keys)
    at = ObjectField(name, rest[0] if len(rest) > 1 else "", rest[-1], path)
    return locator.object_fields(commit, plan.target, at)


def _shifted(route: str, splits: list[_Split], weights: Mapping[str, str]) -> Draft | Refused:
    found: tuple[FieldEdit, ...] = ()
    left: list[Left] = []
    for split in splits:
        names, first = split.names, split.shares[0][1]
        if sorted(names) == sorted(weights):
            for name, field in split.shares:
                found += fields.edits([field], weights[name])
        elif problem := _overlap(names, weights):
            return Refused(f"{first.file}: a rule of {route} {problem}")
        else:
            left.append(Left(first.file, first.document, first.path[:-2], f"goes to {', '.join(names)} only"))
    if found:
        return Draft(found, left=tuple(left))
    if len(left) == len(splits):
        there = "; ".join(dict.fromkeys(", ".join(split.names) for split in splits))
        return Refused(f"{splits[0].shares[0][1].file}: {route} has no such backends; it has {there}")
    return Refused(f"{splits[0].shares[0][1].file}: {route} has these weights already")


def _overlap(names: list[str], weights: Mapping[str, str]) -> str:
    """Why a rule can neither be set nor passed by, or the empty string."""
    if len(set(names)) < len(names) and set(names) & set(weights):
        return f"names {', '.join(names)}, one of them twice; edit it by hand"
    if set(names) & set(weights):
        return f"goes to {', '.join(names)}; name exactly these backends"
    return ""
