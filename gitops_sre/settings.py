"""Settings: one YAML file plus a few environment variables -> frozen, validated values.

Unknown keys, keys given twice and wrong types are refused with file, line and remedy. Secrets are never in the file: it
names files or environment variables that hold them. Durations are seconds.

YAML is read narrowly, so that two people do not read one file differently: no tags, anchors or aliases; numbers as JSON
writes them; `true` and `false` alone are truth values; dates are text. A key or section left empty has its default.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

MAX_DEPTH = 16
"""Levels of nesting; the deepest setting stands on the fourth."""
LONGEST = 10 * 366 * 86400
"""Seconds. What is longer is a slip, and calendars end somewhere."""


def _address(value: str) -> str:
    """An address that can be taken apart, and that holds no password."""
    parts = urlsplit(value)
    if "@" in parts.netloc:
        raise ValueError("holds a user or password, which belong in an environment variable")
    if not parts.hostname or parts.port == 0:
        raise ValueError("names no host and port that can be reached")
    return value


Seconds = Annotated[float, Field(gt=0, le=LONGEST)]
SecondsOrNone = Annotated[float, Field(ge=0, le=LONGEST)]
Ratio = Annotated[float, Field(ge=0, le=1)]
Address = Annotated[str, Field(pattern=r"^https?://[^\s?#]+$"), AfterValidator(_address)]


class ConfigError(Exception):
    """The configuration cannot be used; the message names file, place and remedy. Never retried."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class GitHubSettings(_Section):
    """Where the infra repository lives and who the bot is there. Give an App (preferred) or a token."""

    repository: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+$", description="owner/name")
    branch: str = Field("main", pattern=r"^[A-Za-z0-9._/-]+$", description="branch that the reconciler watches")
    api_url: Address = Field("https://api.github.com", description="REST API; https://HOST/api/v3 on Enterprise")
    git_url: str = Field("", description="clone URL; default: derived from api_url and repository")
    app_id: int | None = Field(None, ge=1, description="the GitHub App; without one a token is used")
    installation_id: int | None = Field(None, ge=1, description="default: looked up for the repository")
    private_key_file: Path | None = Field(None, description="the App's PEM private key")
    token_env: str = Field("GITHUB_TOKEN", description="environment variable with a token, when there is no App")
    timeout: Seconds = Field(20, description="for one request")
    advise: bool = Field(
        False, description="leave a check run on everybody's pull requests: what they reach and what deserves a look"
    )
    dashboard: bool = Field(True, description="keep one issue that shows what is open and what the bot may do")
    min_write_interval: SecondsOrNone = Field(1.0, description="between content-creating requests")


class PrometheusSettings(_Section):
    """A Prometheus-compatible API."""

    url: Address = Field(description="base address, without /api/v1")
    token_env: str = Field("", description="environment variable with a bearer token")
    timeout: Seconds = Field(10, description="for one query")
    max_series: int = Field(2000, ge=1, description="series in one answer; more are refused")
    max_points: int = Field(11000, ge=10, description="samples of a series in one query; more are not asked for")
    poll_alerts: bool = Field(True, description="poll its alert list (/api/v1/alerts) too")


class AlertmanagerSettings(_Section):
    """An Alertmanager to poll, beside or instead of Prometheus' own alert list."""

    url: Address = Field(description="base address, without /api/v2")
    timeout: Seconds = Field(10, description="for one request")


class KubernetesSettings(_Section):
    """Read-only access to the cluster. Default: the pod's service account, else the default kubeconfig."""

    enabled: bool = Field(
        True,
        description="false: there is no way to it. What runs is taken from the infra repository's files, what is live "
        "from commit statuses and deployments on GitHub, and no fix is merged without an approval (L3)",
    )
    kubeconfig: Path | None = Field(None, description="default: the pod's service account, else ~/.kube/config")
    context: str = Field("", description="of the kubeconfig; default: its current one")
    argocd_namespace: str = Field("argocd", description="where the Applications are")
    timeout: Seconds = Field(10, description="for one request")


class LabelSettings(_Section):
    """Which alert and metric labels name what. The first label that is present wins."""

    service: tuple[str, ...] = Field(("service", "app", "job", "deployment"), description="labels that name a service")
    environment: tuple[str, ...] = Field(
        ("environment", "env", "namespace"), description="labels that name an environment (or its namespace)"
    )
    namespace: tuple[str, ...] = Field(
        ("exported_namespace", "namespace"), description="labels that name a Kubernetes namespace"
    )


class EnvironmentSettings(_Section):
    """One environment. `namespaces` are globs; `tier` is what policies and blast radius speak of."""

    tier: str = Field("standard", description="what policies call it, such as critical")
    namespaces: tuple[str, ...] = Field((), description="globs; default: the namespace of the same name")


