"""Credential files of every kind for the stand-ins of cloud_support, used by tests/cli and, with botocore and google-auth beside
us, by tests/judge."""

import hashlib
import json
import shlex
import sys
import time


def sso_file(home, name):
    return home / f".aws/sso/cache/{hashlib.sha1(name.encode()).hexdigest()}.json"


def write_aws(home, cloud):
    """~/.aws with a profile for each way; returns the key id that each must give (None: an error)."""
    folder = home / ".aws"
    (folder / "sso/cache").mkdir(parents=True)
    program = home / "a program.py"
    program.write_text("import json, sys\n"
                       "print(json.dumps({'Version': 1, 'AccessKeyId': sys.argv[1], 'SecretAccessKey': 'process-secret', 'SessionToken': 't',\n"
                       "                  'Expiration': '2199-01-01T02:00:00+02:00'}))\n")  # fmt: skip
    (home / "identity").write_text("identity-secret")

    def token(name, text, seconds, stamp="%Y-%m-%dT%H:%M:%SZ", refresh=None, registered=86400):
        ends = time.strftime(stamp, time.gmtime(time.time() + seconds))
        value = {"startUrl": "https://corp.example.org/start", "region": "eu-west-1", "accessToken": text, "expiresAt": ends}
        if refresh:
            until = time.strftime(stamp, time.gmtime(time.time() + registered))
            value |= {"clientId": "client", "clientSecret": "client-secret", "registrationExpiresAt": until, "refreshToken": refresh}
        sso_file(home, name).write_text(json.dumps(value))

    token("corp", "sso-secret", 3600)
    token("ended", "sso-secret", -60)
    token("revoked", "other-secret", 3600)
    token("stale", "other-secret", -60, refresh="refresh-secret-1")
    token("ending", "other-secret", 600, refresh="refresh-secret-2")
    token("used", "other-secret", -60, refresh="refresh-secret-0")
    token("unknown", "sso-secret", -60, refresh="refresh-secret-2", registered=-60)
    token("still", "sso-secret", 600, refresh="refresh-secret-0")
    token("https://corp.example.org/start", "sso-secret", 3600, "%Y-%m-%dT%H:%M:%SUTC")
    sso = "sso_account_id = 123\nsso_role_name = Reader"
    sessions = "".join(f"[sso-session {name}]\nsso_start_url = https://corp.example.org/start\nsso_region = eu-west-1\n"
                       f"[profile {name}]\nsso_session = {name}\n{sso}\n"
                       for name in ("ended", "revoked", "stale", "ending", "used", "unknown", "still"))  # fmt: skip
    (folder / "credentials").write_text(f"""[base]
  aws_access_key_id : SOURCE
  aws_secret_access_key : source-secret
[old]
role_arn = arn:aws:iam::1:role/OLD
source_profile = base
""")
    (folder / "config").write_text(f"""[sso-session corp]
sso_start_url = https://corp.example.org/start
sso_region = eu-west-1
[profile sso]
sso_session = corp
{sso}
[profile legacy]
sso_start_url = https://corp.example.org/start
sso_region = eu-west-1
{sso}
{sessions}
[profile process]
credential_process = {shlex.quote(sys.executable)} -I "{program}" 'PRO CESS'
[profile nulls]
credential_process = /bin/echo '{{"Version": 1, "AccessKeyId": "NULLS", "SecretAccessKey": "s", "SessionToken": null, "Expiration": null}}'
[profile role]
role_arn = arn:aws:iam::1:role/ROLE
source_profile = base
external_id = ext
duration_seconds = 900
s3 =
  role_arn = arn:aws:iam::1:role/NESTED
[profile chain]
role_arn = arn:aws:iam::1:role/CHAIN
source_profile = role
[profile of-sso]
role_arn = arn:aws:iam::1:role/OFSSO
source_profile = sso
[profile of-container]
role_arn = arn:aws:iam::1:role/OFAGENT
credential_source = EcsContainer
[profile self]
role_arn = arn:aws:iam::1:role/SELF
source_profile = self
aws_access_key_id = SOURCE
aws_secret_access_key = source-secret
[profile web]
role_arn = arn:aws:iam::1:role/WEB
web_identity_token_file = {home / "identity"}
[profile circle]
role_arn = arn:aws:iam::1:role/A
source_profile = round
[profile round]
role_arn = arn:aws:iam::1:role/B
source_profile = circle
[profile lost]
role_arn = arn:aws:iam::1:role/A
source_profile = nobody
[profile fails]
credential_process = {shlex.quote(sys.executable)} -c "print('out-secret'); exit(3)"
[profile noise]
credential_process = {shlex.quote(sys.executable)} -c "print('out-secret')"
[profile open]
credential_process = {shlex.quote(sys.executable)} "open
[profile mfa]
role_arn = arn:aws:iam::1:role/A
source_profile = base
mfa_serial = arn:aws:iam::1:mfa/me
""")
    return {"old": "AKIAOLDofSOURCE", "sso": "AKIA123Reader", "legacy": "AKIA123Reader", "process": "PRO CESS", "nulls": "NULLS",
            "role": "AKIAROLEext900ofSOURCE", "chain": "AKIACHAINofAKIAROLEext900ofSOURCE", "of-sso": "AKIAOFSSOofAKIA123Reader",
            "of-container": "AKIAOFAGENTofAKIACONTAINER", "self": "AKIASELFofSOURCE", "web": "AKIAWEB", "base": "SOURCE",
            "stale": "AKIA123Reader", "ending": "AKIA123Reader", "still": "AKIA123Reader", "used": None, "unknown": None,
            "ended": None, "revoked": None, "circle": None, "lost": None, "fails": None, "noise": None, "typo": None}  # fmt: skip


