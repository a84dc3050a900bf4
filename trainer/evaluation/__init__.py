"""How good models are, how sure one may be of that, and the report of it."""
