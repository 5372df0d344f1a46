"""`fakenews keys`: shown once, stored as SHA-256, revoked."""

import hashlib
import re

import pytest
from infer_support import json_lines
from log_support import select


@pytest.fixture
def state(tmp_path):
    return {"STATE_DIRECTORY": str(tmp_path / "state")}


def test_database_is_its_owners_alone(fakenews, tmp_path):
    state = {"STATE_DIRECTORY": str(tmp_path / "state")}
    assert fakenews("keys", "add", "--role", "admin", env=state).code == 0
    database = tmp_path / "state/predictions.db"
    assert database.stat().st_mode & 0o777 == 0o600
    database.chmod(0o660)
    assert fakenews("keys", "add", "--role", "admin", env=state).code == 0
    assert database.stat().st_mode & 0o777 == 0o660


def test_life_of_a_key(fakenews, state, tmp_path):
    secrets = {}
    for role in ("predict", "feedback", "admin"):
        done = fakenews("keys", "add", "--role", role, "--name", f"desk {role}", env=state)
        assert done.code == 0 and re.fullmatch(rf"fn_{role}_[0-9a-f]{{64}}\n", done.stdout), done
        assert "shown this once" in done.stderr and done.stdout.strip() not in done.stderr
        secrets[role] = done.stdout.strip()
    listed = {key["role"]: key for key in json_lines(fakenews("keys", "list", env=state).stdout)}
    assert set(listed) == set(secrets) and listed["admin"]["name"] == "desk admin" and listed["admin"]["revoked"] is None
    kept = dict(select(tmp_path / "state", "SELECT role, sha256 FROM api_keys"))
    for role, secret in secrets.items():
        assert kept[role] == hashlib.sha256(secret.encode()).digest()
        for path in (tmp_path / "state").iterdir():
            assert secret.rpartition("_")[2].encode() not in path.read_bytes()
    done = fakenews("keys", "revoke", listed["predict"]["id"], env=state)
    assert done.code == 0 and "is revoked" in done.stderr
    once = json_lines(fakenews("keys", "list", env=state).stdout)
    fakenews("keys", "revoke", listed["predict"]["id"], env=state)
    assert once == json_lines(fakenews("keys", "list", env=state).stdout)  # the first time counts
    assert [key["role"] for key in once if key["revoked"]] == ["predict"]
    text = fakenews("keys", "list", "--format", "text", env=state).stdout
    assert text.count("\n") == 3 and text.count("(revoked 20") == 1


@pytest.mark.parametrize("arguments,message", [
    (["add"], "--role"),
    (["add", "--role", "root"], "--role takes predict, feedback or admin, not \"root\""),
    (["add", "--role", "admin", "--name", "x" * 101], "a key's name has 100 bytes at most"),
    (["add", "--role", "admin", "x"], "\"x\" is not expected here"),
    (["revoke", "k_0123456789ab"], "no key k_0123456789ab"),
    (["revoke"], "keys revoke takes ids"),
    (["list", "x"], "\"x\" is not expected here"),
    (["list", "predictions.url=none"], "there is no prediction log, feedback or key"),
])  # fmt: skip
def test_refused(fakenews, state, arguments, message):
    done = fakenews("keys", *arguments, env=state)
    assert done.code == 2 and done.stdout == "" and message in done.stderr, done
