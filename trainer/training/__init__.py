"""Trains one CNN: batches, steps, checkpoints."""
