"""The kit: small widgets that look and behave alike on every screen."""
