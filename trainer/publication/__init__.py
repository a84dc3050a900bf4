"""Puts models into the versioned volume: artefacts, export, release gate."""