class SloSettings(_Section):
    """Objectives, judged on requests, errors and latency. Where the file has no `slos`, one with these defaults holds
    for everything."""

    services: tuple[str, ...] = Field(("*",), description="globs; the first objective that fits a service is its own")
    environments: tuple[str, ...] = Field(("*",), description="globs")
    error_ratio: Ratio = Field(0.02, description="errors / requests must stay below")
    latency_p99: Seconds | None = Field(None, description="99th percentile in seconds must stay below")


class TimingSettings(_Section):
    """How long things take. Everything that waits reads it from here; seconds."""

    poll: Seconds = Field(30, description="between looks at an incident that waits")
    rate_window: Seconds = Field(300, description="range of rate() in queries")
    step: Seconds = Field(60, description="resolution of range queries")
    investigate: Seconds = Field(900, description="how far before the onset evidence reaches")
    baseline: Seconds = Field(3600, description="length of the quiet time to compare with, before that")
    change_lookback: Seconds = Field(21600, description="how long before the onset a change may be its cause")
    clock_skew: Seconds = Field(120, description="by how much clocks may differ")
    group_window: Seconds = Field(300, description="alerts starting within it may be one incident")
    investigate_after: SecondsOrNone = Field(0, description="an alert must have fired this long: flaps end before")
    cooldown: Seconds = Field(3600, description="after a call for a person, the same service opens no new incident")
    approval: Seconds = Field(86400, description="an L3 pull request waits this long, then escalates")
    remind: Seconds = Field(14400, description="after it the reviewers are reminded once")
    live: Seconds = Field(1800, description="a merged change must be live by then")
    settle: SecondsOrNone = Field(60, description="after live, before the SLO is judged; one rate_window at least")
    window: Seconds = Field(600, description="the SLO is judged over it")
    deadline: Seconds = Field(1800, description="after live, a verdict must have been reached")


class EngineSettings(_Section):
    """Durable execution and storage."""

    state: Literal["database", "branch"] = Field(
        "database",
        description="where incidents and the ledger are kept; branch: in ledger_branch of the infra repository, for "
        "`run --once` on machines that are new each time",
    )
    ledger_branch: str = Field(
        "gitops-sre/ledger",
        pattern=r"^[A-Za-z0-9._/-]+$",
        description="made when it is not there; protect it against deletion and forced pushes",
    )
    database_url: str = Field(
        "sqlite:///gitops-sre.db",
        repr=False,  # it may hold a password
        description="sqlite:///FILE, or postgresql://... to scale out; DATABASE_URL in the environment wins",
    )
    executor: str = Field(
        "",
        pattern=r"^[A-Za-z0-9._-]*$",
        description="this process's name among those that share the database; "
        "a restarted process must have its old one (default: the host name)",
    )
    workers: int = Field(4, ge=1, le=64, description="incidents looked at at once")
    lease: Seconds = Field(60, description="after it another process may take over an incident")


class SigningSettings(_Section):
    """The Ed25519 key that signs plans. Who has it can speak for the bot; without it no earlier action is believed."""

    key_file: Path = Field(description="PEM file; `gitops-sre doctor --create-key FILE` makes one")


class PolicySettings(_Section):
    """Where policy stands in the infra repository; read at the base commit of the protected branch."""

    path: str = Field(".gitops-sre/policies", description="folder in the infra repository")


class AutonomySettings(_Section):
    """When the bot's own record is good enough to propose a higher level (docs/autonomy.md). A person decides."""

    lower_bound: Ratio = Field(0.9, description="least share of verified fixes, as the record's lower 95 % bound")
    cases: int = Field(20, ge=1, description="least number of cases at the present level or a higher one")
    shadow_window: Seconds = Field(86_400, description="for people to do what was only reported, or something else")


class LimitSettings(_Section):
    """How many fixes may be proposed at once; one more waits. Reverts are not counted and never held back."""

    open: int = Field(10, ge=1, description="fixes open at once")
    open_per_service: int = Field(1, ge=1, description="fixes open at once for a service in an environment")
    per_hour: int = Field(6, ge=1, description="fixes proposed within an hour")


class BreakerSettings(_Section):
    """When the bot's own record takes levels away (docs/policies.md). A failure: verified without help, never known, or
    taken back by a person."""

    same_action: int = Field(2, ge=1, description="failures in a row of one action on a service: a person merges")
    service: int = Field(3, ge=1, description="failures in a row of any action on a service: a person merges")
    action: int = Field(3, ge=1, description="failures in a row of one action anywhere: a person merges")
    everything: int = Field(4, ge=1, description="failures in a row of anything anywhere: a person merges")
    flaps: int = Field(3, ge=1, description="times that the same action has helped a service within `flap_window`")
    flap_window: Seconds = Field(86_400, description="for `flaps`")
    first_time: bool = Field(
        False, description="a person approves the first fix of a cause that none has been verified of in an environment"
    )
    budget_window: SecondsOrNone = Field(
        0, description="of the error budget, such as 2419200 (28 days): once it is spent, a person merges; 0: not asked"
    )


