"""A locator that knows the answers, and plans for it."""

from __future__ import annotations

from dataclasses import dataclass, field

from gitops_sre.action import ACTIONS
from gitops_sre.gitops.locate import GitOpsLocator
from gitops_sre.model.change import Draft, Field, FieldEdit
from gitops_sre.model.outcome import Refused
from gitops_sre.model.plan import Plan, VerificationPlan
from gitops_sre.model.target import ObjectField, Source, Target, WorkloadRef

COMMIT = "c" * 40
Answers = dict[tuple[str, str], tuple[Field, ...] | Refused]
"""The owners by kind and dotted path of a field; what is not named has none."""


@dataclass
class Located(GitOpsLocator):
    """Answers for the fields of objects, and remembers what it was asked."""

    answers: Answers
    asked: list[ObjectField] = field(default_factory=list)

    def object_fields(self, commit: str, target: Target, at: ObjectField) -> tuple[Field, ...] | Refused:
        """The answer for a kind and path."""
        assert commit == COMMIT
        self.asked.append(at)
        return self.answers.get((at.kind, ".".join(at.path)), ())


def value(text: str, *path: str | int, file: str = "f.yaml", raw: str = "") -> Field:
    """A field that is set."""
    return Field(file, 0, path or ("x",), "value", text, raw or text, "the only place")


def unset(*path: str | int, file: str = "f.yaml") -> Field:
    """A field that would be inserted."""
    return Field(file, 0, path or ("x",), "value", "", "", "the only place", present=False)


def draft(action: str, answers: Answers, kind: str = "Deployment", **parameters: str) -> Draft | Refused:
    """What an action makes of a plan for the workload production/web."""
    source = Source("", "apps/web")
    target = Target("web", "production", "standard", WorkloadRef(kind, "production", "web"), "argocd/web", source)
    plan = Plan(action, target, parameters, "", "", 1.0, "", VerificationPlan((), 0, 0, 0))
    return ACTIONS[action].draft(plan, Located(answers), COMMIT)


def reason(answer: Draft | Refused) -> str:
    """Why it was refused."""
    assert isinstance(answer, Refused), answer
    return answer.reason


def changes(answer: Draft | Refused) -> list[tuple[str | None, str | None]]:
    """Before and after of each edit."""
    return [(edit.before, edit.after) for edit in edits(answer)]


def edits(answer: Draft | Refused) -> tuple[FieldEdit, ...]:
    """The edits of a draft."""
    assert isinstance(answer, Draft), answer
    return answer.edits
