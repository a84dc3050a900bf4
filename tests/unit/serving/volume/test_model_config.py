"""models.config is parsed, and a configuration that cannot be served is rejected."""

from pathlib import Path

import pytest

from serving.contract import MODEL_NAMES
from serving.errors import ModelConfigError
from serving.volume import model_config
from serving.volume.model_config import (
    All,
    Latest,
    ModelConfig,
    Specific,
    VersionPolicy,
    default_model_configs,
    parse_model_configs,
    read_model_configs,
)

ENTRY = 'name: "m" base_path: "/models/m" model_platform: "tensorflow"'


def config(entry: str) -> str:
    return f"model_config_list {{ config {{ {entry} }} }}"


@pytest.mark.parametrize(
    ("more", "policy", "labels"),
    [
        ("", Latest(1), {}),
        (
            'version_labels { key: "stable" value: 3 } version_labels { key: "canary" value: 4 }',
            Latest(1),
            {"stable": 3, "canary": 4},
        ),
        ("model_version_policy { latest { num_versions: 2 } }", Latest(2), {}),
        ("model_version_policy { all {} }", All(), {}),
        (
            "model_version_policy { specific { versions: 7 versions: 1 } }",
            Specific(frozenset({1, 7})),
            {},
        ),
    ],
)
def test_an_entry_defines_a_version_policy_and_labels(
    more: str, policy: VersionPolicy, labels: dict[str, int]
):
    expected = ModelConfig("m", Path("/models/m"), policy, labels)
    assert parse_model_configs(config(f"{ENTRY} {more}")) == [expected]


def test_the_default_is_the_three_models_of_the_contract(tmp_path: Path):
    configs = default_model_configs(tmp_path)
    assert [(c.name, c.base_path) for c in configs] == [(n, tmp_path / n) for n in MODEL_NAMES]


@pytest.mark.parametrize(
    ("policy", "selected"),
    [
        (Latest(1), [9]),
        (Latest(2), [4, 9]),
        (Latest(7), [1, 4, 9]),
        (All(), [1, 4, 9]),
        (Specific(frozenset({1, 9, 5})), [1, 9]),
    ],
)
def test_a_policy_selects_versions(policy: VersionPolicy, selected: list[int]):
    assert policy.select([1, 4, 9]) == selected
    assert policy.select([]) == []


def test_an_empty_model_list_is_accepted():
    assert parse_model_configs("model_config_list {}") == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("nonsense {", "cannot be parsed"),
        (config('base_path: "/x" model_platform: "tensorflow"'), "no name"),
        (config('name: "m" base_path: "x" model_platform: "tensorflow"'), "absolute path"),
        (config('name: "m" base_path: "/x"'), "model_platform, model name is m"),
        (config('name: "m" base_path: "/x" model_platform: "onnx"'), "unsupported platform onnx"),
        (config(f"{ENTRY} }} config {{ {ENTRY}"), "list model m multiple times"),
        (config(ENTRY.replace('"m"', f'"{"m" * 256}"')), "more than 255 characters"),
        (config(f'{ENTRY} version_labels {{ key: "{"x" * 256}" value: 1 }}'), "more than 255"),
        (config(ENTRY.replace("/models/m", "/x" * 2049)), "m: base_path has more than 4096"),
        (
            config(ENTRY + f" model_version_policy {{ specific {{ {'versions: 1 ' * 1025} }} }}"),
            "m names more than 1024 versions",
        ),
        (
            "model_config_list { config {} config {} config {} config {} config {} }",
            "5 models are more than the 4 that can be served",
        ),
        ("", "no model_config_list"),
    ],
)
def test_an_invalid_configuration_is_rejected_with_the_reason(
    text: str, reason: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(model_config, "MAX_MODELS", 4)
    with pytest.raises(ModelConfigError, match=reason):
        parse_model_configs(text)


@pytest.mark.parametrize(
    "path",
    [
        "/proc/self/fd",
        "/proc",
        "/dev",
        "/dev/fd",
        "/sys/x",
        "//proc/1/fd",
        "/models/../proc/self/fd",
    ],
)
def test_a_base_path_in_a_kernel_file_system_is_rejected(path: str):
    with pytest.raises(ModelConfigError, match="models cannot be in /proc, /sys, /dev"):
        parse_model_configs(config(ENTRY.replace("/models/m", path)))


@pytest.mark.parametrize("path", ["/processed", "/dev/shm/m", "/srv/dev", "/srv/proc/self"])  # noqa: S108
def test_a_base_path_that_only_resembles_a_kernel_file_system_is_accepted(path: str):
    (entry,) = parse_model_configs(config(ENTRY.replace("/models/m", path)))
    assert entry.base_path == Path(path)


def test_an_unreadable_file_raises_a_model_config_error(tmp_path: Path):
    with pytest.raises(ModelConfigError, match="cannot be read"):
        read_model_configs(tmp_path / "models.config")
