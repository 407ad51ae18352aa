"""Which files sources read, kept from one commit to the next: most commits change what is in files, not which are read.

A source is asked about again when one of its files changed; all are when a file came, went or moved, since any of them
may name a path that was not there before, and when a kustomization changed that nobody read: it may have been broken.
"""

from __future__ import annotations

import posixpath
import weakref
from collections.abc import Callable, Iterable, Mapping

from gitops_sre.model.change_feed import FileChange
from gitops_sre.model.target import Source

Ask = Callable[[str, Source], frozenset[str]]
"""The files that a source reads at a commit."""

_Known = dict[object, dict[Source, frozenset[str]]]
"""By the method of an object that was asked."""
_KUSTOMIZATIONS = frozenset({"kustomization.yaml", "kustomization.yml", "Kustomization"})


class Inputs:
    """What those who were asked said, for the commit that was moved to last."""

    def __init__(self) -> None:
        self._known: weakref.WeakKeyDictionary[object, _Known] = weakref.WeakKeyDictionary()

    def of(self, ask: Ask, commit: str, sources: Iterable[Source]) -> Mapping[Source, frozenset[str]]:
        """The files that each of some sources reads at the commit."""
        # A method is made anew each time it is looked up; the object that it belongs to is not.
        known = self._known.setdefault(getattr(ask, "__self__", ask), {}).setdefault(getattr(ask, "__func__", None), {})
        for source in sources:
            if source not in known:
                known[source] = ask(commit, source)
        return known

    def forget(self) -> None:
        """Nothing is known of the commit that comes next."""
        self._known.clear()

    def move(self, changes: Iterable[FileChange]) -> None:
        """Forget what changes may have made wrong."""
        changed: set[str] = set()
        for each in changes:
            if not each.plain or each.before_path != each.after_path:
                self.forget()
                return
            changed.add(each.after_path)
        stale = [(known, key) for methods in self._known.values() for known in methods.values()
                 for key, files in known.items() if not changed.isdisjoint(files)]  # fmt: skip
        read = {path for known, key in stale for path in known[key]}
        if any(posixpath.basename(path) in _KUSTOMIZATIONS for path in changed - read):
            self.forget()
            return
        for known, key in stale:
            del known[key]
