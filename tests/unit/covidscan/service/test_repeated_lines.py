"""Repeated warnings are logged once a second."""

import logging

from covidscan.service.repeated_lines import RepeatedLinesFilter


def record(message: str, *, level: int = logging.WARNING, name: str = "x") -> logging.LogRecord:
    return logging.LogRecord(name, level, __file__, 1, message, (), None)


def test_a_repeated_warning_is_logged_once_a_second_with_the_suppressed_count():
    now = 0.0
    lines = RepeatedLinesFilter(lambda: now)
    assert lines.filter(record("a"))
    assert not any(lines.filter(record("a")) for _ in range(1000))
    assert lines.filter(record("b"))
    assert lines.filter(record("a", name="y"))
    assert all(lines.filter(record("a", level=logging.INFO)) for _ in range(3))
    now = 1.0
    again = record("a")
    assert lines.filter(again)
    assert again.__dict__["suppressed"] == 1000
    now = 2.0
    last = record("a")
    assert lines.filter(last)
    assert "suppressed" not in last.__dict__


def test_the_filter_remembers_at_most_256_messages():
    lines = RepeatedLinesFilter(lambda: 0.0)
    for number in range(2000):
        lines.filter(record(f"client sent {number}"))
    assert len(lines._kinds) <= 256
