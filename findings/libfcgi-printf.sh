#!/bin/bash
# libfcgi: FCGX_FPrintF() stops at %zu, %jd, %td, %hhd, %a and %F.
#
# One would guess: it takes what C99's printf takes, since it takes %lld, %g, %.17g, %*d and %-10s as that does.
# What happens: what stands before is sent, what follows is not, and the text of the next call goes on right there. -1
# is returned, which nobody looks at in a printf; FCGX_GetError() is 0, no compiler warns, and nothing is logged.
# It matters to whoever prints a size_t, as in "Content-Length: %zu": the header has no value and no end of line, and
# takes the next line for its own.
set -eu
cd "$(dirname "$0")"
. ./fastcgi.bash

fastcgi_start 'location / { fastcgi_pass application; }' <<'END'
#include <fcgiapp.h>
#include <inttypes.h>
#include <stddef.h>

#define PRINT(format, value) \
	result = FCGX_FPrintF(request.out, "[before " format " after]", value); \
	FCGX_PutS(" " format, request.out); \
	FCGX_FPrintF(request.out, " returns %d, error %d\n", result, FCGX_GetError(request.out))

int main(void)
{
	FCGX_Request request;
	int result;
	FCGX_Init();
	FCGX_InitRequest(&request, 0, 0);
	while (FCGX_Accept_r(&request) == 0) {
		FCGX_PutS("Content-Type: text/plain\r\n\r\n", request.out);
		PRINT("%lld", 7LL);
		PRINT("%zu", (size_t)7);
		PRINT("%jd", (intmax_t)7);
		PRINT("%td", (ptrdiff_t)7);
		PRINT("%hhd", 7);
		PRINT("%a", 7.0);
		PRINT("%F", 7.0);
		FCGX_Finish_r(&request);
	}
	return 0;
}
END

curl --silent "$url/" >"$folder/answer"
while read -r line; do
	seen "$line"
done <"$folder/answer"
line=1
expect "$(sed --quiet 1p "$folder/answer")" '[before 7 after] %lld returns 16, error 0' 'what %lld gives'
for conversion in zu jd td hhd a F; do
	line=$((line + 1))
	expect "$(sed --quiet "${line}p" "$folder/answer")" "[before  %$conversion returns -1, error 0" \
		"what %$conversion gives"
done
