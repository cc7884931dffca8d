"""Alerts, dashboard and a real Prometheus."""
