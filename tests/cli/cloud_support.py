"""A stand-in for the services of Google and AWS that src/store speaks to besides S3 itself, written from their documented
shapes: OAuth tokens, metadata servers, Cloud Storage's JSON API, Secret Manager, STS, container credentials."""

import base64
import hashlib
import json
import subprocess
import threading
import time
import urllib.parse
import zlib
from contextlib import suppress
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PIECE = 256 * 1024
CRC_TABLE = []
for i in range(256):
    c = i
    for _ in range(8):
        c = (c >> 1) ^ 0x82F63B78 if c & 1 else c >> 1
    CRC_TABLE.append(c)


@cache
def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ CRC_TABLE[(crc ^ byte) & 255]
    return crc ^ 0xFFFFFFFF


def b64(data):
    return base64.b64encode(data).decode()


def from_base64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Cloud:
    """fault(method, path, n): what to do with the n-th request: None, a status, a status and a message, "cut" (half of the bytes, then silence),
    "lost" (done, and not answered), "flip" (the stored bytes are changed), "slow" (a quarter of a GET's bytes; the others when
    two more requests have come). lifetime: seconds that tokens say they live."""

    def __init__(self, folder):
        self.fault, self.lifetime = (lambda method, path, n: None), 3600
        self.requests, self.objects, self.sessions, self.tokens = [], {}, {}, set()
        self.secrets, self.valid_until = {}, {}
        self.lock, self.folder, self.page = threading.Lock(), folder, 1000
        self.aws_role, self.refresh = True, {"refresh-secret-1", "refresh-secret-2"}
        cloud = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version, rest = "HTTP/1.1", b""

            def handle_any(self):
                self.data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self.close_connection = True
                with cloud.lock:
                    cloud.requests.append(self)
                    self.number = len(cloud.requests)
                    self.fault = cloud.fault(self.command, self.path, len(cloud.requests))
                    self.split = urllib.parse.urlsplit(self.path)
                    self.query = dict(urllib.parse.parse_qsl(self.split.query, keep_blank_values=True))
                    if isinstance(self.fault, (int, tuple)):
                        code, message = self.fault if isinstance(self.fault, tuple) else (self.fault, "try again")
                        return self.json(code, {"error": {"code": code, "message": message}})
                    cloud.route(self)
                if self.rest:
                    cloud.wait_for(self.number + 2)
                    with suppress(OSError):
                        self.wfile.write(self.rest)
                return None

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any

            def bytes(self, status, data, **headers):
                if self.fault == "lost":
                    return None
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), str(value))
                self.send_header("Content-Length", str(len(data)))
                self.send_header("Connection", "close")
                self.end_headers()
                share = {"cut": 2, "slow": 4}.get(self.fault, 1) if self.command == "GET" else 1
                self.wfile.write(data[: len(data) // share])
                if share == 4:
                    self.rest = data[len(data) // share :]
                return None

            def json(self, status, value, **headers):
                return self.bytes(status, json.dumps(value).encode(), Content_Type="application/json", **headers)

            def log_message(self, *arguments):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.host = f"127.0.0.1:{self.http.server_address[1]}"
        self.url = f"http://{self.host}"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self):
        self.http.shutdown()
        self.http.server_close()

    def wait_for(self, n):
        """Until n requests have come, for a while."""
        end = time.monotonic() + 20
        while len(self.requests) < n and time.monotonic() < end:
            time.sleep(0.005)

    def paths(self):
        return [f"{r.command} {r.split.path}" for r in self.requests]

    # ---- routes

    def route(self, h):
        path = h.split.path
        if path == "/token":
            return self.token(h)
        if path.startswith("/computeMetadata/v1/"):
            return self.metadata(h, path.removeprefix("/computeMetadata/v1/"))
        if path.startswith("/latest/"):
            return self.instance(h, path)
        if path == "/container":
            ok = h.headers.get("Authorization") == "container-secret"
            return h.json(200, self.aws_keys("CONTAINER")) if ok else h.json(403, {"message": "no"})
        if path == "/" and h.command == "POST":
            return self.sts(h)
        if path == "/federation/credentials":
            return self.sso(h)
        if path == "/oidc/token":
            return self.refresh_sso(h)
        if path == "/v1/token":
            return self.exchange(h)
        if path == "/v1/oauthtoken":
            form, asker = dict(urllib.parse.parse_qsl(h.data.decode())), h.headers.get("Authorization", "")
            if form != {"grant_type": "refresh_token", "refresh_token": "refresh-secret"} or asker != "Basic " + b64(b"id:client-secret"):
                return h.json(400, {"error": "invalid_grant", "sent": form, "by": asker})
            self.tokens.add("ya29.workforce")
            return h.json(200, {"access_token": "ya29.workforce", "expires_in": self.lifetime, "token_type": "Bearer"})
        if path == "/subject":
            good = h.headers.get("X-Ask") == "ask-secret"
            return h.json(200, {"id_token": "subject-secret"}) if good else h.json(403, {})
        if path.endswith(":generateAccessToken"):
            return self.impersonate(h, path)
        if path.startswith("/session/"):
            return self.session(h, path.removeprefix("/session/"))
        bearer = (h.headers.get("Authorization") or "").removeprefix("Bearer ")
        if bearer not in self.tokens:
            return h.json(401, {"error": {"code": 401, "message": f"Invalid Credentials: {bearer}"}})
        if path.startswith("/v1/projects/"):
            return self.secret(h, path.removeprefix("/v1/"))
        return self.storage(h, path)

    def new_token(self):
        token = f"ya29.token-{len(self.tokens)}-{time.monotonic_ns()}"
        self.tokens.add(token)
        return {"access_token": token, "expires_in": self.lifetime, "token_type": "Bearer"}

    def token(self, h):
        form = dict(urllib.parse.parse_qsl(h.data.decode()))
        if form["grant_type"] == "refresh_token":
            good = (form["client_id"], form["client_secret"], form["refresh_token"]) == ("id", "client-secret", "refresh-secret")
            return h.json(200, self.new_token()) if good else h.json(400, {"error": "invalid_grant", "sent": form})
        signed, _, signature = form["assertion"].rpartition(".")
        (self.folder / "signed").write_text(signed)
        (self.folder / "signature").write_bytes(from_base64url(signature))
        done = subprocess.run(["openssl", "dgst", "-sha256", "-verify", self.folder / "public.pem", "-signature",
                               self.folder / "signature", self.folder / "signed"], capture_output=True)
        head, claim = (json.loads(from_base64url(part)) for part in signed.split("."))
        good = done.returncode == 0 and head["alg"] == "RS256" and claim["aud"] in (self.url + "/token", "https://oauth2.googleapis.com/token")
        good = good and claim["exp"] - claim["iat"] <= 3600 and abs(claim["iat"] - time.time()) < 60
        good = good and claim["iss"] == "robot@project-1.iam" and claim["scope"].startswith("https://www.googleapis.com/auth/")
        return h.json(200, self.new_token()) if good else h.json(400, {"error": "invalid_grant", "sent": form})

    def metadata(self, h, path):
        if h.headers.get("Metadata-Flavor") != "Google":
            return h.json(403, {})
        if path == "project/project-id":
            return h.bytes(200, b"project-of-machine", Metadata_Flavor="Google")
        return h.json(200, self.new_token(), Metadata_Flavor="Google")

    def aws_keys(self, name):
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + self.lifetime))
        return {"Code": "Success", "AccessKeyId": f"AKIA{name}", "SecretAccessKey": f"secret-of-{name}", "Token": f"token-of-{name}",
                "Expiration": stamp}  # fmt: skip

    def instance(self, h, path):
        if path == "/latest/api/token":
            good = h.command == "PUT" and h.headers.get("X-aws-ec2-metadata-token-ttl-seconds") == "21600"
            return h.bytes(200, b"imds-token") if good else h.bytes(400, b"")
        if h.headers.get("X-aws-ec2-metadata-token") != "imds-token":
            return h.bytes(401, b"")
        if path.endswith("/security-credentials/"):
            return h.bytes(200, b"my-role\n") if self.aws_role else h.bytes(404, b"")
        return h.json(200, self.aws_keys("INSTANCE"))

    def sso(self, h):
        if h.headers.get("x-amz-sso_bearer_token") != "sso-secret":
            return h.json(401, {"message": "Session token not found or invalid"})
        k = self.aws_keys(f"{h.query['account_id']}{h.query['role_name']}")
        return h.json(200, {"roleCredentials": {"accessKeyId": k["AccessKeyId"], "secretAccessKey": k["SecretAccessKey"],
                                                "sessionToken": k["Token"], "expiration": int((time.time() + self.lifetime) * 1000)}})

    def refresh_sso(self, h):
        """CreateToken of SSO OIDC. A refresh token serves once; its successor ends with one + more."""
        asked = json.loads(h.data)
        good = set(asked) == {"grantType", "clientId", "clientSecret", "refreshToken"} and asked["grantType"] == "refresh_token"
        good = good and h.command == "POST" and h.headers["Content-Type"] == "application/json" and "Authorization" not in h.headers
        good = good and (asked["clientId"], asked["clientSecret"]) == ("client", "client-secret") and asked["refreshToken"] in self.refresh
        if not good:
            return h.json(400, {"error": "invalid_grant", "error_description": f"Invalid refresh token provided {asked}"})
        self.refresh.remove(asked["refreshToken"])
        self.refresh.add(asked["refreshToken"] + "+")
        return h.json(200, {"accessToken": "sso-secret", "expiresIn": self.lifetime, "refreshToken": asked["refreshToken"] + "+", "tokenType": "Bearer"})

    def exchange(self, h):
        form = dict(urllib.parse.parse_qsl(h.data.decode()))
        good = form["grant_type"] == "urn:ietf:params:oauth:grant-type:token-exchange" and form["subject_token"] == "subject-secret"
        good = good and form["requested_token_type"] == "urn:ietf:params:oauth:token-type:access_token"
        if not good:
            return h.json(400, {"error": "invalid_grant", "sent": form})
        token = f"ya29.exchanged-{form['audience']}-{form['subject_token_type']}"
        self.tokens.add(token)
        return h.json(200, {"access_token": token, "expires_in": self.lifetime, "token_type": "Bearer",
                            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token"})  # fmt: skip

    def impersonate(self, h, path):
        bearer = (h.headers.get("Authorization") or "").removeprefix("Bearer ")
        if bearer not in self.tokens:
            return h.json(401, {"error": {"code": 401, "message": f"Invalid Credentials: {bearer}"}})
        asked = json.loads(h.data)
        token = f"ya29.as-{path.split('/')[-1]}-{'+'.join(asked['delegates'] or [])}-{asked['scope'][0].split('/')[-1]}-{asked['lifetime']}"
        self.tokens.add(token)
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + self.lifetime))
        return h.json(200, {"accessToken": token, "expireTime": stamp})

    def assume(self, h, form):
        """AssumeRole: keys that tell whose keys asked, and what for."""
        asker = h.headers["Authorization"].split("Credential=")[1].split("/")[0]
        if asker != "SOURCE" and not h.headers.get("X-Amz-Security-Token", "").startswith("token-of-"):
            return h.bytes(403, b"<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>")
        more = "".join(form.get(name, "") for name in ("ExternalId", "DurationSeconds"))
        return self.sts_keys(h, "AssumeRole", f"{form['RoleArn'].rpartition('/')[2]}{more}of{asker}")

    def sts_keys(self, h, action, name):
        k = self.aws_keys(name)
        return h.bytes(200, f"""<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<{action}Result><Credentials><SessionToken>{k["Token"]}</SessionToken><SecretAccessKey>{k["SecretAccessKey"]}
</SecretAccessKey><Expiration>{k["Expiration"]}</Expiration><AccessKeyId>{k["AccessKeyId"]}</AccessKeyId></Credentials>
</{action}Result></{action}Response>""".replace("\n</", "</").encode(), Content_Type="text/xml")

    def sts(self, h):
        form = dict(urllib.parse.parse_qsl(h.data.decode()))
        if form["Action"] == "AssumeRole":
            return self.assume(h, form)
        if form.get("WebIdentityToken") != "identity-secret":
            text = f"<ErrorResponse><Error><Code>InvalidIdentityToken</Code><Message>{form}</Message></Error></ErrorResponse>"
            return h.bytes(400, text.encode())
        return self.sts_keys(h, "AssumeRoleWithWebIdentity", form["RoleArn"].rpartition("/")[2])

    def secret(self, h, name):
        name = name.removesuffix(":access")
        if name not in self.secrets:
            return h.json(404, {"error": {"code": 404, "message": f"Secret [{name}] not found or has no versions."}})
        data = self.secrets[name]
        crc = crc32c(data) ^ (h.fault == "flip")
        return h.json(200, {"name": name, "payload": {"data": b64(data), "dataCrc32c": str(crc)}})

    # ---- Cloud Storage

    def resource(self, name):
        data, meta, generation = self.objects[name]
        return {"kind": "storage#object", "name": name, "size": str(len(data)), "updated": "2026-01-02T03:04:05.678Z",
                "generation": str(generation), "md5Hash": b64(hashlib.md5(data).digest()),
                "crc32c": b64(crc32c(data).to_bytes(4, "big")), "metadata": meta}  # fmt: skip

    def store(self, name, data, meta=None):
        self.objects[name] = (data, meta or {}, time.time_ns())

    def storage(self, h, path):
        if path == "/upload/storage/v1/b/bucket/o":
            described = json.loads(h.data)
            key = str(len(self.sessions))
            self.sessions[key] = {"described": described, "data": b"", "total": int(h.headers["X-Upload-Content-Length"])}
            return h.bytes(200, b"", Location=f"{self.url}/session/{key}?upload_id=session-secret-{key}")
        if not path.startswith("/storage/v1/b/bucket/o"):
            return h.json(404, {"error": {"code": 404, "message": "The specified bucket does not exist."}})
        name = urllib.parse.unquote(path.removeprefix("/storage/v1/b/bucket/o").removeprefix("/"))
        if not name:
            return self.list(h)
        if name not in self.objects:
            return h.json(404, {"error": {"code": 404, "message": f"No such object: bucket/{name}"}})
        if h.command == "DELETE":
            del self.objects[name]
            return h.bytes(204, b"")
        if h.query.get("alt") != "media":
            return h.json(200, self.resource(name))
        data, _, generation = self.objects[name]
        about = self.resource(name)
        headers = {"X_Goog_Hash": f"crc32c={about['crc32c']},md5={about['md5Hash']}", "X_Goog_Generation": generation}
        if h.fault == "flip":
            data = bytes([data[0] ^ 1]) + data[1:]
        wanted = h.headers.get("Range")
        if not wanted:
            return h.bytes(200, data, **headers)
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        first, last = int(first), min(int(last or len(data)), len(data) - 1)
        if first >= len(data):
            return h.bytes(416, b"", Content_Range=f"bytes */{len(data)}")
        return h.bytes(206, data[first : last + 1], Content_Range=f"bytes {first}-{last}/{len(data)}", **headers)

    def list(self, h):
        names = sorted(n for n in self.objects if n.startswith(h.query.get("prefix", "")))
        begin = int(h.query.get("pageToken", 0))
        answer = {"kind": "storage#objects", "items": [self.resource(n) for n in names[begin : begin + self.page]]}
        if begin + self.page < len(names):
            answer["nextPageToken"] = str(begin + self.page)
        return h.json(200, answer)

    def session(self, h, key):
        s = self.sessions.get(key)
        if s is None or h.query.get("upload_id") != f"session-secret-{key}":
            return h.json(404, {"error": {"code": 404, "message": "no such upload"}})
        if h.command == "DELETE":
            del self.sessions[key]
            return h.bytes(499, b"")
        if h.headers.get("Authorization"):
            return h.json(400, {"error": {"code": 400, "message": "the session needs no credentials"}})
        what, _, total = h.headers["Content-Range"].removeprefix("bytes ").partition("/")
        if int(total) != s["total"]:
            return h.json(400, {"error": {"code": 400, "message": "another length"}})
        if what != "*":
            first, last = map(int, what.split("-"))
            if first != len(s["data"]) or last - first + 1 != len(h.data) or (last + 1 < s["total"] and len(h.data) % PIECE):
                return h.json(400, {"error": {"code": 400, "message": f"bad range {what}"}})
            data = h.data
            if h.fault == "cut":
                data = data[: len(data) // 2 // PIECE * PIECE]
            s["data"] += data
            if h.fault == "cut":
                return None
        if len(s["data"]) < s["total"]:
            return h.bytes(308, b"", **({"Range": f"bytes=0-{len(s['data']) - 1}"} if s["data"] else {}))
        data, described = s["data"], s["described"]
        if h.fault == "flip":
            data = bytes([data[0] ^ 1]) + data[1:]
        elif described["md5Hash"] != b64(hashlib.md5(data).digest()) or described["crc32c"] != b64(crc32c(data).to_bytes(4, "big")):
            return h.json(400, {"error": {"code": 400, "message": "Provided MD5 hash doesn't match calculated MD5 hash"}})
        self.store(described["name"], data, described["metadata"])
        return h.json(200, self.resource(described["name"]))


def make_key(folder):
    """A service account's key file for the stand-in; its public half goes beside it."""
    subprocess.run(["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", folder / "private.pem"],
                   check=True, capture_output=True)
    subprocess.run(["openssl", "pkey", "-in", folder / "private.pem", "-pubout", "-out", folder / "public.pem"], check=True)
    return (folder / "private.pem").read_text()


assert zlib.crc32(b"123456789") == 0xCBF43926 and crc32c(b"123456789") == 0xE3069283
