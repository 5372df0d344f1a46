"""Artifact stores judged by botocore's signer, by moto with signature checks on, and by boto3 as the other side."""

import hashlib
import json
import os
import random
import socket
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone

import boto3
import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cli.cloud_support import Cloud, make_key
from cli.credential_support import aws_variables, sso_file, write_aws, write_google
from cli.store_support import TOOLS, Proxy, probe

BIG = random.Random(1).randbytes(17_500_000)  # three parts
SMALL = b"a small artifact"


# ---- the signer


def signed(lines):
    text = "".join(json.dumps(line) + "\n" for line in lines)
    done = subprocess.run([f"{TOOLS}/store_probe", "sigv4"], input=text, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def random_request(rng, service):
    letters = "abcXYZ019-._~ /+=&%ü€😀'()*!$,;:@[]"

    def word(n, alphabet=letters):
        return "".join(rng.choice(alphabet) for _ in range(rng.randrange(1, n)))

    path = "/" + urllib.request.quote(word(30).strip("/"), safe="/-._~") if service == "s3" else "/"
    query = sorted({word(8): word(12) if rng.random() < 0.8 else "" for _ in range(rng.randrange(4))}.items())
    rng.shuffle(query)
    stamp = datetime.fromtimestamp(rng.randrange(10**9, 2 * 10**9), timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    payload = hashlib.sha256(rng.randbytes(8)).hexdigest()
    headers = [["host", "bucket.example.org:9000"], ["x-amz-date", stamp], ["x-amz-content-sha256", payload]]
    for i in range(rng.randrange(5)):
        headers.append([f"X-Amz-Meta-{word(4, 'abcABC')}{i}", word(20, "abc  =/;,") .strip() or "x"])
    rng.shuffle(headers)
    return {"method": rng.choice(["GET", "PUT", "POST", "DELETE", "HEAD"]), "path": path, "query": query, "headers": headers,
            "payload": payload, "region": rng.choice(["us-east-1", "eu-central-1"]), "service": service, "time": stamp,
            "id": word(20, "ABCDEF123"), "secret": word(40, "abcdef+/123")}  # fmt: skip


def test_signatures_are_those_of_botocore():
    rng = random.Random(7)
    requests = [random_request(rng, rng.choice(["s3", "s3", "sts"])) for _ in range(400)]
    for r, ours in zip(requests, signed(requests), strict=True):
        kind = S3SigV4Auth if r["service"] == "s3" else SigV4Auth
        auth = kind(Credentials(r["id"], r["secret"]), r["service"], r["region"])
        theirs = AWSRequest(r["method"], f"https://bucket.example.org:9000{r['path']}", params=dict(r["query"]),
                            headers=dict(r["headers"]))
        theirs.context["timestamp"] = r["time"]
        theirs.context["payload_signing_enabled"] = True
        canonical = auth.canonical_request(theirs)
        assert ours["canonical"] == canonical, r
        to_sign = auth.string_to_sign(theirs, canonical)
        assert ours["to_sign"] == to_sign
        assert ours["authorization"].endswith(f"Signature={auth.signature(to_sign, theirs)}")
        names = ";".join(sorted({name.lower() for name, _ in r["headers"]}))
        assert f"SignedHeaders={names}, " in ours["authorization"]


# ---- moto


class Moto:
    """moto_server with checks of signatures, one user who may do everything, and a bucket."""

    def __init__(self, folder):
        self.held = socket.socket()  # nobody else is given the port before the server listens
        self.held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.held.bind(("127.0.0.1", 0))
        self.port = self.held.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        environment = {**os.environ, "INITIAL_NO_AUTH_ACTION_COUNT": "0"}
        self.log = open(folder / "moto.log", "wb")  # noqa: SIM115
        self.process = subprocess.Popen([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)],
                                        stdout=self.log, stderr=self.log, env=environment)
        deadline = time.monotonic() + 180
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                break
            except OSError:
                time.sleep(0.1)
        self.free_actions(10)
        iam = self.client("iam", "x", "y")
        iam.create_user(UserName="u")
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=json.dumps(policy))
        key = iam.create_access_key(UserName="u")["AccessKey"]
        self.client("s3", "x", "y").create_bucket(Bucket="bucket")
        self.env = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
                    "AWS_ENDPOINT_URL_S3": self.url}  # fmt: skip
        self.free_actions(0)
        self.s3 = self.client("s3", key["AccessKeyId"], key["SecretAccessKey"])

    def client(self, service, key, secret):
        return boto3.client(service, endpoint_url=self.url, region_name="us-east-1", aws_access_key_id=key, aws_secret_access_key=secret)

    def free_actions(self, n):
        request = urllib.request.Request(f"{self.url}/moto-api/reset-auth", data=str(n).encode(), method="POST",
                                         headers={"Content-Type": "text/plain"})
        urllib.request.urlopen(request).close()

    def stop(self):
        self.process.terminate()
        self.process.wait(60)
        self.log.close()
        self.held.close()


