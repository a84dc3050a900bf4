"""PNG, JPEG, TIFF, WebP and BMP: headers, completeness and decoding."""
