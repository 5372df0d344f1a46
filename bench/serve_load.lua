-- wrk script: posts the lines of BODIES in turn to ROUTE. RATE (requests a second, all connections together): each
-- connection waits for a random time before it asks, so that requests come as from many people, not as fast as answers do.
local bodies, at = {}, 0
for line in io.lines(os.getenv("BODIES")) do bodies[#bodies + 1] = line end
local route = os.getenv("ROUTE") or "/v1/classify"
local rate, connections = tonumber(os.getenv("RATE") or "0"), tonumber(os.getenv("CONNECTIONS") or "8")

request = function()
  at = at % #bodies + 1
  return wrk.format("POST", route, { ["Content-Type"] = "application/json" }, bodies[at])
end

if rate > 0 then
  local mean = 1000 * connections / rate
  delay = function() return math.floor(-math.log(1 - math.random()) * mean + 0.5) end
end

done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("RESULT %.1f %.3f %.3f %.3f %d\n", summary.requests / summary.duration * 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency:percentile(99.9) / 1e3,
    e.status + e.connect + e.read + e.write + e.timeout))
end
