-- wrk -t1: PUTs of 300 points, each body another host and tick.
--
--   HOSTS   hosts the bodies are of (100)
--   TICKS   ticks of ten seconds, the newest now, gone through again and again (2000)
--   PAUSE   milliseconds each connection waits before a request (0)
--   NOW     the time of the newest tick, seconds since 1970 (the present)
--   STYLE   vigie: JSON for save-all; tick: the same in the tick form; influx: the same points as line protocol
--   MERGED  bodies in one request (1), of line protocol; 0: each line is a request
--
-- The points of a tick are made beforehand and shared by all hosts; a request puts a host's address in front of them
-- (with line protocol, which has it in every line, each host has points of its own and there are fewer ticks). No
-- two bodies are the same until HOSTS x TICKS have been sent.

local hosts = tonumber(os.getenv("HOSTS") or 100)
local ticks = tonumber(os.getenv("TICKS") or 2000)
local pause = tonumber(os.getenv("PAUSE") or 0)
local merged = tonumber(os.getenv("MERGED") or 1)
local influx, tick_form = os.getenv("STYLE") == "influx", os.getenv("STYLE") == "tick"
local processes = 150

-- Like a real machine: most processes use no CPU, memory has three decimals.
local function cpu_value()
	return math.random() < 0.8 and 0 or math.random(1, 999) / 10
end

local function address(host)
	return string.format("10.%d.%d.%d", math.floor(host / 65536), math.floor(host / 256) % 256, host % 256)
end

local point = '{"timestamp": %d.0, "value": %s, "process_name": "%s", "type_data": "%s"}'
local pair = '"%s": [%s, %s]'
local line = "%s_usage_percent,ip=%s,process=%s value=%s %d000"

-- The points of one tick; `ip` only for line protocol.
local function points(time, ip)
	local parts = {}
	for i = 1, processes do
		local name = string.format("process-%03d", i)
		local mem = string.format("%.3f", math.random(1, 3000) / 1000)
		local cpu = string.format("%.1f", cpu_value())
		if influx then
			parts[#parts + 1] = string.format(line, "mem", ip, name, mem, time)
			parts[#parts + 1] = string.format(line, "cpu", ip, name, cpu, time)
		elseif tick_form then
			parts[#parts + 1] = string.format(pair, name, mem, cpu)
		else
			parts[#parts + 1] = string.format(point, time, mem, name, "mem")
			parts[#parts + 1] = string.format(point, time, cpu, name, "cpu")
		end
	end
	local all = table.concat(parts, influx and "\n" or ", ")
	return tick_form and string.format('"timestamp": %d.0, "processes": {%s}', time, all)
		or influx and all or '"data": [' .. all .. "]"
end

local blocks, heads = {}, {}
local count, at = 0, 0

-- The blocks, so many together, or each line apart.
local function regroup()
	local groups = {}
	for first = 1, #blocks, math.max(1, merged) do
		if merged > 1 then
			groups[#groups + 1] = table.concat(blocks, "\n", first, math.min(#blocks, first + merged - 1))
		else
			for one in blocks[first]:gmatch("[^\n]+") do
				groups[#groups + 1] = one
			end
		end
	end
	return groups
end

function init(args)
	math.randomseed(4711)
	local now = math.floor((tonumber(os.getenv("NOW")) or os.time()) / 10) * 10
	for host = 1, hosts do
		heads[host] = '{"ipaddress": "' .. address(host) .. '", '
	end
	if influx then
		ticks = math.max(1, math.floor(ticks / hosts))
	end
	for tick = 1, ticks do
		local time = now - (ticks - tick) * 10
		for host = 1, influx and hosts or 1 do
			blocks[#blocks + 1] = points(time, address(host))
		end
	end
	if influx and merged ~= 1 then
		blocks = regroup()
	end
	count = influx and #blocks or #blocks * hosts
end

local function next_body()
	local host, block = at % hosts + 1, math.floor(at / hosts) + 1
	local body = influx and blocks[at + 1] or heads[host] .. blocks[block] .. "}"
	at = (at + 1) % count
	return body
end

function request()
	return wrk.format(influx and "POST" or "PUT", nil, nil, next_body())
end

if pause > 0 then
	function delay()
		return pause
	end
end

-- One line for the script that runs it: requests, seconds, milliseconds at the 99th percentile, failures.
function done(summary, latency, requests)
	local errors = summary.errors
	io.write(string.format("RESULT %d %.3f %.2f %d\n", summary.requests, summary.duration / 1e6,
		latency:percentile(99) / 1000,
		errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
