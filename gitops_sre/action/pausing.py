"""What can be paused in Git, and by which field: shared by suspend and resume."""

from __future__ import annotations

from gitops_sre.action import fields
from gitops_sre.action.fields import Found
from gitops_sre.model.change import Field
from gitops_sre.model.plan import Parameter, Plan
from gitops_sre.model.target import ObjectField
from gitops_sre.ports import Locator

SUSPENDED = ("CronJob", "Kustomization", "HelmRelease", "ImageUpdateAutomation", "ImageRepository")
"""Kinds with a field `spec.suspend`."""
AUTOMATED = ("spec", "syncPolicy", "automated")
"""Argo CD syncs an Application by itself while this stands; `enabled` in it is known since Argo CD 3.1 only."""
PAUSED = ("metadata", "annotations", "autoscaling.keda.sh/paused")

WHAT = Parameter(
    "what",
    "Kind/name or Kind/namespace/name of a CronJob, Kustomization, HelmRelease, ImageUpdateAutomation,"
    " ImageRepository, Application or ScaledObject (this one by the workload that it scales)",
    pattern=rf"(?:{'|'.join(SUSPENDED)}|Application|ScaledObject)(?:/[a-z0-9](?:[a-z0-9.-]{{0,251}}[a-z0-9])?){{1,2}}",
)


def address(what: str, *path: str) -> ObjectField:
    """A field of the object that the parameter `what` names."""
    kind, *rest = what.split("/")
    return ObjectField(kind, rest[0] if len(rest) > 1 else "", rest[-1], path)


def find(plan: Plan, locator: Locator, commit: str, *path: str) -> Found:
    """The owners of a field of what is to be paused or resumed."""
    return locator.object_fields(commit, plan.target, address(plan.parameters["what"], *path))


def missing(plan: Plan) -> str:
    """What to say when the source does not make the object."""
    what, where = plan.parameters["what"], plan.target.source.path or "the repository's root"
    return f"no place in {where} makes {what}; name the folder where it is declared"


def is_on(found: tuple[Field, ...]) -> bool:
    """Whether a switch stands at true."""
    return fields.current(found).lower() == "true"
