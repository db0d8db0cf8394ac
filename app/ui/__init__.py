"""The window: Qt, and nothing that is true without a screen."""
