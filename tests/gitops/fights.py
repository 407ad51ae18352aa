"""Infra repositories that fight back, and the questions that the tests of the guard ask of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gitops_sre import yamltext
from gitops_sre.gitops import edit, fights
from gitops_sre.gitops.fights import Fight
from gitops_sre.gitops.files import AtCommit
from gitops_sre.model.change import Change, Draft, FieldEdit
from gitops_sre.model.outcome import Outcome, Refused
from gitops_sre.model.target import Target
from tests.gitops.infra import Infra, target

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Ring:
    """One commit of a repository and the target in it."""

    world: Infra
    commit: str
    target: Target

    @property
    def files(self) -> AtCommit:
        """The files at the commit."""
        return AtCommit(self.world.repository, self.commit)

    def edit(self, file: str, path: Path, after: str, document: int = 0) -> FieldEdit:
        """An edit of what stands there."""
        now = yamltext.locate(self.files.text(file) or "", document, path)
        return FieldEdit(file, document, path, now.value, after, now.raw, yamltext.quoted_like(now.raw, after))

    def found(self, *edits: FieldEdit) -> list[Fight]:
        """The fights that edits are up against."""
        return list(fights.found(self.files, self.target, edits))

    def guard(self, *edits: FieldEdit) -> Draft | Refused:
        """The guarded draft."""
        return fights.guard(self.files, self.target, Draft(edits))

    def unopposed(self, *edits: FieldEdit) -> Outcome:
        """What the proof says of the edits."""
        return fights.unopposed(self.files, self.target, edits)

    def pinned(self, *edits: FieldEdit) -> tuple[Draft, dict[str, str]]:
        """The guarded draft and the files with it applied. The follow-ups restore every byte of the pinned files, and
        without its pins the change would not stand."""
        draft = self.guard(*edits)
        assert isinstance(draft, Draft), draft
        made = edit.apply(self.world.repository, self.commit, draft.edits, "")
        assert isinstance(made, Change), made
        files = {file.path: file.after for file in made.files}
        after = self.world.commit(files)
        back = edit.apply(self.world.repository, after, draft.follow_ups, "")
        assert isinstance(back, Change), back
        pins = {each.file for each in draft.edits if each.part == "pin"}
        before = {file.path: file.before for file in made.files}
        assert {file.path: file.after for file in back.files if file.path in pins} == {p: before[p] for p in pins}
        if pins:
            assert isinstance(self.unopposed(*edits), Refused)
        assert not isinstance(self.unopposed(*draft.edits), Refused)
        return draft, files

    def refused(self, *edits: FieldEdit) -> str:
        """Why edits are refused."""
        answer = self.guard(*edits)
        assert isinstance(answer, Refused), answer
        assert self.unopposed(*edits) == answer
        return answer.reason


def ring(world: Infra, files: dict[str, str], path: str, application: str = "", name: str = "web") -> Ring:
    """Commit files; the target's manifests come from `path`."""
    commit = world.commit(files)
    aim = target(path, name=name)
    return Ring(world, commit, replace(aim, application=application or aim.application))
