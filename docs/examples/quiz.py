"""Ask questions as quiz polls and keep the score of each chat."""

from peewee import BigIntegerField, CharField, IntegerField

from bot import Context, Plugin

plugin = Plugin(__name__)

QUESTIONS = [
    ("How many legs has a spider?", ["Six", "Eight", "Ten"], 1),
    ("Which planet is the largest?", ["Jupiter", "Saturn", "Earth"], 0),
    ("What do bees make?", ["Silk", "Milk", "Honey"], 2),
]


class Asked(plugin.Model):
    poll_id = CharField(unique=True)
    chat_id = BigIntegerField(index=True)
    right = IntegerField()


class Score(plugin.Model):
    chat_id = BigIntegerField()
    user_id = BigIntegerField()
    name = CharField()
    points = IntegerField(default=0)

    class Meta:
        indexes = ((("chat_id", "user_id"), True),)


@plugin.command("quiz")
def quiz(ctx: Context) -> None:
    """Ask the next question."""
    number = Asked.select().where(Asked.chat_id == ctx.chat_id).count()
    question, options, right = QUESTIONS[number % len(QUESTIONS)]
    sent = ctx.bot.send_poll(
        ctx.chat_id,
        question,
        options,
        type="quiz",
        correct_option_id=right,
        is_anonymous=False,
    )
    Asked.create(poll_id=sent.poll.id, chat_id=ctx.chat_id, right=right)


@plugin.on("poll_answer", atomic=True)
def answer(ctx: Context) -> None:
    asked = Asked.get_or_none(poll_id=ctx.event.poll_id)
    if asked and ctx.event.option_ids == [asked.right]:
        who = {"chat_id": asked.chat_id, "user_id": ctx.sender.telegram_id}
        score, _ = Score.get_or_create(**who, defaults={"name": ctx.sender.first_name})
        score.points += 1
        score.save()


@plugin.command("score")
def score(ctx: Context) -> str:
    """Show who knows most."""
    here = Score.select().where(Score.chat_id == ctx.chat_id)
    lines = [f"{each.name}: {each.points}" for each in here.order_by(-Score.points).limit(10)]
    return "\n".join(lines) or "Nobody has a point yet. Try /quiz"
