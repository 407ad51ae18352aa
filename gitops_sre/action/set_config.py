"""Give one setting of a workload another value, wherever the repository decides it."""

from __future__ import annotations

from gitops_sre.action.setting import WAS, Setting, drafted, looks_secret, overtaken
from gitops_sre.model.change import Draft
from gitops_sre.model.outcome import Refused
from gitops_sre.model.plan import ActionSpec, Parameter, Plan
from gitops_sre.ports import Locator

SPEC = ActionSpec(
    name="set_config",
    summary="Give one setting of one workload another value",
    parameters=(
        Parameter("key", "the setting's name, or the dotted path to it"),
        Parameter("value", "a value of 1 to 1024 printable characters", pattern=r"[^\x00-\x1f\x7f-\x9f]{1,1024}"),
        WAS,
    ),
    powers=("contents:write", "pull_requests:write"),
    reversible=True,
    inverse="restores the value that stood before, byte for byte",
    not_for=("secrets", "whole files that a ConfigMap holds", "settings that a program keeps in its database"),
)


def draft(plan: Plan, locator: Locator, commit: str) -> Draft | Refused:
    """The edit that gives the setting its value; nothing is written.

    Refused when it is, or looks like, a secret, when the place holds a value of another type or no longer the one that
    it was, and when nothing would change.
    """
    given = plan.parameters
    if problem := SPEC.problem(given) or looks_secret(given["key"], given["value"]):
        return Refused(problem)
    fields = locator.setting_fields(commit, plan.target, given["key"])
    if isinstance(fields, Refused):
        return fields
    if len(fields) != 1:
        names = ", ".join(str(field.path[-1]) for field in fields[:5])
        return Refused(f"{given['key']} is a flag's definition ({names}); use set_flag, or name one of them")
    setting = Setting.read(fields[0], given["key"])
    if isinstance(setting, Refused):
        return setting
    if why := overtaken(fields[0], given["key"], setting.now, given.get("was", "")):
        return Refused(why)
    edit = setting.edit(given["value"])
    return edit if isinstance(edit, Refused) else drafted(plan, locator, commit, (edit,))