class DecisionSettings(_Section):
    """When the diagnosis is good enough to act on."""

    act_above: Ratio = Field(0.7, description="posterior of the top hypothesis needed for a plan")
    no_fault_above: Ratio = Field(0.7, description="posterior of `no_fault` needed to dismiss")
    investigations: int = Field(2, ge=1, le=3, description="how often diagnosis may run in one incident")


class WebSettings(_Section):
    """The webhook receiver of `serve`."""

    host: str = Field("127.0.0.1", description="address to listen on; 0.0.0.0 in a container")
    port: int = Field(8080, ge=0, le=65535, description="0: any free one, printed at the start")
    metrics_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="answer Prometheus at `/metrics` on a port of its own, at the same address; 0: any",
    )
    max_body: int = Field(1_000_000, ge=1000, description="bytes of one request")
    alert_token_env: str = Field("GITOPS_SRE_ALERT_TOKEN", description="bearer token that Alertmanager sends")
    github_secret_env: str = Field("GITOPS_SRE_WEBHOOK_SECRET", description="secret of the App's webhook")


class Settings(_Section):
    """Everything, frozen."""

    github: GitHubSettings
    prometheus: PrometheusSettings
    alertmanager: AlertmanagerSettings | None = None
    kubernetes: KubernetesSettings = KubernetesSettings()
    labels: LabelSettings = LabelSettings()
    environments: Mapping[str, EnvironmentSettings] = {}
    slos: tuple[SloSettings, ...] = (SloSettings(),)
    timing: TimingSettings = TimingSettings()
    engine: EngineSettings = EngineSettings()
    signing: SigningSettings
    policy: PolicySettings = PolicySettings()
    decision: DecisionSettings = DecisionSettings()
    autonomy: AutonomySettings = AutonomySettings()
    limits: LimitSettings = LimitSettings()
    breaker: BreakerSettings = BreakerSettings()
    web: WebSettings = WebSettings()
    cache_dir: Path = Field(Path(".gitops-sre-cache"), description="clone of the infra repository; may be deleted")
    log: Literal["text", "json"] = Field("text", description="form of the service's log lines")


def load(path: Path, environment: Mapping[str, str]) -> Settings:
    """Read and validate settings. Relative paths in the file are relative to its folder. Raises ConfigError."""
    node = _compose(path, _text(path))
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(f"{path}: must be a mapping of sections; `gitops-sre config schema` prints what is known")
    raw = _mapping(path, node, ())
    try:
        settings = Settings.model_validate_json(json.dumps(raw), strict=True)
    except ValidationError as error:
        raise ConfigError(_explain(path, node, error)) from None  # pydantic's own words may repeat what must not be
    url = environment.get("DATABASE_URL", "").strip() or settings.engine.database_url
    return _absolute(settings, url, path.resolve().parent)


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); name the file with --settings") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: not UTF-8 text; save it as UTF-8") from error


def _compose(path: Path, text: str) -> yaml.Node | None:
    """The file as nodes that know their line. Nesting is bounded before anything recurses over it."""
    try:
        depth = 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                raise _refused(event, f"nested deeper than {MAX_DEPTH} levels")
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
                raise _refused(event, "anchors and aliases are not read here")
            if getattr(event, "tag", None) is not None:
                raise _refused(event, "tags are not read here")
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise ConfigError(f"{path}{place}: not usable YAML: {error.problem}; write plain YAML") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        what = f"character U+{int(error.character):04X} is not allowed"
        raise ConfigError(f"{path}:{line}: not usable YAML: {what}; remove it") from error


def _refused(event: yaml.Event, what: str) -> yaml.MarkedYAMLError:
    mark = event.start_mark
    return yaml.MarkedYAMLError(problem=what, problem_mark=mark if isinstance(mark, yaml.Mark) else None)


_Data = str | int | float | bool | list["_Data"] | dict[str, "_Data"] | None
_Place = tuple[str | int, ...]


