"""Keys, sign-in, origins, rates, proxies, TLS: who is let in, and what the log says of it."""

import json
import re
import socket
import subprocess
import time

import pytest
from serve_support import MODEL, TEXT, Served

ARTICLE = {"title": "Council approves budget", "text": TEXT}


def add_key(program, folder, role):
    done = subprocess.run([program, "keys", "add", "--role", role, "--name", role], cwd=folder, text=True,
                          env={"HOME": str(folder), "LC_ALL": "C.UTF-8"}, capture_output=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def keyed(program, tmp_path_factory):
    folder = tmp_path_factory.mktemp("keyed")
    keys = {role: add_key(program, folder, role) for role in ("predict", "feedback", "admin")}
    with Served(program, folder, "serve.log_level=debug", "serve.log_requests=all") as server:
        server.keys = keys
        yield server
        trace = "0af7651916cd43dd8448eb211c80319c"
        server.get("/v1/predictions/p_secret", traceparent=f"00-{trace}-b7ad6b7169203331-01")
        assert server.stop() == 0
        lines = [json.loads(line) for line in server.log.splitlines()]
        assert lines[0]["code"] == "started" and server.url in lines[0]["message"] and "bodies up to" in lines[0]["message"]
        assert {line["severity"] for line in lines} <= {"DEBUG", "INFO", "WARNING"}
        assert [line["status"] for line in lines if line.get("trace") == trace] == [401]
        assert any(line.get("key") and line["route"] == "/v1/classify" and line["status"] == 200 for line in lines)
        assert "p_secret" not in server.log
        for secret in [*keys.values(), "budget on Tuesday", "Council approves"]:
            assert secret not in server.log


def bearer(key):
    return {"Authorization": f"Bearer {key}"}


def unauthorized(server):
    return int(re.search(r'fakenews_denied_total{why="unauthorized"} (\d+)', server.get("/metrics").body.decode())[1])


def test_roles(keyed):
    before = unauthorized(keyed)
    for path, body, needs in (("/v1/classify", ARTICLE, 0), ("/v1/feedback", {}, 1), ("/v1/model/reload", {}, 2)):
        refused = keyed.post(path, body)
        assert refused.status == 401 and refused.json["code"] == "no_key"
        assert refused.headers["WWW-Authenticate"] == 'Bearer realm="fakenews"'
        wrong = keyed.post(path, body, bearer("fn_admin_" + "0" * 64))
        assert wrong.status == 401 and "invalid_token" in wrong.headers["WWW-Authenticate"]
        for has, role in enumerate(("predict", "feedback", "admin")):
            answer = keyed.post(path, body, bearer(keyed.keys[role]))
            assert answer.status == 403 if has < needs else answer.status in (200, 422), (path, role, answer)
    assert keyed.post("/v1/classify", ARTICLE, {"X-Api-Key": keyed.keys["predict"]}).status == 200
    for path in ("/healthz", "/readyz", "/metrics"):
        assert keyed.get(path).status == 200
    assert unauthorized(keyed) == before + 6


def test_refused_before_the_body_comes(keyed):
    with socket.create_connection(("127.0.0.1", keyed.port), timeout=60) as connection:
        connection.sendall(b"POST /v1/classify HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 401 ")


def test_key_that_is_revoked_is_refused_soon(program, keyed, tmp_path_factory):
    folder = keyed.folder
    key = add_key(program, folder, "predict")
    environment = {"HOME": str(folder), "LC_ALL": "C.UTF-8"}
    until = time.monotonic() + 60
    while keyed.post("/v1/tokens", {}, bearer(key)).status != 200:
        assert time.monotonic() < until
        time.sleep(0.1)
    listed = subprocess.run([program, "keys", "list"], env=environment, text=True, capture_output=True).stdout
    last = re.findall(r"k_[0-9a-f]+", listed)[-1]
    assert subprocess.run([program, "keys", "revoke", last], env=environment).returncode == 0
    until = time.monotonic() + 60
    while keyed.post("/v1/tokens", {}, bearer(key)).status != 401:
        assert time.monotonic() < until
        time.sleep(0.1)


class Browser:
    """As much of one as sign-in needs: it keeps cookies and says where its requests come from."""

    def __init__(self, server):
        self.server, self.cookies, self.token = server, {}, None

    def ask(self, method, path, body=None, headers=None):
        headers = {"Accept": "text/html", **(headers or {})}
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        answer = self.server.request(method, path, body, headers)
        for line in answer.headers.get_all("Set-Cookie") or []:
            assert "; HttpOnly; SameSite=Strict" in line
            name, value = line.split(";")[0].split("=")
            self.cookies[name] = value
        found = re.search(rb'name="csrf" value="([0-9a-f]{32})"', answer.body)
        if found:
            self.token = found.group(1).decode()
        return answer

    def form(self, path, **fields):
        own = {"Content-Type": "application/x-www-form-urlencoded", "Origin": self.server.url}
        return self.ask("POST", path, "&".join(f"{k}={v}" for k, v in fields.items()), own)


def test_sign_in(keyed):
    browser = Browser(keyed)
    assert browser.ask("GET", "/signin").status == 200
    assert browser.form("/signin", key=keyed.keys["predict"]).status == 403  # no token
    assert browser.form("/signin", key=keyed.keys["predict"], csrf="0" * 32).status == 403
    wrong = browser.form("/signin", key="fn_predict_no", csrf=browser.token)
    assert wrong.status == 401 and b"not known" in wrong.body
    visitor = dict(browser.cookies)
    done = browser.form("/signin", key=keyed.keys["predict"], csrf=browser.token, next="/card")
    assert done.status == 303 and done.headers["Location"] == "/card" and browser.cookies != visitor
    assert b"Sign out" in browser.ask("GET", "/").body
    json_post = {"Content-Type": "application/json", "Sec-Fetch-Site": "same-origin"}
    body = '{"title": "Council approves budget"}'
    assert browser.ask("POST", "/v1/classify", body, json_post).status == 403  # signed in, but no token
    assert browser.ask("POST", "/v1/classify", body, {**json_post, "X-CSRF-Token": browser.token}).status == 200
    evil = {**json_post, "X-CSRF-Token": browser.token, "Sec-Fetch-Site": "cross-site"}
    assert browser.ask("POST", "/v1/classify", body, evil).status == 403
    assert browser.ask("POST", "/v1/model/reload", "{}", {**json_post, "X-CSRF-Token": browser.token}).status == 403
    assert browser.form("/", title="Council approves budget", csrf=browser.token).status == 200
    old = dict(browser.cookies)
    assert browser.form("/signout", csrf=browser.token).status == 303
    browser.cookies = old
    assert browser.ask("POST", "/v1/classify", body, {**json_post, "X-CSRF-Token": browser.token}).status == 401


def test_who_is_signed_in_stays_so(keyed):
    """Neither a link from another site, to which no cookie is sent, nor a page that is not there signs anybody out."""
    browser = Browser(keyed)
    browser.ask("GET", "/signin")
    assert browser.form("/signin", key=keyed.keys["predict"], csrf=browser.token).status == 303
    kept, browser.cookies = browser.cookies, {}
    assert browser.ask("GET", "/", headers={"Sec-Fetch-Site": "cross-site"}).status == 200
    browser.cookies = {**kept, **browser.cookies}
    assert b"Sign out" in browser.ask("GET", "/").body
    assert browser.ask("GET", "/nothing").status == 404 and browser.ask("PUT", "/").status == 405
    assert b"Sign out" in browser.ask("GET", "/").body
    assert browser.form("/", title="Council approves budget", csrf=browser.token).status == 200


@pytest.mark.parametrize("path", ["//evil.example/", "/\\evil.example", "https://evil.example/", "/a%0d%0aX:y", ""])
def test_sign_in_leads_nowhere_else(keyed, path):
    browser = Browser(keyed)
    browser.ask("GET", "/signin")
    done = browser.form("/signin", key=keyed.keys["predict"], csrf=browser.token, next=path)
    assert done.status == 303 and done.headers["Location"] == "./"


def test_headers_of_every_answer(keyed):
    for path in ("/", "/signin", "/healthz", "/nothing", "/v1/model"):
        headers = keyed.get(path, Accept="text/html").headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == ("no-referrer" if path in ("/healthz", "/v1/model") else "same-origin")
        assert headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "Access-Control-Allow-Origin" not in headers and "Server" not in headers
        assert "Strict-Transport-Security" not in headers
    page = keyed.get("/", Accept="text/html").headers
    assert page["X-Frame-Options"] == "DENY" and page["Cross-Origin-Opener-Policy"] == "same-origin"


def test_pages_of_other_sites_may_not_ask(program, tmp_path):
    origin = "https://news.example"
    with Served(program, tmp_path, f"serve.cors_origins=[{origin}]") as server:
        ask = lambda **headers: server.post("/v1/tokens", {}, {k.replace("_", "-"): v for k, v in headers.items()})
        assert ask().status == 200  # a program
        assert ask(Origin=server.url).status == 200
        assert ask(Origin="https://evil.example").status == 403
        assert ask(Origin="null").status == 403
        assert ask(Sec_Fetch_Site="cross-site").status == 403
        assert ask(Sec_Fetch_Site="same-site").status == 403
        allowed = ask(Origin=origin, Sec_Fetch_Site="cross-site")
        assert allowed.status == 200 and allowed.headers["Access-Control-Allow-Origin"] == origin
        assert "Origin" in allowed.headers["Vary"] and "Access-Control-Allow-Credentials" not in allowed.headers
        preflight = {"Access-Control-Request-Method": "POST"}
        yes = server.request("OPTIONS", "/v1/classify", headers={"Origin": origin, **preflight})
        assert yes.status == 204 and "POST" in yes.headers["Access-Control-Allow-Methods"]
        assert "Authorization" in yes.headers["Access-Control-Allow-Headers"]
        no = server.request("OPTIONS", "/v1/classify", headers={"Origin": "https://evil.example", **preflight})
        assert no.status == 204 and not [k for k in no.headers if k.startswith("Access-Control")]
        assert server.request("OPTIONS", "/nothing").status == 404


def test_rate_is_limited_by_client(program, tmp_path):
    settings = ("serve.rate_per_minute=3", "serve.trusted_proxies=[127.0.0.0/8]")
    with Served(program, tmp_path, *settings) as server:
        ask = lambda client: server.post("/v1/tokens", {}, {"X-Forwarded-For": client})
        assert [ask("203.0.113.1").status for _ in range(4)] == [200, 200, 200, 429]
        refused = ask("203.0.113.1")
        assert 1 <= int(refused.headers["Retry-After"]) <= 20 and refused.json["code"] == "rate_limited"
        assert ask("203.0.113.2").status == 200
        assert [ask(f"2001:db8::{i}").status for i in range(1, 5)] == [200, 200, 200, 429]  # one subscriber
        assert server.get("/healthz").status == 200
        assert 'fakenews_denied_total{why="rate"} 3' in server.get("/metrics").body.decode()


def test_without_keys_the_model_is_changed_from_this_machine_alone(program, tmp_path):
    with Served(program, tmp_path, "serve.trusted_proxies=[127.0.0.1]") as server:
        assert server.post("/v1/model/reload", {}).status == 200
        assert server.post("/v1/model/reload", {}, {"X-Forwarded-For": "203.0.113.1"}).status == 403
        assert server.post("/v1/model/reload", {}, {"Via": "1.1 proxy"}).status == 403
        for host, status in (("localhost:8080", 200), ("[::1]:8080", 200), ("evil.example", 403)):
            rebound = {"Host": host, "Origin": f"http://{host}"}  # a name that was let point to this machine
            assert server.post("/v1/model/reload", {}, rebound).status == status


def test_other_machines_need_keys(program, fakenews, tmp_path):
    environment = {"HOME": str(tmp_path), "LC_ALL": "C.UTF-8"}
    command = [program, "serve", "--model", MODEL, "serve.port=0", "serve.host=0.0.0.0"]
    refused = subprocess.run(command, env=environment, cwd=tmp_path, text=True, capture_output=True, timeout=120)
    assert refused.returncode == 2 and "fakenews keys add" in refused.stderr and "serve.auth=none" in refused.stderr
    with Served(program, tmp_path, "serve.host=0.0.0.0", "serve.auth=none") as server:
        assert server.post("/v1/tokens", {}).status == 200
        assert server.stop() == 0
        assert "open_to_all" in server.log
    key = add_key(program, tmp_path, "predict")
    with Served(program, tmp_path, "serve.host=0.0.0.0") as server:
        assert server.post("/v1/tokens", {}).status == 401
        assert server.post("/v1/tokens", {}, bearer(key)).status == 200
        assert server.stop() == 0
        assert "open_to_all" not in server.log


@pytest.mark.parametrize("setting, says", [
    ("serve.trusted_proxies=[10.0.0.0/99]", "10.0.0.0/99"),
    ("serve.cors_origins=[example.org]", "https://example.org"),
    ("serve.auth=maybe", "auto"),
])
def test_bad_settings(fakenews, setting, says):
    done = fakenews("serve", "--check", "--model", MODEL, "serve.port=0", setting)
    assert done.code == 2 and setting.split("=")[0] in done.stderr and says in done.stderr


def test_origin_null_is_told_apart_by_the_browsers_word(program, tmp_path):
    """Forms of pages without a referrer policy say so, and frames in a box, which other sites may put around ours."""
    with Served(program, tmp_path, "serve.workers=1") as server:
        form = {"Content-Type": "application/x-www-form-urlencoded", "Origin": "null", "Accept": "text/html"}
        for fetch, status in ((None, 403), ("cross-site", 403), ("same-site", 403), ("same-origin", 200)):
            headers = {**form, **({"Sec-Fetch-Site": fetch} if fetch else {})}
            assert server.request("POST", "/", "text=The+council+met+on+Tuesday+to+vote", headers).status == status, fetch
