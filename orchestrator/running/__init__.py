"""The processes of plans: supervisors, logs, host-wide resources."""
