"""Recorded cases as sources: the same questions as to live ones."""

from __future__ import annotations

from gitops_sre.adapters.cases import Case, moment
from gitops_sre.engine.inquiry import Question, Sources, gather
from gitops_sre.model.findings import Findings
from gitops_sre.perception.presets import Catalogue


def gathered(case: Case, queries: Catalogue, service: str | None = None, environment: str = "") -> Findings:
    """What the files of a case tell about a service, by default the one that its alert names. Raises CaseError."""
    focus = case.header.alert_service if service is None else service
    question = Question(
        moment(case.history), moment(case.header.start), moment(case.asked), case.step, focus, environment
    )
    sources = Sources(
        case,
        ("gauges",),
        case,
        case,
        case.edges,
        case.rollouts,
        case.normal_spans,
        case.normal_lines,
    )
    return gather(question, sources, queries)
