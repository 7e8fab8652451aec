"""The proxy listener: one call's journey from a caller to Zoom and back."""
