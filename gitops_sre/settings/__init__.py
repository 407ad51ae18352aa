"""Settings: one YAML file plus a few environment variables -> frozen, validated values.

Unknown keys, keys given twice and wrong types are refused with file, line and remedy. Secrets are never in the file: it
names files or environment variables that hold them. Durations are seconds.

YAML is read narrowly, so that two people do not read one file differently: no tags, anchors or aliases; numbers as JSON
writes them; `true` and `false` alone are truth values; dates are text. A key or section left empty has its default.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from gitops_sre.settings.hosts import beyond
from gitops_sre.settings.written import ConfigError as ConfigError
from gitops_sre.settings.written import compose, explain, mapping, text_of

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


def _sender(value: str) -> str:
    """A name that is not taken: those of the sources that are polled mean them."""
    if value in ("alertmanager", "prometheus"):
        raise ValueError("is what the bot's own sources are called; choose another name")
    return value


Seconds = Annotated[float, Field(gt=0, le=LONGEST)]
SecondsOrNone = Annotated[float, Field(ge=0, le=LONGEST)]
Ratio = Annotated[float, Field(ge=0, le=1)]
Address = Annotated[str, Field(pattern=r"^https?://[^\s?#]+$"), AfterValidator(_address)]
Sender = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", max_length=63), AfterValidator(_sender)]


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
    cluster: str = Field("", description="the cluster's name, as policies call it; empty: not known to them")
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


class LearningSettings(_Section):
    """What the bot's figures are held against (docs/kpi.md)."""

    baseline_detect: Seconds | None = Field(None, description="the team's own mean time to detect, before the bot")
    baseline_recover: Seconds | None = Field(None, description="the team's own mean time to recover, before the bot")


class LimitSettings(_Section):
    """How many fixes may be proposed at once; one more waits. Reverts are not counted and never held back."""

    open: int = Field(10, ge=1, description="fixes open at once")
    open_per_service: int = Field(1, ge=1, description="fixes open at once for a service in an environment")
    per_hour: int = Field(6, ge=1, description="fixes proposed within an hour")


