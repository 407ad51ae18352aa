"""What moves together: learned from how often the history changed values in one commit.

Values that were changed by the commit that is taken back come along when they name the same version, stand in the same
file, or have as a rule moved with it. What only happened to share a commit with it, say one bump of a whole group of
images, stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from gitops_sre.gitops.files import decoded
from gitops_sre.gitops.lookback import Looker
from gitops_sre.model.change import Draft, FieldEdit, Left
from gitops_sre.model.change_feed import FileChange
from gitops_sre.model.image import Image
from gitops_sre.ports import Repository
from gitops_sre.yamltext import Place, YamlTextError, leaves

BUMPS = 20
"""Earlier changes of the fields that are counted."""
FEWEST = 4
"""Changes below which a share says nothing."""
SELDOM = 0.25
"""Share of the changes below which a value is not taken for coupled."""


@dataclass(frozen=True)
class Together:
    """How often a value changed in the commits that changed the fields."""

    times: int
    of: int

    def __str__(self) -> str:
        return f"changed together with it in {self.times} of {self.of} changes"

    @property
    def seldom(self) -> bool:
        """Whether the history says that it goes its own way."""
        return self.of >= FEWEST and self.times < SELDOM * self.of


def told(repository: Repository, looker: Looker, draft: Draft, newest: str) -> Draft:
    """The draft with its coupled edits marked and explained; those that go their own way are left and named.

    `looker` follows the fields that were asked for; `newest` is the last commit that changed them. Raises OSError when
    the repository cannot be read.
    """
    own = {(field.file, field.document, field.path) for field in looker.fields}
    others = [each for each in draft.edits if (each.file, each.document, each.path) not in own]
    if not others:
        return draft
    mine = [each for each in draft.edits if each not in others]
    counted = _counted(repository, looker, others)
    edits: list[FieldEdit] = []
    left: list[Left] = []
    for each in draft.edits:
        together = counted.get((each.file, each.document, each.path))
        if together is None:
            edits.append(each)
        elif together.seldom and not _follows(each, mine):
            reason = f"{newest[:12]} changed it too, but it goes its own way ({together})"
            left.append(Left(each.file, each.document, each.path, reason))
        else:
            edits.append(replace(each, part="coupled", reason=f"{each.reason}; {together}"))
    return replace(draft, edits=tuple(edits), left=(*draft.left, *left))


def _follows(edit: FieldEdit, mine: Sequence[FieldEdit]) -> bool:
    """Whether an edit is plainly of the same move: in the same file, or from and to the same version."""
    return any(edit.file == each.file or _versions(edit) & _versions(each) for each in mine)


def _versions(edit: FieldEdit) -> set[tuple[str, str]]:
    before, after = Image.read(edit.before or ""), Image.read(edit.after or "")
    pairs = {(edit.before or "", edit.after or ""), (before.tag, after.tag), (before.digest, after.digest)}
    return {(one.removeprefix("v"), two.removeprefix("v")) for one, two in pairs if one != two and two}


def _counted(
    repository: Repository, looker: Looker, others: Sequence[FieldEdit]
) -> dict[tuple[str, int, tuple[str | int, ...]], Together]:
    """Counts by place, over the newest commits that changed any of the fields; places are taken to stand still."""
    times = {(each.file, each.document, each.path): 0 for each in others}
    bumps = 0
    try:
        for change in islice(looker.changes(), BUMPS):
            if not any(change.before):  # it was set first: nothing was changed
                break
            bumps += 1
            for place in _changed(repository, change.revision.commit.sha, {file for file, _, _ in times}):
                if place in times:
                    times[place] += 1
    except YamlTextError:
        pass  # what came before cannot be read: what was counted until then is what is known
    return {place: Together(count, bumps) for place, count in times.items()}


def _changed(repository: Repository, sha: str, files: set[str]) -> set[tuple[str, int, tuple[str | int, ...]]]:
    changes = [
        c for c in repository.changed(sha) if c.after_path in files and c.plain and c.before_blob and c.after_blob
    ]
    blobs = repository.blobs({blob for change in changes for blob in (change.before_blob, change.after_blob)})
    return {(c.after_path, *place) for c in changes for place in _differing(c, blobs)}


def _differing(change: FileChange, blobs: Mapping[str, bytes]) -> set[Place]:
    before = leaves(decoded(change.before_path, blobs[change.before_blob]))
    after = leaves(decoded(change.after_path, blobs[change.after_blob]))
    return {place for place, text in after.items() if before.get(place) != text}
