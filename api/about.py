"""How the service describes itself: in the API documentation, on the page and at start."""

from typing import Final

TITLE: Final = "covidscan"
SUMMARY: Final = "COVID-19 likelihood from a chest CT slice or X-ray"
DISCLAIMER: Final = "Decision support for research, not a medical device."

DESCRIPTION: Final = f"""
Predicts whether a chest CT slice or X-ray looks like COVID-19. Three CNNs (VGG16, ResNet50,
Xception) and their ensemble answer with a class, its probability and the time it took.

**{DISCLAIMER}**
"""
