"""Notifications: from events to people, beside the work and never in its way."""
