"""pyzoom as its users use it: base_url points at the gateway, the token is a placeholder."""

import json
import sys

from pyzoom import ZoomClient

client = ZoomClient("zoom-gateway", base_url=f"{sys.argv[1]}/v2")
seen = []
for _ in range(3):
    users = client.raw.get("/users", query={"page_size": 5}).json()
    seen.append(len(users["users"]))
    print("called", flush=True)
    sys.stdin.readline()
body = {"topic": "from pyzoom", "type": 2, "duration": 30}
meeting = client.raw.post("/users/me/meetings", body=body).json()
seen.append(client.raw.get(f"/meetings/{meeting['id']}").json()["topic"])
seen.append(client.meetings.delete_meeting(meeting["id"]))
seen.append(len(client.raw.get_all_pages("/users", query={"status": "active"})["users"]))
print(json.dumps(seen))
