"""Artifact stores against stand-ins: Google Cloud Storage, credentials of both clouds, S3's errors, plain web servers.
tests/judge/test_store.py has moto and botocore."""

import calendar
import hashlib
import json
import random
import re
import shutil
import tempfile
import threading
import time
from email.utils import formatdate
from pathlib import Path

import pytest
from cli.cloud_support import Cloud, make_key
from cli.credential_support import aws_variables, sso_file, write_aws, write_google
from cli.http_support import ranged, redirect, serve, status, whole
from cli.store_support import TOOLS, Tunnel, probe

DATA = random.Random(3).randbytes(300_000)
BIG = random.Random(4).randbytes(2_300_000)  # three pieces of 1 MiB
PARTS = {"store.part_mb": 1}


@pytest.fixture(scope="session")
def key_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("key")
    make_key(folder)
    return folder


@pytest.fixture
def cloud(key_folder):
    server = Cloud(key_folder)
    yield server
    server.stop()


@pytest.fixture
def key_file(cloud, key_folder, tmp_path):
    path = tmp_path / "key.json"
    path.write_text(json.dumps({
        "type": "service_account", "project_id": "project-1", "private_key_id": "k1", "client_email": "robot@project-1.iam",
        "private_key": (key_folder / "private.pem").read_text(), "token_uri": cloud.url + "/token"}))  # fmt: skip
    return path


@pytest.fixture
def gs(cloud, key_file, tmp_path):
    def run(verb, *arguments, uri="gs://bucket/pre/fix", env=None, **settings):
        base = {"STORAGE_EMULATOR_HOST": cloud.host, "GOOGLE_APPLICATION_CREDENTIALS": str(key_file)}
        done = probe(tmp_path, verb, uri, *arguments, env={**base, **(env or {})}, **settings)
        for secret in ("ya29", "session-secret", "refresh-secret", "client-secret", "identity-secret"):
            assert secret not in json.dumps(done), done
        return done

    return run


# ---- Google Cloud Storage


@pytest.mark.parametrize("data", [b"", DATA, BIG], ids=["empty", "small", "pieces"])
def test_gs_put_get_stat(gs, cloud, tmp_path, data):
    sha = hashlib.sha256(data).hexdigest()
    (tmp_path / "source").write_bytes(data)
    done = gs("put", "a b/ü+/%2F?#.bin", tmp_path / "source", sha, **PARTS)
    assert done["outcome"] == "ok", done
    assert cloud.objects["pre/fix/a b/ü+/%2F?#.bin"][:2] == (data, {"sha256": sha})
    assert gs("get", "a b/ü+/%2F?#.bin", tmp_path / "out", sha)["outcome"] == "ok" and (tmp_path / "out").read_bytes() == data
    assert gs("stat", "a b/ü+/%2F?#.bin")["output"] == f"{len(data)} 1767323045000 {sha}"
    n_tokens = [p for p in cloud.paths() if p == "POST /token"]
    assert len(n_tokens) == 3  # one a process


def test_gs_write_read_list_remove(gs, cloud):
    cloud.page = 2
    for i in range(5):
        assert gs("write", f"n{i}/x", "y" * i)["outcome"] == "ok"
    cloud.store("pre/fix/folder/", b"")  # no key of ours
    cloud.store("pre/fixed", b"")
    assert [line.split()[0] for line in gs("list")["output"].splitlines()] == [f"n{i}/x" for i in range(5)]
    assert gs("list", "n1")["output"] == "n1/x 1 1767323045000\n" and gs("list", "none")["output"] == ""
    assert gs("read", "n2/x")["output"] == "yy"
    assert gs("remove", "n2/x")["outcome"] == gs("remove", "n2/x")["outcome"] == "ok"
    assert gs("read", "n2/x")["outcome"] == gs("stat", "n2/x")["outcome"] == "not_found"
    assert gs("list", uri="gs://other")["outcome"] == "not_found"


def test_gs_uploads_survive_bursts_cuts_and_lost_answers(gs, cloud, tmp_path):
    (tmp_path / "source").write_bytes(BIG)
    faults = {2: 503, 3: 503, 5: "cut", 7: "lost", 9: 500}
    cloud.fault = lambda method, path, n: faults.get(n)
    done = gs("put", "k", tmp_path / "source", **PARTS)
    assert done["outcome"] == "ok" and cloud.objects["pre/fix/k"][0] == BIG and done["events"].count("retry") >= 4, done
    assert any(r.headers.get("Content-Range") == f"bytes */{len(BIG)}" for r in cloud.requests)


def test_gs_upload_that_broke_off_goes_on_where_it_was(gs, cloud, tmp_path):
    (tmp_path / "source").write_bytes(BIG)
    state = tmp_path / "state"

    def fault(method, path, n):
        ranges = [r.headers.get("Content-Range") for r in cloud.requests]
        return 503 if any(r and r.startswith(f"bytes {2 << 20}-") for r in ranges) else None

    cloud.fault = fault
    done = gs("put", "k", tmp_path / "source", "state", state, **PARTS)
    assert done["outcome"] == "io" and "goes on" in done["message"] and "session" not in done["message"]
    assert [p.stat().st_mode & 0o777 for p in state.iterdir()] == [0o600]
    cloud.fault, cloud.requests[:] = (lambda method, path, n: None), []
    assert gs("put", "k", tmp_path / "source", "state", state, **PARTS)["outcome"] == "ok"
    sent = [r.headers["Content-Range"] for r in cloud.requests if r.command == "PUT"]
    assert sent == [f"bytes */{len(BIG)}", f"bytes {2 << 20}-{len(BIG) - 1}/{len(BIG)}"]
    assert cloud.objects["pre/fix/k"][0] == BIG and list(state.iterdir()) == []
    # A session that is gone begins anew; without a memory nothing stays open.
    cloud.fault = fault
    assert gs("put", "k2", tmp_path / "source", "state", state, **PARTS)["outcome"] == "io"
    cloud.fault, cloud.requests[:] = (lambda method, path, n: None), []
    cloud.sessions.clear()
    assert gs("put", "k2", tmp_path / "source", "state", state, **PARTS)["outcome"] == "ok"


def test_gs_download_goes_on_and_notices_a_change(gs, cloud, tmp_path):
    cloud.store("pre/fix/k", DATA)
    cloud.fault = lambda method, path, n: "cut" if method == "GET" and n == 2 else None
    assert gs("get", "k", tmp_path / "out")["outcome"] == "ok" and (tmp_path / "out").read_bytes() == DATA
    assert [r.headers.get("Range") for r in cloud.requests if r.command == "GET"] == [None, f"bytes={len(DATA) // 2}-"]
    (tmp_path / "out").unlink()
    cloud.fault = lambda method, path, n: "cut" if method == "GET" else None
    assert gs("get", "k", tmp_path / "out", **{"net.retries": 0})["outcome"] == "io" and (tmp_path / "out.part").exists()
    cloud.store("pre/fix/k", DATA[::-1])
    cloud.fault = lambda method, path, n: None
    assert gs("get", "k", tmp_path / "out")["outcome"] == "ok" and (tmp_path / "out").read_bytes() == DATA[::-1]


