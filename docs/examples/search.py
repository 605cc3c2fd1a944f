"""Find a capital from any chat: write the bot's name and a part of the country's."""

from bot import Context, Plugin

plugin = Plugin(__name__)

CAPITALS = {
    "Brazil": "Brasília",
    "France": "Paris",
    "Georgia": "Tbilisi",
    "Japan": "Tokyo",
    "Kenya": "Nairobi",
    "South Korea": "Seoul",
}


@plugin.on("inline_query")
def search(ctx: Context) -> None:
    wanted = ctx.text.strip().casefold()
    results = [
        (country, f"The capital of {country} is {capital}.")
        for country, capital in CAPITALS.items()
        if wanted in country.casefold()
    ]
    ctx.answer(results, cache_time=300)
    ctx.track("search", found=len(results))
