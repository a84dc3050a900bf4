"""What one can see of the gateway: metrics, the log of requests, traces, the audit trail."""
