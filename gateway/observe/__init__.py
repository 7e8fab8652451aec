"""What people are told: metrics and logs. Nothing in here raises into the gateway, or waits."""
