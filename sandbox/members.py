"""Who is in a chat: the people's comings and goings, blocks, and groups that become bigger."""

from __future__ import annotations

from sandbox.account import Account
from sandbox.answers import Impossible, Json
from sandbox.cast import Person
from sandbox.delivery import deliver
from sandbox.rooms import CHANNEL, INSIDE, Numbers, Room
from sandbox.scenes import Scene, find_person
from sandbox.world import World

STATUSES = ("creator", "administrator", "member", "restricted", "left", "kicked")
RIGHTS = (
    "can_manage_chat",
    "can_change_info",
    "can_delete_messages",
    "can_invite_users",
    "can_restrict_members",
    "can_promote_members",
    "can_manage_video_chats",
    "can_post_stories",
    "can_edit_stories",
    "can_delete_stories",
    "can_send_welcome_messages",
)
CHANNEL_RIGHTS = ("can_post_messages", "can_edit_messages", "can_manage_direct_messages")
GROUP_RIGHTS = ("can_pin_messages", "can_manage_topics", "can_manage_tags")
PERMISSIONS = (
    "can_send_messages",
    "can_send_audios",
    "can_send_documents",
    "can_send_photos",
    "can_send_videos",
    "can_send_video_notes",
    "can_send_voice_notes",
    "can_send_polls",
    "can_send_other_messages",
    "can_add_web_page_previews",
    "can_react_to_messages",
    "can_edit_tag",
    "can_change_info",
    "can_invite_users",
    "can_pin_messages",
    "can_manage_topics",
)


def describe(room: Room, user: Json, status: str) -> Json:
    """The ChatMember object of somebody with a status."""
    member: Json = {"status": status, "user": user}
    if status == "creator":
        member["is_anonymous"] = False
    elif status == "administrator":
        rights = RIGHTS + (CHANNEL_RIGHTS if room.kind == CHANNEL else GROUP_RIGHTS)
        member |= {"can_be_edited": False, "is_anonymous": False} | dict.fromkeys(rights, True)
        member["can_promote_members"] = False
    elif status == "restricted":
        member |= {"is_member": True, "until_date": 0} | dict.fromkeys(PERMISSIONS, False)
    elif status == "kicked":
        member["until_date"] = 0
    return member


def block(world: World, account: Account, person: Person, *, blocked: bool) -> None:
    """A person stops the bot, or starts it again; nothing when it is so already."""
    room = account.private(person)
    if room.blocked == blocked:
        return
    old, new = ("member", "kicked") if blocked else ("kicked", "member")
    room.blocked = blocked
    room.started = True
    scene = Scene(world, account, room, person)
    scene.put("my_chat_member", change(scene, account.user, old, new))
    scene.happen("members", person_id=account.id, old=old, status=new)


def set_status(world: World, account: Account, chat_id: int, person_id: int, status: str) -> None:
    """Somebody, or the bot itself, joins, leaves, or gets another standing in a shared chat.

    Raises: Impossible for a chat, a person or a status that does not exist.
    """
    if status not in STATUSES:
        raise Impossible(f"There is no status {status!r}; use one of {', '.join(STATUSES)}.")
    room = account.rooms.get(chat_id)
    if room is None or room.private:
        raise Impossible(f"There is no group or channel {chat_id}.")
    if person_id == account.id:
        _set_bot(world, account, room, status)
        return
    person = find_person(world, person_id)
    scene = Scene(world, account, room, person)
    old = room.members.get(person_id, "left")
    if old == status:
        return
    room.members[person_id] = status
    if room.bot_status == "administrator":
        scene.put("chat_member", change(scene, person.user, old, status))
    _tell_of_move(scene, person.user, old, status)
    scene.happen("members", person_id=person_id, old=old, status=status)


def migrate(world: World, account: Account, chat_id: int) -> int:
    """A group becomes a supergroup with another id; the id.

    Raises: Impossible when it is no group or has moved already.
    """
    old = account.rooms.get(chat_id)
    if old is None or old.kind not in ("group", "supergroup") or old.moved_to is not None:
        raise Impossible(f"There is no group {chat_id} that could move.")
    new_id = -1_003_000_000_000 - len(account.rooms)
    new = Room({**old.chat, "id": new_id, "type": "supergroup"}, Numbers())
    new.bot_status = old.bot_status
    new.members = dict(old.members)
    account.rooms[new_id] = new
    creator = _creator(world, old)
    _service(Scene(world, account, old, creator), {"migrate_to_chat_id": new_id})
    old.moved_to = new_id
    _service(Scene(world, account, new, creator), {"migrate_from_chat_id": chat_id})
    return new_id


def _set_bot(world: World, account: Account, room: Room, status: str) -> None:
    old = room.bot_status
    if old == status:
        return
    scene = Scene(world, account, room, _creator(world, room))
    event = change(scene, account.user, old, status)
    room.bot_status = status
    scene.put("my_chat_member", event)
    _tell_of_move(scene, account.user, old, status)
    scene.happen("members", person_id=account.id, old=old, status=status)


def _creator(world: World, room: Room) -> Person:
    creator = next((who for who, status in room.members.items() if status == "creator"), None)
    return find_person(world, creator or next(iter(world.people)))


def change(scene: Scene, user: Json, old: str, new: str) -> Json:
    """The event of somebody whose standing in a chat is another one."""
    return {
        "chat": scene.room.chat,
        "from": scene.person.user,
        "date": scene.world.now(),
        "old_chat_member": describe(scene.room, user, old),
        "new_chat_member": describe(scene.room, user, new),
    }


def _tell_of_move(scene: Scene, user: Json, old: str, new: str) -> None:
    """Groups note who came and who went; channels do not."""
    if scene.room.kind == CHANNEL or (old in INSIDE) == (new in INSIDE):
        return
    if new in INSIDE:
        _service(scene, {"new_chat_members": [user]})
    else:
        _service(scene, {"left_chat_member": user})


def _service(scene: Scene, content: Json) -> None:
    scene.announce(deliver(scene.world, scene.room, content, sender=scene.person.user))
