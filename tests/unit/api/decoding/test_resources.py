"""The folders are as Docker 20.10, systemd and Kubernetes show them to a process."""

import os
from pathlib import Path

import pytest

from api.decoding.resources import available_cpus, available_memory_bytes

MEBIBYTE = 1024 * 1024
NO_LIMIT_V1 = "9223372036854771712"

MACHINE_CPUS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
MACHINE_BYTES = available_memory_bytes(Path("nowhere"), Path("nowhere"))
"""None on a system that does not say."""

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


def write(files: dict[Path, str]) -> None:
    for file, text in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n")


def version_1(
    folder: Path, *, memory: str = NO_LIMIT_V1, quota: str = "-1", below: str = "."
) -> None:
    write(
        {
            folder / "memory" / below / "memory.limit_in_bytes": memory,
            folder / "cpu" / below / "cpu.cfs_quota_us": quota,
            folder / "cpu" / below / "cpu.cfs_period_us": "100000",
        }
    )


def version_2(folder: Path, *, memory: str = "max", quota: str = "max") -> None:
    write({folder / "memory.max": memory, folder / "cpu.max": f"{quota} 100000"})


def test_where_nothing_is_mounted_it_is_the_machine(mount: Path, own_group: Path):
    assert available_cpus(mount, own_group) == MACHINE_CPUS
    assert available_memory_bytes(mount, own_group) == MACHINE_BYTES


def test_a_container_of_version_1_has_its_limits_at_the_mount(mount: Path, own_group: Path):
    """The path of its group is the host's, and not there."""
    write({own_group: DOCKER_V1})
    version_1(mount, memory=str(64 * MEBIBYTE), quota="100000")
    assert available_cpus(mount, own_group) == 1
    assert available_memory_bytes(mount, own_group) == 64 * MEBIBYTE


def test_a_container_of_version_2_has_its_limits_at_the_mount(mount: Path, own_group: Path):
    write({own_group: DOCKER_V2})
    version_2(mount, memory=str(64 * MEBIBYTE), quota="100000")
    assert available_cpus(mount, own_group) == 1
    assert available_memory_bytes(mount, own_group) == 64 * MEBIBYTE


def test_no_limit_is_none(mount: Path, own_group: Path):
    write({own_group: DOCKER_V1})
    version_1(mount)
    version_2(mount)
    assert available_cpus(mount, own_group) == MACHINE_CPUS
    assert available_memory_bytes(mount, own_group) == MACHINE_BYTES


def test_a_part_of_a_cpu_is_one(mount: Path, own_group: Path):
    write({own_group: DOCKER_V2})
    version_2(mount, quota="50000")
    assert available_cpus(mount, own_group) == 1


def test_a_quota_above_the_machine_adds_no_cpu(mount: Path, own_group: Path):
    write({own_group: DOCKER_V1})
    version_1(mount, quota="100000000")
    assert available_cpus(mount, own_group) == MACHINE_CPUS


def test_a_service_of_version_1_is_held_to_its_own_group(mount: Path, own_group: Path):
    """Outside a container the mount is the whole machine's, whatever the group may use."""
    write(
        {
            own_group: "5:cpu,cpuacct:/system.slice/covidscan.service\n"
            "4:memory:/system.slice/covidscan.service\n0::/system.slice/covidscan.service"
        }
    )
    version_1(mount)
    version_1(
        mount,
        memory=str(64 * MEBIBYTE),
        quota="100000",
        below="system.slice/covidscan.service",
    )
    assert available_cpus(mount, own_group) == 1
    assert available_memory_bytes(mount, own_group) == 64 * MEBIBYTE


def test_each_controller_of_version_1_has_a_group_of_its_own(mount: Path, own_group: Path):
    write({own_group: "4:memory:/small\n3:cpuset:/\n1:cpu:/"})
    version_1(mount)
    version_1(mount, memory=str(64 * MEBIBYTE), quota="100000", below="small")
    assert available_cpus(mount, own_group) == MACHINE_CPUS
    assert available_memory_bytes(mount, own_group) == 64 * MEBIBYTE


@pytest.mark.parametrize("limited", ["pod", "pod/container"])
def test_the_groups_above_limit_it_too(mount: Path, own_group: Path, limited: str):
    write({own_group: "0::/pod/container"})
    version_2(mount / "pod")
    version_2(mount / "pod/container")
    version_2(mount / limited, memory=str(64 * MEBIBYTE), quota="100000")
    assert available_cpus(mount, own_group) == 1
    assert available_memory_bytes(mount, own_group) == 64 * MEBIBYTE


def test_a_group_above_limits_it_in_version_1_too(mount: Path, own_group: Path):
    write({own_group: "4:memory:/pod/container\n1:cpu:/pod/container"})
    version_1(mount, below="pod/container")
    version_1(mount, memory=str(64 * MEBIBYTE), quota="100000", below="pod")
    assert available_cpus(mount, own_group) == 1
    assert available_memory_bytes(mount, own_group) == 64 * MEBIBYTE


def test_a_neighbours_group_does_not_limit_it(mount: Path, own_group: Path):
    write({own_group: "0::/pod/container"})
    version_2(mount / "pod/other", memory=str(64 * MEBIBYTE), quota="100000")
    assert available_cpus(mount, own_group) == MACHINE_CPUS
    assert available_memory_bytes(mount, own_group) == MACHINE_BYTES


def test_a_group_outside_the_namespace_leaves_the_mount(mount: Path, own_group: Path):
    write({own_group: "0::/../other"})
    version_2(mount, memory=str(64 * MEBIBYTE), quota="100000")
    version_2(mount.parent / "other", memory=str(MEBIBYTE))
    assert available_cpus(mount, own_group) == 1
    assert available_memory_bytes(mount, own_group) == 64 * MEBIBYTE
