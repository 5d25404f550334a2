"""The login page: one form, no script, no style from elsewhere. Served before anybody is known."""

from __future__ import annotations

import html
import secrets
from urllib.parse import quote, urlsplit

from starlette.responses import HTMLResponse, RedirectResponse, Response

_STYLE = """
:root{color-scheme:light dark;--paper:#f6f7f9;--ink:#14181f;--line:#c9d0da;--accent:#0a6f64;--bad:#a32020}
@media(prefers-color-scheme:dark){:root{--paper:#0f1318;--ink:#e8ecf2;--line:#3a4452;--accent:#56d3c2;--bad:#ff9a9a}}
body{margin:0;min-height:100vh;display:grid;place-items:center;background:var(--paper);color:var(--ink);
font:16px/1.5 system-ui,sans-serif}
form{width:min(24rem,90vw);display:grid;gap:.75rem}h1{font-size:1.25rem;margin:0}
input,button{font:inherit;padding:.6rem .8rem;border-radius:.4rem;border:1px solid var(--line);
background:transparent;color:inherit}
button{border-color:var(--accent);color:var(--accent);cursor:pointer}p{margin:0}.bad{color:var(--bad)}
"""


def login_page(target: str, problem: str = "", status: int = 200) -> Response:
    """The form; `target` is where to go afterwards, `problem` what was wrong the last time."""
    nonce = secrets.token_urlsafe(16)
    warning = f'<p class="bad" role="alert">{html.escape(problem)}</p>' if problem else ""
    body = f"""<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Log in · Isengard</title><style nonce="{nonce}">{_STYLE}</style>
<main><form method="post" action="/login"><h1>Isengard</h1>
<p>This server needs an access token.</p>{warning}
<label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
<input type="hidden" name="next" value="{html.escape(safe_target(target))}">
<button>Log in</button></form></main></html>"""
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    # Under "no-referrer", which other answers carry, a browser posts the form with "Origin: null".
    headers = {"content-security-policy": policy, "cache-control": "no-store", "referrer-policy": "same-origin"}
    return HTMLResponse(body, status, headers)


def to_login(path: str, query: str) -> Response:
    """Send a browser that navigates to the login page, and back to where it wanted to go afterwards."""
    wanted = f"{path}?{query}" if query else path
    return RedirectResponse(f"/login?next={quote(wanted, safe='')}", 303, {"cache-control": "no-store"})


def safe_target(target: str) -> str:
    """`target` if it is an address on this server, else the start page: a login must not send people elsewhere."""
    try:
        parts = urlsplit(target)
    except ValueError:
        return "/"
    foreign = parts.scheme or parts.netloc or not target.startswith("/") or target.startswith("//")
    odd = "\\" in target or any(ord(character) < 32 for character in target)
    return "/" if foreign or odd or len(target) > 2000 else target
