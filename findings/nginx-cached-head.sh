#!/bin/bash
# nginx: with fastcgi_cache the answer to a HEAD is what GETs get from the cache.
#
# One would guess: nginx asks the application with GET, as proxy_cache does (proxy_cache_convert_head), and sends the
# header alone.
# What happens: the application is asked with HEAD; its answer, which rightly has no body, is kept under the key that
# a GET has too, and every GET is answered with nothing until it expires.
# It matters to whoever caches a FastCGI application's answers while a monitor asks with HEAD whether it is alive.
# $request_method belongs into fastcgi_cache_key, as the second location shows.
set -eu
cd "$(dirname "$0")"
. ./fastcgi.bash

# shellcheck disable=SC2016 # nginx's variables
fastcgi_start '
	location / { fastcgi_pass application; }
	location /plain { fastcgi_pass application; fastcgi_cache cache; fastcgi_cache_key $uri; }
	location /method { fastcgi_pass application; fastcgi_cache cache; fastcgi_cache_key $request_method$uri; }
' <<'END'
#include <fcgiapp.h>
#include <string.h>

int main(void)
{
	FCGX_Request request;
	FCGX_Init();
	FCGX_InitRequest(&request, 0, 0);
	while (FCGX_Accept_r(&request) == 0) {
		FCGX_PutS("Content-Type: text/plain\r\nCache-Control: max-age=60\r\n\r\n", request.out);
		if (strcmp(FCGX_GetParam("REQUEST_METHOD", request.envp), "HEAD") != 0)
			FCGX_PutS("17 processes", request.out);
		FCGX_Finish_r(&request);
	}
	return 0;
}
END

for path in plain method; do
	curl --silent --head "$url/$path" >"$folder/head"
	declare "$path=$(curl --silent "$url/$path")"
done
# shellcheck disable=SC2154 # declared in the loop
{
	seen "a HEAD, then a GET: body [$plain]"
	seen "with the method in the key: body [$method]"
	expect "$plain" '' 'the body of the GET'
	expect "$method" '17 processes' 'the body with the method in the key'
}
