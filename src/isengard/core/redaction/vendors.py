r"""Vendors: the shapes of the tokens that services hand out. One line each; the prefix stays, the body is masked.

Every pattern begins at a boundary (no letter or digit before it), begins with its literal, and is linear: see
`rules.Shape`. Bare hexadecimal keys (W&B, Civitai, Kaggle, NGC, FAL) look like hashes and are known by name only.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable

from isengard.core.redaction.rules import Shape

_LEFT = r"(?<![A-Za-z0-9])"


def _shape(
    kind: str, literals: str, prefix: str, body: str, accept: Callable[[str], bool] | None = None, flags: int = 0
) -> Shape:
    return Shape(kind, tuple(literals.split()), re.compile(f"{_LEFT}(?:{prefix})({body})", flags), accept)


def _has_digit(body: str) -> bool:
    return re.search(r"\d", body) is not None


def _hugging_face(body: str) -> bool:
    """A digit, or too long for a word: ``hf_transfer`` and ``hf_hub_download`` are code."""
    return len(body) >= 20 or _has_digit(body)


_SK_VENDOR = re.compile(r"(?:(proj|svcacct|ant)|admin|or|lf)-(.+)")
_SK_SEGMENT = re.compile(
    r"(?=[A-Za-z]*\d)(?=\d*[A-Za-z]|\d{16})[A-Za-z0-9]{10}|(?=[a-z]*[A-Z])(?=[A-Z]*[a-z])[A-Za-z]{24}"
)


def _sk(body: str) -> bool:
    """OpenAI and those who took over its prefix; ``sk-learn`` and ``sk-SK`` are neither."""
    vendor = _SK_VENDOR.fullmatch(body)
    if vendor:
        rest = vendor[2]
        return _has_digit(rest) or len(rest) >= 16 or (vendor[1] is not None and len(rest) >= 3)
    return any(_SK_SEGMENT.match(part) for part in re.split(r"[-_]", body))


def _jwt(body: str) -> bool:
    """Three parts at least, the first two of some length (what the pattern matched starts after ``eyJ``)."""
    parts = body.split(".")
    return len(parts) >= 3 and len(parts[0]) >= 5 and len(parts[1]) >= 2


def _random(body: str) -> bool:
    """Digits and letters mixed, as in no word."""
    return _has_digit(body) and re.search(r"[A-Za-z]", body) is not None


def _encoded_key(body: str) -> bool:
    """Base64 of a PEM block, as in kubeconfig files; a certificate is none of our business."""
    head = ("LS0tLS1CRUdJTi" + body[:62]).replace("-", "+").replace("_", "/")
    return b"PRIVATE" in base64.b64decode(head[: len(head) // 4 * 4])


_W = r"[A-Za-z0-9_-]"
_A = r"[A-Za-z0-9]"

VENDORS: tuple[Shape, ...] = (
    # our own: access tokens, and the passes behind sessions and share links (core/access)
    _shape("isengard-token", "isg_", r"isg_", rf"{_W}{{32,}}"),
    _shape("isengard-pass", "v1.eyj", r"v1\.eyJ", rf"{_W}{{16,}}\.{_W}{{40,}}"),
    # model hubs and ML services
    _shape("huggingface-token", "hf_", r"hf_", rf"{_A}{{6,}}", _hugging_face),
    _shape("huggingface-org-token", "api_org_", r"api_org_", rf"{_A}{{12,}}"),
    _shape("sk-key", "sk-", r"sk-", rf"{_A}{_W}*", _sk),
    _shape("replicate-token", "r8_", r"r8_", rf"{_A}{{30,}}"),
    _shape("groq-key", "gsk_", r"gsk_", rf"{_A}{{40,}}"),
    _shape("xai-key", "xai-", r"xai-", rf"{_W}{{40,}}"),
    _shape("perplexity-key", "pplx-", r"pplx-", rf"{_W}{{40,}}"),
    _shape("nvidia-key", "nvapi-", r"nvapi-", rf"{_W}{{40,}}"),
    _shape("pinecone-key", "pcsk_", r"pcsk_", rf"{_W}{{40,}}"),
    _shape("runpod-key", "rpa_", r"rpa_", rf"{_A}{{30,}}"),
    _shape("langsmith-key", "lsv2_", r"lsv2_(?:pt|sk)_", rf"{_W}{{12,}}"),
    _shape("wandb-key", "wandb_v1_", r"wandb_v1_", rf"{_W}{{16,}}"),
    _shape("wandb-local-key", "local-", r"local-", r"[0-9a-f]{40}(?![A-Za-z0-9])"),
    _shape("fireworks-key", "fw_", r"fw_", rf"{_A}{{20,}}", _random),
    _shape("together-key", "tgp_v1_", r"tgp_v1_", rf"{_W}{{20,}}"),
    _shape("elevenlabs-key", "sk_", r"sk_", r"[0-9a-f]{40,}"),
    _shape("voyage-key", "pa-", r"pa-", rf"{_W}{{40,}}", _random),
    # git hosts and packages
    _shape("github-token", "ghp_ gho_ ghu_ ghs_ ghr_", r"gh[pousr]_", rf"{_A}{{30,}}"),
    _shape("github-fine-token", "github_pat_", r"github_pat_", r"[A-Za-z0-9_]{22,}"),
    _shape("gitlab-token", "gl", r"gl(?:pat|cbt|dt|rt|ptt|soat|ft|imt|agent|oas|ffct)-", rf"{_W}{{16,}}"),
    _shape("npm-token", "npm_", r"npm_", rf"{_A}{{30,}}"),
    _shape("docker-token", "dckr_", r"dckr_(?:pat|oat)_", rf"{_W}{{20,}}"),
    _shape("pypi-token", "pypi-age", r"pypi-AgE", rf"{_W}{{16,}}"),
    _shape("rubygems-key", "rubygems_", r"rubygems_", r"[0-9a-f]{40,}"),
    _shape("atlassian-token", "atatt3x", r"ATATT3x", r"[A-Za-z0-9_=-]{30,}"),
    # clouds
    _shape("aws-key-id", "akia asia abia acca", r"A(?:KIA|SIA|BIA|CCA)", r"[A-Z0-9]{16}(?![A-Za-z0-9])"),
    _shape("google-api-key", "aiza", r"AIza", rf"{_W}{{35}}(?!{_A})"),
    _shape("google-oauth-token", "ya29.", r"ya29\.", r"[A-Za-z0-9_.-]{16,}"),
    _shape("google-client-secret", "gocspx-", r"GOCSPX-", rf"{_W}{{16,}}"),
    _shape("google-refresh-token", "1//0", r"1//0", rf"{_W}{{30,}}"),
    _shape("azure-client-secret", "q~", r"(?:)", r"[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.-]{30,}"),
    _shape(
        "azure-account-key",
        "accountkey sharedaccesskey sharedaccesssignature",
        r"(?:AccountKey|SharedAccessKey|SharedAccessSignature)=",
        r"[^\s;\"'<>\\]{12,}",
        flags=re.IGNORECASE,
    ),
    _shape("databricks-token", "dapi", r"dapi", r"[0-9a-f]{32}(?:-\d{1,2})?(?![A-Za-z0-9])"),
    _shape("digitalocean-token", "_v1_", r"do[opr]_v1_", r"[0-9a-f]{40,}"),
    _shape("heroku-key", "hrku-", r"HRKU-", rf"{_W}{{30,}}"),
    # chat, payment, mail, operations
    _shape("slack-token", "xox", r"xox[a-z]-", r"[A-Za-z0-9-]{8,}", _has_digit),
    _shape("slack-refresh-token", "xoxe.", r"xoxe\.xox[a-z]-", r"[A-Za-z0-9-]{8,}"),
    _shape("slack-app-token", "xapp-", r"xapp-", r"[A-Za-z0-9-]{10,}", _has_digit),
    _shape("stripe-key", "k_live_ k_test_", r"[sr]k_(?:live|test)_", rf"{_A}{{10,}}"),
    _shape("webhook-secret", "whsec_", r"whsec_", r"[A-Za-z0-9+/=_-]{16,}"),
    _shape("sendgrid-key", "sg.", r"SG\.", rf"{_W}{{16,}}\.{_W}{{16,}}"),
    _shape("mailgun-key", "key-", r"key-", r"[0-9a-f]{32}(?![A-Za-z0-9])"),
    _shape("brevo-key", "xkeysib-", r"xkeysib-", r"[0-9a-f]{40,}(?:-[A-Za-z0-9]+)?"),
    _shape("telegram-token", ":aa %3aaa", r"[0-9]{8,10}(?::|%3[Aa])AA", rf"{_W}{{32,}}"),
    _shape("square-token", "sq0", r"sq0[a-z]{3}-", rf"{_W}{{20,}}"),
    _shape("shopify-token", "shp", r"shp(?:at|ca|pa|ss)_", r"[0-9a-fA-F]{32}"),
    _shape("tailscale-key", "tskey-", r"tskey-", r"[A-Za-z0-9-]{10,}", _has_digit),
    _shape("vault-token", "hvs. hvb. hvr.", r"hv[sbr]\.", rf"{_W}{{16,}}"),
    _shape("supabase-token", "sbp_", r"sbp_", r"[A-Za-z0-9_]{20,}"),
    _shape("supabase-secret", "sb_secret_", r"sb_secret_", rf"{_W}{{16,}}"),
    _shape("grafana-token", "glsa_ glc_", r"gl(?:sa|c)_", r"[A-Za-z0-9_+/=]{30,}"),
    _shape("linear-key", "lin_api_", r"lin_api_", rf"{_A}{{30,}}"),
    _shape("notion-token", "ntn_", r"ntn_", rf"{_A}{{40,}}"),
    _shape("figma-token", "figd_", r"figd_", rf"{_W}{{30,}}"),
    _shape("postman-key", "pmak-", r"PMAK-", r"[0-9a-f]{24}-[0-9a-f]{34}"),
    _shape("pulumi-token", "pul-", r"pul-", r"[0-9a-f]{40}"),
    _shape("sentry-token", "sntrys_ sntryu_", r"sntry[su]_", r"[A-Za-z0-9+/=_]{30,}"),
    _shape("doppler-token", "dp.", r"dp\.(?:pt|st|ct|sa|scim|audit)\.", r"[A-Za-z0-9_.-]{30,}"),
    _shape("age-key", "age-secret-key-1", r"AGE-SECRET-KEY-1", r"[A-Z0-9]{40,}"),
    _shape("onepassword-token", "ops_eyj", r"ops_eyJ", rf"{_W}{{40,}}"),
    _shape("newrelic-key", "nrak-", r"NRAK-", r"[A-Z0-9]{20,}"),
    _shape("terraform-token", ".atlasv1.", r"(?:)", r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{30,}"),
    _shape("modal-token", "ak- as-", r"a[ks]-", rf"{_A}{{22}}(?!{_A})", _random),
    _shape("mapbox-token", "sk.eyj", r"sk\.eyJ", r"[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{8,}"),
    _shape("planetscale-token", "pscale_", r"pscale_(?:tkn|pw|oauth)_", rf"{_W}{{20,}}"),
    _shape("netlify-token", "nfp_", r"nfp_", rf"{_A}{{30,}}"),
    _shape("cloudflare-key", "cfpat-", r"CFPAT-", rf"{_W}{{30,}}"),
    _shape("private-key-base64", "ls0tls1crudjti", r"LS0tLS1CRUdJTi", r"[A-Za-z0-9+/=_-]{20,}", _encoded_key),
    # webhooks are credentials as a whole
    _shape(
        "slack-webhook",
        "hooks.slack",
        r"hooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers)/",
        r"[A-Za-z0-9_/-]{8,}",
    ),
    _shape(
        "discord-webhook", "/webhooks/", r"discord(?:app)?\.com/api/(?:v\d{1,2}/)?webhooks/", r"[0-9]+/[A-Za-z0-9_-]+"
    ),
    _shape(
        "teams-webhook",
        "webhook.office.com outlook.office.com",
        r"(?:webhook\.office\.com/webhookb2|outlook\.office(?:365)?\.com/webhook)/",
        r"[A-Za-z0-9@/_.-]{8,}",
    ),
    # structure
    _shape("jwt", "eyj", r"eyJ", r"[A-Za-z0-9_-]*+(?:\.[A-Za-z0-9_-]*+)*+", _jwt),
)
