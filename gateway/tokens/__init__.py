"""The token manager: decisions are the core's, this package carries them out."""
