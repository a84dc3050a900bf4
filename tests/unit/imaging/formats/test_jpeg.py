"""JPEG files are decoded once, with the pixels of OpenCV, which applies the EXIF orientation."""

import numpy as np
import pytest
from PIL import Image

from imaging.decode import decode_image
from imaging.errors import DamagedImageError
from tests.image_files import exif, saved

NOISE = np.random.default_rng(0).integers(0, 60, (61, 83, 3), np.uint8)
GRADIENT = np.indices((61, 83)).sum(axis=0)[..., None].astype(np.uint8)
PICTURE = Image.fromarray(NOISE + GRADIENT)

PICTURES = {
    "rgb": PICTURE,
    "grey": PICTURE.convert("L"),
    "cmyk": PICTURE.convert("CMYK"),
    "one pixel": PICTURE.crop((0, 0, 1, 1)),
}


def test_unusual_subsampling_is_named():
    with pytest.raises(DamagedImageError, match="unsupported subsampling"):
        decode_image(saved(PICTURES["cmyk"], "JPEG", subsampling=2))


@pytest.mark.parametrize(
    ("picture", "subsampling"),
    [
        (name, subsampling)
        for name in PICTURES
        for subsampling in ((0,) if name == "cmyk" else (0, 1, 2))
    ],
)
@pytest.mark.parametrize("quality", [30, 95])
@pytest.mark.parametrize(
    "options",
    [{}, {"progressive": True}, {"restart_marker_blocks": 3}],
    ids=["sequential", "progressive", "restarts"],
)
def test_pixels_are_the_same_with_and_without_exif(
    picture: str, quality: int, subsampling: int, options: dict[str, object]
):
    def pixels(**more: object) -> np.ndarray:
        data = saved(
            PICTURES[picture],
            "JPEG",
            quality=quality,
            subsampling=subsampling,
            **options,
            **more,
        )
        return decode_image(data).pixels

    # With EXIF, OpenCV decodes; orientation 1 leaves the pixels where they are.
    np.testing.assert_array_equal(pixels(), pixels(exif=b"Exif\0\0" + exif(1)))
