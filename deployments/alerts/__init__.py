"""Alerts: automations of Prefect's server that forward what a run tells, and watch for silence."""
