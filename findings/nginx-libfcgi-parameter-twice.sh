#!/bin/bash
# nginx and libfcgi: a fastcgi_param that is set again after an include is not the one that counts.
#
# One would guess: the later line replaces the earlier one, as in "include fastcgi_params;" followed by an own
# SERVER_NAME.
# What happens: nginx sends both, in this order, and FCGX_GetParam() gives the first: the own line counts for nothing.
# It matters to whoever runs a FastCGI program in C behind a configuration that includes Debian's fastcgi_params.
set -eu
cd "$(dirname "$0")"
. ./fastcgi.bash

fastcgi_start "
	include $root/etc/nginx/fastcgi_params;
	server_name general.example;
	fastcgi_param SERVER_NAME own.example;
	location / { fastcgi_pass application; }
" <<'END'
#include <fcgiapp.h>
#include <string.h>

int main(void)
{
	FCGX_Request request;
	FCGX_Init();
	FCGX_InitRequest(&request, 0, 0);
	while (FCGX_Accept_r(&request) == 0) {
		FCGX_PutS("Content-Type: text/plain\r\n\r\n", request.out);
		for (char **parameter = request.envp; *parameter; parameter++)
			if (strncmp(*parameter, "SERVER_NAME=", 12) == 0)
				FCGX_FPrintF(request.out, "%s ", *parameter);
		FCGX_FPrintF(request.out, "FCGX_GetParam=%s", FCGX_GetParam("SERVER_NAME", request.envp));
		FCGX_Finish_r(&request);
	}
	return 0;
}
END

answer=$(curl --silent "$url/")
seen "$answer"
expect "$answer" 'SERVER_NAME=general.example SERVER_NAME=own.example FCGX_GetParam=general.example' \
	'what the program has'
