"""Kinds of secrets, drawn afresh from a seeded generator: what each looks like and which part of it is the secret.

Prefixes are put together at run time, so that no scanner takes this file for a leak.
"""

# ruff: noqa: E501 - one kind, one line
from __future__ import annotations

import base64
import json
import random
import string
from collections.abc import Callable
from dataclasses import dataclass

Rng = random.Random

LOWER, UPPER, DIGITS = string.ascii_lowercase, string.ascii_uppercase, string.digits
ALNUM = LOWER + UPPER + DIGITS
HEX = DIGITS + "abcdef"
URLSAFE = ALNUM + "-_"
BASE64 = ALNUM + "+/"


@dataclass(frozen=True)
class Secret:
    """A secret as its owner writes it.

    Attributes:
        text: All of it, with the prefix or surroundings it is known by.
        bodies: The parts that nobody may read afterwards.
    """

    text: str
    bodies: tuple[str, ...]


def letters(rng: Rng, alphabet: str, size: int) -> str:
    """`size` characters of `alphabet` with a digit among them if it has any, and none of ``-_.`` at the ends."""
    plain = [one for one in alphabet if one.isalnum()]
    text = [rng.choice(alphabet) for _ in range(size)]
    text[0], text[-1] = rng.choice(plain), rng.choice(plain)
    digits = [one for one in alphabet if one.isdigit()]
    if digits and not any(one.isdigit() for one in text):
        text[rng.randrange(size)] = rng.choice(digits)
    return "".join(text)


def _prefixed(prefixes: str, alphabet: str, least: int, most: int) -> Callable[[Rng], Secret]:
    def draw(rng: Rng) -> Secret:
        body = letters(rng, alphabet, rng.randint(least, most))
        return Secret(rng.choice(prefixes.split()).replace("~", "") + body, (body,))

    return draw


def _of(template: str, **parts: Callable[[Rng], str]) -> Callable[[Rng], Secret]:
    def draw(rng: Rng) -> Secret:
        drawn = {name: make(rng) for name, make in parts.items()}
        return Secret(template.replace("~", "").format(**drawn), tuple(drawn.values()))

    return draw


def run(alphabet: str, *sizes: int) -> Callable[[Rng], str]:
    return lambda rng: letters(rng, alphabet, rng.choice(sizes))


def uuid_text(rng: Rng) -> str:
    text = letters(rng, HEX, 32)
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def _letters_only(rng: Rng) -> Secret:
    body = "".join(rng.choices(LOWER + UPPER, k=rng.randint(20, 40)))
    return Secret("hf" + "_" + body, (body,))


def _jwt(rng: Rng) -> Secret:
    claims = {"sub": letters(rng, ALNUM, 8), "iat": rng.randrange(10**9)}
    parts = [json.dumps({"alg": "HS256", "typ": "JWT"}).encode(), json.dumps(claims).encode(), rng.randbytes(32)]
    encoded = [base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts]
    return Secret(".".join(encoded), (encoded[1], encoded[2]))


def _azure(rng: Rng) -> Secret:
    text = letters(rng, ALNUM, 3) + rng.choice(DIGITS) + "Q" + "~" + letters(rng, ALNUM + "_.-", 34)
    return Secret(text, (text,))


def _telegram(rng: Rng) -> Secret:
    body = letters(rng, URLSAFE, 33)
    return Secret(f"{rng.randrange(10**8, 10**10)}:{'A' * 2}{body}", (body,))


