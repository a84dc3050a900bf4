"""Access control: API keys, rate limits, allowed hosts, client addresses, security headers."""
