"""REST: deployments and their statuses, as those who deploy make them."""

from __future__ import annotations

from gitops_sre.sandbox.github.http import Answer, Call, Route, invalid, not_found
from gitops_sre.sandbox.github.rest_contents import resolved
from gitops_sre.sandbox.github.state import Deployment, DeploymentStatus
from gitops_sre.sandbox.github.views import Json, stamp

STATES = ("error", "failure", "inactive", "in_progress", "queued", "pending", "success")


def _create(call: Call) -> Answer:
    body = call.body
    ref = body.text("ref")
    made = Deployment(
        id=next(call.hub.ids),
        sha=resolved(call.repo, ref),
        ref=ref,
        environment=body.maybe("environment") or "production",
        description=body.maybe("description"),
        creator=call.by.login,
        created_at=call.hub.now(),
    )
    call.repo.deployments[made.id] = made
    return Answer(_view(call, made), 201)


def _view(call: Call, made: Deployment) -> Json:
    url = call.lens.at(call.repo, f"/deployments/{made.id}")
    return {
        "url": url,
        "id": made.id,
        "node_id": f"DE_{made.id}",
        "sha": made.sha,
        "ref": made.ref,
        "task": "deploy",
        "payload": {},
        "original_environment": made.environment,
        "environment": made.environment,
        "description": made.description,
        "creator": call.lens.user(made.creator),
        "created_at": stamp(made.created_at),
        "updated_at": stamp(made.created_at),
        "statuses_url": f"{url}/statuses",
        "repository_url": call.lens.at(call.repo),
        "transient_environment": False,
        "production_environment": made.environment == "production",
    }


def _create_status(call: Call) -> Answer:
    made = call.repo.deployments.get(call.number("deployment_id"))
    if made is None:
        raise not_found()
    state = call.body.text("state")
    if state not in STATES:
        raise invalid("DeploymentStatus", "state")
    status = DeploymentStatus(
        id=next(call.hub.ids),
        deployment=made.id,
        state=state,
        description=call.body.maybe("description") or "",
        log_url=call.body.maybe("log_url") or call.body.maybe("target_url") or "",
        environment_url=call.body.maybe("environment_url") or "",
        creator=call.by.login,
        created_at=call.hub.now(),
    )
    call.repo.deployment_statuses[status.id] = status
    return Answer(_status(call, made, status), 201)


def _status(call: Call, made: Deployment, status: DeploymentStatus) -> Json:
    url = call.lens.at(call.repo, f"/deployments/{made.id}")
    return {
        "url": f"{url}/statuses/{status.id}",
        "id": status.id,
        "node_id": f"DES_{status.id}",
        "state": status.state,
        "creator": call.lens.user(status.creator),
        "description": status.description,
        "environment": made.environment,
        "target_url": status.log_url,
        "log_url": status.log_url,
        "environment_url": status.environment_url,
        "created_at": stamp(status.created_at),
        "updated_at": stamp(status.created_at),
        "deployment_url": url,
        "repository_url": call.lens.at(call.repo),
    }


def routes() -> tuple[Route, ...]:
    """The operations of this module."""
    repo, write = "/repos/{owner}/{repo}", ("deployments", "write")
    return (
        Route("POST", f"{repo}/deployments", _create, write),
        Route("POST", f"{repo}/deployments/{{deployment_id}}/statuses", _create_status, write),
    )