def asked(cloud):
    return {r.headers.get("Range") for r in cloud.requests if r.command == "GET"}


def test_gs_large_download_in_ranges(gs, cloud, tmp_path):
    """The first request reads from the front, the others take ranges from the back; any of them may fail."""
    cloud.store("pre/fix/k", BIG)
    sha = hashlib.sha256(BIG).hexdigest()
    ranges = {None, f"bytes={1 << 20}-{(2 << 20) - 1}", f"bytes={2 << 20}-{len(BIG) - 1}"}
    for faults in ({2: "slow"}, {2: "slow", 3: 503, 4: "cut"}, {2: "slow", 3: "lost", 4: "lost", 5: 500}):
        cloud.requests.clear()
        cloud.fault = lambda method, path, n, faults=faults: faults.get(n)
        done = gs("get", "k", tmp_path / "out", sha, **PARTS)
        assert done["outcome"] == "ok" and (tmp_path / "out").read_bytes() == BIG and done["last_data"] == len(BIG), done
        assert ranges <= asked(cloud) and done["events"].count("retry") == len(faults) - 1, (done, asked(cloud))
        assert not list(tmp_path.glob("out.part*"))
    cloud.fault, cloud.requests[:] = (lambda method, path, n: None), []
    assert gs("get", "k", tmp_path / "out", **PARTS, **{"store.connections": 1})["outcome"] == "ok" and asked(cloud) == {None}


def test_gs_ranges_that_broke_off_go_on_and_notice_a_change(gs, cloud, tmp_path):
    cloud.store("pre/fix/k", BIG)
    rest = f"bytes={2 << 20}-{len(BIG) - 1}"
    out, part = tmp_path / "out", tmp_path / "out.part"

    def fail(method, path, n):
        return 503 if cloud.requests[-1].headers.get("Range") == rest else "slow" if n == 2 else None

    def break_off():
        cloud.fault, cloud.requests[:] = fail, []
        done = gs("get", "k", out, **PARTS)
        assert done["outcome"] == "io" and "503" in done["message"] and not out.exists() and part.stat().st_size == len(BIG) + 3, done
        cloud.fault, cloud.requests[:] = (lambda method, path, n: None), []

    break_off()
    assert gs("get", "k", out, **PARTS)["outcome"] == "ok" and out.read_bytes() == BIG and asked(cloud) == {f"bytes={2 << 20}-"}
    out.unlink()
    break_off()
    cloud.store("pre/fix/k", BIG[::-1])  # between two calls
    assert gs("get", "k", out, **PARTS)["outcome"] == "ok" and out.read_bytes() == BIG[::-1]
    out.unlink()
    break_off()
    part.write_bytes(part.read_bytes()[:-1])  # not as its state says: nothing of it is used
    assert gs("get", "k", out, **PARTS)["outcome"] == "ok" and out.read_bytes() == BIG[::-1] and None in asked(cloud)
    out.unlink()
    cloud.requests.clear()

    def change(method, path, n):
        if n == 3:
            cloud.store("pre/fix/k", BIG)
        return "slow" if n == 2 else None

    cloud.fault = change  # while it comes
    done = gs("get", "k", out, **PARTS)
    assert done["outcome"] == "ok" and out.read_bytes() == BIG and rest in asked(cloud), done


def test_gs_flipped_bits_are_noticed_on_both_ways(gs, cloud, tmp_path):
    cloud.store("pre/fix/k", DATA)
    (tmp_path / "source").write_bytes(DATA)
    cloud.fault = lambda method, path, n: "flip" if "/o/" in path or "/session/" in path else None
    assert "damaged" in gs("read", "k")["message"] and gs("get", "k", tmp_path / "out")["outcome"] == "io"
    assert not (tmp_path / "out").exists() and not (tmp_path / "out.part").exists()
    done = gs("put", "new", tmp_path / "source")
    assert done["outcome"] == "io" and "damaged" in done["message"] and "pre/fix/new" not in cloud.objects
    cloud.fault = lambda method, path, n: None
    assert gs("get", "k", tmp_path / "out", "1" * 64)["outcome"] == "io" and not (tmp_path / "out").exists()


def test_gs_expired_token_is_renewed_once(gs, cloud):
    cloud.store("pre/fix/k", b"x")
    cloud.fault = lambda method, path, n: cloud.tokens.clear() if n == 2 else None
    assert gs("read", "k")["output"] == "x" and cloud.paths().count("POST /token") == 2
    cloud.requests.clear()
    cloud.fault = lambda method, path, n: cloud.tokens.clear()
    done = gs("read", "k")
    assert done["outcome"] == "invalid" and "HTTP 401" in done["message"] and "key.json" in done["message"]
    assert cloud.paths().count("POST /token") == 2
    cloud.fault = lambda method, path, n: None
    for cloud.lifetime, asked in ((200, 1), (0, 3)):  # a short life serves half of its time; what ended already, one request
        cloud.requests.clear()
        assert gs("read", "k", "repeat", 3)["output"] == "xxx" and cloud.paths().count("POST /token") == asked


# ---- Google's credentials


def test_google_user_and_metadata_credentials(gs, cloud, tmp_path):
    cloud.store("pre/fix/k", b"x")
    user = {"type": "authorized_user", "client_id": "id", "client_secret": "client-secret", "refresh_token": "refresh-secret",
            "quota_project_id": "paid-by", "token_uri": cloud.url + "/token"}  # fmt: skip
    path = tmp_path / "user.json"
    path.write_text(json.dumps(user))
    assert gs("read", "k", env={"GOOGLE_APPLICATION_CREDENTIALS": str(path)})["output"] == "x"
    assert cloud.requests[-1].headers["x-goog-user-project"] == "paid-by"
    path.write_text(json.dumps({**user, "refresh_token": "wrong-refresh-token"}))
    done = gs("read", "k", env={"GOOGLE_APPLICATION_CREDENTIALS": str(path)})
    assert done["outcome"] == "invalid" and "invalid_grant" in done["message"] and "wrong-refresh" not in done["message"]


