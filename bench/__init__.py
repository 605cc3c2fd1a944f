"""Speed, measured beside others: nothing here is part of the bot."""
