"""Who may come in: API keys, rate limits, and what browsers are told to forbid."""
