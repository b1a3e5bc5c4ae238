"""Machines made of namespaces of this one: each with its own address, name and process table. Root on Linux only."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# What runs as the first process of a machine. Its address comes from outside, once the namespace exists.
MACHINE = """
set -e
hostname {name}
{prepare}
echo ready && read -r address
ip link set lo up
ip address add $address/24 dev eth0 && ip link set eth0 up
ip route add default via {gateway} && ip route add unreachable 169.254.0.0/16  # no cloud to ask who we are
exec {command}
"""


@contextmanager
def link(name: str, *kind: str) -> Iterator[None]:
    """A network link of this machine, up; it may outlive what used it, or be gone with a namespace that was killed."""
    ip("link", "add", name, *kind)
    try:
        ip("link", "set", name, "up")
        yield
    finally:
        subprocess.run(["ip", "link", "delete", name], check=False, capture_output=True)


@contextmanager
def machine(
    name: str, address: str, *, bridge: str, gateway: str, prepare: str, command: str, log: Path
) -> Iterator[subprocess.Popen[str]]:
    """A namespace whose first process is ``command``; whatever runs in it dies with that.

    Args:
        name: of the machine and of its link.
        address: of the machine.
        bridge: link that joins the machines.
        gateway: address of the bridge.
        prepare: lines of shell that run first, e.g. to mount folders.
        command: words of shell that run for as long as the machine does.
        log: file for what they print as errors.
    """
    script = MACHINE.format(name=name, prepare=prepare, gateway=gateway, command=command)
    unshare = ["unshare", "--net", "--pid", "--mount", "--uts", "--mount-proc", "--fork", "--kill-child"]
    with log.open("w") as errors:
        first = subprocess.Popen(
            [*unshare, "bash", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
        )
    assert first.stdin is not None and first.stdout is not None
    try:
        assert first.stdout.readline() == "ready\n", log.read_text()
        with link(name, "type", "veth", "peer", "name", "eth0", "netns", str(first.pid)):
            ip("link", "set", name, "master", bridge)
            first.stdin.write(f"{address}\n")
            first.stdin.flush()
            yield first
    finally:
        first.kill()
        first.communicate()


def ip(*words: str) -> None:
    """Run iproute2's command."""
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)
