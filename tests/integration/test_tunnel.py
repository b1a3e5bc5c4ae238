"""The way to a cluster's MLflow server: Ray's own, over a real ssh server, to a head that is this machine."""

import getpass
import json
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import requests

from mgcl.cluster import tunnel
from mgcl.errors import ClusterError

SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
pytestmark = pytest.mark.skipif(not (SSHD and shutil.which("nc")), reason="needs openssh-server and netcat")


class Healthy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
def cluster_file(tmp_path) -> Iterator[Path]:
    """Of a cluster that Ray takes for up."""
    name, port = f"mgcl-test-{os.getpid()}", free_port()
    for key in ("key", "host"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / key], check=True)
    options = [f"HostKey={tmp_path / 'host'}", f"AuthorizedKeysFile={tmp_path / 'key.pub'}", "ListenAddress=127.0.0.1"]
    options += [f"Port={port}", "StrictModes=no", "PidFile=none", "PermitRootLogin=prohibit-password"]
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    command = [SSHD, "-D", "-e", "-f", "/dev/null", *(word for each in options for word in ("-o", each))]
    with (tmp_path / "sshd.log").open("w") as log:
        sshd = subprocess.Popen(command, stderr=log)
    config = {
        "cluster_name": name,
        "provider": {"type": "local", "head_ip": "127.0.0.1", "worker_ips": []},
        "auth": {
            "ssh_user": getpass.getuser(),
            "ssh_private_key": str(tmp_path / "key"),
            "ssh_proxy_command": f"nc %h {port}",
        },
    }
    (tmp_path / "cluster.yaml").write_text(json.dumps(config))
    state = Path(f"/tmp/ray/cluster-{name}.state")  # noqa: S108  where Ray looks
    state.parent.mkdir(exist_ok=True)
    up = {"tags": {"ray-node-type": "head", "ray-node-status": "up-to-date"}, "state": "running"}
    state.write_text(json.dumps({"127.0.0.1": up}))
    yield tmp_path / "cluster.yaml"
    sshd.terminate()
    sshd.wait()
    state.unlink()
    state.with_suffix(".lock").unlink(missing_ok=True)


@pytest.fixture
def server(monkeypatch) -> Iterator[None]:
    """Stands where the cluster's MLflow server would."""
    http = HTTPServer(("127.0.0.1", 0), Healthy)
    monkeypatch.setattr(tunnel, "_PORT", http.server_port)
    threading.Thread(target=http.serve_forever).start()
    yield
    http.shutdown()
    http.server_close()


@pytest.mark.usefixtures("server")
def test_it_opens_and_is_gone_afterwards(cluster_file) -> None:
    with tunnel.mlflow_tunnel(cluster_file) as address:
        assert requests.get(f"{address}/health", timeout=10).ok
    port = int(address.rpartition(":")[2])
    end = time.monotonic() + 30  # ssh may share a connection that Ray keeps for ten seconds
    while time.monotonic() < end:
        with socket.socket() as knock:
            if knock.connect_ex(("127.0.0.1", port)):
                return
        time.sleep(0.2)
    pytest.fail("the tunnel is still open")


def test_without_a_server_at_its_end_it_says_so(cluster_file, monkeypatch) -> None:
    monkeypatch.setattr(tunnel, "_PORT", free_port())
    monkeypatch.setattr(tunnel, "_SECONDS", 8)
    with pytest.raises(ClusterError, match="no MLflow server answers"), tunnel.mlflow_tunnel(cluster_file):
        pass


def test_without_ssh_it_gives_ssh_s_reason(cluster_file) -> None:
    config = json.loads(cluster_file.read_text())
    config["auth"]["ssh_proxy_command"] = f"nc %h {free_port()}"
    cluster_file.write_text(json.dumps(config))
    said = r"head is not reached \(.*[Cc]onnection closed"
    with pytest.raises(ClusterError, match=said), tunnel.mlflow_tunnel(cluster_file):
        pass
