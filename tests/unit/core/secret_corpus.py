"""A corpus of secrets, made at run time by a seeded generator: kinds of secret, and contexts to plant them in.

No secret stands in this file. Each kind draws a fresh one; each context says how tools write it down.
"""

# ruff: noqa: E501 - one kind, one line
from __future__ import annotations

import base64
import html
import json
import random
import re
import shlex
import string
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote, quote_plus

ALNUM = string.ascii_letters + string.digits
HEX = "0123456789abcdef"
URLSAFE = ALNUM + "-_"
BASE64 = ALNUM + "+/"

Rng = random.Random


@dataclass(frozen=True)
class Planted:
    """A secret in its own notation, and the parts of it that must not survive."""

    text: str
    hidden: tuple[str, ...]

    @classmethod
    def bare(cls, prefix: str, body: str) -> Planted:
        return cls(prefix + body, (body,))


def draw(rng: Rng, alphabet: str, length: int) -> str:
    """A random text; where the alphabet allows, digits, lower and upper case are all in it."""
    text = [rng.choice(alphabet) for _ in range(length)]
    places = rng.sample(range(length), min(3, length))
    for place, group in zip(places, (string.digits, string.ascii_lowercase, string.ascii_uppercase), strict=False):
        usable = [character for character in group if character in alphabet]
        text[place] = rng.choice(usable) if usable else text[place]
    if text[-1] in "-_=":
        text[-1] = rng.choice([character for character in alphabet if character not in "-_="])
    if text[0] in "-_=":
        text[0] = rng.choice([character for character in alphabet if character not in "-_="])
    return "".join(text)


def _token(prefix: str, alphabet: str, *lengths: int) -> Callable[[Rng], Planted]:
    return lambda rng: Planted.bare(prefix, draw(rng, alphabet, rng.choice(lengths)))


UPPER = string.ascii_uppercase + string.digits

