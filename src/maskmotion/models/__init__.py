"""The networks and their data flow. No files, devices or arguments here."""
