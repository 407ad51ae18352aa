"""Which Application or ApplicationSet in the repository applies the target, and what it hides or sets by itself.

Source: Argo CD, "Diff customization" (`ignoreDifferences`, `RespectIgnoreDifferences`), "ApplicationSet
specification" and "Git generator".
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase

from gitops_sre.gitops.argocd.applications import applications
from gitops_sre.gitops.argocd.images import in_scope
from gitops_sre.gitops.argocd.troubles import troubles
from gitops_sre.gitops.fights.patterns import path_fits, without_calls
from gitops_sre.gitops.fights.rendered import Touched, touched
from gitops_sre.gitops.fights.scan import Fight, Object, Scan, image_of, is_version, same_image
from gitops_sre.model.change import FieldEdit
from gitops_sre.model.image import Image
from gitops_sre.yamltext import Path

_TEMPLATE = re.compile("(?:\\{\\{|\u2983\u2983).*?(?:\\}\\}|\u2984\u2984)")
_NAMED = re.compile(r'\.name\s*==\s*"([^"]+)"')
_STEP = re.compile(r'\.?"([^"]+)"|\[\s*"([^"]+)"\s*\]|\[(\d*)\]|\.?([A-Za-z0-9_-]+)')


def of_template(application: Object) -> Path:
    """Where the Application's own fields begin: an ApplicationSet holds them in a template."""
    return ("spec", "template") if application.kind == "ApplicationSet" else ()


def covers(scan: Scan, application: Object) -> bool:
    """Whether an Application applies the target, or an ApplicationSet makes one that does: by its name, or by the
    path that it takes manifests from."""
    wanted = scan.target.application.rpartition("/")[2]
    if application.kind == "Application" and wanted and application.name == wanted:
        return True
    return any(_path_fits(application, path, scan.target.source.path) for path in _source_paths(application))


def applied_by(scan: Scan) -> frozenset[str]:
    """The names of the Applications that apply the target, as far as the target or the repository says them."""
    if wanted := scan.target.application.rpartition("/")[2]:
        return frozenset({wanted})
    return frozenset(each.name for each in scan.objects("kind: Application", "Application") if covers(scan, each))


def detect(scan: Scan) -> Iterator[Fight]:
    """Fights with what the Application hides, and with what the ApplicationSet sets over the files."""
    if not scan.edits:
        return
    for each in scan.objects("ignoreDifferences", "Application", "ApplicationSet"):
        if covers(scan, each):
            yield from _hidden(scan, each)
    yield from _generated(scan)
    yield from _unreached(scan)
    for each in scan.objects("ApplicationSet", "ApplicationSet"):
        if covers(scan, each):
            yield from _set_over(scan, each)


def _unreached(scan: Scan) -> Iterator[Fight]:
    """Applications of the target's folder that stay at a commit or tag, so that no other commit reaches them."""
    touched_here = {(edit.file, edit.path) for edit in scan.edits}
    folder = scan.target.source.path
    for declared in in_scope(applications(scan.files, scope=folder), folder):
        for trouble in troubles(declared):
            if trouble.kind == "pinned-revision" and (trouble.file, trouble.path) not in touched_here:
                yield Fight(trouble.kind, trouble.file, trouble.document, trouble.path, 0, trouble.reason,
                            "change its targetRevision too, or let it follow the branch", "may-undo")  # fmt: skip


def _source_paths(application: Object) -> Iterator[str]:
    for path, scalar in application.within(*of_template(application), "spec").items():
        if path == ("source", "path") or (len(path) == 3 and path[0] == "sources" and path[2] == "path"):
            yield scalar.value


def _path_fits(application: Object, path: str, wanted: str) -> bool:
    plain = posixpath.normpath(path)
    if not _TEMPLATE.search(plain):
        return bool(wanted) and plain == wanted
    if _TEMPLATE.sub("", plain):
        return path_fits(_TEMPLATE.split(plain), wanted)
    return _generated_path(application, wanted)


def _generated_path(application_set: Object, wanted: str) -> bool:
    """Whether a generator gives this path: a Git folder, the folder of a Git file, or an element of a list."""
    found = False
    for path, scalar in application_set.within("spec", "generators").items():
        glob = posixpath.normpath(scalar.value)
        if path[-1] == "path" and "directories" in path and fnmatchcase(wanted, glob):
            if application_set.value("spec", "generators", *path[:-1], "exclude") == "true":
                return False
            found = True
        elif path[-1] == "path" and "files" in path:
            found = found or fnmatchcase(wanted, posixpath.dirname(glob))
        elif "elements" in path:
            found = found or glob == wanted
    return found


