"""The life of alerts: what asks for an action, once an episode, until it is acknowledged and its cause is gone (ISA-18.2)."""
