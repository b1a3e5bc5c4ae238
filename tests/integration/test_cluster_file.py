"""cluster.yaml by Ray's own schema, and what it promises: only ssh is open, tokens everywhere, no trial on the head."""

import copy
import json
import re
import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import ValidationError
from ray.autoscaler._private.loader import load_function_or_class
from ray.autoscaler._private.node_provider_availability_tracker import (
    NodeAvailabilitySummary,
    NodeProviderAvailabilityTracker,
)
from ray.autoscaler._private.resource_demand_scheduler import get_nodes_for
from ray.autoscaler._private.util import prepare_config, validate_config
from ray.autoscaler.node_launch_exception import NodeLaunchException

from mgcl.cli.status import refusals as refusal_lines
from mgcl.cluster.capacity import refusals
from mgcl.sweep.prices import rented as rented_machines
from mgcl.tracking.parent import Progress
from tests.integration.cluster_drill import HEAD, WORKER, local_variant, marked_block

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "cluster.yaml").read_text()
CONFIG: dict[str, Any] = yaml.safe_load(TEXT)
HEAD_STARTS = " ".join(CONFIG["head_start_ray_commands"])
KINDS = tuple(each for each in CONFIG["available_node_types"] if each != "head")
WORKER_STARTS = " ".join(CONFIG["worker_start_ray_commands"])


def accept(config: dict[str, Any]) -> None:
    validate_config(prepare_config(config))


def test_ray_accepts_it() -> None:
    accept(copy.deepcopy(CONFIG))


def test_ray_accepts_it_with_the_marked_block_replaced() -> None:
    local = local_variant(TEXT, Path("key"), Path("venv"))
    accept(local)
    assert local["provider"] == {"type": "local", "head_ip": HEAD, "worker_ips": [WORKER]}
    same = "file_mounts", "head_start_ray_commands", "worker_start_ray_commands", "idle_timeout_minutes"
    assert all(local[name] == CONFIG[name] for name in same)
    assert local["setup_commands"][:-1] == [each for each in CONFIG["setup_commands"] if "/uv" not in each]


@pytest.mark.parametrize("place", [(), ("auth",), ("available_node_types", "gpu-1-l4")])
def test_ray_refuses_a_misspelt_key(place: tuple[str, ...]) -> None:
    config = copy.deepcopy(CONFIG)
    inner = config
    for name in place:
        inner = inner[name]
    inner["idle_timeout_minute"] = 5
    with pytest.raises(ValidationError, match="idle_timeout_minute"):
        accept(config)


def test_one_clouds_words_stand_in_the_marked_block() -> None:
    block = yaml.safe_load(marked_block(TEXT))
    assert set(block) == {
        "provider", "auth", "available_node_types", "head_node_type", "initialization_commands", "head_setup_commands",
    }  # fmt: skip
    elsewhere = str({name: value for name, value in CONFIG.items() if name not in block})
    assert not re.search("aws|ec2|amazon|efs|s3|boto", elsewhere, re.IGNORECASE)


@dataclass(frozen=True)
class Rented:
    """What Ray's own launcher asks AWS for: a stand-in of AWS, in this process."""

    rules: list[Any]
    machines: list[Any]


@pytest.fixture(scope="module")
def rented(tmp_path_factory: pytest.TempPathFactory) -> Rented:
    """One machine of each type."""
    import boto3  # both take a second to import
    import moto

    with (
        pytest.MonkeyPatch.context() as patch,
        moto.mock_aws(config={"iam": {"load_aws_managed_policies": True}}),
    ):
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))  # Ray keeps the key pair in ~/.ssh
        patch.setattr(time, "sleep", lambda _: None)  # it waits for AWS to notice
        from ray.autoscaler._private.aws.config import bootstrap_aws
        from ray.autoscaler._private.aws.node_provider import AWSNodeProvider

        ec2 = boto3.client("ec2", region_name=CONFIG["provider"]["region"])
        image = ec2.describe_images()["Images"][0]["ImageId"]
        config = prepare_config(yaml.safe_load(TEXT.replace("ami-FILL-IN", image)))
        config = bootstrap_aws(AWSNodeProvider.fillout_available_node_types_resources(config))
        provider = AWSNodeProvider(config["provider"], config["cluster_name"])
        for name, kind in (("head", "head"), *((each, "worker") for each in KINDS)):
            tags = {"ray-node-type": kind, "ray-node-name": name, "ray-user-node-type": name}
            provider.create_node(config["available_node_types"][name]["node_config"], tags, 1)
        groups = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["mgcl"]}])["SecurityGroups"]
        reservations = ec2.describe_instances()["Reservations"]
    return Rented(groups[0]["IpPermissions"], [machine for each in reservations for machine in each["Instances"]])


def test_nothing_is_open_but_ssh(rented: Rented) -> None:
    assert [(rule["FromPort"], rule["ToPort"]) for rule in rented.rules if rule["IpRanges"]] == [(22, 22)]
    assert re.findall(r"--(?:dashboard-)?host[= ](\S+)", HEAD_STARTS) == ["127.0.0.1", "127.0.0.1"]
    assert "host" not in WORKER_STARTS


def test_gpus_are_on_spot_but_for_the_last_kind_and_every_machine_is_in_the_group(rented: Rented) -> None:
    lifecycles = [(machine["InstanceType"], machine.get("InstanceLifecycle")) for machine in rented.machines]
    assert lifecycles == [("m6i.large", None), ("g6.xlarge", "spot"), ("g5.xlarge", "spot"), ("g6.xlarge", None)]
    for machine in rented.machines:
        assert [group["GroupName"] for group in machine["SecurityGroups"]] == ["mgcl"]
        assert all(disk["Ebs"]["DeleteOnTermination"] for disk in machine["BlockDeviceMappings"])


