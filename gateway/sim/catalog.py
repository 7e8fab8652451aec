"""What the operations do: users, meetings, recordings and test aids."""

import json
import math
from collections.abc import AsyncIterator
from typing import Any

from gateway.sim.answers import Answer, empty, json_answer, zoom_error
from gateway.sim.operations import Call, Operation, Operations
from gateway.sim.paging import page
from gateway.sim.recordings import SIZE
from gateway.sim.streaming import pieces

LONGEST_TOPIC = 200


def list_users(call: Call) -> Answer:
    users = list(call.world.users.values())
    return page("users", users, call.query, call.state.config, call.state.clock)


def get_user(call: Call) -> Answer:
    user = call.world.user(call.parameter())
    return json_answer(200, user) if user else _no_user(call)


def list_meetings(call: Call) -> Answer:
    user = call.world.user(call.parameter())
    if user is None:
        return _no_user(call)
    meetings = call.world.hosted_by(user)
    return page("meetings", meetings, call.query, call.state.config, call.state.clock)


def create_meeting(call: Call) -> Answer:
    user = call.world.user(call.parameter())
    if user is None:
        return _no_user(call)
    wanted = _read_meeting(call)
    if isinstance(wanted, Answer):
        return wanted
    return json_answer(201, call.world.add_meeting(user, wanted))


def get_meeting(call: Call) -> Answer:
    meeting = _meeting(call)
    return json_answer(200, meeting) if meeting else _no_meeting(call)


def update_meeting(call: Call) -> Answer:
    meeting = _meeting(call)
    if meeting is None:
        return _no_meeting(call)
    wanted = _read_meeting(call)
    if isinstance(wanted, Answer):
        return wanted
    meeting.update(wanted)
    return empty()


def delete_meeting(call: Call) -> Answer:
    meeting = _meeting(call)
    if meeting is None:
        return _no_meeting(call)
    del call.world.meetings[meeting["id"]]
    return empty()


def get_recordings(call: Call) -> Answer:
    if _meeting(call):
        return zoom_error(404, 3301, "There is no recording for this meeting.")
    past = call.world.past_meeting(call.segments[0])
    if past is None:
        return _no_meeting(call)
    name = past["id"]
    file = {
        "id": f"recording-{name}",
        "file_type": "MP4",
        "file_size": SIZE,
        "download_url": f"https://us02web.zoom.us/rec/download/{name}",
        "status": "completed",
    }
    return json_answer(200, past | {"recording_count": 1, "recording_files": [file]})


def get_past_meeting(call: Call) -> Answer:
    past = call.world.past_meeting(call.segments[0])
    return json_answer(200, past) if past else _no_meeting(call)


def list_scim_users(call: Call) -> Answer:
    resources = [
        {"id": user["id"], "userName": user["email"], "active": True}
        for user in call.world.users.values()
    ]
    return json_answer(200, {"totalResults": len(resources), "Resources": resources})


def upload(call: Call) -> Answer:
    return json_answer(200, {"size": call.body.size, "sha256": call.body.sha256})


def download(call: Call) -> Answer:
    """Stream `size` bytes in pieces of `chunk`, with `pause` seconds between them."""
    try:
        size = int(call.query.get("size", "1024"))
        chunk = int(call.query.get("chunk", "65536"))
        pause = float(call.query.get("pause", "0"))
    except ValueError:
        size = -1
    if size < 0 or chunk < 1 or not math.isfinite(pause):
        return zoom_error(400, 300, "Validation Failed.", ("size", "Invalid number."))
    stream: AsyncIterator[bytes] = pieces(size, chunk, pause)
    return Answer(200, content_type="application/octet-stream", stream=stream)


def _meeting(call: Call) -> dict[str, Any] | None:
    text = call.parameter()
    known = text.isascii() and text.isdigit()
    return call.world.meetings.get(int(text)) if known else None


def _read_meeting(call: Call) -> dict[str, Any] | Answer:
    """Return the keys that a meeting may set, or the validation error."""
    try:
        data = json.loads(call.body.data or b"null")
    except ValueError:
        data = None
    if not isinstance(data, dict):
        return zoom_error(400, 300, "Request Body should be a valid JSON object.")
    topic = data.get("topic", "")
    if not isinstance(topic, str) or len(topic) > LONGEST_TOPIC:
        problem = f"The topic can have up to {LONGEST_TOPIC} characters."
        return zoom_error(400, 300, "Validation Failed.", ("topic", problem))
    protected = {"id", "uuid", "host_id", "host_email", "created_at", "join_url"}
    return {key: value for key, value in data.items() if key not in protected}


def _no_user(call: Call) -> Answer:
    return zoom_error(404, 1001, f"User does not exist: {call.parameter()}.")


def _no_meeting(call: Call) -> Answer:
    return zoom_error(404, 3001, f"Meeting does not exist: {call.parameter()}.")


OPERATIONS = Operations(
    (
        Operation("GET", "/v2/users", "medium", list_users),
        Operation("GET", "/v2/users/{userId}", "light", get_user),
        Operation("GET", "/v2/users/{userId}/meetings", "medium", list_meetings),
        Operation("POST", "/v2/users/{userId}/meetings", "light", create_meeting, per_user=True),
        Operation("GET", "/v2/meetings/{meetingId}", "light", get_meeting),
        Operation("PATCH", "/v2/meetings/{meetingId}", "light", update_meeting, per_user=True),
        Operation("DELETE", "/v2/meetings/{meetingId}", "light", delete_meeting),
        Operation("GET", "/v2/meetings/{meetingId}/recordings", "light", get_recordings),
        Operation("GET", "/v2/past_meetings/{meetingId}", "light", get_past_meeting),
        Operation("GET", "/scim2/Users", "heavy", list_scim_users),
        Operation("POST", "/v2/chat/users/{userId}/files", "medium", upload),
        Operation("POST", "/v2/_sim/upload", "heavy", upload),
        Operation("GET", "/v2/_sim/download", "resource-intensive", download),
    )
)