SHAPES: dict[str, Callable[[Rng], Secret]] = {
    "hugging face": _prefixed("h~f_", ALNUM, 6, 40),
    "hugging face letters": _letters_only,
    "hugging face org": _prefixed("api~_org_", ALNUM, 20, 40),
    "openai project": _prefixed("s~k-proj- s~k-svcacct- s~k-admin-", URLSAFE, 20, 160),
    "openai": _prefixed("s~k-", ALNUM, 16, 51),
    "anthropic": _prefixed("s~k-ant-api03- s~k-ant-sid01-", URLSAFE, 80, 100),
    "openrouter": _prefixed("s~k-or-v1-", HEX, 64, 64),
    "langfuse": _of("s~k-lf-{a}", a=uuid_text),
    "replicate": _prefixed("r~8_", ALNUM, 30, 40),
    "groq": _prefixed("g~sk_", ALNUM, 40, 56),
    "xai": _prefixed("x~ai-", ALNUM, 40, 80),
    "perplexity": _prefixed("p~plx-", ALNUM, 40, 56),
    "nvidia": _prefixed("n~vapi-", URLSAFE, 40, 70),
    "pinecone": _prefixed("p~csk_", ALNUM + "_", 40, 75),
    "runpod": _prefixed("r~pa_", ALNUM, 30, 46),
    "langsmith": _of("l~sv2_pt_{a}_{b}", a=run(HEX, 32), b=run(HEX, 10)),
    "wandb": _prefixed("wandb~_v1_", URLSAFE, 20, 80),
    "wandb local": _prefixed("lo~cal-", HEX, 40, 40),
    "github": _prefixed("g~hp_ g~ho_ g~hu_ g~hs_ g~hr_", ALNUM, 30, 76),
    "github fine": _of("git~hub_pat_{a}_{b}", a=run(ALNUM, 22), b=run(ALNUM, 59)),
    "gitlab": _prefixed("gl~pat- gl~cbt-", URLSAFE, 20, 24),
    "npm": _prefixed("n~pm_", ALNUM, 30, 36),
    "docker": _prefixed("dckr~_pat_", URLSAFE, 24, 36),
    "pypi": _prefixed("py~pi-AgEIcHlwaS5vcmc", URLSAFE, 60, 170),
    "aws id": _prefixed("AK~IA AS~IA", UPPER + "234567", 16, 16),
    "google": _prefixed("AI~za", URLSAFE, 35, 35),
    "google access": _prefixed("ya~29.", URLSAFE, 60, 180),
    "google client": _prefixed("GOC~SPX-", URLSAFE, 28, 28),
    "azure client": _azure,
    "azure account": _of("AccountKey~={a}", a=lambda rng: base64.b64encode(rng.randbytes(64)).decode()),
    "databricks": _prefixed("da~pi", HEX, 32, 32),
    "digitalocean": _prefixed("dop~_v1_ doo~_v1_ dor~_v1_", HEX, 64, 64),
    "slack": _of("xo~xb-{a}-{b}-{c}", a=run(DIGITS, 12), b=run(DIGITS, 13), c=run(ALNUM, 24)),
    "slack app": _of("xa~pp-1-{a}-{b}-{c}", a=run(UPPER + DIGITS, 11), b=run(DIGITS, 13), c=run(HEX, 64)),
    "stripe": _prefixed("s~k_live_ s~k_test_ r~k_live_ r~k_test_", ALNUM, 24, 99),
    "stripe hook": _prefixed("wh~sec_", ALNUM, 32, 40),
    "sendgrid": _of("S~G.{a}.{b}", a=run(URLSAFE, 22), b=run(URLSAFE, 43)),
    "telegram": _telegram,
    "slack hook": _of("https://hooks.sl~ack.com/services/T{a}/B{b}/{c}", a=run(UPPER, 8), b=run(UPPER, 10), c=run(ALNUM, 24)),
    "discord hook": _of("https://discord.com/api/web~hooks/{a}/{b}", a=run(DIGITS, 18), b=run(URLSAFE, 68)),
    "teams hook": _of("https://acme.webhook.off~ice.com/webhookb2/{a}@{b}/IncomingWebhook/{c}/{b}", a=uuid_text, b=uuid_text, c=run(HEX, 32)),
    "tailscale": _of("ts~key-auth-{a}-{b}", a=run(ALNUM, 17), b=run(ALNUM, 32)),
    "vault": _prefixed("hv~s.", ALNUM, 24, 90),
    "supabase": _prefixed("sb~p_", HEX, 40, 40),
    "jwt": _jwt,
}  # fmt: skip
"""Secrets that their shape gives away wherever they stand."""


def _table(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _key_block(label: str) -> Callable[[Rng], Secret]:
    def draw(rng: Rng) -> Secret:
        lines = [letters(rng, BASE64, 64) for _ in range(rng.randint(3, 26))] + [letters(rng, BASE64, 40) + "=="]
        return Secret("\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----"]), tuple(lines))

    return draw


def _netrc(rng: Rng) -> Secret:
    password = letters(rng, HEX, 40)
    return Secret(f"machine api.wandb.ai\n  login user\n  password {password}", (password,))


def _basic(rng: Rng) -> str:
    return base64.b64encode(f"user:{letters(rng, ALNUM, rng.randint(8, 30))}".encode()).decode()


