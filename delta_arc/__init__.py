"""What main.py stands on: settings, terminal, clients, and the shape of the assets that it writes."""
