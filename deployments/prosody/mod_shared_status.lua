-- Shared status: one status for all of a user's devices, kept by the server.
--
-- The protocol is the one of Google Talk (`google:shared-status`, version 2). Whoever is allowed
-- to act for the user sets a text; the server keeps it, and stamps it on the presence that the
-- user's own devices broadcast, wherever these carry no words of their own.
--
-- For Prosody 0.12 and later. See README.md beside this file.
-- MIT licence.

local array = require "util.array";
local cache = require "util.cache";
local jid = require "util.jid";
local new_id = require "util.id".short;
local new_throttle = require "util.throttle".create;
local st = require "util.stanza";

local XMLNS = "google:shared-status";
local DELAY = "urn:xmpp:delay";

local status_max = module:get_option_number("shared_status_max_length", 512); -- characters
local list_max = module:get_option_number("shared_status_max_lists", 3);
local contents_max = module:get_option_number("shared_status_max_list_items", 5);
local burst = module:get_option_number("shared_status_burst", 10); -- changes in a row
local interval = module:get_option_number("shared_status_interval", 2); -- seconds for each after

local SHOWS = { default = true, dnd = true };
local BOOLEANS = { ["true"] = true, ["false"] = false };

local store = module:open_store();
local states = cache.new(10000); -- those used last: presence comes far more often than a change
local throttles = cache.new(10000);
local bare_sessions = prosody.bare_sessions;

module:add_feature(XMLNS);

-- The state of a user: { status = "…", show = "default", invisible = false,
--   lists = { { show = "default", "…", "…" }, … } }

local function load_state(username)
	local state = states:get(username);
	if not state then
		local err;
		state, err = store:get(username);
		if err then return nil, err; end
		state = state or { status = "", show = "default", invisible = false, lists = {} };
		states:set(username, state);
	end
	return state;
end

local function save_state(username, state)
	local ok, err = store:set(username, state);
	states:set(username, ok and state or nil);
	return ok, err;
end

local function is_too_long(text)
	local _, characters = text:gsub("[^\128-\191]", ""); -- all bytes of UTF-8 that begin one
	return characters > status_max;
end

local function add_state(stanza, state)
	stanza:tag("query", {
		xmlns = XMLNS, version = "2", ["status-max"] = ("%d"):format(status_max),
		["status-list-max"] = ("%d"):format(list_max),
		["status-list-contents-max"] = ("%d"):format(contents_max), ["status-min-ver"] = "0",
	});
	stanza:text_tag("status", state.status);
	stanza:text_tag("show", state.show);
	for _, list in ipairs(state.lists) do
		stanza:tag("status-list", { show = list.show });
		for _, text in ipairs(list) do
			stanza:text_tag("status", text);
		end
		stanza:up();
	end
	stanza:tag("invisible", { value = tostring(state.invisible) }):up();
	return stanza:up();
end

local function parse_list(element)
	local list = { show = element.attr.show or "default" };
	if not SHOWS[list.show] then return nil; end
	for item in element:childtags("status") do
		local text = item:get_text() or ""; -- none where there are elements in it
		if is_too_long(text) then return nil; end
		if #list < contents_max then table.insert(list, text); end
	end
	return list;
end

-- Returns the state that a <query/> asks for, or nil and what is wrong with it.
local function parse_state(query)
	local state = { status = query:get_child_text("status") or "", lists = {} };
	state.show = query:get_child_text("show") or "default";
	local invisible = query:get_child("invisible");
	state.invisible = BOOLEANS[invisible and invisible.attr.value or "false"];
	if is_too_long(state.status) then
		return nil, ("The status is longer than %d characters"):format(status_max);
	elseif not SHOWS[state.show] then
		return nil, "The show is neither default nor dnd";
	elseif state.invisible == nil then
		return nil, "The value of invisible is neither true nor false";
	end
	for element in query:childtags("status-list") do
		local list = parse_list(element);
		if not list then return nil, "A status-list has an unknown show, or too long a status"; end
		if #state.lists < list_max then table.insert(state.lists, list); end
	end
	return state;
end

local function equal_lists(one, other) -- of texts, or of such lists
	if #one ~= #other or one.show ~= other.show then return false; end
	for index, item in ipairs(one) do
		local counterpart = other[index];
		local same = item == counterpart or (type(item) == "table" and equal_lists(item, counterpart));
		if not same then return false; end
	end
	return true;
end

local function equal(one, other)
	return one.status == other.status and one.show == other.show and one.invisible == other.invisible
		and equal_lists(one.lists, other.lists);
end

-- Stamping ---------------------------------------------------------------------------------

local function has_own_words(presence)
	for status in presence:childtags("status") do
		if (status:get_text() or ""):find("%S") then return true; end
	end
	return false;
end

local function remove(presence, is_unwanted)
	presence:maptags(function (child)
		if is_unwanted(child) then return nil; end
		return child;
	end);
end

-- The broadcast presence of a device: stamped before mod_presence sees it, so that it also keeps
-- the stamp for contacts who log in later.
local function stamp(event)
	local session, presence = event.origin, event.stanza;
	if presence.attr.to or presence.attr.type or not session.username or session.host ~= module.host then
		return;
	end
	local state = load_state(session.username);
	session.shared_status_stamp = nil;
	if not state then return; end
	local stamped = {};
	if state.status:find("%S") and not has_own_words(presence) then
		remove(presence, function (child) return child.name == "status"; end);
		presence:text_tag("status", state.status);
		stamped.status = true;
	end
	if state.show == "dnd" and not presence:get_child("show") then
		presence:text_tag("show", "dnd");
		stamped.show = true;
	end
	session.shared_status_stamp = stamped;
	session.shared_status_broadcast = presence;
