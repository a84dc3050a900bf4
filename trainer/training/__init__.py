"""Training of one CNN: batches, steps, checkpoints."""
