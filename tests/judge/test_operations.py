"""promtool judges the page of metrics and the alert rules."""

import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "tests/cli"))
from serve_support import TEXT, Served  # noqa: E402

ALERTS = REPO / "deploy/prometheus/alerts.yml"


def test_metrics_are_clean(program, tmp_path):
    with Served(program, tmp_path) as server:
        for body in ({"title": "Council approves budget", "text": TEXT}, {"title": "a"}, {}):
            server.post("/v1/classify", body)
        server.get("/nothing")
        server.get("/metrics")
        done = subprocess.run(["promtool", "check", "metrics"], input=server.get("/metrics").body, capture_output=True)
    assert done.returncode == 0 and not done.stdout and not done.stderr, done


def test_alerts_are_well_formed_and_fire():
    assert subprocess.run(["promtool", "check", "rules", ALERTS]).returncode == 0
    done = subprocess.run(["promtool", "test", "rules", REPO / "tests/judge/alerts_test.yml"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
