"""Kargo: a promotion writes the files of its stage; with auto-promotion the next freight does so unasked.

Source: Kargo, "Working with Projects" (promotion policies), "Promotion templates", and the promotion steps
`yaml-update`, `json-update`, `kustomize-set-image`, `helm-update-chart`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase

from gitops_sre.gitops.fights.applications import covers, of_template
from gitops_sre.gitops.fights.patterns import path_fits, search
from gitops_sre.gitops.fights.scan import Fight, Object, Scan, is_version
from gitops_sre.model.change import FieldEdit
from gitops_sre.yamltext import Path

_GROUP = "kargo.akuity.io"
_WRITES = ("yaml-update", "yaml-merge", "json-update", "kustomize-set-image", "helm-update-chart", "helm-update-image")
_EXPRESSION = re.compile("\\$(?:\\{\\{|\u2983\u2983).*?(?:\\}\\}|\u2984\u2984)")
_STAGE = re.compile("\\$(?:\\{\\{|\u2983\u2983)\\s*ctx\\.stage\\s*(?:\\}\\}|\u2984\u2984)")
_AUTHORIZED = "kargo.akuity.io/authorized-stage"


def detect(scan: Scan) -> Iterator[Fight]:
    """A fight for each stage whose promotions write an edited file."""
    edits = [edit for edit in scan.edits if is_version(edit)]
    if not edits:
        return
    found = list(scan.objects(_GROUP, "Stage", "Project", "ProjectConfig", "Application", "ApplicationSet"))
    named = dict.fromkeys(name for each in found if (name := _authorized(scan, each)))
    for stage in (each for each in found if each.kind == "Stage" and _GROUP in each.value("apiVersion")):
        key = f"{stage.namespace}:{stage.name}"
        written = next((edit for edit in edits if _writes(scan, stage, edit.file)), None)
        if written is not None or key in named:
            named.pop(key, None)
            yield _fight(scan, stage.namespace, stage.name, stage, written or edits[0], found)
    for key in named:
        project, _, name = key.partition(":")
        yield _fight(scan, project, name, None, edits[0], found)


def _authorized(scan: Scan, each: Object) -> str:
    """The stage (`project:name`) that may write the target's Application."""
    if each.kind not in ("Application", "ApplicationSet") or not covers(scan, each):
        return ""
    stage = each.value(*of_template(each), "metadata", "annotations", _AUTHORIZED)
    return "" if _EXPRESSION.search(f"${stage}") else stage


def _writes(scan: Scan, stage: Object, file: str) -> bool:
    """Whether a promotion commits a change of a file: what it changes elsewhere, to render from, is not pushed."""
    steps = list(_steps(scan, stage, ("spec", "promotionTemplate", "spec", "steps")))
    for commit in (path for uses, path in steps if uses == "git-commit"):
        for path in (path for uses, path in steps if uses in _WRITES and f"{path}/".startswith(f"{commit}/")):
            if _same_file(path[len(commit) :].strip("/"), stage.name, file):
                return True
    return False


def _steps(scan: Scan, owner: Object, at: Path) -> Iterator[tuple[str, str]]:
    """(step, path it works on) of a template, with the tasks that it uses written out."""
    for number in owner.items(*at):
        if task := owner.value(*at, number, "task", "name"):
            kind = owner.value(*at, number, "task", "kind") or "PromotionTask"
            for each in scan.objects(kind, kind):
                if each.name == task and (kind == "ClusterPromotionTask" or each.namespace in ("", owner.namespace)):
                    yield from _steps(scan, each, ("spec", "steps"))
        path = owner.value(*at, number, "config", "path")
        yield owner.value(*at, number, "uses"), path.removeprefix("./").rstrip("/")


def _same_file(path: str, stage: str, file: str) -> bool:
    """Whether a path in the checked-out repository is a file or its folder; expressions but the stage's name stand for
    anything."""
    named = _STAGE.sub(stage, path)
    return any(path_fits(_EXPRESSION.split(named), place) for place in (file, file.rpartition("/")[0]))


def _fight(
    scan: Scan, project: str, stage: str, declared: Object | None, edit: FieldEdit, found: list[Object]
) -> Fight:  # fmt: skip
    place = declared or Object(edit.file, edit.document, {})
    where = f"Kargo stage {project}:{stage}"
    policy = next((p for each in found if (p := _policy(each, project, stage))), None)
    if policy is None:
        return Fight("kargo", place.file, place.number, (), place.line,
                     f"{where} writes {edit.file} when it is promoted",
                     f"hold promotions of {stage} until a good version is out", "proposes")  # fmt: skip
    owner, path, exact = policy
    reason = f"auto-promotion of {where} is off until the pin is taken off"
    pins = scan.pin(owner, path, "false", reason, flag=True) if exact else ()
    wide = "" if exact else ", by hand: the policy is for several stages"
    return Fight("kargo", owner.file, owner.number, path, owner.document[path].line,
                 f"{where} is promoted automatically and writes {edit.file} with the next freight",
                 f"switch auto-promotion of {stage} off in {owner.file}{wide}",
                 pins=pins)  # fmt: skip


def _policy(owner: Object, project: str, stage: str) -> tuple[Object, Path, bool] | None:
    """The policy by which a stage is promoted automatically, and whether it is for that stage alone."""
    if owner.kind not in ("Project", "ProjectConfig") or (project and owner.name != project):
        return None
    for at in owner.items("spec", "promotionPolicies"):
        path: Path = ("spec", "promotionPolicies", at)
        if owner.value(*path, "autoPromotionEnabled") != "true":
            continue
        name = owner.value(*path, "stage") or owner.value(*path, "stageSelector", "name")
        labels = any("match" in str(part) for below in owner.within(*path, "stageSelector") for part in below[:1])
        if name == stage and not labels:
            return owner, (*path, "autoPromotionEnabled"), True
        if labels or _selects(name, stage):
            return owner, (*path, "autoPromotionEnabled"), False
    return None


def _selects(pattern: str, stage: str) -> bool:
    kind, _, text = pattern.partition(":")
    if kind in ("regex", "regexp"):
        try:
            return search(text, stage) is not None
        except ValueError:
            return True
    return kind == "glob" and fnmatchcase(stage, text)
