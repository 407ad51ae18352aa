"""What the bot never edits, each with its own reason: paths, encrypted files, kinds, and fields that are identities."""

from __future__ import annotations

import fnmatch
import posixpath
from collections.abc import Iterator, Mapping, Sequence

from gitops_sre.gitops.files import KUSTOMIZATIONS, Document, value
from gitops_sre.model.change import FieldEdit
from gitops_sre.yamltext import Path, YamlTextError, leaves, show

PATHS: Mapping[str, str] = {
    ".git/*": "git's own folder",
    ".github/*": "workflows and settings of the repository",
    ".gitlab-ci.yml": "a pipeline",
    ".gitea/*": "workflows",
    ".forgejo/*": "workflows",
    ".circleci/*": "a pipeline",
    ".gitmodules": "where git fetches from",
    ".gitattributes": "what git runs on files",
    "*/.gitattributes": "what git runs on files",
    "CODEOWNERS": "who must approve",
    "*/CODEOWNERS": "who must approve",
    ".gitops-sre/*": "the bot's own policy",
    "flux-system/gotk-*": "Flux's generated installation",
    "*/flux-system/gotk-*": "Flux's generated installation",
    ".sops.*": "how secrets are encrypted",
    "*/.sops.*": "how secrets are encrypted",
    "*.sops.*": "an encrypted file",
}
"""Globs (`*` crosses slashes) and what stands there."""

KINDS: Mapping[str, str] = {
    "Secret": "it holds secrets",
    "SealedSecret": "its values are sealed to one cluster",
    "CustomResourceDefinition": "removing or narrowing a schema deletes objects",
    "Namespace": "its removal deletes everything in it",
    "Role": "it grants powers",
    "ClusterRole": "it grants powers",
    "RoleBinding": "it grants powers",
    "ClusterRoleBinding": "it grants powers",
}
"""Objects whose edit cannot be taken back, widens powers, or shows what must stay hidden."""

_ANY_KIND: Mapping[Path, str] = {
    ("metadata", "name"): "a name is an identity: the object would be removed and made anew",
    ("metadata", "namespace"): "a namespace is part of an identity: the object would be removed and made anew",
    ("spec", "selector"): "a selector decides which pods belong; most are immutable",
    ("spec", "volumeClaimTemplates"): "claims of a StatefulSet are immutable",
    ("spec", "targetNamespace"): "everything below would move to another namespace",
    ("spec", "storageNamespace"): "the release would be lost and installed anew",
    ("spec", "releaseName"): "the release would be removed and installed anew",
    ("spec", "destination"): "the application would move to another cluster or namespace",
}
_BY_KIND: Mapping[str, Mapping[Path, str]] = {
    "PersistentVolumeClaim": {("spec",): "storage that grew or moved cannot be taken back"},
    "PersistentVolume": {("spec",): "storage that grew or moved cannot be taken back"},
}
_KUSTOMIZATION: Mapping[Path, str] = {
    ("namespace",): "every object would move to another namespace",
    ("namePrefix",): "every object would get another name",
    ("nameSuffix",): "every object would get another name",
}
_EXTERNAL_SECRETS = ("ExternalSecret", "ClusterExternalSecret")
_REFERENCES = frozenset({"secretStoreRef", "remoteRef", "sourceRef", "secretKey", "data", "dataFrom"})
_ENCRYPTED = "ENC[AES256_GCM,"


def refuse_path(path: str, policy_path: str) -> None:
    """Raises YamlTextError when a file must not be edited whatever it holds."""
    if path.startswith(("/", "..")) or posixpath.normpath(path) != path or not path.isprintable():
        raise YamlTextError(f"{path!r}: not a plain path inside the repository; it is never edited")
    if what := guarded(path, policy_path):
        raise YamlTextError(f"{path}: never edited, since it is {what}; propose it to a person")


