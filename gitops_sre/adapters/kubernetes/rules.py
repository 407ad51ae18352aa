"""What a credential of the cluster may do, by SelfSubjectRulesReview: a question, though it is asked by POST."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gitops_sre.model.grant import Rule
from gitops_sre.model.outcome import Unavailable

_REVIEW = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview"}


def rules(api: Any, namespaces: Sequence[str], timeout: float) -> tuple[Rule, ...] | Unavailable:
    """The rules that hold in these namespaces. `api` is the client's CustomObjectsApi; `timeout` is in seconds."""
    from kubernetes.client import ApiException  # noqa: PLC0415 - the client takes long to import
    from urllib3.exceptions import HTTPError  # noqa: PLC0415

    found: list[Rule] = []
    for namespace in namespaces:
        review = {**_REVIEW, "spec": {"namespace": namespace}}
        try:
            answer = api.create_cluster_custom_object(
                "authorization.k8s.io", "v1", "selfsubjectrulesreviews", review, _request_timeout=timeout
            )
        except ApiException as error:
            return Unavailable(f"the API server answers {error.status} when it is asked what the bot may do")
        except (HTTPError, OSError, ValueError) as error:
            return Unavailable(f"the API server does not say what the bot may do ({type(error).__name__})")
        found += (_rule(namespace, each) for each in _rules(answer))
    return tuple(found)


def _rules(answer: Any) -> list[Mapping[str, Any]]:
    status = answer.get("status") if isinstance(answer, Mapping) else None
    written = status.get("resourceRules") if isinstance(status, Mapping) else None
    return [each for each in written if isinstance(each, Mapping)] if isinstance(written, list) else []


def _rule(namespace: str, raw: Mapping[str, Any]) -> Rule:
    verbs, resources, groups = (
        tuple(str(name) for name in raw.get(key) or ()) for key in ("verbs", "resources", "apiGroups")
    )
    return Rule(namespace, verbs, resources, groups)
