"""The contract that gateway, trainer and model server share, and all that speaks its protocol."""
