"""A locator that knows where one setting stands: for the tests of what an action writes there."""

from __future__ import annotations

from collections.abc import Sequence

from gitops_sre.action import ACTIONS
from gitops_sre.gitops.locate import GitOpsLocator
from gitops_sre.model.change import Draft, Field
from gitops_sre.model.outcome import Refused
from gitops_sre.model.plan import Plan, VerificationPlan
from gitops_sre.model.target import ObjectField, Source, Target, WorkloadRef

COMMIT = "c" * 40
TARGET = Target(
    "web", "production", "standard", WorkloadRef("Deployment", "production", "web"), "argocd/web", Source("", "m")
)


class Located(GitOpsLocator):
    """Answers for settings, and for the pod template's annotations."""

    def __init__(self, fields: Sequence[Field] | Refused, template: Sequence[Field] | Refused = ()) -> None:
        self._fields, self._template = fields, template
        self.asked: list[str] = []

    def setting_fields(self, commit: str, target: Target, key: str) -> tuple[Field, ...] | Refused:
        assert (commit, target) == (COMMIT, TARGET)
        self.asked.append(key)
        return self._fields if isinstance(self._fields, Refused) else tuple(self._fields)

    def object_fields(self, commit: str, target: Target, at: ObjectField) -> tuple[Field, ...] | Refused:
        self.asked.append(str(at))
        return self._template if isinstance(self._template, Refused) else tuple(self._template)


def at(*path: str | int, value: str, raw: str = "", file: str = "f.yaml", reason: str = "the only place") -> Field:
    return Field(file, 0, path, "value", value, raw or value, reason)


def draft(action: str, located: Located, **parameters: str) -> Draft | Refused:
    plan = Plan(action, TARGET, parameters, "", "", 1.0, "", VerificationPlan((), 0, 0, 0))
    return ACTIONS[action].draft(plan, located, COMMIT)