def test_google_federation_and_impersonation(gs, cloud, key_folder, tmp_path):
    cloud.store("pre/fix/k", b"x")
    for name, token in write_google(tmp_path, cloud, (key_folder / "private.pem").read_text()).items():
        cloud.requests.clear()
        done = gs("read", "k", env={"GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / f"{name}.json")})
        if token:
            assert done["output"] == "x" and cloud.requests[-1].headers["Authorization"] == f"Bearer {token}", (name, done)
        else:
            assert done["outcome"] in ("invalid", "unsupported") and " credentials: " in done["message"], (name, done)
        assert not [s for s in SECRETS if s in json.dumps(done)], done


@pytest.mark.parametrize("text,said", [("{", "no JSON of credentials"), ('{"type": "external_account"}', "credential_source"),
                                       ('{"type": "service_account"}', "client_email"),
                                       ('{"type": "service_account", "client_email": "a", "private_key": "xyzzy"}', "PEM")])  # fmt: skip
def test_google_key_files_that_are_none(gs, cloud, tmp_path, text, said):
    (tmp_path / "bad.json").write_text(text)
    done = gs("read", "k", env={"GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "bad.json")})
    assert done["outcome"] == "invalid" and said in done["message"] and "bad.json" in done["message"], done
    assert "xyzzy" not in done["message"]


def test_missing_google_credentials_are_named(tmp_path):
    done = probe(tmp_path, "read", "gs://bucket", "k", env={"NO_GCE_CHECK": "true"})
    assert done["outcome"] == "invalid"
    for part in ("gs://bucket: no Google credentials", "set GOOGLE_APPLICATION_CREDENTIALS", "gcloud auth application-default login",
                 f"{tmp_path}/.config/gcloud/application_default_credentials.json (no such file)", "NO_GCE_CHECK"):  # fmt: skip
        assert part in done["message"], done
    done = probe(tmp_path, "read", "gs://bucket", "k", env={"GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "none.json")})
    assert done["outcome"] == "invalid" and "none.json" in done["message"]


# ---- AWS's credentials


def signed_by(server):
    """Access key ids and session tokens of the requests to S3's stand-in."""
    return [(r.headers["Authorization"].split("Credential=")[1].split("/")[0], r.headers.get("X-Amz-Security-Token"))
            for r in server.requests]  # fmt: skip


def test_aws_keys_from_everywhere(serve, cloud, tmp_path):
    server = serve(whole(b"x"))
    place = {"AWS_ENDPOINT_URL_S3": server.url, "AWS_ENDPOINT_URL_STS": cloud.url}
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/credentials").write_text("[default]\naws_access_key_id = FILE\naws_secret_access_key = s\n"
                                               "[work]\naws_access_key_id=WORK\naws_secret_access_key=s\naws_session_token=t\n")
    (tmp_path / ".aws/config").write_text("[profile conf]\naws_access_key_id = CONF\naws_secret_access_key = s\nregion = eu-west-9\n")
    (tmp_path / "identity").write_text("identity-secret\n")
    (tmp_path / "token").write_text("container-secret\n")
    web = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "identity"), "AWS_ROLE_ARN": "arn:aws:iam::1:role/WEB"}
    none = {"AWS_SHARED_CREDENTIALS_FILE": "/none", "AWS_CONFIG_FILE": "/none"}
    container = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": cloud.url + "/container",
                 "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(tmp_path / "token")}  # fmt: skip
    instance = {"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": cloud.url + "/"}
    cases = [({"AWS_ACCESS_KEY_ID": "ENV", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "st", **web}, "ENV", "st"),
             (web, "AKIAWEB", "token-of-WEB"), ({}, "FILE", None), ({"AWS_PROFILE": "work"}, "WORK", "t"),
             ({"AWS_PROFILE": "conf"}, "CONF", None), ({**none, **container}, "AKIACONTAINER", "token-of-CONTAINER"),
             ({**none, **instance}, "AKIAINSTANCE", "token-of-INSTANCE")]  # fmt: skip
    for env, key, token in cases:
        done = probe(tmp_path, "read", "s3://bucket", "k", env={**place, **env})
        assert done["output"] == "x" and signed_by(server)[-1] == (key, token), (env, done)
    assert "/eu-west-9/s3/" in server.requests[4].headers["Authorization"]
    for lifetime, asked in ((100, 2), (-1, 4)):  # a short life serves half of its time; what ended already, one request
        cloud.lifetime = lifetime
        done = probe(tmp_path, "read", "s3://bucket", "k", "repeat", 2, env={**place, **none, **container})
        assert done["output"] == "xx" and cloud.paths().count("GET /container") == asked


def test_addresses_of_services_in_a_profile(serve, cloud, tmp_path):
    """Where botocore looks for them; a variable goes before the profile, and both can be ignored."""
    server, other = serve(whole(b"x")), serve(whole(b"y"))
    (tmp_path / ".aws").mkdir()
    (tmp_path / "identity").write_text("identity-secret\r\n")
    (tmp_path / ".aws/config").write_text(f"\ufeff[default]\nservices = mine\nendpoint_url = {other.url}\nrole_arn = arn:x/WEB\n"
                                          f"web_identity_token_file = {tmp_path / 'identity'}\n"
                                          f"[services mine]\ns3 =\n  endpoint_url = {server.url}\nsts =\n  endpoint_url = {cloud.url}\n")
    run = lambda **env: probe(tmp_path, "read", "s3://bucket", "k", env=env, **{"net.https_proxy": "http://127.0.0.1:9", "net.retries": 0})
    assert run()["output"] == "x" and signed_by(server) == [("AKIAWEB", "token-of-WEB")]
    assert run(AWS_ENDPOINT_URL_S3=other.url)["output"] == "y"
    assert "https://sts.us-east-1.amazonaws.com" in run(AWS_IGNORE_CONFIGURED_ENDPOINT_URLS="true", AWS_ENDPOINT_URL=other.url)["message"]


SECRETS = ("sso-secret", "other-secret", "source-secret", "process-secret", "out-secret", "container-secret", "token-of-", "subject-secret",
           "ask-secret", "client-secret", "refresh-secret")  # fmt: skip


def test_profiles_give_keys_in_every_way_or_say_why_not(serve, cloud, tmp_path):
    server = serve(whole(b"x"))
    said = {"ended": "run `aws sso login --profile ended`", "used": "run `aws sso login --profile used`", "unknown": "the SSO session has ended",
            "revoked": "run `aws sso login --profile revoked`", "circle": "in a circle",
            "lost": "source_profile nobody is not there", "fails": "exit code 3", "noise": "prints no JSON", "typo": "no profile typo"}
    for profile, key in {**write_aws(tmp_path, cloud), "mfa": None, "open": None}.items():
        done = probe(tmp_path, "read", "s3://bucket", "k", env={**aws_variables(tmp_path, cloud, profile), "AWS_ENDPOINT_URL_S3": server.url})
        if key:
            assert done["output"] == "x" and signed_by(server)[-1][0] == key, (profile, done)
        else:
            assert done["outcome"] in ("invalid", "io", "unsupported") and said.get(profile, profile) in done["message"], (profile, done)
        assert not [s for s in SECRETS if s in json.dumps(done)], done
    kept = json.loads(sso_file(tmp_path, "stale").read_text())
    assert sso_file(tmp_path, "stale").stat().st_mode & 0o777 == 0o600 and abs(ends_in(kept) - cloud.lifetime) < 30, kept
    assert kept["refreshToken"] == "refresh-secret-1+" and kept["accessToken"] == "sso-secret", kept

    # who was faster has left another token; the service that fails is told, unless the old token lasts
    sso_file(tmp_path, "stale").write_text(json.dumps({**kept, "refreshToken": "refresh-secret-0", "expiresAt": "2020-01-01T00:00:00Z"}))
    cloud.fault = lambda method, path, n: (sso_file(tmp_path, "stale").write_text(json.dumps(kept)), None)[1] if path == "/oidc/token" else None
    run = lambda profile: probe(tmp_path, "read", "s3://bucket", "k", env={**aws_variables(tmp_path, cloud, profile), "AWS_ENDPOINT_URL_S3": server.url})
    assert run("stale")["output"] == "x"
    cloud.fault = lambda method, path, n: 503 if path == "/oidc/token" else None
    assert run("still")["output"] == "x"
    used = run("used")
    assert used["outcome"] == "io" and "cannot be refreshed" in used["message"] and "HTTP 503" in used["message"], used


def ends_in(token):
    return calendar.timegm(time.strptime(token["expiresAt"], "%Y-%m-%dT%H:%M:%SZ")) - time.time()


def test_program_of_a_profile_is_bounded(tmp_path):
    """No shell reads its words; what it prints is bounded; it ends when the command is stopped, with what it started."""
    (tmp_path / ".aws").mkdir()

    def run(command, *words):
        (tmp_path / ".aws/config").write_text(f"[default]\ncredential_process = {command}\n")
        return probe(tmp_path, "read", "s3://bucket", "k", *words, env={"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"})

    done = run("echo '{\"Version\": 1}' ; touch $HOME/made")
    assert "prints no JSON" in done["message"] and not (tmp_path / "made").exists()
    assert "writes too much" in run("cat /dev/zero")["message"] and "cannot be run" in run("/no/such/program x")["message"]
    begun = time.monotonic()
    assert run("sh -c 'sleep 60 & sleep 60'", "cancel_wait", 3)["outcome"] == "cancelled" and time.monotonic() - begun < 30


def test_missing_aws_credentials_are_named(cloud, tmp_path):
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/config").write_text("[profile sso]\nsso_session = x\n")
    cloud.aws_role = False
    env = {"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": cloud.url, "AWS_PROFILE": "sso"}
    done = probe(tmp_path, "read", "s3://bucket", "k", env=env)
    assert done["outcome"] == "invalid"
    for part in ("s3://bucket: no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", "environment (AWS_ACCESS_KEY_ID",
                 f"{tmp_path}/.aws/credentials (no such file)", "SSO of profile sso (no sso_account_id", "container", "(no role)"):  # fmt: skip
        assert part in done["message"], done


def test_half_of_a_key_is_no_reason_for_another_account(serve, cloud, tmp_path):
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/credentials").write_text("[half]\naws_access_key_id = A\n[default]\naws_access_key_id = B\naws_secret_access_key = s\n"
                                               "aws_security_token = older-name\n")
    other = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": cloud.url + "/container", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "container-secret"}
    server = serve(whole(b"x"))
    run = lambda **env: probe(tmp_path, "read", "s3://bucket", "k", env={**other, "AWS_ENDPOINT_URL": server.url, **env})
    for env in ({"AWS_ACCESS_KEY_ID": "A"}, {"AWS_PROFILE": "half"}):
        done = run(**env)
        assert done["outcome"] == "invalid" and re.search("(?i)aws_secret_access_key", done["message"]) and server.requests == [], done
    assert run()["output"] == "x" and signed_by(server) == [("B", "older-name")]


def test_aws_services_that_refuse_tell_no_secret(cloud, tmp_path):
    (tmp_path / "identity").write_text("wrong-identity")
    web = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "identity"), "AWS_ROLE_ARN": "arn:x/WEB", "AWS_ENDPOINT_URL_STS": cloud.url}
    done = probe(tmp_path, "read", "s3://bucket", "k", env=web)
    assert done["outcome"] == "invalid" and "InvalidIdentityToken" in done["message"] and "wrong-identity" not in json.dumps(done)
    done = probe(tmp_path, "read", "s3://bucket", "k", env={**web, "AWS_ENDPOINT_URL_STS": "http://sts.invalid/"})
    assert done["outcome"] == "invalid" and "unencrypted" in done["message"]
    env = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.2:pass-word@evil.invalid/?pass-word", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "secret"}
    done = probe(tmp_path, "read", "s3://bucket", "k", env=env)
    assert done["outcome"] == "invalid" and "only https://" in done["message"] and "pass-word" not in done["message"], done
    cloud.aws_keys = lambda name: {"Code": "AssumeRoleUnauthorizedAccess", "Message": "EC2 cannot\x1b assume it"}
    env = {"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": cloud.url}
    done = probe(tmp_path, "read", "s3://bucket", "k", env=env)
    assert done["outcome"] == "invalid" and "/my-role: AssumeRoleUnauthorizedAccess: EC2 cannot  assume it" in done["message"], done


