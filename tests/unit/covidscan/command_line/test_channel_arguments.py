"""``--grpc_channel_arguments`` is parsed as in TensorFlow Serving, but also validated."""

import pytest
from typer.testing import CliRunner

from covidscan.command_line.channel_arguments import BOUNDED_AGE, parse_channel_arguments
from covidscan.main import app


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("", {}),
        ("grpc.max_connection_age_ms=2000", {"grpc.max_connection_age_ms": 2000}),
        ("grpc.a=-1,grpc.b=text,", {"grpc.a": -1, "grpc.b": "text"}),
        ("grpc.a=1_000", {"grpc.a": "1_000"}),
        ("grpc.a=b=c", {"grpc.a": "b=c"}),
    ],
)
def test_integers_become_int_and_every_other_value_is_text(
    text: str, arguments: dict[str, int | str]
):
    assert parse_channel_arguments(text) == arguments


def test_the_default_limits_the_age_of_connections():
    arguments = parse_channel_arguments(BOUNDED_AGE)
    assert set(arguments) == {"grpc.max_connection_age_ms", "grpc.max_connection_age_grace_ms"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("grpc.a", "'grpc.a' is not name=value"),
        ("=1", "'=1' is not name=value"),
        ("grpc.a=", "'grpc.a=' is not name=value"),
        ("grpc.a=1,grpc.a=2", "grpc.a is given twice"),
        ("grpc.a=2147483648", "2147483648 is larger than 2147483647"),
    ],
)
def test_arguments_that_grpc_ignores_or_fails_at_are_rejected(text: str, reason: str):
    result = CliRunner().invoke(app, ["model-server", f"--grpc_channel_arguments={text}"])
    assert result.exit_code == 2
    assert result.stderr == f"covidscan: --grpc_channel_arguments: {reason}\n"
