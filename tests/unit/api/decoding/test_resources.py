"""CPU and memory limits from cgroups, as Docker 20.10, systemd and Kubernetes expose them."""

import os
from pathlib import Path

import pytest

from api.decoding.resources import available_cpus, available_memory_bytes

MEBIBYTE = 1024 * 1024
NO_LIMIT_V1 = "9223372036854771712"

MACHINE_CPUS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
MACHINE_BYTES = available_memory_bytes(Path("nowhere"), Path("nowhere"))
"""None on a system that does not report it."""

DOCKER_V1 = (
    "9:name=systemd:/docker/8972\n4:memory:/docker/8972\n1:cpu:/docker/8972\n0::/docker/8972"
)
DOCKER_V2 = "0::/"


@pytest.fixture
def mount(tmp_path: Path) -> Path:
    return tmp_path / "cgroup"


@pytest.fixture
def own_group(tmp_path: Path) -> Path:
    return tmp_path / "own"


def write_files(files: dict[Path, str]) -> None:
    for file, text in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n")


def write_cgroup_v1(
    folder: Path, *, memory: str = NO_LIMIT_V1, quota: str = "-1", group: str = "."
) -> None:
    write_files(
        {
            folder / "memory" / group / "memory.limit_in_bytes": memory,
            folder / "cpu" / group / "cpu.cfs_quota_us": quota,
            folder / "cpu" / group / "cpu.cfs_period_us": "100000",
        }
    )


def write_cgroup_v2(folder: Path, *, memory: str = "max", quota: str = "max") -> None:
    write_files({folder / "memory.max": memory, folder / "cpu.max": f"{quota} 100000"})


def test_without_a_cgroup_mount_the_limits_are_those_of_the_machine(mount: Path, own_group: Path):
    assert available_cpus(mount, own_group) == MACHINE_CPUS
    assert available_memory_bytes(mount, own_group) == MACHINE_BYTES


def test_cgroup_v1_limits_of_a_container_are_read_at_the_mount(mount: Path, own_group: Path):
    """The path of its group is one of the host and does not exist in the container."""
    write_files({own_group: DOCKER_V1})
    write_cgroup_v1(mount, memory=str(64 * MEBIBYTE), quota="100000")
    assert available_cpus(mount, own_group) == 1
    assert available_memory_bytes(mount, own_group) == 64 * MEBIBYTE


def test_cgroup_v2_limits_of_a_container_are_read_at_the_mount(mount: Path, own_group: Path):
    write_files({own_group: DOCKER_V2})
    write_cgroup_v2(mount, memory=str(64 * MEBIBYTE), quota="100000")
    assert available_cpus(mount, own_group) == 1
    assert available_memory_bytes(mount, own_group) == 64 * MEBIBYTE


def test_without_limits_the_whole_machine_is_available(mount: Path, own_group: Path):
    write_files({own_group: DOCKER_V1})
    write_cgroup_v1(mount)
    write_cgroup_v2(mount)
    assert available_cpus(mount, own_group) == MACHINE_CPUS
    assert available_memory_bytes(mount, own_group) == MACHINE_BYTES


def test_a_fraction_of_a_cpu_counts_as_one_cpu(mount: Path, own_group: Path):
    write_files({own_group: DOCKER_V2})
    write_cgroup_v2(mount, quota="50000")
    assert available_cpus(mount, own_group) == 1


def test_a_quota_above_the_cpus_of_the_machine_is_capped(mount: Path, own_group: Path):
    write_files({own_group: DOCKER_V1})
    write_cgroup_v1(mount, quota="100000000")
    assert available_cpus(mount, own_group) == MACHINE_CPUS


def test_a_cgroup_v1_service_is_limited_by_its_own_group(mount: Path, own_group: Path):
    """Outside a container the limits are in the group of the service, not at the mount."""
    write_files(
        {
            own_group: "5:cpu,cpuacct:/system.slice/covidscan.service\n"
            "4:memory:/system.slice/covidscan.service\n0::/system.slice/covidscan.service"
        }
    )
    write_cgroup_v1(mount)
    write_cgroup_v1(
        mount,
        memory=str(64 * MEBIBYTE),
        quota="100000",
        group="system.slice/covidscan.service",
    )
    assert available_cpus(mount, own_group) == 1
    assert available_memory_bytes(mount, own_group) == 64 * MEBIBYTE


def test_each_cgroup_v1_controller_has_its_own_group(mount: Path, own_group: Path):
    write_files({own_group: "4:memory:/small\n3:cpuset:/\n1:cpu:/"})
    write_cgroup_v1(mount)
    write_cgroup_v1(mount, memory=str(64 * MEBIBYTE), quota="100000", group="small")
    assert available_cpus(mount, own_group) == MACHINE_CPUS
    assert available_memory_bytes(mount, own_group) == 64 * MEBIBYTE


@pytest.mark.parametrize("limited", ["pod", "pod/container"])
def test_a_parent_group_limits_a_cgroup_v2_process(mount: Path, own_group: Path, limited: str):
    write_files({own_group: "0::/pod/container"})
    write_cgroup_v2(mount / "pod")
    write_cgroup_v2(mount / "pod/container")
    write_cgroup_v2(mount / limited, memory=str(64 * MEBIBYTE), quota="100000")
    assert available_cpus(mount, own_group) == 1
    assert available_memory_bytes(mount, own_group) == 64 * MEBIBYTE


def test_a_parent_group_limits_a_cgroup_v1_process(mount: Path, own_group: Path):
    write_files({own_group: "4:memory:/pod/container\n1:cpu:/pod/container"})
    write_cgroup_v1(mount, group="pod/container")
    write_cgroup_v1(mount, memory=str(64 * MEBIBYTE), quota="100000", group="pod")
    assert available_cpus(mount, own_group) == 1
    assert available_memory_bytes(mount, own_group) == 64 * MEBIBYTE


def test_a_sibling_group_does_not_limit_the_process(mount: Path, own_group: Path):
    write_files({own_group: "0::/pod/container"})
    write_cgroup_v2(mount / "pod/other", memory=str(64 * MEBIBYTE), quota="100000")
    assert available_cpus(mount, own_group) == MACHINE_CPUS
    assert available_memory_bytes(mount, own_group) == MACHINE_BYTES


def test_for_a_group_outside_the_namespace_the_limits_of_the_mount_apply(
    mount: Path, own_group: Path
):
    write_files({own_group: "0::/../other"})
    write_cgroup_v2(mount, memory=str(64 * MEBIBYTE), quota="100000")
    write_cgroup_v2(mount.parent / "other", memory=str(MEBIBYTE))
    assert available_cpus(mount, own_group) == 1
    assert available_memory_bytes(mount, own_group) == 64 * MEBIBYTE
