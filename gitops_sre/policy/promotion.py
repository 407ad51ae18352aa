"""What a promotion would change in the policies, as text for a person to apply. The bot never writes policy.

An entry of the ladder for just this action and tier gets another level. One that says more is divided: what else it
opens stays as it is, written out. The result is read again and compared with what was, so that a patch opens one level
for one action in one tier, or is not offered.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import yaml

from gitops_sre.model.change import FileEdit
from gitops_sre.model.verdict import Level
from gitops_sre.policy.autonomy import Ladder, general
from gitops_sre.policy.documents import Policies, PolicyError, read
from gitops_sre.policy.experience import Key
from gitops_sre.policy.schema import LadderEntry
from gitops_sre.ports import Tree

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_WORDS = frozenset({"true", "false", "null"})


@dataclass(frozen=True)
class _Raise:
    """One action in one tier, from one level to the next; `actions` and `tiers` are all that there are."""

    action: str
    tier: str
    level: Level
    actions: Sequence[str]
    tiers: Sequence[str]

    def divided(self, entry: LadderEntry) -> Iterator[LadderEntry]:
        """What an entry says, with the level raised for this action and tier alone."""
        up = Level(self.level + 1).name
        yield entry.model_copy(update={"action": self.action, "tier": self.tier, "level": up})
        for tier in self.tiers:
            if tier != self.tier and fnmatchcase(tier, entry.tier):
                yield entry.model_copy(update={"action": self.action, "tier": tier})
        for action in self.actions:
            if action != self.action and fnmatchcase(action, entry.action):
                yield entry.model_copy(update={"action": action})

    def means(self, entry: LadderEntry) -> bool:
        """Whether an entry is to be raised."""
        return (
            entry.service == "*"
            and Level[entry.level] is self.level
            and fnmatchcase(self.action, entry.action)
            and fnmatchcase(self.tier, entry.tier)
        )


def patch(repository: Tree, policies: Policies, path: str, key: Key, known: Sequence[Key]) -> tuple[FileEdit, ...]:
    """The files that a promotion of an action in a tier by one level changes; none where that cannot be written safely.

    `known` are all actions in all tiers. Raises OSError when the repository cannot answer.
    """
    levels = [Level[entry.level] for entry in general(policies.ladder, *key)]
    if not levels or min(levels) in (Level.L1, Level.L4):
        return ()
    actions = tuple(dict.fromkeys(action for action, _ in known))
    step = _Raise(*key, min(levels), actions, tuple(dict.fromkeys(tier for _, tier in known)))
    files = dict.fromkeys(placed.place.rsplit(":", 2)[0] for placed in policies.ladder)
    edits = []
    for file in files:
        before = (repository.read(policies.commit, file) or b"").decode()
        after = _rewritten(before, step)
        if after != before:
            edits.append(FileEdit(file, before, after))
    after_all = _read_again(repository, policies, path, edits)
    return tuple(edits) if after_all is not None and _only(step, policies.ladder, after_all.ladder, known) else ()


def _rewritten(text: str, step: _Raise) -> str:
    """A file with its entries raised, from the last one back so that places stay true."""
    for start, end, flow, entry, level in reversed(list(_entries(text))):
        if not step.means(entry):
            continue
        if (entry.action, entry.tier) == (step.action, step.tier):
            text = text[: level.start] + Level(step.level + 1).name + text[level.stop :]
            continue
        line = text.rfind("\n", 0, start) + 1
        between = ", " if flow else "\n" + text[line:start].replace("\t", " ")
        text = text[:start] + between.join(_written(each) for each in step.divided(entry)) + text[end:]
    return text


def _entries(text: str) -> Iterator[tuple[int, int, bool, LadderEntry, slice]]:
    """Each entry of the ladders in a file: from where to where, whether its list is in flow style, what it says, and
    where its level stands."""
    for root in yaml.compose_all(text, Loader=yaml.SafeLoader):
        levels = _at(root, "spec", "levels")
        if _value(_at(root, "kind")) == "AutonomyLadder" and isinstance(levels, yaml.SequenceNode):
            for item in levels.value:
                pairs = {str(key.value): value for key, value in item.value}
                entry = LadderEntry.model_validate({name: value.value for name, value in pairs.items()})
                # A block mapping's own end mark lies behind the comments that follow it.
                last = item if item.flow_style else item.value[-1][1]
                level = slice(pairs["level"].start_mark.index, pairs["level"].end_mark.index)
                yield item.start_mark.index, last.end_mark.index, bool(levels.flow_style), entry, level


def _at(node: yaml.Node | None, *keys: str) -> yaml.Node | None:
    for key in keys:
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        node = next((value for name, value in pairs if name.value == key), None)
    return node


def _value(node: yaml.Node | None) -> object:
    return node.value if isinstance(node, yaml.ScalarNode) else None


def _written(entry: LadderEntry) -> str:
    said = entry.model_dump(exclude_defaults=True)
    return "{" + ", ".join(f"{name}: {_scalar(str(value))}" for name, value in said.items()) + "}"


def _scalar(text: str) -> str:
    plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS
    return text if plain else "'" + text.replace("'", "''") + "'"


@dataclass(frozen=True)
class _Patched:
    """A tree with some files as they would be."""

    tree: Tree
    edits: Sequence[FileEdit]

    def files(self, commit: str, under: str = "") -> tuple[str, ...]:
        """As ports.Tree."""
        return self.tree.files(commit, under)

    def read(self, commit: str, path: str) -> bytes | None:
        """As ports.Tree."""
        edited = next((edit.after.encode() for edit in self.edits if edit.path == path), None)
        return self.tree.read(commit, path) if edited is None else edited


def _read_again(repository: Tree, policies: Policies, path: str, edits: Sequence[FileEdit]) -> Policies | None:
    try:
        return read(_Patched(repository, edits), policies.commit, path)
    except PolicyError:
        return None


def _only(step: _Raise, before: Ladder, after: Ladder, known: Sequence[Key]) -> bool:
    """Whether exactly one level of one action in one tier has changed, in whatever environment and for any service."""
    environments = {placed.entry.environment for placed in before} | {"another"}
    services = {placed.entry.service for placed in before} | {"another"}
    raised = False
    for action, tier in dict.fromkeys((*known, (step.action, step.tier))):
        for environment in environments:
            for service in services:
                asked = (action, environment, tier, service)
                one, two = _level(before, asked), _level(after, asked)
                if one == two:
                    continue
                if (action, tier) != (step.action, step.tier) or (one, two) != (step.level, step.level + 1):
                    return False
                raised = True
    return raised


def _level(ladder: Ladder, asked: tuple[str, str, str, str]) -> Level:
    """As the gate reads it, for names that may be globs themselves: those stand for something that they match."""
    action, environment, tier, service = asked
    return min(
        (
            Level[each.level]
            for each in (placed.entry for placed in ladder)
            if fnmatchcase(action, each.action)
            and fnmatchcase(environment, each.environment)
            and fnmatchcase(tier, each.tier)
            and fnmatchcase(service, each.service)
        ),
        default=Level.L1,
    )
