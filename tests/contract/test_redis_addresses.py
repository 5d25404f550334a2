"""Every way to Redis that an address can name, to real servers: users, TLS, Sentinel with a failover, a cluster."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from isengard.core.errors import StartupError
from isengard.events import JournalLine, RedisEventBus
from isengard.events.bus import BusUnavailable, LineGap
from isengard.events.redis_address import connect
from isengard.execution.cluster.messages import SITE, Mailbox

PATIENCE_S = 120.0
JOB = "train-address@1-0"


class Servers:
    """redis-server processes on free loopback ports, ended by their ids."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self, port: int, *options: str, config: str = "") -> subprocess.Popen[bytes]:
        place = self.folder / str(port)
        place.mkdir()
        argv = ["redis-server"]
        if config:
            (place / "redis.conf").write_text(config)
            argv.append(str(place / "redis.conf"))
        argv += ["--bind", "127.0.0.1", "--dir", str(place), *options]
        argv += [] if "--tls-port" in options else ["--port", str(port)]
        running = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._running.append(running)
        until(lambda: _listens(port), f"redis-server on port {port}")
        return running

    def close(self) -> None:
        for running in self._running:
            running.kill()
            running.wait()


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    made = Servers(tmp_path)
    yield made
    made.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def cli(port: int, *command: str) -> str:
    done = subprocess.run(["redis-cli", "-p", str(port), *command], capture_output=True, text=True, check=True)
    return done.stdout


async def check_everything_used(url: str) -> None:
    """All that site and hosts do with Redis: publish, ask where to go on, subscribe, rewind, forget, messages."""
    client = connect(url)
    bus, mailbox = RedisEventBus(client), Mailbox(client)
    try:
        async with asyncio.timeout(PATIENCE_S):
            await bus.publish(JournalLine(JOB, 1, b"one"), JournalLine(JOB, 2, b"two"))
            assert await bus.newest(JOB) == 2
            subscription = bus.subscribe(JOB, after=1)
            assert await anext(aiter(subscription)) == JournalLine(JOB, 2, b"two")
            await subscription.aclose()
            await bus.rewind(JOB, 7)
            with pytest.raises(LineGap) as gap:
                await bus.publish(JournalLine(JOB, 9, b"nine"))
            assert gap.value.newest == 7
            await bus.forget(JOB, 7)
            asking = asyncio.create_task(mailbox.ask(SITE, "read", name="x"))
            message = await mailbox.receive([SITE, JOB], 5)
            assert message is not None
            await mailbox.answer(message, {"size": 3}, b"a\nb")
            answer = await asking
            assert answer is not None
            assert (answer.content, answer.payload) == ({"size": 3}, b"a\nb")
    finally:
        await bus.close()


async def check_refused(url: str) -> None:
    bus = RedisEventBus(url)
    with pytest.raises(BusUnavailable):
        await bus.newest(JOB)
    await bus.close()


async def test_an_acl_user_with_no_more_rights_than_the_docs_say_is_enough(servers: Servers) -> None:
    port, password = free_port(), secrets.token_hex(16)
    rule = f"user isengard on >{password} ~{{isengard}}:* +@all -@dangerous -@admin +info\nuser default off\n"
    documented = (Path(__file__).parents[2] / "docs" / "cluster.md").read_text()
    assert rule.splitlines()[0].replace(password, "PASSWORD") in documented
    servers.start(port, config=rule)
    await check_everything_used(f"redis://isengard:{password}@127.0.0.1:{port}/0")
    await check_refused(f"redis://isengard:wrong@127.0.0.1:{port}/0")


def certificate(folder: Path) -> tuple[Path, Path]:
    """A key and a certificate that vouches for itself."""
    key, cert = folder / "key.pem", folder / "cert.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    files = ["-keyout", str(key), "-out", str(cert), "-days", "1"]
    subprocess.run([*made, *files, *subject], check=True, capture_output=True)
    return key, cert


async def test_tls_with_an_authority_of_ones_own(servers: Servers) -> None:
    port = free_port()
    key, cert = certificate(servers.folder)
    own = ["--tls-cert-file", str(cert), "--tls-key-file", str(key), "--tls-ca-cert-file", str(cert)]
    servers.start(port, "--port", "0", "--tls-port", str(port), "--tls-auth-clients", "no", *own)
    await check_everything_used(f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={cert}")
    await check_refused(f"rediss://127.0.0.1:{port}/0")


async def test_a_cluster(servers: Servers) -> None:
    port = free_port()
    servers.start(port, "--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1")
    cli(port, "cluster", "addslotsrange", "0", "16383")
    until(lambda: "cluster_state:ok" in cli(port, "cluster", "info"), "the cluster's slots")
    await check_everything_used(f"redis+cluster://127.0.0.1:{port}")


async def test_a_failover_that_sentinel_makes_is_followed_and_costs_no_line(servers: Servers) -> None:
    master, replica, sentinel = free_port(), free_port(), free_port()
    running = servers.start(master)
    servers.start(replica, "--replicaof", "127.0.0.1", str(master))
    until(lambda: "master_link_status:up" in cli(replica, "info", "replication"), "the replica")
    rules = (
        f"sentinel monitor isengard 127.0.0.1 {master} 1\nsentinel down-after-milliseconds isengard 300\n"
        "sentinel failover-timeout isengard 2000\n"
    )
    servers.start(sentinel, "--sentinel", config=rules)
    until(lambda: "slaves=1" in cli(sentinel, "info", "sentinel"), "Sentinel knowing the replica")
    url = f"redis+sentinel://127.0.0.1:{sentinel}/isengard/0"
    await check_everything_used(url)
    bus = RedisEventBus(url)
    lines = [JournalLine("train-moved@1-0", seq, b"line %d" % seq) for seq in range(1, 41)]
    await bus.publish(*lines[:20])
    running.kill()
    await publish_from_where_it_stands(bus, lines)
    subscription = bus.subscribe("train-moved@1-0", after=0)
    async with asyncio.timeout(PATIENCE_S):
        received = [await anext(subscription) for _ in lines]
    assert received == lines
    await bus.close()


async def publish_from_where_it_stands(bus: RedisEventBus, lines: list[JournalLine]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                newest = await bus.newest(lines[0].job_id)
                await bus.publish(*lines[newest:])
            except (BusUnavailable, LineGap):
                await asyncio.sleep(0.1)
            else:
                return


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("http://localhost", "it has to begin with"),
        ("redis+sentinel://localhost:26379", "the name of the master is missing"),
        ("redis+sentinel://localhost:x/m", "is no host"),
        ("redis+sentinel://localhost/m/first", "is no database number"),
        ("redis+magic://localhost", "it has to begin with"),
    ],
)
def test_an_address_that_makes_no_sense_is_told_at_once(url: str, fault: str) -> None:
    with pytest.raises(StartupError, match=fault) as told:
        connect(url)
    assert told.value.field == "redis_url"
