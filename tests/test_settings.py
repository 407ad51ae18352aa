"""Settings: a file and the environment become validated values, or one line that names place and remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from gitops_sre.settings import ConfigError, Settings, load, schema, shipped

MINIMAL = """\
github:
  repository: acme/infra
  private_key_file: keys/app.pem
prometheus:
  url: http://prometheus:9090
signing:
  key_file: keys/signing.pem
"""


def written(folder: Path, text: str | bytes) -> Path:
    """A settings file."""
    path = folder / "settings.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def complaint(folder: Path, text: str | bytes, environment: dict[str, str] | None = None) -> str:
    """What loading says, without the path before it."""
    path = written(folder, text)
    with pytest.raises(ConfigError) as caught:
        load(path, environment or {})
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message.removeprefix(str(path))


class TestAGoodFile:
    """What comes out."""

    def test_needs_little(self, tmp_path: Path) -> None:
        settings = load(written(tmp_path, MINIMAL), {})
        assert settings.github.repository == "acme/infra"
        assert settings.github.branch == "main"
        assert settings.policy.path == ".gitops-sre/policies"
        assert settings.alertmanager is None

    def test_cannot_be_changed(self, tmp_path: Path) -> None:
        settings = load(written(tmp_path, MINIMAL), {})
        with pytest.raises(ValidationError, match="frozen"):
            settings.github.branch = "other"  # type: ignore[misc]  # that it is refused is the point

    def test_paths_are_relative_to_the_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "elsewhere").mkdir()
        path = written(tmp_path, MINIMAL + "kubernetes: {kubeconfig: kube/config}\ncache_dir: cache\n")
        monkeypatch.chdir(tmp_path / "elsewhere")
        for settings in (load(path, {}), load(Path("../settings.yaml"), {})):
            assert settings.github.private_key_file == tmp_path / "keys/app.pem"
            assert settings.signing.key_file == tmp_path / "keys/signing.pem"
            assert settings.kubernetes.kubeconfig == tmp_path / "kube/config"
            assert settings.cache_dir == tmp_path / "cache"

    def test_absolute_paths_and_home_stay(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", "/home/someone")
        path = written(tmp_path, MINIMAL + "kubernetes: {kubeconfig: ~/.kube/config}\ncache_dir: /var/cache/bot\n")
        settings = load(path, {})
        assert settings.kubernetes.kubeconfig == Path("/home/someone/.kube/config")
        assert settings.cache_dir == Path("/var/cache/bot")

    def test_paths_that_are_not_given_stay_so(self, tmp_path: Path) -> None:
        settings = load(written(tmp_path, MINIMAL.replace("  private_key_file: keys/app.pem\n", "")), {})
        assert settings.github.private_key_file is None
        assert settings.kubernetes.kubeconfig is None

    def test_holds_environments_and_objectives(self, tmp_path: Path) -> None:
        more = "environments:\n  production: {tier: critical, namespaces: [prod-*]}\nslos:\n  - {latency_p99: 0.5}\n"
        settings = load(written(tmp_path, MINIMAL + more), {})
        assert settings.environments["production"].tier == "critical"
        assert settings.environments["production"].namespaces == ("prod-*",)
        assert settings.slos[0].latency_p99 == 0.5
        assert settings.slos[0].services == ("*",)

    @pytest.mark.parametrize("section", ["engine", "timing", "labels", "slos", "environments", "alertmanager", "log"])
    def test_a_section_left_empty_has_its_defaults(self, tmp_path: Path, section: str) -> None:
        assert load(written(tmp_path, MINIMAL + f"{section}:\n"), {}) == load(written(tmp_path, MINIMAL), {})

    def test_a_key_left_empty_has_its_default(self, tmp_path: Path) -> None:
        assert load(written(tmp_path, MINIMAL + "timing:\n  poll:\n"), {}).timing.poll == 30

    def test_an_environment_left_empty_is_one(self, tmp_path: Path) -> None:
        settings = load(written(tmp_path, MINIMAL + "environments:\n  dev:\n  on: {tier: critical}\n"), {})
        assert {name: each.tier for name, each in settings.environments.items()} == {
            "dev": "standard",
            "on": "critical",
        }

    def test_whole_numbers_do_for_fractions(self, tmp_path: Path) -> None:
        settings = load(written(tmp_path, MINIMAL + "timing: {poll: 5, settle: 0}\ndecision: {act_above: 1}\n"), {})
        assert (settings.timing.poll, settings.timing.settle, settings.decision.act_above) == (5, 0, 1)

    def test_may_begin_with_a_byte_order_mark(self, tmp_path: Path) -> None:
        assert load(written(tmp_path, b"\xef\xbb\xbf" + MINIMAL.encode()), {}).github.repository == "acme/infra"


class TestDatabaseUrl:
    """DATABASE_URL wins over the file."""

    URL = "postgresql://bot@db/sre"

    @pytest.mark.parametrize(
        "more", ["", "engine: {database_url: 'sqlite:///x.db', workers: 2}\n", "engine: {}\n", "engine:\n"]
    )
    def test_from_the_environment(self, tmp_path: Path, more: str) -> None:
        settings = load(written(tmp_path, MINIMAL + more), {"DATABASE_URL": self.URL})
        assert settings.engine.database_url == self.URL
        assert settings.engine.workers == (2 if "workers" in more else 4)

    def test_from_the_file(self, tmp_path: Path) -> None:
        settings = load(written(tmp_path, MINIMAL + "engine: {database_url: 'sqlite:////x.db'}\n"), {"HOME": "/"})
        assert settings.engine.database_url == "sqlite:////x.db"

    @pytest.mark.parametrize("empty", ["", "  "])
    def test_that_is_empty_is_none(self, tmp_path: Path, empty: str) -> None:
        settings = load(
            written(tmp_path, MINIMAL + "engine: {database_url: 'sqlite:////x.db'}\n"), {"DATABASE_URL": empty}
        )
        assert settings.engine.database_url == "sqlite:////x.db"

    @pytest.mark.parametrize("more", ["", "engine: {database_url: 'sqlite:///gitops-sre.db'}\n"])
    def test_a_relative_file_stands_beside_the_settings(
        self, tmp_path: Path, more: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "elsewhere").mkdir()
        path = written(tmp_path, MINIMAL + more)
        monkeypatch.chdir(tmp_path / "elsewhere")
        assert load(path, {}).engine.database_url == f"sqlite:///{tmp_path}/gitops-sre.db"

    @pytest.mark.parametrize("url", ["sqlite:///:memory:", "sqlite:////var/x.db", "postgresql:///sre", "nonsense"])
    def test_everything_else_stays(self, tmp_path: Path, url: str) -> None:
        assert load(written(tmp_path, MINIMAL), {"DATABASE_URL": url}).engine.database_url == url

    def test_is_not_shown(self, tmp_path: Path) -> None:
        settings = load(written(tmp_path, MINIMAL), {"DATABASE_URL": "postgresql://bot:hunter2@db/sre"})
        assert "hunter2" not in f"{settings!r} {settings} {settings.engine!r} {settings.engine}"

    def test_does_not_hide_a_broken_section(self, tmp_path: Path) -> None:
        assert complaint(tmp_path, MINIMAL + "engine: 7\n", {"DATABASE_URL": self.URL}).startswith(":8: engine: ")


class TestComplaints:
    """File, line, key and remedy."""

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            (MINIMAL + "promethius: {}\n", ":8: promethius: unknown key; remove it or see `gitops-sre config schema`"),
            (MINIMAL + "timing:\n  poll: 1\n  pol: 2\n", ":10: timing.pol: unknown key"),
            (MINIMAL + "timing:\n  poll: soon\n", ":9: timing.poll: must be a number, written without quotes"),
            (MINIMAL + "timing:\n  poll: 0\n", ":9: timing.poll: Input should be greater than 0"),
            (MINIMAL + "timing:\n  poll: .nan\n", ":9: timing.poll: must be a number"),
            (MINIMAL + "timing:\n  poll: .inf\n", ":9: timing.poll: must be a number"),
            (MINIMAL + "timing:\n  poll: 1e999\n", ":9: timing.poll: Input should be less than or equal to"),
            (MINIMAL + "timing:\n  poll: 2026-99-99\n", ":9: timing.poll: must be a number"),
            (MINIMAL + "timing:\n  poll: 1:30\n", ":9: timing.poll: must be a number"),
            (MINIMAL + "timing:\n  poll: 0x_\n", ":9: timing.poll: must be a number"),
            (MINIMAL + "timing:\n  poll: '30'\n", ":9: timing.poll: must be a number, written without quotes"),
            (MINIMAL + "engine:\n  workers: true\n", ":9: engine.workers: must be a whole number"),
            (MINIMAL + "web:\n  port: '8080'\n", ":9: web.port: must be a whole number, written without quotes"),
            (MINIMAL + "prometheus:\n  url: http://b\n", ":8: prometheus: given twice, first in line 4; keep one"),
            (MINIMAL + "timing:\n  poll: 1\n  poll: 2\n", ":10: timing.poll: given twice, first in line 9"),
            (MINIMAL + "timing: 3\n", ":8: timing: must be a mapping of keys"),
            (MINIMAL + "environments: 3\n", ":8: environments: must be a mapping of keys"),
            (MINIMAL + "labels: {service: app}\n", ":8: labels.service: must be a list"),
            (MINIMAL + "slos:\n  - {}\n  - error_ratio: 2\n", ":10: slos.1.error_ratio: Input should be less than"),
            (MINIMAL + "environments:\n  dev:\n    teir: x\n", ":10: environments.dev.teir: unknown key"),
            (MINIMAL + "log: loud\n", ":8: log: Input should be 'text' or 'json'"),
            (MINIMAL + "cache_dir: 2026\n", ":8: cache_dir: "),
            (MINIMAL + 'cache_dir: "a\\0b"\n', ":8: cache_dir: holds a line break or a character that cannot be seen"),
            (MINIMAL + "[a]: 1\n", ":8: a key must be a plain word"),
            (MINIMAL.replace("acme/infra", "acme"), ":2: github.repository: String should match pattern"),
            (MINIMAL.replace("acme/infra", "acme/infra/../x"), ":2: github.repository: String should match"),
            (MINIMAL.replace("acme/infra", "2026"), ":2: github.repository: must be text; put it in quotes"),
            (MINIMAL.replace("http://prom", "file://prom"), ":5: prometheus.url: String should match pattern"),
            (MINIMAL.replace("http://prom", "http://me:hunter2@p"), ":5: prometheus.url: holds a user or password"),
            (MINIMAL.replace(":9090", ":nine"), ":5: prometheus.url: Port could not be cast to integer"),
            (MINIMAL.replace("http://prometheus:9090", "http://[::1"), ":5: prometheus.url: Invalid IPv6 URL"),
            (MINIMAL.replace("  key_file: keys/signing.pem\n", "  {}\n"), ":6: signing.key_file: is missing; add it"),
            (MINIMAL.replace("  key_file: keys/signing.pem\n", ""), ":6: signing: is missing; add it"),
            ("github: {repository: a/b}\n", ":1: prometheus: is missing; add it (1 more)"),
            ("", ": must be a mapping of sections"),
            ("- github\n", ": must be a mapping of sections"),
            ("github: [\n", ":2:1: not usable YAML: "),
            ("a: 1\n---\nb: 2\n", ":2:1: not usable YAML: but found another document"),
            ("a: !!python/object/apply:os.system [id]\n", ":1:4: not usable YAML: tags are not read here"),
            ("a: &b [*b]\n", ":1:4: not usable YAML: anchors and aliases are not read here"),
            ("a:\n" + "  [\n" * 5000, ":17:3: not usable YAML: nested deeper than 16 levels"),
            ("a: 1\nb: \x07\n", ":2: not usable YAML: character U+0007 is not allowed; remove it"),
            (b"a: 1\nb: \xff\n", ":2: not UTF-8 text; save it as UTF-8"),
        ],
    )
    def test_name_the_place_and_the_remedy(self, tmp_path: Path, text: str | bytes, said: str) -> None:
        assert complaint(tmp_path, text).startswith(said)

    def test_of_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(
            ConfigError, match=r"none.yaml: cannot be read \(No such file or directory\); name the file"
        ):
            load(tmp_path / "none.yaml", {})

    def test_of_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="Is a directory"):
            load(tmp_path, {})

    def test_do_not_repeat_values(self, tmp_path: Path) -> None:
        assert "hunter2" not in complaint(tmp_path, MINIMAL + "log: hunter2\n")
        assert "hunter2" not in complaint(tmp_path, MINIMAL.replace("http://", "http://me:hunter2@"))


class TestSchema:
    """JSON Schema of the file."""

    def test_covers_every_section(self) -> None:
        made = schema()
        assert set(made["properties"]) == set(Settings.model_fields)
        assert set(made["required"]) == {"github", "prometheus", "signing"}

    def test_forbids_unknown_keys_everywhere(self) -> None:
        made = schema()
        parts: list[dict[str, Any]] = [made, *made["$defs"].values()]
        assert [part["title"] for part in parts if part["additionalProperties"] is not False] == []


@pytest.mark.parametrize("folder", ["policies", "templates"])
def test_shipped_folders_are_found(folder: Any) -> None:
    assert shipped(folder).is_dir()


HOSTS = "network: {only: [api.github.com, github.com, prometheus]}\n"


class TestWhichHosts:
    """What `network.only` lists, against all addresses."""

    def test_all_of_them_listed(self, tmp_path: Path) -> None:
        assert load(written(tmp_path, MINIMAL + HOSTS), {}).network.only == (
            "api.github.com",
            "github.com",
            "prometheus",
        )

    def test_a_glob_lists_many(self, tmp_path: Path) -> None:
        text = "network: {only: ['*github.com', 'PROM*']}\n"
        assert load(written(tmp_path, MINIMAL + text), {}).network.only

    @pytest.mark.parametrize(
        ("more", "name", "host"),
        [
            ("alertmanager: {url: 'http://alerts:9093'}\n", "alertmanager.url", "alerts"),
            ("investigator: {model: m}\n", "investigator.url", "api.anthropic.com"),
            ("engine: {database_url: 'postgresql://bot@db:5432/bot'}\n", "engine.database_url", "db"),
        ],
    )
    def test_one_that_is_not_listed_is_named_with_its_setting(
        self, tmp_path: Path, more: str, name: str, host: str
    ) -> None:
        said = complaint(tmp_path, MINIMAL + HOSTS + more)
        assert said == f": {name}: host {host} is not in network.only; add it there, or name another address"

    @pytest.mark.parametrize(
        ("url", "host"),
        [
            ("git@git.example.com:acme/infra.git", "git.example.com"),
            ("ssh://git@git.example.com:22/acme/infra", "git.example.com"),
            ("https://git.example.com/acme/infra", "git.example.com"),
            ("/srv/git/infra.git", ""),
            ("file:///srv/git/infra.git", ""),
        ],
    )
    def test_where_git_goes_counts_however_it_is_written(self, tmp_path: Path, url: str, host: str) -> None:
        text = MINIMAL.replace("  private_key_file", f"  git_url: {url}\n  private_key_file") + HOSTS
        if host:
            assert f"github.git_url: host {host} is not" in complaint(tmp_path, text)
        else:
            assert load(written(tmp_path, text), {}).github.git_url == url

    def test_the_database_of_the_environment_counts(self, tmp_path: Path) -> None:
        said = complaint(tmp_path, MINIMAL + HOSTS, {"DATABASE_URL": "postgresql://bot@elsewhere/bot"})
        assert "engine.database_url: host elsewhere is not" in said
