"""What the bot and the panel both do: no Telegram and no HTTP in here."""
