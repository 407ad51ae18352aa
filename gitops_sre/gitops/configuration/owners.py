"""Which of a build's places decides a setting of one workload, and what else has a say in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from gitops_sre.gitops.configuration.build import Build
from gitops_sre.gitops.configuration.entries import RELEASES, Entry, Names, Object, unhashed
from gitops_sre.model.change import Field
from gitops_sre.model.target import Target
from gitops_sre.yamltext import Path, YamlTextError

Name = tuple[Object, Names]
_Place = tuple[str, int, Path]

_RELEASE_NAME = re.compile(r"\{\{-?\s*\.Release\.Name\s*-?\}\}")
_FREE = ("", "FeatureFlag", "FeatureFlagConfiguration", "Kustomization")
"""Kinds that no workload names as its own."""
_DEFINES = ("state", "defaultVariant")
"""What tells a flag's definition from a flag that is just a value; see flagd's JSON schema."""
_UNTIL = {
    "environment": "; running pods keep the old value until they restart",
    "key": "; running pods keep the old value until they restart",
    "files": "; programs that do not watch the file keep the old value until they restart",
}


class Owners:
    """A build as one workload sees it; without a workload every object counts."""

    def __init__(self, build: Build, target: Target) -> None:
        self._build = build
        self._users = _users(build, target)
        self._releases = frozenset(each for each in build.consumers if each[0] in RELEASES)
        self._known = bool(target.workload.name)
        self._uses = [use for use in build.uses if not self._users or use.user in self._users]
        self._decided = _decided((*self._handed(), *build.entries))

    @property
    def holds_workload(self) -> bool:
        """Whether the workload, or the release that makes it, stands in this build."""
        return bool(self._users)

    def of(self, key: str) -> list[tuple[Field, ...]]:
        """The strongest places of a setting: one, none, or several that cannot be told apart.

        The fields of one flag's definition belong together. Raises YamlTextError when a place must not or cannot be
        edited.
        """
        grouped: dict[tuple[Name, _Place | None], dict[_Place, Field]] = {}
        for entry, group in self._resolved(self._preferred(self._matching(key))):
            self._refuse(entry)
            place = (entry.field.file, entry.field.document, entry.field.path)
            alone = None if group[1] != entry.names else place
            shown = replace(entry.field, reason=entry.field.reason + self._shared(entry) + self._until_restart(entry))
            grouped.setdefault((group, alone), {})[place] = shown
        return list({tuple(fields): tuple(fields.values()) for fields in grouped.values()}.values())

    def _matching(self, key: str) -> list[tuple[Entry, Name]]:
        """Entries that a key names wholly, else those whose names end so; each with the flag that it is part of."""
        found: dict[int, list[tuple[Entry, Name]]] = {0: [], 1: []}
        for (about, names), held in self._decided.items():
            if not self._counts(about, names):
                continue
            flag = _flag(about, names, self._decided)
            if flag and _ends((*flag[0], *flag[1]), key):
                found[0] += [(entry, flag) for entry in held]
            elif _whole(about, names, key):
                found[0] += [(entry, (about, names)) for entry in held]
            elif _ends((about[1], *names), key):
                found[1] += [(entry, (about, names)) for entry in held]
        return found[0] or found[1]

    def _resolved(self, found: Iterable[tuple[Entry, Name]]) -> Iterator[tuple[Entry, Name]]:
        """Variables that are read from elsewhere, followed to where they are set."""
        for entry, group in found:
            if entry.reference is None:
                yield entry, group
                continue
            (kind, name), key = entry.reference
            if kind == "Secret":
                said = f"{entry.names[-1]} is read from Secret {name}, and secrets are never edited; change it by hand"
                raise YamlTextError(f"{entry.field.file}: {said}")
            held = [each for about, names in self._decided if names == (key,) and _same((kind, name), about)
                    for each in self._decided[about, names]]  # fmt: skip
            if not held:
                said = f"{entry.names[-1]} is read from {kind} {name}, key {key}, which is set elsewhere; look there"
                raise YamlTextError(f"{entry.field.file}: {said}")
            yield from ((each, (each.object, each.names)) for each in held)

    def _preferred(self, found: Iterable[tuple[Entry, Name]]) -> list[tuple[Entry, Name]]:
        """Without ConfigMap keys that a container's own variable beats; Kubernetes: `env` over `envFrom`."""
        all_found = list(found)
        own = {entry.names[0] for entry, _ in all_found if entry.object in self._build.consumers - self._releases}
        return [each for each in all_found if not self._beaten(each[0], own)]

    def _beaten(self, entry: Entry, containers: set[str]) -> bool:
        keys = {entry.names[0], ""}
        uses = [use for use in self._uses if _same(use.used, entry.object) and use.key in keys]
        return bool(uses) and all(use.how == "environment" and use.container in containers for use in uses)

    def _counts(self, about: Object, names: Names) -> bool:
        """Whether an object is the workload's own, or one that it reads."""
        if not self._known or about in self._users or about[0] in _FREE:
            return True
        if about[0] not in ("ConfigMap", "Secret"):
            return False
        mine = [use for use in self._uses if _same(use.used, about) and use.how != "values"]
        if not self._users:
            return not mine  # nothing of the workload stands here: what another one reads is not meant
        if mine:
            return any(use.how != "key" or use.key == names[0] for use in mine)
        return about[1] in self._named_by_releases

    @cached_property
    def _named_by_releases(self) -> set[str]:
        """Values of the workload's release: one may be the name of a ConfigMap that the chart mounts, also as charts of
        charts write it (`{{ .Release.Name }}-config`)."""
        return {
            _RELEASE_NAME.sub(entry.object[1], entry.field.value)
            for entry in self._build.entries
            if entry.object in self._users & self._releases
        }

    def _handed(self) -> Iterator[Entry]:
        """What releases take from ConfigMaps (`valuesFrom`), beneath their own values; the last one counts most."""
        for rank, use in enumerate(each for each in self._uses if each.how == "values"):
            for entry in self._build.entries:
                if _same(use.used, entry.object) and entry.names[0] == use.key and (entry.names[1:] or use.target):
                    names = tuple(use.target.split(".")) if use.target else entry.names[1:]
                    yield replace(entry, object=use.user, names=names, rank=rank - 1_000)

    def _refuse(self, entry: Entry) -> None:
        """Raise YamlTextError where an entry must not be edited, or something hides it."""
        if entry.refusal:
            raise YamlTextError(entry.refusal)
        for each in self._build.replaced:
            same = each.kind in ("", entry.object[0]) and each.name in ("", entry.object[1])
            if same and re.search(rf"(?<![\w-]){re.escape(entry.names[-1])}(?![\w-])", each.path):
                raise YamlTextError(f"{each.file}: `replacements` fill in {each.path}; edit what they copy")
        if entry.object in self._build.consumers - self._releases:
            why = next((why for about, why in self._build.unclear if about == entry.object), "")
            if why:
                raise YamlTextError(f"{why}, which may be {entry.names[-1]}; edit it by hand")

    def _shared(self, entry: Entry) -> str:
        """Who else reads it."""
        readers = (use.user for use in self._build.uses if _same(use.used, entry.object))
        others = [f"{kind} {name}" for kind, name in dict.fromkeys(readers) if (kind, name) not in self._users]
        return f"; also read by {', '.join(others[:5])}" if self._users and others else ""

    def _until_restart(self, entry: Entry) -> str:
        """What running pods do after the edit, where nothing restarts them."""
        if entry.object[0] != "ConfigMap" or entry.object in self._build.hashed or "flags" in entry.names:
            return ""
        hows = {use.how for use in self._uses if _same(use.used, entry.object)}
        if hows == {"values"}:
            return ""
        return next((said for how, said in _UNTIL.items() if how in hows), _UNTIL["files"])


