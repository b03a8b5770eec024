# nginx before a FastCGI program in C, all in the temporary folder. Sourced.
. ./common.bash

nginx_version=1.22.1-9+deb12u11
fcgi_version=2.4.2-2+deb12u1

# fastcgi_start LINES: the program comes as C from the standard input; LINES are of nginx's server, in which
# "application" is what fastcgi_pass takes.
fastcgi_start()
{
	debian "nginx=$nginx_version" "nginx-common=$nginx_version" spawn-fcgi=1.6.4-2 \
		"libfcgi0ldbl=$fcgi_version" "libfcgi-dev=$fcgi_version"
	gcc -x c -I "$root/usr/include" -o "$folder/application" - -L "$(dirname "$root"/usr/lib/*/libfcgi.so)" -lfcgi
	local port
	port=$(free_port)
	url=http://127.0.0.1:$port
	mkdir "$folder/nginx"
	cat >"$folder/nginx.conf" <<-END
		$([ "$(id --user)" -ne 0 ] || echo 'user root;')
		daemon off;
		pid nginx/pid;
		error_log stderr;
		events {}
		http {
			access_log off;
			client_body_temp_path nginx/body;
			fastcgi_temp_path nginx/fastcgi;
			proxy_temp_path nginx/proxy;
			scgi_temp_path nginx/scgi;
			uwsgi_temp_path nginx/uwsgi;
			fastcgi_cache_path nginx/cache keys_zone=cache:1m;
			upstream application { server unix:$folder/socket; }
			server {
				listen 127.0.0.1:$port;
				fastcgi_param REQUEST_METHOD \$request_method;
				$1
			}
		}
	END
	start application "$root/usr/bin/spawn-fcgi" -n -s "$folder/socket" "$folder/application"
	start nginx "$root/usr/sbin/nginx" -e stderr -p "$folder/" -c nginx.conf
	until_true curl --silent --fail "$url/"
	echo "version: nginx $nginx_version, libfcgi $fcgi_version"
}