@pytest.fixture(scope="module")
def moto(tmp_path_factory):
    server = Moto(tmp_path_factory.mktemp("moto"))
    yield server
    server.stop()


@pytest.fixture
def s3(moto, tmp_path):
    """s3(verb, …) on s3://bucket with moto's keys."""

    def run(verb, *arguments, uri="s3://bucket", env=None, **settings):
        return probe(tmp_path, verb, uri, *arguments, env={**moto.env, **(env or {})}, **settings)

    return run


@pytest.fixture
def spoiled(moto):
    proxies = []

    def start(spoil):
        proxies.append(Proxy(moto.port, spoil))
        return proxies[-1]

    yield start
    for proxy in proxies:
        proxy.stop()


@pytest.mark.parametrize("data", [b"", SMALL, BIG], ids=["empty", "small", "parts"])
def test_what_is_put_is_what_boto3_gets_and_what_boto3_puts_is_got(s3, moto, tmp_path, data):
    source, target = tmp_path / "source", tmp_path / "deep/er/target"
    source.write_bytes(data)
    sha = hashlib.sha256(data).hexdigest()
    done = s3("put", "ours.bin", source, sha)
    assert done["outcome"] == "ok" and done["last_data"] == len(data), done
    head = moto.s3.get_object(Bucket="bucket", Key="ours.bin")
    assert head["Body"].read() == data and head["Metadata"] == {"sha256": sha}
    moto.s3.upload_file(str(source), "bucket", "theirs.bin")
    for key in ("ours.bin", "theirs.bin"):
        assert s3("get", key, target, sha)["outcome"] == "ok" and target.read_bytes() == data
        assert [p.name for p in target.parent.iterdir()] == ["target"]
        target.unlink()
    size, modified, digest = s3("stat", "ours.bin")["output"].split(" ")
    assert int(size) == len(data) and abs(int(modified) / 1000 - time.time()) < 600 and digest == sha


def test_wrong_keys_are_refused_and_nothing_secret_is_said(s3, moto):
    secret = moto.env["AWS_SECRET_ACCESS_KEY"]
    done = s3("read", "ours.bin", env={"AWS_SECRET_ACCESS_KEY": "wrong" + secret})
    assert done["outcome"] == "invalid" and "SignatureDoesNotMatch" in done["message"] and "environment" in done["message"]
    done = s3("read", "ours.bin", env={"AWS_ACCESS_KEY_ID": "AKIAUNKNOWN"})
    assert done["outcome"] == "invalid" and "InvalidAccessKeyId" in done["message"]
    assert secret not in json.dumps(done)


def test_list_stat_remove(s3, moto):
    for i in range(7):
        moto.s3.put_object(Bucket="bucket", Key=f"n{i}", Body=b"x" * i)
    lines = dict(line.split(" ")[:2] for line in s3("list")["output"].splitlines())
    assert {k: v for k, v in lines.items() if k.startswith("n")} == {f"n{i}": str(i) for i in range(7)}
    assert s3("remove", "n0")["outcome"] == "ok" and s3("remove", "n0")["outcome"] == "ok"
    assert s3("stat", "n0")["outcome"] == "not_found" and s3("read", "n0")["outcome"] == "not_found"
    assert s3("read", "n0", uri="s3://no-bucket")["message"].endswith("there is no bucket no-bucket")