def _users(build: Build, target: Target) -> frozenset[Object]:
    """The workload as the build has it, or the release that makes it."""
    kind, name = target.workload.kind, target.workload.name
    if not name:
        return frozenset()
    mine = frozenset(each for each in build.consumers if each[1] == name and kind in ("", each[0]))
    releases = frozenset(each for each in build.consumers if each[0] in RELEASES)
    near = [each for each in releases if _makes(each[1], target)]
    nearest = frozenset(each for each in near if len(each[1]) == max(len(name) for _, name in near))
    return mine or nearest or (releases if len(releases) == 1 else frozenset())


def _makes(release: str, target: Target) -> bool:
    name = target.workload.name
    return release in (name, target.service) or (bool(release) and name.startswith(f"{release}-"))


def _decided(entries: Iterable[Entry]) -> Mapping[Name, Sequence[Entry]]:
    """By object and name, the entries of the highest rank."""
    found: dict[Name, list[Entry]] = {}
    for entry in entries:
        held = found.setdefault((entry.object, entry.names), [])
        if not held or entry.rank > held[0].rank:
            held[:] = [entry]
        elif entry.rank == held[0].rank:
            held.append(entry)
    return found


def _same(used: Object, about: Object) -> bool:
    """Whether a name in use is that of an object, or that of its generated copy."""
    return used == about or (used[0] == about[0] and unhashed(used[1]) == about[1])


def _flag(about: Object, names: Names, decided: Mapping[Name, object]) -> Name | None:
    """The flag whose definition a name is part of."""
    for at, part in enumerate(names[:-2]):
        flag = names[: at + 2]
        if part == "flags" and any((about, (*flag, word)) in decided for word in _DEFINES):
            return about, flag
    return None


def _whole(about: Object, names: Names, key: str) -> bool:
    """Whether a key is a whole name: from the root, of a file in a ConfigMap, of a container, or of a plain flag."""
    short = about[0] not in RELEASES and ".".join(names[1:]) == key
    return ".".join(names) == key or short or (len(names) > 1 and names[-2:] == ("flags", key))


def _ends(names: Names, key: str) -> bool:
    return any(".".join(names[at:]) == key for at in range(len(names)))
