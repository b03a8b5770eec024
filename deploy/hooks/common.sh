# What the hooks of this folder share; each reads it with ".".
#
# vigie-alert runs a hook with a line's word and fields as its arguments, or, with [alert] hook_wait, with a JSON array of
# lines as its standard input, an object on a line each.

fail()
{
	echo "$0: $1" >&2
	exit 1
}

# Prints an option: the variable $1 of the environment, or else the first line of the file $2.
option()
{
	value=$(printenv "$1" || { [ ! -r "$2" ] || head -n 1 "$2"; })
	[ -n "$value" ] || fail "neither $1 in the environment nor the file $2 says where to"
	printf '%s\n' "$value"
}

# Reads what has happened into $objects, the JSON, which is empty where there are arguments alone, and $lines, as text.
read_input()
{
	objects=$(cat)
	if [ -n "$objects" ]; then
		lines=$(printf '%s\n' "$objects" | sed -n 's/.*, "line": "\(.*\)"},\{0,1\}$/\1/p' | sed 's/\\\(["\\]\)/\1/g')
	else
		[ $# -gt 0 ] || fail "there is no line, neither as arguments nor on the standard input"
		lines=$*
	fi
}

# Prints the first of $lines in short, and how many more there are.
title()
{
	more=$(($(printf '%s\n' "$lines" | wc -l) - 1))
	printf 'vigie: %s' "$(printf '%s\n' "$lines" | sed -n '1{s/^[0-9][0-9TZ:.-]* //;s/ value=.*//;s/ since=.*//;p;}')"
	[ "$more" -eq 0 ] || printf ' and %s more' "$more"
}
