"""Which kustomizations may read a file: an index of what their texts name, kept up to date by what commits change.

Nothing is parsed: every word of a kustomization that could be a path is taken for one. So the answer may hold a
kustomization too many (a word that is no entry), which parsing those few then tells; it lacks none but one that spells
a path with YAML escapes. A word counts whether or not there is such a file, since one may come later.
"""

from __future__ import annotations

import posixpath
import re
import threading
import weakref
from collections.abc import Iterator, Sequence

from gitops_sre.gitops.files import KUSTOMIZATIONS, inside, join
from gitops_sre.model.change_feed import FileChange
from gitops_sre.ports import Repository

_ENDS = str.maketrans(dict.fromkeys("\"'[]{},", " "))
"""What ends a word besides blanks."""
_PHRASE = re.compile(r"""(?:- |: )["']?([^\s"':#{}\[\],]+(?: +[^\s"':#{}\[\],]+)+)["']?[ \t]*(?:#.*)?\r?$""", re.M)
_QUOTED = re.compile(r"""["']([^"'\n]* [^"'\n]*)["']""")
"""Values of several words, plain and quoted: a path may hold blanks."""
_NO_PATHS = frozenset({
    "kustomize.config.k8s.io/v1beta1", "kustomize.config.k8s.io/v1alpha1", "Kustomization", "Component", "-", "---",
    "true", "false", "Deployment", "ConfigMap",
})  # fmt: skip
"""Words that stand in most kustomizations and are no paths; leaving them out keeps the index small."""
_AT_ONCE = 500
"""Files whose contents are held in memory together while the index is built."""


class Inclusions:
    """The index over one repository, at the commit that was last asked for. Safe for threads. It does not keep the
    repository alive."""

    def __init__(self, repository: Repository) -> None:
        self._repository: Repository = weakref.proxy(repository)
        self._lock = threading.Lock()
        self._clear()

    def readers(self, commit: str, path: str) -> tuple[str, ...]:
        """Folders of the kustomizations that may read a file, directly or through others, sorted.

        Raises OSError when the repository cannot be read.
        """
        with self._lock:
            self._move_to(commit)
            found: set[str] = set()
            fresh = {posixpath.dirname(file) for file in self._naming.get(path, ())}
            if posixpath.basename(path) in KUSTOMIZATIONS:
                fresh.add(posixpath.dirname(path))
            while fresh:
                found |= fresh
                fresh = {posixpath.dirname(file) for folder in fresh for file in self._naming.get(folder, ())} - found
            return tuple(sorted(found))

    def leading_into(self, commit: str, scope: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Folders outside of a folder whose kustomizations lead into it by a path that goes up first, directly or
        through each other; and those of them that no other includes. Raises OSError."""
        with self._lock:
            self._move_to(commit)
            seen = [scope] if scope else []
            included: set[str] = set()
            for folder in seen:
                for place in self._leading(commit, folder):
                    if place != folder and not inside(place, scope):
                        included.add(folder)
                        seen += [] if place in seen else [place]
        found = tuple(seen[1:])
        return found, tuple(folder for folder in found if folder not in included)

    def _leading(self, commit: str, folder: str) -> list[str]:
        """Folders whose kustomizations name a folder, or anything in it, and are not around it."""
        named = {folder}
        for path in self._repository.files(commit, folder):
            place = path
            while place not in named:
                named.add(place)
                place = posixpath.dirname(place)
        found = {posixpath.dirname(file) for place in named for file in self._naming.get(place, ())}
        return sorted(place for place in found if not inside(folder, place))

    def _clear(self) -> None:
        self._commit = ""
        self._named: dict[str, tuple[str, ...]] = {}
        self._naming: dict[str, tuple[str, ...]] = {}

    def _move_to(self, commit: str) -> None:
        if commit == self._commit:
            return
        mine = self._repository.between(self._commit, commit, KUSTOMIZATIONS)
        try:
            for each in mine:
                self._forget(each.before_path)
            for path, data in self._contents(commit, mine):
                self._learn(path, data.decode("utf-8", "replace"))
        except OSError:
            self._clear()  # half an index is none
            raise
        self._commit = commit

    def _contents(self, commit: str, changes: Sequence[FileChange]) -> Iterator[tuple[str, bytes]]:
        there = [each for each in changes if each.after_path]
        plain = [each for each in there if each.plain]
        for start in range(0, len(plain), _AT_ONCE):
            some = plain[start : start + _AT_ONCE]
            contents = self._repository.blobs(each.after_blob for each in some)
            yield from ((each.after_path, contents[each.after_blob]) for each in some)
        others = ((each.after_path, self._repository.read(commit, each.after_path)) for each in there if not each.plain)
        yield from ((path, data) for path, data in others if data is not None)

    def _learn(self, path: str, text: str) -> None:
        folder = posixpath.dirname(path)
        named = tuple({place for word in _words(text) if (place := _place(folder, word)) is not None})
        self._named[path] = named
        for place in named:
            self._naming[place] = (*self._naming.get(place, ()), path)

    def _forget(self, path: str) -> None:
        for place in self._named.pop(path, ()):
            left = tuple(each for each in self._naming[place] if each != path)
            if left:
                self._naming[place] = left
            else:
                del self._naming[place]


def inclusions(repository: Repository) -> Inclusions:
    """The index of a repository: one for all who ask, for as long as the repository lives."""
    with _SHARED_LOCK:
        if (known := _SHARED.get(repository)) is None:
            known = _SHARED[repository] = Inclusions(repository)
        return known


_SHARED: weakref.WeakKeyDictionary[Repository, Inclusions] = weakref.WeakKeyDictionary()
_SHARED_LOCK = threading.Lock()


def _place(folder: str, word: str) -> str | None:
    """`join`, quickly for the usual spellings: the index is built from tens of thousands of words."""
    here = folder
    rest = word
    while rest.startswith("../") and here:
        here, rest = here.rpartition("/")[0], rest[3:]
    if rest[:1] in ("", ".", "/") or rest[-1:] in ("/", ".") or "/." in rest or "//" in rest or not rest.isprintable():
        return join(folder, word)
    return f"{here}/{rest}" if here else rest


def _words(text: str) -> set[str]:
    """What could be a path in a text: everything but keys."""
    words = {word for word in text.translate(_ENDS).split() if word[-1] != ":"}
    if "=" in text:
        words |= {word.partition("=")[2] for word in words if "=" in word}
    words.update(_PHRASE.findall(text))
    if '"' in text or "'" in text:
        words.update(_QUOTED.findall(text))
    return words - _NO_PATHS
