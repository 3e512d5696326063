"""The operator's page: what the monitor knows, in a browser on the machine's own screen or a phone beside it."""