def test_the_mlflow_server_keeps_everything_on_shared_storage() -> None:
    server = next(each for each in CONFIG["head_start_ray_commands"] if "mlflow server" in each)
    assert "--host 127.0.0.1 --port 5000" in server
    assert "sqlite:////mnt/mgcl/mlflow.db" in server
    assert "--artifacts-destination /mnt/mgcl/artifacts" in server
    assert ">> /mnt/mgcl/mlflow.log" in server
    assert any("/mnt/mgcl" in each and "mount -t nfs4" in each for each in CONFIG["initialization_commands"])


def test_every_process_asks_for_the_token() -> None:
    """One file, which every shell of every machine reads; nothing sets the mode a second time."""
    environment = next(each for each in CONFIG["setup_commands"] if "cat > ~/.mgcl.sh" in each)
    assert "export RAY_AUTH_MODE=token\n" in environment
    assert "echo '. ~/.mgcl.sh' >> ~/.bashrc" in environment
    assert TEXT.count("RAY_AUTH_MODE") == 1
    place = "~/.ray/auth_token"
    assert CONFIG["file_mounts"][place] == place
    assert HEAD_STARTS.count("ray start") == WORKER_STARTS.count("ray start") == 1


def test_trials_run_on_rented_gpus_alone() -> None:
    types = CONFIG["available_node_types"]
    assert types[CONFIG["head_node_type"]]["resources"] == {"CPU": 0, "GPU": 0}
    assert "--num-cpus=0" in HEAD_STARTS
    for kind in KINDS:
        workers = prepare_config(copy.deepcopy(CONFIG))["available_node_types"][kind]
        assert (workers["min_workers"], workers["max_workers"]) == (0, CONFIG["max_workers"])
    assert CONFIG["idle_timeout_minutes"] == 5


def test_what_it_costs_stands_at_the_top_and_adds_up() -> None:
    machines = rented_machines(ROOT / "cluster.yaml")
    text = re.search(r"dearest worker: (.+?) \+ (\d+) x (.+?) = (.+?)\. ", TEXT)
    head, most, dearest, all_of_it = map(float, text.groups())
    assert (head, most, dearest) == (machines.head, machines.most, max(machines.workers.values()))
    assert all_of_it == pytest.approx(head + most * dearest)
    assert set(machines.workers) == set(KINDS)


def refusing(*kinds: str) -> NodeAvailabilitySummary:
    """Ray's own record of a cloud that has none of some kinds."""
    tracker = NodeProviderAvailabilityTracker()
    for kind in kinds:
        why = NodeLaunchException("InsufficientInstanceCapacity", f"no\n  {kind} today", None)
        tracker.update_node_availability(kind, int(time.time()), why)
    return tracker.summary()


@pytest.mark.parametrize(
    "refused, rented",
    [
        ((), {"gpu-3-spot-l4": 3}),
        (("gpu-3-spot-l4",), {"gpu-2-spot-a10g": 3}),
        (("gpu-3-spot-l4", "gpu-2-spot-a10g"), {"gpu-1-l4": 3}),
        (KINDS, {"gpu-3-spot-l4": 3}),
    ],
)
def test_the_next_kind_is_rented_where_one_is_refused(refused: tuple[str, ...], rented: dict[str, int]) -> None:
    """By Ray's own planning, with the scorer that the file names: twelve trials on a quarter of a GPU each."""
    (named,) = re.findall(r"RAY_AUTOSCALER_UTILIZATION_SCORER=([\w.]+);", HEAD_STARTS)
    scorer = partial(load_function_or_class(named), node_availability_summary=refusing(*refused))
    types = prepare_config(copy.deepcopy(CONFIG))["available_node_types"]
    waiting = [{"CPU": 1, "GPU": 0.25}] * 12
    assert get_nodes_for(types, {}, "head", CONFIG["max_workers"], waiting, scorer) == (rented, [])
    assert get_nodes_for(types, {}, "head", 4, [{"CPU": 1, "GPU": 2.0}], scorer) == ({}, [{"CPU": 1, "GPU": 2.0}])


def test_a_refusal_is_told_in_the_clouds_words() -> None:
    report = {"node_availability_summary": asdict(refusing("gpu-1-l4"))}
    told = refusals(json.dumps({"time": 1.0, "autoscaler_report": report}).encode())
    assert told == ("gpu-1-l4: InsufficientInstanceCapacity (no gpu-1-l4 today)",)
    progress = Progress([], "head", 0.0, 1.0, (), lacking=told)
    assert refusal_lines(progress) == [f"workers wait for machines, and the cloud refuses {told[0]}"]
    assert refusals(None) == refusals(b"{}") == ()


def test_its_page_uses_what_is_there() -> None:
    page = (ROOT / "docs" / "cluster.md").read_text()
    assert set(re.findall(r"/mnt/\w+", page)) == set(re.findall(r"MGCL_HOME=(\S+)", TEXT))
    assert set(re.findall(r"ray attach cluster\.yaml -p (\d+)", page)) == set(re.findall(r"--port (\d+)", HEAD_STARTS))
    assert "~/mgcl/sweeps/full_grid.py" in page
    assert any(command.endswith(" ~/mgcl.git ~/mgcl") for command in CONFIG["setup_commands"])
