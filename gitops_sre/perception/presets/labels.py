"""Whose series it is: labels as exporters write them, read as service, pod, version, peer, statistic and side."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gitops_sre.model.telemetry import Side

# Kubernetes names what it makes with letters and digits that cannot form words (k8s.io/apimachinery/pkg/util/rand):
# a ReplicaSet adds the hash of its pod template, encoded digit by digit; its pods, those of DaemonSets and Jobs add
# five such characters; those of StatefulSets their number.
_HASH = "[bcdfghjklmnpqrstvwxz0-9]"
_POD = re.compile(rf"(?P<workload>.+?)(?:(?:-{_HASH}{{7,10}})?-{_HASH}{{5}}|-\d+)")
_SIDES: Mapping[str, Side] = {
    "server": "server",
    "destination": "server",
    "inbound": "server",
    "client": "client",
    "source": "client",
    "outbound": "client",
}
_NOBODY = frozenset({"", "unknown", "none", "<none>"})
"""What exporters write where they do not know."""


def workload(pod: str) -> str:
    """The Deployment, StatefulSet or DaemonSet that a pod's name speaks of; the name itself where it has no suffix."""
    found = _POD.fullmatch(pod)
    return found["workload"] if found else pod


def host(name: str) -> str:
    """The service in a cluster-internal address: `cart` of `cart.shop.svc.cluster.local:8080`; an address of the
    outside is left whole, without its port."""
    bare = name.rpartition("//")[2].partition("/")[0].partition(":")[0]
    first, _, rest = bare.partition(".")
    inside = rest.count(".") == 0 or ".svc" in f".{rest}"
    return first if inside and not first.isdigit() else bare


def last(path: str) -> str:
    """The last part of a path or of a dotted name: `CartService` of `shop.v1.CartService`."""
    return path.rstrip("/").replace("/", ".").rpartition(".")[2]


def certificate(name: str) -> str:
    """The service in the name of a certificate or its Secret: `cart` of `cart-tls`."""
    return re.sub(r"-(tls|cert|certificate|ssl)(-secret)?$", "", name)


_READERS: Mapping[str, Callable[[str], str]] = {
    "workload": workload,
    "host": host,
    "last": last,
    "certificate": certificate,
}


@dataclass(frozen=True)
class Source:
    """Where a value may come from: a label, read as it is or by a function; or a constant."""

    label: str = ""
    read: str = ""
    constant: str = ""

    @classmethod
    def of(cls, text: str) -> Source:
        """`pod`, `pod|workload` or `=p99`. Raises ValueError."""
        if text.startswith("="):
            return cls(constant=text[1:])
        label, _, read = text.partition("|")
        if not re.fullmatch("[a-zA-Z_][a-zA-Z0-9_]*", label):
            raise ValueError(f"{text!r}: {label!r} is no label name")
        if read and read not in _READERS:
            raise ValueError(f"{text!r}: {read!r} is none of {', '.join(sorted(_READERS))}")
        return cls(label, read)

    def __str__(self) -> str:
        """As it is written in the catalogue."""
        return f"`={self.constant}`" if self.constant else f"`{self.label}{'|' * bool(self.read)}{self.read}`"

    def value(self, labels: Mapping[str, str]) -> str:
        """What it says in a series; empty where it says nothing."""
        if self.constant:
            return self.constant
        found = labels.get(self.label, "")
        if found in _NOBODY:
            return ""
        return _READERS[self.read](found) if self.read else found


def first(sources: tuple[Source, ...], labels: Mapping[str, str]) -> str:
    """The first source that says something."""
    for source in sources:
        if found := source.value(labels):
            return found
    return ""


def side(value: str) -> Side:
    """Who measured, in the words of Istio (`reporter`), Linkerd (`direction`) and OpenTelemetry (span kinds)."""
    return _SIDES.get(value.lower().removeprefix("span_kind_"), "")


def statistic(value: str) -> str:
    """`p99` of the quantile `0.99`, `average` of `Average`."""
    try:
        quantile = float(value)
    except ValueError:
        return value.lower()
    return f"p{quantile * 100:g}"
