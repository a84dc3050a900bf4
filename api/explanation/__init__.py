"""Saliency: which parts of an image make COVID-19 more or less probable to the models."""
