"""Puts models into the versioned volume: artefacts, export, publication gate."""
