"""The fallback for a machine without Prometheus: its HTTP API over samples in memory.

Served: `/api/v1/query` and `/api/v1/query_range` (GET and POST form), `/api/v1/series`, `/api/v1/labels`,
`/api/v1/label/NAME/values`, `/api/v1/rules`, `/api/v1/alerts`, `/api/v1/targets`, `/api/v1/status/buildinfo` and
`/-/ready`, in Prometheus' JSON shapes. The query language is the one `promql.py` defines. Differences to Prometheus:
a query outside that grammar is answered with 422 (`bad_data`, or `execution` where evaluation is undefined), a missing
or malformed parameter with 400; `timeout`, `limit` and `stats` are ignored; alerts leave no `ALERTS` series.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gitops_sre.sandbox.telemetry.alerting import Alert, RuleGroup, RuleState
from gitops_sre.sandbox.telemetry.evaluate import DEBIAN_2, Evaluation, Semantics
from gitops_sre.sandbox.telemetry.nodes import QueryError, Selector
from gitops_sre.sandbox.telemetry.promql import parse, parse_duration
from gitops_sre.sandbox.telemetry.series import Labels
from gitops_sre.sandbox.telemetry.store import Points, Store

MAX_STEPS = 11_000
_FOREVER = 2**53

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]
Parameters = Mapping[str, Sequence[str]]


class ParameterError(Exception):
    """A request parameter is missing or malformed; answered with 400."""


@dataclass(frozen=True)
class Api:
    """The HTTP API over a store and the rules evaluated on it."""

    store: Store
    rules: RuleGroup
    semantics: Semantics = DEBIAN_2

    def routes(self) -> list[Route]:
        """Routes for a Starlette application."""
        answers: dict[str, Callable[[Parameters], Json]] = {
            "/api/v1/query": self.query,
            "/api/v1/query_range": self.query_range,
            "/api/v1/series": self.series,
            "/api/v1/labels": self.label_names,
            "/api/v1/rules": lambda _: self._rules(),
            "/api/v1/alerts": lambda _: {"alerts": [_alert_json(alert) for alert in self.rules.alerts()]},
            "/api/v1/targets": lambda _: {"activeTargets": [_TARGET], "droppedTargets": []},
            "/api/v1/status/buildinfo": lambda _: {"version": "0.0.0+embedded", "revision": "", "branch": ""},
        }
        routes = [Route(path, _endpoint(answer), methods=["GET", "POST"]) for path, answer in answers.items()]
        routes.append(Route("/api/v1/label/{name}/values", _endpoint(self.label_values)))
        routes.append(Route("/-/ready", _ready))
        return routes

    def query(self, parameters: Parameters) -> Json:
        """An instant query: parameters `query` and `time` (now)."""
        node = parse(_required(parameters, "query"))
        at = _time(parameters, "time", round(time.time() * 1000))
        evaluation = Evaluation(node, self.store, at, at, self.semantics)
        result: list[Json]
        match node.kind:
            case "scalar":
                result = [at / 1000, number(evaluation.scalar(at))]
            case "vector":
                rows = evaluation.vector(at)
                result = [{"metric": dict(labels), "value": [at / 1000, number(value)]} for labels, value in rows]
            case "matrix":
                result = [_series_json(points) for points in evaluation.matrix(at)]
        return {"resultType": node.kind, "result": result}

    def query_range(self, parameters: Parameters) -> Json:
        """A range query: parameters `query`, `start`, `end`, `step` (a duration, or seconds)."""
        begin, end, step = _time(parameters, "start"), _time(parameters, "end"), _step(parameters)
        if end < begin:
            raise ParameterError('invalid parameter "end": end timestamp must not be before start time')
        if (end - begin) // step > MAX_STEPS:
            raise ParameterError(
                f"exceeded maximum resolution of {MAX_STEPS:,} points per timeseries. Try decreasing the query "
                "resolution (?step=XX)"
            )
        node = parse(_required(parameters, "query"))
        if node.kind == "matrix":
            raise QueryError("invalid expression type range vector for range query, must be scalar or instant vector")
        evaluation = Evaluation(node, self.store, begin, end, self.semantics)
        rows: dict[Labels, tuple[list[int], list[float]]] = {}
        for at in range(begin, end + 1, step):
            vector = evaluation.vector(at) if node.kind == "vector" else [((), evaluation.scalar(at))]
            for labels, value in vector:
                times, values = rows.setdefault(labels, ([], []))
                times.append(at)
                values.append(value)
        result = [_series_json(Points(labels, *rows[labels])) for labels in sorted(rows)]
        return {"resultType": "matrix", "result": result}

    def series(self, parameters: Parameters) -> Json:
        """Label sets of series: parameters `match[]` (required), `start`, `end`."""
        if "match[]" not in parameters:
            raise ParameterError("no match[] parameter provided")
        return [dict(labels) for labels in self._label_sets(parameters)]

    def label_names(self, parameters: Parameters) -> Json:
        """Names of all labels: parameters `match[]`, `start`, `end`."""
        return sorted({name for labels in self._label_sets(parameters) for name, _ in labels})

    def label_values(self, parameters: Parameters) -> Json:
        """Values of the label `name` (from the path): parameters `match[]`, `start`, `end`."""
        wanted = parameters["name"][0]
        return sorted({value for labels in self._label_sets(parameters) for name, value in labels if name == wanted})

    def _label_sets(self, parameters: Parameters) -> list[Labels]:
        begin, end = _time(parameters, "start", 0), _time(parameters, "end", _FOREVER)
        found: set[Labels] = set()
        for match in parameters.get("match[]", ['{__name__!=""}']):
            node = parse(match)
            if not isinstance(node, Selector) or node.window is not None or node.offset:
                raise ParameterError(f'invalid parameter "match[]": {match!r} is not a plain series selector')
            found.update(points.labels for points in self.store.select(node.matchers, begin, end))
        return sorted(found)

    def _rules(self) -> Json:
        evaluated = _instant(self.rules.evaluated_at)
        rules = [_rule_json(rule, evaluated) for rule in self.rules.rules]
        group: Json = {
            "name": self.rules.name,
            "file": "rules.yaml",
            "rules": rules,
            "interval": self.rules.interval,
            "limit": 0,
            "evaluationTime": 0,
            "lastEvaluation": evaluated,
        }
        return {"groups": [group]}


_TARGET: Json = {
    "discoveredLabels": {},
    "labels": {"job": "shop"},
    "scrapePool": "shop",
    "scrapeUrl": "embedded",
    "lastError": "",
    "health": "up",
}


async def _ready(_: Request) -> Response:
    return PlainTextResponse("Prometheus Server is Ready.\n")


def _endpoint(answer: Callable[[Parameters], Json]) -> Callable[[Request], object]:
    async def endpoint(request: Request) -> Response:
        parameters = await _parameters(request)
        try:
            data = await run_in_threadpool(answer, parameters)
        except ParameterError as error:
            return _json(400, {"status": "error", "errorType": "bad_data", "error": str(error)})
        except QueryError as error:
            return _json(422, {"status": "error", "errorType": error.kind, "error": str(error)})
        return _json(200, {"status": "success", "data": data})

    return endpoint


async def _parameters(request: Request) -> Parameters:
    body = (await request.body()).decode("utf-8", "replace") if request.method == "POST" else ""
    found = parse_qs(body, keep_blank_values=True)
    for key, value in request.query_params.multi_items():
        found.setdefault(key, []).append(value)
    found.update({key: [str(value)] for key, value in request.path_params.items()})
    return found


def _json(status: int, payload: Json) -> Response:
    return Response(json.dumps(payload, allow_nan=False), status, media_type="application/json")


def _required(parameters: Parameters, name: str) -> str:
    if name not in parameters:
        raise ParameterError(f'invalid parameter "{name}": it is missing')
    return parameters[name][0]


def _time(parameters: Parameters, name: str, default: int | None = None) -> int:
    """A time parameter in Unix milliseconds: Unix seconds or RFC 3339 in the request."""
    if default is not None and not parameters.get(name, [""])[0]:
        return default
    text = _required(parameters, name)
    try:
        seconds = float(text) if _is_number(text) else datetime.fromisoformat(text).timestamp()
    except ValueError as error:
        raise ParameterError(f'invalid parameter "{name}": cannot parse {text!r} to a valid timestamp') from error
    if not abs(seconds) * 1000 < _FOREVER:
        raise ParameterError(f'invalid parameter "{name}": {text!r} is out of range')
    return round(seconds * 1000)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _step(parameters: Parameters) -> int:
    text = _required(parameters, "step")
    try:
        step = round(float(text) * 1000) if _is_number(text) else parse_duration(text)
    except (QueryError, ValueError, OverflowError) as error:
        raise ParameterError(f'invalid parameter "step": cannot parse {text!r} to a valid duration') from error
    if step <= 0:
        raise ParameterError(
            'invalid parameter "step": zero or negative query resolution step widths are not accepted. '
            "Try a positive integer"
        )
    return step


def number(value: float) -> str:
    """A sample value as Prometheus writes it in JSON."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return repr(value).removesuffix(".0")


def _series_json(points: Points) -> Json:
    values: list[Json] = [[at / 1000, number(value)] for at, value in zip(points.times, points.values, strict=True)]
    return {"metric": dict(points.labels), "values": values}


def _instant(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _alert_json(alert: Alert) -> Json:
    return {
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "state": alert.state,
        "activeAt": _instant(alert.active_at),
        "value": f"{alert.value:e}",
    }


def _rule_json(state: RuleState, evaluated: str) -> Json:
    rule = state.rule
    return {
        "state": state.state,
        "name": rule.name,
        "query": rule.query,
        "duration": rule.hold / 1000,
        "labels": dict(rule.labels),
        "annotations": dict(rule.annotations),
        "alerts": [_alert_json(alert) for alert in state.active.values()],
        "health": "ok",
        "evaluationTime": 0,
        "lastEvaluation": evaluated,
        "type": "alerting",
    }
