"""What stands in the repository beside the manifests: README, owners and the policies of the on-call bot."""

from __future__ import annotations

README = """\
# shop-infra

What runs where. Argo CD follows `main`; whatever is merged here is live within a minute.

| folder | what |
|---|---|
| `apps/` | kustomize: one base a service, one overlay an environment |
| `charts/`, `values/` | one Helm chart for the services of team search, values per environment and service |
| `manifests/` | plain manifests per environment, kept by the payments and logistics teams |
| `argocd/` | the Applications |
| `.gitops-sre/policies/` | what the on-call bot may do by itself |

Deploys: change the tag, open a pull request (or push, if you are on the release rota).
"""

CODEOWNERS = """\
*                      @alice @bob
/manifests/            @carol
/charts/               @dave
/.gitops-sre/          @alice
/argocd/               @alice
"""

LADDER = """\
apiVersion: gitops-sre.dev/v1
kind: AutonomyLadder
metadata:
  name: default
spec:
  levels:
    - action: rollback_image
      environment: dev
      level: L4
    - action: rollback_image
      environment: staging
      level: L4
    - action: rollback_image
      environment: production
      level: L3
"""

REMEDIATION = """\
apiVersion: gitops-sre.dev/v1
kind: RemediationPolicy
metadata:
  name: default
spec:
  rules:
    - name: small-blast-radius
      match:
        actions: ["*"]
        environments: ["*"]
        services: ["*"]
      ceiling: L4
      limits:
        objects: 2
        replicas: 20
        namespaces: 1
        fleetShare: 0.34
        confidence: 0.7
    - name: production-needs-a-person
      match:
        actions: ["*"]
        environments: [production]
        services: ["*"]
      ceiling: L3
      approvers: [alice, bob]
"""

GITIGNORE = ".DS_Store\n*.swp\n/rendered/\n"


def documents(notes: tuple[str, ...]) -> dict[str, str]:
    """Every document: path -> text. `notes` are lines that people added to the README over time."""
    return {
        "README.md": README + _section(notes),
        "CODEOWNERS": CODEOWNERS,
        ".gitignore": GITIGNORE,
        ".gitops-sre/policies/autonomy.yaml": LADDER,
        ".gitops-sre/policies/remediation.yaml": REMEDIATION,
    }


def _section(notes: tuple[str, ...]) -> str:
    return "\n## Notes\n\n" + "".join(f"- {note}\n" for note in notes) if notes else ""
