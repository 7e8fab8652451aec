// Calls Zoom with `zoomapi`, as its readme shows: no host is given, as none can be.
const path = require("node:path");
const { createRequire } = require("node:module");

// The package is not beside this file, but in the folder that scripts/client_deps.sh fills.
const zoomApi = createRequire(path.join(process.argv[2], "node", "x.js"))("zoomapi").default;

async function main() {
  const zoom = zoomApi({
    accountId: "demo-account",
    oauthClientId: "anything",
    oauthClientSecret: "anything",
  });
  const me = await zoom.users.GetUser("me");
  const users = await zoom.users.ListUsers({ page_size: 30 });
  const meeting = await zoom.meetings.CreateMeeting("me", { topic: "from zoomapi", type: 2 });
  const read = await zoom.meetings.GetMeeting(meeting.id);
  console.log(JSON.stringify({ me: me.id, users: users.users.length, topic: read.topic }));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