def test_keys_of_every_kind(s3, moto):
    """moto's check of signatures cannot take encoded paths, those of boto3 neither: it is off here; the signer is judged
    above."""
    moto.free_actions(10**9)
    try:
        for key in ("a b", "a+b", "ü/€/😀", "a%2Fb", "q?x=1&y", "'(c)*!'", "~.-_"):
            assert s3("write", key, key, uri="s3://bucket/pre/fix")["outcome"] == "ok"
            assert moto.s3.get_object(Bucket="bucket", Key="pre/fix/" + key)["Body"].read().decode() == key
            assert s3("read", key, uri="s3://bucket/pre/fix")["output"] == key
        listed = [line.rsplit(" ", 2)[0] for line in s3("list", uri="s3://bucket/pre/fix")["output"].splitlines()]
        assert sorted(listed) == sorted(["a b", "a+b", "ü/€/😀", "a%2Fb", "q?x=1&y", "'(c)*!'", "~.-_"])
        listed = s3("list", "fix", uri="s3://bucket/pre")["output"]
        assert listed.startswith("fix/") and len(listed.splitlines()) == 7
    finally:
        moto.free_actions(0)


# ---- credentials: tests/cli/test_store.py holds our client to the same tables


@pytest.fixture
def cloud(tmp_path):
    server = Cloud(tmp_path)
    yield server
    server.stop()


ASK_BOTOCORE = """
import json, os, sys
import botocore.session
keys = {}
for profile, variables in json.load(sys.stdin).items():
    os.environ.update(variables)
    try:
        keys[profile] = botocore.session.Session().get_credentials().get_frozen_credentials().access_key
    except Exception as error:
        keys[profile] = None
print(json.dumps(keys))
"""


def env_of(home):
    return {"PATH": os.environ["PATH"], "HOME": str(home), "AWS_DEFAULT_REGION": "us-east-1", "AWS_MAX_ATTEMPTS": "1",
            "AWS_METADATA_SERVICE_TIMEOUT": "60"}  # it gives a machine's own keys one second


