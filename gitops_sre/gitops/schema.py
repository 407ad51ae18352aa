"""Whether objects satisfy the Kubernetes API's own schemas; the only importer of kubernetes-validate."""

from __future__ import annotations

import warnings

from gitops_sre.model.outcome import Done, Inconclusive, Outcome, Refused
from gitops_sre.ports import Manifest


def valid(before: Manifest | None, after: Manifest) -> Outcome:
    """Judge an object as it will be. Unknown kinds are Inconclusive, and so is what was invalid already."""
    problem = _problem(after)
    name = f"{after.get('kind')} {(after.get('metadata') or {}).get('name')}"
    if problem is None:
        return Inconclusive(f"{name}: no schema is known for {after.get('apiVersion')}")
    if not problem:
        return Done()
    if before is not None and _problem(before) == problem:
        return Inconclusive(f"{name} does not satisfy its schema, with or without the change: {problem}")
    return Refused(f"{name} would not satisfy its schema: {problem}")


def _problem(manifest: Manifest) -> str | None:
    """What is wrong with an object; empty when nothing is, None when its schema is unknown."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of its schema library, on import
        import kubernetes_validate  # noqa: PLC0415 - takes 0.2 s, which no other command needs
    version = kubernetes_validate.latest_version()
    try:
        kubernetes_validate.validate(manifest, version, strict=False)
    except kubernetes_validate.ValidationError as error:
        path = ".".join(str(part) for part in error.path)
        return f"{path}: {error.message}"[:300]
    except (kubernetes_validate.SchemaNotFoundError, kubernetes_validate.InvalidSchemaError):
        return None
    return ""
