"""What a decoder process reports of an unexpected error."""

import cv2
import pytest

from api.decoding.worker import place_of
from imaging.preprocess import preprocess


def test_an_error_in_a_decoder_is_located_in_the_innermost_module_of_ours():
    with pytest.raises(cv2.error) as raised:
        preprocess(None)  # type: ignore[arg-type]
    assert place_of(raised.value).startswith("imaging.preprocess:")
