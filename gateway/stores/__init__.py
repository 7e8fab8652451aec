"""Where an account's tokens are kept: one contract, several places."""