BARE: dict[str, Callable[[Rng], Planted]] = {
    "isengard token": _token("isg" + "_", URLSAFE, 43),
    "isengard pass": lambda rng: Planted.bare("v1." + "ey" + "J", f"{draw(rng, URLSAFE, 90)}.{draw(rng, URLSAFE, 43)}"),
    "huggingface": _token("hf" + "_", ALNUM, 6, 12, 34, 37),
    "huggingface letters": lambda rng: Planted.bare("hf" + "_", "".join(rng.choices(string.ascii_letters, k=34))),
    "huggingface org": _token("api_" + "org_", ALNUM, 34),
    "openai project": _token("sk-" + "proj-", URLSAFE, 3, 48, 156),
    "openai service": _token("sk-" + "svcacct-", URLSAFE, 60),
    "openai admin": _token("sk-" + "admin-", URLSAFE, 60),
    "openai legacy": _token("sk" + "-", ALNUM, 16, 20, 48),
    "anthropic": _token("sk-" + "ant-api03-", URLSAFE, 93),
    "openrouter": _token("sk-" + "or-v1-", HEX, 64),
    "langfuse": lambda rng: Planted.bare("sk-" + "lf-", _uuid(rng)),
    "deepseek": _token("sk" + "-", HEX, 32),
    "replicate": _token("r8" + "_", ALNUM, 37, 40),
    "groq": _token("gsk" + "_", ALNUM, 52),
    "xai": _token("xai" + "-", ALNUM, 80),
    "perplexity": _token("pplx" + "-", ALNUM, 48),
    "nvidia": _token("nvapi" + "-", URLSAFE, 64),
    "pinecone": _token("pcsk" + "_", ALNUM + "_", 70),
    "runpod": _token("rpa" + "_", UPPER, 40),
    "langsmith": lambda rng: Planted.bare(
        "lsv2_" + rng.choice(["pt", "sk"]) + "_", draw(rng, HEX, 32) + "_" + draw(rng, HEX, 10)
    ),
    "wandb v1": _token("wandb_" + "v1_", ALNUM + "_", 77),
    "wandb local": _token("local" + "-", HEX, 40),
    "github classic": lambda rng: Planted.bare(
        rng.choice(["ghp", "gho", "ghu", "ghs", "ghr"]) + "_", draw(rng, ALNUM, 36)
    ),
    "github fine": lambda rng: Planted.bare("github_" + "pat_", draw(rng, ALNUM, 22) + "_" + draw(rng, ALNUM, 59)),
    "gitlab": lambda rng: Planted.bare(rng.choice(["glpat", "glcbt"]) + "-", draw(rng, URLSAFE, 20)),
    "npm": _token("npm" + "_", ALNUM, 36),
    "docker": _token("dckr_" + "pat_", URLSAFE, 27),
    "pypi": _token("pypi-" + "AgEIcHlwaS5vcmc", URLSAFE, 150),
    "aws key id": lambda rng: Planted.bare(rng.choice(["AKIA", "ASIA"]), draw(rng, UPPER, 16)),
    "google api": _token("AI" + "za", URLSAFE, 35),
    "google oauth": _token("ya" + "29.", URLSAFE, 120),
    "google client secret": _token("GOC" + "SPX-", URLSAFE, 28),
    "azure client secret": lambda rng: Planted.bare(
        "", draw(rng, ALNUM, 3) + "8Q" + "~" + draw(rng, ALNUM + "_.-", 34)
    ),
    "databricks": _token("da" + "pi", HEX, 32),
    "digitalocean": lambda rng: Planted.bare(rng.choice(["dop", "doo", "dor"]) + "_v1_", draw(rng, HEX, 64)),
    "slack": lambda rng: Planted.bare(
        rng.choice(["xoxb", "xoxp", "xoxa", "xoxs"]) + "-",
        f"{rng.randrange(10**11, 10**12)}-{rng.randrange(10**11, 10**12)}-{draw(rng, ALNUM, 24)}",
    ),
    "slack app": lambda rng: Planted.bare(
        "xapp" + "-", f"1-A{draw(rng, UPPER, 10)}-{rng.randrange(10**12)}-{draw(rng, HEX, 64)}"
    ),
    "stripe": lambda rng: Planted.bare(
        rng.choice("sr") + "k_" + rng.choice(["live", "test"]) + "_", draw(rng, ALNUM, rng.choice([24, 99]))
    ),
    "stripe webhook": _token("wh" + "sec_", ALNUM, 32),
    "sendgrid": lambda rng: Planted.bare("SG" + ".", draw(rng, URLSAFE, 22) + "." + draw(rng, URLSAFE, 43)),
    "telegram": lambda rng: Planted.bare(f"{rng.randrange(10**8, 10**10)}:AA", draw(rng, URLSAFE, 33)),
    "tailscale": lambda rng: Planted.bare(
        "tskey" + "-auth-", "k" + draw(rng, ALNUM, 11) + "CNTRL-" + draw(rng, ALNUM, 32)
    ),
    "vault": _token("hv" + "s.", URLSAFE, 24, 95),
    "supabase": _token("sbp" + "_", HEX, 40),
    "jwt": lambda rng: Planted.bare(
        "ey" + "J", f"{draw(rng, URLSAFE, 33)}.ey{'J'}{draw(rng, URLSAFE, 80)}.{draw(rng, URLSAFE, 43)}"
    ),
    "jwe": lambda rng: Planted.bare("ey" + "J", ".".join(draw(rng, URLSAFE, size) for size in (40, 86, 16, 60, 22))),
    "mailgun": _token("key" + "-", HEX, 32),
    "square": _token("sq0" + "atp-", URLSAFE, 22),
    "shopify": _token("shp" + "at_", HEX, 32),
    "linear": _token("lin_" + "api_", ALNUM, 40),
    "notion": _token("nt" + "n_", ALNUM, 46),
    "grafana": _token("gl" + "sa_", ALNUM, 41),
    "atlassian": _token("ATA" + "TT3x", URLSAFE, 170),
    "age": _token("AGE-" + "SECRET-KEY-1", UPPER, 58),
}
"""Tokens known by their shape: recognised anywhere."""


