"""What the service says of itself, in the API's documents, on the page and at start."""

from typing import Final

TITLE: Final = "covidscan"
SUMMARY: Final = "COVID-19 likelihood from a chest CT slice or X-ray"
DISCLAIMER: Final = "Decision support for research, not a medical device."

DESCRIPTION: Final = f"""
Reads a chest CT slice or X-ray and says, with three CNNs (VGG16, ResNet50, Xception) and their
ensemble, whether it looks like COVID-19, how sure each model is and how long it took.

**{DISCLAIMER}**
"""
