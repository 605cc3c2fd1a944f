"""Tests of what is needed to run it for good."""
