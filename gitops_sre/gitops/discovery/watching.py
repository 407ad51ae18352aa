"""Where Prometheus and Alertmanager answer, as far as the repository says it.

An address that somebody has written down (a Grafana data source, a KEDA trigger, Flagger's or Argo Rollouts' provider)
comes before one that follows from what is installed: the operator gives every Prometheus the service
`prometheus-operated` in its namespace, and every Alertmanager `alertmanager-operated`. Sources: Prometheus Operator,
"Prometheus" and "Alertmanager" in its API reference; the chart `prometheus` of prometheus-community.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gitops_sre.gitops.discovery.nouns import Finding, Monitoring
from gitops_sre.gitops.discovery.places import Applied, place
from gitops_sre.gitops.files import AtCommit, documents
from gitops_sre.gitops.flux.objects import Held, Object, Tree, held_in, mentioning, readable
from gitops_sre.yamltext import YamlTextError

_OPERATOR = "monitoring.coreos.com/"
_STACK = "kube-prometheus-stack"
_ADDRESS = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[^\s?#${}]*)?")
_WRITTEN = ("serverAddress", "metricsServer", "AnalysisTemplate", "type: prometheus", "type: alertmanager")
"""What a file must hold to name an address."""
_KINDS = {"Prometheus": "prometheus", "Alertmanager": "alertmanager"}
_PORTS = {"prometheus": 9090, "alertmanager": 9093}


def monitoring(files: AtCommit, applied: Applied) -> Monitoring:
    """The addresses, and the rules and monitors that the repository declares."""
    written: dict[str, list[Finding]] = {"prometheus": [], "alertmanager": []}
    for path in sorted({path for word in _WRITTEN for path in mentioning(files, word)}):
        for name, held in _written(files, path):
            written[name].append(Finding(held.value.rstrip("/"), (place(held),)))
    installed = [each for path in mentioning(files, _OPERATOR) for each in _operated(files, path, applied)]
    installed += [each for path in mentioning(files, _STACK) for each in _stacked(files, path, applied)]
    for each in installed:
        written[each.name].append(each.finding)
    return Monitoring(
        _merged(written["prometheus"]),
        _merged(written["alertmanager"]),
        _declaring(files, "PrometheusRule"),
        (*_declaring(files, "ServiceMonitor"), *_declaring(files, "PodMonitor")),
    )


def _merged(found: list[Finding]) -> Finding | None:
    """The first address, with every place that says the same."""
    if not found:
        return None
    same = dict.fromkeys(at for each in found if each.value == found[0].value for at in each.places)
    return Finding(found[0].value, tuple(same))


def _declaring(files: AtCommit, kind: str) -> tuple[str, ...]:
    """Places of the objects of a kind, by text: which they are is of no interest here."""
    found = []
    stands = re.compile(rf"^kind:[ \t]*[\"']?{kind}\b", re.M)
    for path in mentioning(files, f"kind: {kind}"):
        try:
            text = files.text(path) or ""
        except YamlTextError:
            continue
        found += [f"{path}:{text.count(chr(10), 0, match.start()) + 1}" for match in stands.finditer(text)]
    return tuple(found)


def _written(files: AtCommit, path: str) -> Iterator[tuple[str, Held]]:
    """(what, address) of every address that a file writes down."""
    try:
        trees = [held_in(path, document) for document in documents(files, path)]
    except YamlTextError:
        return
    for tree in trees:
        for at, held in tree.items():
            if not at or not _ADDRESS.fullmatch(held.value):
                continue
            if at[-1] in ("serverAddress", "metricsServer") or at[-2:] == ("prometheus", "address"):
                yield "prometheus", held
            elif at[-1] == "url" and (kind := _data_source(tree, at)):
                yield kind, held


def _data_source(tree: Tree, at: tuple[str | int, ...]) -> str:
    """What a Grafana data source with this `url` is, if it is one of those looked for."""
    kind = tree.get((*at[:-1], "type"))
    return kind.value if kind is not None and kind.value in _PORTS else ""


@dataclass(frozen=True)
class _Installed:
    name: str
    finding: Finding


def _operated(files: AtCommit, path: str, applied: Applied) -> Iterator[_Installed]:
    for each in readable(files, path):
        name = _KINDS.get(each.kind)
        namespace = each.namespace or applied.namespace(path)
        if name is not None and each.group == _OPERATOR.rstrip("/") and namespace:
            yield _Installed(name, _service(name, namespace, each.tree[("kind",)]))


def _stacked(files: AtCommit, path: str, applied: Applied) -> Iterator[_Installed]:
    """The chart kube-prometheus-stack, as a HelmRelease or an Application installs it."""
    for each in readable(files, path):
        said = _chart(each)
        if said is None:
            continue
        namespace = (
            each.value("spec", "targetNamespace")
            or each.value("spec", "destination", "namespace")
            or (each.namespace if each.kind == "HelmRelease" else "")
            or applied.namespace(path)
        )
        if namespace and "{{" not in namespace:
            yield _Installed("prometheus", _service("prometheus", namespace, said))
            if each.value("spec", "values", "alertmanager", "enabled").lower() != "false":
                yield _Installed("alertmanager", _service("alertmanager", namespace, said))


def _chart(each: Object) -> Held | None:
    """Where an object names the chart."""
    paths = {
        "HelmRelease": (("spec", "chart", "spec", "chart"), ("spec", "chartRef", "name")),
        "Application": (("spec", "source", "chart"), *(("spec", "sources", at, "chart") for at in range(4))),
    }
    found = (each.tree.get(path) for path in paths.get(each.kind, ()))
    return next((held for held in found if held is not None and held.value == _STACK), None)


def _service(name: str, namespace: str, held: Held) -> Finding:
    return Finding(f"http://{name}-operated.{namespace}.svc:{_PORTS[name]}", (place(held),))
