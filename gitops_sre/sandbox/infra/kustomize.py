"""Services laid out as a kustomize base with an overlay per environment.

The overlays are spelled as differently as people spell them: quotes, key order, indentation, comments, CRLF, flow
style, JSON and a missing final newline. An editor that changes a tag has to leave all of that alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from gitops_sre.sandbox.shop import Service

BASE_DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  labels:
    app.kubernetes.io/name: {name}
    app.kubernetes.io/part-of: shop
spec:
  selector:
    matchLabels:
      app.kubernetes.io/name: {name}
  template:
    metadata:
      labels:
        app.kubernetes.io/name: {name}
        app.kubernetes.io/part-of: shop
    spec:
      containers:
        - name: {name}
          image: {image}:unset  # every overlay sets the tag
          ports:
            - {{name: http, containerPort: 8080}}
          envFrom:
            - configMapRef:
                name: {name}
          resources:
            requests: {{cpu: {cpu}m, memory: {memory}Mi}}
            limits:
              memory: {limit}Mi
"""

BASE_SERVICE = """\
apiVersion: v1
kind: Service
metadata:
  name: {name}
spec:
  selector:
    app.kubernetes.io/name: {name}
  ports:
    - name: http
      port: 80
      targetPort: http
"""

BASE_KUSTOMIZATION = """\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - deployment.yaml
  - service.yaml
"""


@dataclass(frozen=True)
class Overlay:
    """What an overlay says; the functions below say it in different hands."""

    environment: str
    service: str
    image: str
    tag: str
    replicas: int
    level: str


def _tidy(o: Overlay) -> str:
    return f"""\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: {o.environment}
resources:
  - ../../base
images:
  - name: {o.image}
    newTag: {o.tag}  # moved by the release train
replicas:
  - name: {o.service}
    count: {o.replicas}
configMapGenerator:
  - name: {o.service}
    literals:
      - LOG_LEVEL={o.level}
"""


def _quoted_with_sidecar(o: Overlay) -> str:
    return f"""\
# {o.service} in {o.environment}.
# The proxy is pinned by the platform team, please leave it alone.

apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization

namespace: {o.environment}

resources:
- ../../base

images:
- newTag: "{o.tag}"
  name: {o.image}
- name: registry.example.com/platform/proxy
  newTag: "v1.31.2"

replicas:
- {{name: {o.service}, count: {o.replicas}}}

configMapGenerator:
- name: {o.service}
  literals: ["LOG_LEVEL={o.level}"]
"""


def _wide(o: Overlay) -> str:
    return f"""\
apiVersion: kustomize.config.k8s.io/v1beta1
kind:       Kustomization
namespace:  {o.environment}
resources:
    - ../../base
images:
    -   name:   {o.image}
        newTag: '{o.tag}'
patches:
    -   target: {{ kind: Deployment, name: {o.service} }}
        patch: |-
            - op: add
              path: /spec/replicas
              value: {o.replicas}
configMapGenerator:
    -   name: {o.service}
        literals:
            - LOG_LEVEL={o.level}"""


def _flow(o: Overlay) -> str:
    return f"""\
---
kind: Kustomization
apiVersion: kustomize.config.k8s.io/v1beta1
namespace: {o.environment}
resources: [../../base]
images: [{{name: {o.image}, newTag: {o.tag}}}]
replicas: [{{name: {o.service}, count: {o.replicas}}}]
configMapGenerator: [{{name: {o.service}, literals: [LOG_LEVEL={o.level}]}}]
...
"""


def _json(o: Overlay) -> str:
    document = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": o.environment,
        "resources": ["../../base"],
        "images": [{"name": o.image, "newTag": o.tag}],
        "replicas": [{"name": o.service, "count": o.replicas}],
        "configMapGenerator": [{"name": o.service, "literals": [f"LOG_LEVEL={o.level}"]}],
    }
    return json.dumps(document, indent=2) + "\n"


def _windows(o: Overlay) -> str:
    return _tidy(o).replace("\n", "\r\n")


HANDS: dict[tuple[str, str], Callable[[Overlay], str]] = {
    ("staging", "checkout"): _quoted_with_sidecar,
    ("production", "checkout"): _quoted_with_sidecar,
    ("dev", "mobile-api"): _wide,
    ("staging", "mobile-api"): _wide,
    ("production", "cart"): _windows,
    ("dev", "orders"): _json,
    ("production", "orders"): _flow,
}
"""Who wrote which overlay; all others are tidy."""


def base(service: Service) -> dict[str, str]:
    """The base of one service: path -> text."""
    folder = f"apps/{service.name}/base"
    values = {
        "name": service.name,
        "image": service.image,
        "cpu": int(service.cpu_cores * 1000),
        "memory": service.memory_mib,
        "limit": service.memory_mib * 2,
    }
    return {
        f"{folder}/kustomization.yaml": BASE_KUSTOMIZATION,
        f"{folder}/deployment.yaml": BASE_DEPLOYMENT.format(**values),
        f"{folder}/service.yaml": BASE_SERVICE.format(**values),
    }


def overlay_path(environment: str, service: str) -> str:
    """Where the overlay of one place stands."""
    return f"apps/{service}/overlays/{environment}/kustomization.yaml"


def overlay(said: Overlay) -> str:
    """The text of one overlay."""
    return HANDS.get((said.environment, said.service), _tidy)(said)
