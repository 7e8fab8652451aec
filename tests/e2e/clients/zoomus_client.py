"""zoomus as its users use it: base_uri and oauth_uri point at the gateway, any credentials."""

import json
import sys

from zoomus import ZoomClient

gateway = sys.argv[1]
seen = []
with ZoomClient(
    "any-id",
    "any-secret",
    "any-account",
    base_uri=f"{gateway}/v2",
    oauth_uri=f"{gateway}/oauth/token",
) as client:
    for _ in range(3):
        users = client.user.list(page_size=5)
        seen.append((users.status_code, len(users.json()["users"])))
        print("called", flush=True)
        sys.stdin.readline()
    meeting = client.meeting.create(user_id="me", topic="from zoomus", type=2)
    seen.append((meeting.status_code, meeting.json()["topic"]))
    found = client.meeting.get(id=meeting.json()["id"])
    seen.append((found.status_code, found.json()["topic"]))
    past = client.past_meeting.get(meeting_id="/abc//def==")
    seen.append((past.status_code, past.json().get("uuid")))
print(json.dumps(seen))
