"""Vote in a group by reactions; the bot has to be an administrator there to see them."""

from peewee import BigIntegerField, CharField, ForeignKeyField, TextField

from bot import Context, Plugin

plugin = Plugin(__name__)

SIDES = ("👍", "👎")


class Vote(plugin.Model):
    chat_id = BigIntegerField()
    message_id = BigIntegerField()
    question = TextField()


class Ballot(plugin.Model):
    vote = ForeignKeyField(Vote, backref="ballots", on_delete="CASCADE")
    user_id = BigIntegerField()
    side = CharField()

    class Meta:
        indexes = ((("vote", "user_id"), True),)


@plugin.command("vote")
def vote(ctx: Context) -> str | None:
    """Put something to the vote: /vote Pizza tonight?"""
    if not ctx.text:
        return "On what? /vote Pizza tonight?"
    question = f"{ctx.text}\nReact with 👍 or 👎."
    sent = ctx.reply(question)
    Vote.create(chat_id=ctx.chat_id, message_id=sent.message_id, question=question)
    return None


@plugin.on("message_reaction", atomic=True)
def react(ctx: Context) -> None:
    found = Vote.get_or_none(chat_id=ctx.chat_id, message_id=ctx.event.message_id)
    if found is None or ctx.user is None:
        return
    Ballot.delete().where(Ballot.vote == found.id, Ballot.user_id == ctx.user.telegram_id).execute()
    chosen = [r.emoji for r in ctx.event.new_reaction if r.type == "emoji" and r.emoji in SIDES]
    if chosen:
        Ballot.create(vote=found, user_id=ctx.user.telegram_id, side=chosen[0])
    sides = [ballot.side for ballot in found.ballots]
    result = "  ".join(f"{side} {sides.count(side)}" for side in SIDES)
    text = f"{found.question}\n{result}"
    ctx.bot.edit_message_text(text, ctx.chat_id, ctx.event.message_id)
