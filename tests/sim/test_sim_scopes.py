from gateway.sim import SimClient

NEEDED = {"GET /v2/users": ["user:read:list_users:admin", "user:read:list_users"]}


async def test_a_token_has_the_scopes_of_its_mint(zoom: SimClient) -> None:
    await zoom.control("config", {"required_scopes": NEEDED, "scope": "user:read:user:admin"})
    former = await zoom.mint()
    reply = await zoom.call(former, "/v2/users")
    named = "user:read:list_users:admin, user:read:list_users"
    message = f"Invalid access token, does not contain scopes:[{named}]."
    assert (reply.status, reply.json()) == (400, {"code": 4711, "message": message})
    assert (await zoom.call(former, "/v2/users/me")).status == 200
    await zoom.control("config", {"scope": "user:read:user:admin user:read:list_users"})
    assert (await zoom.call(former, "/v2/users")).status == 400
    assert (await zoom.call(await zoom.mint(), "/v2/users")).status == 200


async def test_a_scope_taken_away(zoom: SimClient) -> None:
    await zoom.control("config", {"required_scopes": NEEDED})
    former = await zoom.mint()
    assert (await zoom.call(former, "/v2/users")).status == 200
    await zoom.control("config", {"scope": "meeting:read"})
    assert (await zoom.call(former, "/v2/users")).status == 200
    await zoom.control("config", {"mode": "multi"})
    assert (await zoom.call(await zoom.mint(), "/v2/users")).status == 400
