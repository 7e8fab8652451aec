-- What `wrk` sends, as the environment says, and what it counted, in whole numbers: its own
-- report rounds.

local body = tonumber(os.getenv("BENCH_BODY") or "0")
if body > 0 then
  wrk.method = "POST"
  wrk.body = string.rep("x", body)
end
for number = 1, tonumber(os.getenv("BENCH_FIELDS") or "0") do
  wrk.headers["X-Field-" .. number] = "a value of some thirty characters"
end

local accounts = tonumber(os.getenv("BENCH_ACCOUNTS") or "0")
if accounts > 0 then
  local requests, turn = {}, 0
  init = function()
    for number = 1, accounts do
      wrk.headers["X-Zoom-Account"] = "account-" .. number
      requests[number] = wrk.format()
    end
  end
  request = function()
    turn = turn % accounts + 1
    return requests[turn]
  end
end

if os.getenv("BENCH_DISTINCT") == "True" then
  local number = 0
  request = function()
    number = number + 1
    wrk.headers["X-Request-Id"] = string.format("call-%09d", number)
    return wrk.format(nil, string.format("/v2/users/%d", number % 10000))
  end
end

done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    "counted calls=%d microseconds=%d failed=%d refused=%d p50=%d p99=%d\n",
    summary.requests, summary.duration,
    errors.connect + errors.read + errors.write + errors.timeout, errors.status,
    latency:percentile(50), latency:percentile(99)))
end