def _uuid(rng: Rng) -> str:
    text = draw(rng, HEX, 32)
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def _password(rng: Rng) -> str:
    """What people and password managers make up; no white space, ``&`` or quotes, which end an unquoted value."""
    length = rng.randrange(8, 33)
    return draw(rng, ALNUM + rng.choice(["", "", "!#%*+-./:=?@^_~", "$!@"]), length)


def _pem(label: str, newline: str = "\n") -> Callable[[Rng], Planted]:
    def make(rng: Rng) -> Planted:
        lines = [
            "MII" + draw(rng, BASE64, 61),
            *(draw(rng, BASE64, 64) for _ in range(rng.randrange(2, 24))),
            draw(rng, BASE64, 30),
        ]
        body = newline.join(lines)
        return Planted(f"-----BEGIN {label}-----{newline}{body}{newline}-----END {label}-----", tuple(lines))

    return make


def _cut_pem(rng: Rng) -> Planted:
    whole = _pem("RSA PRIVATE KEY")(rng)
    return Planted(whole.text[: whole.text.rindex("-----END")].rstrip(), whole.hidden)


def _encrypted_pem(rng: Rng) -> Planted:
    lines = [draw(rng, BASE64, 64) for _ in range(6)]
    head = (
        "-----BEGIN RSA PRIVATE "
        + "KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,"
        + draw(rng, HEX, 32).upper()
    )
    return Planted(head + "\n\n" + "\n".join(lines) + "\n-----END RSA PRIVATE " + "KEY-----", tuple(lines))


def _pgp(rng: Rng) -> Planted:
    lines = [draw(rng, BASE64, 64) for _ in range(8)]
    head = "-----BEGIN PGP PRIVATE KEY " + "BLOCK-----\nVersion: GnuPG v2\n\n"
    return Planted(
        head + "\n".join(lines) + "\n=" + draw(rng, BASE64, 4) + "\n-----END PGP PRIVATE KEY BLOCK-----", tuple(lines)
    )


def _hidden(template: str, *makers: Callable[[Rng], str]) -> Callable[[Rng], Planted]:
    def make(rng: Rng) -> Planted:
        parts = [maker(rng) for maker in makers]
        return Planted(template.format(*parts), tuple(parts))

    return make


def _alnum(*lengths: int) -> Callable[[Rng], str]:
    return lambda rng: draw(rng, ALNUM, rng.choice(lengths))


def _hex(length: int) -> Callable[[Rng], str]:
    return lambda rng: draw(rng, HEX, length)


def _basic(rng: Rng) -> str:
    return base64.b64encode(f"{draw(rng, ALNUM, 6)}:{_password(rng)}".encode()).decode()


def _b64(length: int) -> Callable[[Rng], str]:
    return lambda rng: base64.b64encode(rng.randbytes(length)).decode()


def _url_password(rng: Rng) -> str:
    return draw(rng, ALNUM + "!@$*-_.~+=", rng.randrange(6, 24))


_SERVICE = json.dumps(
    {
        "type": "service_account",
        "project_id": "p",
        "private_key_id": "ID",
        "private_key": "KEY",
        "client_email": "a@b.c",
    }
)


def _service_account(rng: Rng) -> Planted:
    key = _pem("PRIVATE KEY")(rng)
    identifier = draw(rng, HEX, 40)
    text = _SERVICE.replace('"ID"', f'"{identifier}"').replace('"KEY"', json.dumps(key.text + "\n"))
    return Planted(text, (identifier, *key.hidden))


