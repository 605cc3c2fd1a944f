"""The panel: what a team sees of its bot, and does with it, in a browser."""
