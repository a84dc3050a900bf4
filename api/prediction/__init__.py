"""The core: from an image's bytes to an answer of the models. Knows no HTTP."""
