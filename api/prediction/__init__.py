"""The core: from an image's bytes to a prediction. Independent of HTTP."""
