"""Hostile files, each with the statuses that may be the response."""

import io
import struct
import zipfile
import zlib

import numpy as np
from PIL import Image, PngImagePlugin


def drawing(height: int = 48, width: int = 64) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 4 % 256, y * 5 % 256, (x * y) % 256], -1).astype(np.uint8)


def saved(image: Image.Image, form: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def _png(width: int, height: int, idat: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", idat), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in parts
    )


def _zeros(megabytes: int) -> bytes:
    """Zeros, compressed to a thousandth of their size."""
    compressor = zlib.compressobj(9)
    return (
        b"".join(compressor.compress(bytes(1_000_000)) for _ in range(megabytes))
        + compressor.flush()
    )


def _bmp(width: int, height: int) -> bytes:
    header = struct.pack("<IHHIIiiHHII", 58, 0, 0, 54, 40, width, height, 1, 24, 0, 0)
    return b"BM" + header + bytes(200)


def _zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", bytes(1_000_000))
    return out.getvalue()


def _tiff_with_circular_directory() -> bytes:
    entries = [(256, 4, 1, 8), (257, 4, 1, 8), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
    entries += [(273, 4, 1, 200), (277, 3, 1, 1), (278, 4, 1, 8), (279, 4, 1, 64)]
    directory = struct.pack("<H", len(entries))
    directory += b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return (b"II*\0" + struct.pack("<I", 8) + directory + struct.pack("<I", 8)).ljust(400, b"\0")


def _png_with_text(text: bytes) -> bytes:
    return saved(Image.fromarray(drawing()), "PNG", pnginfo=_info(text.decode("latin-1")))


def _info(text: str) -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", text)
    return info


IMAGE = saved(Image.fromarray(drawing()), "PNG")
_PHOTO = saved(Image.fromarray(drawing()), "JPEG")

SAMPLES: dict[str, tuple[bytes, set[int]]] = {
    "only a signature": (b"\x89PNG\r\n\x1a\n", {415, 422}),
    "bomb: few pixels, 500 MB of data": (_png(8, 8, _zeros(500)), {422}),
    "bomb: a chunk of 4 GB in a file of 237 bytes": (
        IMAGE[:33] + struct.pack(">I", 2**32 - 1) + IMAGE[37:237],
        {422},
    ),
    "bomb: many pixels": (_png(60_000, 60_000, _zeros(1)), {413}),
    "bomb: one row of 2**31 - 1 pixels": (_png(2**31 - 1, 1, _zeros(1)), {413, 422}),
    "bomb: a compressed text chunk": (
        _png(8, 8, _zeros(0), (b"zTXt", b"a\0\0" + _zeros(300))),
        {200, 422},
    ),
    "bomb: a compressed colour profile": (
        _png(8, 8, zlib.compress(bytes(25 * 8)), (b"iCCP", b"a\0\0" + _zeros(300))),
        {200, 422},
    ),
    "no pixels": (_png(0, 0, b""), {413, 415, 422}),
    "a TIFF directory that is its own successor": (
        _tiff_with_circular_directory(),
        {200, 415, 422},
    ),
    "a BMP with an impossible size": (_bmp(2**31 - 1, -(2**31)), {413, 415, 422}),
    "zip": (_zip(), {415}),
    "zip behind an image": (IMAGE + _zip(), {200, 422}),
    "image behind a zip": (_zip() + IMAGE, {415}),
    "svg": (b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', {415}),
    "html": (b"<html><script>alert(1)</script></html>", {415}),
    "html in an image": (_png_with_text(b"<script>alert(1)</script>"), {200}),
    "gif": (saved(Image.fromarray(drawing()), "GIF"), {415}),
    "gif and jpeg": (b"GIF89a" + _PHOTO, {415}),
    "pdf and jpeg": (b"%PDF-1.7\n" + _PHOTO, {415}),
    "jpeg and pdf": (_PHOTO + b"%PDF-1.7\n", {200, 422}),
    "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", {415}),
    "an ELF program": (b"\x7fELF" + bytes(2000), {415}),
    "script in a bmp": (b"BM=1;alert(1)//" + bytes(200), {415, 422}),
}
