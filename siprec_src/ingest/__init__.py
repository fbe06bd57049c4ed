"""Ingests: each takes part in calls, or listens to them, and publishes what they mean."""
