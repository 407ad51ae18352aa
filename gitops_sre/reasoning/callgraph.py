"""Who is downstream of whom: the service map as reasoning needs it."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from functools import cached_property


class CallGraph:
    """A service map made of (caller, callee) pairs."""

    def __init__(self, edges: Iterable[tuple[str, str]]) -> None:
        self._edges = tuple(edges)
        self._below: dict[str, tuple[str, ...]] = {}

    @property
    def known(self) -> bool:
        """Whether there is a map at all."""
        return bool(self._edges)

    def below(self, service: str) -> tuple[str, ...]:
        """Everything that a service calls, directly or not, nearest first."""
        if service not in self._below:
            found: dict[str, None] = {service: None}
            waiting = deque([service])
            while waiting:
                for callee in self._callees.get(waiting.popleft(), ()):
                    if callee not in found:
                        found[callee] = None
                        waiting.append(callee)
            self._below[service] = tuple(found)[1:]
        return self._below[service]

    @cached_property
    def _callees(self) -> Mapping[str, list[str]]:
        callees: dict[str, list[str]] = defaultdict(list)
        for caller, callee in self._edges:
            callees[caller].append(callee)
        return callees
