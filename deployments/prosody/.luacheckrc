-- As Prosody checks its own modules.
std = "lua54"
max_line_length = 110
read_globals = { "module", "prosody" }
