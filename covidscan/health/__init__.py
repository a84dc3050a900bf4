"""covidscan health: asks a gateway or a model server whether it can answer."""
