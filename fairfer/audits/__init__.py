"""Audits: plan, join, audit, compare; result types and their JSON."""