def _mapping(path: Path, node: yaml.MappingNode, place: _Place) -> dict[str, _Data]:
    """A mapping as JSON has it. A key left empty is left out: its default holds; an environment may have none set."""
    found: dict[str, _Data] = {}
    first: dict[str, int] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode) or key.value == "<<":
            raise ConfigError(_complaint(path, _line(key), place, "a key must be a plain word; write the keys out"))
        here, line = (*place, key.value), _line(key)
        if key.value in first:
            what = f"given twice, first in line {first[key.value]}; keep one of them"
            raise ConfigError(_complaint(path, line, here, what))
        first[key.value] = line
        data = _data(path, value, here)
        if data is not None:
            found[key.value] = data
        elif place == ("environments",):
            found[key.value] = {}
    return found


def _data(path: Path, node: yaml.Node, place: _Place) -> _Data:
    if isinstance(node, yaml.MappingNode):
        return _mapping(path, node, place)
    if isinstance(node, yaml.SequenceNode):
        return [_data(path, item, (*place, index)) for index, item in enumerate(node.value)]
    text = str(node.value)
    if not text.isprintable():
        what = "holds a line break or a character that cannot be seen; remove it"
        raise ConfigError(_complaint(path, _line(node), place, what))
    return _plain(text) if isinstance(node, yaml.ScalarNode) and node.style is None else text


_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,20})?([eE][-+]?[0-9]{1,3})?")
_WORDS: Mapping[str, bool | None] = {"true": True, "false": False, "null": None, "~": None, "": None}


def _plain(text: str) -> _Data:
    """An unquoted scalar."""
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else _WORDS.get(text, text)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _explain(path: Path, node: yaml.Node, error: ValidationError) -> str:
    """The problem that stands first in the file, with the line of the deepest key that exists there."""
    problems = error.errors(include_url=False, include_input=False)
    line, first = min(((_line_of(node, problem["loc"]), problem) for problem in problems), key=lambda found: found[0])
    what = _REMEDIES.get(first["type"])
    if what is None:
        what = f"{first['msg'].removeprefix('Value error, ')}; `gitops-sre config schema` says what is possible"
    more = f" ({len(problems) - 1} more)" if len(problems) > 1 else ""
    return _complaint(path, line, first["loc"], what) + more


_REMEDIES = {
    "extra_forbidden": "unknown key; remove it or see `gitops-sre config schema`",
    "missing": "is missing; add it",
    "string_type": "must be text; put it in quotes",
    "path_type": "must be text; put it in quotes",
    "int_type": "must be a whole number, written without quotes",
    "float_type": "must be a number, written without quotes",
    "bool_type": "must be true or false, written without quotes",
    "tuple_type": "must be a list",
    "model_type": "must be a mapping of keys",
    "mapping_type": "must be a mapping of keys",
    "dict_type": "must be a mapping of keys",
}
"""By pydantic's type of error; the others say it well enough themselves."""


def _complaint(path: Path, line: int, place: _Place, what: str) -> str:
    name = ".".join(str(part) if str(part).isprintable() else ascii(part) for part in place)
    return f"{path}:{line}: {name}: {what}" if name else f"{path}:{line}: {what}"


def _line_of(node: yaml.Node, place: _Place) -> int:
    """1-based line of the deepest node on the key path that the file has; 1 when it has none."""
    line = 1
    for part in place:
        if isinstance(node, yaml.MappingNode):
            pair = next(((key, value) for key, value in node.value if key.value == str(part)), None)
            if pair is None:
                break
            line, node = _line(pair[0]), pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = _line(node)
        else:
            break
    return line


def _absolute(settings: Settings, database_url: str, folder: Path) -> Settings:
    """Resolve the file's relative paths against its folder; a database's file is one of them."""

    def at(path: Path | None) -> Path | None:
        return None if path is None else folder / path.expanduser()

    scheme, separator, file = database_url.partition(":///")
    if scheme.startswith("sqlite") and separator and not file.startswith((":memory:", "file:", "/")):
        database_url = f"{scheme}{separator}{folder / file}"
    return settings.model_copy(
        update={
            "github": settings.github.model_copy(update={"private_key_file": at(settings.github.private_key_file)}),
            "kubernetes": settings.kubernetes.model_copy(update={"kubeconfig": at(settings.kubernetes.kubeconfig)}),
            "signing": settings.signing.model_copy(update={"key_file": at(settings.signing.key_file)}),
            "engine": settings.engine.model_copy(update={"database_url": database_url}),
            "cache_dir": at(settings.cache_dir),
        }
    )


def schema() -> dict[str, Any]:
    """JSON Schema of the settings file."""
    return Settings.model_json_schema()


def shipped(folder: Literal["policies", "templates"]) -> Path:
    """The folder of default policies or templates: inside the wheel, or the checkout's top level when editable."""
    inside = Path(str(resources.files("gitops_sre") / "_shipped" / folder))
    return inside if inside.is_dir() else Path(__file__).resolve().parent.parent / folder
