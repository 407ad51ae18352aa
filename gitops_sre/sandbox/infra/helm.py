"""Services that share one local Helm chart, with a values file per environment and service."""

from __future__ import annotations

from dataclasses import dataclass

from gitops_sre.sandbox.shop import Service

CHART = "charts/shop-service"

CHART_FILES = {
    f"{CHART}/Chart.yaml": """\
apiVersion: v2
name: shop-service
description: A stateless HTTP service of the shop
type: application
version: 1.7.2
""",
    f"{CHART}/.helmignore": "*.md\n*.bak\n",
    f"{CHART}/templates/_helpers.tpl": """\
{{- define "shop.labels" -}}
app.kubernetes.io/name: {{ .Release.Name }}
app.kubernetes.io/part-of: shop
{{- end }}
""",
    f"{CHART}/templates/deployment.yaml": """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
  namespace: {{ .Release.Namespace }}
  labels:
    {{- include "shop.labels" . | nindent 4 }}
spec:
  replicas: {{ .Values.replicaCount }}
  selector:
    matchLabels:
      app.kubernetes.io/name: {{ .Release.Name }}
  template:
    metadata:
      labels:
        {{- include "shop.labels" . | nindent 8 }}
    spec:
      containers:
        - name: {{ .Release.Name }}
          image: "{{ .Values.image.repository }}:{{ required "image.tag must be set" .Values.image.tag }}"
          imagePullPolicy: {{ .Values.image.pullPolicy }}
          ports:
            - containerPort: 8080
          env:
            {{- range $name, $value := .Values.env }}
            - name: {{ $name }}
              value: {{ $value | quote }}
            {{- end }}
          resources:
            {{- toYaml .Values.resources | nindent 12 }}
""",
    f"{CHART}/templates/service.yaml": """\
apiVersion: v1
kind: Service
metadata:
  name: {{ .Release.Name }}
  namespace: {{ .Release.Namespace }}
spec:
  selector:
    app.kubernetes.io/name: {{ .Release.Name }}
  ports:
    - port: 80
      targetPort: 8080
""",
}

VALUES = """\
# Defaults of the chart. Values files of an environment and a service win over them.
replicaCount: 1

image:
  repository: ""
  tag: ""            # set in values/<environment>/<service>.yaml
  pullPolicy: IfNotPresent

env: {{}}

resources:
  requests:
    cpu: {cpu}
    memory: 128Mi
"""

COMMON = """\
# Common to every service of {environment}
env:
  ENVIRONMENT: {environment}
  OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector.monitoring:4318"
"""

SERVICE_VALUES = """\
replicaCount: {replicas}

image:
  repository: {image}
  tag: {tag}

env:
  LOG_LEVEL: {level}

resources:
  requests:
    memory: {memory}Mi
  limits:
    memory: {limit}Mi
"""

SERVICE_VALUES_IN_ANOTHER_HAND = """\
image: {{repository: {image}, tag: "{tag}"}}   # tag: see the release notes
replicaCount: {replicas}
env: {{LOG_LEVEL: {level}, CACHE_TTL: "300"}}
resources:
    requests: {{memory: {memory}Mi}}
    limits: {{memory: {limit}Mi}}
"""


@dataclass(frozen=True)
class Place:
    """What the values of one place say."""

    environment: str
    service: Service
    tag: str
    replicas: int
    level: str


def values_path(environment: str, service: str) -> str:
    """Where the values of one place stand."""
    return f"values/{environment}/{service}.yaml"


def values(place: Place) -> str:
    """The values file of one place."""
    template = SERVICE_VALUES_IN_ANOTHER_HAND if place.service.name == "search" else SERVICE_VALUES
    return template.format(
        replicas=place.replicas,
        image=place.service.image,
        tag=place.tag,
        level=place.level,
        memory=place.service.memory_mib,
        limit=place.service.memory_mib * 2,
    )


def chart(cpu: str) -> dict[str, str]:
    """The chart with its defaults: path -> text."""
    return {**CHART_FILES, f"{CHART}/values.yaml": VALUES.format(cpu=cpu)}


def common(environment: str) -> dict[str, str]:
    """The values that all services of an environment share: path -> text."""
    return {f"values/{environment}/_common.yaml": COMMON.format(environment=environment)}