def made_up(rng: Rng) -> str:
    """A password as managers and people make them; no white space, quotes or ``&``, which would end it."""
    return letters(rng, ALNUM + rng.choice(["", "", "-_", "!*+-./:=?@^_~%", "$#@!"]), rng.randint(8, 28))


STRUCTURES: dict[str, Callable[[Rng], Secret]] = {
    "rsa key": _key_block("RSA PRI" + "VATE KEY"),
    "pkcs8 key": _key_block("PRI" + "VATE KEY"),
    "encrypted key": _key_block("ENCRYPTED PRI" + "VATE KEY"),
    "ssh key": _key_block("OPENSSH PRI" + "VATE KEY"),
    "pgp key": _key_block("PGP PRI" + "VATE KEY BLOCK"),
    "bearer": _of("Authorization: Bearer {a}", a=run(URLSAFE, 12, 20, 64)),
    "basic": _of("Authorization: Basic {a}", a=_basic),
    "token header": _of("authorization: token {a}", a=run(ALNUM, 20, 40)),
    "api key header": _of("x-api-key: {a}", a=run(URLSAFE, 20, 40)),
    "azure header": _of("api-key: {a}", a=run(HEX, 32)),
    "cookie": _of("Cookie: session={a}; theme=dark; csrftoken={b}", a=run(URLSAFE, 32, 64), b=run(ALNUM, 32)),
    "set-cookie": _of("Set-Cookie: isengard_session={a}; HttpOnly; Path=/", a=run(URLSAFE, 43)),
    "database url": _of("postgresql://isengard:{a}@db.example.org:5432/isengard", a=run(ALNUM + "!@$*-_.~+", 8, 20)),
    "redis url": _of("redis://:{a}@10.0.0.3:6379/0", a=run(ALNUM, 12, 32)),
    "git url": _of("https://oauth2:{a}@git.example.org/team/repo.git", a=run(URLSAFE, 20)),
    "url token": _of("https://{a}@git.example.org/team/repo.git", a=run(ALNUM, 40)),
    "netrc": _netrc,
    "curl": _of("curl -u bob:{a} https://example.org/api", a=run(ALNUM + "!.-_", 10, 20)),
    "presigned": _of("https://b.s3.amazonaws.com/m.bin?X-Amz-Expires=60&X-Amz-Security-Token={a}&X-Amz-Signature={b}", a=run(ALNUM, 120), b=run(HEX, 64)),
    "cloudfront": _of("https://d.cloudfront.net/m.bin?Expires=1893456000&Signature={a}&Key-Pair-Id=K1", a=run(ALNUM + "-~", 170)),
    "sas": _of("https://a.blob.core.windows.net/c/m.bin?sv=2024-11-04&sp=r&sig={a}", a=run(ALNUM, 43)),
    "civitai query": _of("https://civitai.com/api/download/models/9?type=Model&token={a}", a=run(HEX, 32)),
}  # fmt: skip
"""Secrets that what stands around them gives away."""

NAMES = _table(
    """
    HF_TOKEN HUGGING_FACE_HUB_TOKEN WANDB_API_KEY OPENAI_API_KEY ANTHROPIC_API_KEY CIVITAI_TOKEN CIVITAI_API_KEY
    KAGGLE_KEY NGC_API_KEY FAL_KEY AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AZURE_CLIENT_SECRET DB_PASSWORD PGPASSWORD
    MYSQL_ROOT_PASSWORD REDIS_PASSWORD DJANGO_SECRET_KEY JWT_SECRET GITHUB_TOKEN NPM_TOKEN ISENGARD_TOKEN S3_SECRET_KEY
    COMET_API_KEY NEPTUNE_API_TOKEN CLEARML_API_SECRET_KEY RUNPOD_API_KEY REPLICATE_API_TOKEN SLACK_BOT_TOKEN
    DISCORD_TOKEN TELEGRAM_BOT_TOKEN SENTRY_AUTH_TOKEN VAULT_TOKEN DOCKER_PASSWORD SSH_KEY_PASSPHRASE
    api_key apiKey ApiKey apikey access_token accessToken refresh_token client_secret clientSecret secret_key secretKey
    password passwd Password user_password userPassword passphrase private_token auth_token authToken hub_token
    hf_token webhook_secret signing_key encryption_key my_service_token MyServiceSecret secret token
    """
)
"""Names that make whatever stands beside them a secret."""
