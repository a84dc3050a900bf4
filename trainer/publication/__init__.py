"""The way into the versioned volume: artefacts, export, gate."""