def _hidden(scan: Scan, application: Object) -> Iterator[Fight]:
    root: Path = (*of_template(application), "spec")
    options = application.within(*root, "syncPolicy", "syncOptions").values()
    respected = any(option.value.replace(" ", "") == "RespectIgnoreDifferences=true" for option in options)
    effect = (
        "and a sync leaves it as it is in the cluster (RespectIgnoreDifferences)" if respected
        else "so no difference is seen, and auto-sync does not start for it"
    )  # fmt: skip
    for edit in scan.edits:
        for field in touched(scan, edit):
            for at in application.items(*root, "ignoreDifferences"):
                rule: Path = (*root, "ignoreDifferences", at)
                found = _ignores(application, rule, field)
                if found is not None:
                    yield Fight("argocd-ignore-differences", application.file, application.number, found,
                                application.document[found].line,
                                f"{application} ignores {'.'.join(field.path)} of {field.kind or 'any kind'} "
                                f"({application.document[found].value}), {effect}",
                                f"take the rule out of {application.file}, or change the field where it is decided",
                                "undoes" if field.exact else "may-undo")  # fmt: skip


def _ignores(application: Object, rule: Path, field: Touched) -> Path | None:
    kind, name = application.value(*rule, "kind"), application.value(*rule, "name")
    if kind not in ("", "*", field.kind) or (name and field.name and not fnmatchcase(field.name, name)):
        return None
    for path, scalar in application.within(*rule).items():
        if path[0] == "jsonPointers" and field.below(_pointer(scalar.value)):
            return (*rule, *path)
        named = _NAMED.findall(scalar.value)
        if path[0] != "jqPathExpressions" or (named and field.item and field.item not in named):
            continue
        if field.below(_jq(scalar.value)):
            return (*rule, *path)
    return None


def _pointer(text: str) -> tuple[str, ...]:
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:])


def _jq(text: str) -> tuple[str, ...]:
    """The steps of a jq path; a position or selection in a list is `*`. An expression of another form has no steps
    that match."""
    plain = re.sub(r"\s+", "", without_calls(text, "select").replace("?", ""))
    steps, at = [], 0
    while at < len(plain):
        match = _STEP.match(plain, at)
        if match is None or match.end() == at:
            return ("\0",)
        steps.append(match[1] or match[2] or match[4] or "*")
        at = match.end()
    return tuple(steps)


def _generated(scan: Scan) -> Iterator[Fight]:
    """An Application that says that an ApplicationSet made it."""
    for edit in scan.edits:
        owner = scan.edited(edit)
        for at in owner.items("metadata", "ownerReferences"):
            if (
                owner.kind == "Application"
                and owner.value("metadata", "ownerReferences", at, "kind") == "ApplicationSet"
            ):
                name = owner.value("metadata", "ownerReferences", at, "name")
                yield Fight("argocd-application-set", edit.file, edit.document, edit.path, scan.line(edit)[0],
                            f"{owner} is made by ApplicationSet {name}, which writes it anew",
                            f"edit the template or the generator of ApplicationSet {name}")  # fmt: skip


def _set_over(scan: Scan, application_set: Object) -> Iterator[Fight]:
    """What the template sets beats the files of its applications."""
    for edit in scan.edits:
        if edit.file == application_set.file:
            continue
        for path, scalar in application_set.within("spec", "template", "spec").items():
            if _beats(scan, path, scalar.value, edit):
                yield Fight("argocd-application-set", application_set.file, application_set.number,
                            ("spec", "template", "spec", *path), scalar.line,
                            f"the template of {application_set} sets {scalar.value} over the files",
                            f"edit the template or the generator in {application_set.file}")  # fmt: skip


def _beats(scan: Scan, path: Path, value: str, edit: FieldEdit) -> bool:
    if "kustomize" in path and "images" in path and is_version(edit):
        named = value.partition("=")
        return any(same_image(image_of(scan, edit), Image.read(part).name) for part in (named[0], named[2]) if part)
    keys = ".".join(str(part) for part in edit.path)
    if "parameters" in path and path[-1] == "name":
        return value == keys
    if "valuesObject" in path:
        return ".".join(str(part) for part in path[path.index("valuesObject") + 1 :]) == keys
    return False
