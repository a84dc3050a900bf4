"""File names are made readable and unique, and system files are recognised by name."""

import json

import pytest

from system.names import UniqueNames, is_system_file, readable_name


@pytest.mark.parametrize(
    ("name", "readable"),
    [
        ("Covid (12).png", "Covid (12).png"),
        ("Müller/肺.png", "Müller/肺.png"),
        ("[bold]x[/].png", "[bold]x[/].png"),
        ("a\\b.png", "a\\b.png"),
        (b"caf\xe9.png", r"caf\xe9.png"),
        (b"caf\xe9.png".decode("utf-8", "surrogateescape"), r"caf\xe9.png"),
        ("caf\ud800.png", r"caf\xed\xa0\x80.png"),
        ("a\nb\x1b[31m\x00.png", r"a\x0ab\x1b[31m\x00.png"),
        ("a\u2028\u202egnp.exe", r"a\u2028\u202egnp.exe"),
    ],
)
def test_a_readable_name_is_valid_unicode_on_one_line(name: str | bytes, readable: str):
    assert readable_name(name) == readable
    assert readable_name(readable) == readable
    assert len(readable.encode().decode().splitlines()) == 1
    json.dumps(readable, ensure_ascii=False).encode()


def test_names_whose_readable_form_is_taken_get_a_number():
    names = UniqueNames()
    given = ["a.png", "a.png", "a.png#2", "a.png", b"\xe9", r"\xe9"]
    unique = ["a.png", "a.png#2", "a.png#2#2", "a.png#3", r"\xe9", r"\xe9#2"]
    assert [names.add(name) for name in given] == unique


@pytest.mark.parametrize(
    ("name", "system"),
    [
        (".DS_Store", True),
        ("study/.DS_Store", True),
        ("__MACOSX/study/._a.png", True),
        ("__MACOSX\\a.png", True),
        ("study/Thumbs.db", True),
        ("study/THUMBS.DB", True),
        (".ipynb_checkpoints/a-checkpoint.png", True),
        ("./a.png", False),
        ("../a.png", False),
        ("/abs/a.png", False),
        ("study/a.png", False),
        ("MACOSX/a.b.png", False),
    ],
)
def test_system_files_are_recognised_by_any_part_of_their_path(name: str, system: bool):
    assert is_system_file(name) is system
