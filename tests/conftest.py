"""What all tests share: which are slow, and that CI skips nothing for want of a service."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("any machine", deadline=None)  # how long an example takes says nothing on a busy one
settings.load_profile("any machine")

SLOW = (
    "engine/test_schedule.py",
    "reasoning/test_scenes.py",
    "sandbox/reconciler/test_controller.py",
    "sandbox/telemetry/test_alerting.py",
    "engine/test_inquiry_prometheus.py",
    "sandbox/telemetry/test_equivalence.py",
    "sandbox/telemetry/test_facade.py",
    "sandbox/test_world.py",
    "yamltext/test_wide.py",
)
"""Files whose tests wait for real processes and real time: `make test-slow`, and CI."""

REQUIRE_SERVICES = "GITOPS_SRE_REQUIRE_SERVICES"
"""Set in CI: every service is there, so a skipped test is a failure."""

ROOT = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the slow files."""
    for item in items:
        if item.path.relative_to(ROOT).as_posix() in SLOW:
            item.add_marker(pytest.mark.slow)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """With every service present, nothing may be skipped."""
    if not os.environ.get(REQUIRE_SERVICES) or hasattr(session.config, "workerinput"):
        return
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:
        return
    skipped = reporter.stats.get("skipped", [])
    if skipped:
        reporter.write_line(f"\n{REQUIRE_SERVICES} is set, and {len(skipped)} test(s) were skipped:", red=True)
        for report in skipped:
            reporter.write_line(f"  {report.nodeid}: {report.longrepr[2] if report.longrepr else ''}")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
