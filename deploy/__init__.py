"""What is needed to run it for good: images, monitoring, units."""
