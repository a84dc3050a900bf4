"""Images and their labels: how they are read, split and checked for leakage."""
