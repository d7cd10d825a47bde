"""What main.py stands on: settings, clients, evidence, overrides, the plan, and writing it."""
