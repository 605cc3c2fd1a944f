"""The albums."""

from bot.testing import PICTURE, ChatKit, Person


def test_an_album_is_kept_and_shown(kit: ChatKit, bob: Person) -> None:
    """Said once, however many pictures; shown again as one."""
    assert bob.send("/albums") == ["There are none. Send me some pictures at once."]
    bob.send_album(PICTURE, PICTURE, PICTURE, caption="The sea")
    assert bob.texts[1:] == ["An album! Find it again: /albums"]
    bob.send_album()
    bob.send("/albums")
    assert bob.buttons == ["Album 1: 3", "Album 2: 2"]
    bob.tap("Album 1: 3")
    assert len([m for m in bob.messages if "media_group_id" in m]) == 3


def test_a_single_picture_is_no_album(bob: Person) -> None:
    """It is left to others."""
    assert bob.send_photo() == []
