"""Ask a few questions that depend on the answers, with a way back."""

from peewee import BigIntegerField, TextField

from bot import Context, Plugin

plugin = Plugin(__name__)

BACK = "Back"
QUESTIONS = {
    "drink": ("Tea or coffee?", ["Tea", "Coffee"]),
    "milk": ("With milk?", ["Yes", "No"]),
    "cups": ("How many cups a day?", []),
    "wish": ("What do you wish for?", []),
}
NEXT = {"Tea": "milk", "Coffee": "cups"}


class Answers(plugin.Model):
    user_id = BigIntegerField(unique=True)
    text = TextField()


@plugin.command("survey")
def survey(ctx: Context) -> None:
    """Tell us what you drink."""
    put(ctx, ["drink"], {})


@plugin.step(atomic=True)
def answer(ctx: Context) -> str | None:
    path, answers = ctx.state["path"], ctx.state["answers"]
    question, problem = path[-1], refuse(path[-1], ctx.text)
    if ctx.text == BACK and len(path) > 1:
        put(ctx, path[:-1], answers)
        return None
    if problem:
        put(ctx, path, answers, f"{problem} ")
        return None
    answers[question] = ctx.text
    if following := after(question, ctx.text):
        put(ctx, [*path, following], answers)
        return None
    text = "\n".join(f"{QUESTIONS[name][0]} {answers[name]}" for name in path)
    Answers.replace(user_id=ctx.sender.telegram_id, text=text).execute()
    return f"Thank you!\n{text}"


def put(ctx: Context, path: list[str], answers: dict[str, str], before: str = "") -> None:
    text, choices = QUESTIONS[path[-1]]
    back = [BACK] if len(path) > 1 else []
    ctx.ask(
        before + text,
        then=answer,
        data={"path": path, "answers": answers},
        choices=[*choices, *back],
    )


def refuse(question: str, text: str) -> str:
    choices = QUESTIONS[question][1]
    if choices and text not in choices:
        return "Please choose."
    if question == "cups" and not text.isdecimal():
        return "A number, please."
    return "" if text else "In words, please."


def after(question: str, text: str) -> str | None:
    if question == "drink":
        return NEXT[text]
    return None if question == "wish" else "wish"


@plugin.command("surveys", role="admin")
def surveys(ctx: Context) -> str:
    """See what people answered."""
    return "\n\n".join(each.text for each in Answers.select().limit(20)) or "No answers yet."
