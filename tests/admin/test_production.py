"""The panel in production: what cookies and answers carry, and whose word is taken."""

from __future__ import annotations

import pytest

from services import links
from staff import AuditEntry, Session, StaffRole
from tests.admin.conftest import PASSWORD, Clock, Secure, make_admin


def test_cookies_cannot_be_read_sent_or_set_by_others(secure: Secure) -> None:
    """Every cookie is __Host-, Secure, HttpOnly, SameSite, for the whole panel and this host."""
    make_admin(StaffRole.ADMIN)
    browser = secure()
    pages = [browser.get("/login")]
    pages.append(browser.post_form("/login", name="admin", password=PASSWORD))
    pages.append(browser.post_form("/confirm", proof=PASSWORD))
    pages.append(browser.post_form("/logout", "/"))
    set_ = [line for page in pages for line in page.headers.getlist("Set-Cookie")]
    assert {line.partition("=")[0] for line in set_} == {
        "__Host-steadygram",
        "__Host-steadygram-form",
    }
    for line in set_:
        words = {word.strip() for word in line.split(";")[1:]}
        assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= words, line
        assert not any(word.startswith("Domain") for word in words), line


def test_browsers_are_told_to_keep_to_https(secure: Secure) -> None:
    """For a year and with all that is under the name, on pages, errors and files."""
    browser = secure()
    for path in ("/", "/login", "/nothing", "/static/panel.css"):
        with browser.get(path) as answer:
            said = answer.headers["Strict-Transport-Security"]
        assert said == "max-age=31536000; includeSubDomains", path


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "evil.example:443", ""])
def test_a_spoofed_host_is_refused(secure: Secure, host: str) -> None:
    """Under a name that is not ours nothing is answered, and nothing of it comes back."""
    for browser in (secure(), secure(trusted_hosts=("panel.example.org",))):
        answer = browser.get("/login", headers={"Host": host})
        assert answer.status_code == 400
        assert not host or host not in answer.text
    known = secure(trusted_hosts=(".example.org",))
    assert known.get("/login", headers={"Host": "a.example.org"}).status_code == 200
    named = secure(admin_url="https://panel.example.org")
    assert named.get("/login", headers={"Host": "panel.example.org"}).status_code == 200


def test_a_forwarded_host_is_nobodys_word(secure: Secure) -> None:
    """Without a proxy X-Forwarded-* are ignored; with one they are checked as the real ones are."""
    spoofed = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http"}
    assert secure().get("/login", headers=spoofed).status_code == 200
    assert secure(trusted_proxies=1).get("/login", headers=spoofed).status_code == 400


def test_a_proxy_that_we_know_of_says_who_came(secure: Secure) -> None:
    """The address that the last proxy saw, not what the visitor wrote before it."""
    make_admin(StaffRole.ADMIN)
    browser = secure(trusted_proxies=1)
    browser.environ_base["HTTP_X_FORWARDED_FOR"] = "10.9.9.9, 192.0.2.1"
    browser.post_form("/login", name="admin", password=PASSWORD)
    assert [session.address for session in Session.select()] == ["192.0.2.1"]
    assert AuditEntry.get().address == "192.0.2.1"


def test_a_form_from_another_page_is_refused(secure: Secure, clock: Clock) -> None:
    """Over https the page that sent it must be ours, whatever token it has."""
    browser, path = secure(), f"/setup/{links.set_up(clock())}"
    token = browser.token(path)
    data = {"csrf_token": token, "name": "ada", "password": PASSWORD}
    for referer in ("https://evil.example/", "http://localhost/", ""):
        answer = browser.post(path, data=data, headers={"Referer": referer})
        assert answer.status_code == 400, referer
    assert browser.post(path, data=data).status_code == 302


def test_an_error_tells_nothing(secure: Secure) -> None:
    """No trace, no version, no name of a library."""
    browser = secure()
    for path in ("/nothing", "/setup/x", "/login?next=" + "x" * 3000):
        text = browser.get(path).text
        assert not any(word in text for word in ("Traceback", "Werkzeug", "Flask", "peewee"))
