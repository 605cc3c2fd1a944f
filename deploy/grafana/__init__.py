"""Grafana: dashboards made by code, and how Grafana finds them."""
