"""Let people into a group once they have solved a sum."""

from random import randint

from peewee import BigIntegerField, IntegerField

from bot import Context, Plugin

plugin = Plugin(__name__)
tries = plugin.setting("tries", 2, "How many wrong answers close the door.")


class Joiner(plugin.Model):
    chat_id = BigIntegerField()
    user_id = BigIntegerField()
    answer = IntegerField()
    wrong = IntegerField(default=0)

    class Meta:
        indexes = ((("chat_id", "user_id"), True),)


@plugin.on("chat_join_request", atomic=True)
def ask(ctx: Context) -> None:
    first, second = randint(2, 9), randint(2, 9)
    who = {"chat_id": ctx.chat_id, "user_id": ctx.sender.telegram_id}
    Joiner.delete().where(Joiner.chat_id == ctx.chat_id, Joiner.user_id == who["user_id"]).execute()
    joiner = Joiner.create(**who, answer=first + second)
    choices = sorted({first + second, first + second + 1, first * second, abs(first - second)})
    ctx.reply(
        f"To join {ctx.event.chat.title}: how much is {first} + {second}?",
        buttons=[[(str(choice), f"{joiner.id}:{choice}") for choice in choices]],
    )


@plugin.on("callback_query", atomic=True)
def solve(ctx: Context) -> None:
    number, _, choice = ctx.data.partition(":")
    joiner = Joiner.get_or_none(id=number, user_id=ctx.sender.telegram_id)
    if joiner is None:
        ctx.edit("That is over.")
        return
    joiner.wrong += int(choice) != joiner.answer
    if int(choice) == joiner.answer:
        ctx.bot.approve_chat_join_request(joiner.chat_id, joiner.user_id)
        ctx.edit("Right. Come in!")
    elif joiner.wrong >= tries():
        ctx.bot.decline_chat_join_request(joiner.chat_id, joiner.user_id)
        ctx.edit("Wrong again. Ask to join once more when you have counted.")
    else:
        joiner.save()
        ctx.answer("That is not it. Try again.")
        return
    joiner.delete_instance()
