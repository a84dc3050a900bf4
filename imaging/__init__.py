"""From a file's bytes to the tensors that models take. Imports nothing else of covidscan."""
