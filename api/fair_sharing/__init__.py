"""Fair sharing of load between clients, so that no client starves another."""
