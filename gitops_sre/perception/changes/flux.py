"""Flux Kustomizations as Applications: what is applied, from where, since when, and whether it is settled and healthy.

Fields: Flux's API reference of `kustomize.toolkit.fluxcd.io/v1` and `source.toolkit.fluxcd.io/v1`. When a revision was
first applied stands in `status.history`, which Flux keeps since 2.7; before that only the revision is known.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta

from gitops_sre.model.live import Application, Sync
from gitops_sre.model.target import Source
from gitops_sre.perception.changes.payload import Raw, moment, number, part, parts, text

_SHA = re.compile(r"(?:^|[/@])sha1:([0-9a-f]{40})$|^(?:.*/)?([0-9a-f]{40})$")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_APPLIED = "ReconciliationSucceeded"


def applications(kustomizations: Iterable[Raw], repositories: Iterable[Raw]) -> tuple[Application, ...]:
    """The Kustomizations whose source is one of some GitRepositories."""
    urls = {
        (text(each, "metadata", "namespace"), text(each, "metadata", "name")): text(each, "spec", "url")
        for each in repositories
    }
    found = (_application(each, urls) for each in kustomizations)
    return tuple(each for each in found if each is not None)


def _application(raw: Raw, urls: Mapping[tuple[str, str], str]) -> Application | None:
    name, namespace = text(raw, "metadata", "name"), text(raw, "metadata", "namespace")
    source = part(raw, "spec", "sourceRef")
    url = urls.get((text(source, "namespace") or namespace, text(source, "name")), "")
    if not name or not url or text(source, "kind") != "GitRepository":
        return None
    target = text(raw, "spec", "targetNamespace")
    applied = revision_of(text(raw, "status", "lastAppliedRevision"))
    ready = next((each for each in parts(raw, "status", "conditions") if text(each, "type") == "Ready"), {})
    path = posixpath.normpath(text(raw, "spec", "path").strip("/") or ".")
    syncs = tuple(sorted(_syncs(raw), key=lambda sync: sync.finished_at))
    judged = (moment(ready, "lastTransitionTime"), *(sync.finished_at for sync in syncs))
    suspended = part(raw, "spec").get("suspend") is True
    said = "" if text(ready, "status") == "True" else text(ready, "message")
    return Application(
        namespace=namespace,
        name=name,
        sources=(Source(url, path, kind="kustomize", namespace=target),),
        destination_namespace=target,
        sync_status="Synced" if applied and _settled(raw, applied) else "OutOfSync",
        revisions=(applied,) if applied else (),
        health={"True": "Healthy", "False": "Degraded"}.get(text(ready, "status"), "Progressing"),
        reconciled_at=max((each for each in judged if each is not None), default=None),
        operation=None,
        auto_sync=not suspended,
        conditions=tuple(each for each in (said, "it is suspended" if suspended else "") if each),
        syncs=syncs,
    )


def _settled(raw: Raw, applied: str) -> bool:
    """Whether what was applied last is what was tried last, of the specification as it is, and nothing is under way.
    `Ready` alone may be of an earlier specification or revision."""
    states = {text(each, "type"): text(each, "status") for each in parts(raw, "status", "conditions")}
    observed = number(raw, "status", "observedGeneration") == number(raw, "metadata", "generation")
    tried = revision_of(text(raw, "status", "lastAttemptedRevision"))
    return observed and applied == tried and states.get("Ready") == "True" and states.get("Reconciling") != "True"


def _syncs(raw: Raw) -> Iterator[Sync]:
    """What was applied, and when for the first time. A reconciliation that waits for health ends long after it has
    applied, so it is taken to have begun as early as its time limit allows: too late a beginning would clear a culprit.
    """
    spec = part(raw, "spec")
    waits = spec.get("wait") is True or bool(list(parts(spec, "healthChecks")))
    limit = duration(text(spec, "timeout")) or duration(text(spec, "interval"))
    for each in parts(raw, "status", "history"):
        at, sha = moment(each, "firstReconciled"), revision_of(text(each, "metadata", "revision"))
        if at is None or not sha:
            continue
        took = duration(text(each, "lastReconciledDuration"))
        if number(each, "totalReconciliations") > 1 or text(each, "lastReconciledStatus") != _APPLIED:
            took = max(took, limit if waits else took)
        yield Sync((sha,), at - took, at)


def revision_of(written: str) -> str:
    """The commit in a revision as Flux writes it (`main@sha1:...`, before 2.0 `main/...`); empty when there is none."""
    found = _SHA.search(written)
    return (found[1] or found[2]) if found else ""


def duration(written: str) -> timedelta:
    """A duration as Go writes it (`1h2m3.5s`); nothing for anything else."""
    return timedelta(seconds=sum(float(size) * _SECONDS[unit] for size, unit in _DURATION.findall(written)))