end

-- What the device itself has said last: without our stamp, and without the time that mod_presence
-- adds for later readers.
local function own_presence(session)
	local presence = st.clone(session.presence);
	local stamped = session.shared_status_stamp or {};
	presence.attr.to = nil;
	remove(presence, function (child)
		return stamped[child.name] or (child.name == "delay" and child.attr.xmlns == DELAY
			and child.attr.from == module.host);
	end);
	return presence;
end

-- Invisible: what a device broadcasts goes to the user's own devices only. What it sends to
-- somebody by itself is another stanza, and passes.
local function hide(event)
	local session, presence = event.origin, event.stanza;
	local to = presence.attr.to;
	if not to or presence.attr.type or not session.username or session.host ~= module.host then
		return;
	end
	local is_broadcast = presence == session.presence or presence == session.shared_status_broadcast;
	if not is_broadcast or jid.bare(to) == session.username.."@"..session.host then return; end
	local state = load_state(session.username);
	if state and state.invisible then return true; end
end

-- Above mod_presence's own handlers, which are at 0.
module:hook("pre-presence/bare", stamp, 10);
for _, kind in ipairs { "bare", "full", "host" } do
	module:hook("pre-presence/"..kind, hide, 9);
end

local function vanish(session)
	for contact, item in pairs(session.roster or {}) do
		if contact and (item.subscription == "both" or item.subscription == "from") then
			prosody.core_post_stanza(session,
				st.presence({ type = "unavailable", from = session.full_jid, to = contact }), true);
		end
	end
end

-- Whether contacts would see another presence of a device than before.
local function is_affected(presence, before, state)
	return before.invisible ~= state.invisible
		or (before.status ~= state.status and not has_own_words(presence))
		or (before.show ~= state.show and not presence:get_child("show"));
end

local function tell_device(session, before, state)
	local presence = own_presence(session);
	if not is_affected(presence, before, state) then return; end
	if state.invisible and not before.invisible then vanish(session); end
	prosody.core_process_stanza(session, presence);
end

local function tell_devices(username, before, state, setter)
	local online = bare_sessions[username.."@"..module.host];
	-- A copy: a device may leave while the others are told.
	local sessions = array();
	for _, session in pairs(online and online.sessions or {}) do sessions:push(session); end
	for _, session in ipairs(sessions) do
		if session.shared_status_interested and session ~= setter then
			session.send(add_state(st.iq({ type = "set", id = new_id(), to = session.full_jid,
				from = username.."@"..module.host }), state));
		end
		if session.presence then tell_device(session, before, state); end
	end
end

-- Get and set ------------------------------------------------------------------------------

local function may_change(username)
	local throttle = throttles:get(username);
	if not throttle then
		throttle = new_throttle(burst, burst * interval);
		throttles:set(username, throttle);
	end
	return throttle:poll(1);
end

-- Only the user, or an entity that acts in the user's name (mod_privilege), may read or write.
local function user_of(event)
	local from, to = jid.bare(event.stanza.attr.from), event.stanza.attr.to;
	local owner = to or from;
	if from ~= owner then return nil; end
	return jid.node(owner);
end

local function nothing() end

-- The session that mod_privilege makes up cannot send: its answer arrives, but then an error is
-- raised and caught, and the traceback that nobody reads costs more than all else here.
local function send(origin, reply)
	local meta = getmetatable(origin);
	local made_up = meta and meta.__index;
	if type(made_up) == "table" and not made_up.send then made_up.send = nothing; end
	origin.send(reply);
end

local function reply_error(event, ...)
	send(event.origin, st.error_reply(event.stanza, ...));
	return true;
end

local function handle_get(event)
	local username = user_of(event);
	if not username then return reply_error(event, "cancel", "service-unavailable"); end
	local state, err = load_state(username);
	if not state then
		module:log("error", "The shared status of %s cannot be read: %s", username, err);
		return reply_error(event, "wait", "internal-server-error");
	end
	if event.origin.type == "c2s" then event.origin.shared_status_interested = true; end
	send(event.origin, add_state(st.reply(event.stanza), state));
	return true;
end

local function handle_set(event)
	local username = user_of(event);
	if not username then return reply_error(event, "cancel", "service-unavailable"); end
	local state, wrong = parse_state(event.stanza.tags[1]);
	if not state then return reply_error(event, "modify", "not-acceptable", wrong); end
	local before, err = load_state(username);
	if before and not equal(before, state) then
		if not may_change(username) then
			return reply_error(event, "wait", "resource-constraint", "The status changes too often");
		end
		local ok;
		ok, err = save_state(username, state);
		if ok then tell_devices(username, before, state, event.origin); end
	end
	if err then
		module:log("error", "The shared status of %s cannot be kept: %s", username, err);
		return reply_error(event, "wait", "internal-server-error");
	end
	send(event.origin, st.reply(event.stanza));
	return true;
end

for _, kind in ipairs { "bare", "self" } do
	module:hook("iq-get/"..kind.."/"..XMLNS..":query", handle_get);
	module:hook("iq-set/"..kind.."/"..XMLNS..":query", handle_set);
end

module:hook_global("user-deleted", function (event)
	if event.host ~= module.host then return; end
	states:set(event.username, nil); -- what is stored, Prosody removes itself
	throttles:set(event.username, nil);
end);
