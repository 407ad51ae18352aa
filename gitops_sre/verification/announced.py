"""Is this commit live, by what Argo CD or Flux have left on GitHub? The weaker predicate, where no cluster is asked.

Only what names the target's own GitOps object counts:

- a commit status `continuous-delivery/NAME`, the context in the documentation of Argo CD's notifications ("GitHub");
- a commit status `kustomization/NAME/...`, which Flux's notification-controller makes of the object's kind and name and
  of the first part of its Provider's UID (`generateCommitStatusID`); teams put the cluster there (`commitStatusExpr`);
- a deployment whose environment is called NAME, or whose status links to `/applications/NAME` or
  `/applications/NAMESPACE/NAME`, which is the page of an Application in Argo CD.

Where several of these speak, all must say success. Such a word is given once: it does not say what runs now.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from gitops_sre.model.live import Live, Liveness, NeverLive, Notice, Waiting
from gitops_sre.model.outcome import Unavailable

ARGOCD = "continuous-delivery/"
FLUX = "kustomization/"


def live(notices: Sequence[Notice] | Unavailable, application: str, commits: Sequence[str]) -> Liveness:
    """Whether the first of some commits is live; each further one holds it and keeps its values, oldest first.
    `application` is `namespace/name`; `notices` are those at any of the commits."""
    if isinstance(notices, Unavailable):
        return Waiting(f"GitHub's commit statuses: {notices.reason}")
    voices: dict[tuple[str, str], dict[str, Notice]] = {}
    for each in notices:
        if each.commit in commits and concerns(each, application):
            by_commit = voices.setdefault((each.kind, each.name), {})
            before = by_commit.get(each.commit)
            by_commit[each.commit] = each if before is None or before.at <= each.at else before
    if not voices:
        name = application.rpartition("/")[2]
        wanted = f"{ARGOCD}{name} or {FLUX}{name}/..., or a deployment of {name}"
        return Waiting(f"a commit status {wanted}, on {commits[0][:12]} or later")
    found = [_voice(by_commit, commits) for by_commit in voices.values()]
    unsure = [each for each in found if not isinstance(each, Live)]
    never = [each for each in unsure if isinstance(each, NeverLive)]
    if unsure:
        return (never or unsure)[0]
    return max((each for each in found if isinstance(each, Live)), key=lambda each: each.at)


def concerns(notice: Notice, application: str) -> bool:
    """Whether a notice is about a GitOps object, by the rule above."""
    namespace, _, name = application.rpartition("/")
    if notice.kind == "status":
        flux = rf"{FLUX}{re.escape(name)}/[^/]+"
        return notice.name == f"{ARGOCD}{name}" or re.fullmatch(flux, notice.name, re.IGNORECASE) is not None
    pages = (f"/applications/{name}", f"/applications/{namespace}/{name}")
    return notice.name == name or urlsplit(notice.link).path.rstrip("/").endswith(pages)


def _voice(said: dict[str, Notice], commits: Sequence[str]) -> Liveness:
    """What one context, or one environment, says of the first commit."""
    for commit in commits:
        if commit in said and said[commit].state == "success":
            return Live(said[commit].at, commit)
    ours = said.get(commits[0])
    last = next(said[commit] for commit in reversed(commits) if commit in said)
    if ours is None or ours.state != "failure":
        # A later commit's failure says nothing about ours.
        what = "after a failure of a later commit" if last.state == "failure" else "to end"
        return Waiting(f"{last.name} {what} (now {last.state} on {last.commit[:12]}){_words(last)}")
    if ours.kind == "status" and ours.name.lower().startswith(FLUX):
        return Waiting(f"Flux to try {ours.name} again{_words(ours)}")  # as it does at each interval
    return NeverLive(f"{ours.name} failed on {ours.commit[:12]}{_words(ours)}")


def _words(notice: Notice) -> str:
    return f": {notice.said}" if notice.said else ""
