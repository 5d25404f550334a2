"""Routes of access: the login form, leaving, and links that show one job to somebody else for a while."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request, Response
from pydantic import BaseModel, Field
from starlette.responses import RedirectResponse

from isengard.api.auth.audit import UNKNOWN
from isengard.api.auth.keyring import SESSION_COOKIE, SESSION_S, SHARE_COOKIE, Keyring, address_of
from isengard.api.auth.pages import login_page, safe_target
from isengard.api.body import StrictJsonRoute
from isengard.api.errors import headers_of, status_of
from isengard.api.schemas.common import Answer, problems
from isengard.api.services import Services, ServicesDep
from isengard.core.access.roles import Actor
from isengard.core.access.withdrawn import LONGEST_SHARE_S
from isengard.core.errors import Conflict, NotFound, RateLimited, Unauthenticated

router = APIRouter(tags=["access"], route_class=StrictJsonRoute)

_TOKEN_CHARS = 4096


class ShareRequest(BaseModel):
    """How long a share link is good for."""

    expires_in_s: int = Field(
        default=7 * 24 * 3600, ge=60, le=LONGEST_SHARE_S, description="Seconds until the link is over."
    )


class Share(BaseModel):
    """A link that shows one job to whoever has it."""

    url: str = Field(description="Address on this server.", examples=["/share/v1.eyJqb2I.c2ln"])
    expires_in_s: int


class ShareLinkView(Answer):
    """A share link that holds. The link itself is not told again: whoever made it has it."""

    made_by: str = Field(description="Name of the token it was made with.", examples=["anna"])
    made_at: datetime
    expires_at: datetime


class ShareLinks(Answer):
    """The links by which somebody without a token sees a job, oldest first."""

    job_id: str
    links: list[ShareLinkView]


class Whoami(BaseModel):
    """Who the server takes the caller for."""

    name: str
    role: str = Field(examples=["operator"])
    job_id: str | None = Field(None, description="The one job a share link shows.")


@router.get("/login", include_in_schema=False)
def show_login(next: str = "/") -> Response:  # noqa: A002 - the query's name
    """The login form."""
    return login_page(next)


@router.post("/login", include_in_schema=False)
def log_in(
    services: ServicesDep,
    request: Request,
    token: Annotated[str, Form(max_length=_TOKEN_CHARS)],
    next: Annotated[str, Form()] = "/",  # noqa: A002 - the form's name
) -> Response:
    """Open a session by cookie."""
    keyring, address = services.gate, address_of(request.scope)
    target = safe_target(next)
    if not isinstance(keyring, Keyring):
        return RedirectResponse(target, 303)
    try:
        actor = keyring.log_in(token.strip(), address)
    except (Unauthenticated, RateLimited) as error:
        services.audit.record("login", actor=UNKNOWN, address=address, allowed=False)
        response = login_page(target, error.detail, status_of(error))
        response.headers.update(headers_of(error))
        return response
    services.audit.record("login", actor=actor.name, address=address, role=actor.role)
    response = RedirectResponse(target, 303)
    _set_cookie(response, request, SESSION_COOKIE, keyring.open_session(actor), SESSION_S)
    return response


@router.post("/logout", include_in_schema=False)
def log_out(services: ServicesDep, request: Request) -> Response:
    """End the session, for whoever else has its cookie, too."""
    if isinstance(services.gate, Keyring):
        services.gate.end_session(request.headers)
    response = RedirectResponse("/login", 303)
    for name in (SESSION_COOKIE, SHARE_COOKIE):
        response.delete_cookie(name, path="/", httponly=True, samesite="strict", secure=_is_encrypted(request))
    return response


@router.get("/api/whoami", summary="Who the server takes you for")
def whoami(request: Request) -> Whoami:
    """Name and role behind the request's token, session or share link."""
    actor: Actor = request.state.actor
    return Whoami(name=actor.name, role=actor.role, job_id=actor.job_id)


@router.post(
    "/api/jobs/{job_id}/share", status_code=201, summary="Make a share link", responses=problems(404, 409, 422)
)
def share(services: ServicesDep, request: Request, job_id: str, body: ShareRequest | None = None) -> Share:
    """A link that shows this one job, read-only, until it is over, is taken back, or the token it was made with is."""
    keyring = _keyring(services)
    services.store.get_job(job_id)
    lifetime = (body or ShareRequest()).expires_in_s
    actor: Actor = request.state.actor
    services.audit.record(
        "share", actor=actor.name, address=address_of(request.scope), job_id=job_id, expires_in_s=lifetime
    )
    return Share(url=f"/share/{keyring.share(actor, job_id, lifetime)}", expires_in_s=lifetime)


@router.get("/api/jobs/{job_id}/share", summary="List share links", responses=problems(404))
def shares(services: ServicesDep, job_id: str) -> ShareLinks:
    """Who made a link to this job that holds, when, and until when; none on a server without tokens."""
    services.store.get_job(job_id)
    links = services.gate.shares_of(job_id) if isinstance(services.gate, Keyring) else []
    return ShareLinks(job_id=job_id, links=[ShareLinkView.model_validate(link) for link in links])


@router.delete(
    "/api/jobs/{job_id}/share", status_code=204, summary="Take share links back", responses=problems(404, 409)
)
def end_shares(services: ServicesDep, job_id: str) -> None:
    """Every link to this job that was made until now is over; who has it open is sent away within seconds."""
    services.store.get_job(job_id)
    _keyring(services).end_shares(job_id)


@router.get("/share/{pass_text}", include_in_schema=False)
def open_share(services: ServicesDep, request: Request, pass_text: str) -> Response:
    """Turn a share link into a cookie and show the job."""
    job_id = services.gate.shared_job(pass_text) if isinstance(services.gate, Keyring) else None
    if job_id is None:
        raise NotFound("this share link is not valid or is over")
    response = RedirectResponse(f"/jobs/{job_id}", 303, {"cache-control": "no-store"})
    # Lax, not Strict: a browser that comes from a mail or a chat would not send a strict cookie along the redirect.
    _set_cookie(response, request, SHARE_COOKIE, pass_text, LONGEST_SHARE_S, "lax")
    return response


def _keyring(services: Services) -> Keyring:
    if not isinstance(services.gate, Keyring):
        raise Conflict("this server has no tokens, so everybody who reaches it sees every job already")
    return services.gate


def _set_cookie(
    response: Response,
    request: Request,
    name: str,
    value: str,
    lifetime_s: int,
    same_site: Literal["strict", "lax"] = "strict",
) -> None:
    secure = _is_encrypted(request)
    response.set_cookie(name, value, max_age=lifetime_s, path="/", httponly=True, samesite=same_site, secure=secure)


def _is_encrypted(request: Request) -> bool:
    """Whether the browser speaks TLS, to us or a proxy; who claims it falsely only loses a cookie of their own."""
    spoken = (request.url.scheme, request.headers.get("x-forwarded-proto", ""), request.headers.get("origin", ""))
    return any(each.partition(":")[0] == "https" for each in spoken)
