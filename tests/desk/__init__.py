"""The recording desk."""
