-- Writes down every login that was tried, at once: how it ended, when, and whose it was.
-- Prosody's own log is buffered, and what is in the buffer dies with it.

local now = require "util.time".now;

local path = module:get_option_string("login_witness_file");

local function note(how)
	return function (event)
		local session = event.session;
		local handler = session.sasl_handler;
		local username = session.username or (handler and handler.username) or "?";
		local file = assert(io.open(path, "a"));
		file:write(("%.3f %s %s\n"):format(now(), how, username));
		file:close();
	end;
end

module:hook("authentication-failure", note("refused"));
module:hook("authentication-success", note("accepted"));
