-- Print what `wrk` counted, in whole numbers: its own report rounds.
done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    "counted calls=%d microseconds=%d failed=%d refused=%d p50=%d p99=%d longest=%d bytes=%d\n",
    summary.requests, summary.duration,
    errors.connect + errors.read + errors.write + errors.timeout, errors.status,
    latency:percentile(50), latency:percentile(99), latency.max, summary.bytes))
end
