"""What the recordings `life_*` and `policy_*` leave out: actions, options and initial states."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tests.conformance.recording import recordings
from tests.conformance.served_model import ServedModel, State
from tests.service_process import wait_until

RECORDED_BASE_PATH = r"/life\w*/\w+"

RECORDINGS = recordings("life_", "policy_")

MINUTE = 60.0


@dataclass(frozen=True)
class Case:
    """What was done while a case was recorded, and with which options of the server."""

    act: Callable[[ServedModel], None] = lambda _model: None
    before: Sequence[State] | None = None
    """The initial states, if they are not in the recording."""
    latest: int = 1
    retries: int = 5
    retry_seconds: float = MINUTE
    beside_a_broken_model: bool = False


def slow_copy(model: ServedModel) -> None:
    (model.base_path / "2").mkdir()
    time.sleep(0.5)
    model.repair(2)


def broken_then_good(model: ServedModel) -> None:
    model.add(3, "unparsable")
    wait_until(lambda: model.states()[0][:2] == (3, "LOADING"))
    model.add(4)


def several(*actions: Callable[[ServedModel], None]) -> Callable[[ServedModel], None]:
    return lambda model: [action(model) for action in actions] and None


QUICK = Case(retries=1, retry_seconds=0.1)
VERSION_3_BROKEN: list[State] = [(3, "END", 15, "Can't parse"), (1, "AVAILABLE", 0, "")]
NEWER_AVAILABLE: list[State] = [(2, "AVAILABLE", 0, ""), (1, "END", 0, "")]

CASES = {
    "life_all_versions_removed": Case(ServedModel.remove_all),
    "life_base_path_back_v5": Case(lambda m: m.add(5)),
    "life_base_path_back_v8": Case(several(lambda m: m.base_path.rmdir(), lambda m: m.add(8))),
    "life_base_path_removed": Case(lambda m: m.base_path.rmdir()),
    "life_broken_after_retries_other_status": Case(),
    "life_broken_after_retries_status": QUICK,
    "life_broken_new_version": Case(lambda m: m.add(3, "unparsable")),
    "life_broken_new_version_1_retry": replace(QUICK, act=lambda m: m.add(3, "unparsable")),
    "life_broken_version_default_retries_5min": Case(broken_then_good, retry_seconds=0.2),
    "life_broken_version_fixed_in_place": replace(QUICK, act=lambda m: m.repair(3)),
    "life_broken_version_readded_good": replace(
        QUICK, act=several(lambda m: m.remove(3), lambda m: m.add(3))
    ),
    "life_broken_version_removed": Case(lambda m: m.remove(3)),
    "life_broken_version_removed_and_readded": replace(QUICK, act=lambda m: m.remove(3)),
    "life_default_flags_other_model_after_bad_version": Case(
        lambda m: m.add(2), beside_a_broken_model=True
    ),
    "life_empty_version_dir": replace(QUICK, act=lambda m: m.add(4, "empty")),
    "life_file_named_like_version": Case(lambda m: m.add(99, "plain file")),
    "life_load_threads2_broken": Case(lambda m: m.add(3, "unparsable")),
    "life_load_threads2_broken_b": Case(lambda m: m.add(3, "unparsable")),
    "life_load_threads2_broken_removed": Case(lambda m: m.remove(3)),
    "life_load_threads2_broken_removed_b": Case(lambda m: m.remove(3)),
    "life_load_threads2_good_v4": Case(lambda m: m.add(4)),
    "life_load_threads2_next_number": Case(lambda m: m.add(4)),
    "life_load_threads2_other_model": Case(lambda m: m.add(2), beside_a_broken_model=True),
    "life_load_threads2_same_number_fixed": Case(lambda m: m.repair(3)),
    "life_lower_version_added": Case(lambda m: m.add(4)),
    "life_multi_new_versions_at_once": Case(several(lambda m: m.add(3), lambda m: m.add(2))),
    "life_new_version": Case(lambda m: m.add(2)),
    "life_nonnumeric_and_tmp_dirs": Case(
        several(lambda m: m.add("tmp-9"), lambda m: m.add("v9"), lambda m: m.add(".9"))
    ),
    "life_policy_latest2_new_version": Case(lambda m: m.add(4), latest=2),
    "life_predict_broken_version": replace(QUICK, before=VERSION_3_BROKEN),
    "life_predict_unloaded_version": Case(before=NEWER_AVAILABLE),
    "life_slow_copy_retry_1s": Case(slow_copy, retry_seconds=0.2),
    "life_status_broken_version": QUICK,
    "life_status_broken_version_only": replace(QUICK, before=VERSION_3_BROKEN),
    "life_status_empty_version_dir": QUICK,
    "life_status_no_variables": replace(
        QUICK, before=[(5, "END", 3, "Variable is not initialized"), (1, "AVAILABLE", 0, "")]
    ),
    "life_status_unloaded_version": Case(before=NEWER_AVAILABLE),
    "life_status_wrong_tags": replace(
        QUICK, before=[(6, "END", 5, "Could not find meta graph"), (1, "AVAILABLE", 0, "")]
    ),
    "life_version_dir_without_variables": replace(QUICK, act=lambda m: m.add(5, "no variables")),
    "life_version_removed": Case(lambda m: m.remove(2)),
    "life_version_wrong_tags": replace(QUICK, act=lambda m: m.add(6, "wrong tags")),
    "policy_latest2_status": Case(latest=2),
}
