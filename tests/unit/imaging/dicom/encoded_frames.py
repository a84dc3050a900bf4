"""Pixels and their encoded frames, for the tests of DICOM frames."""

import io

import numpy as np
import pydicom
from pydicom import uid
from pydicom.encaps import get_frame

from tests.dicom_files import COMPRESSIONS, ct_pixels, make_dicom

LOSSY = {uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLSNearLossless, uid.JPEG2000}
CODESTREAMS = [syntax for syntax in COMPRESSIONS if syntax != uid.RLELossless]
TWELVE_BITS = (ct_pixels() + 1024).clip(0, 4095).astype(np.uint16)
EIGHT_BITS = (TWELVE_BITS // 16).astype(np.uint8)


def encoded(pixels: np.ndarray, syntax: uid.UID) -> bytes:
    whole = pydicom.dcmread(io.BytesIO(make_dicom(pixels, Modality="CR", syntax=syntax)))
    return get_frame(whole.PixelData, 0, number_of_frames=1)


def pixels_for(syntax: uid.UID) -> np.ndarray:
    return EIGHT_BITS if syntax == uid.JPEGBaseline8Bit else TWELVE_BITS
