"""Services laid out as plain manifests per environment: several documents in a file, one each, or JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass

from gitops_sre.sandbox.shop import Service

MULTI_DOCUMENT = """\
# {name} keeps everything in one file, please keep the order: configuration first.
apiVersion: v1
kind: ConfigMap
metadata:
  name: {name}-config
  namespace: {environment}
data:
  LOG_LEVEL: "{level}"
  PROVIDER_URL: https://payments.example.com/v2
---
apiVersion: v1
kind: ServiceAccount
metadata: {{name: {name}, namespace: {environment}}}
---

apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  namespace: {environment}
  labels: &labels
    app.kubernetes.io/name: {name}
    app.kubernetes.io/part-of: shop
spec:
  replicas: {replicas}
  selector:
    matchLabels:
      app.kubernetes.io/name: {name}
  template:
    metadata:
      labels: *labels
    spec:
      serviceAccountName: {name}
      containers:
      - name: {name}
        # tested by QA before every release
        image: "{image}:{tag}"
        envFrom: [{{configMapRef: {{name: {name}-config}}}}]
        ports: [{{containerPort: 8080}}]
        resources:
          requests: {{cpu: {cpu}m, memory: {memory}Mi}}
          limits: {{memory: {limit}Mi}}
---
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: {environment}}}
spec:
  selector: {{app.kubernetes.io/name: {name}}}
  ports: [{{port: 80, targetPort: 8080}}]
"""

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
    name: {name}
    labels:
        app.kubernetes.io/name: {name}
        app.kubernetes.io/part-of: shop
spec:
    replicas: {replicas}
    selector: {{matchLabels: {{app.kubernetes.io/name: {name}}}}}
    template:
        metadata:
            labels:
                app.kubernetes.io/name: {name}
                app.kubernetes.io/part-of: shop
        spec:
            containers:
            -   name: {name}
                image: {image}:{tag}
                env:
                -   {{name: LOG_LEVEL, value: {level}}}
                ports:
                -   containerPort: 8080
                resources:
                    requests: {{cpu: {cpu}m, memory: {memory}Mi}}
                    limits: {{memory: {limit}Mi}}"""

SERVICE = """\
apiVersion: v1
kind: Service
metadata:
    name: {name}
spec:
    selector: {{app.kubernetes.io/name: {name}}}
    ports:
    -   port: 80
        targetPort: 8080
"""


@dataclass(frozen=True)
class Place:
    """What the manifests of one place say."""

    environment: str
    service: Service
    tag: str
    replicas: int
    level: str


def image_path(environment: str, service: str) -> str:
    """The file that names the image of one place."""
    folder = f"manifests/{environment}/{service}"
    if service == "payments":
        return f"{folder}/payments.yaml"
    return (
        f"{folder}/deployment.json" if (environment, service) == ("dev", "inventory") else f"{folder}/deployment.yaml"
    )


def files(place: Place) -> dict[str, str]:
    """The manifests of one place: path -> text."""
    service = place.service
    values = {
        "name": service.name,
        "environment": place.environment,
        "image": service.image,
        "tag": place.tag,
        "replicas": place.replicas,
        "level": place.level,
        "cpu": int(service.cpu_cores * 1000),
        "memory": service.memory_mib,
        "limit": service.memory_mib * 2,
    }
    path = image_path(place.environment, service.name)
    if service.name == "payments":
        return {path: MULTI_DOCUMENT.format(**values)}
    text = _json(place) if path.endswith(".json") else DEPLOYMENT.format(**values)
    return {path: text, f"{path.rpartition('/')[0]}/service.yaml": SERVICE.format(**values)}


def _json(place: Place) -> str:
    """A manifest that a generator of old wrote with tabs."""
    service = place.service
    labels = {"app.kubernetes.io/name": service.name, "app.kubernetes.io/part-of": "shop"}
    container = {
        "name": service.name,
        "image": f"{service.image}:{place.tag}",
        "env": [{"name": "LOG_LEVEL", "value": place.level}],
        "ports": [{"containerPort": 8080}],
        "resources": {
            "requests": {"cpu": f"{int(service.cpu_cores * 1000)}m", "memory": f"{service.memory_mib}Mi"},
            "limits": {"memory": f"{service.memory_mib * 2}Mi"},
        },
    }
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": service.name, "labels": labels},
        "spec": {
            "replicas": place.replicas,
            "selector": {"matchLabels": {"app.kubernetes.io/name": service.name}},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }
    return json.dumps(deployment, indent="\t")
