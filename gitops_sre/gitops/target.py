"""Alert labels -> service -> workload -> GitOps object -> source path, with the reason for each step.

Nothing is guessed: when a step has no answer or more than one, the result says what was found and stops.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from gitops_sre.model.live import Application, Workload
from gitops_sre.model.target import NoTarget, Source, Target, WorkloadRef
from gitops_sre.settings import EnvironmentSettings, LabelSettings

Environments = Mapping[str, EnvironmentSettings]

NAMES = ("app.kubernetes.io/name", "app", "k8s-app")
"""Labels by which a workload says which service it is, when its own name does not."""


def environment_of(namespace: str, environments: Environments) -> tuple[str, str]:
    """(environment, tier) of a namespace; an unknown namespace is an environment of its own, tier `unknown`, so that
    no rule for a known tier opens it."""
    for name, settings in environments.items():
        if any(fnmatchcase(namespace, glob) for glob in settings.namespaces or (name,)):
            return name, settings.tier
    return namespace, "unknown"


def place(labels: Mapping[str, str], names: LabelSettings, environments: Environments) -> tuple[str, str]:
    """(service, environment) that labels name; empty strings where they name none."""
    service = _first(labels, names.service)
    said = _first(labels, names.environment) or _first(labels, names.namespace)
    if said in environments or not said:
        return service, said
    return service, environment_of(said, environments)[0]


def find(
    labels: Mapping[str, str],
    names: LabelSettings,
    environments: Environments,
    workloads: Sequence[Workload],
    applications: Sequence[Application],
    repository_url: str,
) -> Target | NoTarget:
    """The target that an alert's labels name. A label for the environment names one of the settings, else a namespace:
    a workload of the same environment in a sister namespace is not what it means."""
    service, environment = place(labels, names, environments)
    if not service:
        return NoTarget(f"no label of the alert names a service (looked for {', '.join(names.service)})")
    said = _first(labels, names.environment)
    as_namespace = "" if said in environments else said
    namespace = _first(labels, names.namespace) or as_namespace
    if as_namespace not in ("", namespace):
        why = f"namespace {namespace} is not {as_namespace}, which is no environment of the settings"
        return NoTarget(f"the alert's labels contradict each other: {why}", service, environment)
    if not namespace:
        return for_service(service, environment, environments, workloads, applications, repository_url)
    actual = environment_of(namespace, environments)[0]
    if actual != environment:
        why = f"namespace {namespace} is environment {actual}, not {environment} as another label says"
        return NoTarget(f"the alert's labels contradict each other: {why}", service, environment)
    # A workload of that name in a sister namespace is another one, also when this one is gone.
    inside = [workload for workload in workloads if workload.ref.namespace == namespace]
    found = for_service(service, environment, environments, inside, applications, repository_url)
    if isinstance(found, NoTarget):
        return replace(found, reason=f"{found.reason} (looked in namespace {namespace})")
    return found


def for_service(
    service: str,
    environment: str,
    environments: Environments,
    workloads: Sequence[Workload],
    applications: Sequence[Application],
    repository_url: str,
) -> Target | NoTarget:
    """The target of a service in an environment (empty: any, when that is unique)."""
    here = [w for w in workloads if not environment or environment_of(w.ref.namespace, environments)[0] == environment]
    named = [w for w in here if w.ref.name == service]
    found = named or [w for w in here if service in [dict(w.labels).get(name) for name in NAMES]]
    if len(found) != 1:
        what = ", ".join(str(w.ref) for w in found) or "no workload"
        where = f" in {environment}" if environment else ""
        return NoTarget(f"service {service}{where} is {what}", service, environment)
    workload = found[0]
    owner = _owner(workload, applications)
    if isinstance(owner, str):
        return NoTarget(owner, service, environment)
    application, why = owner
    source = _ours(application, repository_url)
    if isinstance(source, str):
        return NoTarget(source, service, environment)
    actual, tier = environment_of(workload.ref.namespace, environments)
    reasons = (
        f"service {service} is {workload.ref}, by its {'name' if named else 'label'}",
        f"{application.key} applies it: {why}",
        f"from {source.path} of the infra repository",
        f"namespace {workload.ref.namespace} is environment {actual}, tier {tier}",
    )
    # A target is sealed into commits, where the values of the cluster have no place; the proof asks for them anew.
    return Target(service, actual, tier, workload.ref, application.key, source.without_values(), reasons)


def _owner(workload: Workload, applications: Sequence[Application]) -> tuple[Application, str] | str:
    """The Application that applies a workload, and how that is known; else why there is none.

    What the workload says counts. Where it says nothing, the only Application that deploys its images into its
    namespace is taken; that its manifests really hold the workload is for the proof to show.
    """
    if workload.application:
        found = [app for app in applications if app.key == workload.application]
        if len(found) == 1:
            return found[0], "the workload says so"
        return f"{workload.ref} says that {workload.application} applies it, which cannot be read"
    images, namespace = set(workload.images), workload.ref.namespace
    alike = [app for app in applications if app.destination_namespace == namespace and images <= set(app.images)]
    if images and len(alike) == 1:
        return alike[0], f"no other deploys its images into {namespace}"
    what = ", ".join(app.key for app in alike) if images and alike else "no Application"
    return f"{workload.ref} does not say which Application applies it, and its images are deployed by {what}"


def _ours(application: Application, repository_url: str) -> Source | str:
    """The one source with a path in our infra repository; else why there is none."""
    ours = [s for s in application.sources if s.path and same_repository(s.repo_url, repository_url)]
    if len(ours) == 1 and re.fullmatch("[0-9a-f]{40}([0-9a-f]{24})?", ours[0].revision):
        return f"{application.key} stays at commit {ours[0].revision[:12]}: no change of the repository reaches it"
    if len(ours) == 1:
        return ours[0]
    have = ", ".join(f"{s.repo_url} {s.path}" for s in application.sources)
    return f"{application.key} has {len(ours)} sources in {repository_url} (it has {have})"


def at_path(path: str, environment: str = "", workload: WorkloadRef | None = None) -> Target:
    """A target when there is no cluster to ask: a folder of the repository, and what else is known of it."""
    ref = workload or WorkloadRef("", "", "")
    plain = "/".join(part for part in path.split("/") if part not in ("", "."))
    reasons = (f"the folder {plain or '.'} was named",)
    return Target(ref.name, environment, "unknown", ref, "", Source("", plain), reasons)


def reads(application: Application, repository_url: str) -> bool:
    """Whether an Application takes manifests from a repository."""
    return any(same_repository(source.repo_url, repository_url) for source in application.sources)


def same_repository(one: str, other: str) -> bool:
    """Whether two URLs name one repository: https, ssh and scp-like forms, `.git`, user and letter case aside."""
    return _normal(one) == _normal(other)


def _normal(url: str) -> str:
    # Scheme and user (with or without a password) say how to get there, not where it is.
    text = re.sub(r"^([a-z+]+://)?([^/@]*@)?", "", url.strip().lower())
    host, separator, path = text.partition("/")
    if not separator or (":" in host and not re.search(r":\d+$", host)):
        host, _, path = text.partition(":")
    host = re.sub(r":(443|22|80)$", "", host)
    return f"{host}/{path.strip('/').removesuffix('.git')}"


def _first(labels: Mapping[str, str], names: Sequence[str]) -> str:
    return next((labels[name] for name in names if labels.get(name)), "")
