"""API keys and their records: a record verifies a key without revealing it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.http.access.api_keys import (
    ApiKeyRecord,
    ApiKeysError,
    create_key,
    find_record,
    parse_records,
)


def test_a_key_matches_only_its_own_record():
    (first, first_record), (second, second_record) = create_key("pacs"), create_key("ris")
    records = [first_record, second_record]
    assert find_record(records, first) is first_record
    assert find_record(records, second) is second_record
    assert find_record([second_record], first) is None


def test_a_record_holds_the_id_and_the_name_but_not_the_secret():
    key, record = create_key("pacs")
    prefix, identity, secret = key.split("_", 2)
    assert (prefix, identity, record.name) == ("covidscan", record.id, "pacs")
    assert len(secret) == 43
    assert secret not in str(record)


def test_a_written_record_parses_to_an_equal_record():
    _, record = create_key("a.b-c_d")
    assert ApiKeyRecord.parse(str(record)) == record
    assert parse_records(f"{record}\n") == [record]


def test_a_key_with_the_secret_of_another_key_is_rejected():
    (first, first_record), (second, second_record) = create_key("a"), create_key("b")
    swapped = f"covidscan_{first_record.id}_{second.split('_', 2)[2]}"
    assert find_record([first_record, second_record], swapped) is None
    assert find_record([first_record], f"{first}x") is None
    assert find_record([first_record], first[:-1]) is None


@given(st.text(max_size=200))
def test_other_text_and_parts_of_the_record_match_no_record(text: str):
    record = create_key("a")[1]
    assert find_record([record], text) is None
    assert find_record([record], str(record)) is None
    assert find_record([record], record.sha256) is None


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a" * 65, "ä", "a\n"])
def test_a_name_that_would_break_the_record_is_rejected(name: str):
    with pytest.raises(ApiKeysError, match="name"):
        create_key(name)


@pytest.mark.parametrize("text", ["x", "a:b", "00000000:a:beef", "0000000g:a:" + "0" * 64])
def test_a_malformed_record_is_rejected_and_not_quoted(text: str):
    with pytest.raises(ApiKeysError) as rejected:
        parse_records(text)
    assert text not in str(rejected.value)


def test_two_records_with_the_same_id_are_rejected():
    _, record = create_key("a")
    with pytest.raises(ApiKeysError, match="same id"):
        parse_records(f"{record} {record}")
