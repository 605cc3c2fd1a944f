"""The bots that Steadygram is measured against, as their libraries' own examples have them."""
