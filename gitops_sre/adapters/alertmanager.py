"""Alertmanager's alerts, polled: what a lost webhook would have said."""

from __future__ import annotations

import json
import time
from urllib.parse import urlsplit

import requests

from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.signal import Alert
from gitops_sre.perception.alerts import AlertError, from_alertmanager_api
from gitops_sre.settings import AlertmanagerSettings

MAX_BYTES = 64 * 1024 * 1024
CHUNK = 64 * 1024
_ACTIVE = {"active": "true", "silenced": "false", "inhibited": "false", "unprocessed": "false"}


class _TooLargeError(requests.RequestException):
    """More than anybody can mean."""


class AlertmanagerAlerts:
    """`ports.Alerts` over Alertmanager's `/api/v2/alerts`."""

    source = "alertmanager"

    def __init__(self, settings: AlertmanagerSettings) -> None:
        self._settings = settings
        self._url = f"{settings.url.rstrip('/')}/api/v2/alerts"
        self._host = urlsplit(settings.url).hostname or "?"

    def firing(self) -> tuple[Alert, ...] | Unavailable:
        """All alerts that fire and are neither silenced nor inhibited."""
        try:
            return from_alertmanager_api(json.loads(self._fetch()))
        except AlertError as error:
            return self._unavailable(f"/api/v2/alerts: {error}")
        except requests.HTTPError as error:
            return self._unavailable(f"HTTP {error.response.status_code} to /api/v2/alerts")
        except requests.Timeout:
            return self._unavailable(f"no answer within {self._settings.timeout:g} s")
        except _TooLargeError:
            return self._unavailable(f"the answer is larger than {MAX_BYTES // 2**20} MiB")
        except requests.RequestException:
            return self._unavailable("cannot be read; check alertmanager.url")
        except (ValueError, RecursionError) as error:
            return self._unavailable(f"the answer is not what the API promises ({type(error).__name__})")

    def _fetch(self) -> bytes:
        """The body, within the limits. Raises requests.RequestException; other answers than 200 as HTTPError."""
        deadline = time.monotonic() + self._settings.timeout
        body = bytearray()
        with requests.get(
            self._url, params=_ACTIVE, timeout=self._settings.timeout, allow_redirects=False, stream=True
        ) as response:
            if response.status_code != 200:
                raise requests.HTTPError(response=response)
            for chunk in response.iter_content(CHUNK):
                body += chunk
                if len(body) > MAX_BYTES:
                    raise _TooLargeError
                if time.monotonic() > deadline:
                    raise requests.Timeout
        return bytes(body)

    def _unavailable(self, reason: str) -> Unavailable:
        return Unavailable(f"Alertmanager at {self._host}: {reason}")
