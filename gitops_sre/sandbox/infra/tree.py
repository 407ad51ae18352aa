"""From what is declared to the files that say so, byte for byte."""

from __future__ import annotations

from gitops_sre.sandbox.infra import argo, documents, helm, kustomize, raw
from gitops_sre.sandbox.infra.state import Declared
from gitops_sre.sandbox.shop import BY_NAME, ENVIRONMENTS, SERVICES, Service

BRANCH = "main"


def files(declared: Declared, url: str) -> dict[str, bytes]:
    """Every file of the repository: path -> bytes. `url` is the repository's clone URL, named in the Applications."""
    texts: dict[str, str] = {**documents.documents(declared.notes), **helm.chart(declared.chart_cpu)}
    for environment in ENVIRONMENTS:
        texts |= helm.common(environment)
        for service in SERVICES:
            texts |= _place(declared, environment, service)
            texts |= argo.application(environment, service, url, BRANCH)
    for service in SERVICES:
        if service.layout == "kustomize":
            texts |= kustomize.base(service)
    return {path: text.encode() for path, text in texts.items()}


def image_path(environment: str, service: str) -> str:
    """The file in which people change the tag of a service in an environment."""
    match BY_NAME[service].layout:
        case "kustomize":
            return kustomize.overlay_path(environment, service)
        case "helm":
            return helm.values_path(environment, service)
        case "raw":
            return raw.image_path(environment, service)


def _place(declared: Declared, environment: str, service: Service) -> dict[str, str]:
    place = (environment, service.name)
    tag, replicas = declared.tags[place], declared.replicas[place]
    level = declared.log_level.get(place, "info")
    match service.layout:
        case "kustomize":
            said = kustomize.Overlay(environment, service.name, service.image, tag, replicas, level)
            return {kustomize.overlay_path(environment, service.name): kustomize.overlay(said)}
        case "helm":
            values = helm.values(helm.Place(environment, service, tag, replicas, level))
            return {helm.values_path(environment, service.name): values}
        case "raw":
            return raw.files(raw.Place(environment, service, tag, replicas, level))