STRUCTURED: dict[str, Callable[[Rng], Planted]] = {
    "pem rsa": _pem("RSA PRIVATE " + "KEY"),
    "pem pkcs8": _pem("PRIVATE " + "KEY"),
    "pem ec": _pem("EC PRIVATE " + "KEY"),
    "pem openssh": _pem("OPENSSH PRIVATE " + "KEY"),
    "pem flattened": _pem("PRIVATE " + "KEY", "\\n"),
    "pem crlf": _pem("PRIVATE " + "KEY", "\r\n"),
    "pem without end": _cut_pem,
    "pem encrypted": _encrypted_pem,
    "pgp": _pgp,
    "service account": _service_account,
    "authorization bearer": _hidden("Authorization: Bearer {}", _alnum(8, 40)),
    "authorization basic": _hidden("Authorization: Basic {}", _basic),
    "authorization token": _hidden("authorization: Token {}", _alnum(12, 40)),
    "proxy authorization": _hidden("Proxy-Authorization: Basic {}", _basic),
    "authorization digest": _hidden(
        'Authorization: Digest username="u", nonce="{}", response="{}"', _hex(32), _hex(32)
    ),
    "authorization aws": _hidden(
        "Authorization: AWS4-HMAC-SHA256 Credential=AKIA{}/20260101/eu/s3/aws4_request, SignedHeaders=host, Signature={}",
        lambda rng: draw(rng, UPPER, 16),
        _hex(64),
    ),
    "bare bearer": _hidden("sending Bearer {} upstream", _alnum(24, 64)),
    "x-api-key": _hidden("X-API-Key: {}", _alnum(8, 32)),
    "goog api key header": _hidden("x-goog-api-key: {}", _alnum(20)),
    "api-key header": _hidden("api-key: {}", _hex(32)),
    "gitlab header": _hidden("PRIVATE-TOKEN: {}", _alnum(20)),
    "vault header": _hidden("X-Vault-Token: {}", _alnum(26)),
    "cookie": _hidden("Cookie: theme=dark; session={}; csrf={}", _alnum(32), _alnum(16)),
    "set-cookie": _hidden("Set-Cookie: sid={}; Path=/; HttpOnly; SameSite=Lax", _alnum(40)),
    "postgres url": _hidden("postgresql://isengard:{}@db.internal:5432/isengard", _url_password),
    "redis url": _hidden("redis://:{}@10.0.0.7:6379/0", _url_password),
    "mongo url": _hidden("mongodb+srv://root:{}@cluster0.abcde.mongodb.net/?retryWrites=true", _url_password),
    "amqp url": _hidden("amqps://guest:{}@mq:5671/%2f", _url_password),
    "https url": _hidden("https://bob:{}@example.org/repo.git", _url_password),
    "url with @": _hidden("mysql://root:{}@localhost/db", lambda rng: draw(rng, ALNUM, 5) + "@" + draw(rng, ALNUM, 5)),
    "url token": _hidden("https://{}@github.com/org/repo.git", _alnum(36)),
    "oauth url": _hidden("https://oauth2:{}@gitlab.com/org/repo.git", _alnum(20)),
    "sentry dsn": _hidden("https://{}@o1.ingest.sentry.io/42", _hex(32)),
    "sentry dsn by name": _hidden("SENTRY_DSN=https://{}@sentry.example.org/42", _alnum(8, 12)),
    "socket dsn": _hidden("root:{}@tcp(127.0.0.1:3306)/app", _alnum(6, 16)),
    "session id": _hidden("session_id={}", _hex(32)),
    "session header": _hidden("Mcp-Session-Id: {}", _uuid),
    "netrc line": _hidden("machine api.wandb.ai login user password {}", _hex(40)),
    "netrc block": _hidden("machine huggingface.co\n  login bob\n  password {}\n", _alnum(24)),
    "curl user": _hidden("curl -u admin:{} https://example.org/x", _alnum(12)),
    "curl user long": _hidden("curl --silent --user 'admin:{}' https://example.org/x", _password),
    "sshpass": _hidden("sshpass -p {} ssh root@10.0.0.2", _alnum(12)),
    "wandb login": _hidden("wandb login --relogin {}", _hex(40)),
    "slack webhook": _hidden(
        "https://hooks.slack.com/services/{}",
        lambda rng: f"T{draw(rng, UPPER, 9)}/B{draw(rng, UPPER, 9)}/{draw(rng, ALNUM, 24)}",
    ),
    "discord webhook": _hidden("https://discord.com/api/webhooks/123456789012345678/{}", _alnum(68)),
    "teams webhook": _hidden("https://acme.webhook.office.com/webhookb2/{}/IncomingWebhook/{}", _uuid, _hex(32)),
    "presigned s3": _hidden(
        "https://b.s3.amazonaws.com/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=900&X-Amz-Security-Token={}&X-Amz-Signature={}",
        _alnum(200),
        _hex(64),
    ),
    "azure sas": _hidden(
        "https://a.blob.core.windows.net/c/f?sv=2024-01-01&se=2026-01-01&sig={}",
        lambda rng: quote(_b64(32)(rng), safe=""),
    ),
    "azure connection": _hidden(
        "DefaultEndpointsProtocol=https;AccountName=a;AccountKey={};EndpointSuffix=core.windows.net", _b64(64)
    ),
    "service bus": _hidden(
        "Endpoint=sb://x.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey={}", _b64(32)
    ),
    "cloudfront": _hidden(
        "https://d1.cloudfront.net/x.bin?Expires=1893456000&Signature={}&Key-Pair-Id=K1", _alnum(172)
    ),
    "civitai query": _hidden("https://civitai.com/api/download/models/123?type=Model&token={}", _hex(32)),
    "google query": _hidden("GET /v1/models?key={} HTTP/1.1", _alnum(39)),
    "xml element": _hidden("<password>{}</password>", _alnum(12)),
    "xml attribute": _hidden('<add key="ApiKey" value="{}" />', _alnum(24)),
    "docker auth": _hidden('{{"auths": {{"ghcr.io": {{"auth": "{}"}}}}}}', _basic),
    "kubernetes env": _hidden("env:\n  - name: HF_TOKEN\n    value: {}\n", _alnum(30)),
    "yaml block": _hidden("auth:\n  password: |\n    {}\n  user: bob\n", _alnum(20)),
    "yaml next line": _hidden("client_secret:\n  {}\nuser: bob\n", _alnum(20)),
    "npmrc": _hidden("//npm.example.com/:_authToken={}", _uuid),
    "api key list": _hidden('"api_keys": ["{}", "{}"]', _alnum(20), _alnum(20)),
    "secrets mapping": _hidden('"secrets": {{"FIRST": "{}", "SECOND": "{}"}}', _alnum(20), _alnum(9)),
    "header tuple": _hidden("[(b'host', b'x'), (b'x-api-key', b'{}')]", _alnum(20)),
    "continued command": _hidden("train.py \\\n  --hub_token \\\n  {} --steps 10", _alnum(20)),
}
"""Secrets known by what stands around them; planted as they are, after other text and inside JSON."""

