"""Channels reach real servers, tell nobody their address, and go nowhere else."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from gitops_sre.adapters.channels import AppriseChannels
from gitops_sre.adapters.channels.child import addresses
from gitops_sre.model.notice import Message
from gitops_sre.model.outcome import Done, Outcome, Refused, Unavailable
from gitops_sre.settings import ChannelSettings, ConfigError, NetworkSettings, NotificationSettings, load
from tests.receivers import certified, mail, web

SAID = Message(
    "A person is needed: checkout (production)", "Why: the fix did not help\nIncident: inc-1 (page)", urgent=True
)


def channels(
    addresses: Mapping[str, str], timeout: float = 5, hosts: tuple[str, ...] = (), only: tuple[str, ...] = ()
) -> AppriseChannels:
    """Channels whose addresses stand in the environment."""
    named = {name: ChannelSettings(url_env=name.upper()) for name in addresses}
    environment = {name.upper(): url for name, url in addresses.items()}
    network = NetworkSettings(allow=hosts, only=only)
    return AppriseChannels(NotificationSettings(channels=named, timeout=timeout), environment, network)


def send(url: str, timeout: float = 5, hosts: tuple[str, ...] = (), only: tuple[str, ...] = ()) -> Outcome:
    """Send to one address."""
    return channels({"ops": url}, timeout, hosts, only).send("ops", SAID)


class TestWhatArrives:
    """A message is what the service's own form makes of it."""

    def test_json(self) -> None:
        with web() as server:
            assert isinstance(send(f"json://127.0.0.1:{server.port}/alarm"), Done)
        (got,) = server.got
        told = json.loads(got.body)
        assert (got.method, got.path) == ("POST", "/alarm")
        assert (told["title"], told["message"], told["type"]) == (SAID.title, SAID.body, "failure")

    def test_xml(self) -> None:
        with web() as server:
            assert isinstance(send(f"xml://127.0.0.1:{server.port}"), Done)
        assert "<Subject>A person is needed: checkout (production)</Subject>" in server.got[0].body

    def test_a_form(self) -> None:
        with web() as server:
            assert isinstance(send(f"form://127.0.0.1:{server.port}"), Done)
        assert parse_qs(server.got[0].body)["message"] == [SAID.body]

    def test_a_chat(self) -> None:
        with web() as server:
            assert isinstance(send(f"mmost://127.0.0.1:{server.port}/3ccdd113474722377935511fc85d3dd4"), Done)
        (got,) = server.got
        assert got.path == "/hooks/3ccdd113474722377935511fc85d3dd4"
        assert "the fix did not help" in json.loads(got.body)["text"]

    def test_teams(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        certificate = certified(tmp_path)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        with web(certificate) as server:
            assert isinstance(send(f"workflows://127.0.0.1:{server.port}/canaryworkflow0001/canarySignature0002"), Done)
        (got,) = server.got
        assert got.path.startswith("/workflows/canaryworkflow0001/triggers/manual/paths/invoke?")
        (card,) = json.loads(got.body)["attachments"]
        assert card["contentType"] == "application/vnd.microsoft.card.adaptive"
        assert "the fix did not help" in json.dumps(card)

    def test_a_certificate_that_nobody_vouches_for_is_refused(self, tmp_path: Path) -> None:
        with web(certified(tmp_path)) as server:
            answer = send(f"workflows://127.0.0.1:{server.port}/canaryworkflow0001/canarySignature0002")
            assert isinstance(answer, Unavailable)
            assert "canarySignature0002" not in answer.reason
            assert server.got == []

    def test_a_mail(self) -> None:
        with mail() as server:
            url = f"mailto://127.0.0.1:{server.port}?from=bot@example.com&to=oncall@example.com&mode=insecure"
            assert isinstance(send(url), Done)
        (got,) = server.got
        assert "To: oncall@example.com" in got
        assert "A person is needed" in got


class TestWhatGoesWrong:
    """Each failure is one line that names no secret."""

    def test_an_error_of_the_server_is_unavailable_and_hides_the_address(self) -> None:
        with web() as server:
            server.status = 500
            answer = send(f"json://user:hunter22secret@127.0.0.1:{server.port}/T0KEN-abcdef")
        assert isinstance(answer, Unavailable)
        assert "500" in answer.reason
        assert "hunter22" not in answer.reason
        assert "T0KEN" not in answer.reason

    def test_nobody_there(self) -> None:
        assert isinstance(send("json://127.0.0.1:1/T0KEN-abcdef"), Unavailable)

    def test_a_server_that_hangs_is_left_alone_after_the_time_limit(self) -> None:
        with web() as server:
            server.delay = 30
            assert isinstance(send(f"json://127.0.0.1:{server.port}", timeout=0.5), Unavailable)

    @pytest.mark.parametrize("url", ["nonsense://somewhere", "slack://too-short", "not an address"])
    def test_what_apprise_does_not_know_is_refused_without_repeating_it(self, url: str) -> None:
        answer = send(url)
        assert isinstance(answer, Refused)
        assert url not in answer.reason

    def test_an_unknown_channel_is_refused_with_those_there_are(self) -> None:
        answer = channels({"ops": "json://127.0.0.1:1"}).send("pager", SAID)
        assert isinstance(answer, Refused)
        assert "notifications.channels has ops" in answer.reason

    def test_an_empty_variable_is_refused_by_its_name(self) -> None:
        answer = channels({"ops": ""}).send("ops", SAID)
        assert isinstance(answer, Refused)
        assert "OPS is empty" in answer.reason

    def test_a_file_is_read_each_time(self, tmp_path: Path) -> None:
        file = tmp_path / "url"
        named = AppriseChannels(NotificationSettings(channels={"ops": ChannelSettings(url_file=file)}), {})
        assert isinstance(named.send("ops", SAID), Refused)
        with web() as server:
            file.write_text(f"json://127.0.0.1:{server.port}\n")
            assert isinstance(named.send("ops", SAID), Done)
        assert len(server.got) == 1

    def test_a_check_sends_nothing(self) -> None:
        with web() as server:
            assert channels({"ops": f"json://127.0.0.1:{server.port}"}).check("ops") == Done("JSON")
        assert server.got == []


class TestWhereItGoes:
    """Nowhere but where its address leads."""

    @pytest.mark.parametrize("wish", ["", "?redirect=yes"])
    def test_a_redirect_is_not_followed(self, wish: str) -> None:
        with web() as elsewhere, web() as server:
            server.status, server.location = 307, f"{elsewhere.url}/stolen"
            assert isinstance(send(f"json://user:secret-word@127.0.0.1:{server.port}/{wish}"), Unavailable)
        assert len(server.got) == 1
        assert elsewhere.got == []

    def test_another_host_is_not_looked_up(self) -> None:
        # `smtp=` makes the mail go to another host than that of the address: it is the address that says so.
        answer = send("mailto://127.0.0.1:1?from=a@example.com&to=b@example.com&mode=insecure&smtp=10.255.255.1", 0.3)
        assert isinstance(answer, Unavailable)

    @pytest.mark.parametrize("host", ["169.254.169.254", "2852039166", "0xA9FEA9FE"])
    def test_what_resolves_to_a_link_local_address_is_refused_however_it_is_written(self, host: str) -> None:
        answer = send(f"json://{host}/latest", 1)
        assert isinstance(answer, Refused | Unavailable)
        if host == "2852039166":
            assert "network.allow" in answer.reason

    def test_a_host_that_nobody_may_reach_is_refused_to_its_own_channel(self) -> None:
        with web() as server:
            address = f"json://127.0.0.1:{server.port}"
            answer = send(address, hosts=("127.0.0.1",), only=("example.com",))
            assert isinstance(answer, Unavailable)
            assert "is not in network.only" in answer.reason
            assert server.got == []
            assert isinstance(send(address, only=("127.0.0.*",)), Done)

    def test_the_child_sees_none_of_the_bots_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GITHUB_TOKEN", "ghp_canary")
        monkeypatch.setenv("PYTHONPATH", "/nowhere")
        seen: dict[str, str] = {}
        run = __import__("subprocess").run

        def noted(*given: object, **named: object) -> object:
            seen.update(named["env"])  # type: ignore[call-overload]  # what it is started with
            return run(*given, **named)

        monkeypatch.setattr("subprocess.run", noted)
        with web() as server:
            assert isinstance(send(f"json://127.0.0.1:{server.port}"), Done)
        assert "PATH" in seen
        assert not {"GITHUB_TOKEN", "PYTHONPATH", "OPS"} & set(seen)

    @pytest.mark.filterwarnings("ignore::DeprecationWarning")
    @pytest.mark.parametrize(
        ("url", "hosts"),
        [
            ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ", {"hooks.slack.com", "slack.com"}),
            ("pagerduty://integrationkey@routingkey", {"events.pagerduty.com", "events.eu.pagerduty.com"}),
            ("opsgenie://a1b2c3d4-1234-5678-9012-123456789012", {"api.opsgenie.com", "api.eu.opsgenie.com"}),
        ],
    )
    def test_the_services_own_hosts_are_those_that_apprise_names(self, url: str, hosts: set[str]) -> None:
        from apprise import Apprise

        found = set(addresses(Apprise.instantiate(url)))
        assert hosts <= found
        assert "*" not in found


def test_the_child_imports_nothing_of_ours() -> None:
    child = Path(sys.modules["gitops_sre.adapters.channels.child"].__file__ or "")
    assert "gitops_sre" not in child.read_text()


def test_the_settings_that_the_page_shows_are_settings(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "notifications.md").read_text()
    (shown,) = re.findall(r"```yaml\n(notifications:.*?)```", page, re.DOTALL)
    file = tmp_path / "settings.yaml"
    file.write_text(
        "github: {repository: acme/infra}\nprometheus: {url: http://prometheus:9090}\nsigning: {key_file: k}\n" + shown
    )
    named = load(file, {}).notifications.channels
    assert named["pager"].url_env == "PAGER_URL"
    assert named["shop-chat"].url_file == Path("/run/secrets/shop-chat")


@pytest.mark.parametrize("both", ["{}", "{url_env: A, url_file: b}"])
def test_a_channel_has_one_place_for_its_address(tmp_path: Path, both: str) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(
        "github: {repository: acme/infra}\nprometheus: {url: http://prometheus:9090}\nsigning: {key_file: k}\n"
        f"notifications:\n  channels:\n    ops: {both}\n"
    )
    with pytest.raises(ConfigError, match=r"settings\.yaml:6: .*either url_env or url_file"):
        load(file, {})