class BreakerSettings(_Section):
    """When the bot's own record takes levels away (docs/policy.md). A failure: verified without help, never known, or
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
    senders: Mapping[Sender, str] = Field(
        {},
        description="who else may send alerts: a name for each, which `Ownership` policies speak of, and the "
        "environment variable with its own bearer token",
    )
    github_secret_env: str = Field("GITOPS_SRE_WEBHOOK_SECRET", description="secret of the App's webhook")


class ChannelSettings(_Section):
    """A way to call people: where its address stands, in the words of apprise (docs/notifications.md). The address is a
    secret: it is in an environment variable or a file, never here."""

    url_env: str = Field("", pattern=r"^[A-Za-z0-9_]*$", description="environment variable that holds the address")
    url_file: Path | None = Field(None, description="or the file that does, on its first line")

    @model_validator(mode="after")
    def _one(self) -> ChannelSettings:
        if bool(self.url_env) == (self.url_file is not None):
            raise ValueError("give either url_env or url_file")
        return self


class NotificationSettings(_Section):
    """How people are called beside GitHub; whom for what is policy. Without channels: not at all."""

    channels: Mapping[
        Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", max_length=63)], ChannelSettings
    ] = Field({}, description="name: {url_env: NAME} or {url_file: PATH}; policies speak of the names")
    timeout: Seconds = Field(20, description="for one message to one channel")
    tries: int = Field(8, ge=1, le=50, description="for one message to one channel, each after twice the wait before")
    wait: Seconds = Field(30, description="before the second try; an hour at most before any")


class PriceSettings(_Section):
    """What a million tokens of the model cost, all in one currency of your choice."""

    input: float = Field(ge=0, description="of a question")
    output: float = Field(ge=0, description="of an answer")
    cache_read: float = Field(ge=0, description="of a question's beginning that the cache knows")
    cache_write: float = Field(ge=0, description="of a question's beginning that the cache is to keep")


class InvestigatorSettings(_Section):
    """A language model that is asked for its opinion (docs/investigator.md). Without this section none is."""

    model: str = Field(pattern=r"^[A-Za-z0-9@._:/-]{1,128}$", description="the model's id, as the API calls it")
    url: Address = Field("https://api.anthropic.com", description="the Messages API, without /v1")
    key_env: str = Field(
        "ANTHROPIC_API_KEY", pattern=r"^[A-Za-z0-9_]+$", description="environment variable that holds the key"
    )
    timeout: Seconds = Field(60, description="for one request")
    retries: int = Field(2, ge=0, le=10, description="of one request that is rate-limited, overloaded or lost")
    answer_tokens: int = Field(2000, ge=256, le=16_000, description="in one answer")
    calls: int = Field(4, ge=1, le=50, description="answers in one incident")
    tokens: int = Field(12_000, ge=1000, description="in one incident, of questions and answers together")
    seconds: Seconds = Field(180, description="in one incident")
    money: float | None = Field(None, gt=0, description="in one incident, in the currency of `prices`")
    prices: PriceSettings | None = Field(None, description="without them money is not counted")
    when: Literal["undecided", "always"] = Field("undecided", description="whether it is asked about every fault")
    decisive: float = Field(0.9, gt=0, le=1, description="posterior from which on a diagnosis is not undecided")
    ratio: float = Field(4, ge=1, le=20, description="how many times as probable its word makes what it names, at most")

    @model_validator(mode="after")
    def _priced(self) -> InvestigatorSettings:
        if self.money is not None and self.prices is None:
            raise ValueError("money cannot be counted without prices; add them")
        return self


class NetworkSettings(_Section):
    """Where the bot may go."""

    allow: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9.:_-]+$", max_length=253)], ...] = Field(
        (), description="names of hosts, without port, that channels may reach besides their own"
    )
    only: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9.:_*-]+$", max_length=253)], ...] = Field(
        (),
        description="names (or globs) of hosts, without port. Where there are any, no other host is reached, whatever "
        "leads to it; an address in this file that is on another one is refused",
    )


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
    notifications: NotificationSettings = NotificationSettings()
    investigator: InvestigatorSettings | None = None
    learning: LearningSettings = LearningSettings()
    network: NetworkSettings = NetworkSettings()
    web: WebSettings = WebSettings()
    cache_dir: Path = Field(Path(".gitops-sre-cache"), description="clone of the infra repository; may be deleted")
    log: Literal["text", "json"] = Field("text", description="form of the service's log lines")


def load(path: Path, environment: Mapping[str, str]) -> Settings:
    """Read and validate settings. Relative paths in the file are relative to its folder. Raises ConfigError."""
    node = compose(path, text_of(path))
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(f"{path}: must be a mapping of sections; `gitops-sre config schema` prints what is known")
    raw = mapping(path, node, ())
    try:
        settings = Settings.model_validate_json(json.dumps(raw), strict=True)
    except ValidationError as error:
        raise ConfigError(explain(path, node, error)) from None  # pydantic's own words may repeat what must not be
    url = environment.get("DATABASE_URL", "").strip() or settings.engine.database_url
    found = _absolute(settings, url, path.resolve().parent)
    if why := beyond(found):
        raise ConfigError(f"{path}: {why}")
    return found


def _absolute(settings: Settings, database_url: str, folder: Path) -> Settings:
    """Resolve the file's relative paths against its folder; a database's file is one of them."""

    def at(path: Path | None) -> Path | None:
        return None if path is None else folder / path.expanduser()

    scheme, separator, file = database_url.partition(":///")
    if scheme.startswith("sqlite") and separator and not file.startswith((":memory:", "file:", "/")):
        database_url = f"{scheme}{separator}{folder / file}"
    channels = {
        name: each.model_copy(update={"url_file": at(each.url_file)})
        for name, each in settings.notifications.channels.items()
    }
    return settings.model_copy(
        update={
            "notifications": settings.notifications.model_copy(update={"channels": channels}),
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
    return inside if inside.is_dir() else Path(__file__).resolve().parents[2] / folder