NAMES = [
    "HF_TOKEN",
    "HUGGING_FACE_HUB_TOKEN",
    "OPENAI_API_KEY",
    "ANTHROPIC_API_KEY",
    "WANDB_API_KEY",
    "CIVITAI_API_TOKEN",
    "CIVITAI_TOKEN",
    "KAGGLE_KEY",
    "NGC_API_KEY",
    "NGC_CLI_API_KEY",
    "FAL_KEY",
    "NGROK_AUTHTOKEN",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AZURE_CLIENT_SECRET",
    "DB_PASSWORD",
    "POSTGRES_PASSWORD",
    "PGPASSWORD",
    "MYSQL_PWD",
    "REDIS_PASSWORD",
    "SMTP_PASS",
    "SECRET_KEY",
    "DJANGO_SECRET_KEY",
    "JWT_SECRET",
    "STRIPE_SECRET_KEY",
    "GITHUB_TOKEN",
    "GITLAB_PRIVATE_TOKEN",
    "NPM_AUTH_TOKEN",
    "api_key",
    "apikey",
    "apiKey",
    "ApiKey",
    "API-KEY",
    "x-api-key",
    "access_token",
    "accessToken",
    "AccessToken",
    "refresh_token",
    "refreshToken",
    "id_token",
    "client_secret",
    "clientSecret",
    "secret_key",
    "secretKey",
    "private_token",
    "auth_token",
    "authToken",
    "bearer_token",
    "session_token",
    "csrf_token",
    "password",
    "Password",
    "PASSWORD",
    "passwd",
    "user_password",
    "userPassword",
    "db.password",
    "passphrase",
    "ssh_passphrase",
    "encryption_key",
    "signing_key",
    "webhook_secret",
    "app_secret",
    "appSecret",
    "hub_token",
    "hf_token",
    "token",
    "Token",
    "ISENGARD_TOKEN",
    "MY_SERVICE_TOKEN",
    "my_service_secret",
    "some.nested.api_key",
]


