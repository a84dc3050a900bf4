"""Intended differences between the embedded model server and TensorFlow Serving.

A case that is not in this table must be answered as recorded. A case in this table must not: if it
is answered as recorded after all, its test fails.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    """Our answer, and why it is better."""

    status: str
    """Of a call or process; the final states of a timeline; the status of each call of a burst."""
    message: str
    """A regular expression for our message, or for the errors and answers of a timeline."""
    reason: str


_SHAPE = "has shape .* the signature takes"
_SHAPES_ARE_CHECKED = (
    "TensorFlow Serving does not compare shapes with the signature: a wrong rank aborts the whole"
    " process, and a wrong size gets an answer that does not describe the image"
)
_ABORT = Difference("INVALID_ARGUMENT", _SHAPE, _SHAPES_ARE_CHECKED)
_EMPTY = Difference(
    "INVALID_ARGUMENT",
    "no empty dimension",
    "an empty batch hangs TensorFlow Serving if batching is on, so empty batches are rejected",
)
_OTHER_SIGNATURE = Difference(
    "FAILED_PRECONDITION",
    'Serving signature key ".*" not found',
    "the engine reads only the default signature, which is the one of the contract",
)
_OTHER_METHOD = Difference(
    "UNIMPLEMENTED", "", "the gateway needs only Predict; other kinds of inference are not offered"
)
_BOUNDED = Difference(
    "RESOURCE_EXHAUSTED",
    "larger than max",
    "64 MiB is more than any batch needs; TensorFlow Serving reads 2 GiB from any client",
)
_NO_STALL = (
    "a version that fails to load and is retried does not delay other versions: TensorFlow Serving"
    " loaded nothing else for 301 s, neither of this model nor of others"
)
_NO_VARIABLES = (
    "a version without its variables is rejected and the good version stays; TensorFlow Serving"
    " makes it available and then fails every request"
)
_NOT_BLOCKED = Difference(
    "OK",
    "",
    "a model without versions is a state that health checks and GetModelStatus report; TensorFlow"
    " Serving waits for its directory for ever, and so does every later reload",
)
_INDEPENDENT = "a bad request never makes another request of its batch fail"
_STARTS = Difference(
    "listening",
    "",
    "the port opens at once and health checks answer NOT_SERVING until the models are there: you"
    " can see and repair what is missing while the other models answer",
)

DIFFERENCES: dict[str, Difference] = {
    "grpc_600MB_of_garbage": _BOUNDED,
    "grpc_classify_on_predict_signature": _OTHER_METHOD,
    "grpc_regress_on_predict_signature": _OTHER_METHOD,
    "grpc_multiinference_empty": _OTHER_METHOD,
    "grpc_health_check_off_by_default": Difference(
        "OK", "", "the health service is always on: it shows operators that a volume is empty"
    ),
    "grpc_oversized_2GiB": _BOUNDED,
    "grpc_predict_nan": Difference(
        "INVALID_ARGUMENT",
        "not finite",
        "the engine's ReLU turns a NaN into 0, so the answer would look like any other",
    ),
    "grpc_predict_op_error_batch_mismatch": Difference(
        "INVALID_ARGUMENT", "the engine failed", "the engine does not name operations of the graph"
    ),
    "onednn_off_empty_batch": _EMPTY,
    "onednn_off_shape_missing": _ABORT,
    "onednn_off_wrong_rank_1": _ABORT,
    "onednn_off_wrong_rank_3": _ABORT,
    "onednn_off_wrong_shape_channels": _ABORT,
    "grpc_predict_shape_missing": _ABORT,
    "grpc_predict_wrong_rank_1": _ABORT,
    "grpc_predict_wrong_rank_3": _ABORT,
    "grpc_predict_wrong_shape_32": _ABORT,
    "grpc_predict_wrong_shape_channels": _ABORT,
    "grpc_predict_empty_batch": _EMPTY,
    "grpc_predict_empty_batch_two": _EMPTY,
    "grpc_predict_good_scalar": _OTHER_SIGNATURE,
    "grpc_predict_good_string": _OTHER_SIGNATURE,
    "grpc_predict_init_op_signature": _OTHER_SIGNATURE,
    "life_base_path_back_v5": Difference(
        "5 AVAILABLE, 3 LOADING, 2 END, 1 END", "'OK', 5", _NO_STALL
    ),
    "life_default_flags_other_model_after_bad_version": Difference(
        "2 AVAILABLE, 1 END", "'OK', 2", _NO_STALL
    ),
    "life_file_named_like_version": Difference(
        "99 LOADING, 8 AVAILABLE, 7 END, 2 END, 1 END", "'OK', 8", _NO_STALL
    ),
    "life_status_no_variables": Difference("OK", "", _NO_VARIABLES),
    "life_version_dir_without_variables": Difference(
        "5 END, 4 END, 3 END, 1 AVAILABLE", "Variable_2` is not initialized.*'OK', 1", _NO_VARIABLES
    ),
    "life_version_wrong_tags": Difference(
        "6 END, 5 AVAILABLE, 4 END, 3 END, 1 END",
        "Could not find meta graph.*'OK', 5",
        "as recorded, except that version 5, which has no variables there, is a good version here",
    ),
    "reload_good_after_no_platform": Difference(
        "OK", "", "a rejected reload leaves nothing behind that could make the next one fail"
    ),
    "reload_missing_base_path": _NOT_BLOCKED,
    "reload_while_one_blocked": _NOT_BLOCKED,
    "reload_removed_model_status_at_once": Difference(
        "OK", "", "a reload is answered once the models that it removes are out of service"
    ),
    "batch_after_10_empty_batches_good_predict": Difference("OK", "", _EMPTY.reason),
    "batch_empty_batch_image": _EMPTY,
    "batch_empty_batch_two": _EMPTY,
    "batch_good_with_bad_channels": Difference(
        "4 channels INVALID_ARGUMENT, good OK", "", _INDEPENDENT
    ),
    "batch_good_with_wrong_dtype": Difference("good OK, int32 INVALID_ARGUMENT", "", _INDEPENDENT),
    "batch_mixed_shapes": Difference("32x32 INVALID_ARGUMENT, 64x64 OK", "", _INDEPENDENT),
    "batch_other_signature_text": _OTHER_SIGNATURE,
    "batch_pad_mixed_shapes": Difference(
        "32x32 INVALID_ARGUMENT, 64x64 OK", "", _SHAPES_ARE_CHECKED
    ),
    "batch_scalar_input": _OTHER_SIGNATURE,
    "batch_wrong_dtype": Difference(
        "INVALID_ARGUMENT",
        "Expects arg.0. to be float but int32 is provided",
        "a wrong tensor is the caller's error, with batching as without it",
    ),
    "batch_wrong_shape_32": _ABORT,
    "batch_wrong_shape_channels": _ABORT,
    "process_sigterm": Difference("exited 0", "", "calls in flight finish before the process ends"),
    "startup_broken_model": _STARTS,
    "startup_broken_model_1_retry_2s": _STARTS,
    "startup_broken_model_default_flags": _STARTS,
    "startup_empty_base_path": _STARTS,
    "startup_missing_base_path": _STARTS,
    "startup_unknown_flag": Difference(
        "exited", "No such option: --nosuchflag", "a misspelt flag is reported instead of ignored"
    ),
    "startup_bad_config_syntax": Difference(
        "exited",
        'models.config cannot be parsed: 1:30 : .* no field named "nme"',
        "the message says where the mistake is",
    ),
    "startup_config_file_empty": Difference(
        "exited", "models.config holds no model_config_list", "the message says what is missing"
    ),
    "startup_batching_bad_field": Difference(
        "exited",
        'batching parameters cannot be parsed: .* no field named "max_batch"',
        "the message says where the mistake is",
    ),
    "startup_batching_allowed_sizes_last_not_max": Difference(
        "exited",
        "Last entry in allowed_batch_sizes must match max_batch_size; last entry was 4; expected 8",
        "reported once, before any model is loaded",
    ),
}
