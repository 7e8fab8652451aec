"""The users, meetings and recordings of one account: seeded alike at every start."""

import base64
import hashlib
from typing import Any
from urllib.parse import unquote

FIRST_MEETING = 85_000_000_001
SEEDED_HOSTS = 3
"""Users that have meetings from the start, two each."""

PAST_UUIDS = (
    "/abc//def==",
    "/Leading/Slash+AAA==",
    "mid//double+BBB==",
    "ab/c+d/eFgHiJkLmNoPq==",
    "4444AAAiAAAAAiAiAiiAii==",
    "plain@uuid+CCCCCCCCCC==",
)
"""UUIDs of past meetings with recordings; the first three need the double encoding."""

Record = dict[str, Any]


def needs_double_encoding(uuid: str) -> bool:
    return uuid.startswith("/") or "//" in uuid


class World:
    """One account's data."""

    def __init__(self, account_id: str, users: int) -> None:
        self.users = {user["id"]: user for user in (_user(account_id, n) for n in range(users))}
        self.meetings: dict[int, Record] = {}
        self.past = {uuid: _past(uuid, n) for n, uuid in enumerate(PAST_UUIDS)}
        self._next_meeting = FIRST_MEETING
        for host in list(self.users.values())[:SEEDED_HOSTS]:
            for number in (1, 2):
                self.add_meeting(host, {"topic": f"Seeded {number} of {host['first_name']}"})

    def user(self, key: str) -> Record | None:
        """Find a user by id, by email or as `me`, the first of the account."""
        if key == "me":
            return next(iter(self.users.values()))
        if key in self.users:
            return self.users[key]
        return next((user for user in self.users.values() if user["email"] == key), None)

    def add_meeting(self, host: Record, wanted: Record) -> Record:
        number = self._next_meeting
        self._next_meeting += 1
        uuid = base64.b64encode(hashlib.sha256(str(number).encode()).digest()[:16]).decode()
        meeting = {
            "id": number,
            "uuid": uuid,
            "host_id": host["id"],
            "host_email": host["email"],
            "topic": "Zoom Meeting",
            "type": 2,
            "status": "waiting",
            "start_time": "2026-01-15T09:00:00Z",
            "duration": 60,
            "timezone": "UTC",
            "created_at": "2026-01-01T00:00:00Z",
            "join_url": f"https://us02web.zoom.us/j/{number}",
            **wanted,
        }
        self.meetings[number] = meeting
        return meeting

    def hosted_by(self, user: Record) -> list[Record]:
        return [meeting for meeting in self.meetings.values() if meeting["host_id"] == user["id"]]

    def past_meeting(self, segment: str) -> Record | None:
        """Find a past meeting by its UUID as it stands in the path, still encoded.

        Zoom decodes the path before it splits it, and the segment once more: a UUID that
        begins with `/` or contains `//` is found in the double encoding alone, any other in
        the single one alone.
        """
        once = unquote(segment)
        if once in self.past and not needs_double_encoding(once):
            return self.past[once]
        twice = unquote(once)
        if "/" not in once and twice in self.past and needs_double_encoding(twice):
            return self.past[twice]
        return None


def _user(account_id: str, number: int) -> Record:
    return {
        "id": f"user-{number:04d}",
        "first_name": f"User{number}",
        "last_name": "Example",
        "display_name": f"User{number} Example",
        "email": f"user{number}@{account_id}.example",
        "type": 2 if number == 0 else 1,
        "pmi": 2_000_000_000 + number,
        "timezone": "UTC",
        "verified": 1,
        "dept": "",
        "created_at": "2025-01-01T00:00:00Z",
        "language": "en-US",
        "status": "active",
        "role_id": "0" if number == 0 else "2",
        "account_id": account_id,
    }


def _past(uuid: str, number: int) -> Record:
    return {
        "uuid": uuid,
        "id": 84_000_000_001 + number,
        "host_id": "user-0000",
        "type": 2,
        "topic": f"Past meeting {number}",
        "start_time": "2025-12-01T10:00:00Z",
        "end_time": "2025-12-01T11:00:00Z",
        "duration": 60,
        "total_minutes": 120,
        "participants_count": 2,
    }