def _identifier(name: str) -> str:
    return name.replace("-", "_").replace(".", "_")


def _flag(name: str) -> str:
    return "--" + _identifier(name).lower()


def _js(text: str) -> str:
    return json.dumps(text)


NOTATIONS: dict[str, Callable[[str, str], str]] = {
    "env": lambda name, value: f"{_identifier(name)}={value}",
    "env quoted": lambda name, value: f'export {_identifier(name)}="{value}"',
    "env single quoted": lambda name, value: f"export {_identifier(name)}='{value}'",
    "env before command": lambda name, value: f"{_identifier(name)}={value} python train.py --steps 10",
    "docker -e": lambda name, value: f"docker run -e {_identifier(name)}={value} image",
    "dockerfile": lambda name, value: f"ENV {_identifier(name)}={value}",
    "json": lambda name, value: json.dumps({"step": 1, name: value, "lr": 0.1}),
    "json pretty": lambda name, value: json.dumps({"step": 1, name: value, "lr": 0.1}, indent=2),
    "json escaped once": lambda name, value: _js(json.dumps({"a": 1, name: value, "b": [2]})),
    "json escaped twice": lambda name, value: _js(_js(json.dumps({"a": 1, name: value, "b": [2]}))),
    "json nested": lambda name, value: json.dumps({"body": json.dumps({"config": {name: value}})}),
    "python repr": lambda name, value: repr({"a": 1, name: value, "b": None}),
    "dataclass repr": lambda name, value: f"Config(steps=10, {_identifier(name)}={value!r}, lr=0.1)",
    "pydantic error": lambda name, value: (
        f"1 validation error\n{name}\n  extra [type=x, input_value={{'{name}': {value!r}}}]"
    ),
    "yaml": lambda name, value: f"job:\n  {name}: {value}\n  steps: 10\n",
    "yaml quoted": lambda name, value: f'job:\n  {name}: "{value}"\n',
    "yaml list item": lambda name, value: f"- {name}: '{value}'",
    "toml": lambda name, value: f'[hub]\n{_identifier(name)} = "{value}"\n',
    "ini": lambda name, value: f"[hub]\n{_identifier(name)} = {value}\n",
    "flag": lambda name, value: f"python train.py {_flag(name)} {value} --steps 10",
    "flag =": lambda name, value: f"python train.py {_flag(name)}={value} --steps 10",
    "flag quoted": lambda name, value: f"python train.py {_flag(name)} {shlex.quote(value)} --steps 10",
    "argv": lambda name, value: repr(["python", "train.py", _flag(name), value, "--steps", "10"]),
    "argv json": lambda name, value: json.dumps(["python", "train.py", _flag(name), value, "--steps", "10"]),
    "argv =": lambda name, value: repr(["python", f"{_flag(name)}={value}", "--steps"]),
    "argv pretty": lambda name, value: json.dumps([_flag(name), value], indent=2),
    "query": lambda name, value: f"GET /x?a=1&{_identifier(name)}={quote_plus(value)}&b=2 HTTP/1.1",
    "header": lambda name, value: f"{name}: {value}",
    "header dict": lambda name, value: str({"Host": "x", name: value}),
    "log mid-line": lambda name, value: (
        f"2026-01-01 12:00:00 INFO loading with {_identifier(name)}={value} from config"
    ),
    "logfmt": lambda name, value: f'level=info msg="using credentials" {_identifier(name)}="{value}" step=3',
    "ansi": lambda name, value: f"\x1b[1m{_identifier(name)}\x1b[0m=\x1b[32m{value}\x1b[0m done",
    "escaped newline": lambda name, value: f"stdout: a\\n{_identifier(name)}={value}\\nb",
    "setdefault": lambda name, value: f"os.environ.setdefault({_identifier(name)!r}, {value!r})",
    "environ": lambda name, value: f'os.environ["{_identifier(name)}"] = "{value}"',
    "percent encoded": lambda name, value: quote(f"{_identifier(name)}={value}", safe=""),
    "html": lambda name, value: html.escape(json.dumps({name: value})),
    "php": lambda name, value: f"'{name}' => '{value}',",
    "traceback": lambda name, value: (
        f'  File "a.py", line 3, in f\n    login({_identifier(name)}="{value}", retry=True)\nValueError: x'
    ),
}


