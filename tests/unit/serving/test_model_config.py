"""models.config: what we write we read, and what cannot be served is refused with its reason."""

from pathlib import Path

import pytest

from serving.contract import MODEL_NAMES
from serving.errors import ModelConfigError
from serving.model_config import (
    ModelConfig,
    default_model_configs,
    format_model_configs,
    parse_model_configs,
    read_model_configs,
)

ENTRY = 'name: "m" base_path: "/models/m" model_platform: "tensorflow"'


def config(entry: str) -> str:
    return f"model_config_list {{ config {{ {entry} }} }}"


def test_what_is_written_is_read_back():
    configs = [ModelConfig("a", Path("/x/a")), ModelConfig("b", Path("/x/b"), num_versions=2)]
    assert parse_model_configs(format_model_configs(configs)) == configs


def test_the_default_is_the_three_models_of_the_contract(tmp_path: Path):
    configs = default_model_configs(tmp_path)
    assert [(c.name, c.base_path) for c in configs] == [(n, tmp_path / n) for n in MODEL_NAMES]


def test_one_version_is_served_where_no_policy_is_given():
    assert parse_model_configs(config(ENTRY))[0].num_versions == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("nonsense {", "cannot be parsed"),
        (config('base_path: "/x" model_platform: "tensorflow"'), "no name"),
        (config('name: "m" base_path: "x" model_platform: "tensorflow"'), "absolute path"),
        (config('name: "m" base_path: "/x"'), "model_platform"),
        (config(f"{ENTRY} model_version_policy {{ all {{}} }}"), "version policies"),
        (config(f"{ENTRY} }} config {{ {ENTRY}"), "more than once: m"),
    ],
)
def test_what_cannot_be_served_is_refused(text: str, reason: str):
    with pytest.raises(ModelConfigError, match=reason):
        parse_model_configs(text)


def test_a_file_that_cannot_be_read_is_an_error_of_ours(tmp_path: Path):
    with pytest.raises(ModelConfigError, match="cannot be read"):
        read_model_configs(tmp_path / "models.config")