def guarded(path: str, policy_path: str) -> str:
    """What stands in a file that only people change; empty for any other."""
    policy = policy_path.strip("/")
    globs = {**PATHS, **({policy: "policy", f"{policy}/*": "policy"} if policy else {})}
    return next((what for glob, what in globs.items() if fnmatch.fnmatchcase(path, glob)), "")


def refuse_encrypted(path: str, documents: Sequence[Document]) -> None:
    """Raises YamlTextError when SOPS guards a file with a checksum over all of it."""
    for document in documents:
        if any(place[:1] == ("sops",) or scalar.value.startswith(_ENCRYPTED) for place, scalar in document.items()):
            raise YamlTextError(f"{path}: encrypted by SOPS; an edit would break its checksum, use sops")


def refuse_place(document: Document, edit: FieldEdit) -> None:
    """Raises YamlTextError when an object must not be edited, or not this field of it."""
    rules = _KUSTOMIZATION if edit.file.rpartition("/")[2] in KUSTOMIZATIONS else {}
    _refuse_fields(document, rules, edit.path, edit, "kustomization")
    for kind, place in _objects(document, edit.path):
        if kind in KINDS:
            raise YamlTextError(f"{edit.file}: a {kind} is never edited, since {KINDS[kind]}; propose it to a person")
        _refuse_fields(document, {**_ANY_KIND, **_BY_KIND.get(kind, {})}, place, edit, kind)
        if kind in _EXTERNAL_SECRETS:
            _refuse_reference(place, edit, kind)
        _refuse_selected(document, place, edit)


def _objects(document: Document, path: Path) -> Iterator[tuple[str, Path]]:
    """The objects that a path stands in, the outermost first, with the path within each: a manifest may hold others
    (a List, a patch in a block scalar)."""
    for size in range(len(path) + 1):
        kind = value(document, *path[:size], "kind")
        if kind and (size == 0 or value(document, *path[:size], "apiVersion")):
            yield kind, path[size:]


def _refuse_fields(document: Document, rules: Mapping[Path, str], place: Path, edit: FieldEdit, kind: str) -> None:
    for field, why in rules.items():
        if place[: len(field)] == field or _carries(document, edit, place, field):
            where = show(edit.document, edit.path)
            raise YamlTextError(
                f"{edit.file}: {where} of a {kind} is never edited, since {why}; propose it to a person"
            )


def _carries(document: Document, edit: FieldEdit, place: Path, field: Path) -> bool:
    """Whether an entry that comes or goes has a field in it."""
    if field[: len(place)] != place or not place or not _whole(edit):
        return False
    whole = (*edit.path[: len(edit.path) - len(place)], *field)
    if any(path[: len(whole)] == whole for path in document):
        return True
    rest = field[len(place) - 1 :]
    return bool(edit.after_raw) and any(path[: len(rest)] == rest for _, path in leaves(edit.after_raw))


def _whole(edit: FieldEdit) -> bool:
    """Whether an entry comes or goes with everything in it."""
    return edit.before is None or edit.after is None


def _refuse_reference(place: Path, edit: FieldEdit, kind: str) -> None:
    """Which secret is read from where is the security team's; how it is shaped and refreshed may be put back."""
    if _whole(edit):
        why = "what it reads may only be changed by people"
    elif place[:3] == ("spec", "target", "template"):
        return
    elif place[:3] == ("spec", "target", "name") or set(place) & _REFERENCES:
        why = "it says which secret is read from where"
    else:
        return
    where = show(edit.document, edit.path)
    raise YamlTextError(f"{edit.file}: {where} of a {kind} is never edited, since {why}; propose it to a person")


def _refuse_selected(document: Document, place: Path, edit: FieldEdit) -> None:
    """A pod's label that the selector asks for must stay."""
    labels = ("spec", "template", "metadata", "labels")
    selected = [path[-1] for path in document if path[-4:-1] == ("spec", "selector", "matchLabels")]
    if place[:4] == labels and (len(place) < 5 or place[4] in selected) and selected:
        where = show(edit.document, edit.path)
        raise YamlTextError(
            f"{edit.file}: {where} is never edited, since the selector asks for it; propose it to a person"
        )