def test_profiles_give_the_keys_that_botocore_gets(cloud, tmp_path):
    expected = write_aws(tmp_path, cloud)
    asked = {profile: aws_variables(tmp_path, cloud, profile) for profile in expected}
    done = subprocess.run([sys.executable, "-c", ASK_BOTOCORE], input=json.dumps(asked), env=env_of(tmp_path), capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == expected
    # a token that botocore refreshed serves us, and ours botocore: the file has the same members
    theirs = {name: json.loads(sso_file(tmp_path, name).read_text()) for name in ("stale", "ending")}
    assert all(t["refreshToken"].endswith("+") for t in theirs.values())
    for name, kept in theirs.items():
        sso_file(tmp_path, name).write_text(json.dumps({**kept, "accessToken": "other-secret", "expiresAt": "2020-01-01T00:00:00Z"}))
        env = {**asked[name], "AWS_ENDPOINT_URL_S3": cloud.url, "AWS_DEFAULT_REGION": "us-east-1"}
        probe(tmp_path, "stat", "s3://bucket", "k", env=env)
        ours = json.loads(sso_file(tmp_path, name).read_text())
        assert ours.keys() == kept.keys() and ours["refreshToken"] == kept["refreshToken"] + "+" and ours["accessToken"] == "sso-secret"
        assert {k: ours[k] for k in ours if k not in ("refreshToken", "expiresAt")} == {k: kept[k] for k in kept if k not in ("refreshToken", "expiresAt")}
        assert time.strptime(ours["expiresAt"], "%Y-%m-%dT%H:%M:%SZ") and ours["expiresAt"] > "2026"
    again = subprocess.run([sys.executable, "-c", ASK_BOTOCORE], input=json.dumps({n: asked[n] for n in theirs}), env=env_of(tmp_path),
                           capture_output=True, text=True, check=True)  # fmt: skip
    assert json.loads(again.stdout) == {n: expected[n] for n in theirs}


def test_files_of_google_give_the_tokens_that_google_auth_gets(cloud, tmp_path, monkeypatch):
    """google-auth asks an address of its own for impersonation, of which it takes the account's name only."""
    requests = pytest.importorskip("google.auth.transport.requests")
    import google.auth
    import google.auth.iam
    from google.auth.exceptions import GoogleAuthError

    monkeypatch.setattr(google.auth.iam, "_IAM_ENDPOINT", cloud.url + "/v1/projects/-/serviceAccounts/{}:generateAccessToken")

    def ask(name):
        try:
            scopes = ["https://www.googleapis.com/auth/devstorage.read_write"]
            credentials, _ = google.auth.load_credentials_from_file(str(tmp_path / f"{name}.json"), scopes=scopes)
            credentials.refresh(requests.Request())
            return credentials.token
        except GoogleAuthError:
            return None

    expected = write_google(tmp_path, cloud, make_key(tmp_path))
    assert {name: ask(name) for name in expected} == expected


# ---- what goes wrong on the way


def test_bursts_of_503_and_lost_answers_are_waited_out(s3, spoiled, tmp_path, moto):
    (tmp_path / "source").write_bytes(BIG)
    faults = {2: 503, 3: 503, 5: "lost", 7: 500, 9: "lost"}
    proxy = spoiled(lambda method, path, n: faults.get(n))
    # One part may meet all of them.
    done = s3("put", "burst", tmp_path / "source", env={"AWS_ENDPOINT_URL_S3": proxy.url}, **{"net.retries": 6})
    assert done["outcome"] == "ok" and done["events"].count("retry") == 5, done
    assert moto.s3.get_object(Bucket="bucket", Key="burst")["Body"].read() == BIG
    assert moto.s3.list_multipart_uploads(Bucket="bucket").get("Uploads", []) == []


def test_upload_that_broke_off_goes_on(s3, spoiled, tmp_path, moto):
    (tmp_path / "source").write_bytes(BIG)
    state = tmp_path / "state"
    proxy = spoiled(lambda method, path, n: 503 if "partNumber=3" in path else None)
    env = {"AWS_ENDPOINT_URL_S3": proxy.url}
    done = s3("put", "broken", tmp_path / "source", "state", state, env=env)
    assert done["outcome"] == "io" and "goes on" in done["message"]
    assert [(p.stat().st_mode & 0o777) for p in state.iterdir()] == [0o600]
    proxy.spoil, proxy.seen[:] = (lambda method, path, n: None), []
    done = s3("put", "broken", tmp_path / "source", "state", state, env=env)
    assert done["outcome"] == "ok" and list(state.iterdir()) == []
    assert [path.split("&")[0] for method, path, _ in proxy.seen if method == "PUT"] == ["/bucket/broken?partNumber=3"]
    assert moto.s3.get_object(Bucket="bucket", Key="broken")["Body"].read() == BIG
    # One that was completed, though nobody was told, is not sent again.
    proxy.spoil = lambda method, path, n: "lost" if method == "POST" and "uploadId" in path else None
    assert s3("put", "told", tmp_path / "source", "state", state, env=env, **{"net.retries": 0})["outcome"] == "io"
    proxy.seen[:] = []
    assert s3("put", "told", tmp_path / "source", "state", state, env=env)["outcome"] == "ok" and list(state.iterdir()) == []
    assert [method for method, path, _ in proxy.seen] == ["GET", "HEAD"]
    # Another file, other parts or a short file do not go on with it, nor leave it behind.
    for name, size, settings in (("broken", len(BIG), {}), ("other", len(BIG), {"store.part_mb": 6}), ("short", 9, {})):
        proxy.spoil = lambda method, path, n: 503 if "partNumber=3" in path else None
        assert s3("put", "changed", tmp_path / "source", "state", state, env=env)["outcome"] == "io"
        proxy.spoil = lambda method, path, n: None
        (tmp_path / name).write_bytes(bytes(size))
        assert s3("put", "changed", tmp_path / name, "state", state, env=env, **settings)["outcome"] == "ok"
        assert moto.s3.list_multipart_uploads(Bucket="bucket").get("Uploads", []) == [] and list(state.iterdir()) == []
    # Without a memory nothing is left that would be paid for.
    proxy.spoil = lambda method, path, n: 503 if "partNumber=3" in path else None
    assert s3("put", "broken2", tmp_path / "source", env=env)["outcome"] == "io"
    assert moto.s3.list_multipart_uploads(Bucket="bucket").get("Uploads", []) == []


def test_one_file_put_by_several_at_once(s3, spoiled, tmp_path, moto):
    """They share the memory of uploads: who comes second has none, and takes no upload away from the first."""
    (tmp_path / "source").write_bytes(BIG)
    state = tmp_path / "state"
    proxy = spoiled(lambda method, path, n: time.sleep(0.05))
    env = {"AWS_ENDPOINT_URL_S3": proxy.url}
    with ThreadPoolExecutor(3) as pool:
        for done in pool.map(lambda _: s3("put", "shared", tmp_path / "source", "state", state, env=env), range(3)):
            assert done["outcome"] == "ok", done
    assert moto.s3.get_object(Bucket="bucket", Key="shared")["Body"].read() == BIG and list(state.iterdir()) == []
    assert moto.s3.list_multipart_uploads(Bucket="bucket").get("Uploads", []) == []
    # One that is gone at the service while its parts travel is begun again.
    gone = []

    def remove(method, path, n):
        if "partNumber=2" in path and not gone:
            gone.extend(u["UploadId"] for u in moto.s3.list_multipart_uploads(Bucket="bucket")["Uploads"])
            moto.s3.abort_multipart_upload(Bucket="bucket", Key="gone", UploadId=gone[0])
            return 404
        return None

    proxy.spoil = remove
    done = s3("put", "gone", tmp_path / "source", "state", state, env=env)
    assert done["outcome"] == "ok" and gone and moto.s3.get_object(Bucket="bucket", Key="gone")["Body"].read() == BIG, done


def test_download_that_broke_off_goes_on(s3, spoiled, tmp_path, moto):
    moto.s3.put_object(Bucket="bucket", Key="cut", Body=BIG)
    proxy = spoiled(lambda method, path, n: "cut" if n == 1 else None)
    env = {"AWS_ENDPOINT_URL_S3": proxy.url}
    one = {"store.connections": 1}
    done = s3("get", "cut", tmp_path / "out", env=env, **one)
    assert done["outcome"] == "ok" and (tmp_path / "out").read_bytes() == BIG, done
    assert [headers.get("Range") for _, _, headers in proxy.seen] == [None, f"bytes={len(BIG) // 2}-"]
    (tmp_path / "out").unlink()
    proxy.spoil = lambda method, path, n: "cut"
    assert s3("get", "cut", tmp_path / "out", env=env, **one, **{"net.retries": 0})["outcome"] == "io"
    assert not (tmp_path / "out").exists() and (tmp_path / "out.part").stat().st_size == len(BIG) // 2
    proxy.spoil, proxy.seen[:] = (lambda method, path, n: None), []
    moto.s3.put_object(Bucket="bucket", Key="cut", Body=BIG[::-1])  # it changed meanwhile
    assert s3("get", "cut", tmp_path / "out", env=env)["outcome"] == "ok"
    assert (tmp_path / "out").read_bytes() == BIG[::-1] and not (tmp_path / "out.part").exists()


def test_flipped_bit_is_noticed(s3, spoiled, tmp_path, moto):
    moto.s3.put_object(Bucket="bucket", Key="flip", Body=SMALL)
    proxy = spoiled(lambda method, path, n: "flip")
    env = {"AWS_ENDPOINT_URL_S3": proxy.url}
    for verb, *more in (["read"], ["get", tmp_path / "out"]):
        done = s3(verb, "flip", *more, env=env)
        assert done["outcome"] == "io" and "damaged" in done["message"], done
    assert not (tmp_path / "out").exists() and not (tmp_path / "out.part").exists()
    (tmp_path / "source").write_bytes(SMALL)
    assert s3("put", "flip", tmp_path / "source", "0" * 64)["outcome"] == "io"
