"""The login page: one form, no script, no style from elsewhere. Served before anybody is known.

Its colours are the page's own (web/src/styles.css), written again because nothing may be loaded here.
"""

from __future__ import annotations

import html
import secrets
from urllib.parse import quote, urlsplit

from starlette.responses import HTMLResponse, RedirectResponse, Response

_STYLE = """
:root{color-scheme:light dark;--canvas:#edf0f1;--surface:#fff;--well:#fbfcfc;--line:#d3dade;--edge:#74848d;
--ink:#131d23;--ink-2:#43535c;--signal:#0a6f64;--on-signal:#fff;--bad:#ac2c26}
@media(prefers-color-scheme:dark){:root{--canvas:#0c1114;--surface:#12191d;--well:#0a0e11;--line:#253038;
--edge:#66798a;--ink:#e7eef1;--ink-2:#a9b9c2;--signal:#56d3c2;--on-signal:#04211d;--bad:#f58b82}}
body{margin:0;min-height:100dvh;display:grid;place-items:center;background:var(--canvas);color:var(--ink);
font:16px/1.5 ui-sans-serif,system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
form{box-sizing:border-box;width:min(24rem,92vw);display:grid;gap:.75rem;padding:1.75rem;
background:var(--surface);border:1px solid var(--line);border-radius:10px}
h1{display:flex;align-items:center;gap:.6rem;font-size:1.25rem;font-weight:600;margin:0}
svg{width:2rem;color:var(--signal)}label{font-weight:500}p{margin:0;color:var(--ink-2)}.bad{color:var(--bad)}
input,button{box-sizing:border-box;min-height:2.75rem;font:inherit;padding:.5rem .8rem;border-radius:6px}
input{border:1px solid var(--edge);background:var(--well);color:inherit}
button{margin-top:.5rem;border:0;background:var(--signal);color:var(--on-signal);font-weight:500;cursor:pointer}
:focus-visible{outline:2px solid var(--signal);outline-offset:2px}
"""
_MARK = """<svg viewBox="0 0 32 32" fill="none" stroke="currentColor" stroke-width="2" stroke-linejoin="round"
aria-hidden="true"><path d="M11 28V12L9 6l4 3 3-6 3 6 4-3-2 6v16z"/><path d="M16 15v8" stroke-linecap="round"/></svg>"""


def login_page(target: str, problem: str = "", status: int = 200) -> Response:
    """The form; `target` is where to go afterwards, `problem` what was wrong the last time."""
    nonce = secrets.token_urlsafe(16)
    warning = f'<p class="bad" role="alert">{html.escape(problem)}</p>' if problem else ""
    body = f"""<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Log in · Isengard</title><style nonce="{nonce}">{_STYLE}</style>
<main><form method="post" action="/login"><h1>{_MARK}Isengard</h1>
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