def plain_contexts() -> dict[str, Callable[[str], str]]:
    """Ways to write down a token that is recognised by itself."""
    return {
        "alone": lambda text: text,
        "sentence": lambda text: f"could not reach the hub with {text}, giving up.",
        "colon": lambda text: f"using: {text}",
        "assignment": lambda text: f"value={text}",
        "quoted": lambda text: f'loaded "{text}" from disk',
        "backticks": lambda text: f"run `{text}` again",
        "parentheses": lambda text: f"login({text})",
        "json": lambda text: json.dumps({"event": "log", "msg": text, "n": 1}),
        "json twice": lambda text: json.dumps({"body": json.dumps({"m": [text]})}),
        "json three times": lambda text: _js(_js(_js(text))),
        "yaml": lambda text: f"model:\n  note: {text}\n",
        "environment": lambda text: f"SOMETHING={text}",
        "command line": lambda text: f"train.py --extra {text} --steps 1",
        "argument": lambda text: repr(["run", text, "x"]),
        "query": lambda text: f"https://h.example/p?q={quote(text, safe='')}&n=1",
        "path": lambda text: f"/data/{text}/model.safetensors",
        "header": lambda text: f"X-Thing: {text}",
        "repr": lambda text: f"Config(name={text!r}, n=1)",
        "bytes repr": lambda text: repr(text.encode()),
        "traceback": lambda text: (
            f'Traceback (most recent call last):\n  File "a.py", line 1, in <module>\n    f("{text}")\nE: {text}'
        ),
        "ansi": lambda text: f"\x1b[32m{text}\x1b[0m ok",
        "ansi before": lambda text: f"\x1b[1;31m\x1b[4m{text}",
        "ansi escaped": lambda text: json.dumps(f"\x1b[32m{text}\x1b[0m"),
        "escaped newline": lambda text: f"first\\n{text}\\nlast",
        "escaped tab": lambda text: f"first\\t{text}\\tlast",
        "file name": lambda text: f"sample_{text}.png",
        "csv": lambda text: f"1,{text},0.5",
        "table": lambda text: f"| step | {text} |",
        "xml": lambda text: f"<a>{text}</a>",
        "html entity": lambda text: f"x=&quot;{text}&quot;",
        "carriage return": lambda text: f" 10%|█ | 1/10\r{text}\r 20%",
        "percent encoded": lambda text: f"next%3D{text}%26x",
        "tqdm": lambda text: f"{text}:  10%|█         | 100/1000 [00:10<01:30, 10.0it/s]",
        "git": lambda text: f"remote: invalid credentials {text}\nfatal: failed",
    }


def structured_contexts() -> dict[str, Callable[[str], str]]:
    """Ways to write down a secret that needs its own surroundings."""
    return {
        "alone": lambda text: text,
        "after a line": lambda text: f"starting up\n{text}",
        "before a line": lambda text: f"{text}\nnext step: 3",
        "json": lambda text: json.dumps({"event": "log", "msg": text}),
        "json twice": lambda text: json.dumps({"body": json.dumps({"m": text})}),
        "repr": lambda text: repr({"out": text}),
        "logged": lambda text: f"2026-01-01 12:00:00,000 INFO {text}",
        "carriage returns": lambda text: f" 10%|█ |\r{text}",
    }


