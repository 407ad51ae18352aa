"""Settings: one YAML file plus a few environment variables -> frozen, validated values.

Unknown keys and wrong types are refused with file, line and remedy. Secrets are never in the file: it names files or
environment variables that hold them. Durations are seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

Seconds = Annotated[float, Field(gt=0)]
Ratio = Annotated[float, Field(ge=0, le=1)]


class ConfigError(Exception):
    """The configuration cannot be used; the message names file, place and remedy. Never retried."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class GitHubSettings(_Section):
    """Where the infra repository lives and who the bot is there. Give an App (preferred) or a token."""

    repository: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+$", description="owner/name")
    branch: str = Field("main", pattern=r"^[A-Za-z0-9._/-]+$", description="branch that the reconciler watches")
    api_url: str = Field("https://api.github.com", pattern=r"^https?://")
    git_url: str = Field("", description="clone URL; default: derived from api_url and repository")
    app_id: int | None = None
    installation_id: int | None = Field(None, description="default: looked up for the repository")
    private_key_file: Path | None = Field(None, description="the App's PEM private key")
    token_env: str = Field("GITHUB_TOKEN", description="environment variable with a token, when there is no App")
    timeout: Seconds = 20
    min_write_interval: float = Field(1.0, ge=0, description="seconds between content-creating requests")


class PrometheusSettings(_Section):
    """A Prometheus-compatible API."""

    url: str = Field(pattern=r"^https?://")
    token_env: str = Field("", description="environment variable with a bearer token")
    timeout: Seconds = 10
    max_series: int = Field(2000, ge=1)
    max_points: int = Field(11000, ge=10)
    poll_alerts: bool = True


class AlertmanagerSettings(_Section):
    """An Alertmanager to poll, beside or instead of Prometheus' own alert list."""

    url: str = Field(pattern=r"^https?://")
    timeout: Seconds = 10


class KubernetesSettings(_Section):
    """Read-only access to the cluster. Default: the pod's service account, else the default kubeconfig."""

    kubeconfig: Path | None = None
    context: str = ""
    argocd_namespace: str = "argocd"
    timeout: Seconds = 10


class LabelSettings(_Section):
    """Which alert and metric labels name what. The first label that is present wins."""

    service: tuple[str, ...] = ("service", "app", "job", "deployment")
    environment: tuple[str, ...] = ("environment", "env", "namespace")
    namespace: tuple[str, ...] = ("namespace", "exported_namespace")


class EnvironmentSettings(_Section):
    """One environment. `namespaces` are globs; `tier` is what policies and blast radius speak of."""

    tier: str = "standard"
    namespaces: tuple[str, ...] = ()


class SloSettings(_Section):
    """Objectives that apply to services (globs). Error ratio and latency are judged on the metrics preset."""

    services: tuple[str, ...] = ("*",)
    environments: tuple[str, ...] = ("*",)
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
    investigate_after: float = Field(0, ge=0, description="an alert must have fired this long: flaps end before")
    cooldown: Seconds = Field(3600, description="after a call for a person, the same service opens no new incident")
    approval: Seconds = Field(86400, description="an L3 pull request waits this long, then escalates")
    remind: Seconds = Field(14400, description="after it the reviewers are reminded once")
    live: Seconds = Field(1800, description="a merged change must be live by then")
    settle: float = Field(60, ge=0, description="after live, before the SLO is judged")
    window: Seconds = Field(600, description="the SLO is judged over it")
    deadline: Seconds = Field(1800, description="after live, a verdict must have been reached")


class EngineSettings(_Section):
    """Durable execution and storage."""

    database_url: str = Field("sqlite:///gitops-sre.db", description="or DATABASE_URL; postgresql://... to scale out")
    executor: str = Field(
        "",
        pattern=r"^[A-Za-z0-9._-]*$",
        description="this process's name among those that share the database; "
        "a restarted process must have its old one (default: the host name)",
    )
    workers: int = Field(4, ge=1, le=64)
    lease: Seconds = 60


class SigningSettings(_Section):
    """The Ed25519 key that signs plans and the ledger (PEM). Made by `gitops-sre doctor --create-key FILE`."""

    key_file: Path


class PolicySettings(_Section):
    """Where policy stands in the infra repository; read at the base commit of the protected branch."""

    path: str = ".gitops-sre/policies"


class DecisionSettings(_Section):
    """When the diagnosis is good enough to act on."""

    act_above: Ratio = Field(0.7, description="posterior of the top hypothesis needed for a plan")
    no_fault_above: Ratio = Field(0.7, description="posterior of `no_fault` needed to dismiss")
    investigations: int = Field(2, ge=1, le=3, description="how often diagnosis may run in one incident")


class WebSettings(_Section):
    """The webhook receiver of `serve`."""

    host: str = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65535)
    max_body: int = Field(1_000_000, ge=1000, description="bytes")
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
    web: WebSettings = WebSettings()
    cache_dir: Path = Path(".gitops-sre-cache")
    log: Literal["text", "json"] = "text"


def load(path: Path, environment: Mapping[str, str]) -> Settings:
    """Read and validate settings. Relative paths in the file are relative to it. Raises ConfigError."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); name the file with --settings") from error
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise ConfigError(f"{path}{place}: not valid YAML: {getattr(error, 'problem', error)}") from error
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: must be a mapping of sections; `gitops-sre config schema` prints what is known")
    if "DATABASE_URL" in environment and isinstance(raw.setdefault("engine", {}), dict):
        raw["engine"]["database_url"] = environment["DATABASE_URL"]
    try:
        settings = Settings.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(_explain(path, text, error)) from error
    return _absolute(settings, path.resolve().parent)


def _explain(path: Path, text: str, error: ValidationError) -> str:
    """The first problem, with the line of the deepest key that exists in the file."""
    first = error.errors(include_url=False)[0]
    place = tuple(first["loc"])
    line = _line_of(text, place)
    remedy = (
        "unknown key; remove it or see `gitops-sre config schema`"
        if first["type"] == "extra_forbidden"
        else first["msg"]
    )
    more = f" ({error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{path}:{line}: {'.'.join(str(part) for part in place)}: {remedy}{more}"


def _line_of(text: str, place: tuple[str | int, ...]) -> int:
    """1-based line of the deepest node on the key path that the file has."""
    node: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    line = 1
    for part in place:
        if isinstance(node, yaml.MappingNode):
            pair = next(((key, value) for key, value in node.value if key.value == str(part)), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line


def _absolute(settings: Settings, folder: Path) -> Settings:
    """Resolve the file's relative paths against its folder."""

    def at(path: Path | None) -> Path | None:
        return None if path is None else folder / path.expanduser()

    return settings.model_copy(
        update={
            "github": settings.github.model_copy(update={"private_key_file": at(settings.github.private_key_file)}),
            "kubernetes": settings.kubernetes.model_copy(update={"kubeconfig": at(settings.kubernetes.kubeconfig)}),
            "signing": settings.signing.model_copy(update={"key_file": at(settings.signing.key_file)}),
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
