"""``--grpc_channel_arguments`` is read as TensorFlow Serving reads it, and held to be right."""

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
def test_numbers_are_numbers_and_all_else_is_text(text: str, arguments: dict[str, int | str]):
    assert parse_channel_arguments(text) == arguments


def test_by_default_connections_end_so_that_clients_find_new_replicas():
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
def test_what_grpc_would_ignore_or_break_at_is_rejected(text: str, reason: str):
    result = CliRunner().invoke(app, ["model-server", f"--grpc_channel_arguments={text}"])
    assert result.exit_code == 2
    assert result.stderr == f"covidscan: --grpc_channel_arguments: {reason}\n"