def known_contexts() -> dict[str, Callable[[str], str]]:
    """Encodings a known value may turn up in."""
    return {
        "clear": lambda value: f"value is {value} here",
        "percent": lambda value: quote(value, safe=""),
        "percent keeping slashes": quote,
        "plus": quote_plus,
        "percent lower": lambda value: _lower_percent(quote(value, safe="")),
        "encodeURIComponent": lambda value: quote(value, safe="!'()*~"),
        "percent twice": lambda value: quote(quote(value, safe=""), safe=""),
        "json": json.dumps,
        "json unicode": lambda value: json.dumps(value, ensure_ascii=False),
        "json twice": lambda value: _js(json.dumps(value)),
        "json three times": lambda value: _js(_js(json.dumps(value))),
        "json slashes": lambda value: json.dumps(value).replace("/", "\\/"),
        "repr": repr,
        "xml": lambda value: html.escape(value, quote=False),
        "html": html.escape,
        "html 39": lambda value: html.escape(value).replace("&#x27;", "&#39;"),
        "shell": shlex.quote,
        "shell single": lambda value: "'" + value.replace("'", "'\\''") + "'",
        "shell double": lambda value: '"' + "".join("\\" + c if c in '"$`\\' else c for c in value) + '"',
        "shell backslash": lambda value: "".join(c if c.isalnum() or c in "_@%+=:,./-" else "\\" + c for c in value),
        "hex": lambda value: value.encode().hex(),
        "hex upper": lambda value: value.encode().hex().upper(),
        "hex colons": lambda value: value.encode().hex(":"),
        "base64": lambda value: base64.b64encode(value.encode()).decode(),
        "base64 +1": lambda value: base64.b64encode(b"a" + value.encode() + b"bc").decode(),
        "base64 +2": lambda value: base64.b64encode(b"ab" + value.encode() + b"c").decode(),
        "base64 basic": lambda value: base64.b64encode(b"user:" + value.encode()).decode(),
        "base64url": lambda value: base64.urlsafe_b64encode(b"x" + value.encode() + b"yz").decode(),
        "broken": lambda value: value[: len(value) // 2] + "\n" + value[len(value) // 2 :],
        "broken after 3": lambda value: value[:3] + "\n" + value[3:],
        "broken at 16": lambda value: "\n".join(value[at : at + 16] for at in range(0, len(value), 16)),
        "broken indented": lambda value: value[:5] + "\r\n    " + value[5:],
        "broken escaped": lambda value: value[:5] + "\\n" + value[5:],
        "broken string": lambda value: f"'{value[:9]}'\n '{value[9:]}'",
        "base64 wrapped": lambda value: _wrap(
            base64.b64encode(b"prefix " * 9 + value.encode() + b" suffix" * 9).decode(), 76
        ),
        "hex wrapped": lambda value: _wrap(value.encode().hex(), 32),
        "file name": lambda value: f"out_{value}_1.png",
    }


def _lower_percent(text: str) -> str:
    return re.sub("%..", lambda match: match[0].lower(), text)


def _wrap(text: str, width: int) -> str:
    return "\n".join(text[at : at + width] for at in range(0, len(text), width))


def password(rng: Rng) -> str:
    """A made-up password or key for a named value."""
    return _password(rng)


def known_value(rng: Rng) -> str:
    """A value with characters that every encoding changes."""
    text = draw(rng, ALNUM + "/+\"'<>&%$ \\é`!", rng.randrange(10, 60)).strip(" \\")
    return re.sub(r"\\([nr])", r"\1", text) + draw(rng, ALNUM, 3)  # an escaped line feed in it reads as a break


def surviving(planted: Planted, text: str) -> list[str]:
    """What of `planted` can still be read in `text`: any 10 characters in a row, line breaks aside."""
    squeezed = text.replace("\r", "").replace("\n", "").replace("\\n", "")
    return [hidden for hidden in planted.hidden if _shows(hidden, text) or _shows(hidden, squeezed)]


def _shows(hidden: str, text: str) -> bool:
    size = min(10, len(hidden))
    return any(hidden[at : at + size] in text for at in range(len(hidden) - size + 1))
