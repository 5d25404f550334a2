"""From ``ISENGARD_REDIS_URL`` to a client of redis-py: one server, Sentinel or a cluster, TLS, users. Asks nothing.

    redis://user:password@host:6379/0            one server; rediss:// with TLS; unix:///run/redis.sock
    redis+sentinel://user:password@s1:26379,s2:26379/mymaster/0      the master that Sentinels name
    redis+cluster://user:password@n1:6379,n2:6379                    a cluster; all keys share one slot

``rediss+sentinel`` and ``rediss+cluster`` speak TLS. What follows ``?`` goes to redis-py as it is: ``ssl_ca_certs=…``,
``ssl_certfile=…``, ``sentinel_password=…`` among others.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from isengard.core.errors import StartupError

SILENCE_S = 10.0
"""A connection that says nothing for so long is given up. Longer than any command waits on the server's side, short
enough that a cut cable, which tells nobody, is noticed."""
_SCHEMES = ("redis", "rediss", "unix")


def connect(url: str) -> Any:
    """A `redis.asyncio` client for the address. Trying again is left to the caller, who knows what may be sent twice.

    Raises:
        StartupError: The address makes no sense, or redis-py is not installed.
    """
    try:
        import redis.asyncio
    except ImportError:
        raise StartupError(
            "ISENGARD_REDIS_URL needs the extra 'redis' (pip install 'isengard[redis]')", field="redis_url"
        ) from None
    address = urlsplit(url)
    scheme, _, kind = address.scheme.partition("+")
    if scheme not in _SCHEMES or kind not in ("", "sentinel", "cluster"):
        raise _wrong("it has to begin with redis://, rediss://, unix://, redis+sentinel:// or redis+cluster://")
    if kind == "sentinel":
        return _by_sentinel(address, tls=scheme == "rediss")
    if kind == "cluster":
        return _cluster(address, tls=scheme == "rediss")
    try:
        return redis.asyncio.Redis.from_url(url, **_manners())
    except ValueError as error:
        raise _wrong(str(error)) from error


async def close(client: Any) -> None:
    """Close a client's connections, those to Sentinels included, which redis-py leaves open."""
    await client.aclose()
    manager = getattr(getattr(client, "connection_pool", None), "sentinel_manager", None)
    for sentinel in manager.sentinels if manager is not None else ():
        await sentinel.aclose()


def _manners() -> dict[str, Any]:
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    return {
        "socket_connect_timeout": 5,
        "socket_timeout": SILENCE_S,
        "socket_keepalive": True,
        "health_check_interval": 30,
        "retry": Retry(NoBackoff(), 0),
        "max_connections": 20_000,  # each followed run waits on one of its own
    }


def _by_sentinel(address: SplitResult, *, tls: bool) -> Any:
    from redis.asyncio.sentinel import Sentinel

    service, _, database = address.path.strip("/").partition("/")
    if not service:
        raise _wrong("the name of the master is missing: redis+sentinel://host:26379/mymaster/0")
    if database and not database.isdigit():
        raise _wrong(f"{database[:20]!r} is no database number")
    options = dict(parse_qsl(address.query))
    of_sentinels = {
        name.removeprefix("sentinel_"): options.pop(name) for name in list(options) if name.startswith("sentinel_")
    }
    shared = {"ssl": True} if tls else {}
    sentinels = Sentinel(
        _hosts(address, 26379),
        sentinel_kwargs={"socket_connect_timeout": 5, "socket_timeout": 5, **shared, **of_sentinels},
    )
    return sentinels.master_for(
        service, db=int(database or 0), **{**_manners(), **shared, **_credentials(address), **options}
    )


def _cluster(address: SplitResult, *, tls: bool) -> Any:
    from redis.asyncio.cluster import ClusterNode, RedisCluster

    nodes = [ClusterNode(host, port) for host, port in _hosts(address, 6379)]
    options = {**_credentials(address), **dict(parse_qsl(address.query))}
    return RedisCluster(startup_nodes=nodes, ssl=tls, **{**_manners(), **options})


def _credentials(address: SplitResult) -> dict[str, str]:
    known = {"username": address.username, "password": address.password}
    return {name: unquote(value) for name, value in known.items() if value}


def _hosts(address: SplitResult, port: int) -> list[tuple[str, int]]:
    places = []
    for place in address.netloc.rpartition("@")[2].split(","):
        host, _, number = place.rpartition(":") if ":" in place.rpartition("]")[2] else (place, "", str(port))
        if not host or not number.isdigit():
            raise _wrong(f"{place[:80]!r} is no host, or host:port")
        places.append((host.strip("[]"), int(number)))
    return places


def _wrong(reason: str) -> StartupError:
    return StartupError(f"ISENGARD_REDIS_URL: {reason}", field="redis_url")
