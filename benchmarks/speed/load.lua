-- wrk's side of the benchmark: posts files as a form would, and reports results as JSON.
-- UPLOADS: paths, separated by colons, sent in turn. FIELD: the name of the form's field.
-- TOGETHER: files per request. PAUSE_MS: mean pause of each client between requests. Pauses are
-- exponentially distributed, so that requests arrive like those of independent clients.
local boundary = "----covidscan-benchmark"
local field = os.getenv("FIELD") or "file"
local together = tonumber(os.getenv("TOGETHER") or "1")
local pause = tonumber(os.getenv("PAUSE_MS") or "0")

local function read(path)
  local file = assert(io.open(path, "rb"))
  local content = file:read("*a")
  file:close()
  return content
end

local function form(paths, first)
  local parts = {}
  for index = 0, together - 1 do
    local path = paths[(first + index) % #paths + 1]
    local head = '--%s\r\nContent-Disposition: form-data; name="%s"; filename="slice.%s"\r\n\r\n'
    parts[#parts + 1] = head:format(boundary, field, path:match("%.(%w+)$"))
    parts[#parts + 1] = read(path) .. "\r\n"
  end
  parts[#parts + 1] = "--" .. boundary .. "--\r\n"
  return table.concat(parts)
end

local requests, sent = {}, 0
local threads = {}
statuses, retries = {}, 0

function setup(thread)
  threads[#threads + 1] = thread
end

function init(arguments)
  math.randomseed(os.time())
  local paths = {}
  for path in os.getenv("UPLOADS"):gmatch("[^:]+") do paths[#paths + 1] = path end
  wrk.headers["Content-Type"] = "multipart/form-data; boundary=" .. boundary
  for first = 0, #paths - 1 do
    requests[#requests + 1] = wrk.format("POST", nil, nil, form(paths, first))
  end
end

function request()
  sent = sent + 1
  return requests[sent % #requests + 1]
end

if pause > 0 then
  function delay()
    return math.floor(-pause * math.log(1 - math.random()) + 0.5)
  end
end

function response(status, headers, body)
  statuses[status] = (statuses[status] or 0) + 1
  if headers["Retry-After"] or headers["retry-after"] then retries = retries + 1 end
end

function done(summary, latency, _)
  local counted, with_retry = {}, 0
  for _, thread in ipairs(threads) do
    for status, count in pairs(thread:get("statuses")) do
      counted[status] = (counted[status] or 0) + count
    end
    with_retry = with_retry + thread:get("retries")
  end
  local shown = {}
  for status, count in pairs(counted) do shown[#shown + 1] = ('"%d": %d'):format(status, count) end
  local percentiles = {}
  for percentile = 1, 99 do
    percentiles[percentile] = ("%.6f"):format(latency:percentile(percentile) / 1e6)
  end
  local errors = summary.errors
  io.write(('\nJSON {"seconds": %.6f, "requests": %d, "statuses": {%s}, "retry_after": %d, '
    .. '"failed": %d, "percentiles_seconds": [%s], "max_seconds": %.6f}\n'):format(
    summary.duration / 1e6, summary.requests, table.concat(shown, ", "), with_retry,
    errors.connect + errors.read + errors.write + errors.timeout,
    table.concat(percentiles, ", "), latency.max / 1e6))
end
