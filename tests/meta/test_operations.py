"""docs/operations.md names every code that the server answers or logs, every alert and its figures, and nothing else."""

import re

from meta.source import REPO, sources

PAGE = (REPO / "docs/operations.md").read_text()
ALERTS = (REPO / "deploy/prometheus/alerts.yml").read_text()
STATUSES = {"ok"}  # of src/base/status.h: no error


def served():
    files = [p for p in sources(".c") if p.parts[1] == "serve" or p.name in ("cmd_serve.c", "serve_follow.c", "serve_lambda.c",
                                                                            "serve_stop.c")]
    return "\n".join((REPO / p).read_text() for p in files)


def codes_in_sources():
    text = served()
    found = set()
    # fn_exchange_fail(x, status, CODE, …), fn_upload_fail alike, fn_server_event(s, severity, CODE, …): CODE may be a choice.
    for match in re.finditer(r"\b(?:fn_exchange_fail|fn_upload_fail|fn_server_event)\(\s*[^,;{]+,\s*([^,;{]+),\s*([^,;{]*?\"[^,;{]*?),", text):
        found |= set(re.findall(r'"([a-z][a-z0-9_]*)"', match.group(2)))
    found |= set(re.findall(r'sizeof \w+->code, "([a-z0-9_]+)"', text))
    found |= set(re.findall(r'FN_SEVERITY_\w+, "([a-z0-9_]+)"', text))
    return found


def status_names():
    return set(re.findall(r'X\(FN_\w+, "(\w+)"', (REPO / "src/base/status.h").read_text())) - STATUSES


def documented():
    table = PAGE.split("## Codes")[1]
    return re.findall(r"^\| `(\w+)` \|", table, re.M)


def test_each_code_is_documented_once():
    names = documented()
    assert len(names) == len(set(names)) and names == sorted(names)
    assert len(codes_in_sources()) > 50, "the pattern no longer finds the codes"
    missing = (codes_in_sources() | status_names()) - set(names)
    assert not missing, f"codes without a line in docs/operations.md: {sorted(missing)}"


def test_each_documented_code_is_used():
    unknown = {name for name in documented() if f'"{name}"' not in served()} - status_names()
    assert not unknown, f"docs/operations.md has codes that nothing answers or logs: {sorted(unknown)}"


def test_each_alert_is_documented():
    alerts = re.findall(r"- alert: (\w+)", ALERTS)
    assert re.findall(r"^### (\w+)$", PAGE, re.M) == alerts
    assert re.findall(r"runbook_url: docs/operations.md#(\w+)", ALERTS) == [name.lower() for name in alerts]


def test_figures_of_alerts_and_page_exist():
    text = served()
    for name in set(re.findall(r"\b(fakenews_\w+|http_\w+)\b", ALERTS + PAGE)):
        base = re.sub(r"_(bucket|count|sum)$", "", name)
        assert f'"{base}"' in text or f'"{name}"' in text, name
