"""The contract between gateway, trainer and model server, and the code for its protocol."""