def aws_variables(home, cloud, profile):
    return {"AWS_PROFILE": profile, "AWS_ENDPOINT_URL_STS": cloud.url, "AWS_ENDPOINT_URL_SSO": cloud.url, "AWS_ENDPOINT_URL_SSO_OIDC": cloud.url + "/oidc", "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": cloud.url + "/container", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "container-secret"}


def write_google(folder, cloud, private_key):
    """Files of credentials, each with the token that it must give for a bucket (None: an error)."""
    (folder / "subject").write_text("subject-secret")
    (folder / "subject.json").write_text(json.dumps({"id_token": "subject-secret"}))
    pool = "//iam.googleapis.com/locations/global/workforcePools/p/providers/q"
    json_format = {"type": "json", "subject_token_field_name": "id_token"}
    base = {"type": "external_account", "audience": pool, "subject_token_type": "jwt", "token_url": cloud.url + "/v1/token"}
    source = {"type": "service_account", "project_id": "p", "private_key_id": "k1", "client_email": "robot@project-1.iam",
              "private_key": private_key, "token_uri": cloud.url + "/token"}  # fmt: skip
    robot = cloud.url + "/v1/projects/-/serviceAccounts/robot@p.iam:generateAccessToken"
    exchanged, scope = f"ya29.exchanged-{pool}-jwt", "devstorage.read_write"
    kinds = {
        "file": ({**base, "credential_source": {"file": str(folder / "subject")}}, exchanged),
        "json": ({**base, "credential_source": {"file": str(folder / "subject.json"), "format": json_format}}, exchanged),
        "url": ({**base, "credential_source": {"url": cloud.url + "/subject", "headers": {"X-Ask": "ask-secret"}, "format": json_format}}, exchanged),
        "as-robot": ({**base, "credential_source": {"file": str(folder / "subject")}, "service_account_impersonation_url": robot,
                      "service_account_impersonation": {"token_lifetime_seconds": 1800}}, f"ya29.as-robot@p.iam:generateAccessToken--{scope}-1800s"),
        "impersonated": ({"type": "impersonated_service_account", "service_account_impersonation_url": robot, "delegates": ["d1"],
                          "source_credentials": source}, f"ya29.as-robot@p.iam:generateAccessToken-d1-{scope}-3600s"),
        "workforce": ({"type": "external_account_authorized_user", "audience": pool, "token_url": cloud.url + "/v1/oauthtoken",
                       "client_id": "id", "client_secret": "client-secret", "refresh_token": "refresh-secret"}, "ya29.workforce"),
        "refused": ({"type": "external_account_authorized_user", "audience": pool, "token_url": cloud.url + "/v1/oauthtoken",
                     "client_id": "id", "client_secret": "other-secret", "refresh_token": "refresh-secret"}, None),
        "wrong-field": ({**base, "credential_source": {"file": str(folder / "subject.json"),
                                                       "format": {"type": "json", "subject_token_field_name": "no"}}}, None),
        "missing": ({**base, "credential_source": {"file": str(folder / "none")}}, None),
        "aws": ({**base, "credential_source": {"environment_id": "aws1"}}, None),
    }  # fmt: skip
    for name, (value, _) in kinds.items():
        (folder / f"{name}.json").write_text(json.dumps(value))
    return {name: token for name, (_, token) in kinds.items()}