def test_missing_credentials_are_not_taken_for_a_missing_object(cloud, tmp_path):
    """What is removed because it "is not there" would stay for ever."""
    aws = {"AWS_ROLE_ARN": "arn:x/WEB", "AWS_ENDPOINT_URL_STS": cloud.url}
    (tmp_path / "identity").write_text("identity-secret")
    cloud.fault = lambda method, path, n: 404
    for uri, env in (("s3://bucket", {**aws, "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "none")}),
                     ("s3://bucket", {**aws, "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "identity")}),
                     ("gs://bucket", {"GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "none.json")})):  # fmt: skip
        for verb in ("remove", "stat", "list"):
            done = probe(tmp_path, verb, uri, "k", env=env)
            assert done["outcome"] == "invalid" and " credentials: " in done["message"], (verb, env, done)


# ---- what S3 may answer


@pytest.fixture
def s3(tmp_path):
    def run(server, verb, *arguments, uri="s3://bucket", env=None, **settings):
        keys = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "sec-ret-key", "AWS_SESSION_TOKEN": "ses-sion-token"}
        done = probe(tmp_path, verb, uri, *arguments, env={**keys, "AWS_ENDPOINT_URL": server.url, **(env or {})}, **settings)
        assert "sec-ret-key" not in json.dumps(done) and "ses-sion-token" not in json.dumps(done)
        return done

    return run


def answer(code, body, **headers):
    data = body.encode()
    return lambda h: (h.head(code, Content_Length=len(data), **headers), h.wfile.write(data))


def test_s3_errors_say_what_to_do(serve, s3):
    done = s3(serve(answer(403, "<Error><Code>RequestTimeTooSkewed</Code></Error>")), "read", "k")
    assert "clock" in done["message"]
    echo = "<Error><Code>AccessDenied</Code><Message>you are ses-sion-token &#x1b;[31m</Message></Error>"
    done = s3(serve(answer(403, echo)), "read", "k")
    assert done["outcome"] == "invalid" and "you are *** " in done["message"] and "\x1b" not in done["message"]
    assert "environment" in done["message"]
    done = s3(serve(answer(200, "<CompleteMultipartUploadResult>")), "list")
    assert done["outcome"] == "invalid" and "no XML" in done["message"]
    done = s3(serve(redirect("file:///etc/passwd")), "read", "k")
    assert done["outcome"] == "invalid" and "redirects to file:///etc/passwd: not followed" in done["message"]
    done = s3(serve(whole(b"x" * 2_000_000)), "read", "k")
    assert done["outcome"] == "limit"


def test_s3_bucket_in_another_region_is_asked_there(serve, s3, tmp_path):
    """By the name of the region alone: no host of an answer is asked, nor one of another company."""
    amazon = Tunnel(tmp_path, *(f"{star}s3.{region}.amazonaws.com" for region in ("us-east-1", "eu-west-3") for star in ("*.", "")))

    def raw(code, body="", **headers):
        lines = [f"HTTP/1.1 {code} X", *(f"{n.replace('_', '-')}: {v}" for n, v in headers.items()), f"Content-Length: {len(body)}", "Connection: close"]
        return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()

    def run(verb, *answers, uri="s3://bucket"):
        amazon.answers, amazon.seen = list(answers), []
        settings = {"net.https_proxy": amazon.url, "net.ca_file": amazon.ca}
        keys = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "s"}
        done = probe(tmp_path, verb, uri, *(["k"] if verb != "list" else []), env=keys, **settings)
        assert all(head.split()[1] in ("/k", "/My_Bucket/k") for _, head in amazon.seen), amazon.seen
        return done, [(host.removesuffix(".amazonaws.com:443"), head.split("/s3/aws4")[0].rpartition("/")[2]) for host, head in amazon.seen]

    here, there = ("bucket.s3.us-east-1", "us-east-1"), ("bucket.s3.eu-west-3", "eu-west-3")
    moved = "<Error><Code>PermanentRedirect</Code><Endpoint>evil.example</Endpoint><Region>eu-west-3</Region></Error>"
    malformed = "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-3</Region></Error>"
    good = raw(200, "x", ETag='"1-1"')
    for verb, refusal in (("read", raw(301, moved)), ("read", raw(307, "", Location="https://evil.example/k", x_amz_bucket_region="eu-west-3")),
                          ("read", raw(400, malformed)), ("stat", raw(400, "", x_amz_bucket_region="eu-west-3"))):  # fmt: skip
        done, asked = run(verb, refusal, good)
        assert done["outcome"] == "ok" and asked == [here, there], (done, asked)
    done, asked = run("read", raw(301, moved), raw(301, moved.replace("eu-west-3", "us-west-1")))
    assert "the bucket is in region us-west-1, not in eu-west-3: set AWS_REGION=us-west-1" in done["message"] and asked == [here, there], done
    for region in ("cn-north-1", "evil.example/", "x" * 64, "us-east-1"):
        done, asked = run("read", raw(301, moved.replace("eu-west-3", region)))
        assert done["outcome"] in ("invalid", "io") and asked == [here], (done, asked)
    done, asked = run("read", raw(307, "", Location="https://me:pass-word@evil.example/?sig=pass-word"))
    assert "redirects to https://***@evil.example/: not followed" in done["message"] and asked == [here], done
    assert run("read", good, uri="s3://My_Bucket")[1] == [("s3.us-east-1", "us-east-1")]
    amazon.stop()
    server = serve(answer(400, malformed), whole(b"x"))  # an endpoint that was given stays the one that is asked
    assert s3(server, "read", "k")["output"] == "x"
    assert ["/eu-west-3/s3/" in text for text in server.headers("Authorization")] == [False, True]


def test_words_of_servers_do_not_steer_the_terminal(serve, s3, gs, cloud):
    """Controls beyond ASCII (U+009B begins a sequence too) and marks that turn the direction of text."""
    said = "a\x1b[31m b\x9b31m c\u202e d\x7f"
    done = s3(serve(answer(403, f"<Error><Code>AccessDenied</Code><Message>{said.replace(chr(27), '&#x1b;')}</Message></Error>")), "read", "k")
    cloud.fault = lambda method, path, n: (403, said) if path.startswith("/storage") else None
    for refused in (done, gs("read", "k")):
        assert refused["outcome"] == "invalid" and "31m b" in refused["message"], refused
        assert not [c for c in refused["message"] if ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or c == "\u202e"], refused


def test_s3_endpoint_that_is_refused_is_not_used_by_the_next_request(serve, s3):
    server = serve(whole(b"x"))
    for address in (server.url + "?x=y", server.url.replace("http://", "http://me:pass-word@")):
        done = s3(server, "read", "k", "repeat", 3, env={"AWS_ENDPOINT_URL": address})
        assert done["outcome"] == "invalid" and "is no endpoint of S3" in done["message"] and done["output"] == "", done
        assert "pass-word" not in done["message"]
    assert server.requests == []


def test_s3_lists_page_by_page_and_pass_over_what_is_no_key(serve, s3):
    def page(*items, next_token=None, encoded=False):
        rows = "".join(f"<Contents><Key>{k}</Key><LastModified>2013-05-24T00:00:01.000Z</LastModified><Size>{n}</Size></Contents>"
                       for k, n in items)  # fmt: skip
        more = f"<IsTruncated>true</IsTruncated><NextContinuationToken>{next_token}</NextContinuationToken>" if next_token else ""
        kind = "<EncodingType>url</EncodingType>" if encoded else ""
        return answer(200, f'<?xml version="1.0"?><ListBucketResult xmlns="u">{rows}{more}{kind}</ListBucketResult>')

    server = serve(page(("p/a+b%2Bc", 1), ("p/", 0), ("q/x", 2), next_token="t/1==", encoded=True), page(("p/d%2F%C3%BC", 3), ("p/a%2F..%2Fb", 1), encoded=True))
    done = s3(server, "list", uri="s3://bucket/p")
    assert done["output"] == "a b+c 1 1369353601000\nd/ü 3 1369353601000\n"
    assert server.paths() == ["/bucket/?encoding-type=url&list-type=2&prefix=p%2F",
                              "/bucket/?continuation-token=t%2F1%3D%3D&encoding-type=url&list-type=2&prefix=p%2F"]  # fmt: skip
    done = s3(serve(page(("p/a", 1), next_token="same"), page(("p/b", 1), next_token="same")), "list", uri="s3://bucket/p")
    assert done["outcome"] == "io" and "not where" in done["message"]
    done = s3(serve(page(("p/a+b%20c", 1))), "list", uri="s3://bucket/p")
    assert done["output"].startswith("a+b%20c 1 "), "a service that does not know the encoding names none"


def test_s3_answer_that_may_be_cut_off_is_no_file(serve, s3, tmp_path):
    """Neither a length nor chunks nor a checksum; and the host is signed as it is sent."""

    def endless(*lines):
        return lambda h: h.wfile.write(b"".join(b"%s\r\n" % line for line in (b"HTTP/1.0 200 OK", b'ETag: "a-2"', *lines, b"", b"half")))

    for lines in ([], [b"Content-Length: " + b"9" * 23]):
        server = serve(endless(*lines))
        for verb, *more in (["get", "k", tmp_path / "out"], ["read", "k"]):
            done = s3(server, verb, *more, env={"AWS_ENDPOINT_URL": f"http://LocalHost:{server.port}"})
            assert done["outcome"] == "io" and "cut off" in done["message"] and not (tmp_path / "out").exists(), done
        assert server.headers("Host")[0] == f"localhost:{server.port}"
    assert s3(serve(endless(b"x-amz-meta-sha256: " + hashlib.sha256(b"half\r\n").hexdigest().encode())), "read", "k")["output"] == "half\r\n"


def test_s3_expired_keys_are_fetched_again(serve, cloud, tmp_path):
    server = serve(answer(400, "<Error><Code>ExpiredToken</Code></Error>"), whole(b"x"))
    env = {"AWS_ENDPOINT_URL_S3": server.url, "AWS_CONTAINER_CREDENTIALS_FULL_URI": cloud.url + "/container",
           "AWS_CONTAINER_AUTHORIZATION_TOKEN": "container-secret"}  # fmt: skip
    assert probe(tmp_path, "read", "s3://bucket", "k", env=env)["output"] == "x"
    assert cloud.paths() == ["GET /container"] * 2


def test_s3_endpoint_that_speaks_something_else_is_noticed(serve, s3, tmp_path):
    """A console or a captive portal answers 200 to everything: nothing would be stored, and nobody would know."""
    (tmp_path / "source").write_bytes(DATA)
    page = answer(200, "<html><body>sign in</body></html>", Content_Type="text/html")
    server = serve(page)
    for verb, *words in (["put", "k", tmp_path / "source"], ["write", "k", "x"], ["stat", "k"], ["read", "k"], ["list"], ["remove", "k"],
                         ["get", "k", tmp_path / "out"]):  # fmt: skip
        done = s3(server, verb, *words)
        assert done["outcome"] == "io" and "not as S3 does" in done["message"], (verb, done)
    assert not list(tmp_path.glob("out*"))


def test_s3_session_token_of_a_file_is_read_again_when_it_expired(serve, tmp_path):
    def write(name, token):
        lines = [f"[{name}]", "aws_access_key_id = FILE", "aws_secret_access_key = s"]
        (tmp_path / "keys").write_text("\n".join(lines + [f"aws_session_token = {token}"] * bool(token)) + "\n")

    def expired(h):
        write("default", "second")
        answer(400, "<Error><Code>ExpiredToken</Code></Error>")(h)

    server = serve(expired, whole(b"x"))
    env = {"AWS_ENDPOINT_URL_S3": server.url, "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "keys")}
    write("default", "first")
    assert probe(tmp_path, "read", "s3://bucket", "k", env=env)["output"] == "x"
    assert signed_by(server) == [("FILE", "first"), ("FILE", "second")]
    write("default", None)  # keys without a token do not expire: nothing is tried again
    assert probe(tmp_path, "read", "s3://bucket", "k", env={**env, "AWS_ENDPOINT_URL_S3": (again := serve(expired)).url})["outcome"] == "invalid"
    assert len(again.requests) == 1


def test_s3_upload_that_fails_at_the_end_in_a_good_answer(serve, s3, tmp_path):
    (tmp_path / "source").write_bytes(bytes(6_000_000))
    both = threading.Barrier(2, timeout=60)  # the parts travel at once: the first is answered when the second is there

    def part(h):
        both.wait()
        status(200, ETag='"1"')(h)

    late = answer(200, '<?xml version="1.0"?>\n<Error><Code>InternalError</Code><Message>sorry</Message></Error>')
    begun = [answer(200, "<R><UploadId>u1</UploadId></R>"), part, part]
    server = serve(*begun, late, late, late, late, status(204))
    done = s3(server, "put", "k", tmp_path / "source", **PARTS)
    assert done["outcome"] == "io" and "InternalError: sorry" in done["message"]
    assert [r.command for r in server.requests] == ["POST", "PUT", "PUT", *["POST"] * 4, "DELETE"]
    server = serve(*begun, late, answer(200, "<R><ETag>x</ETag></R>"))  # it may pass, as a 500 does
    assert s3(server, "put", "k", tmp_path / "source", **PARTS)["outcome"] == "ok"
    assert [r.command for r in server.requests] == ["POST", "PUT", "PUT", "POST", "POST"]
    # One that cannot succeed is removed there, with more attempts than one; where that fails too the next call does it.
    denied, one = answer(403, "<Error><Code>AccessDenied</Code></Error>"), {**PARTS, "store.connections": 1}
    server = serve(begun[0], denied, status(503), status(204))
    assert s3(server, "put", "k", tmp_path / "source", **one)["outcome"] == "invalid"
    assert [r.command for r in server.requests] == ["POST", "PUT", "DELETE", "DELETE"]
    server, state = serve(begun[0], denied, *[status(503)] * 4, status(204), status(200, ETag='"1"')), tmp_path / "state"
    assert s3(server, "put", "k", tmp_path / "source", "state", state, **one)["outcome"] == "invalid"
    (tmp_path / "source").write_bytes(b"short")
    assert s3(server, "put", "k", tmp_path / "source", "state", state, **one)["outcome"] == "ok"
    assert [r.command for r in server.requests] == ["POST", "PUT", *["DELETE"] * 5, "PUT"] and "uploadId=u1" in server.paths()[-2]


def test_s3_failures_that_pass_whatever_their_status(serve, s3, tmp_path):
    """A body that came too slowly or damaged is sent again; a clock that is wrong is set by the answer's, for this store."""
    (tmp_path / "source").write_bytes(DATA)
    passing = [answer(code, f"<Error><Code>{name}</Code></Error>") for code, name in
               ((400, "RequestTimeout"), (400, "BadDigest"), (503, "SlowDown"))]  # fmt: skip
    server = serve(*passing, status(200, ETag='"1"'))
    assert s3(server, "put", "k", tmp_path / "source")["outcome"] == "ok" and len(server.requests) == 4
    assert s3(serve(answer(400, "<Error><Code>InvalidDigest</Code></Error>")), "put", "k", tmp_path / "source")["outcome"] == "invalid"

    def late(text):
        def step(h):
            h.send_response_only(403)
            h.send_header("Date", formatdate(time.time() + 7200, usegmt=True))
            h.send_header("Connection", "close")
            h.end_headers()
            h.wfile.write(text.encode())

        return step

    def behind(server):
        return [round((calendar.timegm(time.strptime(t, "%Y%m%dT%H%M%SZ")) - time.time()) / 7200, 1) for t in server.headers("x-amz-date")]

    skewed = late("<Error><Code>RequestTimeTooSkewed</Code></Error>")
    server = serve(skewed, whole(b"x"), whole(b"x"))
    assert s3(server, "read", "k", "repeat", 2)["output"] == "xx" and behind(server) == [0, 1, 1]
    server = serve(skewed)
    done = s3(server, "read", "k")
    assert done["outcome"] == "invalid" and "clock" in done["message"] and len(server.requests) == 2

    # STS too, and what it teaches serves S3 from the first request on; keys that end by its clock are not had anew each time
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/config").write_text("[default]\nrole_arn = arn:x/R\nsource_profile = base\n[profile base]\naws_access_key_id = A\naws_secret_access_key = s\n")
    ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 7200 + 3600))
    keys = "".join(f"<{name}>{text}</{name}>" for name, text in (("AccessKeyId", "B"), ("SecretAccessKey", "t"), ("Expiration", ends)))
    sts = late("<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code><Message>Signature expired: 1 is now earlier than 2</Message></Error></ErrorResponse>")
    server = serve(sts, answer(200, f"<R><S><Credentials>{keys}</Credentials></S></R>"), whole(b"x"))
    done = probe(tmp_path, "read", "s3://bucket", "k", "repeat", 2, env={"AWS_ENDPOINT_URL": server.url})
    assert done["output"] == "xx" and behind(server) == [0, 1, 1, 1], (done, behind(server))
    server = serve(sts)
    done = probe(tmp_path, "read", "s3://bucket", "k", env={"AWS_ENDPOINT_URL": server.url})
    assert done["outcome"] == "invalid" and "Signature expired" in done["message"] and len(server.requests) == 2, done


def test_s3_entity_tag_that_only_looks_like_an_md5(serve, s3, tmp_path):
    server = serve(whole(DATA, etag=f'"{"a" * 32}"'))
    assert s3(server, "get", "k", tmp_path / "out", hashlib.sha256(DATA).hexdigest())["outcome"] == "ok"
    assert (tmp_path / "out").read_bytes() == DATA
    assert "MD5" in s3(server, "get", "k", tmp_path / "out")["message"], "nothing else to compare with"


@pytest.mark.parametrize("code, refusal", [(501, "NotImplemented"), (400, "InvalidArgument")])
def test_s3_service_without_checksums(serve, s3, tmp_path, code, refusal):
    """Their headers are left out once they are refused; the signed SHA-256 of the body stays."""
    (tmp_path / "small").write_bytes(DATA)
    (tmp_path / "large").write_bytes(bytes(6_000_000))
    sent = []

    def old(h):
        names = [n for n in h.headers if "checksum" in n.lower()]
        if names or b"Checksum" in h.body[:1000]:
            text = f"<Error><Code>{refusal}</Code><Message>Unsupported header '{(names or ['checksum'])[0]}' received</Message></Error>"
            return answer(code, text)(h)
        assert h.headers["x-amz-content-sha256"] == hashlib.sha256(h.body).hexdigest()
        sent.append(h.command)
        body = "<R><UploadId>u1</UploadId><ETag>x</ETag></R>" if h.command == "POST" else ""
        return answer(200, body, ETag='"1"')(h)

    for name, commands in (("small", ["PUT"]), ("large", ["POST", "PUT", "PUT", "POST"])):
        done = s3(serve(old), "put", "k", tmp_path / name, **PARTS)
        assert done["outcome"] == "ok" and sent == commands, done
        sent.clear()


def test_s3_plain_http_needs_the_host_to_be_named(serve, s3, tmp_path):
    env = {"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "B", "AWS_ENDPOINT_URL": "http://minio.invalid:9000"}
    done = probe(tmp_path, "read", "s3://bucket", "k", env=env)
    assert done["outcome"] == "invalid" and "net.insecure_hosts=[minio.invalid]" in done["message"]
    done = probe(tmp_path, "read", "s3://bucket", "k", env=env, **{"net.insecure_hosts": "[minio.invalid]"})
    assert "resolve" in done["message"]
    done = probe(tmp_path, "read", "s3://bucket", "k", env=env, **{"store.anonymous": "true"})
    assert "resolve" in done["message"]  # nothing secret is sent
    proxy = serve(status(502))  # of another machine: what goes to this one unencrypted is none of its business
    assert s3(serve(whole(b"x")), "read", "k", **{"net.http_proxy": proxy.url})["output"] == "x" and proxy.requests == []


# ---- web servers, addresses


def test_web_server_is_read_only(serve, tmp_path):
    server = serve(ranged(DATA))
    assert probe(tmp_path, "get", server.url + "/models/", "a b.fnm", tmp_path / "out")["outcome"] == "ok"
    assert (tmp_path / "out").read_bytes() == DATA and server.paths() == ["/models/a%20b.fnm"]
    assert probe(tmp_path, "stat", server.url, "x")["output"].startswith(f"{len(DATA)} ")
    for verb, *more in (["put", "k", tmp_path / "out"], ["write", "k", "x"], ["remove", "k"], ["list"]):
        done = probe(tmp_path, verb, server.url, *more)
        assert done["outcome"] == "unsupported" and "read-only" in done["message"]
    secret = serve(status(401)).url.replace("//", "//me:pass-word@")
    done = probe(tmp_path, "read", secret, "k")
    assert done["outcome"] == "invalid" and "pass-word" not in json.dumps(done)
    secret = f"sig={'s3cr+t%2F' * 3}"  # a signed address, sent back by servers of every kind
    for where in (f"ftp://h/x?{secret}", f"http://[?{secret}", "", f"file:///x?{secret}", f"http://me:{secret}@[/x"):
        server = serve(status(302, Location=where))
        done = probe(tmp_path, "get", server.url + "/m?" + secret, "k", tmp_path / "out")
        assert done["outcome"] in ("invalid", "io") and "s3cr" not in json.dumps(done) and "?" not in done["message"], done
    done = probe(tmp_path, "read", serve(answer(403, secret + " " + "s3cr+t/" * 3)).url + "/m?" + secret, "k")
    assert done["outcome"] == "invalid" and "s3cr" not in json.dumps(done), done
    server = serve(whole(DATA, send=1000), whole(DATA))
    assert probe(tmp_path, "get", server.url, "k", tmp_path / "out2")["outcome"] == "ok"
    assert (tmp_path / "out2").read_bytes() == DATA


@pytest.mark.parametrize("uri", ["s3://", "s3://b", "s3://bu..cket", "s3://bucket/../x", "s3://u:p@bucket/x", "gs://b/x", "gs://bucket//x",
                                 "http://", "s3://bucket/a\\b"])  # fmt: skip
def test_addresses_that_are_none(tmp_path, uri):
    done = probe(tmp_path, "list", uri)
    assert done["outcome"] == "invalid" and "u:p" not in done["message"]


def test_addresses_of_folders(tmp_path):
    """file: addresses hold %XX; the case of schemes does not matter; what a shell would have replaced makes no folder."""
    folder = tmp_path / "a b" / "ü"
    for uri in (folder, f"file://{tmp_path}/a%20b/%C3%BC", f"FILE:{tmp_path}/a%20b/%c3%bc", f"file://localhost{tmp_path}/a b/ü"):
        assert probe(tmp_path, "write", uri, "k", str(uri))["outcome"] == "ok"
        assert (folder / "k").read_text() == str(uri) and [p.name for p in tmp_path.iterdir()] == ["a b"]
    assert probe(tmp_path, "write", tmp_path / "50%25", "k", "x")["outcome"] == "ok" and (tmp_path / "50%25/k").exists()  # a path is no address
    for uri, said in (("~/runs", "whole path"), ("~x", "whole path"), ("C:\\runs", "Windows"), (f"file://{tmp_path}/a%00b", "names a path"),
                      ("http://u:p/w@host:x/", "no address")):  # fmt: skip
        done = probe(tmp_path, "write", uri, "k", "x")
        assert done["outcome"] == "invalid" and said in done["message"] and "p/w" not in done["message"], (uri, done)
    assert "bucket" in probe(tmp_path, "list", "S3://b")["message"]


# ---- settings that name a secret


def test_secret_of_google_as_a_setting(fakenews, cloud, key_file, tmp_path):
    database = tmp_path / "from-the-secret.db"
    cloud.secrets["projects/project-1/secrets/db/versions/latest"] = f"{database}\n".encode()
    cloud.secrets["projects/other/secrets/db/versions/3"] = f"{database}.3".encode()
    env = {"GOOGLE_APPLICATION_CREDENTIALS": str(key_file), "CLOUDSDK_API_ENDPOINT_OVERRIDES_SECRETMANAGER": cloud.url + "/"}
    done = fakenews("keys", "add", "--name", "me", "--role", "admin", "predictions.url=secret:gcp/db", env=env)
    assert done.code == 0 and database.exists(), done
    done = fakenews("keys", "add", "--name", "me", "--role", "admin", "predictions.url=secret:gcp/db/versions/3", env={**env, "GOOGLE_CLOUD_PROJECT": "other"})
    assert done.code == 0 and (tmp_path / "from-the-secret.db.3").exists(), done
    env_file = {**env, "FAKENEWS_PREDICTIONS_URL": "secret:gcp/projects/other/secrets/db/versions/3"}
    assert fakenews("keys", "list", env=env_file).code == 0
    cloud.requests.clear()
    done = fakenews("config", "show", "predictions.url=secret:gcp/db", env=env)
    assert "predictions.url: '***'" in done.stdout.replace('"', "'") and "from-the-secret" not in done.stdout and cloud.requests == []
    # Verbs that do not read the setting ask nobody for it.
    assert fakenews("runs", "list", env=env_file).code == 2 and cloud.requests == []


@pytest.mark.parametrize("reference,code,said", [
    ("secret:gcp/none", 2, "HTTP 404"), ("secret:aws/x", 2, "secret:gcp/NAME"), ("secret:gcp/a/b", 2, "secret:gcp/NAME"),
    ("secret:gcp/../../x", 2, "secret:gcp/NAME"), ("secret:gcp/nul", 2, "NUL"), ("secret:gcp/flip", 1, "CRC-32C"), ("secret:gcp/password", 2, "no address"),
])  # fmt: skip
def test_secrets_that_cannot_be_had(fakenews, cloud, key_file, reference, code, said):
    cloud.secrets["projects/project-1/secrets/nul/versions/latest"] = b"top-secret\0"
    for name in ("flip", "password"):
        cloud.secrets[f"projects/project-1/secrets/{name}/versions/latest"] = b"top-secret"
    cloud.fault = lambda method, path, n: "flip" if "/flip/" in path else None
    env = {"GOOGLE_APPLICATION_CREDENTIALS": str(key_file), "CLOUDSDK_API_ENDPOINT_OVERRIDES_SECRETMANAGER": cloud.url}
    done = fakenews("keys", "list", f"predictions.url={reference}", env=env)
    assert done.code == code and said in done.stderr and "predictions.url" in done.stderr and "top-secret" not in done.stderr, done
    assert "ya29" not in done.stderr


def test_proxy_cannot_be_a_secret(fakenews):
    done = fakenews("data", "download", "http://127.0.0.1:9/x", "--out", "d", "net.http_proxy=secret:gcp/x")
    assert done.code == 2 and "net.http_proxy: a proxy cannot be named by a secret" in done.stderr


# ---- folders


def test_full_disk_leaves_nothing_half(tmp_path, serve):
    (tmp_path / "source").write_bytes(DATA)
    store = tmp_path / "store"
    done = probe(tmp_path, "put", store, "a/k", tmp_path / "source", limit=100_000)
    assert done["outcome"] == "io" and "cannot be written" in done["message"], done
    assert [p for p in store.rglob("*") if p.is_file()] == []
    server = serve(ranged(DATA))
    done = probe(tmp_path, "get", server.url, "k", tmp_path / "out", limit=100_000)
    assert done["outcome"] == "io" and "what is there is kept" in done["message"] and not (tmp_path / "out").exists()
    assert probe(tmp_path, "get", server.url, "k", tmp_path / "out")["outcome"] == "ok"
    assert (tmp_path / "out").read_bytes() == DATA and server.headers("Range")[-1] == "bytes=100000-"


def test_large_files_of_a_folder_are_checked_too(tmp_path):
    data = BIG * 3
    (tmp_path / "source").write_bytes(data)
    assert probe(tmp_path, "put", tmp_path / "store", "k", tmp_path / "source", hashlib.sha256(data).hexdigest())["outcome"] == "ok"
    done = probe(tmp_path, "get", tmp_path / "store", "k", tmp_path / "out", "0" * 64)
    assert done["outcome"] == "io" and hashlib.sha256(data).hexdigest() in done["message"] and not (tmp_path / "out").exists()


def test_folder_that_can_only_be_read_says_so():
    """As somebody who may not write everywhere, which root may; outside of folders that only we may enter."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        program = shutil.copy(f"{TOOLS}/store_probe", folder)
        (folder / "store").mkdir()
        (folder / "store/k").write_text("x")
        (folder / "store").chmod(0o555)
        done = probe(folder, "write", folder / "store", "a/b", "text", user=65534, program=program)
        assert done["outcome"] == "invalid" and "this store can only be read" in done["message"], done
        assert probe(folder, "read", folder / "store", "k", user=65534, program=program)["output"] == "x"
        (folder / "store").chmod(0o755)


def test_two_processes_fetch_one_file(tmp_path, serve):
    """The second waits for the first, and both have it."""
    slow = threading.Event()

    def step(h):
        h.head(200, Content_Length=len(DATA), ETag='"v1"')
        h.wfile.write(DATA[:1000])
        slow.wait(20)
        h.wfile.write(DATA[1000:])

    server = serve(step, ranged(DATA))
    results = []
    threads = [threading.Thread(target=lambda: results.append(probe(tmp_path, "get", server.url, "k", tmp_path / "out"))) for _ in "ab"]
    for thread in threads:
        thread.start()
        time.sleep(0.4)
    slow.set()
    for thread in threads:
        thread.join()
    assert [r["outcome"] for r in results] == ["ok", "ok"] and (tmp_path / "out").read_bytes() == DATA
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out"]
